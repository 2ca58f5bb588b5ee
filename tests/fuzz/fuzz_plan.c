/* The planner: a model, a budget and wishes are made of the input's bytes; whatever they are, the plan keeps
 * what it promises. Bytes beyond the input are zeros. */
#include "base/dtype.h"
#include "base/memory_policy.h"
#include "weights/place.h"
#include "weights/units.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MB (UINT64_C(1) << 20)

enum { LAYERS_MOST = 24, IN_LAYER = 7, MOST = 3 + LAYERS_MOST * (IN_LAYER + 1) };

struct input {
    const uint8_t *data;
    size_t left;
};

/* The next number in [0, most], of as many bytes as it takes. */
static uint64_t take(struct input *in, uint64_t most) {
    uint64_t value = 0;
    for (uint64_t rest = most; rest; rest >>= 8) {
        value <<= 8;
        if (in->left) value |= *in->data++, in->left--;
    }
    return most == UINT64_MAX ? value : value % (most + 1);
}

/* Of any magnitude: a shift and a mantissa. */
static uint64_t take_wide(struct input *in, unsigned bits) {
    uint64_t shift = take(in, bits);
    return (take(in, 0xFFFF) << shift) >> 16;
}

struct model {
    struct tensor_record records[MOST];
    struct plan_tensor tensors[MOST];
    uint64_t pinned[MOST], again[MOST];
    struct plan_facts facts;
    uint64_t per_position, per_token, base; /* what a session takes */
};

static void add(struct model *m, enum weight_kind kind, uint32_t layer, uint64_t rows, uint64_t cols) {
    size_t i = m->facts.n_tensors++;
    struct tensor_record *r = &m->records[i];
    *r = (struct tensor_record){.dtype = LR_BF16, .rank = cols ? 2 : 1, .shape = {rows, cols}};
    r->bytes = rows * (cols ? cols : 1) * 2;
    m->tensors[i] = (struct plan_tensor){r, kind, layer, layer == m->facts.layers};
}

static enum lr_status session(const void *ctx, uint32_t context, uint32_t chunk, uint64_t *kv, uint64_t *work,
                              struct lr_error *err) {
    const struct model *m = ctx;
    (void)err;
    *kv = context * m->per_position;
    *work = m->base + chunk * m->per_token;
    return LR_OK;
}

static void take_tensors(struct model *m, struct input *in) {
    uint64_t dim = 1 + take_wide(in, 16), vocab = 1 + take_wide(in, 22);
    m->facts.layers = (uint32_t)take(in, LAYERS_MOST);
    if (take(in, 1)) add(m, WEIGHT_ROWS, m->facts.layers, vocab, dim);
    for (uint32_t l = 0; l < m->facts.layers; l++) {
        add(m, WEIGHT_VECTOR, l, dim, 0);
        for (uint64_t k = take(in, IN_LAYER); k; k--) add(m, WEIGHT_LAYER, l, 1 + take_wide(in, 17), dim);
    }
    add(m, WEIGHT_VECTOR, m->facts.layers, dim, 0);
    add(m, WEIGHT_ESSENTIAL, m->facts.layers, vocab, dim);
}

static void take_facts(struct model *m, struct input *in) {
    struct plan_facts *f = &m->facts;
    f->budget = take_wide(in, 48);
    f->ours = f->budget + 16 * MB;
    f->bound = take(in, 1) ? MEMORY_BY_USER : MEMORY_BY_SYSTEM;
    f->tokenizer = take_wide(in, 32);
    f->opening = take(in, 1) ? take_wide(in, 32) : 0;
    f->address = take(in, 3) ? UINT64_MAX : take_wide(in, 48);
    f->lock = UINT64_MAX;
    f->fixed = take_wide(in, 32);
    f->cold = take_wide(in, 40);
    f->load = (enum lr_load)take(in, LR_LOAD_RESIDENT);
    f->maximum = 1 + (uint32_t)take_wide(in, 22);
    f->limit = take(in, 1) ? 8192 : 1 + (uint32_t)take_wide(in, 16);
    f->wanted = take(in, 1) ? 1 + (uint32_t)take_wide(in, 16) : 0;
    f->chunk = take(in, 3) ? 0 : 1 + (uint32_t)take_wide(in, 12);
    f->filled = take(in, 1) ? (uint32_t)take_wide(in, 16) : 0;
    f->open = f->filled > 0;
    f->rates.disk = (double)take_wide(in, 40);
    f->rates.product = (double)take_wide(in, 40);
    f->rates.prefill = (double)take_wide(in, 44);
    f->rates.block = take(in, 1) ? (uint32_t)MB << 2 * take(in, 2) : 0;
    f->rates.depth = (uint32_t)take(in, 32);
    m->per_position = take_wide(in, 22);
    m->per_token = take_wide(in, 24);
    m->base = take_wide(in, 30);
}

static void require(bool holds) {
    if (!holds) __builtin_trap();
}

