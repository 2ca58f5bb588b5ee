/* quant_dot.h - activations to int8, and products of quantised weights (kernel/quant.h), in an instruction
 * set's words; included once by each. A column is VEC rows of a group, which the lanes of one word hold;
 * tiles are columns times activations, all of K at once. */
#include <string.h>

#include "kernel/simd/inline.h"
#include "kernel/tables.h"

enum {
    COLUMNS_IN_GROUP = QUANT_ROWS / VEC,
    /* With one activation lines so many bytes further on are fetched. */
    QUANT_AHEAD = 4096,
    X_MOST = 8, /* activations of any tile */
    Q4_SUMS = Q4_COLUMNS * PANEL_X > Q4_X ? Q4_COLUMNS *PANEL_X : Q4_X,
    PANEL_FROM = 2 * Q4_X + 1
};

/* ---- activations */

/* Quantises 32 elements; returns the scale. */
static ALWAYS_INLINE float quant_block(const float *x, int8_t *q) {
    ivec most = ivec_zero();
    for (size_t i = 0; i < QUANT_X_BLOCK; i += VEC) most = ivec_max(most, ivec_magnitude(vec_load(x + i)));
    uint32_t bits = ivec_greatest(most);
    float amax, zero = 0;
    memcpy(&amax, &bits, sizeof amax);
    if (bits >= 0x7F800000 || amax < 0x1p-100f) {
        memset(q, 0, QUANT_X_BLOCK);
        return bits >= 0x7F800000 ? zero / zero : 0;
    }
    const vec inverse = vec_all(127 / amax);
    for (size_t i = 0; i < QUANT_X_BLOCK; i += VEC)
        ivec_store_bytes(q + i, ivec_round(vec_mul(vec_load(x + i), inverse)));
    return amax / 127;
}

static ALWAYS_INLINE int32_t quant_sum(const int8_t *q, size_t n) {
    int32_t sum = 0;
    for (size_t i = 0; i < n; i += 16) sum += bytes_total16(q + i);
    return sum;
}

/* One activation. */
static ALWAYS_INLINE void quant_row(const float *x, size_t k, size_t padded, size_t step, int32_t offset,
                                    int8_t *q, float *scale, int32_t *bias) {
    for (size_t at = 0; at < padded; at += QUANT_X_BLOCK) {
        float part[QUANT_X_BLOCK] = {0};
        bool whole = k >= at + QUANT_X_BLOCK;
        if (!whole && k > at) memcpy(part, x + at, (k - at) * sizeof *x);
        scale[at / QUANT_X_BLOCK] = quant_block(whole ? x + at : part, q + at);
    }
    for (size_t i = 0; i < padded; i += step) bias[i / step] = -offset * quant_sum(q + i, step);
}

void KERNEL_NAME(quant_x)(enum quant_format format, const float *x, size_t k, size_t ld_x, size_t n_x,
                          const struct quant_x *out) {
    const size_t padded = quant_x_padded(k), blocks = padded / QUANT_X_BLOCK;
    for (size_t m = 0; m < n_x; m++) {
        if (format == QUANT_Q8)
            quant_row(x + m * ld_x, k, padded, QUANT_Q8_UNIT, QUANT_Q8_OFFSET, out->q + m * padded,
                      out->scale + m * blocks, out->bias + m * blocks);
        else
            quant_row(x + m * ld_x, k, padded, QUANT_Q4_BLOCK, QUANT_Q4_OFFSET, out->q + m * padded,
                      out->scale + m * blocks, out->bias + m * 2 * blocks);
    }
}

/* ---- products */

struct quant_dot {
    const char *w; /* groups, each of `units` units */
    size_t rows, units, padded;
    const struct quant_x *x;
    size_t n_x;
    float *out;
    size_t ld_out;
};

static ALWAYS_INLINE ivec four(const int8_t *q) {
    int32_t all;
    memcpy(&all, q, sizeof all);
    return ivec_all(all);
}

/* With one activation: memory is read in order, group by group, and lines further on are asked for one by
 * one as it goes, not a unit's at once, which are more than a core has under way. */
static ALWAYS_INLINE void fetch_further(const void *p, const int n_x) {
    if (n_x == 1) fetch_ahead(p, QUANT_AHEAD);
}

