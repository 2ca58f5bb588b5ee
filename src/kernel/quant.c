/* Sizes, quantising whole groups, and rows widened again. */
#include "kernel/quant.h"

#include "base/checked.h"
#include "kernel/half.h"
#include "kernel/kernel.h"

_Static_assert(sizeof(struct quant_q8_unit) == 544 && sizeof(struct quant_q4_unit) == 2336,
               "units have no padding");

const int8_t quant_codebook[16] = {-56, -46, -36, -28, -20, -12, -6, 0, 4, 11, 18, 26, 35, 44, 53, 63};

static const struct {
    const char *name;
    size_t unit, bytes; /* elements of K, and what 16 rows of them take */
} formats[QUANT_FORMATS] = {
    [QUANT_Q8] = {"q8", QUANT_Q8_UNIT, sizeof(struct quant_q8_unit)},
    [QUANT_Q4] = {"q4", QUANT_Q4_UNIT, sizeof(struct quant_q4_unit)},
};

const char *quant_name(enum quant_format format) {
    return formats[format].name;
}

uint64_t quant_row_bytes(enum lr_dtype dtype, uint64_t cols) {
    enum quant_format format;
    uint64_t bytes = cols * lr_dtype_size(dtype);
    if (quant_format_of(dtype, &format) && quant_group_bytes(format, cols, &bytes)) return UINT64_MAX;
    return quant_rows(dtype) > 1 ? bytes / QUANT_ROWS : bytes;
}

bool quant_group_bytes(enum quant_format format, uint64_t cols, uint64_t *out) {
    uint64_t padded;
    return lr_round_up_u64(cols, formats[format].unit, &padded) ||
           lr_mul_u64(padded / formats[format].unit, formats[format].bytes, out);
}

bool quant_bytes(enum quant_format format, uint64_t rows, uint64_t cols, uint64_t *out) {
    uint64_t group, padded;
    return quant_group_bytes(format, cols, &group) || lr_round_up_u64(rows, QUANT_ROWS, &padded) ||
           lr_mul_u64(group, padded / QUANT_ROWS, out);
}

/* ---- quantising */

enum { CHUNK = QUANT_Q4_UNIT, TOO_LARGE_BITS = 0x7F000000 /* 2^127 */ };

/* 16 rows of a chunk of K; those past the end of the matrix are zeros. */
struct tile {
    float x[QUANT_ROWS][CHUNK];
};

static bool too_large(float x) {
    return (bits_of_float(x) & 0x7FFFFFFF) >= TOO_LARGE_BITS;
}

/* Names the first element of a group's tile that is too large. */
static enum lr_status refuse(const struct tile *tile, uint64_t row, uint64_t col, struct lr_error *err) {
    size_t at = 0;
    while (at + 1 < sizeof tile->x / sizeof(float) && !too_large(tile->x[at / CHUNK][at % CHUNK])) at++;
    return lr_fail(err, LR_EMODEL,
                   "row %llu, column %llu is %g: weights from 2^127 up, inf and nan cannot be quantised",
                   (unsigned long long)row + at / CHUNK, (unsigned long long)col + at % CHUNK,
                   (double)tile->x[at / CHUNK][at % CHUNK]);
}

/* Elements [col, col + n) of the group's rows, and zeros up to the end of the last unit. */
static void fill_tile(const struct kernel_table *kernels, const struct tensor_view *w, uint64_t first,
                      uint64_t col, size_t n, struct tile *out) {
    for (size_t r = 0; r < QUANT_ROWS; r++) {
        size_t have = first + r < w->rows ? n : 0;
        if (have) tensor_widen(kernels, w, first + r, col, n, out->x[r]);
        if (have < CHUNK) memset(out->x[r] + have, 0, (CHUNK - have) * sizeof(float));
    }
}

static enum lr_status quantise_group(const struct kernel_table *kernels, enum quant_format format,
                                     const struct tensor_view *w, uint64_t first, char *out,
                                     struct lr_error *err) {
    struct tile tile __attribute__((aligned(64)));
    for (uint64_t col = 0; col < w->cols; col += CHUNK) {
        size_t n = w->cols - col < CHUNK ? (size_t)(w->cols - col) : CHUNK;
        fill_tile(kernels, w, first, col, n, &tile);
        for (size_t k = 0; k < n; k += formats[format].unit, out += formats[format].bytes)
            if (!kernels->quantise[format](&tile.x[0][k], CHUNK, out)) return refuse(&tile, first, col, err);
    }
    return LR_OK;
}

enum lr_status quant_groups(const struct kernel_table *kernels, enum quant_format format,
                            const struct tensor_view *w, uint64_t first, uint64_t count, void *out,
                            struct lr_error *err) {
    uint64_t bytes;
    if (quant_group_bytes(format, w->cols, &bytes))
        return lr_fail(err, LR_EMODEL, "rows of %llu elements are too long", (unsigned long long)w->cols);
    for (uint64_t i = 0; i < count; i++)
        LR_TRY(quantise_group(kernels, format, w, (first + i) * QUANT_ROWS, (char *)out + i * bytes, err));
    return LR_OK;
}

/* ---- widening */

static float scale_of(uint16_t u) {
    return float_of_bits((uint32_t)u << 15);
}

static void widen_q8(const struct quant_q8_unit *unit, size_t r, size_t cols, float *out) {
    for (size_t k = 0; k < cols; k++) {
        const struct quant_q8_unit *u = unit + k / QUANT_Q8_UNIT;
        size_t at = k % QUANT_Q8_UNIT;
        int q = u->line[at / 4][4 * r + at % 4] - QUANT_Q8_OFFSET;
        out[k] = scale_of(u->scale[r]) * (float)q;
    }
}

static void widen_q4(const struct quant_q4_unit *unit, size_t r, size_t cols, float *out) {
    for (size_t k = 0; k < cols; k++) {
        const struct quant_q4_unit *u = unit + k / QUANT_Q4_UNIT;
        size_t b = k % QUANT_Q4_UNIT / QUANT_Q4_BLOCK, at = k % QUANT_Q4_BLOCK;
        unsigned pair = u->line[b][at / 8][4 * r + at % 4];
        int whole = u->scale[b][r] * quant_codebook[at % 8 < 4 ? pair & 15 : pair >> 4];
        out[k] = scale_of(u->super[r]) * (float)whole;
    }
}

void quant_widen(enum quant_format format, const void *data, uint64_t row, size_t cols, float *out) {
    size_t r = (size_t)(row % QUANT_ROWS);
    size_t units = (cols + formats[format].unit - 1) / formats[format].unit;
    const char *group = (const char *)data + row / QUANT_ROWS * units * formats[format].bytes;
    if (format == QUANT_Q8)
        widen_q8((const struct quant_q8_unit *)(const void *)group, r, cols, out);
    else
        widen_q4((const struct quant_q4_unit *)(const void *)group, r, cols, out);
}
