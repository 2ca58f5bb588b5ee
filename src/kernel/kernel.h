/* kernel.h - arrays in, arrays out: the only arithmetic of the forward pass. Chosen once for an instruction
 * set; knows nothing of models. Every kernel has a scalar twin in generic/ that it is tested against.
 *
 * Order of additions. One output of a product depends on K and on the dtype alone, never on how many
 * activations or rows are asked for at once, on the thread or the split; attention takes keys in fixed blocks
 * and spans of absolute position. So one instruction set gives the same bits for every chunk and thread
 * count. Different instruction sets may differ in rounding. Weights may begin at any byte: all loads of them
 * are unaligned. */
#ifndef LR_KERNEL_KERNEL_H
#define LR_KERNEL_KERNEL_H

#include "base/dtype.h"
#include "base/error.h"
#include "kernel/quant.h"
#include "sys/threads.h"

/* The scales of an fp8 matrix: one for each block of block_rows x block_cols, cut off where the matrix ends.
 * A weight is its element as f32 times the scale, rounded once. Magnitudes below KERNEL_MOST_SCALE. */
struct tensor_scales {
    const float *values; /* [rows of blocks, across] */
    uint64_t block_rows, block_cols, across;
};
#define KERNEL_MOST_SCALE 0x1p100f

/* A weight matrix where it lies: row-major, rows = output features, cols = input features. */
struct tensor_view {
    const void *data; /* [rows, cols] of dtype, any alignment */
    enum lr_dtype dtype;
    uint64_t rows, cols;
    const struct tensor_scales *scales; /* of the matrix that this is a part of; NULL: all are 1 */
    uint64_t first;                     /* the row of that matrix that is the first here */
};

/* Row `row` of a matrix (an embedding), widened: out [cols]. */
typedef void kernel_widen_fn(const void *src, float *out, size_t n);
/* fp8 elements: out = f32 of each times scale, rounded once; every instruction set gives the same bits. */
typedef void kernel_dequantise_fn(const void *src, float scale, float *out, size_t n);
/* out[m * ld_out + r] = sum_k x[m, k] * w[r, k] for m in [0, n_x) and the `rows` weight rows that begin at
 * `w` (stride k elements). x [n_x, k] with row stride ld_x, f32. */
typedef void kernel_dot_fn(const void *w, size_t rows, size_t k, const float *x, size_t ld_x, size_t n_x,
                           float *out, size_t ld_out);
/* Products of reduced precision: each activation is prepared once (rounded to bf16, or quantised to int8),
 * and then multiplied as it is. Errors of few elements average out less, and small models are fast anyway:
 * only for K from these on (measured: with bf16 and K of 64 the divergence of next-token distributions comes
 * to 3e-3, with K of 512 it stays below 1e-4; with int8 and K of 512 one of 20 greedy texts of the demo model
 * changes). Where there are such products they are used for every number of activations. */
#define KERNEL_ROUNDED_FROM   512u
#define KERNEL_QUANTISED_FROM 576u
/* Room for one prepared activation of k elements, whatever it is prepared for: struct quant_x takes 1.375
 * bytes for each of up to k + 255, from KERNEL_QUANTISED_FROM on. */
#define KERNEL_PREPARED_BYTES(k) (2 * (size_t)(k))
_Static_assert(11 * (KERNEL_QUANTISED_FROM + 255) / 8 <= KERNEL_PREPARED_BYTES(KERNEL_QUANTISED_FROM),
               "quantised activations fit");
/* x [k], out: what dot_prepared takes for one activation, dense: KERNEL_ROUNDED_BYTES(k) of bf16. */
#define KERNEL_ROUNDED_BYTES(k) (2 * (size_t)(k))
typedef void kernel_prepare_fn(const float *x, size_t k, void *out);
/* As kernel_dot_fn, of prepared activations x [n_x]. */
typedef void kernel_dot_prepared_fn(const void *w, size_t rows, size_t k, const void *x, size_t n_x,
                                    float *out, size_t ld_out);
/* Rows [first, first + n) of an fp8 matrix, which has scales, with one activation x: to the last bit
 * the f32 product of the dequantised weights. A block of scales
 * is a multiple of KERNEL_FP8_STEP columns, or all, and all scales of these rows are below
 * KERNEL_FP8_DOT_SCALE. out [n]. */
#define KERNEL_FP8_STEP      32u
#define KERNEL_FP8_DOT_SCALE 0x1p7f
typedef void kernel_fp8_dot_fn(const struct tensor_view *w, size_t first, size_t n, const float *x,
                               float *out);
