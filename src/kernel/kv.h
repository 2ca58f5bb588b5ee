/* kv.h - how keys and values lie in a block of the KV cache, for those who write and read them.
 *
 * A block holds KERNEL_KV_BLOCK positions of one KV head after another; of each first the keys, then the
 * values. Keys are transposed, [head_dim, KERNEL_KV_BLOCK], so that a vector is one element of neighbouring
 * positions and no score needs a sum over lanes; values are [KERNEL_KV_BLOCK, kv_width()]. Behind either
 * stand, for q8, the scales in bf16, [groups, KERNEL_KV_BLOCK]: the number is the int8 times the scale. */
#ifndef LR_KERNEL_KV_H
#define LR_KERNEL_KV_H

#include "kernel/kernel.h"

#define KV_GROUP 32u /* elements of a head that share a scale */

static inline size_t kv_element_bytes(enum kv_type type) {
    return type == KV_F32 ? 4 : type == KV_F16 ? 2 : 1;
}
/* Elements of a value with those that fill it up to whole vectors, whose numbers do not matter. */
static inline size_t kv_width(uint32_t head_dim) {
    return ((size_t)head_dim + 15) & ~(size_t)15;
}
static inline size_t kv_groups(enum kv_type type, uint32_t head_dim) {
    return type == KV_Q8 ? ((size_t)head_dim + KV_GROUP - 1) / KV_GROUP : 0;
}
/* Where the scales stand behind the elements of the keys or values. */
static inline size_t kv_scales_at(enum kv_type type, uint32_t head_dim) {
    return kv_width(head_dim) * KERNEL_KV_BLOCK * kv_element_bytes(type);
}
/* Where the values stand behind the keys. */
static inline size_t kv_values_at(enum kv_type type, uint32_t head_dim) {
    return kv_scales_at(type, head_dim) + kv_groups(type, head_dim) * KERNEL_KV_BLOCK * sizeof(uint16_t);
}
/* Of one head in one block. */
static inline size_t kv_head_bytes(enum kv_type type, uint32_t head_dim) {
    return 2 * kv_values_at(type, head_dim);
}

/* Writes a position's key and value, [head_dim] each, into a head's part of a block; `slot`: the position in
 * the block. A group that holds an infinite number or a NaN is all NaN in q8. */
void kv_store(const struct kernel_table *kernels, enum kv_type type, uint32_t head_dim, uint32_t slot,
              const float *key, const float *value, uint8_t *head);

#endif
