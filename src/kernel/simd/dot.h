/* dot.h - widening and products, written in an instruction set's vector words; included once by each. Words
 * with pairs (VEC_PAIRS, bf16 alone) take prepared activations and multiply and add two elements in each
 * lane.
 *
 * Every output has one vector of running sums: element k goes to lane k mod VEC, in the order of k, and the
 * lanes are added by vec_total4()'s tree. Nothing else about an output's sum depends on the tile it is in. */
#include "kernel/simd/inline.h"
#include "kernel/simd/total.h"
#include "kernel/tables.h"

static ALWAYS_INLINE size_t weight_size(enum lr_dtype dtype) {
    return dtype == LR_F32 ? 4 : 2;
}

/* The factors of a product, STEP elements of K in one word, and activations as they lie in memory. */
#ifdef VEC_PAIRS
typedef vec_pairs factor;
typedef uint16_t activation;
enum { STEP = 2 * VEC };
static ALWAYS_INLINE factor weight(enum lr_dtype dtype, const char *p) {
    (void)dtype;
    return vec_pairs_load(p);
}
static ALWAYS_INLINE factor weight_part(enum lr_dtype dtype, const char *p, size_t n) {
    (void)dtype;
    return vec_pairs_load_part(p, n);
}
static ALWAYS_INLINE factor activation_load(const activation *p) {
    return vec_pairs_load(p);
}
static ALWAYS_INLINE factor activation_load_part(const activation *p, size_t n) {
    return vec_pairs_load_part(p, n);
}
static ALWAYS_INLINE vec multiply_add(factor a, factor b, vec sum) {
    return vec_pairs_fma(a, b, sum);
}
#else
typedef vec factor;
typedef float activation;
enum { STEP = VEC };
static ALWAYS_INLINE factor weight(enum lr_dtype dtype, const char *p) {
    return dtype == LR_F32 ? vec_load(p) : dtype == LR_F16 ? vec_f16(p) : vec_bf16(p);
}
static ALWAYS_INLINE factor weight_part(enum lr_dtype dtype, const char *p, size_t n) {
    return dtype == LR_F32 ? vec_load_part(p, n) : dtype == LR_F16 ? vec_f16_part(p, n) : vec_bf16_part(p, n);
}
static ALWAYS_INLINE factor activation_load(const activation *p) {
    return vec_load(p);
}
static ALWAYS_INLINE factor activation_load_part(const activation *p, size_t n) {
    return vec_load_part(p, n);
}
static ALWAYS_INLINE vec multiply_add(factor a, factor b, vec sum) {
    return vec_fma(a, b, sum);
}

static ALWAYS_INLINE void widen(enum lr_dtype dtype, const char *src, float *out, size_t n) {
    size_t i = 0, size = weight_size(dtype);
    for (; i + VEC <= n; i += VEC) vec_store(out + i, weight(dtype, src + i * size));
    if (i < n) vec_store_part(out + i, weight_part(dtype, src + i * size, n - i), n - i);
}
#endif

/* What a product is asked for. */
struct dot {
    const char *w; /* [rows, k] */
    size_t rows, k;
    const activation *x; /* [n_x, k], row stride ld_x */
    size_t ld_x, n_x;
    float *out; /* [n_x, rows], row stride ld_out */
    size_t ld_out;
};

enum {
    ROWS_MAX = TILE_ROWS > DECODE_ROWS ? TILE_ROWS : DECODE_ROWS,
    TILE_MAX = TILE_ROWS * TILE_X > DECODE_ROWS ? TILE_ROWS *TILE_X : DECODE_ROWS,
    CACHE_LINE = 64,
    /* With several tiles of activations K is done in blocks: one tile's part of a block stays in the
     * first-level cache while CHUNK_ROWS rows pass over it. */
    K_BLOCK = 4096 / sizeof(activation),
    CHUNK_ROWS = 48
};

/* A tile under way: `n` elements of weight rows from w on and of activations from x on, a vector of sums for
 * each output. Where the functions below are inlined the counts are constants and the sums are registers. */
struct tile {
    const char *w;
    const activation *x;
    size_t row_bytes, ld_x, n;
    vec sums[TILE_MAX + 3]; /* [n_x, n_rows] */
};

/* Elements [at, at + STEP), or [at, at + part) where part is not 0. */
static ALWAYS_INLINE void step(enum lr_dtype dtype, struct tile *t, size_t at, size_t part, const int n_rows,
                               const int n_x) {
    factor row[ROWS_MAX];
    const char *w = t->w + at * weight_size(dtype);
#pragma GCC unroll 8
    for (int i = 0; i < n_rows; i++) {
        const char *p = w + (size_t)i * t->row_bytes;
        row[i] = part ? weight_part(dtype, p, part) : weight(dtype, p);
    }
#pragma GCC unroll 8
    for (int j = 0; j < n_x; j++) {
        const activation *p = t->x + (size_t)j * t->ld_x + at;
        factor x = part ? activation_load_part(p, part) : activation_load(p);
#pragma GCC unroll 8
        for (int i = 0; i < n_rows; i++)
            t->sums[j * n_rows + i] = multiply_add(row[i], x, t->sums[j * n_rows + i]);
    }
}

