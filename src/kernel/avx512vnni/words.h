/* words.h - words of whole numbers for kernel/simd/quant_dot.h, in AVX-512 VNNI. */
#ifndef LR_KERNEL_AVX512VNNI_WORDS_H
#define LR_KERNEL_AVX512VNNI_WORDS_H

#include "kernel/avx512/words.h"
#include "kernel/quant.h"

#undef KERNEL_NAME
#define KERNEL_NAME(name) name##_avx512vnni

typedef __m512i ivec;
enum { Q8_COLUMNS = 2, Q8_X = 6, Q4_X = 8, Q4_COLUMNS = 2, PANEL_X = 4 };

static inline ivec ivec_zero(void) {
    return _mm512_setzero_si512();
}
static inline ivec ivec_all(int32_t x) {
    return _mm512_set1_epi32(x);
}
static inline ivec ivec_load(const void *p) {
    return _mm512_loadu_si512(p);
}
static inline void ivec_store(void *p, ivec a) {
    _mm512_storeu_si512(p, a);
}
static inline vec ivec_float(ivec a) {
    return _mm512_cvtepi32_ps(a);
}
/* The bits of |a|. */
static inline ivec ivec_magnitude(vec a) {
    return _mm512_and_si512(_mm512_castps_si512(a), _mm512_set1_epi32(0x7FFFFFFF));
}
static inline ivec ivec_max(ivec a, ivec b) {
    return _mm512_max_epu32(a, b);
}
static inline uint32_t ivec_greatest(ivec a) {
    return _mm512_reduce_max_epu32(a);
}
/* To the nearest, halves to even. */
static inline ivec ivec_round(vec a) {
    return _mm512_cvtps_epi32(a);
}
/* VEC numbers in [-128, 127]. */
static inline void ivec_store_bytes(int8_t *p, ivec a) {
    _mm_storeu_si128((void *)p, _mm512_cvtepi32_epi8(a));
}
/* Byte e of each lane, unsigned. */
static inline vec ivec_byte(ivec a, int e) {
    ivec low = _mm512_srl_epi32(a, _mm_cvtsi32_si128(8 * e));
    return _mm512_cvtepi32_ps(_mm512_and_si512(low, _mm512_set1_epi32(255)));
}
/* Quant scales, and whole numbers in a byte each. */
static inline vec vec_scales(const uint16_t *p) {
    __m256i half = _mm256_loadu_si256((const void *)p);
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 15));
}
static inline vec vec_bytes(const int8_t *p) {
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const void *)p)));
}

/* Sums of four products each: of bytes of q8, or of codes of q4, and int8. Weights have their offset, which
 * the sum's beginning takes away. */
static inline ivec ivec_begin_q8(int32_t bias) {
    return _mm512_set1_epi32(bias);
}
static inline ivec ivec_dot_q8(ivec sum, ivec w, ivec x) {
    return _mm512_dpbusd_epi32(sum, w, x);
}
static inline ivec ivec_dot_q4(ivec sum, ivec w, ivec x) {
    return _mm512_dpbusd_epi32(sum, w, x);
}
static inline ivec ivec_codes(ivec nibbles) {
    __m128i one = _mm_add_epi8(_mm_loadu_si128((const void *)quant_codebook), _mm_set1_epi8(QUANT_Q4_OFFSET));
    return _mm512_shuffle_epi8(_mm512_broadcast_i32x4(one), nibbles);
}
static inline ivec ivec_codes_low(ivec line) {
    return ivec_codes(_mm512_and_si512(line, _mm512_set1_epi8(15)));
}
static inline ivec ivec_codes_high(ivec line) {
    return ivec_codes(_mm512_and_si512(_mm512_srli_epi16(line, 4), _mm512_set1_epi8(15)));
}

#endif
