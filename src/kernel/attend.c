#include "kernel/attend.h"

size_t kernel_attention_state(uint32_t head_dim) {
    return state_step(head_dim);
}

/* What queries see, the queries, their scores of a step, and a block of keys or values widened to f32. */
size_t kernel_attention_work(uint32_t head_dim, uint32_t queries) {
    return queries * (sizeof(struct range) / sizeof(float) + kv_width(head_dim) + STEP) +
           KERNEL_KV_BLOCK * kv_width(head_dim);
}