/* Where column c begins: the first unit's scales, as those of a column of 16 bits. */
struct column {
    const char *unit; /* its group's first */
    size_t half;      /* which of the group's columns */
};

static ALWAYS_INLINE struct column column_at(const struct quant_dot *d, size_t c, size_t unit_bytes) {
    return (struct column){d->w + c / COLUMNS_IN_GROUP * d->units * unit_bytes, c % COLUMNS_IN_GROUP};
}

static ALWAYS_INLINE void store_column(const struct quant_dot *d, size_t c, size_t m, vec sum) {
    float *out = d->out + m * d->ld_out + c * VEC;
    size_t left = d->rows - c * VEC;
    if (left >= VEC)
        vec_store(out, sum);
    else
        vec_store_part(out, sum, left);
}

static ALWAYS_INLINE vec load_column(const struct quant_dot *d, size_t c, size_t m) {
    const float *out = d->out + m * d->ld_out + c * VEC;
    size_t left = d->rows - c * VEC;
    return left >= VEC ? vec_load(out) : vec_load_part(out, left);
}

/* Columns [c, c + n_c) with activations [m, m + n_x); the counts are constants where this is inlined. */
static ALWAYS_INLINE void tile_q8(const struct quant_dot *d, size_t c, const int n_c, size_t m,
                                  const int n_x) {
    const size_t blocks = d->padded / QUANT_X_BLOCK;
    struct column column[Q8_COLUMNS];
    vec acc[Q8_COLUMNS * X_MOST];
#pragma GCC unroll 8
    for (int i = 0; i < n_c; i++) column[i] = column_at(d, c + (size_t)i, sizeof(struct quant_q8_unit));
#pragma GCC unroll 32
    for (int i = 0; i < n_c * n_x; i++) acc[i] = vec_zero();
    for (size_t u = 0; u < d->units; u++) {
        const struct quant_q8_unit *unit[Q8_COLUMNS];
        ivec sum[Q8_COLUMNS * X_MOST];
#pragma GCC unroll 8
        for (int i = 0; i < n_c; i++)
            unit[i] = (const struct quant_q8_unit *)(const void *)column[i].unit + u;
        fetch_further(unit[0]->scale, n_x);
#pragma GCC unroll 8
        for (int j = 0; j < n_x; j++) {
            ivec bias = ivec_begin_q8(d->x->bias[(m + (size_t)j) * blocks + u]);
#pragma GCC unroll 8
            for (int i = 0; i < n_c; i++) sum[j * n_c + i] = bias;
        }
#pragma GCC unroll 8
        for (size_t k = 0; k < 8; k++) {
            ivec w[Q8_COLUMNS];
            fetch_further(unit[0]->line[k], n_x);
#pragma GCC unroll 8
            for (int i = 0; i < n_c; i++) w[i] = ivec_load(unit[i]->line[k] + column[i].half * VEC * 4);
#pragma GCC unroll 8
            for (int j = 0; j < n_x; j++) {
                ivec x = four(d->x->q + (m + (size_t)j) * d->padded + u * QUANT_Q8_UNIT + 4 * k);
#pragma GCC unroll 8
                for (int i = 0; i < n_c; i++) sum[j * n_c + i] = ivec_dot_q8(sum[j * n_c + i], w[i], x);
            }
        }
#pragma GCC unroll 8
        for (int i = 0; i < n_c; i++) {
            vec scale = vec_scales(unit[i]->scale + column[i].half * VEC);
#pragma GCC unroll 8
            for (int j = 0; j < n_x; j++) {
                vec both = vec_mul(scale, vec_all(d->x->scale[(m + (size_t)j) * blocks + u]));
                acc[j * n_c + i] = vec_fma(both, ivec_float(sum[j * n_c + i]), acc[j * n_c + i]);
            }
        }
    }
#pragma GCC unroll 8
    for (int i = 0; i < n_c; i++)
#pragma GCC unroll 8
        for (int j = 0; j < n_x; j++) store_column(d, c + (size_t)i, m + (size_t)j, acc[j * n_c + i]);
}

