/* Quantised weights: where every byte lies, bounds of error, special values, tails, and that the bytes depend
 * neither on the instruction set nor on how groups are dealt out. */
#include "each.h"

enum { ROWS_MAX = 40, COLS_MAX = 600 };

static const struct { size_t unit, bytes; } formats[] = {{32, 544}, {256, 2336}};

static size_t group_bytes(enum quant_format f, size_t cols) {
    return (cols + formats[f].unit - 1) / formats[f].unit * formats[f].bytes;
}

/* A quantised matrix, its source and what it gives back. */
struct matrix {
    size_t rows, cols, bytes;
    char *groups;
    float *source, *back; /* [rows, cols] */
};

static struct matrix matrix_of(const struct kernel_table *t, enum quant_format f, const float *x, size_t rows,
                               size_t cols) {
    struct matrix m = {rows, cols, (rows + 15) / 16 * group_bytes(f, cols), NULL, NULL, NULL};
    struct lr_error err;
    m.groups = malloc(m.bytes);
    memset(m.groups, 0xAA, m.bytes);
    m.source = malloc(rows * cols * sizeof *x);
    memcpy(m.source, x, rows * cols * sizeof *x);
    m.back = malloc(rows * cols * sizeof *x);
    struct tensor_view w = {.data = m.source, .dtype = LR_F32, .rows = rows, .cols = cols};
    assert_int_equal(quant_groups(t, f, &w, 0, (rows + 15) / 16, m.groups, &err), LR_OK);
    for (size_t r = 0; r < rows; r++) quant_widen(f, m.groups, r, cols, m.back + r * cols);
    return m;
}

static void matrix_free(struct matrix *m) {
    free(m->groups);
    free(m->source);
    free(m->back);
}

/* Nearly Gaussian, sigma 0.02. */
static float *weights(size_t n, uint64_t seed) {
    float *x = calloc(n + 1, sizeof *x);
    for (size_t i = 0; i < n; i++)
        for (int j = 0; j < 12; j++) x[i] += each_random(&seed) * 0.01f;
    return x;
}

/* ---- sizes and layout */

static void sizes_are_told(void **state) {
    (void)state;
    uint64_t n;
    assert_false(quant_bytes(QUANT_Q8, 16, 32, &n));
    assert_int_equal(n, 544);
    assert_false(quant_bytes(QUANT_Q4, 16, 256, &n));
    assert_int_equal(n, 2336);
    assert_false(quant_bytes(QUANT_Q8, 17, 33, &n));
    assert_int_equal(n, 4 * 544);
    assert_false(quant_bytes(QUANT_Q4, 33, 257, &n));
    assert_int_equal(n, 6 * 2336);
    assert_false(quant_bytes(QUANT_Q8, 0, 100, &n));
    assert_int_equal(n, 0);
    assert_false(quant_bytes(QUANT_Q4, 4096, 4096, &n));
    assert_true((double)n * 8 / (4096.0 * 4096) <= 4.6);
    assert_false(quant_bytes(QUANT_Q8, 4096, 4096, &n));
    assert_true((double)n * 8 / (4096.0 * 4096) <= 8.5);
    assert_true(quant_bytes(QUANT_Q8, UINT64_MAX / 64, 4096, &n));
    assert_true(quant_bytes(QUANT_Q8, UINT64_MAX, 1, &n));
    assert_true(quant_bytes(QUANT_Q4, 1, UINT64_MAX - 3, &n));
    assert_true(quant_group_bytes(QUANT_Q4, UINT64_MAX / 4, &n));
}

/* The address of what holds element (r, k), from the words of quant.h. */
static size_t byte_of(enum quant_format f, size_t cols, size_t r, size_t k) {
    size_t at = r / 16 * group_bytes(f, cols) + k / formats[f].unit * formats[f].bytes, row = r % 16;
    if (f == QUANT_Q8) return at + 32 + k % 32 / 4 * 64 + 4 * row + k % 4;
    size_t block = k % 256 / 16, in_block = k % 16;
    return at + 32 + 256 + block * 128 + in_block / 8 * 64 + 4 * row + in_block % 4;
}

