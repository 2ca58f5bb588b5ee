/* Norms, rotations, activations and KV stores, in plain C. */
#include <math.h>

#include "kernel/generic/exp.h"
#include "kernel/generic/lanes.h"
#include "kernel/tables.h"

void rms_norm_generic(const float *x, const float *weight, float eps, size_t n, float *out) {
    float sums[LANES] = {0};
    lanes_dot(sums, x, x, n);
    float scale = 1.0f / sqrtf(lanes_total(sums) / (float)n + eps);
    for (size_t i = 0; i < n; i++) out[i] = x[i] * scale * weight[i];
}

void rope_generic(float *x, size_t n_heads, size_t head_dim, size_t rot, const float *cos, const float *sin) {
    size_t half = rot / 2;
    for (size_t h = 0; h < n_heads; h++, x += head_dim) {
        for (size_t i = 0; i < half; i++) {
            float a = x[i], b = x[i + half];
            x[i] = a * cos[i] - b * sin[i];
            x[i + half] = b * cos[i] + a * sin[i];
        }
    }
}

/* x * sigmoid(y) */
static inline float times_sigmoid(float x, float y) {
    return x / (1.0f + exp_scalar(-y));
}

void silu_mul_generic(float *gate, const float *up, size_t n) {
    for (size_t i = 0; i < n; i++) gate[i] = times_sigmoid(gate[i], gate[i]) * up[i];
}

void gelu_tanh_mul_generic(float *gate, const float *up, size_t n) {
    for (size_t i = 0; i < n; i++) {
        float x = gate[i], y = GELU_TANH_A * (x + GELU_TANH_B * (x * x * x));
        gate[i] = times_sigmoid(x, y) * up[i];
    }
}

/* erfc(z) for z >= 0 */
static inline float erfc_scalar(float z) {
    float t = 1.0f / (1.0f + ERFC_T * z);
    float p = (((ERFC_P9 * t + ERFC_P8) * t + ERFC_P7) * t + ERFC_P6) * t + ERFC_P5;
    p = ((((p * t + ERFC_P4) * t + ERFC_P3) * t + ERFC_P2) * t + ERFC_P1) * t + ERFC_P0;
    return exp_scalar(-(z * z)) * p;
}

void gelu_mul_generic(float *gate, const float *up, size_t n) {
    for (size_t i = 0; i < n; i++) {
        float x = gate[i], tail = 0.5f * erfc_scalar(fabsf(x) * SQRT_HALF);
        gate[i] = x * (x < 0 ? tail : 1.0f - tail) * up[i];
    }
}

void relu_mul_generic(float *gate, const float *up, size_t n) {
    for (size_t i = 0; i < n; i++) gate[i] = (gate[i] < 0 ? 0.0f : gate[i]) * up[i];
}

void add_generic(float *x, const float *y, size_t n) {
    for (size_t i = 0; i < n; i++) x[i] += y[i];
}

void exp_generic(float *x, size_t n) {
    for (size_t i = 0; i < n; i++) x[i] = exp_scalar(x[i]);
}

void store_f16_generic(const float *x, size_t n, uint16_t *out) {
    for (size_t i = 0; i < n; i++) out[i] = f16_of_float(x[i]);
}