/* Codes and scales of a column's unit of q4, unpacked once for all activations. */
enum { Q4_BLOCKS = QUANT_Q4_UNIT / QUANT_Q4_BLOCK, PANEL_UNITS = 4 };
struct panel_unit {
    uint8_t code[Q4_BLOCKS][4][VEC * 4];
    float scale[Q4_BLOCKS][VEC];
};

/* A column's part of one unit, and its panel, if there is one. */
struct source_q4 {
    const struct quant_q4_unit *unit;
    size_t half;
    const struct panel_unit *panel;
};

/* Elements [4i, 4i + 4) of block b. */
static ALWAYS_INLINE ivec codes_q4(const struct source_q4 *w, size_t b, size_t i) {
    if (w->panel) return ivec_load(w->panel->code[b][i]);
    ivec line = ivec_load(w->unit->line[b][i / 2] + w->half * VEC * 4);
    return i % 2 ? ivec_codes_high(line) : ivec_codes_low(line);
}
static ALWAYS_INLINE vec scale_q4(const struct source_q4 *w, size_t b) {
    if (w->panel) return vec_load(w->panel->scale[b]);
    return vec_bytes(w->unit->scale[b] + w->half * VEC);
}

static ALWAYS_INLINE void unpack_unit(const struct source_q4 *w, struct panel_unit *out) {
    for (size_t b = 0; b < Q4_BLOCKS; b++) {
#pragma GCC unroll 4
        for (size_t i = 0; i < 4; i++) ivec_store(out->code[b][i], codes_q4(w, b, i));
        vec_store(out->scale[b], scale_q4(w, b));
    }
}

/* Activations of a tile: q, scale and bias of the first one's unit. */
struct unit_x {
    const int8_t *q;
    const float *scale;
    const int32_t *bias;
    size_t padded;
};

/* The exact sums of one block of 16 of `n_c` columns: sum [n_x, n_c]. */
static ALWAYS_INLINE void block_q4(const struct source_q4 *w, const int n_c, size_t b, const struct unit_x *x,
                                   const int n_x, ivec *sum) {
#pragma GCC unroll 8
    for (int j = 0; j < n_x; j++)
#pragma GCC unroll 8
        for (int c = 0; c < n_c; c++)
            sum[j * n_c + c] = ivec_all(x->bias[(size_t)j * x->padded / QUANT_Q4_BLOCK + b]);
#pragma GCC unroll 4
    for (size_t i = 0; i < 4; i++) {
        ivec code[Q4_COLUMNS];
        if (!w->panel && i % 2 == 0) fetch_further(w->unit->line[b][i / 2], n_x);
#pragma GCC unroll 8
        for (int c = 0; c < n_c; c++) code[c] = codes_q4(w + c, b, i);
#pragma GCC unroll 8
        for (int j = 0; j < n_x; j++) {
            ivec q = four(x->q + (size_t)j * x->padded + b * QUANT_Q4_BLOCK + 4 * i);
#pragma GCC unroll 8
            for (int c = 0; c < n_c; c++) sum[j * n_c + c] = ivec_dot_q4(sum[j * n_c + c], code[c], q);
        }
    }
}

/* Columns' part of one unit: part [n_x, n_c]. */
static ALWAYS_INLINE void unit_q4(const struct source_q4 *w, const int n_c, const struct unit_x *x,
                                  const int n_x, vec *part) {
    if (!w->panel) fetch_further(w->unit->super, n_x);
    for (size_t b = 0; b < Q4_BLOCKS; b += 2) {
        if (!w->panel && b % 4 == 0) fetch_further(w->unit->scale[b], n_x);
        ivec sum[Q4_SUMS];
        vec s[Q4_SUMS];
        block_q4(w, n_c, b, x, n_x, sum);
#pragma GCC unroll 8
        for (int c = 0; c < n_c; c++) {
            vec first = scale_q4(w + c, b);
#pragma GCC unroll 8
            for (int j = 0; j < n_x; j++) s[j * n_c + c] = vec_mul(ivec_float(sum[j * n_c + c]), first);
        }
        block_q4(w, n_c, b + 1, x, n_x, sum);
#pragma GCC unroll 8
        for (int c = 0; c < n_c; c++) {
            vec second = scale_q4(w + c, b + 1);
#pragma GCC unroll 8
            for (int j = 0; j < n_x; j++) {
                int at = j * n_c + c;
                s[at] = vec_fma(ivec_float(sum[at]), second, s[at]);
                part[at] = vec_fma(vec_all(x->scale[(size_t)j * x->padded / QUANT_X_BLOCK + b / 2]), s[at],
                                   part[at]);
            }
        }
    }
}