/* Bytes made by hand are read where they should be. */
static void widened_from_bytes_made_by_hand(void **state) {
    (void)state;
    enum { COLS = 300, ROWS = 20 };
    const uint16_t one = 0x3F80 << 1, half = 0x3F00 << 1;
    float out[COLS];
    for (int f = 0; f < QUANT_FORMATS; f++) {
        for (size_t r = 0; r < ROWS; r += 3) {
            for (size_t k = 0; k < COLS; k += 7) {
                size_t bytes = 2 * group_bytes((enum quant_format)f, COLS);
                unsigned char *w = calloc(bytes, 1);
                size_t unit =
                    r / 16 * group_bytes((enum quant_format)f, COLS) + k / formats[f].unit * formats[f].bytes;
                memcpy(w + unit + r % 16 * 2, f == QUANT_Q8 ? &one : &half, 2);
                if (f == QUANT_Q4) {
                    w[unit + 32 + k % 256 / 16 * 16 + r % 16] = (unsigned char)-6;
                    memset(w + unit + 288, 0x77, 2048);
                } else {
                    memset(w + unit + 32, 128, 512);
                }
                unsigned char *byte = w + byte_of((enum quant_format)f, COLS, r, k);
                if (f == QUANT_Q8)
                    *byte = 128 - 99;
                else
                    *byte = k % 8 < 4 ? 0x7F : 0xF7;
                quant_widen((enum quant_format)f, w, r, COLS, out);
                for (size_t i = 0; i < COLS; i++) {
                    float want = i == k ? f == QUANT_Q8 ? -99.0f : 0.5f * -6 * 63 : 0;
                    if (out[i] != want)
                        fail_msg("format %d row %zu: %g at %zu, %g is at %zu", f, r, out[i], i, want, k);
                }
                free(w);
            }
        }
    }
}

/* One element that is not 0 changes its own byte and its scales, no other. */
static void quantised_where_it_should_be(void **state) {
    (void)state;
    enum { COLS = 290, ROWS = 18 };
    const struct kernel_table *tables[EACH_TABLES];
    for (int i = each_table(tables); i-- > 0;) {
        for (size_t at = 0; at < (size_t)COLS * ROWS; at += 11) {
            float *x = calloc((size_t)COLS * ROWS, sizeof *x);
            x[at] = -3;
            for (int f = 0; f < QUANT_FORMATS; f++) {
                struct matrix m = matrix_of(tables[i], (enum quant_format)f, x, ROWS, COLS);
                size_t own = byte_of((enum quant_format)f, COLS, at / COLS, at % COLS);
                size_t header = f == QUANT_Q8 ? 32 : 288;
                unsigned char empty = f == QUANT_Q8 ? 128 : 0x77;
                for (size_t b = 0; b < m.bytes; b++) {
                    bool scale = b % formats[f].bytes < header;
                    unsigned char byte = (unsigned char)m.groups[b];
                    if (!scale && (byte == empty) != (b != own))
                        fail_msg("byte %zu is %x, own is %zu", b, byte, own);
                }
                for (size_t j = 0; j < (size_t)COLS * ROWS; j++)
                    if (j != at) assert_true(m.back[j] == 0);
                assert_true(fabsf(m.back[at] + 3) < 0.02f);
                matrix_free(&m);
            }
            free(x);
        }
    }
}

/* ---- error */

static float most_of(const float *x, size_t n) {
    float most = 0;
    for (size_t i = 0; i < n; i++) most = fmaxf(most, fabsf(x[i]));
    return most;
}

/* What no element may be further off: q8, half a step of the coarsest scale that is tried; q4, half the
 * widest gap of the codebook, or what is cut off, and half a step of the scale. */
static void check_bounds(const struct matrix *m, enum quant_format f) {
    size_t block = f == QUANT_Q8 ? 32 : 16;
    for (size_t r = 0; r < m->rows; r++) {
        for (size_t k = 0; k < m->cols; k++) {
            const float *row = m->source + r * m->cols;
            size_t first = k / block * block, unit = k / 256 * 256;
            float amax = most_of(row + first, m->cols - first < block ? m->cols - first : block);
            float unit_amax = most_of(row + unit, m->cols - unit < 256 ? m->cols - unit : 256);
            float bound = f == QUANT_Q8 ? 0.53f / 127.5f * amax : 0.3f * amax + 0.007f * unit_amax;
            if (!(fabsf(m->back[r * m->cols + k] - row[k]) <= bound + 0x1p-100f))
                fail_msg("format %d [%zu, %zu] row %zu, %zu: %g for %g", (int)f, m->rows, m->cols, r, k,
                         m->back[r * m->cols + k], row[k]);
        }
    }
}

/* Past the end of K values are 0, past the last row scales are. */
static void check_padding(const struct matrix *m, enum quant_format f) {
    size_t padded = (m->cols + formats[f].unit - 1) / formats[f].unit * formats[f].unit;
    float row[COLS_MAX + 256];
    for (size_t r = 0; r < (m->rows + 15) / 16 * 16; r++) {
        quant_widen(f, m->groups, r, padded, row);
        for (size_t k = r < m->rows ? m->cols : 0; k < padded; k++) assert_true(row[k] == 0);
        for (size_t u = 0; u < padded / formats[f].unit && r >= m->rows; u++) {
            size_t at = r / 16 * group_bytes(f, m->cols) + u * formats[f].bytes + r % 16 * 2;
            assert_true(m->groups[at] == 0 && m->groups[at + 1] == 0);
        }
    }
}

