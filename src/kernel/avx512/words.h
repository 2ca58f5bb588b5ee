/* words.h - the vector words of AVX-512 that the kernels in kernel/simd/ are written in: 16 f32 each. */
#ifndef LR_KERNEL_AVX512_WORDS_H
#define LR_KERNEL_AVX512_WORDS_H

#include "kernel/avx2/quad.h"

#include <immintrin.h>
#include <stdbool.h>

#define KERNEL_NAME(name) name##_avx512

typedef __m512 vec;
enum {
    VEC = 16,
    /* Tiles that fill the 32 registers: weight rows times activations. */
    TILE_ROWS = 4,
    TILE_X = 6,
    /* One activation: rows at once, and how far ahead lines are fetched. */
    DECODE_ROWS = 1,
    DECODE_AHEAD = 4096,
    /* Attention: queries that two vectors of keys or values are taken for at once. */
    QUERIES = 8
};

/* The first n < VEC lanes. */
static inline __mmask16 vec_mask(size_t n) {
    return (__mmask16)((1u << n) - 1);
}

static inline vec vec_zero(void) {
    return _mm512_setzero_ps();
}
static inline vec vec_all(float x) {
    return _mm512_set1_ps(x);
}
static inline vec vec_load(const void *p) {
    return _mm512_loadu_ps(p);
}
static inline vec vec_load_part(const void *p, size_t n) {
    return _mm512_maskz_loadu_ps(vec_mask(n), p);
}
static inline void vec_store(float *p, vec a) {
    _mm512_storeu_ps(p, a);
}
static inline void vec_store_part(float *p, vec a, size_t n) {
    _mm512_mask_storeu_ps(p, vec_mask(n), a);
}

static inline vec vec_f16(const void *p) {
    return _mm512_cvtph_ps(_mm256_loadu_si256(p));
}
static inline vec vec_f16_part(const void *p, size_t n) {
    return _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(vec_mask(n), p));
}
static inline vec vec_widen_bf16(__m256i half) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16));
}
static inline vec vec_bf16(const void *p) {
    return vec_widen_bf16(_mm256_loadu_si256(p));
}
static inline vec vec_bf16_part(const void *p, size_t n) {
    return vec_widen_bf16(_mm256_maskz_loadu_epi16(vec_mask(n), p));
}
/* fp8 elements through the f16 that kernel/half.h describes; e4m3 smaller by E4M3_FOLD. */
#define E4M3_FOLD 256.0f
enum { E4M3_KEEPS_NAN = 1 };
typedef unsigned char vec_most; /* not looked at */
static inline vec_most vec_most_of(vec_most most, const void *p) {
    (void)p;
    return most;
}
static inline bool vec_most_is_nan(vec_most most) {
    return most > 0;
}
static inline vec vec_e4m3(const void *p) {
    __m256i half =
        _mm256_slli_epi16(_mm256_cvtepi8_epi16(_mm_loadu_si128(p)), 7); /* bit 14: the sign again */
    __m256i next = _mm256_add_epi16(half, _mm256_set1_epi16(0x80));
    /* half ^ (next & 0x4000) */
    return _mm512_cvtph_ps(_mm256_ternarylogic_epi32(half, next, _mm256_set1_epi16(0x4000), 0x78));
}
static inline vec vec_e5m2(const void *p) {
    return _mm512_cvtph_ps(_mm256_slli_epi16(_mm256_cvtepu8_epi16(_mm_loadu_si128(p)), 8));
}
/* int8 elements. */
static inline vec vec_i8(const void *p) {
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(p)));
}
static inline void vec_store_f16(void *p, vec a) {
    _mm256_storeu_si256(p, _mm512_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}
static inline void vec_store_f16_part(void *p, vec a, size_t n) {
    _mm256_mask_storeu_epi16(p, vec_mask(n),
                             _mm512_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}

static inline vec vec_add(vec a, vec b) {
    return _mm512_add_ps(a, b);
}
static inline vec vec_sub(vec a, vec b) {
    return _mm512_sub_ps(a, b);
}
static inline vec vec_mul(vec a, vec b) {
    return _mm512_mul_ps(a, b);
}
static inline vec vec_div(vec a, vec b) {
    return _mm512_div_ps(a, b);
}
/* a * b + c */
static inline vec vec_fma(vec a, vec b, vec c) {
    return _mm512_fmadd_ps(a, b, c);
}
/* c - a * b */
static inline vec vec_fnma(vec a, vec b, vec c) {
    return _mm512_fnmadd_ps(a, b, c);
}
/* The greater and the lesser; b where either is NaN. */
static inline vec vec_max(vec a, vec b) {
    return _mm512_max_ps(a, b);
}
static inline vec vec_min(vec a, vec b) {
    return _mm512_min_ps(a, b);
}
static inline vec vec_abs(vec a) {
    return _mm512_abs_ps(a);
}
/* yes where a < 0, else no */
static inline vec vec_if_negative(vec a, vec yes, vec no) {
    return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, _mm512_setzero_ps(), _CMP_LT_OQ), no, yes);
}
/* y * 2^n for whole n. `shifted` is n + EXP_ROUND, for instruction sets that build the exponent from it. */
static inline vec vec_scale(vec y, vec n, vec shifted) {
    (void)shifted;
    return _mm512_scalef_ps(y, n);
}