/* How a KV cache element is written and read; q8: int8, each KV_GROUP of a head with a scale (kernel/kv.h).
 */
enum kv_type { KV_F32, KV_F16, KV_Q8 };

/* The KV cache is split in blocks of KERNEL_KV_BLOCK positions (what lies where: kernel/kv.h), and attention
 * in spans of KERNEL_KV_SPAN: each span of a query is done by itself, and spans are merged in their order.
 * All are absolute, so it does not matter which queries are computed together, or where. */
#define KERNEL_KV_BLOCK 32
#define KERNEL_KV_SPAN  512
/* Queries that a task may have; one token's, if they are more. */
#define KERNEL_QUERIES 64

/* One span of the query heads of a KV head, for neighbouring tokens: token t stands at position + t, and sees
 * itself and what comes before it, `window` positions in all (0: all there are). Blocks that none of them
 * sees are not read.
 *
 * state [tokens x heads, kernel_attention_state()]: of each query the greatest score, the sum of
 * exp(score - greatest), and that sum with the values as factors; both sums are 0 where it sees nothing of
 * the span. Online softmax, f32. */
struct attention_task {
    const float *query;           /* [tokens, heads, head_dim], already scaled */
    size_t query_step;            /* between two tokens, in floats */
    const uint8_t *const *blocks; /* block b of the sequence */
    size_t offset;                /* of the KV head in each block, in bytes */
    enum kv_type type;
    uint32_t head_dim, heads, tokens;
    uint32_t position, window, span;
    float *state;
    float *work; /* [kernel_attention_work()], aligned as pointers are */
};
size_t kernel_attention_state(uint32_t head_dim);
size_t kernel_attention_work(uint32_t head_dim, uint32_t queries);

/* out = x / sqrt(mean(x^2) + eps) * weight, all [n]; out may be x. */
typedef void kernel_rms_norm_fn(const float *x, const float *weight, float eps, size_t n, float *out);
/* x [n_heads, head_dim], rotated in place: pairs (i, i + rot/2) for i < rot/2; cos, sin [rot/2]. */
typedef void kernel_rope_fn(float *x, size_t n_heads, size_t head_dim, size_t rot, const float *cos,
                            const float *sin);
/* gate = activation(gate) * up, both [n]. */
typedef void kernel_gate_fn(float *gate, const float *up, size_t n);
/* x += y, both [n]. */
typedef void kernel_add_fn(float *x, const float *y, size_t n);
/* x = e^x, [n], within 1.01 units in the last place (in those of the least normal number, where the result is
 * below it). */
typedef void kernel_exp_fn(float *x, size_t n);
/* out [n] as f16, rounded to nearest even. */
typedef void kernel_store_f16_fn(const float *x, size_t n, uint16_t *out);
typedef void kernel_attention_fn(const struct attention_task *task);
/* The states of `n` queries, made to hold what those of the spans after them hold. */
typedef void kernel_merge_fn(float *states, const float *later, size_t n, uint32_t head_dim);
/* out [head_dim]: the result of a query's state. */
typedef void kernel_finish_fn(const float *state, uint32_t head_dim, float *out);
/* Multiply-adds between registers, in `rounds` rounds, as fast as the processor goes: how many they were.
 * Each adds io^2, where that is 1, to the sum that *io is in the end. Not for the forward pass: what its
 * kernels are measured by. */
typedef uint64_t kernel_peak_fn(uint64_t rounds, float *io);
/* Reads n bytes, a multiple of KERNEL_READ_STEP, as fast as they come: the sum of the f32 that they are.
 * `ahead`: bytes by which lines are fetched ahead; 0: they are not. Likewise to measure by. */
#define KERNEL_READ_STEP 1024u
typedef float kernel_read_fn(const void *p, size_t n, size_t ahead);
/* f32 fused (generic: one after the other); pairs of bf16 added to f32; fours of int8 added to int32. */
enum kernel_peak { PEAK_F32, PEAK_BF16, PEAK_INT8, PEAK_COUNT };