static void every_tail_is_within_bounds(void **state) {
    (void)state;
    static const size_t cols[] = {1,  2,   15,  16,  17,  31,  32,  33,  63,
                                  64, 100, 255, 256, 257, 287, 288, 512, 600};
    static const size_t rows[] = {1, 15, 16, 17, 32, 40};
    const struct kernel_table *tables[EACH_TABLES];
    int n = each_table(tables);
    for (size_t c = 0; c < sizeof cols / sizeof *cols; c++) {
        for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
            float *x = weights(rows[r] * cols[c], c * 100 + r);
            for (int f = 0; f < QUANT_FORMATS; f++) {
                struct matrix m =
                    matrix_of(tables[(c + r) % (size_t)n], (enum quant_format)f, x, rows[r], cols[c]);
                check_bounds(&m, (enum quant_format)f);
                check_padding(&m, (enum quant_format)f);
                matrix_free(&m);
            }
            free(x);
        }
    }
}

static double relative_rms(const float *a, const float *b, size_t n) {
    double miss = 0, all = 0;
    for (size_t i = 0; i < n; i++) {
        miss += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
        all += (double)a[i] * a[i];
    }
    return sqrt(miss / all);
}

/* Relative errors of plain rounding: to whole numbers in [-127, 127] for each 32, [-7, 7] for each 16. */
static double plain_error(enum quant_format f, const float *x, size_t n) {
    size_t block = f == QUANT_Q8 ? 32 : 16;
    float *plain = calloc(n, sizeof *plain);
    for (size_t k = 0; k < n; k++) {
        float scale = most_of(x + k / block * block, block) / (f == QUANT_Q8 ? 127 : 7);
        plain[k] = rintf(x[k] / scale) * scale;
    }
    double error = relative_rms(x, plain, n);
    free(plain);
    return error;
}

/* A search is worth something: the bounds are a little above what it gives, and each part of it is needed for
 * them: several scales, both signs, and, beside a great element, rounding a scale to the better neighbour. */
static void error_is_less_than_rounding_gives(void **state) {
    (void)state;
    enum { ROWS = 32, COLS = 512, ALL = ROWS * COLS };
    static const double bounds[2][QUANT_FORMATS] = {{0.93, 0.767}, {0.9928, 0.7065}};
    const struct kernel_table *tables[EACH_TABLES];
    float *x = weights(ALL, 9);
    for (int kind = 0; kind < 2; kind++) {
        for (size_t i = 0; kind == 1 && i < ALL; i += 256) x[i] *= 30;
        for (int i = each_table(tables); i-- > 0;) {
            for (int f = 0; f < QUANT_FORMATS; f++) {
                struct matrix m = matrix_of(tables[i], (enum quant_format)f, x, ROWS, COLS);
                double gain = relative_rms(x, m.back, ALL) / plain_error((enum quant_format)f, x, ALL);
                if (gain > bounds[kind][f])
                    fail_msg("kind %d, format %d: %g of plain rounding", kind, f, gain);
                matrix_free(&m);
            }
        }
    }
    free(x);
}

/* Of a q4 block's values, with the scales that were found, each element has the nearest, but for what whole
 * numbers of 4096 for the greatest element leave open. */
static void codes_are_the_nearest(void **state) {
    (void)state;
    enum { ROWS = 16, COLS = 2048, ALL = ROWS * COLS };
    const struct kernel_table *tables[EACH_TABLES];
    float *x = weights(ALL, 6);
    for (int i = each_table(tables); i-- > 0;) {
        struct matrix m = matrix_of(tables[i], QUANT_Q4, x, ROWS, COLS);
        for (size_t j = 0; j < ALL; j++) {
            const char *unit = m.groups + j % COLS / 256 * 2336;
            uint16_t super;
            memcpy(&super, unit + 2 * (j / COLS), 2);
            float scale = float_of_bits((uint32_t)super << 15) *
                          ((const signed char *)unit)[32 + j % 256 / 16 * 16 + j / COLS];
            float amax = most_of(x + j / 16 * 16, 16), least = INFINITY;
            for (int c = 0; c < 16; c++) least = fminf(least, fabsf(x[j] - scale * (float)quant_codebook[c]));
            if (!(fabsf(x[j] - m.back[j]) <= least + 0.0005f * amax))
                fail_msg("%s, element %zu: %g for %g, scale %g", tables[i]->name, j, m.back[j], x[j], scale);
        }
        matrix_free(&m);
    }
    free(x);
}

/* ---- special values */

