/* The one choice of an instruction set. */
#include "base/str.h"
#include "kernel/tables.h"
#include "sys/cpu.h"

/* `fit`: who quantises; `quant`: whose products of quantised weights. */
#define KERNEL_FUNCTIONS(isa, fit, quant)                                                                    \
    .widen[LR_F32] = widen_f32_##isa, .widen[LR_F16] = widen_f16_##isa, .widen[LR_BF16] = widen_bf16_##isa,  \
    .dot[LR_F32] = dot_f32_##isa, .dot[LR_F16] = dot_f16_##isa, .dot[LR_BF16] = dot_bf16_##isa,              \
    .dequantise[LR_F8_E4M3] = dequantise_e4m3_##isa, .dequantise[LR_F8_E5M2] = dequantise_e5m2_##isa,        \
    .quantise[QUANT_Q8] = quantise_q8_##fit, .quantise[QUANT_Q4] = quantise_q4_##fit,                        \
    .quant_x = quant_x_##quant, .quant_dot[QUANT_Q8] = quant_dot_q8_##quant,                                 \
    .quant_dot[QUANT_Q4] = quant_dot_q4_##quant, .quant_precise = quant_precise_##quant,                     \
    .rms_norm = rms_norm_##isa, .rope = rope_##isa, .silu_mul = silu_mul_##isa, .gelu_mul = gelu_mul_##isa,  \
    .gelu_tanh_mul = gelu_tanh_mul_##isa, .relu_mul = relu_mul_##isa, .add = add_##isa, .exp = exp_##isa,    \
    .store_f16 = store_f16_##isa, .attention = attention_##isa, .merge = merge_##isa,                        \
    .finish = finish_##isa, .read = read_##isa, .peak[PEAK_F32] = peak_f32_##isa

#define KERNEL_FP8(isa) .dot_fp8[LR_F8_E4M3] = dot_e4m3_##isa, .dot_fp8[LR_F8_E5M2] = dot_e5m2_##isa

/* Where OpenBLAS 0.3.21 is 10 % faster than our own products, on one core of a Zen 5 (tests/bench/bench_dot,
 * GFLOPS with [2048, 2048] and 8, 32, 128, 512 activations):
 *   generic  bf16  23,  24,  23,  21;  f32  15,  22,  23,  22
 *   avx2     bf16  96, 113, 116, 115;  f32  72,  97, 106, 107
 *   avx512   bf16 143, 188, 201, 204;  f32  83, 155, 191, 192
 *   OpenBLAS with AVX2, f32            48,  87, 112, 118
 *   OpenBLAS with AVX-512, f32         39, 104, 170, 211
 * With 512 activations and f32 weights it is at 10 %: left to the native products, whose bits do not depend
 * on the shape. neon: not measured, so these too. */
static const struct kernel_table generic = {
    .name = "generic", KERNEL_FUNCTIONS(generic, generic, generic), .blas_from = 4};
#if defined(__x86_64__)
static const struct kernel_table avx2 = {
    .name = "avx2", KERNEL_FUNCTIONS(avx2, avx2, avx2), KERNEL_FP8(avx2), .blas_from = KERNEL_BLAS_NEVER};
static const struct kernel_table avxvnni = {.name = "avxvnni",
                                            KERNEL_FUNCTIONS(avx2, avx2, avxvnni),
                                            KERNEL_FP8(avx2),
                                            .peak[PEAK_INT8] = peak_int8_avx2,
                                            .blas_from = KERNEL_BLAS_NEVER};
static const struct kernel_table avx512 = {.name = "avx512",
                                           KERNEL_FUNCTIONS(avx512, avx512, avx2),
                                           KERNEL_FP8(avx512),
                                           .blas_from = KERNEL_BLAS_NEVER};
static const struct kernel_table avx512vnni = {.name = "avx512vnni",
                                               KERNEL_FUNCTIONS(avx512, avx512, avx512vnni),
                                               KERNEL_FP8(avx512),
                                               .peak[PEAK_INT8] = peak_int8_avx512,
                                               .blas_from = KERNEL_BLAS_NEVER};
/* Of bf16 weights and activations two in each lane are multiplied and added at once. */
static const struct kernel_table avx512bf16 = {.name = "avx512bf16",
                                               KERNEL_FUNCTIONS(avx512, avx512, avx512vnni),
                                               KERNEL_FP8(avx512),
                                               .peak[PEAK_INT8] = peak_int8_avx512,
                                               .peak[PEAK_BF16] = peak_bf16_avx512,
                                               .prepare[LR_BF16] = prepare_bf16_avx512bf16,
                                               .dot_prepared[LR_BF16] = dot_prepared_bf16_avx512bf16,
                                               .blas_from = KERNEL_BLAS_NEVER};
#define X86_TABLE(isa) &isa
#else
#define X86_TABLE(isa) NULL
#endif
#if defined(__aarch64__)
static const struct kernel_table neon = {.name = "neon",
                                         KERNEL_FUNCTIONS(neon, generic, generic),
                                         KERNEL_FP8(neon),
                                         .blas_from = KERNEL_BLAS_NEVER};
#define ARM_TABLE(isa) &isa
#else
#define ARM_TABLE(isa) NULL
#endif

/* Slowest first. A table is NULL where this build has none, though the name is known: what is no higher than
 * a name of another architecture is found all the same. */
static const struct {
    const char *name;
    uint32_t needs;
    const struct kernel_table *table;
} rows[] = {
    {"generic", 0, &generic},
    {"neon", CPU_NEON, ARM_TABLE(neon)},
    {"avx2", CPU_AVX2, X86_TABLE(avx2)},
    {"avxvnni", CPU_AVX2 | CPU_AVX_VNNI, X86_TABLE(avxvnni)},
    {"avx512", CPU_AVX512, X86_TABLE(avx512)},
    {"avx512vnni", CPU_AVX512 | CPU_AVX512_VNNI, X86_TABLE(avx512vnni)},
    {"avx512bf16", CPU_AVX512 | CPU_AVX512_VNNI | CPU_AVX512_BF16, X86_TABLE(avx512bf16)},
};

enum lr_status kernel_select(uint32_t features, const char *isa, const struct kernel_table **out,
                             struct lr_error *err) {
    const struct kernel_table *best = NULL;
    bool known = !isa;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (rows[i].table && (features & rows[i].needs) == rows[i].needs) best = rows[i].table;
        known = known || strcmp(isa, rows[i].name) == 0;
        if (isa && known) break;
    }
    if (!known)
        return lr_fail(err, LR_EUSAGE,
                       "unknown instruction set '%s' (known: generic, neon, avx2, avxvnni, avx512, "
                       "avx512vnni, avx512bf16)",
                       isa);
    *out = best;
    return LR_OK;
}
