/* attention.h - attention of one query head, written in an instruction set's vector words; included once by
 * each. Block by block: 32 scores, their softmax against the running maximum, their values. */
#include <math.h>

#include "kernel/simd/exp.h"
#include "kernel/simd/total.h"
#include "kernel/tables.h"

#define ALWAYS_INLINE inline __attribute__((always_inline))

enum { BLOCK = KERNEL_KV_BLOCK, WIDE = 8 /* vectors of the output that are summed at once */ };

/* Where the running softmax stands: out holds sum(exp(score - max) * value). */
struct running {
    float max, sum;
};

static ALWAYS_INLINE size_t kv_size(enum kv_type type) {
    return type == KV_F32 ? 4 : 2;
}
static ALWAYS_INLINE vec kv_load(enum kv_type type, const char *p) {
    return type == KV_F32 ? vec_load(p) : vec_f16(p);
}
static ALWAYS_INLINE vec kv_load_part(enum kv_type type, const char *p, size_t n) {
    return type == KV_F32 ? vec_load_part(p, n) : vec_f16_part(p, n);
}

/* Scores of `n` keys, `step` bytes apart; n is a constant where it is inlined. */
static ALWAYS_INLINE void score_keys(const struct attention_task *t, enum kv_type type, const char *keys,
                                     size_t step, const int n, float *out) {
    size_t d = 0, size = kv_size(type);
    vec sums[4] = {vec_zero(), vec_zero(), vec_zero(), vec_zero()};
    for (; d + VEC <= t->head_dim; d += VEC) {
        vec q = vec_load(t->query + d);
        for (int j = 0; j < n; j++)
            sums[j] = vec_fma(q, kv_load(type, keys + (size_t)j * step + d * size), sums[j]);
    }
    if (d < t->head_dim) {
        vec q = vec_load_part(t->query + d, t->head_dim - d);
        for (int j = 0; j < n; j++)
            sums[j] =
                vec_fma(q, kv_load_part(type, keys + (size_t)j * step + d * size, t->head_dim - d), sums[j]);
    }
    float total[4];
    quad_store(total, vec_total4(sums[0], sums[1], sums[2], sums[3]));
    for (int j = 0; j < n; j++) out[j] = total[j];
}

/* Scores of the keys [begin, end) of a block; the others are minus infinity. */
static ALWAYS_INLINE void score_block(const struct attention_task *t, enum kv_type type, const char *keys,
                                      size_t begin, size_t end, float scores[BLOCK]) {
    size_t step = t->stride * kv_size(type), j = begin;
    for (size_t i = 0; i < BLOCK; i += VEC) vec_store(scores + i, vec_all(-INFINITY));
    for (; j + 4 <= end; j += 4) score_keys(t, type, keys + j * step, step, 4, scores + j);
    for (; j < end; j++) score_keys(t, type, keys + j * step, step, 1, scores + j);
}

/* Turns scores into exp(score - max) for the new maximum; returns what sums so far are multiplied by. */
static inline float soften(float scores[BLOCK], struct running *run) {
    vec greatest = vec_load(scores), sums = vec_zero();
    for (size_t i = VEC; i < BLOCK; i += VEC) greatest = vec_max(greatest, vec_load(scores + i));
    float max = vec_greatest(greatest), keep;
    if (!(max > run->max)) max = run->max;
    for (size_t i = 0; i < BLOCK; i += VEC) {
        vec p = vec_exp(vec_sub(vec_load(scores + i), vec_all(max)));
        sums = vec_add(sums, p);
        vec_store(scores + i, p);
    }
    float first[VEC];
    vec_store(first, vec_exp(vec_all(run->max - max)));
    keep = first[0];
    *run = (struct running){max, run->sum * keep + vec_total(sums)};
    return keep;
}

/* out = out * keep + sum of p[j] * value j, for `wide` vectors of the head; a constant where inlined. */
static ALWAYS_INLINE void add_values(const struct attention_task *t, enum kv_type type, const char *values,
                                     size_t begin, size_t end, const float *p, float keep, const int wide,
                                     float *out) {
    size_t step = t->stride * kv_size(type), across = VEC * kv_size(type);
    vec sums[WIDE];
    for (int i = 0; i < wide; i++) sums[i] = vec_mul(vec_load(out + i * VEC), vec_all(keep));
    for (size_t j = begin; j < end; j++) {
        vec pj = vec_all(p[j]);
        for (int i = 0; i < wide; i++)
            sums[i] = vec_fma(pj, kv_load(type, values + j * step + (size_t)i * across), sums[i]);
    }
    for (int i = 0; i < wide; i++) vec_store(out + i * VEC, sums[i]);
}

static ALWAYS_INLINE void add_values_part(const struct attention_task *t, enum kv_type type,
                                          const char *values, size_t begin, size_t end, const float *p,
                                          float keep, size_t n, float *out) {
    size_t step = t->stride * kv_size(type);
    vec sum = vec_mul(vec_load_part(out, n), vec_all(keep));
    for (size_t j = begin; j < end; j++)
        sum = vec_fma(vec_all(p[j]), kv_load_part(type, values + j * step, n), sum);
    vec_store_part(out, sum, n);
}

static ALWAYS_INLINE void add_block(const struct attention_task *t, enum kv_type type, const char *values,
                                    size_t begin, size_t end, const float *p, float keep) {
    size_t d = 0, size = kv_size(type), n = t->head_dim;
    for (; d + WIDE * VEC <= n; d += WIDE * VEC)
        add_values(t, type, values + d * size, begin, end, p, keep, WIDE, t->out + d);
    for (; d + 4 * VEC <= n; d += 4 * VEC)
        add_values(t, type, values + d * size, begin, end, p, keep, 4, t->out + d);
    for (; d + VEC <= n; d += VEC) add_values(t, type, values + d * size, begin, end, p, keep, 1, t->out + d);
    if (d < n) add_values_part(t, type, values + d * size, begin, end, p, keep, n - d, t->out + d);
}

static ALWAYS_INLINE void attend(const struct attention_task *t, enum kv_type type) {
    struct running run = {-INFINITY, 0};
    float scores[BLOCK];
    memset(t->out, 0, t->head_dim * sizeof *t->out);
    for (size_t b = t->begin / BLOCK; b * BLOCK < t->end; b++) {
        size_t first = b * BLOCK, begin = t->begin > first ? t->begin - first : 0;
        size_t end = t->end < first + BLOCK ? t->end - first : BLOCK;
        score_block(t, type, t->keys[b], begin, end, scores);
        float keep = soften(scores, &run);
        add_block(t, type, t->values[b], begin, end, scores, keep);
    }
    for (size_t d = 0; d < t->head_dim; d++) t->out[d] /= run.sum;
}

void KERNEL_NAME(attention)(const struct attention_task *task) {
    if (task->type == KV_F32)
        attend(task, KV_F32);
    else
        attend(task, KV_F16);
}