/* A matrix of one value, and one of it among random ones that are as great. */
static void check_value(const struct kernel_table *t, enum quant_format f, float value, float bound) {
    enum { ROWS = 3, COLS = 70 };
    float x[ROWS * COLS], *random = each_vector(ROWS * COLS, 5);
    for (int i = 0; i < ROWS * COLS; i++) x[i] = value;
    struct matrix m = matrix_of(t, f, x, ROWS, COLS);
    for (int i = 0; i < ROWS * COLS; i++)
        if (!(fabsf(m.back[i] - value) <= bound * fabsf(value)))
            fail_msg("%s format %d: %g for %g", t->name, (int)f, m.back[i], value);
    matrix_free(&m);
    for (int i = 0; i < ROWS * COLS; i++) x[i] = random[i] * value;
    m = matrix_of(t, f, x, ROWS, COLS);
    check_bounds(&m, f);
    matrix_free(&m);
    free(random);
}

static void constants_of_any_size(void **state) {
    (void)state;
    static const float values[] = {1,      -1,     0.3f,    -1e-5f, 65504,  1e6f,
                                   1e-10f, 1e-30f, -1e-30f, 1e38f,  -1e38f, 0x1.fp126f};
    const struct kernel_table *tables[EACH_TABLES];
    for (int i = each_table(tables); i-- > 0;)
        for (int f = 0; f < QUANT_FORMATS; f++)
            for (size_t v = 0; v < sizeof values / sizeof *values; v++)
                check_value(tables[i], (enum quant_format)f, values[v], f == QUANT_Q8 ? 0.0042f : 0.0045f);
}

/* A greatest element that comes as near to 127.5 steps of the least scale as f32 lets it, for every fraction
 * that a scale may have: it is rounded to 127 and does not spill into the next byte. The others are whole
 * steps, so that this scale is the best. */
static void the_greatest_element_stays_in_its_byte(void **state) {
    (void)state;
    const struct kernel_table *tables[EACH_TABLES];
    int n = each_table(tables);
    for (uint32_t u = 0x7900; u < 0x7A00; u++) {
        float x[32], scale = float_of_bits(u << 15);
        for (int k = 0; k < 32; k++) x[k] = (float)(k - 16) * 7 * scale;
        for (int sign = -1; sign <= 1; sign += 2) {
            float most = 127.5f * scale;
            while (most * (1 / 127.5f) >= scale) most = nextafterf(most, 0);
            x[1] = most * (float)sign;
            struct matrix m = matrix_of(tables[u % (uint32_t)n], QUANT_Q8, x, 1, 32);
            for (int k = 0; k < 32; k++) {
                float want = k == 1 ? 127 * scale * (float)sign : x[k];
                if (m.back[k] != want) fail_msg("scale %a: %a for %a", scale, m.back[k], want);
            }
            matrix_free(&m);
        }
    }
}

/* Subnormal and other units below 2^-100 become zeros; so does what is nothing beside its unit. */
static void tiny_values_are_zeros(void **state) {
    (void)state;
    float x[256] = {0x1p-149f, -0x1p-130f, 0x1.8p-101f, 0};
    const struct kernel_table *tables[EACH_TABLES];
    for (int i = each_table(tables); i-- > 0;) {
        for (int f = 0; f < QUANT_FORMATS; f++) {
            struct matrix m = matrix_of(tables[i], (enum quant_format)f, x, 1, 256);
            for (int k = 0; k < 256; k++) assert_true(m.back[k] == 0);
            matrix_free(&m);
            x[255] = 1e37f;
            m = matrix_of(tables[i], (enum quant_format)f, x, 1, 256);
            for (int k = 0; k < 255; k++) assert_true(m.back[k] == 0);
            assert_true(fabsf(m.back[255] / 1e37f - 1) < 0.005f);
            x[255] = 0;
            matrix_free(&m);
        }
    }
}

/* Weights that were pruned stay 0. */
static void zeros_stay_zeros(void **state) {
    (void)state;
    enum { ROWS = 16, COLS = 512, ALL = ROWS * COLS };
    float *x = weights(ALL, 3);
    for (size_t i = 0; i < ALL; i += 2) x[i] = i % 4 ? 0.0f : -0.0f;
    const struct kernel_table *tables[EACH_TABLES];
    for (int i = each_table(tables); i-- > 0;) {
        for (int f = 0; f < QUANT_FORMATS; f++) {
            struct matrix m = matrix_of(tables[i], (enum quant_format)f, x, ROWS, COLS);
            for (size_t k = 0; k < ALL; k += 2) assert_true(m.back[k] == 0);
            matrix_free(&m);
        }
    }
    free(x);
}

static void check_refused(enum lr_dtype dtype, float bad, size_t row, size_t col, const char *what) {
    enum { ROWS = 40, COLS = 300 };
    const struct kernel_table *tables[EACH_TABLES];
    struct lr_error err;
    float *x = weights((size_t)ROWS * COLS, 8);
    char *packed = malloc((size_t)ROWS * COLS * 4), *out = malloc(1 << 20);
    x[row * COLS + col] = bad;
    each_pack(dtype, x, (size_t)ROWS * COLS, packed);
    struct tensor_view w = {.data = packed, .dtype = dtype, .rows = ROWS, .cols = COLS};
    for (int i = each_table(tables); i-- > 0;) {
        for (int f = 0; f < QUANT_FORMATS; f++) {
            assert_int_equal(quant_groups(tables[i], (enum quant_format)f, &w, 0, 3, out, &err), LR_EMODEL);
            if (!strstr(err.message, what)) fail_msg("'%s' is not in '%s'", what, err.message);
        }
    }
    free(x);
    free(packed);
    free(out);
}

