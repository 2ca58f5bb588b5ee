/* Attention of one query head, in plain C. */
#include <math.h>

#include "kernel/generic/exp.h"
#include "kernel/generic/lanes.h"
#include "kernel/tables.h"

/* Where the running softmax stands: out holds sum(exp(score - max) * value). */
struct running {
    float max, sum;
};

static inline float element(const void *base, size_t i, enum kv_type type) {
    return type == KV_F32 ? ((const float *)base)[i] : float_of_f16(((const uint16_t *)base)[i]);
}

static inline float score(const struct attention_task *t, const void *keys, size_t at, enum kv_type type) {
    float sums[LANES] = {0};
    for (size_t d = 0; d < t->head_dim; d++) sums[d % LANES] += t->query[d] * element(keys, at + d, type);
    return lanes_total(sums);
}

/* Keys [begin, end) of block `b`, positions inside the block. */
static inline void attend_block(const struct attention_task *t, size_t b, size_t begin, size_t end,
                                enum kv_type type, struct running *run) {
    float p[KERNEL_KV_BLOCK], sum = 0, max = run->max;
    for (size_t j = begin; j < end; j++) {
        p[j] = score(t, t->keys[b], j * t->stride, type);
        max = p[j] > max ? p[j] : max;
    }
    for (size_t j = begin; j < end; j++) {
        p[j] = exp_scalar(p[j] - max);
        sum += p[j];
    }
    float keep = exp_scalar(run->max - max);
    *run = (struct running){max, run->sum * keep + sum};
    for (size_t d = 0; d < t->head_dim; d++) t->out[d] *= keep;
    for (size_t j = begin; j < end; j++)
        for (size_t d = 0; d < t->head_dim; d++)
            t->out[d] += p[j] * element(t->values[b], j * t->stride + d, type);
}

static inline void attend(const struct attention_task *t, enum kv_type type) {
    struct running run = {-INFINITY, 0};
    memset(t->out, 0, t->head_dim * sizeof *t->out);
    for (size_t b = t->begin / KERNEL_KV_BLOCK; b * KERNEL_KV_BLOCK < t->end; b++) {
        size_t first = b * KERNEL_KV_BLOCK, last = first + KERNEL_KV_BLOCK;
        size_t begin = t->begin > first ? t->begin - first : 0;
        attend_block(t, b, begin, (t->end < last ? t->end : last) - first, type, &run);
    }
    for (size_t d = 0; d < t->head_dim; d++) t->out[d] /= run.sum;
}

void attention_generic(const struct attention_task *task) {
    if (task->type == KV_F32)
        attend(task, KV_F32);
    else
        attend(task, KV_F16);
}
