/* Products of every dtype and instruction set: against float64, equal bits for every shape, special values.
 */
#include "each.h"

static const enum lr_dtype dtypes[] = EACH_FLOAT_DTYPES;
enum { DTYPES = 3 };

/* A weight block of exactly `n` elements that begins `offset` bytes into its allocation. */
static char *weights(enum lr_dtype dtype, size_t n, size_t offset, uint64_t seed) {
    float *x = each_vector(n, seed);
    char *w = malloc(n * lr_dtype_size(dtype) + offset + 1);
    each_pack(dtype, x, n, w + offset);
    free(x);
    return w;
}

/* Every element goes through at most k/lanes + 6 additions (8 lanes or more), each of half an ulp. */
static void check_output(enum lr_dtype dtype, const char *w, const float *x, size_t k, float out) {
    double sum = 0, magnitude = 0;
    for (size_t i = 0; i < k; i++) {
        double product = (double)each_element(dtype, w, i) * x[i];
        sum += product;
        magnitude += fabs(product);
    }
    double bound = ((double)k / 8 + 7) * 0x1p-24 * magnitude;
    if (fabs(out - sum) > bound) fail_msg("%s k=%zu: %.9g for %.9g", lr_dtype_name(dtype), k, out, sum);
}

static void check_length(const struct kernel_table *t, enum lr_dtype dtype, size_t k, size_t offset) {
    enum { ROWS = 5, X = 3 };
    size_t row = k * lr_dtype_size(dtype);
    char *block = weights(dtype, ROWS * k, offset, k);
    float *x = each_vector(X * k, k + 1), out[X][ROWS];
    for (size_t i = 0; i < X * k && each_rounds(t, dtype); i++) x[i] = each_to_bf16(x[i]);
    each_dot(t, dtype, block + offset, ROWS, k, x, k, X, out[0], ROWS);
    for (int m = 0; m < X; m++)
        for (int r = 0; r < ROWS; r++)
            check_output(dtype, block + offset + (size_t)r * row, x + (size_t)m * k, k, out[m][r]);
    free(block);
    free(x);
}

static void test_every_length_and_alignment(void **state) {
    (void)state;
    static const size_t longer[] = {255, 256, 257, 511, 512, 513, 1023, 1024, 1025, 2048, 4099};
    const struct kernel_table *tables[EACH_TABLES];
    for (int i = each_table(tables); i-- > 0;) {
        for (int d = 0; d < DTYPES; d++) {
            for (size_t k = 1; k <= 200; k++)
                for (size_t offset = 0; offset < 8; offset++) check_length(tables[i], dtypes[d], k, offset);
            for (size_t l = 0; l < sizeof longer / sizeof *longer; l++)
                check_length(tables[i], dtypes[d], longer[l], 3);
        }
    }
}

static void same_bits(const float *a, const float *b, size_t n, const char *what, size_t shape) {
    for (size_t i = 0; i < n; i++)
        if (memcmp(a + i, b + i, sizeof *a) != 0)
            fail_msg("%s: output %zu of shape %zu: %a is not %a", what, i, shape, a[i], b[i]);
}

/* One row and one activation at a time, then all shapes: the same bits. */
static void check_shapes(const struct kernel_table *t, enum lr_dtype dtype, size_t k) {
    enum { ROWS = 27, X = 40, WIDE = 31 };
    size_t row = k * lr_dtype_size(dtype), ld_x = k + 3;
    char *w = weights(dtype, ROWS * k, 1, k) + 1;
    float *x = each_vector(X * ld_x, k), single[X][ROWS], out[X][WIDE];
    for (size_t m = 0; m < X; m++)
        for (size_t r = 0; r < ROWS; r++)
            each_dot(t, dtype, w + r * row, 1, k, x + m * ld_x, ld_x, 1, &single[m][r], 1);
    for (size_t n_x = 1; n_x <= X; n_x++) {
        each_dot(t, dtype, w, ROWS, k, x, ld_x, n_x, out[0], WIDE);
        for (size_t m = 0; m < n_x; m++) same_bits(out[m], single[m], ROWS, t->name, n_x);
    }
    for (size_t split = 1; split < ROWS; split++) {
        size_t n_x = split % 8 + 1;
        each_dot(t, dtype, w, split, k, x, ld_x, n_x, out[0], WIDE);
        each_dot(t, dtype, w + split * row, ROWS - split, k, x, ld_x, n_x, out[0] + split, WIDE);
        for (size_t m = 0; m < n_x; m++) same_bits(out[m], single[m], ROWS, t->name, split);
    }
    free(w - 1);
    free(x);
}

