/* peak.h - multiply-adds between registers, and reading alone, written in an instruction set's vector words;
 * included once by each. Enough sums that none waits for the one before. */
#include "kernel/simd/total.h"
#include "kernel/tables.h"

enum { PEAK_SUMS = 12, READ_SUMS = 8, READ_LINE = 64 };

/* `word sum = step(sum, factor, factor)` in every round; `each`: multiply-adds of one step. `total` adds a
 * word's lanes. `target`: attributes for what the folder's flags do not allow. */
#define DEFINE_PEAK(label, target, word, zero, all, step, total, each)                                       \
    target uint64_t KERNEL_NAME(peak_##label)(uint64_t rounds, float *io) {                                  \
        const word factor = all(*io);                                                                        \
        word sums[PEAK_SUMS];                                                                                \
        for (int i = 0; i < PEAK_SUMS; i++) sums[i] = zero();                                                \
        for (uint64_t r = 0; r < rounds; r++)                                                                \
            _Pragma("GCC unroll 16") for (int i = 0; i < PEAK_SUMS; i++) sums[i] =                           \
                step(sums[i], factor, factor);                                                               \
        *io = 0;                                                                                             \
        for (int i = 0; i < PEAK_SUMS; i++) *io += total(sums[i]);                                           \
        return rounds * PEAK_SUMS * (each);                                                                  \
    }

static inline vec add_product(vec sum, vec a, vec b) {
    return vec_fma(a, b, sum);
}

DEFINE_PEAK(f32, , vec, vec_zero, vec_all, add_product, vec_total, VEC)

float KERNEL_NAME(read)(const void *p, size_t n, size_t ahead) {
    vec sums[READ_SUMS];
    const char *at = p, *end = at + n;
    for (int i = 0; i < READ_SUMS; i++) sums[i] = vec_zero();
    for (; at < end; at += sizeof sums) {
        for (size_t i = 0; ahead && i < sizeof sums; i += READ_LINE) __builtin_prefetch(at + ahead + i);
#pragma GCC unroll 8
        for (size_t i = 0; i < READ_SUMS; i++) sums[i] = vec_add(sums[i], vec_load(at + i * sizeof(vec)));
    }
    float all = 0;
    for (int i = 0; i < READ_SUMS; i++) all += vec_total(sums[i]);
    return all;
}
