/* checked.h - arithmetic on sizes that come from outside. Each returns nonzero on overflow (the result is
 * then unspecified), so that a chain reads `if (lr_mul_u64(a, b, &n) || lr_add_u64(n, c, &n)) return
 * lr_fail(...)`. */
#ifndef LR_BASE_CHECKED_H
#define LR_BASE_CHECKED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline bool lr_mul_size(size_t a, size_t b, size_t *out) {
    return __builtin_mul_overflow(a, b, out);
}
static inline bool lr_add_size(size_t a, size_t b, size_t *out) {
    return __builtin_add_overflow(a, b, out);
}
static inline bool lr_mul_u64(uint64_t a, uint64_t b, uint64_t *out) {
    return __builtin_mul_overflow(a, b, out);
}
static inline bool lr_add_u64(uint64_t a, uint64_t b, uint64_t *out) {
    return __builtin_add_overflow(a, b, out);
}

/* `n` rounded up to a multiple of `to`, a power of two. */
static inline bool lr_round_up_u64(uint64_t n, uint64_t to, uint64_t *out) {
    if (lr_add_u64(n, to - 1, &n)) return true;
    *out = n & ~(to - 1);
    return false;
}

#endif