static void what_is_no_number_is_refused(void **state) {
    (void)state;
    check_refused(LR_F32, NAN, 17, 299, "row 17, column 299 is nan");
    check_refused(LR_F32, -NAN, 0, 0, "row 0, column 0 is");
    check_refused(LR_BF16, INFINITY, 39, 256, "row 39, column 256 is inf");
    check_refused(LR_F16, -INFINITY, 16, 255, "row 16, column 255 is -inf");
    check_refused(LR_F32, 0x1p127f, 5, 7, "row 5, column 7 is 1.70141e+38");
    check_refused(LR_F32, -3.4e38f, 5, 7, "row 5, column 7 is -3.4e+38");
}

/* ---- the same bytes */

static void bytes_do_not_depend_on_the_set_or_the_split(void **state) {
    (void)state;
    enum { ROWS = 70, COLS = 530, GROUPS = 5 };
    static const enum lr_dtype dtypes[] = EACH_FLOAT_DTYPES;
    const struct kernel_table *tables[EACH_TABLES];
    struct lr_error err;
    int n = each_table(tables);
    float *x = weights((size_t)ROWS * COLS, 4);
    for (size_t i = 0; i < (size_t)ROWS * COLS; i += 97) x[i] *= 30;
    for (size_t i = 0; i < COLS; i++) x[i] *= 0x1p-12f;
    char *packed = malloc((size_t)ROWS * COLS * 4 + 1);
    for (int d = 0; d < 3; d++) {
        each_pack(dtypes[d], x, (size_t)ROWS * COLS, packed + 1);
        struct tensor_view w = {.data = packed + 1, .dtype = dtypes[d], .rows = ROWS, .cols = COLS};
        for (int f = 0; f < QUANT_FORMATS; f++) {
            size_t group = group_bytes((enum quant_format)f, COLS);
            char *whole = malloc(GROUPS * group), *parts = malloc(GROUPS * group);
            assert_int_equal(quant_groups(tables[0], (enum quant_format)f, &w, 0, GROUPS, whole, &err),
                             LR_OK);
            for (int i = 0; i < n; i++) {
                for (size_t split = 0; split <= GROUPS; split++) {
                    memset(parts, 0x55, GROUPS * group);
                    assert_int_equal(quant_groups(tables[i], (enum quant_format)f, &w, split, GROUPS - split,
                                                  parts + split * group, &err),
                                     LR_OK);
                    assert_int_equal(quant_groups(tables[i], (enum quant_format)f, &w, 0, split, parts, &err),
                                     LR_OK);
                    assert_memory_equal(whole, parts, GROUPS * group);
                }
            }
            free(whole);
            free(parts);
        }
    }
    free(packed);
    free(x);
}

/* A row of units, each with what one kind of special value there is in it: exponents from one end to the
 * other, subnormal numbers, zeros of both signs, elements of one magnitude, one alone, whole steps and halves
 * of them. */
static float special(size_t unit, size_t k, uint64_t *seed) {
    float r = each_random(seed);
    switch (unit % 8) {
    case 0:
        return ldexpf(r, (int)(k % 253) - 126);
    case 1:
        return float_of_bits((uint32_t)(k * 0x10001) | (r < 0 ? 0x80000000u : 0));
    case 2:
        return k % 3 ? 0.0f : -0.0f;
    case 3:
        return r < 0 ? -0x1.fffffep126f : 0x1.fffffep126f;
    case 4:
        return k % 97 ? 0 : r * 1e30f;
    case 5:
        return ldexpf((float)(int)(r * 127), -3);
    case 6:
        return ldexpf((float)(int)(r * 255), -100);
    default:
        return r * 0x1p-99f;
    }
}

static void special_values_have_the_same_bytes(void **state) {
    (void)state;
    enum { ROWS = 20, UNITS = 16, COLS = UNITS * 256 - 5 };
    const struct kernel_table *tables[EACH_TABLES];
    int n = each_table(tables);
    float *x = malloc(sizeof *x * ROWS * COLS);
    uint64_t seed = 12;
    for (size_t i = 0; i < (size_t)ROWS * COLS; i++)
        x[i] = special(i % COLS / 256 + i / COLS, i % COLS, &seed);
    for (int f = 0; f < QUANT_FORMATS; f++) {
        struct matrix twin = matrix_of(tables[0], (enum quant_format)f, x, ROWS, COLS);
        for (size_t i = 0; i < (size_t)ROWS * COLS; i++) assert_true(isfinite(twin.back[i]));
        for (int i = 1; i < n; i++) {
            struct matrix m = matrix_of(tables[i], (enum quant_format)f, x, ROWS, COLS);
            for (size_t b = 0; b < m.bytes; b++)
                if (m.groups[b] != twin.groups[b]) fail_msg("%s, format %d: byte %zu", tables[i]->name, f, b);
            matrix_free(&m);
        }
        matrix_free(&twin);
    }
    free(x);
}

