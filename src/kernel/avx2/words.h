/* words.h - the vector words of AVX2 with FMA and F16C that the kernels in kernel/simd/ are written in: 8 f32
 * each. */
#ifndef LR_KERNEL_AVX2_WORDS_H
#define LR_KERNEL_AVX2_WORDS_H

#include "kernel/avx2/quad.h"

#include <immintrin.h>
#include <stdbool.h>
#include <string.h>

#define KERNEL_NAME(name) name##_avx2

typedef __m256 vec;
enum {
    VEC = 8,
    /* Tiles that fill the 16 registers: weight rows times activations. */
    TILE_ROWS = 3,
    TILE_X = 4,
    /* One activation: rows at once, as one row's sums would wait for each other, and how far ahead lines are
     * fetched. */
    DECODE_ROWS = 2,
    DECODE_AHEAD = 16384,
    /* Attention: queries that two vectors of keys or values are taken for at once. */
    QUERIES = 6
};

/* The first n < VEC lanes. */
static inline __m256i vec_mask(size_t n) {
    const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), lane);
}
/* The first n < VEC 16-bit elements, then zeros. */
static inline __m128i vec_half_part(const void *p, size_t n) {
    __m128i half = _mm_setzero_si128();
    memcpy(&half, p, n * 2);
    return half;
}

static inline vec vec_zero(void) {
    return _mm256_setzero_ps();
}
static inline vec vec_all(float x) {
    return _mm256_set1_ps(x);
}
static inline vec vec_load(const void *p) {
    return _mm256_loadu_ps(p);
}
static inline vec vec_load_part(const void *p, size_t n) {
    return _mm256_maskload_ps(p, vec_mask(n));
}
static inline void vec_store(float *p, vec a) {
    _mm256_storeu_ps(p, a);
}
static inline void vec_store_part(float *p, vec a, size_t n) {
    _mm256_maskstore_ps(p, vec_mask(n), a);
}

static inline vec vec_f16(const void *p) {
    return _mm256_cvtph_ps(_mm_loadu_si128(p));
}
static inline vec vec_f16_part(const void *p, size_t n) {
    return _mm256_cvtph_ps(vec_half_part(p, n));
}
static inline vec vec_widen_bf16(__m128i half) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(half), 16));
}
static inline vec vec_bf16(const void *p) {
    return vec_widen_bf16(_mm_loadu_si128(p));
}
static inline vec vec_bf16_part(const void *p, size_t n) {
    return vec_widen_bf16(vec_half_part(p, n));
}
/* fp8: e4m3 as its bits stand in the exponent and fraction of an f32, which makes it smaller by E4M3_FOLD,
 * and a number of its NaN (measured: twice as fast as through f16); e5m2 as the upper half of an f16. */
#define E4M3_FOLD 0x1p120f
enum { E4M3_KEEPS_NAN = 0 };
/* Of each byte without its sign, the greatest of 32 so far and of the 64 at p. */
typedef __m256i vec_most;
static inline vec_most vec_most_of(vec_most most, const void *p) {
    const __m256i sign = _mm256_set1_epi8((char)0x80);
    const __m256i *b = p;
    most = _mm256_max_epu8(most, _mm256_or_si256(_mm256_loadu_si256(b), sign));
    return _mm256_max_epu8(most, _mm256_or_si256(_mm256_loadu_si256(b + 1), sign));
}
static inline bool vec_most_is_nan(vec_most most) {
    return _mm256_movemask_epi8(_mm256_cmpeq_epi8(most, _mm256_set1_epi8((char)0xFF))) != 0;
}
static inline vec vec_e4m3(const void *p) {
    __m256i wide = _mm256_slli_epi32(_mm256_cvtepi8_epi32(_mm_loadl_epi64(p)), 20); /* bits 27-30: signs */
    return _mm256_castsi256_ps(_mm256_and_si256(wide, _mm256_set1_epi32((int)0x87F00000)));
}
static inline vec vec_e5m2(const void *p) {
    return _mm256_cvtph_ps(_mm_unpacklo_epi8(_mm_setzero_si128(), _mm_loadl_epi64(p)));
}
/* int8 elements. */
static inline vec vec_i8(const void *p) {
    return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(p)));
}
static inline void vec_store_f16(void *p, vec a) {
    _mm_storeu_si128(p, _mm256_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}
static inline void vec_store_f16_part(void *p, vec a, size_t n) {
    __m128i half = _mm256_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    memcpy(p, &half, n * 2);
}

static inline vec vec_add(vec a, vec b) {
    return _mm256_add_ps(a, b);
}
static inline vec vec_sub(vec a, vec b) {
    return _mm256_sub_ps(a, b);
}
static inline vec vec_mul(vec a, vec b) {
    return _mm256_mul_ps(a, b);
}
static inline vec vec_div(vec a, vec b) {
    return _mm256_div_ps(a, b);
}
/* a * b + c */
static inline vec vec_fma(vec a, vec b, vec c) {
    return _mm256_fmadd_ps(a, b, c);
}
/* c - a * b */
static inline vec vec_fnma(vec a, vec b, vec c) {
    return _mm256_fnmadd_ps(a, b, c);
}
/* The greater and the lesser; b where either is NaN. */
static inline vec vec_max(vec a, vec b) {
    return _mm256_max_ps(a, b);
}
static inline vec vec_min(vec a, vec b) {
    return _mm256_min_ps(a, b);
}
static inline vec vec_abs(vec a) {
    return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a);
}
/* yes where a < 0, else no */
static inline vec vec_if_negative(vec a, vec yes, vec no) {
    return _mm256_blendv_ps(no, yes, _mm256_cmp_ps(a, _mm256_setzero_ps(), _CMP_LT_OQ));
}
/* 2^n for -127 < n < 128. */
static inline vec vec_power(__m256i n) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(n, _mm256_set1_epi32(127)), 23));
}
/* y * 2^n for whole n, where `shifted` is n + EXP_ROUND: in two halves, as n may lie outside what one
 * exponent holds. */
static inline vec vec_scale(vec y, vec n, vec shifted) {
    (void)n;
    __m256i whole = _mm256_sub_epi32(_mm256_castps_si256(shifted), _mm256_set1_epi32(0x4B400000));
    __m256i half = _mm256_srai_epi32(whole, 1);
    return vec_mul(vec_mul(y, vec_power(half)), vec_power(_mm256_sub_epi32(whole, half)));
}

/* Lanes 0-3 + 4-7: the upper level of the tree of vec_total4(). */
static inline quad vec_fold(vec a) {
    return _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
}

static inline float vec_greatest(vec a) {
    __m128 c = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    c = _mm_max_ps(c, _mm_movehl_ps(c, c));
    return _mm_cvtss_f32(_mm_max_ss(c, _mm_movehdup_ps(c)));
}

#endif
