#include "model/blocks/blocks.h"

#include "model/rope.h"

/* Norm of each head of one row, in place. */
static void norm_heads(const struct model *m, const float *weight, float *x, uint32_t heads) {
    if (!weight) return;
    for (uint32_t h = 0; h < heads; h++) {
        float *head = x + (size_t)h * m->spec->head_dim;
        m->matmul->kernels->rms_norm(head, weight, m->spec->norm_eps, m->spec->head_dim, head);
    }
}

/* One token's queries and keys: norms, rotation, the scale on queries. */
static void rotate_row(void *ctx, uint32_t row, uint32_t thread) {
    (void)thread;
    const struct block_context *c = ctx;
    const struct model_spec *s = c->model->spec;
    const struct kernel_table *kernels = c->model->matmul->kernels;
    uint32_t pairs = rope_pairs(s), kv_dim = spec_kv_dim(s), q_dim = spec_q_dim(s);
    float *q = c->work->q + (size_t)row * q_dim, *k = c->work->k + (size_t)row * kv_dim;
    const float *cosines = c->work->cosines + (size_t)row * pairs,
                *sines = c->work->sines + (size_t)row * pairs;
    norm_heads(c->model, c->model->vectors[c->layer][ROLE_Q_NORM], q, s->heads);
    norm_heads(c->model, c->model->vectors[c->layer][ROLE_K_NORM], k, s->kv_heads);
    kernels->rope(q, s->heads, s->head_dim, 2 * pairs, cosines, sines);
    kernels->rope(k, s->kv_heads, s->head_dim, 2 * pairs, cosines, sines);
    for (uint32_t i = 0; i < q_dim; i++) q[i] *= s->attention_scale;
}

/* One token's keys and values go to the cache. */
static void store_row(void *ctx, uint32_t row, uint32_t thread) {
    (void)thread;
    const struct block_context *c = ctx;
    const struct kernel_table *kernels = c->model->matmul->kernels;
    uint32_t kv_dim = spec_kv_dim(c->model->spec), position = c->position + row;
    enum kv_type type = c->seq->pool->type;
    kernels->store_kv(c->work->k + (size_t)row * kv_dim, kv_dim, type,
                      kv_slot(c->seq, c->layer, false, position));
    kernels->store_kv(c->work->v + (size_t)row * kv_dim, kv_dim, type,
                      kv_slot(c->seq, c->layer, true, position));
}

static void prepare_row(void *ctx, uint32_t row, uint32_t thread) {
    rotate_row(ctx, row, thread);
    store_row(ctx, row, thread);
}

/* A row at a time; where the pass is watched all rows are rotated first, so that each has its time. */
static void prepare(struct block_context *c) {
    struct threads *threads = c->model->matmul->threads;
    threads_run(threads, c->n, c->operations ? rotate_row : prepare_row, c);
    if (!c->operations) return;
    operation_done(c->operations, OPERATION_ROPE);
    threads_run(threads, c->n, store_row, c);
    operation_done(c->operations, OPERATION_STORE_KV);
}

/* One query head of one token: task = head x n + row, so that neighbouring tasks read the same keys. */
static void attend(void *ctx, uint32_t task, uint32_t thread) {
    const struct block_context *c = ctx;
    const struct model_spec *s = c->model->spec;
    uint32_t head = task / c->n, row = task % c->n, end = c->position + row + 1;
    uint32_t window = s->window[c->layer], begin = window && end > window ? end - window : 0;
    size_t offset =
        (size_t)(head / (s->heads / s->kv_heads)) * s->head_dim * (c->seq->pool->type == KV_F32 ? 4 : 2);
    const void **keys = c->work->slots + (size_t)thread * 2 * c->work->slots_per_list;
    const void **values = keys + c->work->slots_per_list;
    for (uint32_t b = begin / KERNEL_KV_BLOCK; b * KERNEL_KV_BLOCK < end; b++) {
        keys[b] = (const char *)kv_slot(c->seq, c->layer, false, b * KERNEL_KV_BLOCK) + offset;
        values[b] = (const char *)kv_slot(c->seq, c->layer, true, b * KERNEL_KV_BLOCK) + offset;
    }
    size_t at = (size_t)row * spec_q_dim(s) + (size_t)head * s->head_dim;
    struct attention_task t = {
        .query = c->work->q + at,
        .keys = keys,
        .values = values,
        .stride = spec_kv_dim(s),
        .head_dim = s->head_dim,
        .begin = begin,
        .end = end,
        .type = c->seq->pool->type,
        .out = c->work->attended + at,
    };
    c->model->matmul->kernels->attention(&t);
}

enum lr_status block_attention(const struct block_context *c, struct lr_error *err) {
    struct forward_work *w = c->work;
    struct threads *threads = c->model->matmul->threads;
    struct block_context rows = *c;
    block_norm(c, ROLE_ATTN_NORM);
    LR_TRY(block_project(c, ROLE_Q, ROLE_Q_BIAS, w->normed, w->q, err));
    LR_TRY(block_project(c, ROLE_K, ROLE_K_BIAS, w->normed, w->k, err));
    LR_TRY(block_project(c, ROLE_V, ROLE_V_BIAS, w->normed, w->v, err));
    operation_done(c->operations, OPERATION_QKV);
    prepare(&rows);
    threads_run(threads, c->n * c->model->spec->heads, attend, &rows);
    operation_done(c->operations, OPERATION_ATTENTION);
    LR_TRY(block_project(c, ROLE_O, ROLE_O_BIAS, w->attended, w->normed, err));
    operation_done(c->operations, OPERATION_O);
    block_add_residual(c);
    return LR_OK;
}