/* ---- activations and products */

static struct quant_x x_make(const struct kernel_table *t, enum quant_format f, const float *x, size_t k,
                             size_t ld_x, size_t n_x) {
    size_t all = n_x * quant_x_padded(k);
    struct quant_x out = {malloc(all), malloc(all / 8), malloc(all / 4)};
    memset(out.q, 0x55, all);
    t->quant_x(f, x, k, ld_x, n_x, &out);
    return out;
}

static void x_free(struct quant_x *x) {
    free(x->q);
    free(x->scale);
    free(x->bias);
}

static void activations_are_rounded(void **state) {
    (void)state;
    enum { K = 300, PADDED = 512 };
    const struct kernel_table *tables[EACH_TABLES];
    float *x = each_vector(2 * K, 2);
    for (int i = each_table(tables); i-- > 0;) {
        struct quant_x q = x_make(tables[i], QUANT_Q8, x + K, K, K, 1);
        for (size_t k = 0; k < PADDED; k++) {
            size_t first = k / 32 * 32;
            float amax = k < K ? most_of(x + K + first, K - first < 32 ? K - first : 32) : 0;
            float want = k < K ? rintf(x[K + k] * (127 / amax)) : 0;
            assert_true(q.q[k] == want);
            if (k == first || k < K) assert_true(q.scale[k / 32] == amax / 127);
        }
        x_free(&q);
    }
    free(x);
}

static void activations_of_special_values(void **state) {
    (void)state;
    static const struct {
        float value, scale;
    } cases[] = {{0, 0},
                 {-0.0f, 0},
                 {0x1p-149f, 0},
                 {-0x1.fp-101f, 0},
                 {0x1p-100f, 0x1p-100f / 127},
                 {-3e38f, 3e38f / 127},
                 {INFINITY, NAN},
                 {NAN, NAN},
                 {-INFINITY, NAN}};
    const struct kernel_table *tables[EACH_TABLES];
    for (int i = each_table(tables); i-- > 0;) {
        for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
            float x[64] = {0};
            x[33] = cases[c].value;
            struct quant_x q = x_make(tables[i], QUANT_Q4, x, 64, 64, 1);
            bool some = cases[c].scale > 0;
            assert_true(q.scale[0] == 0 && q.q[0] == 0);
            assert_true(isnan(cases[c].scale) ? isnan(q.scale[1]) : q.scale[1] == cases[c].scale);
            assert_int_equal(q.q[33], some ? cases[c].value > 0 ? 127 : -127 : 0);
            assert_int_equal(q.bias[2], -64 * q.q[33]);
            assert_int_equal(q.q[32], 0);
            x_free(&q);
        }
    }
}

/* Halves go to the even number: amax 127 makes the factor 1. */
static void activations_half_way_go_to_even(void **state) {
    (void)state;
    const struct kernel_table *tables[EACH_TABLES];
    const float x[32] = {127, 0.5f, 1.5f, 2.5f, -0.5f, -1.5f, -2.5f, 126.5f};
    const int want[] = {127, 0, 2, 2, 0, -2, -2, 126};
    for (int i = each_table(tables); i-- > 0;) {
        struct quant_x q = x_make(tables[i], QUANT_Q8, x, 32, 32, 1);
        for (size_t k = 0; k < 8; k++) assert_int_equal(q.q[k], want[k]);
        assert_int_equal(q.bias[0], -128 * (127 + 126));
        x_free(&q);
    }
}

/* The integer value of an element, read from its byte. */
static int whole_of(enum quant_format f, const char *groups, size_t cols, size_t r, size_t k) {
    unsigned byte = (unsigned char)groups[byte_of(f, cols, r, k)];
    return f == QUANT_Q8 ? (int)byte - 128 : quant_codebook[k % 8 < 4 ? byte & 15 : byte >> 4];
}

static float quant_scale_at(const char *unit, size_t r) {
    uint16_t u;
    memcpy(&u, unit + 2 * (r % 16), 2);
    return float_of_bits((uint32_t)u << 15);
}

/* The sum over elements [from, to) of a row, exact. */
static double whole_sum(enum quant_format f, const char *w, size_t cols, size_t r, const int8_t *q,
                        size_t from, size_t to) {
    long sum = 0;
    for (size_t k = from; k < to && k < cols; k++) sum += (long)whole_of(f, w, cols, r, k) * q[k];
    return (double)sum;
}

