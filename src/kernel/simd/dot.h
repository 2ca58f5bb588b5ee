/* dot.h - widening and products, written in an instruction set's vector words; included once by each.
 *
 * Every output has one vector of running sums: element k goes to lane k mod VEC, in the order of k, and the
 * lanes are added by vec_total4()'s tree. Nothing else about an output's sum depends on the tile it is in. */
#include "kernel/simd/total.h"
#include "kernel/tables.h"

#define ALWAYS_INLINE inline __attribute__((always_inline))

static ALWAYS_INLINE vec weight(enum lr_dtype dtype, const char *p) {
    return dtype == LR_F32 ? vec_load(p) : dtype == LR_F16 ? vec_f16(p) : vec_bf16(p);
}
static ALWAYS_INLINE vec weight_part(enum lr_dtype dtype, const char *p, size_t n) {
    return dtype == LR_F32 ? vec_load_part(p, n) : dtype == LR_F16 ? vec_f16_part(p, n) : vec_bf16_part(p, n);
}
static ALWAYS_INLINE size_t weight_size(enum lr_dtype dtype) {
    return dtype == LR_F32 ? 4 : 2;
}

static ALWAYS_INLINE void widen(enum lr_dtype dtype, const char *src, float *out, size_t n) {
    size_t i = 0, size = weight_size(dtype);
    for (; i + VEC <= n; i += VEC) vec_store(out + i, weight(dtype, src + i * size));
    if (i < n) vec_store_part(out + i, weight_part(dtype, src + i * size, n - i), n - i);
}

/* What a product is asked for. */
struct dot {
    const char *w; /* [rows, k] */
    size_t rows, k;
    const float *x; /* [n_x, k], row stride ld_x */
    size_t ld_x, n_x;
    float *out; /* [n_x, rows], row stride ld_out */
    size_t ld_out;
};

enum { TILE_MAX = TILE_ROWS * TILE_X > DECODE_ROWS ? TILE_ROWS *TILE_X : DECODE_ROWS };

/* Outputs of `n_rows` rows from r and `n_x` activations from m on; both constants where it is inlined. */
static ALWAYS_INLINE void tile(enum lr_dtype dtype, const struct dot *t, size_t r, size_t m, const int n_rows,
                               const int n_x) {
    const size_t size = weight_size(dtype), k = t->k, ld_x = t->ld_x;
    const char *w = t->w + r * k * size;
    const float *x = t->x + m * ld_x;
    vec sums[TILE_MAX + 3], row[TILE_ROWS > DECODE_ROWS ? TILE_ROWS : DECODE_ROWS];
#pragma GCC unroll 32
    for (int i = 0; i < n_rows * n_x; i++) sums[i] = vec_zero();
    size_t at = 0;
    for (; at + VEC <= k; at += VEC) {
#pragma GCC unroll 8
        for (int i = 0; i < n_rows; i++) row[i] = weight(dtype, w + ((size_t)i * k + at) * size);
#pragma GCC unroll 8
        for (int j = 0; j < n_x; j++) {
            vec v = vec_load(x + (size_t)j * ld_x + at);
#pragma GCC unroll 8
            for (int i = 0; i < n_rows; i++) sums[j * n_rows + i] = vec_fma(row[i], v, sums[j * n_rows + i]);
        }
    }
    if (at < k) {
#pragma GCC unroll 8
        for (int i = 0; i < n_rows; i++) row[i] = weight_part(dtype, w + ((size_t)i * k + at) * size, k - at);
#pragma GCC unroll 8
        for (int j = 0; j < n_x; j++) {
            vec v = vec_load_part(x + (size_t)j * ld_x + at, k - at);
#pragma GCC unroll 8
            for (int i = 0; i < n_rows; i++) sums[j * n_rows + i] = vec_fma(row[i], v, sums[j * n_rows + i]);
        }
    }
    float total[TILE_MAX + 3];
#pragma GCC unroll 3
    for (int i = n_rows * n_x; i % 4 != 0; i++) sums[i] = vec_zero();
#pragma GCC unroll 8
    for (int i = 0; i < n_rows * n_x; i += 4)
        _mm_storeu_ps(total + i, vec_total4(sums[i], sums[i + 1], sums[i + 2], sums[i + 3]));
#pragma GCC unroll 8
    for (int j = 0; j < n_x; j++)
#pragma GCC unroll 8
        for (int i = 0; i < n_rows; i++)
            t->out[(m + (size_t)j) * t->ld_out + r + (size_t)i] = total[j * n_rows + i];
}

/* All rows against `n_x` activations from m on. */
static ALWAYS_INLINE void panel(enum lr_dtype dtype, const struct dot *t, size_t m, const int n_x) {
    size_t r = 0;
    const int step = n_x == 1 ? DECODE_ROWS : TILE_ROWS;
    for (; r + (size_t)step <= t->rows; r += (size_t)step) tile(dtype, t, r, m, step, n_x);
    for (; r < t->rows; r++) tile(dtype, t, r, m, 1, n_x);
}

static ALWAYS_INLINE void dot(enum lr_dtype dtype, const struct dot *t) {
    size_t m = 0;
    for (; m + TILE_X <= t->n_x; m += TILE_X) panel(dtype, t, m, TILE_X);
    switch (t->n_x - m) {
    case 5:
        panel(dtype, t, m, 5);
        break;
    case 4:
        panel(dtype, t, m, 4);
        break;
    case 3:
        panel(dtype, t, m, 3);
        break;
    case 2:
        panel(dtype, t, m, 2);
        break;
    case 1:
        panel(dtype, t, m, 1);
        break;
    default:
        break;
    }
}

#define DEFINE_DTYPE(label, dtype)                                                                           \
    void KERNEL_NAME(widen_##label)(const void *src, float *out, size_t n) {                                 \
        widen(dtype, src, out, n);                                                                           \
    }                                                                                                        \
    void KERNEL_NAME(dot_##label)(const void *w, size_t rows, size_t k, const float *x, size_t ld_x,         \
                                  size_t n_x, float *out, size_t ld_out) {                                   \
        dot(dtype, &(const struct dot){w, rows, k, x, ld_x, n_x, out, ld_out});                              \
    }
DEFINE_DTYPE(f32, LR_F32)
DEFINE_DTYPE(f16, LR_F16)
DEFINE_DTYPE(bf16, LR_BF16)
