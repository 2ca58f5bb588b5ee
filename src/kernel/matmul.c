/* Matrix products over all threads: native dot products or OpenBLAS, row pieces handed out one by one. */
#include "base/mem.h"
#include "kernel/blas.h"
#include "kernel/fp8.h"

/* A task reads about this many bytes of weights: enough to hide the handing out, and few enough to stay in
 * the second-level cache while all activations pass over them. One activation reads them once: long pieces
 * are read faster (measured: by a tenth), while there are some for each thread, so that all end together. */
#define PIECE_BYTES       (128u << 10)
#define PIECE_BYTES_MOST  (1u << 20)
#define PIECES_PER_THREAD 8
/* Rows of a piece are a multiple of this, so that tiles are whole; with more than a few activations of the
 * second, as each tile of activations is copied once a piece. */
#define PIECE_ROWS         12
#define PIECE_ROWS_PREFILL 48
/* Quantised weights with more than a few activations: whole pairs of groups, as many as PIECES_PER_THREAD
 * leaves, since kernels cut them as the caches want it. */
#define PIECE_ROWS_QUANTISED 32
#define PIECE_ROWS_MOST      192

struct product {
    const struct matmul *m;
    const struct tensor_view *w;
    const float *bias;
    const struct matmul_input *in;
    float *out;
    size_t ld_out;
    size_t piece; /* rows of a task */
    bool blas;
};

static bool wants_blas(const struct kernel_table *kernels, enum matmul_mode mode) {
    return mode == MATMUL_BLAS || (mode == MATMUL_AUTO && kernels->blas_from != KERNEL_BLAS_NEVER);
}

enum lr_status matmul_open(const struct kernel_table *kernels, struct threads *threads, enum matmul_mode mode,
                           bool precise, struct matmul *out, struct lr_error *err) {
    struct blas *blas = NULL;
    *out = (struct matmul){.kernels = kernels, .threads = threads, .mode = MATMUL_NATIVE, .precise = precise};
    if (wants_blas(kernels, mode)) LR_TRY(blas_open(kernels, threads, &blas, err));
    out->blas = blas;
    if (blas) out->mode = mode;
    return LR_OK;
}

enum lr_status matmul_take_panels(struct matmul *m, uint64_t cols, struct lr_error *err) {
    lr_free(m->panels);
    m->panels = NULL;
    m->panel = 0;
    if (!cols) return LR_OK;
    size_t panel = fp8_panel(cols), size = panel * sizeof(float) * threads_count(m->threads);
    m->panels = lr_malloc(size);
    if (!m->panels) return lr_fail_memory(err, "panels for fp8 weights", size);
    memset(m->panels, 0, size);
    m->panel = panel;
    return LR_OK;
}

void matmul_close(struct matmul *m) {
    lr_free(m->panels);
    blas_close(m->blas);
    *m = (struct matmul){0};
}

uint64_t matmul_memory(const struct kernel_table *kernels, enum matmul_mode mode, uint32_t threads) {
    return wants_blas(kernels, mode) ? blas_memory(threads) : 0;
}

static uint64_t piece_bytes(uint64_t weights, size_t n_x, uint32_t threads) {
    uint64_t bytes = weights / ((uint64_t)threads * PIECES_PER_THREAD);
    if (n_x > 1 || bytes < PIECE_BYTES) return PIECE_BYTES;
    return bytes < PIECE_BYTES_MOST ? bytes : PIECE_BYTES_MOST;
}

static size_t quantised_piece(uint64_t all, uint32_t threads) {
    uint64_t rows = all / ((uint64_t)threads * PIECES_PER_THREAD);
    if (rows > PIECE_ROWS_MOST) rows = PIECE_ROWS_MOST;
    return (size_t)(rows < PIECE_ROWS_QUANTISED ? PIECE_ROWS_QUANTISED : rows - rows % PIECE_ROWS_QUANTISED);
}

/* About `rows` rows, and, as far as whole tiles allow it, as many pieces for one thread as for the other:
 * with 17 pieces and a rest of two threads one would have nothing to read for a twentieth of the time. */
static size_t even_piece(const struct tensor_view *w, uint64_t rows, uint32_t threads) {
    uint64_t step = quant_rows(w->dtype) == 1 ? PIECE_ROWS : quant_rows(w->dtype);
    if (rows == 0) rows = 1;
    uint64_t pieces = (w->rows + rows / 2) / rows;
    if (pieces > threads) pieces -= pieces % threads;
    if (pieces > 1) rows = (w->rows + pieces - 1) / pieces;
    return (size_t)((rows + step - 1) / step * step);
}

static size_t native_piece(const struct tensor_view *w, size_t n_x, uint32_t threads) {
    if (n_x >= PIECE_ROWS && quant_rows(w->dtype) > 1) return quantised_piece(w->rows, threads);
    uint64_t row = quant_row_bytes(w->dtype, w->cols);
    uint64_t rows = row == 0 ? w->rows : piece_bytes(row * w->rows, n_x, threads) / row;
    if (n_x == 1) return even_piece(w, rows, threads);
    size_t step = n_x < PIECE_ROWS && quant_rows(w->dtype) == 1 ? PIECE_ROWS : PIECE_ROWS_PREFILL;
    return (size_t)(rows < step ? step : rows - rows % step);
}

/* ---- preparing activations */

struct preparation {
    const struct kernel_table *kernels;
    kernel_prepare_fn *prepare;
    const float *x;
    char *out;
    size_t k;
    enum quant_format format;
    struct quant_x quant;
};

static void prepare_one(void *ctx, uint32_t task, uint32_t thread) {
    (void)thread;
    const struct preparation *p = ctx;
    p->prepare(p->x + task * p->k, p->k, p->out + task * KERNEL_ROUNDED_BYTES(p->k));
}