/* An output to the bit, written after the words of quant.h from the bytes where they lie. */
static float output_of(enum quant_format f, const char *w, size_t cols, size_t r, const struct quant_x *x) {
    float acc = 0;
    for (size_t at = 0; at < cols; at += formats[f].unit) {
        const char *unit = w + r / 16 * group_bytes(f, cols) + at / formats[f].unit * formats[f].bytes;
        float scale = quant_scale_at(unit, r), part = 0;
        if (f == QUANT_Q8) {
            acc = fmaf(scale * x->scale[at / 32], (float)whole_sum(f, w, cols, r, x->q, at, at + 32), acc);
            continue;
        }
        for (size_t b = 0; b < 16; b += 2) {
            const signed char *scales = (const signed char *)unit + 32 + b * 16 + r % 16;
            double s = whole_sum(f, w, cols, r, x->q, at + b * 16, at + b * 16 + 16) * scales[0];
            s += whole_sum(f, w, cols, r, x->q, at + b * 16 + 16, at + b * 16 + 32) * scales[16];
            part = fmaf(x->scale[at / 32 + b / 2], (float)s, part);
        }
        acc = fmaf(scale, part, acc);
    }
    return acc;
}

/* Nearness to the product of what both sides are when widened. */
static void check_near(const struct matrix *m, const struct quant_x *x, size_t r, float out) {
    double sum = 0, magnitude = 0;
    for (size_t k = 0; k < m->cols; k++) {
        double product = (double)m->back[r * m->cols + k] * x->scale[k / 32] * x->q[k];
        sum += product;
        magnitude += fabs(product);
    }
    double bound = ((double)m->cols / 32 + 4) * 3 * 0x1p-24 * magnitude;
    if (!(fabs(out - sum) <= bound)) fail_msg("k=%zu row %zu: %.9g for %.9g", m->cols, r, out, sum);
}

/* Every length's outputs, and the same for every split of rows and count of activations. */
static void check_products(const struct kernel_table *t, enum quant_format f, size_t rows, size_t k) {
    enum { X = 9, WIDE = ROWS_MAX + 3 };
    float *w = weights(rows * k, k), *x = each_vector(X * (k + 5), k + 1), out[X][WIDE], part[X][WIDE];
    for (size_t i = 0; i < rows * k; i += 37) w[i] *= 20;
    struct matrix m = matrix_of(t, f, w, rows, k);
    struct quant_x all = x_make(t, f, x, k, k + 5, X);
    t->quant_dot[f](m.groups, rows, k, &all, X, out[0], WIDE);
    for (size_t j = 0; j < X; j++) {
        struct quant_x one = x_make(t, f, x + j * (k + 5), k, k + 5, 1);
        for (size_t r = 0; r < rows; r++) {
            float want = output_of(f, m.groups, k, r, &one);
            if (memcmp(&want, &out[j][r], sizeof want) != 0)
                fail_msg("%s format %d k=%zu [%zu, %zu]: %a for %a", t->name, (int)f, k, j, r, out[j][r],
                         want);
            check_near(&m, &one, r, out[j][r]);
        }
        x_free(&one);
    }
    for (size_t n_x = 1; n_x < X; n_x++) {
        size_t split = n_x % 3 * 16 < rows ? n_x % 3 * 16 : 0;
        t->quant_dot[f](m.groups, split, k, &all, n_x, part[0], WIDE);
        t->quant_dot[f](m.groups + split / 16 * group_bytes(f, k), rows - split, k, &all, n_x,
                        part[0] + split, WIDE);
        for (size_t j = 0; j < n_x; j++) assert_memory_equal(part[j], out[j], rows * sizeof(float));
    }
    x_free(&all);
    matrix_free(&m);
    free(w);
    free(x);
}

/* Products with f32 activations: each weight widened, one after the other, in every lane and tile. */
static void check_precise(const struct kernel_table *t, enum quant_format f, size_t rows, size_t k) {
    enum { X = 6, WIDE = ROWS_MAX + 3 };
    float *w = weights(rows * k, k), *x = each_vector(X * (k + 5), k + 1), out[X][WIDE];
    struct matrix m = matrix_of(t, f, w, rows, k);
    for (size_t n_x = 1; n_x <= X; n_x++) {
        t->quant_precise(f, m.groups, rows, k, x, k + 5, n_x, out[0], WIDE);
        for (size_t j = 0; j < n_x; j++) {
            for (size_t r = 0; r < rows; r++) {
                float want = 0;
                for (size_t i = 0; i < k; i++) want = fmaf(m.back[r * k + i], x[j * (k + 5) + i], want);
                if (memcmp(&want, &out[j][r], sizeof want) != 0)
                    fail_msg("%s format %d k=%zu [%zu, %zu]: %a for %a", t->name, (int)f, k, j, r, out[j][r],
                             want);
            }
        }
    }
    matrix_free(&m);
    free(w);
    free(x);
}

