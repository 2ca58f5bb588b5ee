/* tables.h - the functions of every instruction set, by name: `dot_bf16_avx2`. For kernel/table.c, which puts
 * them in tables, and for the files that define them; everybody else goes through kernel_select(). */
#ifndef LR_KERNEL_TABLES_H
#define LR_KERNEL_TABLES_H

#include "kernel/kernel.h"

#define KERNEL_DECLARE(isa)                                                                                  \
    kernel_widen_fn widen_f32_##isa, widen_f16_##isa, widen_bf16_##isa;                                      \
    kernel_dot_fn dot_f32_##isa, dot_f16_##isa, dot_bf16_##isa;                                              \
    kernel_dequantise_fn dequantise_e4m3_##isa, dequantise_e5m2_##isa;                                       \
    kernel_quantise_fn quantise_q8_##isa, quantise_q4_##isa;                                                 \
    kernel_rms_norm_fn rms_norm_##isa;                                                                       \
    kernel_rope_fn rope_##isa;                                                                               \
    kernel_gate_fn silu_mul_##isa, gelu_mul_##isa, gelu_tanh_mul_##isa, relu_mul_##isa;                      \
    kernel_add_fn add_##isa;                                                                                 \
    kernel_exp_fn exp_##isa;                                                                                 \
    kernel_store_f16_fn store_f16_##isa;                                                                     \
    kernel_attention_fn attention_##isa;                                                                     \
    kernel_merge_fn merge_##isa;                                                                             \
    kernel_finish_fn finish_##isa;                                                                           \
    kernel_peak_fn peak_f32_##isa;                                                                           \
    kernel_read_fn read_##isa
/* fp8 weights and one activation. */
#define KERNEL_DECLARE_FP8(isa) kernel_fp8_dot_fn dot_e4m3_##isa, dot_e5m2_##isa
/* Products of quantised weights. */
#define KERNEL_DECLARE_QUANT(isa)                                                                            \
    kernel_quant_x_fn quant_x_##isa;                                                                         \
    kernel_quant_dot_fn quant_dot_q8_##isa, quant_dot_q4_##isa;                                              \
    kernel_quant_precise_fn quant_precise_##isa
#define KERNEL_DECLARE_REDUCED(isa)                                                                          \
    kernel_prepare_fn prepare_bf16_##isa;                                                                    \
    kernel_dot_prepared_fn dot_prepared_bf16_##isa
/* Those that not every instruction set has. */
#define KERNEL_DECLARE_PEAK(label_isa) kernel_peak_fn peak_##label_isa

KERNEL_DECLARE(generic);
KERNEL_DECLARE_QUANT(generic);
#if defined(__x86_64__)
KERNEL_DECLARE(avx2);
KERNEL_DECLARE(avx512);
KERNEL_DECLARE_FP8(avx2);
KERNEL_DECLARE_FP8(avx512);
KERNEL_DECLARE_QUANT(avx2);
KERNEL_DECLARE_QUANT(avxvnni);
KERNEL_DECLARE_QUANT(avx512vnni);
KERNEL_DECLARE_REDUCED(avx512bf16);
KERNEL_DECLARE_PEAK(int8_avx2);
KERNEL_DECLARE_PEAK(bf16_avx512);
KERNEL_DECLARE_PEAK(int8_avx512);
#elif defined(__aarch64__)
KERNEL_DECLARE(neon);
KERNEL_DECLARE_FP8(neon);
#endif

#endif