static void quantise_one(void *ctx, uint32_t task, uint32_t thread) {
    (void)thread;
    const struct preparation *p = ctx;
    size_t padded = quant_x_padded(p->k), at = task * padded;
    struct quant_x out = {p->quant.q + at, p->quant.scale + at / QUANT_X_BLOCK, p->quant.bias};
    out.bias += at / (p->format == QUANT_Q8 ? QUANT_Q8_UNIT : QUANT_Q4_BLOCK);
    p->kernels->quant_x(p->format, p->x + task * p->k, p->k, p->k, 1, &out);
}

/* In `room`: all q, all scales, all biases. */
static struct quant_x quant_x_in(void *room, size_t n_x, size_t k) {
    size_t padded = quant_x_padded(k);
    struct quant_x x = {.q = room};
    void *scale = x.q + n_x * padded;
    x.scale = scale;
    void *bias = x.scale + n_x * padded / QUANT_X_BLOCK;
    x.bias = bias;
    return x;
}

/* Whether activations for weights of `dtype` are prepared for products of reduced precision. */
static bool is_reduced(const struct matmul *m, enum lr_dtype dtype, size_t k) {
    enum quant_format format;
    if (m->precise) return false;
    if (quant_format_of(dtype, &format)) return k >= KERNEL_QUANTISED_FROM;
    return m->kernels->prepare[dtype] && m->mode != MATMUL_BLAS && k >= KERNEL_ROUNDED_FROM;
}

enum kernel_peak matmul_peak(const struct matmul *m, enum lr_dtype dtype, size_t k) {
    enum quant_format format;
    if (!is_reduced(m, dtype, k)) return PEAK_F32;
    return quant_format_of(dtype, &format) ? PEAK_INT8 : PEAK_BF16;
}

void matmul_prepare(const struct matmul *m, enum lr_dtype dtype, const float *x, size_t n_x, size_t k,
                    void *room, struct matmul_input *out) {
    *out = (struct matmul_input){.x = x, .n_x = n_x, .dtype = dtype};
    struct preparation p = {
        .kernels = m->kernels, .prepare = m->kernels->prepare[dtype], .x = x, .out = room, .k = k};
    if (quant_format_of(dtype, &p.format)) {
        if (!is_reduced(m, dtype, k) || n_x == 0) return;
        out->quant = p.quant = quant_x_in(room, n_x, k);
        threads_run(m->threads, (uint32_t)n_x, quantise_one, &p);
        return;
    }
    if (!is_reduced(m, dtype, k)) return;
    threads_run(m->threads, (uint32_t)n_x, prepare_one, &p);
    out->prepared = room;
}

/* ---- products */

static void add_bias(const struct product *p, size_t first, size_t n) {
    for (size_t i = 0; i < p->in->n_x; i++)
        p->m->kernels->add(p->out + i * p->ld_out + first, p->bias + first, n);
}

static void run_quantised(const struct product *p, enum quant_format format, size_t first, size_t n) {
    const struct tensor_view *w = p->w;
    const char *rows = (const char *)w->data + first * quant_row_bytes(w->dtype, w->cols);
    if (p->in->quant.q)
        p->m->kernels->quant_dot[format](rows, n, w->cols, &p->in->quant, p->in->n_x, p->out + first,
                                         p->ld_out);
    else
        p->m->kernels->quant_precise(format, rows, n, w->cols, p->in->x, w->cols, p->in->n_x, p->out + first,
                                     p->ld_out);
}

static void run_native(const struct product *p, size_t first, size_t n, uint32_t thread) {
    const struct tensor_view *w = p->w;
    const struct kernel_table *t = p->m->kernels;
    const char *rows = (const char *)w->data + first * w->cols * lr_dtype_size(w->dtype);
    enum quant_format format;
    if (quant_format_of(w->dtype, &format))
        run_quantised(p, format, first, n);
    else if (lr_dtype_is_fp8(w->dtype))
        fp8_rows(p->m, thread, w, first, n, p->in, p->out + first, p->ld_out);
    else if (p->in->prepared)
        t->dot_prepared[w->dtype](rows, n, w->cols, p->in->prepared, p->in->n_x, p->out + first, p->ld_out);
    else
        t->dot[w->dtype](rows, n, w->cols, p->in->x, w->cols, p->in->n_x, p->out + first, p->ld_out);
}

static void run_piece(void *ctx, uint32_t task, uint32_t thread) {
    const struct product *p = ctx;
    const struct tensor_view *w = p->w;
    size_t first = task * p->piece, n = w->rows - first < p->piece ? w->rows - first : p->piece;
    if (p->blas)
        blas_rows(p->m->blas, thread, w, first, n, p->in->x, p->in->n_x, p->out, p->ld_out);
    else
        run_native(p, first, n, thread);
    if (p->bias) add_bias(p, first, n);
}

void matmul_run(const struct matmul *m, const struct tensor_view *w, const float *bias,
                const struct matmul_input *in, float *out, size_t ld_out) {
    size_t n_x = in->n_x;
    if (n_x == 0 || w->rows == 0) return;
    struct product p = {.m = m, .w = w, .bias = bias, .in = in, .ld_out = ld_out};
    p.out = out;
    bool want_blas = m->mode == MATMUL_BLAS || (m->mode == MATMUL_AUTO && n_x >= m->kernels->blas_from);
    p.piece = want_blas && quant_rows(w->dtype) == 1 ? blas_piece(w, n_x) : 0;
    p.blas = p.piece > 0;
    if (!p.blas) p.piece = native_piece(w, n_x, threads_count(m->threads));
    threads_run(m->threads, (uint32_t)((w->rows + p.piece - 1) / p.piece), run_piece, &p);
}
