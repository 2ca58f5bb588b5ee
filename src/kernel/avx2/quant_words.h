/* quant_words.h - words of whole numbers for kernel/simd/quant_dot.h, in AVX2 and, where the compiler has it,
 * AVX-VNNI. */
#ifndef LR_KERNEL_AVX2_QUANT_WORDS_H
#define LR_KERNEL_AVX2_QUANT_WORDS_H

#include "kernel/avx2/words.h"
#include "kernel/quant.h"

typedef __m256i ivec;
enum { Q8_COLUMNS = 2, Q8_X = 2, Q4_X = 3, Q4_COLUMNS = 2, PANEL_X = 2 };

static inline ivec ivec_zero(void) {
    return _mm256_setzero_si256();
}
static inline ivec ivec_all(int32_t x) {
    return _mm256_set1_epi32(x);
}
static inline ivec ivec_load(const void *p) {
    return _mm256_loadu_si256(p);
}
static inline void ivec_store(void *p, ivec a) {
    _mm256_storeu_si256(p, a);
}
static inline vec ivec_float(ivec a) {
    return _mm256_cvtepi32_ps(a);
}
/* The bits of |a|. */
static inline ivec ivec_magnitude(vec a) {
    return _mm256_and_si256(_mm256_castps_si256(a), _mm256_set1_epi32(0x7FFFFFFF));
}
static inline ivec ivec_max(ivec a, ivec b) {
    return _mm256_max_epu32(a, b);
}
static inline uint32_t ivec_greatest(ivec a) {
    __m128i m = _mm_max_epu32(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1));
    m = _mm_max_epu32(m, _mm_shuffle_epi32(m, 0x4E));
    m = _mm_max_epu32(m, _mm_shuffle_epi32(m, 0xB1));
    return (uint32_t)_mm_cvtsi128_si32(m);
}
/* To the nearest, halves to even. */
static inline ivec ivec_round(vec a) {
    return _mm256_cvtps_epi32(a);
}
/* VEC numbers in [-128, 127]. */
static inline void ivec_store_bytes(int8_t *p, ivec a) {
    __m128i words = _mm_packs_epi32(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1));
    _mm_storel_epi64((void *)p, _mm_packs_epi16(words, words));
}
/* Byte e of each lane, unsigned. */
static inline vec ivec_byte(ivec a, int e) {
    ivec low = _mm256_srl_epi32(a, _mm_cvtsi32_si128(8 * e));
    return _mm256_cvtepi32_ps(_mm256_and_si256(low, _mm256_set1_epi32(255)));
}
/* Quant scales, and whole numbers in a byte each. */
static inline vec vec_scales(const uint16_t *p) {
    __m128i half = _mm_loadu_si128((const void *)p);
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(half), 15));
}
static inline vec vec_bytes(const int8_t *p) {
    return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64((const void *)p)));
}

/* Sums of four products each: of bytes of q8, or of codes of q4, and int8. */
#ifdef __AVXVNNI__
/* Weights have their offset, which the sum's beginning takes away. */
static inline ivec ivec_begin_q8(int32_t bias) {
    return _mm256_set1_epi32(bias);
}
static inline ivec ivec_dot_q8(ivec sum, ivec w, ivec x) {
    return _mm256_dpbusd_avx_epi32(sum, w, x);
}
static inline ivec ivec_dot_q4(ivec sum, ivec w, ivec x) {
    return _mm256_dpbusd_avx_epi32(sum, w, x);
}
#else
/* Two products of bytes with their offset do not fit 16 bits: signs are moved from x to w, and no offset is
 * left. Those of codes fit. */
static inline ivec ivec_begin_q8(int32_t bias) {
    (void)bias;
    return _mm256_setzero_si256();
}
static inline ivec ivec_dot_q4(ivec sum, ivec w, ivec x) {
    __m256i pairs = _mm256_maddubs_epi16(w, x);
    return _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}
static inline ivec ivec_dot_q8(ivec sum, ivec w, ivec x) {
    __m256i q = _mm256_xor_si256(w, _mm256_set1_epi8((char)0x80));
    return ivec_dot_q4(sum, _mm256_abs_epi8(x), _mm256_sign_epi8(q, x));
}
#endif
static inline ivec ivec_codes(ivec nibbles) {
    __m128i one = _mm_add_epi8(_mm_loadu_si128((const void *)quant_codebook), _mm_set1_epi8(QUANT_Q4_OFFSET));
    return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(one), nibbles);
}
static inline ivec ivec_codes_low(ivec line) {
    return ivec_codes(_mm256_and_si256(line, _mm256_set1_epi8(15)));
}
static inline ivec ivec_codes_high(ivec line) {
    return ivec_codes(_mm256_and_si256(_mm256_srli_epi16(line, 4), _mm256_set1_epi8(15)));
}

#endif
