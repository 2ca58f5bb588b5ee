/* The loops of multiply-adds: they do what they say they did, and compilers leave none of it out. */
#include "each.h"

#include "sys/clock.h"

static void the_sum_is_that_of_all_multiply_adds(void **state) {
    (void)state;
    const struct kernel_table *tables[EACH_TABLES];
    for (int i = 0, n = each_table(tables); i < n; i++) {
        for (int which = 0; which < PEAK_COUNT; which++) {
            kernel_peak_fn *run = tables[i]->peak[which];
            for (uint64_t rounds = 0; run && rounds < 50; rounds += 7) {
                float io = 1;
                uint64_t done = run(rounds, &io);
                assert_true(rounds ? done >= rounds * 64 : done == 0);
                assert_true(io == (float)done);
            }
        }
    }
}

static void time_grows_with_the_rounds(void **state) {
    (void)state;
    const struct kernel_table *tables[EACH_TABLES];
    for (int i = 0, n = each_table(tables); i < n; i++) {
        for (int which = 0; which < PEAK_COUNT; which++) {
            kernel_peak_fn *run = tables[i]->peak[which];
            if (!run) continue;
            float io = 1;
            double begin = clock_now();
            uint64_t done = run(1000000, &io);
            double rate = (double)done / (clock_now() - begin);
            print_message("%s, peak %d: %.1f G multiply-adds a second\n", tables[i]->name, which, rate / 1e9);
            assert_true(rate < 64 * 4 * 8e9); /* 4 of the widest in a cycle of 8 GHz */
        }
    }
}

static void reading_sums_what_is_there(void **state) {
    (void)state;
    const struct kernel_table *tables[EACH_TABLES];
    enum { STEPS = 3, FLOATS = STEPS * KERNEL_READ_STEP / sizeof(float) };
    float *x = malloc(FLOATS * sizeof *x);
    for (size_t i = 0; i < FLOATS; i++) x[i] = (float)(i % 17);
    for (int i = 0, n = each_table(tables); i < n; i++) {
        for (size_t steps = 0; steps <= STEPS; steps++) {
            float want = 0;
            size_t floats = steps * KERNEL_READ_STEP / sizeof *x;
            for (size_t j = 0; j < floats; j++) want += x[j];
            assert_true(tables[i]->read(x, steps * KERNEL_READ_STEP, 0) == want);
            assert_true(tables[i]->read(x, steps * KERNEL_READ_STEP, 4096) == want);
        }
    }
    free(x);
}

static void each_set_has_the_peaks_of_its_products(void **state) {
    (void)state;
    const struct kernel_table *tables[EACH_TABLES];
    for (int i = 0, n = each_table(tables); i < n; i++) {
        const struct kernel_table *t = tables[i];
        bool bf16 = strstr(t->name, "bf16") != NULL, int8 = bf16 || strstr(t->name, "vnni") != NULL;
        assert_non_null(t->peak[PEAK_F32]);
        assert_int_equal(t->peak[PEAK_BF16] != NULL, bf16);
        assert_int_equal(t->peak[PEAK_INT8] != NULL, int8);
        struct matmul m = {.kernels = t};
        assert_int_equal(matmul_peak(&m, LR_BF16, KERNEL_ROUNDED_FROM), bf16 ? PEAK_BF16 : PEAK_F32);
        assert_int_equal(matmul_peak(&m, LR_BF16, KERNEL_ROUNDED_FROM - 1), PEAK_F32);
        assert_int_equal(matmul_peak(&m, LR_F16, KERNEL_ROUNDED_FROM), PEAK_F32);
        assert_int_equal(matmul_peak(&m, LR_Q8, KERNEL_QUANTISED_FROM), PEAK_INT8);
        assert_int_equal(matmul_peak(&m, LR_Q4, KERNEL_QUANTISED_FROM - 1), PEAK_F32);
        m.mode = MATMUL_BLAS;
        assert_int_equal(matmul_peak(&m, LR_BF16, KERNEL_ROUNDED_FROM), PEAK_F32);
        m.mode = MATMUL_AUTO;
        m.precise = true;
        assert_int_equal(matmul_peak(&m, LR_Q8, KERNEL_QUANTISED_FROM), PEAK_F32);
        assert_int_equal(matmul_peak(&m, LR_BF16, KERNEL_ROUNDED_FROM), PEAK_F32);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_sum_is_that_of_all_multiply_adds),
        cmocka_unit_test(time_grows_with_the_rounds),
        cmocka_unit_test(reading_sums_what_is_there),
        cmocka_unit_test(each_set_has_the_peaks_of_its_products),
    };
    return cmocka_run_group_tests_name("kernel peak", tests, NULL, NULL);
}