/* A run of units, of which all but the first one begins with what is in the outputs; panel [n_c][PANEL_UNITS]
 * or NULL. */
struct run_q4 {
    size_t first, last;
    struct panel_unit (*panel)[PANEL_UNITS];
};

static ALWAYS_INLINE void tile_q4(const struct quant_dot *d, const struct run_q4 *run, size_t c,
                                  const int n_c, size_t m, const int n_x) {
    struct column column[Q4_COLUMNS];
    struct source_q4 source[Q4_COLUMNS] = {{0}};
    vec acc[Q4_SUMS], part[Q4_SUMS];
#pragma GCC unroll 8
    for (int i = 0; i < n_c; i++) column[i] = column_at(d, c + (size_t)i, sizeof(struct quant_q4_unit));
#pragma GCC unroll 8
    for (int j = 0; j < n_x; j++)
#pragma GCC unroll 8
        for (int i = 0; i < n_c; i++)
            acc[j * n_c + i] = run->first ? load_column(d, c + (size_t)i, m + (size_t)j) : vec_zero();
    for (size_t u = run->first; u < run->last; u++) {
        const size_t at = m * d->padded + u * QUANT_Q4_UNIT;
        const struct unit_x x = {d->x->q + at, d->x->scale + at / QUANT_X_BLOCK,
                                 d->x->bias + at / QUANT_Q4_BLOCK, d->padded};
#pragma GCC unroll 8
        for (int i = 0; i < n_c; i++) {
            source[i].unit = (const struct quant_q4_unit *)(const void *)column[i].unit + u;
            source[i].half = column[i].half;
            if (run->panel) source[i].panel = run->panel[i] + (u - run->first);
        }
#pragma GCC unroll 8
        for (int i = 0; i < n_c * n_x; i++) part[i] = vec_zero();
        unit_q4(source, n_c, &x, n_x, part);
#pragma GCC unroll 8
        for (int i = 0; i < n_c; i++) {
            vec super = vec_scales(source[i].unit->super + column[i].half * VEC);
#pragma GCC unroll 8
            for (int j = 0; j < n_x; j++)
                acc[j * n_c + i] = vec_fma(super, part[j * n_c + i], acc[j * n_c + i]);
        }
    }
#pragma GCC unroll 8
    for (int i = 0; i < n_c; i++)
#pragma GCC unroll 8
        for (int j = 0; j < n_x; j++) store_column(d, c + (size_t)i, m + (size_t)j, acc[j * n_c + i]);
}

/* Columns [c, c + n_c) with all activations. */
static ALWAYS_INLINE void columns_q8(const struct quant_dot *d, size_t c, const int n_c) {
    size_t m = 0;
    for (; m + Q8_X <= d->n_x; m += Q8_X) tile_q8(d, c, n_c, m, Q8_X);
    const size_t rest = d->n_x - m;
    if (Q8_X > 5 && rest == 5) tile_q8(d, c, n_c, m, 5);
    if (Q8_X > 4 && rest == 4) tile_q8(d, c, n_c, m, 4);
    if (Q8_X > 3 && rest == 3) tile_q8(d, c, n_c, m, 3);
    if (Q8_X > 2 && rest == 2) tile_q8(d, c, n_c, m, 2);
    if (rest == 1) tile_q8(d, c, n_c, m, 1);
}

