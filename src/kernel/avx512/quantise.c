#if defined(__x86_64__)
#include <immintrin.h>
#include <stdint.h>

#define KERNEL_NAME(name) name##_avx512

typedef float floats __attribute__((vector_size(64)));
typedef int32_t ints __attribute__((vector_size(64)));
typedef uint32_t uints __attribute__((vector_size(64)));
typedef int16_t shorts __attribute__((vector_size(64)));
typedef int8_t bytes __attribute__((vector_size(64)));
enum { LANES = 16 };

static inline floats load_rows(const float *x, size_t ld) {
    __m512 a = _mm512_castps128_ps512(_mm_loadu_ps(x));
    a = _mm512_insertf32x4(a, _mm_loadu_ps(x + 4 * ld), 1);
    a = _mm512_insertf32x4(a, _mm_loadu_ps(x + 8 * ld), 2);
    return (floats)_mm512_insertf32x4(a, _mm_loadu_ps(x + 12 * ld), 3);
}
static inline void store(uint8_t *p, ints x) {
    _mm512_storeu_si512((__m512i *)(void *)p, (__m512i)x);
}
static inline floats low_floats(floats a, floats b) {
    return (floats)_mm512_unpacklo_ps((__m512)a, (__m512)b);
}
static inline floats high_floats(floats a, floats b) {
    return (floats)_mm512_unpackhi_ps((__m512)a, (__m512)b);
}
static inline floats low_pairs(floats a, floats b) {
    return (floats)_mm512_unpacklo_pd((__m512d)a, (__m512d)b);
}
static inline floats high_pairs(floats a, floats b) {
    return (floats)_mm512_unpackhi_pd((__m512d)a, (__m512d)b);
}
static inline ints greatest(ints a, ints b) {
    return (ints)_mm512_max_epi32((__m512i)a, (__m512i)b);
}

static inline shorts high_product(shorts a, shorts b) {
    return (shorts)_mm512_mulhi_epi16((__m512i)a, (__m512i)b);
}
static inline bytes narrow(shorts a, shorts b) {
    return (bytes)_mm512_packs_epi16((__m512i)a, (__m512i)b);
}
static inline shorts spread_low(bytes a) {
    return (shorts)_mm512_unpacklo_epi8(_mm512_setzero_si512(), (__m512i)a);
}
static inline shorts spread_high(bytes a) {
    return (shorts)_mm512_unpackhi_epi8(_mm512_setzero_si512(), (__m512i)a);
}
static inline ints add_products(shorts a, shorts b, ints sum) {
    return (ints)_mm512_add_epi32((__m512i)sum, _mm512_madd_epi16((__m512i)a, (__m512i)b));
}

static inline __m512i in_quarters(const int8_t *p) {
    return _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)(const void *)p));
}
static inline bytes look_up(const int8_t *table, bytes at) {
    return (bytes)_mm512_shuffle_epi8(in_quarters(table), (__m512i)at);
}
static inline bytes in_order(bytes a) {
    static const int8_t order[16] = {0, 1, 8, 9, 2, 3, 10, 11, 4, 5, 12, 13, 6, 7, 14, 15};
    return (bytes)_mm512_shuffle_epi8((__m512i)a, in_quarters(order));
}
static inline bytes count_above(bytes a, bytes b, bytes c) {
    __mmask64 above = _mm512_cmpgt_epi8_mask((__m512i)b, (__m512i)c);
    return (bytes)_mm512_mask_sub_epi8((__m512i)a, above, (__m512i)a, _mm512_set1_epi8(-1));
}

#define BYTES_LOOKED_UP
#include "kernel/simd/quantise.h"
#endif
