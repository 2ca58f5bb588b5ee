/* attention.h - attention of a tile of queries over a span, written in an instruction set's vector words;
 * included once by each.
 *
 * Scores and sums of values are the same product, of a few rows of factors with rows of a block: keys
 * (transposed) times queries, values times exp(score - greatest). Every lane adds up by itself, in the order
 * of its rows, so an output's bits do not depend on how many queries there are beside it. */
#include <math.h>

#include "kernel/simd/inline.h"
#include "kernel/attend.h"
#include "kernel/simd/exp.h"
#include "kernel/simd/total.h"
#include "kernel/tables.h"

enum {
    BLOCK = KERNEL_KV_BLOCK,
    ACROSS = 2, /* vectors of a row at once */
    CACHE_LINE = 64,
    AHEAD = 4 /* pieces: how far ahead lines are fetched */
};

/* ---- the product ------------------------------------------------------------------------------------------ */

/* out[q, :] = (fresh ? 0 : out[q, :]) + sum over rows i of factors[q, i] * rows[i, :] (* scales[:]). */
struct product {
    const float *factors;
    size_t factor_step; /* between two queries */
    const uint8_t *rows;
    size_t row_bytes, n_rows, cols; /* cols: a multiple of 16 */
    ptrdiff_t ahead;                /* to where lines are fetched for what comes next; 0: nothing is */
    const uint16_t *scales;         /* [cols] in bf16, or NULL */
    float *out;
    size_t out_step;
    bool fresh;
};

static ALWAYS_INLINE vec element(enum kv_type type, const uint8_t *p) {
    return type == KV_F32 ? vec_load(p) : type == KV_F16 ? vec_f16(p) : vec_i8(p);
}

static inline void fetch_range(const uint8_t *p, size_t n) {
    for (size_t i = 0; i < n; i += CACHE_LINE) fetch_ahead((const char *)p, i);
}

/* The sums so far of `n_q` queries, and what they have come to; counts are constants where these are inlined.
 */
static ALWAYS_INLINE void load_sums(vec *sums, const float *from, size_t step, const int n_q,
                                    const int n_vec) {
#pragma GCC unroll 8
    for (int q = 0; q < n_q; q++)
#pragma GCC unroll 2
        for (int v = 0; v < n_vec; v++)
            sums[q * ACROSS + v] = from ? vec_load(from + (size_t)q * step + (size_t)v * VEC) : vec_zero();
}
static ALWAYS_INLINE void store_sums(const vec *sums, float *to, size_t step, const int n_q,
                                     const int n_vec) {
#pragma GCC unroll 8
    for (int q = 0; q < n_q; q++)
#pragma GCC unroll 2
        for (int v = 0; v < n_vec; v++)
            vec_store(to + (size_t)q * step + (size_t)v * VEC, sums[q * ACROSS + v]);
}
static ALWAYS_INLINE void scale_sums(vec *sums, const uint16_t *scales, const float *from, size_t step,
                                     const int n_q, const int n_vec) {
#pragma GCC unroll 2
    for (int v = 0; v < n_vec; v++) {
        vec scale = vec_bf16(scales + (size_t)v * VEC);
#pragma GCC unroll 8
        for (int q = 0; q < n_q; q++)
            sums[q * ACROSS + v] =
                vec_fma(sums[q * ACROSS + v], scale,
                        from ? vec_load(from + (size_t)q * step + (size_t)v * VEC) : vec_zero());
    }
}

