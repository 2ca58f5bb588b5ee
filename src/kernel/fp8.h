/* fp8.h - products of fp8 weights, for kernel/matmul.c: to the last bit, those of the dequantised weights as
 * f32, for every number of activations (rounded to bf16 a trained model's next tokens diverged by 5e-4). One
 * is multiplied in the registers, where the instruction set has a kernel for that; else some rows at a time
 * are dequantised into a panel that stays in the cache, and multiplied from there. */
#ifndef LR_KERNEL_FP8_H
#define LR_KERNEL_FP8_H

#include "kernel/kernel.h"

/* Floats of a thread's panel for rows of up to `cols` elements. */
size_t fp8_panel(uint64_t cols);
/* out[m * ld_out + r] = x[m, :] . w[first + r, :] for `n` rows, with the thread's panel of `m`. */
void fp8_rows(const struct matmul *m, uint32_t thread, const struct tensor_view *w, size_t first, size_t n,
              const struct matmul_input *in, float *out, size_t ld_out);

#endif