/* With the first tile of several activations the lines of the rows that come next are fetched (measured: a
 * tenth faster; later, when they come from the cache, up to a quarter slower). One activation takes few rows
 * at once, so that memory is read nearly in order, and the lines DECODE_AHEAD bytes further on (measured
 * beside eight rows at once without: a fifth to a third faster, and nine tenths of what only reading takes).
 */
static ALWAYS_INLINE void fetch_lines(const struct tile *t, size_t byte, const int n_rows, const int n_x) {
#pragma GCC unroll 8
    for (int i = 0; i < n_rows; i++) {
        size_t next_rows = (size_t)(n_rows + i) * t->row_bytes + byte;
        size_t further = DECODE_AHEAD + byte * (size_t)n_rows + (size_t)i * CACHE_LINE;
        fetch_ahead(t->w, n_x == 1 ? further : next_rows);
    }
}

/* A cache line of each row at a time; `fetch`: the weights come from memory. */
static ALWAYS_INLINE void accumulate(enum lr_dtype dtype, struct tile *t, bool fetch, const int n_rows,
                                     const int n_x) {
    const size_t size = weight_size(dtype), line = CACHE_LINE / size;
    size_t at = 0;
    for (; at + line <= t->n; at += line) {
        if (fetch) fetch_lines(t, at * size, n_rows, n_x);
#pragma GCC unroll 8
        for (size_t u = 0; u < line; u += STEP) step(dtype, t, at + u, 0, n_rows, n_x);
    }
    for (; at + STEP <= t->n; at += STEP) step(dtype, t, at, 0, n_rows, n_x);
    if (at < t->n) step(dtype, t, at, t->n - at, n_rows, n_x);
}

/* Of four rows: an activation's outputs are a quad. */
static ALWAYS_INLINE void store_quads(const struct tile *t, const int n_x, float *out, size_t ld_out) {
    int j = 0;
#ifdef VEC_TOTALS
    for (; j + 4 <= n_x; j += 4)
        vec_store_quads(out + (size_t)j * ld_out, ld_out, vec_totals(t->sums + (size_t)4 * (size_t)j));
#endif
#pragma GCC unroll 8
    for (; j < n_x; j++) {
        const vec *sums = t->sums + (size_t)4 * (size_t)j;
        quad_store(out + (size_t)j * ld_out, vec_total4(sums[0], sums[1], sums[2], sums[3]));
    }
}

static ALWAYS_INLINE void store_totals(struct tile *t, const int n_rows, const int n_x, float *out,
                                       size_t ld_out) {
    if (n_rows == 4) {
        store_quads(t, n_x, out, ld_out);
        return;
    }
    float total[TILE_MAX + 3] = {0};
#pragma GCC unroll 3
    for (int i = n_rows * n_x; i % 4 != 0; i++) t->sums[i] = vec_zero();
#pragma GCC unroll 8
    for (int i = 0; i < n_rows * n_x; i += 4)
        quad_store(total + i, vec_total4(t->sums[i], t->sums[i + 1], t->sums[i + 2], t->sums[i + 3]));
#pragma GCC unroll 8
    for (int j = 0; j < n_x; j++)
#pragma GCC unroll 8
        for (int i = 0; i < n_rows; i++) out[(size_t)j * ld_out + (size_t)i] = total[j * n_rows + i];
}

/* Elements [from, to) of K for some activations: the first is number m. */
struct block {
    size_t from, to, m;
    const activation *x; /* element `from` of activation m, row stride ld_x */
    size_t ld_x;
};

/* The block's part of the outputs of `n_rows` rows from r on. The sums so far come from `parked` and go
 * there, but at the beginning and the end of K. */
static ALWAYS_INLINE void run_tile(enum lr_dtype dtype, const struct dot *d, const struct block *b, size_t r,
                                   const int n_rows, const int n_x, vec *parked) {
    struct tile t = {
        .row_bytes = d->k * weight_size(dtype), .x = b->x, .ld_x = b->ld_x, .n = b->to - b->from};
    t.w = d->w + r * t.row_bytes + b->from * weight_size(dtype);
#pragma GCC unroll 32
    for (int i = 0; i < n_rows * n_x; i++) t.sums[i] = b->from ? parked[i] : vec_zero();
    accumulate(dtype, &t, b->m == 0, n_rows, n_x);
    if (b->to == d->k) {
        store_totals(&t, n_rows, n_x, d->out + b->m * d->ld_out + r, d->ld_out);
        return;
    }
#pragma GCC unroll 32
    for (int i = 0; i < n_rows * n_x; i++) parked[i] = t.sums[i];
}