/* `n_vec` vectors of the columns from `col` on. */
static ALWAYS_INLINE void multiply(enum kv_type type, bool fetch, const struct product *p, size_t col,
                                   const int n_q, const int n_vec) {
    vec sums[QUERIES * ACROSS];
    const size_t size = kv_element_bytes(type), factor_step = p->factor_step;
    const uint8_t *rows = p->rows + col * size;
    const float *factors = p->factors;
    float *out = p->out + col, *so_far = p->fresh ? NULL : out;
    load_sums(sums, p->scales ? NULL : so_far, p->out_step, n_q, n_vec);
    for (size_t i = 0; i < p->n_rows; i++, rows += p->row_bytes) {
        vec row[ACROSS];
#pragma GCC unroll 2
        for (int v = 0; v < n_vec; v++) {
            if (fetch && (size_t)v * VEC * size % CACHE_LINE == 0)
                fetch_ahead((const char *)rows, (size_t)p->ahead + (size_t)v * VEC * size);
            row[v] = element(type, rows + (size_t)v * VEC * size);
        }
#pragma GCC unroll 8
        for (int q = 0; q < n_q; q++) {
            vec factor = vec_all(factors[(size_t)q * factor_step + i]);
#pragma GCC unroll 2
            for (int v = 0; v < n_vec; v++)
                sums[q * ACROSS + v] = vec_fma(factor, row[v], sums[q * ACROSS + v]);
        }
    }
    if (p->scales) scale_sums(sums, p->scales + col, so_far, p->out_step, n_q, n_vec);
    store_sums(sums, out, p->out_step, n_q, n_vec);
}

static ALWAYS_INLINE void multiply_all(enum kv_type type, bool fetch, const struct product *p,
                                       const int n_q) {
    size_t col = 0;
    for (; col + ACROSS * VEC <= p->cols; col += ACROSS * VEC) multiply(type, fetch, p, col, n_q, ACROSS);
    for (; col < p->cols; col += VEC) multiply(type, fetch, p, col, n_q, 1);
}

#define QUERIES_CASE(n)                                                                                      \
    case n:                                                                                                  \
        if (n <= QUERIES) multiply_all(type, fetch, p, n <= QUERIES ? n : 1);                                \
        break

static ALWAYS_INLINE void multiply_some(enum kv_type type, bool fetch, const struct product *p, size_t n_q) {
    switch (n_q) {
        QUERIES_CASE(1);
        QUERIES_CASE(2);
        QUERIES_CASE(3);
        QUERIES_CASE(4);
        QUERIES_CASE(5);
        QUERIES_CASE(6);
        QUERIES_CASE(7);
        QUERIES_CASE(8);
    }
}

typedef void product_fn(const struct product *p, size_t n_q);
static void product_f32(const struct product *p, size_t n_q) {
    multiply_some(KV_F32, true, p, n_q);
}
static void product_f16(const struct product *p, size_t n_q) {
    multiply_some(KV_F16, true, p, n_q);
}
static void product_q8(const struct product *p, size_t n_q) {
    multiply_some(KV_Q8, true, p, n_q);
}
static void product_wide(const struct product *p, size_t n_q) {
    multiply_some(KV_F32, false, p, n_q);
}

/* ---- a tile of queries ------------------------------------------------------------------------------------ */

/* Keys or values of a block as products take them. */
struct piece {
    const uint8_t *elements, *scales;
    size_t element_bytes;
    ptrdiff_t ahead; /* to the piece that comes next; 0: none does */
};

struct tile {
    const struct attention_task *task;
    size_t n, width, state_step;
    struct range *seen;       /* [n] of the span, by each query */
    float *queries;           /* [n, width] */
    float *scores;            /* [n, STEP] */
    float *wide;              /* [BLOCK, width]: a block's keys or values for many queries, widened once */
    size_t first, begin, end; /* the step's first position, and its blocks */
    size_t seen_end;          /* of the span, by any query */
    bool widens;
    product_fn *product;
};

static ALWAYS_INLINE void widen_block(enum kv_type type, const struct piece *p, size_t n, float *out) {
    const size_t size = kv_element_bytes(type), line = CACHE_LINE / size;
    for (size_t i = 0; i < n; i += VEC) {
        if (i % line == 0) fetch_ahead((const char *)p->elements + i * size, (size_t)p->ahead);
        vec_store(out + i, element(type, p->elements + i * size));
    }
}

static const uint8_t *piece_at(const struct tile *t, size_t b, bool values) {
    const struct attention_task *k = t->task;
    return k->blocks[b] + k->offset + (values ? kv_values_at(k->type, k->head_dim) : 0);
}

