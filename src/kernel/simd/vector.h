/* vector.h - norms, rotations, activations, exp and narrowing, written in an instruction set's vector words;
 * included once by each. */
#include <math.h>

#include "kernel/simd/exp.h"
#include "kernel/simd/total.h"
#include "kernel/tables.h"

void KERNEL_NAME(rms_norm)(const float *x, const float *weight, float eps, size_t n, float *out) {
    vec sums = vec_zero();
    size_t i = 0;
    for (; i + VEC <= n; i += VEC) sums = vec_fma(vec_load(x + i), vec_load(x + i), sums);
    if (i < n) {
        vec last = vec_load_part(x + i, n - i);
        sums = vec_fma(last, last, sums);
    }
    vec scale = vec_all(1.0f / sqrtf(vec_total(sums) / (float)n + eps));
    for (i = 0; i + VEC <= n; i += VEC)
        vec_store(out + i, vec_mul(vec_mul(vec_load(x + i), scale), vec_load(weight + i)));
    if (i == n) return;
    vec last = vec_mul(vec_load_part(x + i, n - i), scale);
    vec_store_part(out + i, vec_mul(last, vec_load_part(weight + i, n - i)), n - i);
}

static inline vec first_of_pair(vec a, vec b, vec cosine, vec sine) {
    return vec_fnma(b, sine, vec_mul(a, cosine));
}
static inline vec second_of_pair(vec a, vec b, vec cosine, vec sine) {
    return vec_fma(a, sine, vec_mul(b, cosine));
}

static inline void rotate_head(float *x, size_t half, const float *cosine, const float *sine) {
    size_t i = 0;
    for (; i + VEC <= half; i += VEC) {
        vec a = vec_load(x + i), b = vec_load(x + half + i), c = vec_load(cosine + i), s = vec_load(sine + i);
        vec_store(x + i, first_of_pair(a, b, c, s));
        vec_store(x + half + i, second_of_pair(a, b, c, s));
    }
    if (i == half) return;
    size_t n = half - i;
    vec a = vec_load_part(x + i, n), b = vec_load_part(x + half + i, n);
    vec c = vec_load_part(cosine + i, n), s = vec_load_part(sine + i, n);
    vec_store_part(x + i, first_of_pair(a, b, c, s), n);
    vec_store_part(x + half + i, second_of_pair(a, b, c, s), n);
}

void KERNEL_NAME(rope)(float *x, size_t n_heads, size_t head_dim, size_t rot, const float *cos,
                       const float *sin) {
    for (size_t h = 0; h < n_heads; h++) rotate_head(x + h * head_dim, rot / 2, cos, sin);
}

/* x * sigmoid(y) */
static inline vec times_sigmoid(vec x, vec y) {
    return vec_div(x, vec_add(vec_all(1.0f), vec_exp(vec_sub(vec_zero(), y))));
}

static inline vec silu(vec x) {
    return times_sigmoid(x, x);
}

static inline vec gelu_tanh(vec x) {
    vec cube = vec_mul(vec_mul(x, x), x);
    return times_sigmoid(x, vec_mul(vec_all(GELU_TANH_A), vec_fma(vec_all(GELU_TANH_B), cube, x)));
}

/* erfc(z) for z >= 0 */
static inline vec erfc_positive(vec z) {
    static const float p[] = {ERFC_P8, ERFC_P7, ERFC_P6, ERFC_P5, ERFC_P4,
                              ERFC_P3, ERFC_P2, ERFC_P1, ERFC_P0};
    vec t = vec_div(vec_all(1.0f), vec_fma(vec_all(ERFC_T), z, vec_all(1.0f)));
    vec sum = vec_all(ERFC_P9);
    for (int i = 0; i < 9; i++) sum = vec_fma(sum, t, vec_all(p[i]));
    return vec_mul(vec_exp(vec_sub(vec_zero(), vec_mul(z, z))), sum);
}

static inline vec gelu(vec x) {
    vec tail = vec_mul(vec_all(0.5f), erfc_positive(vec_mul(vec_abs(x), vec_all(SQRT_HALF))));
    return vec_mul(x, vec_if_negative(x, tail, vec_sub(vec_all(1.0f), tail)));
}

static inline vec relu(vec x) {
    return vec_if_negative(x, vec_zero(), x);
}

#define DEFINE_GATE(activation)                                                                              \
    void KERNEL_NAME(activation##_mul)(float *gate, const float *up, size_t n) {                             \
        size_t i = 0;                                                                                        \
        for (; i + VEC <= n; i += VEC)                                                                       \
            vec_store(gate + i, vec_mul(activation(vec_load(gate + i)), vec_load(up + i)));                  \
        if (i == n) return;                                                                                  \
        vec last = vec_mul(activation(vec_load_part(gate + i, n - i)), vec_load_part(up + i, n - i));        \
        vec_store_part(gate + i, last, n - i);                                                               \
    }
DEFINE_GATE(silu)
DEFINE_GATE(gelu)
DEFINE_GATE(gelu_tanh)
DEFINE_GATE(relu)

void KERNEL_NAME(add)(float *x, const float *y, size_t n) {
    size_t i = 0;
    for (; i + VEC <= n; i += VEC) vec_store(x + i, vec_add(vec_load(x + i), vec_load(y + i)));
    if (i < n)
        vec_store_part(x + i, vec_add(vec_load_part(x + i, n - i), vec_load_part(y + i, n - i)), n - i);
}

void KERNEL_NAME(exp)(float *x, size_t n) {
    size_t i = 0;
    for (; i + VEC <= n; i += VEC) vec_store(x + i, vec_exp(vec_load(x + i)));
    if (i < n) vec_store_part(x + i, vec_exp(vec_load_part(x + i, n - i)), n - i);
}

void KERNEL_NAME(store_f16)(const float *x, size_t n, uint16_t *out) {
    size_t i = 0;
    for (; i + VEC <= n; i += VEC) vec_store_f16(out + i, vec_load(x + i));
    if (i < n) vec_store_f16_part(out + i, vec_load_part(x + i, n - i), n - i);
}
