/* Who computes what of attention. A chunk of tokens: each task is a KV head's queries for some neighbouring
 * tokens, span after span. One token: each task is one span of one KV head, so that few KV heads keep many
 * threads busy; then spans are merged. Either way in the order of the spans: the bits are the same. */
#include "model/blocks/blocks.h"

static uint32_t group_of(const struct model_spec *s) {
    return s->heads / s->kv_heads;
}

/* Queries of a task: whole tokens. */
static uint32_t most_queries(const struct model_spec *s) {
    return group_of(s) > KERNEL_QUERIES ? group_of(s) : KERNEL_QUERIES;
}

/* States of a task so far and of one more span, then the kernel's work space. */
uint64_t block_attend_work(const struct model_spec *s) {
    const uint64_t state = kernel_attention_state(s->head_dim), queries = most_queries(s);
    return 2 * queries * state + kernel_attention_work(s->head_dim, (uint32_t)queries);
}

struct attend {
    const struct block_context *block;
    uint32_t tokens, tiles;     /* of a task, of the chunk */
    uint32_t first_span, spans; /* that one token sees */
};

static uint32_t first_seen(const struct block_context *c, uint32_t position) {
    uint32_t window = c->model->spec->window[c->layer];
    return window && position + 1 > window ? position + 1 - window : 0;
}

/* Rows from `row` on of one KV head; the span, the state and the work space are the caller's to set. */
static struct attention_task task_for(const struct block_context *c, uint32_t head, uint32_t row,
                                      uint32_t tokens) {
    const struct model_spec *s = c->model->spec;
    return (struct attention_task){
        .query = c->work->q + (size_t)row * spec_q_dim(s) + (size_t)head * group_of(s) * s->head_dim,
        .query_step = spec_q_dim(s),
        .blocks = (const uint8_t *const *)c->seq->at,
        .offset = kv_head_offset(c->seq->pool, c->layer, head),
        .type = c->seq->pool->type,
        .head_dim = s->head_dim,
        .heads = group_of(s),
        .tokens = tokens,
        .position = c->position + row,
        .window = s->window[c->layer],
    };
}

/* Results of a token's query heads from their states. */
static void finish(const struct block_context *c, uint32_t head, uint32_t row, const float *states) {
    const struct model_spec *s = c->model->spec;
    float *out = c->work->attended + (size_t)row * spec_q_dim(s) + (size_t)head * group_of(s) * s->head_dim;
    for (uint32_t h = 0; h < group_of(s); h++)
        c->model->matmul->kernels->finish(states + h * kernel_attention_state(s->head_dim), s->head_dim,
                                          out + (size_t)h * s->head_dim);
}

/* ---- a chunk of tokens */

/* Task = tile from the last on x KV heads + head: the last tokens see most. */
static void attend_tile(void *ctx, uint32_t task, uint32_t thread) {
    const struct attend *a = ctx;
    const struct block_context *c = a->block;
    const struct model_spec *s = c->model->spec;
    const struct kernel_table *kernels = c->model->matmul->kernels;
    const size_t state = kernel_attention_state(s->head_dim), all = state * most_queries(s);
    uint32_t head = task % s->kv_heads, row = (a->tiles - 1 - task / s->kv_heads) * a->tokens;
    uint32_t tokens = c->n - row < a->tokens ? c->n - row : a->tokens;
    uint32_t last = (c->position + row + tokens - 1) / KERNEL_KV_SPAN;
    float *sum = c->work->attention + thread * c->work->attention_step, *one = sum + all;
    struct attention_task t = task_for(c, head, row, tokens);
    t.work = one + all;
    t.span = first_seen(c, t.position) / KERNEL_KV_SPAN;
    t.state = sum;
    kernels->attention(&t);
    t.state = one;
    while (t.span++ < last) {
        kernels->attention(&t);
        kernels->merge(sum, one, (size_t)tokens * group_of(s), s->head_dim);
    }
    for (uint32_t i = 0; i < tokens; i++) finish(c, head, row + i, sum + i * state * group_of(s));
}

/* As many tokens at once as a task may have, but not so many that threads are left without one. */
static void attend_chunk(const struct block_context *c) {
    const struct model_spec *s = c->model->spec;
    struct threads *threads = c->model->matmul->threads;
    struct attend a = {.block = c, .tokens = most_queries(s) / group_of(s)};
    while (a.tokens > 1 && (c->n + a.tokens - 1) / a.tokens * s->kv_heads < 2 * threads_count(threads))
        a.tokens = (a.tokens + 1) / 2;
    a.tiles = (c->n + a.tokens - 1) / a.tokens;
    threads_run(threads, a.tiles * s->kv_heads, attend_tile, &a);
}

/* ---- one token */

static float *span_states(const struct attend *a, uint32_t span, uint32_t head) {
    const struct model_spec *s = a->block->model->spec;
    return a->block->work->spans +
           ((size_t)span * s->heads + (size_t)head * group_of(s)) * kernel_attention_state(s->head_dim);
}

/* Task = span x KV heads + head. */
static void attend_span(void *ctx, uint32_t task, uint32_t thread) {
    const struct attend *a = ctx;
    const struct block_context *c = a->block;
    uint32_t head = task % c->model->spec->kv_heads, span = task / c->model->spec->kv_heads;
    struct attention_task t = task_for(c, head, 0, 1);
    t.work = c->work->attention + thread * c->work->attention_step;
    t.span = a->first_span + span;
    t.state = span_states(a, span, head);
    c->model->matmul->kernels->attention(&t);
    if (a->spans == 1) finish(c, head, 0, t.state);
}

static void merge_spans(void *ctx, uint32_t head, uint32_t thread) {
    (void)thread;
    const struct attend *a = ctx;
    const struct model_spec *s = a->block->model->spec;
    float *states = span_states(a, 0, head);
    for (uint32_t i = 1; i < a->spans; i++)
        a->block->model->matmul->kernels->merge(states, span_states(a, i, head), group_of(s), s->head_dim);
    finish(a->block, head, 0, states);
}

static void attend_one(const struct block_context *c) {
    struct threads *threads = c->model->matmul->threads;
    uint32_t heads = c->model->spec->kv_heads, first = first_seen(c, c->position) / KERNEL_KV_SPAN;
    struct attend a = {.block = c, .first_span = first};
    a.spans = c->position / KERNEL_KV_SPAN - first + 1;
    threads_run(threads, a.spans * heads, attend_span, &a);
    if (a.spans > 1) threads_run(threads, heads, merge_spans, &a);
}

void block_attend(const struct block_context *c) {
    if (c->n == 1)
        attend_one(c);
    else
        attend_chunk(c);
}
