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

/* The tables; returns how many (the generic one is number 0; no architecture has more than 3). */
static inline int each_table(const struct kernel_table *out[3]) {
    static const char *const names[] = {"generic", "neon", "avx2", "avx512"};
    int n = 0;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
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
