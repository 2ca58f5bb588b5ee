#if defined(__x86_64__)
#include <immintrin.h>
#include <stdint.h>

#define KERNEL_NAME(name) name##_avx512

typedef float floats __attribute__((vector_size(64)));
typedef int32_t ints __attribute__((vector_size(64)));
enum { LANES = 16 };

static inline floats load(const float *p) {
    return (floats)_mm512_loadu_ps(p);
}
static inline void store(uint8_t *p, ints x) {
    _mm512_storeu_si512((__m512i *)(void *)p, (__m512i)x);
}
static inline floats greater(floats a, floats b) {
    return (floats)_mm512_max_ps((__m512)a, (__m512)b);
}

static inline floats look_up_16(const float *table, ints at) {
    return (floats)_mm512_permutexvar_ps((__m512i)at, _mm512_loadu_ps(table));
}
/* at < 8 */
static inline floats look_up_8(const float *table, ints at) {
    return (floats)_mm512_permutexvar_ps((__m512i)at, _mm512_castps256_ps512(_mm256_loadu_ps(table)));
}

#include "kernel/simd/quantise.h"
#endif