static ALWAYS_INLINE void column_q4(const struct quant_dot *d, size_t c) {
    const struct run_q4 run = {0, d->units, NULL};
    size_t m = 0;
    for (; m + Q4_X <= d->n_x; m += Q4_X) tile_q4(d, &run, c, 1, m, Q4_X);
    const size_t rest = d->n_x - m;
    if (Q4_X > 7 && rest == 7) tile_q4(d, &run, c, 1, m, 7);
    if (Q4_X > 6 && rest == 6) tile_q4(d, &run, c, 1, m, 6);
    if (Q4_X > 5 && rest == 5) tile_q4(d, &run, c, 1, m, 5);
    if (Q4_X > 4 && rest == 4) tile_q4(d, &run, c, 1, m, 4);
    if (Q4_X > 3 && rest == 3) tile_q4(d, &run, c, 1, m, 3);
    if (rest == 2) tile_q4(d, &run, c, 1, m, 2);
    if (rest == 1) tile_q4(d, &run, c, 1, m, 1);
}

/* Columns [c, c + Q4_COLUMNS) with many activations: a few units at a time, which are unpacked into the
 * first-level cache while all activations pass over them. */
static ALWAYS_INLINE void panels_q4(const struct quant_dot *d, size_t c) {
    struct panel_unit panel[Q4_COLUMNS][PANEL_UNITS] __attribute__((aligned(64)));
    for (size_t u = 0; u < d->units; u += PANEL_UNITS) {
        const struct run_q4 run = {u, d->units - u < PANEL_UNITS ? d->units : u + PANEL_UNITS, panel};
        for (size_t i = 0; i < Q4_COLUMNS; i++) {
            struct column column = column_at(d, c + i, sizeof(struct quant_q4_unit));
            const struct quant_q4_unit *unit = (const struct quant_q4_unit *)(const void *)column.unit;
            for (size_t v = u; v < run.last; v++)
                unpack_unit(&(struct source_q4){unit + v, column.half, NULL}, panel[i] + (v - u));
        }
        size_t m = 0;
        for (; m + PANEL_X <= d->n_x; m += PANEL_X) tile_q4(d, &run, c, Q4_COLUMNS, m, PANEL_X);
        const size_t rest = d->n_x - m;
        if (PANEL_X > 3 && rest == 3) tile_q4(d, &run, c, Q4_COLUMNS, m, 3);
        if (PANEL_X > 2 && rest == 2) tile_q4(d, &run, c, Q4_COLUMNS, m, 2);
        if (rest == 1) tile_q4(d, &run, c, Q4_COLUMNS, m, 1);
    }
}

void KERNEL_NAME(quant_dot_q8)(const void *w, size_t rows, size_t k, const struct quant_x *x, size_t n_x,
                               float *out, size_t ld_out) {
    struct quant_dot d = {w,    rows,  (k + QUANT_Q8_UNIT - 1) / QUANT_Q8_UNIT, quant_x_padded(k), x, n_x,
                          NULL, ld_out};
    d.out = out;
    size_t c = 0, columns = (rows + VEC - 1) / VEC;
    if (n_x > 1 || (int)Q8_COLUMNS == (int)COLUMNS_IN_GROUP)
        for (; c + Q8_COLUMNS <= columns; c += Q8_COLUMNS) columns_q8(&d, c, Q8_COLUMNS);
    for (; c < columns; c++) columns_q8(&d, c, 1);
}

void KERNEL_NAME(quant_dot_q4)(const void *w, size_t rows, size_t k, const struct quant_x *x, size_t n_x,
                               float *out, size_t ld_out) {
    struct quant_dot d = {w,    rows,  (k + QUANT_Q4_UNIT - 1) / QUANT_Q4_UNIT, quant_x_padded(k), x, n_x,
                          NULL, ld_out};
    d.out = out;
    size_t c = 0, columns = (rows + VEC - 1) / VEC;
    const struct run_q4 whole = {0, d.units, NULL};
    if (n_x == 1)
        for (; c + COLUMNS_IN_GROUP <= columns; c += COLUMNS_IN_GROUP)
            tile_q4(&d, &whole, c, COLUMNS_IN_GROUP, 0, 1);
    if (n_x >= PANEL_FROM)
        for (; c + Q4_COLUMNS <= columns; c += Q4_COLUMNS) panels_q4(&d, c);
    for (; c < columns; c++) column_q4(&d, c);
}

/* ---- of f32 activations */

enum { PRECISE_X = 4 };

struct precise {
    const char *w; /* groups of `group` bytes */
    size_t rows, k, group;
    const float *x;
    size_t ld_x, n_x;
    float *out;
    size_t ld_out;
};