static void test_bits_do_not_depend_on_shape(void **state) {
    (void)state;
    static const size_t lengths[] = {1, 7, 8, 15, 16, 17, 33, 64, 100, 511, 512, 513, 1100, 2100};
    const struct kernel_table *tables[EACH_TABLES];
    for (int i = each_table(tables); i-- > 0;)
        for (int d = 0; d < DTYPES; d++)
            for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++)
                check_shapes(tables[i], dtypes[d], lengths[l]);
}

/* One special weight among zeros: the product alone must come out. */
static void check_special(const struct kernel_table *t, enum lr_dtype dtype, float special, float x_value) {
    for (size_t k = 1; k <= 40; k++) {
        for (size_t at = 0; at < k; at++) {
            float values[40] = {0}, x[40] = {0}, out[3];
            char w[40 * 4 + 1];
            values[at] = special;
            x[at] = x_value;
            each_pack(dtype, values, k, w + 1);
            float want = each_element(dtype, w + 1, at) * x_value;
            if (each_rounds(t, dtype) && fabsf(special) < 0x1p-126f) want = 0 * x_value;
            for (size_t n_x = 1; n_x <= 3; n_x++) {
                each_dot(t, dtype, w + 1, 1, k, x, 0, n_x, out, 1);
                if (isnan(want) ? !isnan(out[n_x - 1]) : out[n_x - 1] != want)
                    fail_msg("%s k=%zu at=%zu: %a for %a", t->name, k, at, out[n_x - 1], want);
            }
        }
    }
}

static void test_special_values(void **state) {
    (void)state;
    static const float values[] = {INFINITY, -INFINITY, NAN, 0x1p-24f, -0x3p-24f, 0x1p-130f, -0.0f, 65504.0f};
    const struct kernel_table *tables[EACH_TABLES];
    for (int i = each_table(tables); i-- > 0;)
        for (int d = 0; d < DTYPES; d++)
            for (size_t v = 0; v < sizeof values / sizeof *values; v++) {
                check_special(tables[i], dtypes[d], values[v], 1.5f);
                check_special(tables[i], dtypes[d], values[v], -INFINITY);
            }
}

static void check_widen_all(const struct kernel_table *t, enum lr_dtype dtype) {
    enum { ALL = 65536 };
    uint16_t *src = malloc(ALL * sizeof *src);
    float *out = malloc(ALL * sizeof *out);
    for (int i = 0; i < ALL; i++) src[i] = (uint16_t)i;
    t->widen[dtype](src, out, ALL);
    for (size_t i = 0; i < ALL; i++) {
        float want = each_element(dtype, src, i);
        if (isnan(want) ? !isnan(out[i]) : memcmp(&want, out + i, sizeof want) != 0)
            fail_msg("%s %s %zx: %a for %a", t->name, lr_dtype_name(dtype), i, out[i], want);
    }
    free(src);
    free(out);
}

static void check_widen_tails(const struct kernel_table *t, enum lr_dtype dtype) {
    for (size_t n = 0; n <= 70; n++) {
        for (size_t offset = 0; offset < 8; offset++) {
            char *w = weights(dtype, n, offset, n);
            float *out = each_vector(n + 1, 5), last = out[n];
            t->widen[dtype](w + offset, out, n);
            for (size_t i = 0; i < n; i++) assert_true(out[i] == each_element(dtype, w + offset, i));
            assert_true(out[n] == last);
            free(w);
            free(out);
        }
    }
}

static void test_widen(void **state) {
    (void)state;
    const struct kernel_table *tables[EACH_TABLES];
    for (int i = each_table(tables); i-- > 0;) {
        for (int d = 0; d < DTYPES; d++) check_widen_tails(tables[i], dtypes[d]);
        check_widen_all(tables[i], LR_F16);
        check_widen_all(tables[i], LR_BF16);
    }
}

