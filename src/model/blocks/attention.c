#include "model/blocks/blocks.h"

#include "kernel/kv.h"
#include "model/rope.h"

/* `heads` heads of one row: norms, rotation. */
static void turn_heads(const struct block_context *c, enum tensor_role norm, float *x, uint32_t heads,
                       uint32_t row) {
    const struct model_spec *s = c->model->spec;
    const struct kernel_table *kernels = c->model->matmul->kernels;
    const float *weight = c->model->vectors[c->layer][norm];
    uint32_t pairs = rope_pairs(s);
    for (uint32_t h = 0; weight && h < heads; h++) {
        float *head = x + (size_t)h * s->head_dim;
        kernels->rms_norm(head, weight, s->norm_eps, s->head_dim, head);
    }
    kernels->rope(x, heads, s->head_dim, 2 * pairs, c->work->cosines + (size_t)row * pairs,
                  c->work->sines + (size_t)row * pairs);
}

/* A row's query heads of one KV head, scaled, and its key. */
static void rotate_row(const struct block_context *c, uint32_t head, uint32_t row) {
    const struct model_spec *s = c->model->spec;
    uint32_t heads = s->heads / s->kv_heads, n = heads * s->head_dim;
    float *q = c->work->q + (size_t)row * spec_q_dim(s) + (size_t)head * n;
    turn_heads(c, ROLE_Q_NORM, q, heads, row);
    turn_heads(c, ROLE_K_NORM, c->work->k + (size_t)row * spec_kv_dim(s) + (size_t)head * s->head_dim, 1,
               row);
    for (uint32_t i = 0; i < n; i++) q[i] *= s->attention_scale;
}

/* Its key and value go to the cache. */
static void store_row(const struct block_context *c, uint32_t head, uint32_t row) {
    const struct model_spec *s = c->model->spec;
    uint32_t position = c->position + row;
    size_t at = (size_t)row * spec_kv_dim(s) + (size_t)head * s->head_dim;
    kv_store(c->model->matmul->kernels, c->seq->pool->type, s->head_dim, position % KERNEL_KV_BLOCK,
             c->work->k + at, c->work->v + at, kv_head(c->seq, c->layer, head, position));
}

typedef void row_fn(const struct block_context *c, uint32_t head, uint32_t row);
/* Task = block x KV heads + head: the rows of one block of the cache, whose lines so belong to one thread. */
static void each_row(const struct block_context *c, uint32_t task, row_fn *fn) {
    uint32_t heads = c->model->spec->kv_heads, block = c->position / KERNEL_KV_BLOCK + task / heads;
    uint32_t end = c->position + c->n, at = block * KERNEL_KV_BLOCK, after = at + KERNEL_KV_BLOCK;
    for (uint32_t p = at > c->position ? at : c->position; p < end && p < after; p++)
        fn(c, task % heads, p - c->position);
}
static void rotate(void *ctx, uint32_t task, uint32_t thread) {
    (void)thread;
    each_row(ctx, task, rotate_row);
}
static void store(void *ctx, uint32_t task, uint32_t thread) {
    (void)thread;
    each_row(ctx, task, store_row);
}
static void rotate_and_store(void *ctx, uint32_t task, uint32_t thread) {
    rotate(ctx, task, thread);
    store(ctx, task, thread);
}

/* All at once; where the pass is watched all rows are rotated first, so that each has its time. */
static void prepare(struct block_context *c) {
    struct threads *threads = c->model->matmul->threads;
    uint32_t first = c->position / KERNEL_KV_BLOCK, last = (c->position + c->n - 1) / KERNEL_KV_BLOCK;
    uint32_t tasks = (last - first + 1) * c->model->spec->kv_heads;
    threads_run(threads, tasks, c->operations ? rotate : rotate_and_store, c);
    if (!c->operations) return;
    operation_done(c->operations, OPERATION_ROPE);
    threads_run(threads, tasks, store, c);
    operation_done(c->operations, OPERATION_STORE_KV);
}

enum lr_status block_attention(const struct block_context *c, struct lr_error *err) {
    struct forward_work *w = c->work;
    struct block_context rows = *c;
    struct model_input normed = {.x = w->normed, .n_x = c->n, .room = w->up};
    struct model_input attended = {.x = w->attended, .n_x = c->n, .room = w->up};
    block_norm(c, ROLE_ATTN_NORM);
    LR_TRY(block_project(c, ROLE_Q, ROLE_Q_BIAS, &normed, w->q, err));
    LR_TRY(block_project(c, ROLE_K, ROLE_K_BIAS, &normed, w->k, err));
    LR_TRY(block_project(c, ROLE_V, ROLE_V_BIAS, &normed, w->v, err));
    operation_done(c->operations, OPERATION_QKV);
    prepare(&rows);
    block_attend(c);
    operation_done(c->operations, OPERATION_ATTENTION);
    LR_TRY(block_project(c, ROLE_O, ROLE_O_BIAS, &attended, w->normed, err));
    operation_done(c->operations, OPERATION_O);
    block_add_residual(c);
    return LR_OK;
}