/* The four weights of a word's lanes at element k of K, and what follows it, as far as there are any. */
static ALWAYS_INLINE void precise_four(const struct precise *d, ivec bytes, float offset, vec scale,
                                       vec super, size_t k, size_t m, const int n_x, vec *acc) {
    for (size_t e = 0; e < 4 && k + e < d->k; e++) {
        vec w = vec_mul(super, vec_mul(scale, vec_sub(ivec_byte(bytes, (int)e), vec_all(offset))));
#pragma GCC unroll 4
        for (int j = 0; j < n_x; j++)
            acc[j] = vec_fma(w, vec_all(d->x[(m + (size_t)j) * d->ld_x + k + e]), acc[j]);
    }
}

static ALWAYS_INLINE void precise_q8(const struct precise *d, const struct quant_q8_unit *unit, size_t half,
                                     size_t m, const int n_x, vec *acc) {
    for (size_t k = 0; k < d->k; k += 4) {
        const struct quant_q8_unit *u = unit + k / QUANT_Q8_UNIT;
        ivec line = ivec_load(u->line[k % QUANT_Q8_UNIT / 4] + half * VEC * 4);
        precise_four(d, line, QUANT_Q8_OFFSET, vec_all(1), vec_scales(u->scale + half * VEC), k, m, n_x, acc);
    }
}

static ALWAYS_INLINE void precise_q4(const struct precise *d, const struct quant_q4_unit *unit, size_t half,
                                     size_t m, const int n_x, vec *acc) {
    for (size_t k = 0; k < d->k; k += 8) {
        const struct quant_q4_unit *u = unit + k / QUANT_Q4_UNIT;
        size_t b = k % QUANT_Q4_UNIT / QUANT_Q4_BLOCK;
        ivec line = ivec_load(u->line[b][k % QUANT_Q4_BLOCK / 8] + half * VEC * 4);
        vec scale = vec_bytes(u->scale[b] + half * VEC), super = vec_scales(u->super + half * VEC);
        precise_four(d, ivec_codes_low(line), QUANT_Q4_OFFSET, scale, super, k, m, n_x, acc);
        precise_four(d, ivec_codes_high(line), QUANT_Q4_OFFSET, scale, super, k + 4, m, n_x, acc);
    }
}

static ALWAYS_INLINE void precise_tile(const struct precise *d, enum quant_format format, size_t c, size_t m,
                                       const int n_x) {
    const void *group = d->w + c / COLUMNS_IN_GROUP * d->group;
    const size_t half = c % COLUMNS_IN_GROUP;
    vec acc[PRECISE_X];
    for (int j = 0; j < n_x; j++) acc[j] = vec_zero();
    if (format == QUANT_Q8)
        precise_q8(d, group, half, m, n_x, acc);
    else
        precise_q4(d, group, half, m, n_x, acc);
    for (int j = 0; j < n_x; j++) {
        float *out = d->out + (m + (size_t)j) * d->ld_out + c * VEC;
        if (d->rows - c * VEC >= VEC)
            vec_store(out, acc[j]);
        else
            vec_store_part(out, acc[j], d->rows - c * VEC);
    }
}

static ALWAYS_INLINE void precise_columns(const struct precise *d, enum quant_format format) {
    for (size_t c = 0; c * VEC < d->rows; c++) {
        size_t m = 0;
        for (; m + PRECISE_X <= d->n_x; m += PRECISE_X) precise_tile(d, format, c, m, PRECISE_X);
        for (; m < d->n_x; m++) precise_tile(d, format, c, m, 1);
    }
}

void KERNEL_NAME(quant_precise)(enum quant_format format, const void *w, size_t rows, size_t k,
                                const float *x, size_t ld_x, size_t n_x, float *out, size_t ld_out) {
    uint64_t group;
    if (quant_group_bytes(format, k, &group)) return;
    struct precise d = {w, rows, k, group, x, ld_x, n_x, NULL, ld_out};
    d.out = out;
    if (format == QUANT_Q8)
        precise_columns(&d, QUANT_Q8);
    else
        precise_columns(&d, QUANT_Q4);
}
