#if defined(__x86_64__)
#include "kernel/avx2/words.h"

#include "kernel/simd/peak.h"

#define INT8_DOT __attribute__((target("avxvnni")))

static INT8_DOT inline __m256i add_fours(__m256i sum, __m256i a, __m256i b) {
    return _mm256_dpbusd_avx_epi32(sum, a, b);
}
static inline __m256i all_bytes(float x) {
    return _mm256_set1_epi8((char)x);
}
static inline float total_int32(__m256i a) {
    return vec_total(_mm256_cvtepi32_ps(a));
}

DEFINE_PEAK(int8, INT8_DOT, __m256i, _mm256_setzero_si256, all_bytes, add_fours, total_int32, 4 * VEC)
#endif
