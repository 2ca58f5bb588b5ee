#if defined(__x86_64__)
#include <immintrin.h>
#include <stdint.h>

#define KERNEL_NAME(name) name##_avx2

typedef float floats __attribute__((vector_size(32)));
typedef int32_t ints __attribute__((vector_size(32)));
typedef uint32_t uints __attribute__((vector_size(32)));
typedef int16_t shorts __attribute__((vector_size(32)));
typedef int8_t bytes __attribute__((vector_size(32)));
enum { LANES = 8 };

static inline floats load_rows(const float *x, size_t ld) {
    return (floats)_mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(x)), _mm_loadu_ps(x + 4 * ld), 1);
}
static inline void store(uint8_t *p, ints x) {
    _mm256_storeu_si256((__m256i *)(void *)p, (__m256i)x);
}
static inline floats low_floats(floats a, floats b) {
    return (floats)_mm256_unpacklo_ps((__m256)a, (__m256)b);
}
static inline floats high_floats(floats a, floats b) {
    return (floats)_mm256_unpackhi_ps((__m256)a, (__m256)b);
}
static inline floats low_pairs(floats a, floats b) {
    return (floats)_mm256_unpacklo_pd((__m256d)a, (__m256d)b);
}
static inline floats high_pairs(floats a, floats b) {
    return (floats)_mm256_unpackhi_pd((__m256d)a, (__m256d)b);
}
static inline ints greatest(ints a, ints b) {
    return (ints)_mm256_max_epi32((__m256i)a, (__m256i)b);
}

static inline shorts high_product(shorts a, shorts b) {
    return (shorts)_mm256_mulhi_epi16((__m256i)a, (__m256i)b);
}
static inline bytes narrow(shorts a, shorts b) {
    return (bytes)_mm256_packs_epi16((__m256i)a, (__m256i)b);
}
static inline shorts spread_low(bytes a) {
    return (shorts)_mm256_unpacklo_epi8(_mm256_setzero_si256(), (__m256i)a);
}
static inline shorts spread_high(bytes a) {
    return (shorts)_mm256_unpackhi_epi8(_mm256_setzero_si256(), (__m256i)a);
}
static inline ints add_products(shorts a, shorts b, ints sum) {
    return (ints)_mm256_add_epi32((__m256i)sum, _mm256_madd_epi16((__m256i)a, (__m256i)b));
}

static inline __m256i in_quarters(const int8_t *p) {
    return _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)p));
}
static inline bytes look_up(const int8_t *table, bytes at) {
    return (bytes)_mm256_shuffle_epi8(in_quarters(table), (__m256i)at);
}
static inline bytes in_order(bytes a) {
    static const int8_t order[16] = {0, 1, 8, 9, 2, 3, 10, 11, 4, 5, 12, 13, 6, 7, 14, 15};
    return (bytes)_mm256_shuffle_epi8((__m256i)a, in_quarters(order));
}
static inline bytes count_above(bytes a, bytes b, bytes c) {
    return (bytes)_mm256_sub_epi8((__m256i)a, _mm256_cmpgt_epi8((__m256i)b, (__m256i)c));
}

#define BYTES_LOOKED_UP
#include "kernel/simd/quantise.h"
#endif
