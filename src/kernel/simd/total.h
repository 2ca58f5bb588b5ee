/* total.h - the fixed tree that adds the lanes of a vector, for one and for four at once (equal bits). Needs
 * the words of an x86 instruction set. */
#ifndef LR_KERNEL_SIMD_TOTAL_H
#define LR_KERNEL_SIMD_TOTAL_H

/* {sum of a, sum of b, sum of c, sum of d}; each ends as (0 + 2) + (1 + 3). */
static inline __m128 vec_total4(vec a, vec b, vec c, vec d) {
    __m128 fa = vec_fold(a), fb = vec_fold(b), fc = vec_fold(c), fd = vec_fold(d);
    __m128 ab = _mm_add_ps(_mm_unpacklo_ps(fa, fb), _mm_unpackhi_ps(fa, fb));
    __m128 cd = _mm_add_ps(_mm_unpacklo_ps(fc, fd), _mm_unpackhi_ps(fc, fd));
    return _mm_add_ps(_mm_movelh_ps(ab, cd), _mm_movehl_ps(cd, ab));
}

static inline float vec_total(vec a) {
    __m128 f = vec_fold(a);
    f = _mm_add_ps(f, _mm_movehl_ps(f, f));
    return _mm_cvtss_f32(_mm_add_ss(f, _mm_movehdup_ps(f)));
}

#endif