#define KERNEL_BLAS_NEVER UINT32_MAX
struct kernel_table {
    const char *name;                       /* "generic", "neon", "avx2", "avx512" */
    kernel_widen_fn *widen[LR_DTYPE_COUNT]; /* NULL where the dtype is not supported */
    kernel_dot_fn *dot[LR_DTYPE_COUNT];
    kernel_dequantise_fn *dequantise[LR_DTYPE_COUNT]; /* of fp8, which has neither of the two above */
    kernel_prepare_fn *prepare[LR_DTYPE_COUNT];       /* both NULL where products of that dtype are precise */
    kernel_dot_prepared_fn *dot_prepared[LR_DTYPE_COUNT];
    kernel_fp8_dot_fn *dot_fp8[LR_DTYPE_COUNT]; /* NULL: there is none */
    kernel_quantise_fn *quantise[QUANT_FORMATS];
    kernel_quant_x_fn *quant_x;
    kernel_quant_dot_fn *quant_dot[QUANT_FORMATS];
    kernel_quant_precise_fn *quant_precise;
    kernel_rms_norm_fn *rms_norm;
    kernel_rope_fn *rope;
    kernel_gate_fn *silu_mul;
    kernel_gate_fn *gelu_mul; /* erf form */
    kernel_gate_fn *gelu_tanh_mul, *relu_mul;
    kernel_add_fn *add;
    kernel_exp_fn *exp;
    kernel_store_f16_fn *store_f16;
    kernel_attention_fn *attention;
    kernel_merge_fn *merge;
    kernel_finish_fn *finish;
    kernel_read_fn *read;
    kernel_peak_fn *peak[PEAK_COUNT]; /* NULL where there is none */
    /* Under MATMUL_AUTO OpenBLAS takes products of this many activations and more (KERNEL_BLAS_NEVER). */
    uint32_t blas_from;
};

/* The table for `features` (enum cpu_feature), no higher than `isa` (NULL: the best). LR_EUSAGE names the
 * known ones. */
enum lr_status kernel_select(uint32_t features, const char *isa, const struct kernel_table **out,
                             struct lr_error *err);

/* Elements [col, col + n) of a row of a matrix that is not of our own formats, as f32: out [n]. */
void tensor_widen(const struct kernel_table *kernels, const struct tensor_view *w, uint64_t row, uint64_t col,
                  size_t n, float *out);

/* How products are done; one for an engine. */
enum matmul_mode { MATMUL_AUTO, MATMUL_NATIVE, MATMUL_BLAS };
struct matmul {
    const struct kernel_table *kernels;
    struct threads *threads;
    enum matmul_mode mode;
    bool precise;  /* no products of reduced precision */
    void *blas;    /* per-thread panels for kernel/blas.c; NULL where all products are native */
    float *panels; /* [threads, panel] for kernel/fp8.c; NULL where no weights are fp8 */
    size_t panel;
};

/* Prepares: with blas, and with auto where `kernels` are ever slower than it, loads OpenBLAS, allocates the
 * panels and warms its buffers (one call a thread). Where OpenBLAS is not installed, or a limit leaves no
 * room for its buffers, native is taken and a warning logged. */
enum lr_status matmul_open(const struct kernel_table *kernels, struct threads *threads, enum matmul_mode mode,
                           bool precise, struct matmul *out, struct lr_error *err);
void matmul_close(struct matmul *m);
/* Takes the memory, a mebibyte a thread or somewhat more, that native products with fp8 matrices of up to
 * `cols` columns need, touched; 0: gives it back. */
enum lr_status matmul_take_panels(struct matmul *m, uint64_t cols, struct lr_error *err);
/* Bytes that matmul_open takes for `threads`: panels and OpenBLAS's own buffers. */
uint64_t matmul_memory(const struct kernel_table *kernels, enum matmul_mode mode, uint32_t threads);

/* Activations of products with weights of one dtype. */
struct matmul_input {
    const float *x; /* [n_x, k], dense; NULL: not prepared yet */
    size_t n_x;
    enum lr_dtype dtype;
    const void *prepared; /* NULL: the products take x, or with quantised weights: */
    struct quant_x quant; /* q NULL: x, and the weights widened */
};

/* Prepares x [n_x, k] for all products with weights of `dtype`; `room` [n_x, KERNEL_PREPARED_BYTES(k)]
 * belongs to the caller and stays in use as long as *out. */
void matmul_prepare(const struct matmul *m, enum lr_dtype dtype, const float *x, size_t n_x, size_t k,
                    void *room, struct matmul_input *out);

/* What products with weights of `dtype` and K = k are made of. */
enum kernel_peak matmul_peak(const struct matmul *m, enum lr_dtype dtype, size_t k);

/* out[m * ld_out + r] = x[m, :] . w[r, :] + bias[r] for all rows of `w`; k is w->cols; bias [w->rows] or
 * NULL. Threads split the rows. */
void matmul_run(const struct matmul *m, const struct tensor_view *w, const float *bias,
                const struct matmul_input *in, float *out, size_t ld_out);

#endif
