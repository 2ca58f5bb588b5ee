/* Multiply-adds, and reading alone, in plain C: a product and a sum, as these kernels have them. */
#include "kernel/generic/lanes.h"
#include "kernel/tables.h"

enum { SUMS = 4 };

/* The sum is a factor, so that no product can be made ahead of the loop. */
uint64_t peak_f32_generic(uint64_t rounds, float *io) {
    const float x = *io, y = x * x;
    float sums[SUMS][LANES] = {{0}};
    for (uint64_t r = 0; r < rounds; r++)
        for (int i = 0; i < SUMS; i++)
            for (int j = 0; j < LANES; j++) sums[i][j] = sums[i][j] * x + y;
    *io = 0;
    for (int i = 0; i < SUMS; i++) *io += lanes_total(sums[i]);
    return rounds * SUMS * LANES;
}

float read_generic(const void *p, size_t n, size_t ahead) {
    const float *x = p;
    float sums[2 * LANES] = {0};
    for (size_t i = 0; i < n / sizeof *x; i += 2 * LANES) {
        if (ahead) __builtin_prefetch((const char *)(x + i) + ahead);
        if (ahead) __builtin_prefetch((const char *)(x + i + LANES) + ahead);
        for (int j = 0; j < 2 * LANES; j++) sums[j] += x[i + (size_t)j];
    }
    return lanes_total(sums) + lanes_total(sums + LANES);
}
