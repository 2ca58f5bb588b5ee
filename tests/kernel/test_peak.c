/* The loops of multiply-adds: they do what they say they did, and compilers leave none of it out. */
#include "each.h"

#include "sys/clock.h"

static void the_sum_is_that_of_all_multiply_adds(void **state) {
    (void)state;
    const struct kernel_table *tables[EACH_TABLES];
    for (int i = 0, n = each_table(tables); i < n; i++) {
        for (int which = 0; which < PEAK_COUNT; which++) {
            kernel_peak_fn *run = kernel_peak(tables[i], cpu_features(), (enum kernel_peak)which);
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
            kernel_peak_fn *run = kernel_peak(tables[i], cpu_features(), (enum kernel_peak)which);
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

static void a_processor_without_the_instruction_has_none(void **state) {
    (void)state;
    const struct kernel_table *tables[EACH_TABLES];
    for (int i = 0, n = each_table(tables); i < n; i++) {
        assert_non_null(kernel_peak(tables[i], 0, PEAK_F32));
        assert_null(kernel_peak(tables[i], 0, PEAK_BF16));
        assert_null(kernel_peak(tables[i], 0, PEAK_INT8));
        assert_null(kernel_peak(tables[0], UINT32_MAX, PEAK_BF16));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_sum_is_that_of_all_multiply_adds),
        cmocka_unit_test(time_grows_with_the_rounds),
        cmocka_unit_test(reading_sums_what_is_there),
        cmocka_unit_test(a_processor_without_the_instruction_has_none),
    };
    return cmocka_run_group_tests_name("kernel peak", tests, NULL, NULL);
}
