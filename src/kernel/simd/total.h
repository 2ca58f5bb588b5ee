/* total.h - the fixed tree that adds the lanes of a vector, for one and for four at once (equal bits). A
 * vector is folded to a quad first: 4 f32, in the words of an instruction set. */
#ifndef LR_KERNEL_SIMD_TOTAL_H
#define LR_KERNEL_SIMD_TOTAL_H

/* {sum of a, sum of b, sum of c, sum of d}; each ends as (0 + 2) + (1 + 3). */
static inline quad vec_total4(vec a, vec b, vec c, vec d) {
    quad fa = vec_fold(a), fb = vec_fold(b), fc = vec_fold(c), fd = vec_fold(d);
    quad ab = quad_add(quad_zip_low(fa, fb), quad_zip_high(fa, fb));
    quad cd = quad_add(quad_zip_low(fc, fd), quad_zip_high(fc, fd));
    return quad_add(quad_lows(ab, cd), quad_highs(ab, cd));
}

static inline float vec_total(vec a) {
    return quad_first(vec_total4(a, a, a, a));
}

#endif
