/* polynomial.h - the coefficients behind exp and erfc, shared by all instruction sets so that they differ by
 * roundings alone. Fitted in float64 with reweighted least squares on Chebyshev nodes. */
#ifndef LR_KERNEL_POLYNOMIAL_H
#define LR_KERNEL_POLYNOMIAL_H

/* exp(x) = 2^n * (1 + r + r^2 * q(r)), n = round(x / ln 2), r = x - n ln 2. The relative error of the formula
 * is 3.1e-9 (1/20 of half an ulp). ln 2 is split so that n times its greater part is exact. */
#define EXP_LOG2E  1.44269504f
#define EXP_LN2_HI 0.693359375f
#define EXP_LN2_LO (-2.12194440e-4f)
#define EXP_Q4     0x1.6a23cep-10f
#define EXP_Q3     0x1.123a20p-7f
#define EXP_Q2     0x1.5558f2p-5f
#define EXP_Q1     0x1.555492p-3f
#define EXP_Q0     0x1.fffffcp-2f
/* Adding it rounds to an integer, which then stands in the low bits. */
#define EXP_ROUND      12582912.0f
#define EXP_ROUND_BITS 0x4B400000
/* Beyond these exp is infinite or zero in f32. */
#define EXP_MAX 89.0f
#define EXP_MIN (-104.0f)

/* erfc(z) = exp(-z^2) * P(t), t = 1 / (1 + 0.4 z), for z >= 0. The relative error of P is 5.2e-8. */
#define ERFC_T  0.4f
#define ERFC_P9 0.030271837f
#define ERFC_P8 (-0.08312509f)
#define ERFC_P7 (-0.044447783f)
#define ERFC_P6 0.25077716f
#define ERFC_P5 (-0.048328392f)
#define ERFC_P4 0.25808966f
#define ERFC_P3 0.18095025f
#define ERFC_P2 0.23062246f
#define ERFC_P1 0.22516778f
#define ERFC_P0 2.2174127e-05f

#define SQRT_HALF 0.70710678f
/* gelu_tanh(x) = x * sigmoid(2 sqrt(2 / pi) (x + 0.044715 x^3)) */
#define GELU_TANH_A 1.59576912f
#define GELU_TANH_B 0.044715f

#endif
