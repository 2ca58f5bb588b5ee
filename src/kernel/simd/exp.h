/* exp.h - exp of a vector, by kernel/polynomial.h. NaN stays NaN. */
#ifndef LR_KERNEL_SIMD_EXP_H
#define LR_KERNEL_SIMD_EXP_H

#include "kernel/polynomial.h"

static inline vec vec_exp(vec x) {
    x = vec_min(vec_all(EXP_MAX), x);
    x = vec_max(vec_all(EXP_MIN), x);
    vec shifted = vec_fma(x, vec_all(EXP_LOG2E), vec_all(EXP_ROUND)),
        n = vec_sub(shifted, vec_all(EXP_ROUND));
    vec r = vec_fnma(n, vec_all(EXP_LN2_LO), vec_fnma(n, vec_all(EXP_LN2_HI), x));
    vec q = vec_fma(vec_all(EXP_Q4), r, vec_all(EXP_Q3));
    q = vec_fma(q, r, vec_all(EXP_Q2));
    q = vec_fma(q, r, vec_all(EXP_Q1));
    q = vec_fma(q, r, vec_all(EXP_Q0));
    return vec_scale(vec_add(vec_all(1.0f), vec_fma(vec_mul(r, r), q, r)), n, shifted);
}

#endif
