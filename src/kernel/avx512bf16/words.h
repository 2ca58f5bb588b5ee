/* words.h - pairs of bf16 for kernel/simd/dot.h, in AVX-512 BF16: 32 elements of K in one word, of which two
 * are multiplied and added in each of 16 sums. Activations are rounded to bf16 (nearest even), and numbers
 * below 2^-126 count as 0: a product with reduced precision, never taken with --precise. */
#ifndef LR_KERNEL_AVX512BF16_WORDS_H
#define LR_KERNEL_AVX512BF16_WORDS_H

#include "kernel/avx512/words.h"

#undef KERNEL_NAME
#define KERNEL_NAME(name) name##_avx512bf16

#define VEC_PAIRS
typedef __m512i vec_pairs;

/* The first n < 32 elements. */
static inline __mmask32 vec_pairs_mask(size_t n) {
    return (__mmask32)((1u << n) - 1);
}
static inline vec_pairs vec_pairs_load(const void *p) {
    return _mm512_loadu_si512(p);
}
static inline vec_pairs vec_pairs_load_part(const void *p, size_t n) {
    return _mm512_maskz_loadu_epi16(vec_pairs_mask(n), p);
}
static inline void vec_pairs_store(void *p, vec_pairs a) {
    _mm512_storeu_si512(p, a);
}
static inline void vec_pairs_store_part(void *p, vec_pairs a, size_t n) {
    _mm512_mask_storeu_epi16(p, vec_pairs_mask(n), a);
}
static inline vec_pairs vec_pairs_of(vec low, vec high) {
    return (__m512i)_mm512_cvtne2ps_pbh(high, low);
}
static inline vec_pairs vec_pairs_round(const float *p) {
    return vec_pairs_of(vec_load(p), vec_load(p + VEC));
}
static inline vec_pairs vec_pairs_round_part(const float *p, size_t n) {
    vec low = n < VEC ? vec_load_part(p, n) : vec_load(p);
    vec high = n > VEC ? vec_load_part(p + VEC, n - VEC) : vec_zero();
    return vec_pairs_of(low, high);
}
static inline vec vec_pairs_fma(vec_pairs a, vec_pairs b, vec sum) {
    return _mm512_dpbf16_ps(sum, (__m512bh)a, (__m512bh)b);
}

#endif
