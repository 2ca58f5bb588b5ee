/* Products of fp8 weights: the 256 values against their definition, equal bits for every instruction set;
 * matrices with scales of every kind, against f32 products of the dequantised weights, to the last bit. */
#include "support/support.h"

#include "each.h"

#include "kernel/fp8.h"
#include "sys/threads.h"

static const enum lr_dtype dtypes[] = {LR_F8_E4M3, LR_F8_E5M2};

/* ---- values */

/* By the definition: sign, exponent, fraction; the lowest exponent is that of subnormal numbers. */
static double defined(int exponent_bits, int fraction_bits, int bias, unsigned b) {
    int exponent = (int)(b >> fraction_bits) & ((1 << exponent_bits) - 1);
    double fraction = b & ((1u << fraction_bits) - 1), one = 1 << fraction_bits;
    double magnitude =
        exponent ? ldexp(1 + fraction / one, exponent - bias) : ldexp(fraction / one, 1 - bias);
    return b & 0x80 ? -magnitude : magnitude;
}

static float value_of(enum lr_dtype dtype, uint8_t b) {
    return dtype == LR_F8_E4M3 ? float_of_e4m3(b) : float_of_e5m2(b);
}

static void test_definition(void **state) {
    (void)state;
    for (unsigned b = 0; b < 256; b++) {
        float x = value_of(LR_F8_E4M3, (uint8_t)b);
        if ((b & 0x7F) == 0x7F)
            assert_true(isnan(x));
        else
            assert_true(x == defined(4, 3, 7, b) && !!signbit(x) == (b >= 0x80));
        float y = value_of(LR_F8_E5M2, (uint8_t)b);
        if ((b & 0x7F) > 0x7C)
            assert_true(isnan(y));
        else if ((b & 0x7F) == 0x7C)
            assert_true(isinf(y) && !!signbit(y) == (b >= 0x80));
        else
            assert_true(y == defined(5, 2, 15, b) && !!signbit(y) == (b >= 0x80));
    }
    assert_true(value_of(LR_F8_E4M3, 0x7E) == 448 && value_of(LR_F8_E4M3, 0x01) == 0x1p-9f);
    assert_true(value_of(LR_F8_E5M2, 0x7B) == 57344 && value_of(LR_F8_E5M2, 0x01) == 0x1p-16f);
}

static void same(const struct kernel_table *t, float got, float want, const char *what, size_t at) {
    if (isnan(want) ? !isnan(got) : memcmp(&got, &want, sizeof got) != 0)
        fail_msg("%s: %s %zu: %a for %a", t->name, what, at, got, want);
}

/* All elements, times scales of every size: each product is rounded once, subnormal ones too. */
static void test_every_value_and_scale(void **state) {
    (void)state;
    static const float scales[] = {
        1,         0.3f,    -0.0123456f, 0x1.fffffep-9f, 0x1p-140f, 0x1.234568p-130f,
        0x1p-149f, 0x1p99f, 0,           -0.0f,          448,       0x1.fffffep99f};
    const struct kernel_table *tables[EACH_TABLES];
    uint8_t all[256];
    float out[256];
    for (int i = 0; i < 256; i++) all[i] = (uint8_t)i;
    for (int i = each_table(tables); i-- > 0;)
        for (int d = 0; d < 2; d++)
            for (size_t s = 0; s < sizeof scales / sizeof *scales; s++) {
                tables[i]->dequantise[dtypes[d]](all, scales[s], out, 256);
                for (size_t b = 0; b < 256; b++)
                    same(tables[i], out[b], value_of(dtypes[d], all[b]) * scales[s], "value", b);
            }
}

static void test_tails_and_alignments(void **state) {
    (void)state;
    const struct kernel_table *tables[EACH_TABLES];
    for (int i = each_table(tables); i-- > 0;)
        for (int d = 0; d < 2; d++)
            for (size_t n = 0; n <= 200; n++) {
                size_t offset = n % 8;
                uint8_t *src = malloc(n + offset + 1);
                float *out = each_vector(n + 1, 5), last = out[n];
                for (size_t k = 0; k < n; k++) src[offset + k] = (uint8_t)(k * 37 + n);
                tables[i]->dequantise[dtypes[d]](src + offset, 0.7f, out, n);
                for (size_t k = 0; k < n; k++)
                    same(tables[i], out[k], value_of(dtypes[d], src[offset + k]) * 0.7f, "element", k);
                assert_true(out[n] == last);
                free(src);
                free(out);
            }
}

