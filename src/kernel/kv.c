/* Writing to the KV cache: narrowed group by group, then put where a position's elements stand. */
#include "kernel/kv.h"

#include "kernel/half.h"
#include "kernel/polynomial.h"

#include <float.h>
#include <math.h>

/* A group of a key or value as it is kept. */
struct group {
    uint16_t halves[KV_GROUP];
    int8_t bytes[KV_GROUP];
};

/* The least bf16 that 127 times it reaches `greatest`: no int8 is beyond 127. */
static uint16_t scale_for(float greatest) {
    return (uint16_t)((bits_of_float(greatest / 127) + 0xFFFF) >> 16);
}

/* out = x / scale to nearest even; returns the scale, in bf16. */
static uint16_t quantise(const float *x, size_t n, int8_t *out) {
    float greatest = 0;
    bool finite = true;
    for (size_t i = 0; i < n; i++) {
        float a = fabsf(x[i]);
        greatest = a > greatest ? a : greatest;
        finite &= a <= FLT_MAX;
    }
    uint16_t narrow = finite ? scale_for(greatest) : 0x7FC0;
    float scale = float_of_bf16(narrow);
    for (size_t i = 0; i < n; i++) {
        float shifted = (scale > 0 ? x[i] / scale : 0) + EXP_ROUND;
        out[i] = (int8_t)(bits_of_float(shifted) - EXP_ROUND_BITS);
    }
    return narrow;
}

/* Elements `step` apart from `out` on. */
static void put_group(const struct kernel_table *kernels, enum kv_type type, const float *x, size_t n,
                      void *out, size_t step, uint16_t *scale) {
    struct group g;
    if (type == KV_F16) kernels->store_f16(x, n, g.halves);
    if (type == KV_Q8) *scale = quantise(x, n, g.bytes);
    switch (type) {
    case KV_F32:
        for (size_t i = 0; i < n; i++) ((float *)out)[i * step] = x[i];
        break;
    case KV_F16:
        for (size_t i = 0; i < n; i++) ((uint16_t *)out)[i * step] = g.halves[i];
        break;
    case KV_Q8:
        for (size_t i = 0; i < n; i++) ((int8_t *)out)[i * step] = g.bytes[i];
    }
}

void kv_store(const struct kernel_table *kernels, enum kv_type type, uint32_t head_dim, uint32_t slot,
              const float *key, const float *value, uint8_t *head) {
    const size_t size = kv_element_bytes(type), width = kv_width(head_dim);
    uint8_t *values = head + kv_values_at(type, head_dim);
    uint16_t *key_scales = (uint16_t *)(void *)(head + kv_scales_at(type, head_dim)) + slot;
    uint16_t *value_scales = (uint16_t *)(void *)(values + kv_scales_at(type, head_dim)) + slot;
    for (size_t d = 0; d < head_dim; d += KV_GROUP) {
        size_t n = head_dim - d < KV_GROUP ? head_dim - d : KV_GROUP;
        put_group(kernels, type, key + d, n, head + (d * KERNEL_KV_BLOCK + slot) * size, KERNEL_KV_BLOCK,
                  key_scales + d);
        put_group(kernels, type, value + d, n, values + (slot * width + d) * size, 1, value_scales + d);
    }
}