/* The piece that comes `by` after number `i` of a step: keys of its blocks, their values, then the next
 * step's keys. NULL: none does. */
static const uint8_t *piece_after(const struct tile *t, size_t i, size_t by) {
    const size_t n = t->end - t->begin, at = i + by;
    if (at < 2 * n) return piece_at(t, t->begin + at % n, at >= n);
    const size_t b = t->end + at - 2 * n;
    return b * BLOCK < t->seen_end ? piece_at(t, b, false) : NULL;
}

/* Number `i` of the step, and from where to where lines are fetched while it is worked on. */
static struct piece take_piece(struct tile *t, size_t i) {
    const struct attention_task *k = t->task;
    const size_t scales = kv_scales_at(k->type, k->head_dim);
    const uint8_t *at = piece_after(t, i, 0), *next = piece_after(t, i, AHEAD);
    struct piece p = {at, at + scales, kv_element_bytes(k->type), next ? next - at : 0};
    if (next) fetch_range(next + scales, kv_groups(k->type, k->head_dim) * BLOCK * sizeof(uint16_t));
    if (!t->widens) return p;
    if (k->type == KV_F32) widen_block(KV_F32, &p, t->width * BLOCK, t->wide);
    if (k->type == KV_F16) widen_block(KV_F16, &p, t->width * BLOCK, t->wide);
    if (k->type == KV_Q8) widen_block(KV_Q8, &p, t->width * BLOCK, t->wide);
    p.elements = (const uint8_t *)t->wide;
    p.element_bytes = sizeof(float);
    return p;
}

/* What the queries [i, i + n) see, from the first begin to the last end. */
static struct range cover(const struct tile *t, size_t i, size_t n) {
    struct range r = t->seen[i];
    for (size_t q = i + 1; q < i + n; q++) r = range_cover(r, t->seen[q]);
    return r;
}
static size_t queries_from(const struct tile *t, size_t i) {
    return t->n - i < QUERIES ? t->n - i : QUERIES;
}

/* Scores of a block's positions for the queries [i, i + n); those that are not seen mean nothing. */
static void score_block(const struct tile *t, const struct piece *keys, size_t b, size_t i, size_t n) {
    const size_t head_dim = t->task->head_dim, group = t->task->type == KV_Q8 ? KV_GROUP : head_dim;
    struct product p = {.factor_step = t->width,
                        .row_bytes = BLOCK * keys->element_bytes,
                        .cols = BLOCK,
                        .ahead = keys->ahead,
                        .out = t->scores + i * STEP + (b * BLOCK - t->first),
                        .out_step = STEP};
    for (size_t d = 0; d < head_dim; d += group) {
        p.factors = t->queries + i * t->width + d;
        p.rows = keys->elements + d * p.row_bytes;
        p.n_rows = head_dim - d < group ? head_dim - d : group;
        p.fresh = d == 0;
        if (t->task->type == KV_Q8) p.scales = (const uint16_t *)(const void *)keys->scales + d;
        t->product(&p, n);
    }
}

/* The weights of a block's positions [seen), with the scales of a group of elements. */
static void scale_weights(const float *weights, size_t n, const uint16_t *scales,
                          float *out /* [n, BLOCK] */) {
    for (size_t j = 0; j < BLOCK; j += VEC) {
        vec scale = vec_bf16(scales + j);
        for (size_t q = 0; q < n; q++)
            vec_store(out + q * BLOCK + j, vec_mul(vec_load(weights + q * STEP + j), scale));
    }
}

