/* fp8.h - fp8 weights dequantised, and multiplied with one activation without leaving the registers; behind
 * dot.h, in the same words. The sums are those of dot.h, of f32, in the same order. */
#include "kernel/half.h"

#include <math.h>

/* The words give e4m3 E4M3_FOLD too small, as it stands in a wider number; the scale makes up for that,
 * exactly: below KERNEL_FP8_DOT_SCALE the product is finite. */
static ALWAYS_INLINE vec fp8_load(enum lr_dtype dtype, const char *p) {
    return dtype == LR_F8_E4M3 ? vec_e4m3(p) : vec_e5m2(p);
}
static ALWAYS_INLINE vec fp8_scale(enum lr_dtype dtype, float scale) {
    return vec_all(dtype == LR_F8_E4M3 ? scale * E4M3_FOLD : scale);
}

/* Whether there is a NaN that the words take for a number. */
static ALWAYS_INLINE bool fp8_loses_nan(enum lr_dtype dtype, const char *p, size_t n) {
    uint8_t most = 0;
    if (dtype != LR_F8_E4M3 || E4M3_KEEPS_NAN) return false;
    for (size_t i = 0; i < n; i++) {
        uint8_t magnitude = (uint8_t)p[i] & 0x7F;
        most = magnitude > most ? magnitude : most;
    }
    return most == 0x7F;
}

static ALWAYS_INLINE factor fp8_weight(enum lr_dtype dtype, const char *p, vec scale) {
    return vec_mul(fp8_load(dtype, p), scale);
}

/* One by one, whatever they are. */
static void dequantise_any(const char *src, float scale, float *out, size_t n) {
    for (size_t i = 0; i < n; i++) out[i] = float_of_e4m3((uint8_t)src[i]) * scale;
}

static ALWAYS_INLINE void dequantise(enum lr_dtype dtype, const char *src, float scale, float *out,
                                     size_t n) {
    if (dtype == LR_F8_E4M3 && (fabsf(scale) >= KERNEL_FP8_DOT_SCALE || fp8_loses_nan(dtype, src, n))) {
        dequantise_any(src, scale, out, n);
        return;
    }
    const vec all = fp8_scale(dtype, scale);
    size_t i = 0;
    for (; i + CACHE_LINE <= n; i += CACHE_LINE)
#pragma GCC unroll 8
        for (size_t u = i; u < i + CACHE_LINE; u += VEC) vec_store(out + u, fp8_weight(dtype, src + u, all));
    for (; i + VEC <= n; i += VEC) vec_store(out + i, fp8_weight(dtype, src + i, all));
    if (i == n) return;
    char last[VEC] = {0};
    memcpy(last, src + i, n - i);
    vec_store_part(out + i, fp8_weight(dtype, last, all), n - i);
}

/* As many as it takes that a vector's sum is ready when its turn comes again: short vectors come sooner. */
enum { FP8_ROWS = VEC == 8 ? 4 : 2 };

/* Rows under way, and of each the scale of the block of K. */
struct fp8_tile {
    const char *w;
    const activation *x;
    size_t k;
    vec scales[FP8_ROWS], sums[4];
    vec_most most; /* of the elements so far; where a line is not whole, only whether one was a NaN: */
    bool nan;
};

static ALWAYS_INLINE void fp8_step(enum lr_dtype dtype, struct fp8_tile *t, size_t at, const int n_rows) {
    factor x = activation_load(t->x + at);
#pragma GCC unroll 4
    for (int i = 0; i < n_rows; i++) {
        factor w = fp8_weight(dtype, t->w + (size_t)i * t->k + at, t->scales[i]);
        t->sums[i] = multiply_add(w, x, t->sums[i]);
    }
}

/* The last elements of K, fewer than STEP. */
static ALWAYS_INLINE void fp8_rest(enum lr_dtype dtype, struct fp8_tile *t, size_t at, const int n_rows) {
    factor x = activation_load_part(t->x + at, t->k - at);
    for (int i = 0; i < n_rows; i++) {
        char last[STEP] = {0};
        memcpy(last, t->w + (size_t)i * t->k + at, t->k - at);
        t->sums[i] = multiply_add(fp8_weight(dtype, last, t->scales[i]), x, t->sums[i]);
    }
}

