/* exp.h - exp in f32 within 1 ulp, by kernel/polynomial.h. NaN stays NaN. */
#ifndef LR_KERNEL_GENERIC_EXP_H
#define LR_KERNEL_GENERIC_EXP_H

#include "kernel/half.h"
#include "kernel/polynomial.h"

static inline float exp_scalar(float x) {
    x = x > EXP_MAX ? EXP_MAX : x;
    x = x < EXP_MIN ? EXP_MIN : x;
    float shifted = x * EXP_LOG2E + EXP_ROUND, n = shifted - EXP_ROUND;
    float r = x - n * EXP_LN2_HI - n * EXP_LN2_LO;
    float q = (((EXP_Q4 * r + EXP_Q3) * r + EXP_Q2) * r + EXP_Q1) * r + EXP_Q0;
    float y = 1.0f + (r + r * r * q);
    /* 2^n in two halves, as n may lie outside what one exponent holds. */
    int32_t whole = (int32_t)(bits_of_float(shifted) - EXP_ROUND_BITS), half = whole >> 1;
    float scale = float_of_bits((uint32_t)(half + 127) << 23);
    return y * scale * float_of_bits((uint32_t)(whole - half + 127) << 23);
}

#endif