/* Adds the values of a block's positions [seen) with their weights, for the queries [i, i + n). */
static void add_rows(const struct tile *t, const struct piece *values, size_t b, struct range seen, size_t i,
                     size_t n) {
    const float *weights = t->scores + i * STEP + (b * BLOCK - t->first);
    float scaled[QUERIES * BLOCK];
    struct product p = {.factors = weights + seen.begin,
                        .factor_step = STEP,
                        .row_bytes = t->width * values->element_bytes,
                        .n_rows = seen.end - seen.begin,
                        .cols = t->width,
                        .ahead = values->ahead,
                        .out_step = t->state_step};
    float *out = t->task->state + i * t->state_step + STATE_VALUES;
    const uint8_t *rows = values->elements + seen.begin * p.row_bytes;
    if (t->task->type != KV_Q8) {
        p.rows = rows;
        p.out = out;
        t->product(&p, n);
        return;
    }
    for (size_t d = 0; d < t->width; d += KV_GROUP) {
        scale_weights(weights, n, (const uint16_t *)(const void *)values->scales + d, scaled);
        p.factors = scaled + seen.begin;
        p.factor_step = BLOCK;
        p.rows = rows + d * values->element_bytes;
        p.cols = t->width - d < KV_GROUP ? t->width - d : KV_GROUP;
        p.out = out + d;
        t->product(&p, n);
    }
}

/* Positions that not all of the queries see, where tokens or a window's begins differ, are added one query at
 * a time: what another one sees is not even multiplied by 0. */
static void add_block(const struct tile *t, const struct piece *values, size_t b, size_t i, size_t n) {
    struct range all = {0, BLOCK}, own[QUERIES];
    for (size_t q = 0; q < n; q++) {
        own[q] = range_inside(t->seen[i + q], b * BLOCK, BLOCK);
        all = range_common(all, own[q]);
    }
    if (range_empty(all)) all = (struct range){BLOCK, BLOCK};
    for (size_t q = 0; q < n; q++) {
        struct range before = range_common(own[q], (struct range){0, all.begin});
        if (!range_empty(before)) add_rows(t, values, b, before, i + q, 1);
    }
    if (!range_empty(all)) add_rows(t, values, b, all, i, n);
    for (size_t q = 0; q < n; q++) {
        struct range after = range_common(own[q], (struct range){all.end, BLOCK});
        if (!range_empty(after)) add_rows(t, values, b, after, i + q, 1);
    }
}

static float exp_one(float x) {
    float all[VEC];
    vec_store(all, vec_exp(vec_all(x)));
    return all[0];
}

/* Multiplies the summed values of a state. */
static void scale_state(float *state, size_t state_len, float by) {
    for (size_t d = STATE_VALUES; d < state_len; d += VEC)
        vec_store(state + d, vec_mul(vec_load(state + d), vec_all(by)));
}

/* Turns a query's scores of the step into exp(score - greatest), 0 where it does not see; its state's sums
 * follow the new greatest. */
static void soften(const struct tile *t, size_t i) {
    struct range seen = range_inside(t->seen[i], t->first, STEP);
    float *scores = t->scores + i * STEP, *state = t->task->state + i * t->state_step;
    if (range_empty(seen)) return;
    size_t begin = seen.begin / BLOCK * BLOCK, end = (seen.end + BLOCK - 1) / BLOCK * BLOCK;
    for (size_t j = begin; j < seen.begin; j++) scores[j] = -INFINITY;
    for (size_t j = seen.end; j < end; j++) scores[j] = -INFINITY;
    vec most = vec_load(scores + begin), sums = vec_zero();
    for (size_t j = begin + VEC; j < end; j += VEC) most = vec_max(most, vec_load(scores + j));
    float was = state[STATE_GREATEST], greatest = vec_greatest(most);
    if (!(greatest > was)) greatest = was;
    for (size_t j = begin; j < end; j += VEC) {
        vec weight = vec_exp(vec_sub(vec_load(scores + j), vec_all(greatest)));
        sums = vec_add(sums, weight);
        vec_store(scores + j, weight);
    }
    float keep = greatest > was ? exp_one(was - greatest) : 1;
    state[STATE_GREATEST] = greatest;
    state[STATE_SUM] = state[STATE_SUM] * keep + vec_total(sums);
    if (greatest > was) scale_state(state, t->state_step, keep);
}