/* ---- matrices */

struct fp8_matrix {
    struct tensor_view w;
    struct tensor_scales scales;
    uint8_t *block; /* begins at an odd address */
    float *plain;   /* [rows, cols] dequantised, element by element */
};

/* block_rows or block_cols 0: as many as there are. Finite elements. */
static struct fp8_matrix matrix_make(enum lr_dtype dtype, size_t rows, size_t cols, size_t block_rows,
                                     size_t block_cols) {
    struct fp8_matrix m = {.block = malloc(rows * cols + 1), .plain = malloc((rows * cols + 1) * 4)};
    m.scales =
        (struct tensor_scales){NULL, block_rows ? block_rows : rows, block_cols ? block_cols : cols, 0};
    m.scales.across = (cols + m.scales.block_cols - 1) / m.scales.block_cols;
    size_t n = (rows + m.scales.block_rows - 1) / m.scales.block_rows * m.scales.across;
    float *values = each_vector(n, rows);
    for (size_t i = 0; i < n; i++) values[i] = 0.01f + 0.005f * values[i];
    m.scales.values = values;
    uint64_t seed = cols;
    for (size_t i = 0; i < rows * cols; i++) {
        uint8_t b = (uint8_t)(int8_t)(each_random(&seed) * 128);
        if (!isfinite(value_of(dtype, b))) b = 0x39;
        if (dtype == LR_F8_E5M2) b &= 0xBF; /* magnitudes below 2 */
        m.block[1 + i] = b;
        size_t scale = i / cols / m.scales.block_rows * m.scales.across + i % cols / m.scales.block_cols;
        m.plain[i] = value_of(dtype, b) * values[scale];
    }
    m.w = (struct tensor_view){.data = m.block + 1, .dtype = dtype, .rows = rows, .cols = cols};
    return m;
}

static void matrix_free(struct fp8_matrix *m) {
    free((void *)(uintptr_t)m->scales.values);
    free(m->block);
    free(m->plain);
}

static struct matmul open_with(const struct kernel_table *t, uint32_t n_threads, enum matmul_mode mode,
                               bool precise, uint64_t cols) {
    struct threads *threads;
    struct matmul m;
    struct lr_error err;
    assert_int_equal(threads_create(n_threads, &threads, &err), LR_OK);
    assert_int_equal(matmul_open(t, threads, mode, precise, &m, &err), LR_OK);
    assert_int_equal(matmul_take_panels(&m, cols, &err), LR_OK);
    return m;
}

static void close_with(struct matmul *m) {
    struct threads *threads = m->threads;
    matmul_close(m);
    threads_destroy(threads);
}

static void multiply(const struct matmul *m, const struct tensor_view *w, const float *x, size_t n_x,
                     float *out, size_t ld_out) {
    struct matmul_input in;
    void *room = malloc(n_x * KERNEL_PREPARED_BYTES(w->cols) + 1);
    matmul_prepare(m, w->dtype, x, n_x, w->cols, room, &in);
    matmul_run(m, w, NULL, &in, out, ld_out);
    free(room);
}

/* The plain weights as f32: nothing is rounded, whatever the instruction set. */
static float *expected(const struct matmul *m, const struct fp8_matrix *f, const float *x, size_t n_x) {
    float *out = malloc(n_x * f->w.rows * sizeof *out);
    struct tensor_view w = {.data = f->plain, .dtype = LR_F32, .rows = f->w.rows, .cols = f->w.cols};
    multiply(m, &w, x, n_x, out, w.rows);
    return out;
}