/* The scalar conversion is the measure of all others, so it is checked against the definition. */
static void test_half_definition(void **state) {
    (void)state;
    for (uint32_t h = 0; h < 0x7C00; h++) {
        uint32_t exponent = h >> 10, fraction = h & 0x3FF;
        double want = exponent ? ldexp(1024 + fraction, (int)exponent - 25) : ldexp(fraction, -24);
        assert_true(float_of_f16((uint16_t)h) == want);
        assert_true(float_of_f16((uint16_t)(h | 0x8000)) == -want);
        assert_int_equal(f16_of_float((float)want), h);
        assert_int_equal(f16_of_float(-(float)want), h | 0x8000);
        /* Half way to the next one: the even one; a little more or less: the nearer. */
        float next = h == 0x7BFF ? 65536.0f : float_of_f16((uint16_t)(h + 1)),
              middle = ((float)want + next) / 2;
        assert_int_equal(f16_of_float(middle), h + (h & 1));
        assert_int_equal(f16_of_float(nextafterf(middle, 0)), h);
        assert_int_equal(f16_of_float(nextafterf(middle, INFINITY)), h + 1);
    }
    assert_int_equal(f16_of_float(INFINITY), 0x7C00);
    assert_int_equal(f16_of_float(-1e30f), 0xFC00);
    assert_int_equal(f16_of_float(NAN) & 0x7FFF, 0x7E00);
    assert_true(isinf(float_of_f16(0x7C00)) && isnan(float_of_f16(0x7C01)));
}

static void test_select(void **state) {
    (void)state;
    const struct kernel_table *t;
    struct lr_error err;
    assert_int_equal(kernel_select(0, NULL, &t, &err), LR_OK);
    assert_string_equal(t->name, "generic");
    assert_int_equal(kernel_select(0, "avx512", &t, &err), LR_OK);
    assert_string_equal(t->name, "generic");
    assert_int_equal(kernel_select(UINT32_MAX, "generic", &t, &err), LR_OK);
    assert_string_equal(t->name, "generic");
    assert_int_equal(kernel_select(0, "sse9", &t, &err), LR_EUSAGE);
    assert_non_null(strstr(err.message, "'sse9'"));
    assert_non_null(strstr(err.message, "generic, neon, avx2, avxvnni, avx512, avx512vnni, avx512bf16"));
    assert_int_equal(kernel_select(0, "", &t, &err), LR_EUSAGE);
#if defined(__x86_64__)
    assert_int_equal(kernel_select(CPU_AVX2, NULL, &t, &err), LR_OK);
    assert_string_equal(t->name, "avx2");
    assert_int_equal(kernel_select(CPU_AVX2 | CPU_AVX512, NULL, &t, &err), LR_OK);
    assert_string_equal(t->name, "avx512");
    assert_int_equal(kernel_select(CPU_AVX2 | CPU_AVX512, "avx2", &t, &err), LR_OK);
    assert_string_equal(t->name, "avx2");
    assert_int_equal(kernel_select(CPU_AVX2, "neon", &t, &err), LR_OK);
    assert_string_equal(t->name, "generic");
    assert_int_equal(kernel_select(CPU_AVX2 | CPU_AVX_VNNI, NULL, &t, &err), LR_OK);
    assert_string_equal(t->name, "avxvnni");
    uint32_t all = CPU_AVX2 | CPU_AVX_VNNI | CPU_AVX512 | CPU_AVX512_VNNI;
    assert_int_equal(kernel_select(all, NULL, &t, &err), LR_OK);
    assert_string_equal(t->name, "avx512vnni");
    assert_int_equal(kernel_select(all | CPU_AVX512_BF16, NULL, &t, &err), LR_OK);
    assert_string_equal(t->name, "avx512bf16");
#elif defined(__aarch64__)
    assert_int_equal(kernel_select(CPU_NEON, NULL, &t, &err), LR_OK);
    assert_string_equal(t->name, "neon");
    assert_int_equal(kernel_select(CPU_NEON, "generic", &t, &err), LR_OK);
    assert_string_equal(t->name, "generic");
    assert_int_equal(kernel_select(CPU_NEON, "avx512", &t, &err), LR_OK);
    assert_string_equal(t->name, "neon");
#endif
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_half_definition),
        cmocka_unit_test(test_widen),
        cmocka_unit_test(test_every_length_and_alignment),
        cmocka_unit_test(test_bits_do_not_depend_on_shape),
        cmocka_unit_test(test_special_values),
        cmocka_unit_test(test_select),
    };
    return cmocka_run_group_tests_name("kernel dot", tests, NULL, NULL);
}