/* Lanes 0-3 + 8-11 and so on: the upper levels of the tree of vec_total4(). */
static inline quad vec_fold(vec a) {
    __m256 b = _mm256_add_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1));
    return _mm_add_ps(_mm256_castps256_ps128(b), _mm256_extractf128_ps(b, 1));
}

/* Sums of 16 vectors by the tree of vec_total4(): lane i is that of v[i]. */
#define VEC_TOTALS
/* Upper levels of it for two, then four; and a lower one. */
static inline vec vec_fold_two(vec a, vec b) {
    return _mm512_add_ps(_mm512_shuffle_f32x4(a, b, 0x44), _mm512_shuffle_f32x4(a, b, 0xEE));
}
static inline vec vec_fold_four(vec a, vec b, vec c, vec d) {
    vec ab = vec_fold_two(a, b), cd = vec_fold_two(c, d);
    return _mm512_add_ps(_mm512_shuffle_f32x4(ab, cd, 0x88), _mm512_shuffle_f32x4(ab, cd, 0xDD));
}
static inline vec vec_zip_add(vec a, vec b) {
    return _mm512_add_ps(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b));
}
static inline vec vec_totals(const vec *v) {
    vec ab = vec_zip_add(vec_fold_four(v[0], v[4], v[8], v[12]), vec_fold_four(v[1], v[5], v[9], v[13]));
    vec cd = vec_zip_add(vec_fold_four(v[2], v[6], v[10], v[14]), vec_fold_four(v[3], v[7], v[11], v[15]));
    return _mm512_add_ps(_mm512_shuffle_ps(ab, cd, 0x44), _mm512_shuffle_ps(ab, cd, 0xEE));
}
/* Its four quads, `step` floats apart. */
static inline void vec_store_quads(float *p, size_t step, vec a) {
    quad_store(p, _mm512_extractf32x4_ps(a, 0));
    quad_store(p + step, _mm512_extractf32x4_ps(a, 1));
    quad_store(p + 2 * step, _mm512_extractf32x4_ps(a, 2));
    quad_store(p + 3 * step, _mm512_extractf32x4_ps(a, 3));
}

static inline float vec_greatest(vec a) {
    __m256 b = _mm256_max_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1));
    __m128 c = _mm_max_ps(_mm256_castps256_ps128(b), _mm256_extractf128_ps(b, 1));
    c = _mm_max_ps(c, _mm_movehl_ps(c, c));
    return _mm_cvtss_f32(_mm_max_ss(c, _mm_movehdup_ps(c)));
}

#endif