/* Everything is placed once, and the sums say where. */
static void check_places(const struct model *m, const struct lr_plan *p) {
    uint64_t weights = 0, pinned = 0, streamed = 0;
    for (size_t i = 0; i < m->facts.n_tensors; i++) {
        const struct plan_tensor *t = &m->tensors[i];
        require(m->pinned[i] <= units_count(t->record));
        if (p->fits) require(units_bytes(t->record, m->pinned[i]) <= POLICY_MAX_TENSOR);
        if (t->kind == WEIGHT_VECTOR) require(m->pinned[i] == 0);
        if (t->kind == WEIGHT_ROWS && p->mode != LR_LOAD_RESIDENT) require(m->pinned[i] == 0);
        weights += t->record->bytes;
        pinned += units_bytes(t->record, m->pinned[i]);
        if (t->kind == WEIGHT_ESSENTIAL || t->kind == WEIGHT_LAYER)
            streamed += t->record->bytes - units_bytes(t->record, m->pinned[i]);
    }
    require(p->weights == weights && p->pinned == pinned && p->pins >= pinned);
    require(p->mapped == (p->mode == LR_LOAD_MAP ? weights : 0));
    if (!p->fits) return;
    require(p->streamed == (p->mode == LR_LOAD_MAP ? 0 : streamed));
    require((p->ring > 0) == (p->streamed > 0));
}

/* No layer has more than its crumbs while a unit of the head that would have been paid for is not pinned, and
 * may be: of one tensor no more is than the policy allows. */
static void check_essential_first(const struct model *m, const struct lr_plan *p) {
    const struct plan_tensor *head = &m->tensors[m->facts.n_tensors - 1];
    uint64_t have = m->pinned[m->facts.n_tensors - 1], layers = 0;
    if (p->mode != LR_LOAD_STREAM || have == units_count(head->record)) return;
    if (units_bytes(head->record, have + 1) > POLICY_MAX_TENSOR) return; /* no copy of it may be larger */
    uint64_t unit = units_bytes(head->record, have + 1) - units_bytes(head->record, have);
    if (units_bytes(head->record, have + 1) > POLICY_MAX_TENSOR) return;
    for (size_t i = 0; i + 1 < m->facts.n_tensors; i++)
        layers += units_bytes(m->tensors[i].record, m->pinned[i]);
    require(layers < unit + 2 * PLACE_PAGE);
}

static void check(const struct model *m, const struct lr_plan *p) {
    const struct plan_facts *f = &m->facts;
    check_places(m, p);
    require(p->budget == f->budget && p->context >= 1 && p->chunk >= 1 && p->chunk <= p->context);
    if (f->wanted) require(p->context == f->wanted);
    if (f->load != LR_LOAD_AUTO) require(p->mode == f->load);
    require(p->context_that_fits <= f->maximum);
    if (!p->fits) return;
    require(p->need <= f->budget); /* never over budget */
    require(p->need == p->kv_now + p->work + p->ring + p->tokenizer + p->fixed + p->pins + p->opening);
    require(p->kv_now <= p->kv && (f->filled || p->kv_now == p->kv));
    require(p->least <= f->budget);
    check_essential_first(m, p);
    require(p->load_s >= 0 && p->decode_tok_s >= 0 && p->prefill_tok_s >= 0);
}

/* A plan that does not fit is refused with a message; with the least budget, as it names it, it fits. */
static void check_refusal(struct model *m, const struct lr_plan *p) {
    struct lr_error err = {0};
    struct lr_plan other;
    require(plan_refuse(&m->facts, p, &err) == LR_EMEMORY);
    if (p->mode == LR_LOAD_RESIDENT && place_too_large(&m->facts)) {
        require(__builtin_strncmp(err.message, "Single tensor allocation too large: ", 36) == 0);
        return;
    }
    require(__builtin_strncmp(err.message, "Cannot allocate ", 16) == 0);
    if (p->least == UINT64_MAX || m->facts.address != UINT64_MAX) return;
    struct plan_facts f = m->facts;
    f.load = p->mode;
    f.wanted = p->context;
    f.chunk = p->chunk;
    f.budget = p->least;
    plan_judge(&f, &other);
    require(other.fits);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct model m;
    struct input in = {data, size};
    struct lr_plan p, again;
    m = (struct model){0};
    m.facts.tensors = m.tensors;
    m.facts.session = session;
    m.facts.session_ctx = &m;
    take_facts(&m, &in);
    take_tensors(&m, &in);
    m.facts.machine = take(&in, 1) ? m.facts.ours + take_wide(&in, 40) : 0;
    for (size_t i = 0; i < m.facts.n_tensors; i++) m.facts.files += m.records[i].bytes;
    plan_make(&m.facts, m.pinned, &p);
    check(&m, &p);
    plan_make(&m.facts, m.again, &again); /* pure */
    require(__builtin_memcmp(m.pinned, m.again, sizeof m.pinned) == 0 && p.need == again.need);
    plan_advise(&m.facts, &p);
    if (!p.fits) check_refusal(&m, &p);
    return 0;
}
