/* lanes.h - sums over LANES running sums, then a fixed tree: the one order of additions of the scalar
 * kernels. Element k goes to running sum k mod LANES. */
#ifndef LR_KERNEL_GENERIC_LANES_H
#define LR_KERNEL_GENERIC_LANES_H

#include <stddef.h>

enum { LANES = 16 };

/* sums[i mod LANES] += a[i] * b[i]. */
static inline void lanes_dot(float sums[LANES], const float *a, const float *b, size_t n) {
    size_t k = 0;
    for (; k + LANES <= n; k += LANES)
        for (int i = 0; i < LANES; i++) sums[i] += a[k + (size_t)i] * b[k + (size_t)i];
    for (size_t i = 0; k + i < n; i++) sums[i] += a[k + i] * b[k + i];
}

static inline float lanes_total(float sums[LANES]) {
    for (int half = LANES / 2; half > 0; half /= 2)
        for (int i = 0; i < half; i++) sums[i] += sums[i + half];
    return sums[0];
}

#endif
