#include "model/operations.h"

#include "model/kvcache.h"
#include "model/model.h"
#include "model/rope.h"
#include "sys/clock.h"

const char *operation_name(enum operation op) {
    static const char *const names[OPERATIONS] = {
        [OPERATION_EMBEDDING] = "embedding",
        [OPERATION_NORM] = "norm",
        [OPERATION_QKV] = "q/k/v",
        [OPERATION_ROPE] = "rope",
        [OPERATION_STORE_KV] = "store KV",
        [OPERATION_ATTENTION] = "attention",
        [OPERATION_O] = "o",
        [OPERATION_GATE_UP] = "gate/up",
        [OPERATION_ACTIVATION] = "activation",
        [OPERATION_DOWN] = "down",
        [OPERATION_ADD] = "add",
        [OPERATION_HEAD] = "head",
    };
    return names[op];
}

/* ---- time */

void operations_begin(struct operations *o, const uint64_t *lent) {
    if (!o) return;
    o->lent = lent;
    o->lent_before = *lent;
    o->began = o->since = clock_now();
}

void operations_end(struct operations *o) {
    if (!o) return;
    o->pass_s += clock_now() - o->began;
    o->passes++;
}

void operations_lap(struct operations *o, enum operation op) {
    double now = clock_now();
    o->of[op].seconds += now - o->since;
    o->of[op].streamed += *o->lent - o->lent_before;
    o->since = now;
    o->lent_before = *o->lent;
}

void operations_skip_lap(struct operations *o) {
    o->since = clock_now();
    o->lent_before = *o->lent;
}

/* ---- arithmetic */

/* What is counted, and for what. */
struct count {
    struct operations *to;
    const struct model *m;
    uint64_t kv_bytes; /* of one position in one layer, keys and values */
    uint32_t n, position, n_logits;
};

static void add(const struct count *c, enum operation op, uint64_t memory, uint64_t floats,
                uint64_t multiply_adds) {
    struct operation_cost *cost = &c->to->of[op];
    cost->memory += memory;
    cost->cached += floats * sizeof(float);
    cost->multiply_adds += multiply_adds;
}

/* The product of a matrix with n activations. */
static void add_product(const struct count *c, enum operation op, const struct tensor_record *t, uint64_t n) {
    uint64_t rows = t->shape[0], cols = t->shape[1];
    if (!n) return;
    c->to->of[op].peak = matmul_peak(c->m->matmul, t->dtype, cols);
    add(c, op, t->bytes, n * (rows + cols), n * rows * cols);
}

static void add_projection(const struct count *c, enum operation op, uint32_t layer, enum tensor_role role) {
    add_product(c, op, c->m->binding->layers[layer].role[role], c->n);
}

/* Each query sees the keys up to its own position, or a window of them. */
static void add_attention(const struct count *c, uint32_t layer) {
    const struct model_spec *s = c->m->spec;
    uint64_t window = s->window[layer], pairs = 0, last = (uint64_t)c->position + c->n;
    for (uint64_t end = c->position + UINT64_C(1); end <= last; end++)
        pairs += window && end > window ? window : end;
    uint64_t first = c->position + UINT64_C(1), seen = window && first > window ? first - window : 0;
    add(c, OPERATION_ATTENTION, (last - seen) * c->kv_bytes, UINT64_C(2) * c->n * spec_q_dim(s),
        2 * pairs * spec_q_dim(s));
}

static void add_layer(const struct count *c, uint32_t layer) {
    const struct model_spec *s = c->m->spec;
    uint64_t n = c->n, dim = n * s->dim, ffn = n * s->ffn_dim;
    uint64_t rotated = n * 2 * rope_pairs(s) * (s->heads + s->kv_heads);
    add(c, OPERATION_NORM, 0, 4 * dim, 4 * dim);
    add_projection(c, OPERATION_QKV, layer, ROLE_Q);
    add_projection(c, OPERATION_QKV, layer, ROLE_K);
    add_projection(c, OPERATION_QKV, layer, ROLE_V);
    add(c, OPERATION_ROPE, 0, 2 * rotated, 2 * rotated);
    add(c, OPERATION_STORE_KV, n * c->kv_bytes, 2 * n * spec_kv_dim(s), 0);
    add_attention(c, layer);
    add_projection(c, OPERATION_O, layer, ROLE_O);
    add_projection(c, OPERATION_GATE_UP, layer, ROLE_GATE);
    add_projection(c, OPERATION_GATE_UP, layer, ROLE_UP);
    add(c, OPERATION_ACTIVATION, 0, 3 * ffn, ffn);
    add_projection(c, OPERATION_DOWN, layer, ROLE_DOWN);
    add(c, OPERATION_ADD, 0, 6 * dim, 2 * dim);
}

void operations_count(struct operations *o, const struct model *m, const struct kv_pool *pool, uint32_t n,
                      uint32_t position, uint32_t n_logits) {
    const struct tensor_record *embed = m->binding->embed;
    uint64_t dim = m->spec->dim;
    struct count c = {.to = o, .m = m, .n = n, .position = position, .n_logits = n_logits};
    c.kv_bytes = pool->head_bytes * pool->kv_heads / KERNEL_KV_BLOCK;
    add(&c, OPERATION_EMBEDDING, n * (embed->bytes / embed->shape[0]), n * dim, 0);
    for (uint32_t i = 0; i < m->spec->layers; i++) add_layer(&c, i);
    add(&c, OPERATION_NORM, 0, 2 * n_logits * dim, 2 * n_logits * dim);
    add_product(&c, OPERATION_HEAD, m->binding->head, n_logits);
}
