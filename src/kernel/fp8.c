#include "kernel/fp8.h"

#include <math.h>

/* Rows are taken in whole tiles where there is room for some. */
#define PANEL_FLOATS (256u << 10)
#define PANEL_ROWS   12u

static const struct tensor_scales *scales_of(const struct tensor_view *w) {
    static const float one = 1;
    static const struct tensor_scales none = {&one, UINT64_MAX, UINT64_MAX, 1};
    return w->scales ? w->scales : &none;
}

void tensor_widen(const struct kernel_table *kernels, const struct tensor_view *w, uint64_t row, uint64_t col,
                  size_t n, float *out) {
    const char *src = (const char *)w->data + (row * w->cols + col) * lr_dtype_size(w->dtype);
    if (!lr_dtype_is_fp8(w->dtype)) {
        kernels->widen[w->dtype](src, out, n);
        return;
    }
    const struct tensor_scales *s = scales_of(w);
    const float *scale = s->values + (w->first + row) / s->block_rows * s->across;
    for (size_t at = 0; at < n;) {
        uint64_t block = (col + at) / s->block_cols, left = s->block_cols - (col + at) % s->block_cols;
        size_t len = n - at < left ? n - at : (size_t)left;
        kernels->dequantise[w->dtype](src + at, scale[block], out + at, len);
        at += len;
    }
}

size_t fp8_panel(uint64_t cols) {
    return cols > PANEL_FLOATS ? (size_t)cols : PANEL_FLOATS;
}

/* Rows [first, first + n), n x cols <= the panel's floats. */
static void multiply(const struct kernel_table *t, const struct tensor_view *w, size_t first, size_t n,
                     const struct matmul_input *in, float *panel, float *out, size_t ld_out) {
    size_t k = w->cols;
    for (size_t r = 0; r < n; r++) tensor_widen(t, w, first + r, 0, k, panel + r * k);
    t->dot[LR_F32](panel, n, k, in->x, k, in->n_x, out, ld_out);
}

/* Rows that are in the panel at once. */
static size_t rows_at_once(const struct matmul *m, size_t k) {
    size_t rows = k ? m->panel / k : m->panel;
    if (rows > PANEL_ROWS) rows -= rows % PANEL_ROWS;
    return rows ? rows : 1;
}

/* Whether the scales of `n` > 0 rows are what kernels for one activation take. */
static bool fit_one(const struct tensor_view *w, size_t first, size_t n) {
    const struct tensor_scales *s = w->scales;
    uint64_t at = (w->first + first) / s->block_rows * s->across;
    uint64_t end = ((w->first + first + n - 1) / s->block_rows + 1) * s->across;
    if (s->block_cols % KERNEL_FP8_STEP && s->block_cols < w->cols) return false;
    while (at < end && fabsf(s->values[at]) < KERNEL_FP8_DOT_SCALE) at++;
    return at == end;
}

/* In the registers; false where there is no such way. */
static bool one_activation(const struct kernel_table *t, const struct tensor_view *w, size_t first, size_t n,
                           const struct matmul_input *in, float *out) {
    kernel_fp8_dot_fn *dot = t->dot_fp8[w->dtype];
    struct tensor_view scaled = *w;
    scaled.scales = scales_of(w);
    if (!dot || !fit_one(&scaled, first, n)) return false;
    dot(&scaled, first, n, in->x, out);
    return true;
}

void fp8_rows(const struct matmul *m, uint32_t thread, const struct tensor_view *w, size_t first, size_t n,
              const struct matmul_input *in, float *out, size_t ld_out) {
    if (in->n_x == 1 && one_activation(m->kernels, w, first, n, in, out)) return;
    float *panel = m->panels + (size_t)thread * m->panel;
    size_t most = rows_at_once(m, w->cols);
    for (size_t at = 0; at < n; at += most) {
        size_t rows = n - at < most ? n - at : most;
        multiply(m->kernels, w, first + at, rows, in, panel, out + at, ld_out);
    }
}