/* Whole, and cut in two at row `cut` as a store lends it, with any number of activations: the same bits. */
static void check_matrix(const struct matmul *m, struct fp8_matrix *f, size_t most_x, size_t cut) {
    size_t rows = f->w.rows, cols = f->w.cols;
    float *x = each_vector(most_x * cols, 9), *got = malloc(most_x * rows * sizeof *got);
    float *want = expected(m, f, x, most_x);
    f->w.scales = &f->scales;
    for (size_t n_x = 1; n_x <= most_x; n_x += 1 + n_x / 3) {
        struct tensor_view head = f->w, tail = f->w;
        multiply(m, &f->w, x, n_x, got, rows);
        assert_memory_equal(got, want, n_x * rows * sizeof *got);
        memset(got, 0x55, n_x * rows * sizeof *got);
        head.rows = tail.first = cut;
        tail.rows = rows - cut;
        tail.data = (const char *)f->w.data + cut * cols;
        multiply(m, &head, x, n_x, got, rows);
        multiply(m, &tail, x, n_x, got + cut, rows);
        assert_memory_equal(got, want, n_x * rows * sizeof *got);
    }
    free(x);
    free(got);
    free(want);
}

static const size_t blocks[][2] = {{0, 0}, {1, 0}, {128, 128}, {16, 24}, {1, 32}, {300, 7}};
static const size_t shapes[][2] = {{3, 1}, {37, 130}, {131, 517}, {260, 1100}};
enum { BLOCKS = 6, SHAPES = 4 };

static void check_set(const struct kernel_table *t, uint32_t n_threads) {
    for (int i = 0; i < BLOCKS * SHAPES; i++) {
        const size_t *shape = shapes[i % SHAPES], *block = blocks[i / SHAPES];
        struct matmul m = open_with(t, n_threads, MATMUL_NATIVE, false, shape[1]);
        struct fp8_matrix f = matrix_make(dtypes[i % 2], shape[0], shape[1], block[0], block[1]);
        check_matrix(&m, &f, 40, shape[0] / 2 + 1);
        matrix_free(&f);
        close_with(&m);
    }
}

static void test_bits_are_those_of_dequantised_weights(void **state) {
    (void)state;
    const struct kernel_table *tables[EACH_TABLES];
    for (int i = each_table(tables); i-- > 0;) {
        check_set(tables[i], 1);
        check_set(tables[i], 3);
    }
}

/* A scale so large that an element's bits in a wider number cannot be made up for. */
static void test_large_scale(void **state) {
    (void)state;
    enum { ROWS = 9, COLS = 600, LARGE = 4 };
    const struct kernel_table *tables[EACH_TABLES];
    for (int i = each_table(tables); i-- > 0;)
        for (float scale = KERNEL_FP8_DOT_SCALE / 2; scale < KERNEL_MOST_SCALE; scale *= 0x1p23f) {
            struct matmul m = open_with(tables[i], 1, MATMUL_NATIVE, false, COLS);
            struct fp8_matrix f = matrix_make(LR_F8_E4M3, ROWS, COLS, 1, 0);
            ((float *)(uintptr_t)f.scales.values)[LARGE] = scale;
            for (size_t k = LARGE * COLS; k < (LARGE + 1) * COLS; k++)
                f.plain[k] = float_of_e4m3(f.block[1 + k]) * scale;
            check_matrix(&m, &f, 7, 2);
            matrix_free(&f);
            close_with(&m);
        }
}

/* Rows that are longer than a panel is made for. */
static void test_long_rows(void **state) {
    (void)state;
    const struct kernel_table *tables[EACH_TABLES];
    int n = each_table(tables);
    static const size_t lengths[] = {(1u << 17) - 1, 1u << 17, (1u << 18) + 77};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        for (int precise = 0; precise < 2; precise++) {
            struct matmul m = open_with(tables[n - 1], 2, MATMUL_NATIVE, precise, lengths[i]);
            struct fp8_matrix f = matrix_make(LR_F8_E4M3, 5, lengths[i], 128, 128);
            check_matrix(&m, &f, 3, 2);
            matrix_free(&f);
            close_with(&m);
        }
    }
}

