/* quad.h - 4 f32 in one SSE register, where sums end, the sum of 16 bytes, and the fetching of lines: words
 * that both of the x86-64 instruction sets share. */
#ifndef LR_KERNEL_AVX2_QUAD_H
#define LR_KERNEL_AVX2_QUAD_H

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef __m128 quad;

static inline quad quad_add(quad a, quad b) {
    return _mm_add_ps(a, b);
}
/* {a0, b0, a1, b1} and {a2, b2, a3, b3} */
static inline quad quad_zip_low(quad a, quad b) {
    return _mm_unpacklo_ps(a, b);
}
static inline quad quad_zip_high(quad a, quad b) {
    return _mm_unpackhi_ps(a, b);
}
/* {a0, a1, b0, b1} and {a2, a3, b2, b3} */
static inline quad quad_lows(quad a, quad b) {
    return _mm_movelh_ps(a, b);
}
static inline quad quad_highs(quad a, quad b) {
    return _mm_movehl_ps(b, a);
}
static inline float quad_first(quad a) {
    return _mm_cvtss_f32(a);
}
static inline void quad_store(float *p, quad a) {
    memcpy(p, &a, sizeof a);
}

/* Bytes are moved to [0, 255], of which the processor adds eight at once. */
static inline int32_t bytes_total16(const int8_t *p) {
    __m128i bytes = _mm_xor_si128(_mm_loadu_si128((const void *)p), _mm_set1_epi8((char)0x80));
    __m128i halves = _mm_sad_epu8(bytes, _mm_setzero_si128());
    return _mm_cvtsi128_si32(_mm_add_epi32(halves, _mm_unpackhi_epi64(halves, halves))) - 16 * 128;
}

/* Asks for the cache line `bytes` after p, which may lie past the end of the matrix. */
static inline __attribute__((always_inline)) void fetch_ahead(const char *p, size_t bytes) {
    __asm__ volatile("prefetcht0 (%0,%1)"
                     :
                     : "r"(p), "r"(bytes)); /* no pointer past the end is formed in C */
}

#endif