/* Elements [at, end) of K, which share the scales; `end` is a multiple of STEP, or the end of K. */
static ALWAYS_INLINE void fp8_block(enum lr_dtype dtype, struct fp8_tile *t, size_t at, size_t end,
                                    const int n_rows) {
    for (; at + CACHE_LINE <= end; at += CACHE_LINE) {
#pragma GCC unroll 4
        for (int i = 0; i < n_rows; i++) {
            fetch_ahead(t->w, DECODE_AHEAD + at * (size_t)n_rows + (size_t)i * CACHE_LINE);
            if (dtype == LR_F8_E4M3) t->most = vec_most_of(t->most, t->w + (size_t)i * t->k + at);
        }
#pragma GCC unroll 8
        for (size_t u = 0; u < CACHE_LINE; u += STEP) fp8_step(dtype, t, at + u, n_rows);
    }
    for (int i = 0; i < n_rows; i++) t->nan |= fp8_loses_nan(dtype, t->w + (size_t)i * t->k + at, end - at);
    for (; at + STEP <= end; at += STEP) fp8_step(dtype, t, at, n_rows);
    if (at < end) fp8_rest(dtype, t, at, n_rows);
}

static ALWAYS_INLINE void fp8_rows_dot(enum lr_dtype dtype, const struct tensor_view *w, size_t row,
                                       const activation *x, float *out, const int n_rows) {
    const struct tensor_scales *s = w->scales;
    struct fp8_tile t = {.w = (const char *)w->data + row * w->cols, .x = x, .k = w->cols};
    const float *scales[FP8_ROWS];
    float total[4];
    for (int i = 0; i < n_rows; i++)
        scales[i] = s->values + (w->first + row + (size_t)i) / s->block_rows * s->across;
    for (int i = 0; i < 4; i++) t.sums[i] = vec_zero();
    for (size_t at = 0, block = 0; at < t.k; block++) {
        size_t end = t.k - at > s->block_cols ? at + s->block_cols : t.k;
        for (int i = 0; i < n_rows; i++) t.scales[i] = fp8_scale(dtype, scales[i][block]);
        fp8_block(dtype, &t, at, end, n_rows);
        at = end;
    }
    quad_store(total, vec_total4(t.sums[0], t.sums[1], t.sums[2], t.sums[3]));
    for (int i = 0; i < n_rows; i++) out[i] = total[i];
    if (!t.nan && !vec_most_is_nan(t.most)) return;
    for (int i = 0; i < n_rows; i++)
        if (fp8_loses_nan(dtype, t.w + (size_t)i * t.k, t.k)) out[i] = NAN;
}

static ALWAYS_INLINE void fp8_dot(enum lr_dtype dtype, const struct tensor_view *w, size_t first, size_t n,
                                  const activation *x, float *out) {
    size_t r = 0;
    for (; r + FP8_ROWS <= n; r += FP8_ROWS) fp8_rows_dot(dtype, w, first + r, x, out + r, FP8_ROWS);
    for (; r < n; r++) fp8_rows_dot(dtype, w, first + r, x, out + r, 1);
}

#define DEFINE_DEQUANTISE(label, dtype)                                                                      \
    void KERNEL_NAME(dequantise_##label)(const void *src, float scale, float *out, size_t n) {               \
        dequantise(dtype, src, scale, out, n);                                                               \
    }
DEFINE_DEQUANTISE(e4m3, LR_F8_E4M3)
DEFINE_DEQUANTISE(e5m2, LR_F8_E5M2)
#define DEFINE_FP8_DOT(label, dtype)                                                                         \
    void KERNEL_NAME(dot_##label)(const struct tensor_view *w, size_t first, size_t n, const float *x,       \
                                  float *out) {                                                              \
        fp8_dot(dtype, w, first, n, x, out);                                                                 \
    }
DEFINE_FP8_DOT(e4m3, LR_F8_E4M3)
DEFINE_FP8_DOT(e5m2, LR_F8_E5M2)
