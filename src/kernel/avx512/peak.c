#if defined(__x86_64__)
#include "kernel/avx512/words.h"

#include "kernel/simd/peak.h"

#define BF16_DOT __attribute__((target("avx512bf16")))
#define INT8_DOT __attribute__((target("avx512vnni")))

static BF16_DOT inline vec add_pairs(vec sum, __m512bh a, __m512bh b) {
    return _mm512_dpbf16_ps(sum, a, b);
}
static INT8_DOT inline __m512i add_fours(__m512i sum, __m512i a, __m512i b) {
    return _mm512_dpbusd_epi32(sum, a, b);
}
static inline __m512i all_bytes(float x) {
    return _mm512_set1_epi8((char)x);
}
static inline float total_int32(__m512i a) {
    return (float)_mm512_reduce_add_epi32(a);
}
/* Of an f32 vector; factors are two bf16 in each lane. */
static BF16_DOT inline vec add_pairs_of(vec sum, vec a, vec b) {
    return add_pairs(sum, (__m512bh)_mm512_castps_si512(a), (__m512bh)_mm512_castps_si512(b));
}
static inline vec all_pairs(float x) {
    __m512i high = _mm512_castps_si512(_mm512_set1_ps(x));
    return _mm512_castsi512_ps(_mm512_or_si512(high, _mm512_srli_epi32(high, 16)));
}

DEFINE_PEAK(bf16, BF16_DOT, vec, vec_zero, all_pairs, add_pairs_of, vec_total, 2 * VEC)
DEFINE_PEAK(int8, INT8_DOT, __m512i, _mm512_setzero_si512, all_bytes, add_fours, total_int32, 4 * VEC)
#endif
