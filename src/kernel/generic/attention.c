/* Attention in plain C: one query after the other, block by block. */
#include <math.h>

#include "kernel/attend.h"
#include "kernel/generic/exp.h"
#include "kernel/tables.h"

enum { BLOCK = KERNEL_KV_BLOCK };

/* `n` elements of a block's keys or values from element `at` on; f32 where they are. */
static inline const float *widened(enum kv_type type, const uint8_t *base, size_t at, size_t n, float *out) {
    if (type == KV_F32) return (const float *)(const void *)base + at;
    for (size_t i = 0; i < n; i++)
        out[i] = type == KV_F16 ? float_of_f16(((const uint16_t *)(const void *)base)[at + i])
                                : (float)((const int8_t *)base)[at + i];
    return out;
}

static inline const uint16_t *scales_of(enum kv_type type, uint32_t head_dim, const uint8_t *base, size_t d) {
    return (const uint16_t *)(const void *)(base + kv_scales_at(type, head_dim)) + d / KV_GROUP * BLOCK;
}

/* Scores of all positions of a block; those that are not seen mean nothing. */
static inline void score_block(const struct attention_task *t, enum kv_type type, const uint8_t *keys,
                               const float *query, float scores[BLOCK]) {
    float sums[BLOCK], row[BLOCK];
    for (size_t j = 0; j < BLOCK; j++) scores[j] = 0;
    for (size_t d = 0; d < t->head_dim; d += KV_GROUP) {
        size_t end = t->head_dim - d < KV_GROUP ? t->head_dim : d + KV_GROUP;
        for (size_t j = 0; j < BLOCK; j++) sums[j] = 0;
        for (size_t e = d; e < end; e++) {
            const float *key = widened(type, keys, e * BLOCK, BLOCK, row);
            for (size_t j = 0; j < BLOCK; j++) sums[j] += query[e] * key[j];
        }
        const uint16_t *scales = scales_of(type, t->head_dim, keys, d);
        for (size_t j = 0; j < BLOCK; j++)
            scores[j] += type == KV_Q8 ? sums[j] * float_of_bf16(scales[j]) : sums[j];
    }
}

/* Turns the scores of `seen` into exp(score - greatest); the state's sums follow the new greatest. */
static inline void soften(float *scores, struct range seen, float *state, size_t width) {
    float greatest = state[STATE_GREATEST], sum = 0;
    for (size_t j = seen.begin; j < seen.end; j++) greatest = scores[j] > greatest ? scores[j] : greatest;
    for (size_t j = seen.begin; j < seen.end; j++) {
        scores[j] = exp_scalar(scores[j] - greatest);
        sum += scores[j];
    }
    float keep = exp_scalar(state[STATE_GREATEST] - greatest);
    state[STATE_SUM] = state[STATE_SUM] * keep + sum;
    state[STATE_GREATEST] = greatest;
    for (size_t d = 0; d < width; d++) state[STATE_VALUES + d] *= keep;
}

static inline void add_values(const struct attention_task *t, enum kv_type type, const uint8_t *values,
                              const float *p, struct range seen, float *out) {
    float row[KV_GROUP];
    for (size_t j = seen.begin; j < seen.end; j++)
        for (size_t d = 0; d < t->head_dim; d += KV_GROUP) {
            size_t n = t->head_dim - d < KV_GROUP ? t->head_dim - d : KV_GROUP;
            const float *value = widened(type, values, j * kv_width(t->head_dim) + d, n, row);
            float weight = p[j];
            if (type == KV_Q8) weight *= float_of_bf16(scales_of(type, t->head_dim, values, d)[j]);
            for (size_t i = 0; i < n; i++) out[d + i] += weight * value[i];
        }
}

static inline void attend(const struct attention_task *t, enum kv_type type, size_t i) {
    struct range seen = query_range(t, i);
    float *state = t->state + i * state_step(t->head_dim), scores[BLOCK];
    const float *query = t->query + i / t->heads * t->query_step + i % t->heads * t->head_dim;
    memset(state, 0, state_step(t->head_dim) * sizeof *state);
    state[STATE_GREATEST] = -INFINITY;
    if (range_empty(seen)) return;
    for (size_t b = seen.begin / BLOCK; b * BLOCK < seen.end; b++) {
        const uint8_t *keys = t->blocks[b] + t->offset;
        struct range inside = range_inside(seen, b * BLOCK, BLOCK);
        score_block(t, type, keys, query, scores);
        soften(scores, inside, state, t->head_dim);
        add_values(t, type, keys + kv_values_at(type, t->head_dim), scores, inside, state + STATE_VALUES);
    }
}

void attention_generic(const struct attention_task *t) {
    for (size_t i = 0; i < (size_t)t->tokens * t->heads; i++) {
        if (t->type == KV_F32) attend(t, KV_F32, i);
        if (t->type == KV_F16) attend(t, KV_F16, i);
        if (t->type == KV_Q8) attend(t, KV_Q8, i);
    }
}

void merge_generic(float *states, const float *later, size_t n, uint32_t head_dim) {
    const size_t step = state_step(head_dim);
    for (; n-- > 0; states += step, later += step) {
        if (later[STATE_SUM] == 0) continue;
        if (states[STATE_SUM] == 0) {
            memcpy(states, later, step * sizeof *states);
            continue;
        }
        float a = states[STATE_GREATEST], b = later[STATE_GREATEST], greatest = a > b ? a : b;
        float keep = exp_scalar(a - greatest), add = exp_scalar(b - greatest);
        states[STATE_GREATEST] = greatest;
        states[STATE_SUM] = states[STATE_SUM] * keep + later[STATE_SUM] * add;
        for (size_t d = STATE_VALUES; d < step; d++) states[d] = states[d] * keep + later[d] * add;
    }
}

void finish_generic(const float *state, uint32_t head_dim, float *out) {
    for (size_t d = 0; d < head_dim; d++) out[d] = state[STATE_VALUES + d] / state[STATE_SUM];
}