/* OpenBLAS adds in its own order. */
static void test_blas(void **state) {
    (void)state;
    enum { ROWS = 61, COLS = 300, X = 9 };
    const struct kernel_table *tables[EACH_TABLES];
    each_table(tables);
    struct matmul m = open_with(tables[0], 2, MATMUL_BLAS, false, COLS);
    struct fp8_matrix f = matrix_make(LR_F8_E4M3, ROWS, COLS, 16, 24);
    float *x = each_vector(X * COLS, 2), out[X * ROWS];
    f.w.scales = &f.scales;
    multiply(&m, &f.w, x, X, out, ROWS);
    for (size_t i = 0; i < X * ROWS; i++) {
        double sum = 0, magnitude = 0;
        for (size_t k = 0; k < COLS; k++) {
            double one = (double)f.plain[i % ROWS * COLS + k] * x[i / ROWS * COLS + k];
            sum += one;
            magnitude += fabs(one);
        }
        assert_true(fabs(out[i] - sum) <= COLS * 0x1p-24 * magnitude);
    }
    free(x);
    matrix_free(&f);
    close_with(&m);
}

/* q8 and q4 of the dequantised weights, also from a row on that is not the matrix's first. */
static void test_quantised_from_fp8(void **state) {
    (void)state;
    enum { ROWS = 70, COLS = 530, CUT = 32 };
    const struct kernel_table *tables[EACH_TABLES];
    struct lr_error err;
    struct fp8_matrix f = matrix_make(LR_F8_E4M3, ROWS, COLS, 48, 128);
    struct tensor_view plain = {.data = f.plain, .dtype = LR_F32, .rows = ROWS, .cols = COLS};
    f.w.scales = &f.scales;
    struct tensor_view tail = f.w;
    tail.first = CUT;
    tail.rows = ROWS - CUT;
    tail.data = (const char *)f.w.data + CUT * COLS;
    for (int i = each_table(tables); i-- > 0;)
        for (int q = 0; q < QUANT_FORMATS; q++) {
            uint64_t size, group;
            assert_false(quant_bytes((enum quant_format)q, ROWS, COLS, &size));
            assert_false(quant_group_bytes((enum quant_format)q, COLS, &group));
            char *want = malloc(size), *got = malloc(size);
            assert_int_equal(quant_groups(tables[i], (enum quant_format)q, &plain, 0, 5, want, &err), LR_OK);
            assert_int_equal(quant_groups(tables[i], (enum quant_format)q, &f.w, 0, 5, got, &err), LR_OK);
            assert_memory_equal(got, want, size);
            assert_int_equal(quant_groups(tables[i], (enum quant_format)q, &tail, 0, 3, got, &err), LR_OK);
            assert_memory_equal(got, want + CUT / QUANT_ROWS * group, 3 * group);
            free(want);
            free(got);
        }
    matrix_free(&f);
}

/* A NaN among the weights comes out, wherever it stands, and of its row alone; panels are given back. */
static void test_nan_and_no_panels(void **state) {
    (void)state;
    enum { ROWS = 7, COLS = 600, X = 5 };
    const struct kernel_table *tables[EACH_TABLES];
    struct lr_error err;
    for (int i = each_table(tables); i-- > 0;)
        for (size_t at = 0; at < ROWS * COLS; at += 173) {
            struct matmul m = open_with(tables[i], 1, MATMUL_NATIVE, false, COLS);
            struct fp8_matrix f = matrix_make(LR_F8_E4M3, ROWS, COLS, at % 2, 128);
            float *x = each_vector(X * COLS, 1), out[X * ROWS];
            f.w.scales = at % 3 ? &f.scales : NULL;
            f.block[1 + at] = at & 4 ? 0xFF : 0x7F;
            for (size_t n_x = 1; n_x <= X; n_x += X - 1) {
                multiply(&m, &f.w, x, n_x, out, ROWS);
                for (size_t o = 0; o < n_x * ROWS; o++)
                    assert_true(o % ROWS == at / COLS ? isnan(out[o]) : isfinite(out[o]));
            }
            assert_int_equal(matmul_take_panels(&m, 0, &err), LR_OK);
            assert_null(m.panels);
            free(x);
            matrix_free(&f);
            close_with(&m);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_definition),
        cmocka_unit_test(test_every_value_and_scale),
        cmocka_unit_test(test_tails_and_alignments),
        cmocka_unit_test(test_bits_are_those_of_dequantised_weights),
        cmocka_unit_test(test_large_scale),
        cmocka_unit_test(test_long_rows),
        cmocka_unit_test(test_blas),
        cmocka_unit_test(test_quantised_from_fp8),
        cmocka_unit_test(test_nan_and_no_panels),
    };
    return cmocka_run_group_tests_name("kernel fp8", tests, NULL, NULL);
}