/* Rows [first, last) against the block's `n_x` activations; parked is NULL where the block is all of K. */
static ALWAYS_INLINE void run_rows(enum lr_dtype dtype, const struct dot *d, const struct block *b,
                                   size_t first, size_t last, const int n_x, vec *parked) {
    const size_t rows = n_x == 1 ? DECODE_ROWS : TILE_ROWS;
    size_t r = first;
    for (; r + rows <= last; r += rows) {
        run_tile(dtype, d, b, r, (int)rows, n_x, parked);
        if (parked) parked += rows * (size_t)n_x;
    }
    for (; r < last; r++) {
        run_tile(dtype, d, b, r, 1, n_x, parked);
        if (parked) parked += n_x;
    }
}

/* A block of K of a tile of activations, copied together where rows of them lie far apart (f32: measured a
 * tenth faster). */
static ALWAYS_INLINE struct block block_of(const struct dot *d, size_t from, size_t m, const int n_x,
                                           activation *copy) {
    struct block b = {from, d->k - from > K_BLOCK ? from + K_BLOCK : d->k, m, d->x + m * d->ld_x + from,
                      d->ld_x};
    if (sizeof *copy < sizeof(float)) return b;
    for (size_t j = 0; j < (size_t)n_x; j++)
        memcpy(copy + j * K_BLOCK, b.x + j * d->ld_x, (b.to - from) * sizeof *copy);
    b.x = copy;
    b.ld_x = K_BLOCK;
    return b;
}

/* Rows [first, last) against `n_x` activations from m on, in blocks of K. */
static ALWAYS_INLINE void run_blocks(enum lr_dtype dtype, const struct dot *d, size_t first, size_t last,
                                     size_t m, const int n_x) {
    vec parked[CHUNK_ROWS * TILE_X];
    activation copy[TILE_X * K_BLOCK] __attribute__((aligned(64)));
    for (size_t from = 0; from < d->k; from += K_BLOCK) {
        struct block b = block_of(d, from, m, n_x, copy);
        run_rows(dtype, d, &b, first, last, n_x, parked);
    }
}

/* More than one tile of activations. Six and one, or two, are done as four and three, or four: fewer sums
 * than these are waited for. */
static ALWAYS_INLINE void dot_blocks(enum lr_dtype dtype, const struct dot *d, size_t first, size_t last) {
    const size_t over = d->n_x % TILE_X;
    size_t m = 0, whole = d->n_x - over;
    if (TILE_X == 6 && (over == 1 || over == 2)) whole -= TILE_X;
    for (; m < whole; m += TILE_X) run_blocks(dtype, d, first, last, m, TILE_X);
    if (d->n_x - m > TILE_X) {
        run_blocks(dtype, d, first, last, m, 4);
        m += 4;
    }
    const size_t rest = d->n_x - m;
    if (TILE_X > 5 && rest == 5) run_blocks(dtype, d, first, last, m, 5);
    if (TILE_X > 4 && rest == 4) run_blocks(dtype, d, first, last, m, 4);
    if (rest == 3) run_blocks(dtype, d, first, last, m, 3);
    if (TILE_X < 6 && rest == 2) run_blocks(dtype, d, first, last, m, 2);
    if (TILE_X < 6 && rest == 1) run_blocks(dtype, d, first, last, m, 1);
}

/* At most one tile of activations: rows are read from memory, once and to their ends. */
static ALWAYS_INLINE void dot_whole(enum lr_dtype dtype, const struct dot *d) {
    const struct block b = {0, d->k, 0, d->x, d->ld_x};
    if (d->n_x == 1) run_rows(dtype, d, &b, 0, d->rows, 1, NULL);
    if (d->n_x == 2) run_rows(dtype, d, &b, 0, d->rows, 2, NULL);
    if (d->n_x == 3) run_rows(dtype, d, &b, 0, d->rows, 3, NULL);
    if (d->n_x == 4) run_rows(dtype, d, &b, 0, d->rows, 4, NULL);
    if (TILE_X > 4 && d->n_x == 5) run_rows(dtype, d, &b, 0, d->rows, 5, NULL);
    if (TILE_X > 5 && d->n_x == 6) run_rows(dtype, d, &b, 0, d->rows, 6, NULL);
}

static ALWAYS_INLINE void dot(enum lr_dtype dtype, const struct dot *d) {
    if (d->n_x <= TILE_X || d->k == 0) {
        dot_whole(dtype, d);
        return;
    }
    for (size_t r = 0; r < d->rows; r += CHUNK_ROWS)
        dot_blocks(dtype, d, r, d->rows - r < CHUNK_ROWS ? d->rows : r + CHUNK_ROWS);
}

#ifdef VEC_PAIRS
void KERNEL_NAME(prepare_bf16)(const float *x, size_t k, void *out) {
    activation *p = out;
    size_t i = 0;
    for (; i + STEP <= k; i += STEP) vec_pairs_store(p + i, vec_pairs_round(x + i));
    if (i < k) vec_pairs_store_part(p + i, vec_pairs_round_part(x + i, k - i), k - i);
}
void KERNEL_NAME(dot_prepared_bf16)(const void *w, size_t rows, size_t k, const void *x, size_t n_x,
                                    float *out, size_t ld_out) {
    dot(LR_BF16, &(const struct dot){w, rows, k, x, k, n_x, out, ld_out});
}
#else
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
#endif
