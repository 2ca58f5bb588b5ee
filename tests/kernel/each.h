/* each.h - what the kernel tests share: every instruction set that this processor has, and random numbers. */
#ifndef LR_TESTS_KERNEL_EACH_H
#define LR_TESTS_KERNEL_EACH_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "kernel/half.h"
#include "kernel/kernel.h"
#include "sys/cpu.h"

enum { EACH_TABLES = 7 };

/* To the nearest bf16, the even one half way. */
static inline float each_to_bf16(float x) {
    uint32_t bits = bits_of_float(x);
    return float_of_bf16((uint16_t)((bits + 0x7FFF + (bits >> 16 & 1)) >> 16));
}

/* The tables; returns how many (the generic one is number 0). */
static inline int each_table(const struct kernel_table *out[EACH_TABLES]) {
    static const char *const names[EACH_TABLES] = {"generic", "neon",       "avx2",      "avxvnni",
                                                   "avx512",  "avx512vnni", "avx512bf16"};
    int n = 0;
    for (int i = 0; i < EACH_TABLES; i++) {
        const struct kernel_table *t;
        struct lr_error err;
        assert_int_equal(kernel_select(cpu_features(), names[i], &t, &err), LR_OK);
        if (strcmp(t->name, names[i]) == 0)
            out[n++] = t;
        else
            print_message("%s: not on this processor\n", names[i]);
    }
    return n;
}

/* Whether the table's products with such weights round the activations to bf16. */
static inline bool each_rounds(const struct kernel_table *t, enum lr_dtype dtype) {
    return dtype == LR_BF16 && t->prepare[dtype];
}

/* A product as the table has it: of prepared activations, if it prepares them. */
static __attribute__((unused)) void each_dot(const struct kernel_table *t, enum lr_dtype dtype, const void *w,
                                             size_t rows, size_t k, const float *x, size_t ld_x, size_t n_x,
                                             float *out, size_t ld_out) {
    if (!t->prepare[dtype]) {
        t->dot[dtype](w, rows, k, x, ld_x, n_x, out, ld_out);
        return;
    }
    size_t bytes = KERNEL_ROUNDED_BYTES(k);
    char *prepared = malloc(n_x * bytes);
    for (size_t m = 0; m < n_x; m++) t->prepare[dtype](x + m * ld_x, k, prepared + m * bytes);
    t->dot_prepared[dtype](w, rows, k, prepared, n_x, out, ld_out);
    free(prepared);
}

/* Uniform in [-1, 1). */
static inline float each_random(uint64_t *state) {
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (float)(int32_t)(*state >> 32) * 0x1p-31f;
}

/* `n` random numbers, to be freed. */
static __attribute__((noinline, unused)) float *each_vector(size_t n, uint64_t seed) {
    float *x = calloc(n + 1, sizeof *x);
    for (size_t i = 0; i < n; i++) x[i] = each_random(&seed);
    return x;
}

/* Writes `n` f32 values as `dtype` at any address. */
static inline void each_pack(enum lr_dtype dtype, const float *x, size_t n, void *out) {
    for (size_t i = 0; i < n; i++) {
        uint16_t h = dtype == LR_F16 ? f16_of_float(x[i]) : (uint16_t)(bits_of_float(x[i]) >> 16);
        if (dtype == LR_F32)
            memcpy((char *)out + 4 * i, x + i, 4);
        else
            memcpy((char *)out + 2 * i, &h, 2);
    }
}

/* The value of element `i`. */
static inline float each_element(enum lr_dtype dtype, const void *w, size_t i) {
    uint16_t h;
    float f;
    if (dtype == LR_F32) {
        memcpy(&f, (const char *)w + 4 * i, 4);
        return f;
    }
    memcpy(&h, (const char *)w + 2 * i, 2);
    return dtype == LR_F16 ? float_of_f16(h) : float_of_bf16(h);
}

/* The distance of two f32 in units in the last place; 0 for two NaN. */
static inline uint64_t each_ulps(float a, float b) {
    if (isnan(a) || isnan(b)) return isnan(a) && isnan(b) ? 0 : UINT64_MAX;
    int64_t i = (int32_t)(bits_of_float(a) & 0x7FFFFFFF), j = (int32_t)(bits_of_float(b) & 0x7FFFFFFF);
    if (signbit(a)) i = -i;
    if (signbit(b)) j = -j;
    return (uint64_t)llabs(i - j);
}

#define EACH_FLOAT_DTYPES                                                                                    \
    { LR_F32, LR_F16, LR_BF16 }

#endif
