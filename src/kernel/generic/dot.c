/* Weights widened to f32, with scales or without, and dot products, in plain C. */
#include "kernel/generic/lanes.h"
#include "kernel/half.h"
#include "kernel/tables.h"

enum {
    CHUNK = 512, /* elements widened at once; a multiple of LANES */
    GROUP = 4    /* activations that share a widened chunk */
};

void widen_f32_generic(const void *src, float *out, size_t n) {
    memcpy(out, src, n * sizeof *out);
}

void widen_f16_generic(const void *src, float *out, size_t n) {
    for (size_t i = 0; i < n; i++) {
        uint16_t h;
        memcpy(&h, (const char *)src + i * sizeof h, sizeof h);
        out[i] = float_of_f16(h);
    }
}

void widen_bf16_generic(const void *src, float *out, size_t n) {
    for (size_t i = 0; i < n; i++) {
        uint16_t h;
        memcpy(&h, (const char *)src + i * sizeof h, sizeof h);
        out[i] = float_of_bf16(h);
    }
}

void dequantise_e4m3_generic(const void *src, float scale, float *out, size_t n) {
    const uint8_t *b = src;
    for (size_t i = 0; i < n; i++) out[i] = float_of_e4m3(b[i]) * scale;
}

void dequantise_e5m2_generic(const void *src, float scale, float *out, size_t n) {
    const uint8_t *b = src;
    for (size_t i = 0; i < n; i++) out[i] = float_of_e5m2(b[i]) * scale;
}

/* One weight row against `n_x` <= GROUP activations. */
static inline void dot_group(kernel_widen_fn *widen, size_t size, const char *w, size_t k, const float *x,
                             size_t ld_x, size_t n_x, float *out, size_t ld_out) {
    float sums[GROUP][LANES] = {{0}}, row[CHUNK];
    for (size_t at = 0; at < k; at += CHUNK) {
        size_t n = k - at < CHUNK ? k - at : CHUNK;
        widen(w + at * size, row, n);
        for (size_t m = 0; m < n_x; m++) lanes_dot(sums[m], row, x + m * ld_x + at, n);
    }
    for (size_t m = 0; m < n_x; m++) out[m * ld_out] = lanes_total(sums[m]);
}

static inline void dot_rows(kernel_widen_fn *widen, size_t size, const void *w, size_t rows, size_t k,
                            const float *x, size_t ld_x, size_t n_x, float *out, size_t ld_out) {
    for (size_t r = 0; r < rows; r++)
        for (size_t m = 0; m < n_x; m += GROUP)
            dot_group(widen, size, (const char *)w + r * k * size, k, x + m * ld_x, ld_x,
                      n_x - m < GROUP ? n_x - m : GROUP, out + m * ld_out + r, ld_out);
}

void dot_f32_generic(const void *w, size_t rows, size_t k, const float *x, size_t ld_x, size_t n_x,
                     float *out, size_t ld_out) {
    dot_rows(widen_f32_generic, 4, w, rows, k, x, ld_x, n_x, out, ld_out);
}

void dot_f16_generic(const void *w, size_t rows, size_t k, const float *x, size_t ld_x, size_t n_x,
                     float *out, size_t ld_out) {
    dot_rows(widen_f16_generic, 2, w, rows, k, x, ld_x, n_x, out, ld_out);
}

void dot_bf16_generic(const void *w, size_t rows, size_t k, const float *x, size_t ld_x, size_t n_x,
                      float *out, size_t ld_out) {
    dot_rows(widen_bf16_generic, 2, w, rows, k, x, ld_x, n_x, out, ld_out);
}