static void attend_step(struct tile *t) {
    const size_t blocks = t->end - t->begin;
    for (size_t b = t->begin; b < t->end; b++) {
        struct piece keys = take_piece(t, b - t->begin);
        for (size_t i = 0; i < t->n; i += QUERIES) {
            size_t n = queries_from(t, i);
            if (!range_empty(range_inside(cover(t, i, n), b * BLOCK, BLOCK))) score_block(t, &keys, b, i, n);
        }
    }
    for (size_t i = 0; i < t->n; i++) soften(t, i);
    for (size_t b = t->begin; b < t->end; b++) {
        struct piece values = take_piece(t, blocks + b - t->begin);
        for (size_t i = 0; i < t->n; i += QUERIES) add_block(t, &values, b, i, queries_from(t, i));
    }
}

static void begin_tile(struct tile *t) {
    const struct attention_task *k = t->task;
    for (size_t i = 0; i < t->n; i++) {
        float *state = k->state + i * t->state_step;
        t->seen[i] = query_range(k, i);
        memcpy(t->queries + i * t->width,
               k->query + i / k->heads * k->query_step + i % k->heads * k->head_dim,
               k->head_dim * sizeof *t->queries);
        memset(state, 0, t->state_step * sizeof *state);
        state[STATE_GREATEST] = -INFINITY;
    }
}

void KERNEL_NAME(attention)(const struct attention_task *task) {
    static product_fn *const products[] = {
        [KV_F32] = product_f32, [KV_F16] = product_f16, [KV_Q8] = product_q8};
    struct tile t = {
        .task = task, .n = (size_t)task->tokens * task->heads, .width = kv_width(task->head_dim)};
    t.state_step = state_step(task->head_dim);
    t.seen = (struct range *)(void *)(task->work);
    t.queries = task->work + t.n * (sizeof *t.seen / sizeof(float));
    t.scores = t.queries + t.n * t.width;
    t.wide = t.scores + t.n * STEP;
    t.widens = t.n > QUERIES;
    t.product = t.widens ? product_wide : products[task->type];
    begin_tile(&t);
    struct range seen = cover(&t, 0, t.n);
    t.seen_end = seen.end;
    for (t.first = seen.begin / STEP * STEP; t.first < seen.end; t.first += STEP) {
        struct range step = range_inside(seen, t.first, STEP);
        bool begins = t.begin == t.end;
        t.begin = (t.first + step.begin) / BLOCK;
        t.end = (t.first + step.end + BLOCK - 1) / BLOCK;
        for (size_t i = 0; begins && i < AHEAD; i++)
            fetch_range(piece_after(&t, 0, i), kv_values_at(task->type, task->head_dim));
        attend_step(&t);
    }
}

/* ---- states ----------------------------------------------------------------------------------------------- */

static void merge_one(float *state, const float *later, size_t len) {
    float a = state[STATE_GREATEST], b = later[STATE_GREATEST], greatest = a > b ? a : b;
    float keep = exp_one(a - greatest), add = exp_one(b - greatest);
    state[STATE_GREATEST] = greatest;
    state[STATE_SUM] = state[STATE_SUM] * keep + later[STATE_SUM] * add;
    scale_state(state, len, keep);
    for (size_t d = STATE_VALUES; d < len; d += VEC)
        vec_store(state + d, vec_fma(vec_load(later + d), vec_all(add), vec_load(state + d)));
}

void KERNEL_NAME(merge)(float *states, const float *later, size_t n, uint32_t head_dim) {
    const size_t step = state_step(head_dim);
    for (; n-- > 0; states += step, later += step) {
        if (later[STATE_SUM] == 0) continue;
        if (states[STATE_SUM] == 0)
            memcpy(states, later, step * sizeof *states);
        else
            merge_one(states, later, step);
    }
}

void KERNEL_NAME(finish)(const float *state, uint32_t head_dim, float *out) {
    vec sum = vec_all(state[STATE_SUM]);
    for (size_t d = 0; d < head_dim; d += VEC) {
        vec result = vec_div(vec_load(state + STATE_VALUES + d), sum);
        if (d + VEC <= head_dim)
            vec_store(out + d, result);
        else
            vec_store_part(out + d, result, head_dim - d);
    }
}