static void precise_products_to_the_bit(void **state) {
    (void)state;
    static const size_t lengths[] = {1, 3, 4, 5, 16, 31, 32, 33, 64, 255, 256, 257, 300, 513};
    static const size_t rows[] = {1, 15, 16, 17, 40};
    const struct kernel_table *tables[EACH_TABLES];
    for (int i = each_table(tables); i-- > 0;)
        for (int f = 0; f < QUANT_FORMATS; f++)
            for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++)
                check_precise(tables[i], (enum quant_format)f, rows[l % 5], lengths[l]);
}

static void products_to_the_bit(void **state) {
    (void)state;
    static const size_t lengths[] = {1, 3, 4, 16, 31, 32, 33, 64, 96, 255, 256, 257, 300, 512, 600, 1000};
    static const size_t rows[] = {1, 15, 16, 17, 40};
    const struct kernel_table *tables[EACH_TABLES];
    for (int i = each_table(tables); i-- > 0;)
        for (int f = 0; f < QUANT_FORMATS; f++)
            for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++)
                check_products(tables[i], (enum quant_format)f, rows[l % 5], lengths[l]);
}

/* Rows past the last asked for are not written. */
static void products_write_what_is_asked_for(void **state) {
    (void)state;
    enum { ROWS = 21, K = 64 };
    const struct kernel_table *tables[EACH_TABLES];
    float *w = weights((size_t)ROWS * K, 1), *x = each_vector(2 * K, 2);
    for (int i = each_table(tables); i-- > 0;) {
        for (int f = 0; f < QUANT_FORMATS; f++) {
            struct matrix m = matrix_of(tables[i], (enum quant_format)f, w, ROWS, K);
            struct quant_x q = x_make(tables[i], (enum quant_format)f, x, K, K, 2);
            for (size_t rows = 0; rows <= ROWS; rows++) {
                float out[2][32];
                for (size_t j = 0; j < 64; j++) out[j / 32][j % 32] = 12345;
                tables[i]->quant_dot[f](m.groups, rows, K, &q, 2, out[0], 32);
                for (size_t j = 0; j < 64; j++)
                    assert_true((out[j / 32][j % 32] == 12345) == (j % 32 >= rows));
            }
            x_free(&q);
            matrix_free(&m);
        }
    }
    free(w);
    free(x);
}

/* A NaN or an infinity among the activations makes all outputs NaN: also those whose weights there are 0. */
static void products_of_no_number_are_none(void **state) {
    (void)state;
    enum { ROWS = 17, K = 320 };
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    const struct kernel_table *tables[EACH_TABLES];
    float *w = weights((size_t)ROWS * K, 1), *x = each_vector(K, 2), out[ROWS];
    memset(w + 3 * K, 0, K * sizeof *w);
    for (int i = each_table(tables); i-- > 0;) {
        for (int f = 0; f < QUANT_FORMATS; f++) {
            struct matrix m = matrix_of(tables[i], (enum quant_format)f, w, ROWS, K);
            for (size_t b = 0; b < 3; b++) {
                float kept = x[77];
                x[77] = bad[b];
                struct quant_x q = x_make(tables[i], (enum quant_format)f, x, K, K, 1);
                tables[i]->quant_dot[f](m.groups, ROWS, K, &q, 1, out, ROWS);
                for (size_t r = 0; r < ROWS; r++) assert_true(isnan(out[r]));
                x_free(&q);
                x[77] = kept;
            }
            matrix_free(&m);
        }
    }
    free(w);
    free(x);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_are_told),
        cmocka_unit_test(widened_from_bytes_made_by_hand),
        cmocka_unit_test(quantised_where_it_should_be),
        cmocka_unit_test(every_tail_is_within_bounds),
        cmocka_unit_test(error_is_less_than_rounding_gives),
        cmocka_unit_test(codes_are_the_nearest),
        cmocka_unit_test(constants_of_any_size),
        cmocka_unit_test(the_greatest_element_stays_in_its_byte),
        cmocka_unit_test(tiny_values_are_zeros),
        cmocka_unit_test(zeros_stay_zeros),
        cmocka_unit_test(what_is_no_number_is_refused),
        cmocka_unit_test(bytes_do_not_depend_on_the_set_or_the_split),
        cmocka_unit_test(special_values_have_the_same_bytes),
        cmocka_unit_test(activations_are_rounded),
        cmocka_unit_test(activations_of_special_values),
        cmocka_unit_test(activations_half_way_go_to_even),
        cmocka_unit_test(products_to_the_bit),
        cmocka_unit_test(precise_products_to_the_bit),
        cmocka_unit_test(products_write_what_is_asked_for),
        cmocka_unit_test(products_of_no_number_are_none),
    };
    return cmocka_run_group_tests_name("kernel quant", tests, NULL, NULL);
}
