#if defined(__x86_64__)
#include <immintrin.h>
#include <stdint.h>

#define KERNEL_NAME(name) name##_avx2

typedef float floats __attribute__((vector_size(32)));
typedef int32_t ints __attribute__((vector_size(32)));
enum { LANES = 8 };

static inline floats load(const float *p) {
    return (floats)_mm256_loadu_ps(p);
}
static inline void store(uint8_t *p, ints x) {
    _mm256_storeu_si256((__m256i *)(void *)p, (__m256i)x);
}
static inline floats greater(floats a, floats b) {
    return (floats)_mm256_max_ps((__m256)a, (__m256)b);
}

/* Only the three low bits of `at` count. */
static inline floats look_up_8(const float *table, ints at) {
    return (floats)_mm256_permutevar8x32_ps(_mm256_loadu_ps(table), (__m256i)at);
}
static inline floats look_up_16(const float *table, ints at) {
    ints high = at > 7;
    return (floats)_mm256_blendv_ps((__m256)look_up_8(table, at), (__m256)look_up_8(table + 8, at),
                                    (__m256)high);
}

#include "kernel/simd/quantise.h"
#endif
