/* The mission's memory rules, each row just below, at and just above its boundary. */
#include "support/support.h"

#include "base/memory_policy.h"

#define MB (UINT64_C(1) << 20)
#define GB (UINT64_C(1) << 30)

static void first_size_follows_what_is_available(void **state) {
    (void)state;
    static const struct {
        uint64_t available, first;
        const char *name;
    } rows[] = {
        {0, 512 * MB, "conservative"},
        {8 * GB - 1, 512 * MB, "conservative"},
        {8 * GB, 1 * GB, "standard"},
        {8 * GB + 1, 1 * GB, "standard"},
        {16 * GB - 1, 1 * GB, "standard"},
        {16 * GB, 2 * GB, "high performance"},
        {16 * GB + 1, 2 * GB, "high performance"},
        {32 * GB - 1, 2 * GB, "high performance"},
        {32 * GB, 2 * GB, "high performance"},
        {32 * GB + 1, 4 * GB, "maximum performance"},
        {UINT64_MAX, 4 * GB, "maximum performance"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct memory_mode mode = policy_mode(rows[i].available);
        assert_int_equal(mode.first_size, rows[i].first);
        assert_string_equal(mode.name, rows[i].name);
    }
}

/* The next size with memory to spare. */
static uint64_t grown(uint64_t current, uint64_t in_use, uint64_t block) {
    uint64_t next = 0;
    assert_true(policy_grow(current, in_use, block, UINT64_MAX, &next));
    return next;
}

static void an_arena_begins_with_the_first_size(void **state) {
    (void)state;
    uint64_t next;
    assert_true(policy_grow(0, 0, 100, 4 * GB, &next));
    assert_int_equal(next, 512 * MB);
    assert_true(policy_grow(0, 0, 100, 9 * GB, &next));
    assert_int_equal(next, 1 * GB);
    assert_true(policy_grow(0, 0, 700 * MB, 4 * GB, &next));
    assert_int_equal(next, 768 * MB); /* from there it grows, by half */
    /* the first size is no growth step: no half of what is available */
    assert_true(policy_grow(0, 0, 512 * MB, 0, &next));
    assert_int_equal(next, 512 * MB);
    assert_false(policy_grow(0, 0, 512 * MB + 1, 1, &next));
    assert_true(policy_grow(0, 0, 512 * MB + 1, 2, &next));
    assert_int_equal(next, 512 * MB + 1);
}

static void small_arena_grows_by_half(void **state) {
    (void)state;
    assert_int_equal(grown(1 * GB, 1 * GB, 1), 1 * GB + 512 * MB);
    assert_int_equal(grown(1 * GB, 1 * GB, 512 * MB - 1), 1 * GB + 512 * MB);
    assert_int_equal(grown(1 * GB, 1 * GB, 512 * MB), 1 * GB + 512 * MB);
    assert_int_equal(grown(1 * GB, 1 * GB, 512 * MB + 1), 1 * GB + 512 * MB + 1);
    assert_int_equal(grown(1 * GB, 100, 3 * GB), 3 * GB + 100);
    assert_int_equal(grown(3, 3, 1), 4);
}

static void what_fits_does_not_grow(void **state) {
    (void)state;
    uint64_t next;
    assert_true(policy_grow(1 * GB, 0, 1 * GB, 0, &next));
    assert_int_equal(next, 1 * GB);
    assert_int_equal(grown(1 * GB, 1 * GB - 64, 64), 1 * GB);
    assert_int_equal(grown(1 * GB, 1 * GB - 64, 65), 1 * GB + 512 * MB);
    assert_int_equal(grown(0, 0, 0), 4 * GB);
}

static void tiers_change_above_four_and_twelve(void **state) {
    (void)state;
    /* at 4 GB still by half; above, by the smaller of needed + 1 GB and a quarter */
    assert_int_equal(grown(4 * GB - 2, 4 * GB - 2, 1), 6 * GB - 3);
    assert_int_equal(grown(4 * GB, 4 * GB, 1), 6 * GB);
    assert_int_equal(grown(4 * GB + 4, 4 * GB + 4, 1), 5 * GB + 5);
    /* the quarter is above 1 GB from 4 GB on: at 8 GB it is 2 GB, and needed + 1 GB is the smaller */
    assert_int_equal(grown(8 * GB, 8 * GB, 5), 9 * GB + 5);
    /* needed may lie far below the current size plus a quarter, or above it */
    assert_int_equal(grown(8 * GB, 8 * GB, 3 * GB), 11 * GB); /* a quarter would be 10 GB: needed */
    assert_int_equal(grown(8 * GB, 8 * GB, 1 * GB), 10 * GB);
    assert_int_equal(grown(8 * GB, 8 * GB, 1 * GB + 1), 10 * GB);
    assert_int_equal(grown(8 * GB, 8 * GB, 2 * GB), 10 * GB);
    assert_int_equal(grown(8 * GB, 8 * GB, 2 * GB + 1), 10 * GB + 1);
    /* at 12 GB still the middle tier; above, needed + 256 MB */
    assert_int_equal(grown(12 * GB - 1, 12 * GB - 1, 1), 13 * GB);
    assert_int_equal(grown(12 * GB, 12 * GB, 1), 13 * GB + 1);
    assert_int_equal(grown(12 * GB + 1, 12 * GB + 1, 1), 12 * GB + 2 + 256 * MB);
    assert_int_equal(grown(100 * GB, 100 * GB, 8 * GB), 108 * GB + 256 * MB);
}

static void step_takes_at_most_half_of_what_is_available(void **state) {
    (void)state;
    uint64_t next;
    /* the wish is 512 MB more: granted when that is half, else shrunk to what is needed */
    assert_true(policy_grow(1 * GB, 1 * GB, 100, 1 * GB, &next));
    assert_int_equal(next, 1 * GB + 512 * MB);
    assert_true(policy_grow(1 * GB, 1 * GB, 100, 1 * GB - 1, &next));
    assert_int_equal(next, 1 * GB + 100);
    /* what is needed: just under, at and above half */
    assert_true(policy_grow(1 * GB, 1 * GB, 99, 200, &next));
    assert_true(policy_grow(1 * GB, 1 * GB, 100, 200, &next));
    assert_int_equal(next, 1 * GB + 100);
    assert_false(policy_grow(1 * GB, 1 * GB, 101, 200, &next));
    assert_false(policy_grow(1, 1, 1, 0, &next));
    /* what is still free in the arena is not taken again */
    assert_true(policy_grow(1 * GB, 1 * GB - 50, 150, 200, &next));
    assert_int_equal(next, 1 * GB + 100);
}

static void sums_beyond_64_bits_are_refused(void **state) {
    (void)state;
    uint64_t next;
    assert_false(policy_grow(UINT64_MAX - 5, UINT64_MAX - 5, 6, UINT64_MAX, &next));
    assert_true(policy_grow(UINT64_MAX - 5, UINT64_MAX - 5, 5, UINT64_MAX, &next));
    assert_int_equal(next, UINT64_MAX);
}

static void usage_is_high_above_seventy_percent(void **state) {
    (void)state;
    assert_false(policy_high_usage(31, 100));
    assert_false(policy_high_usage(30, 100));
    assert_true(policy_high_usage(29, 100));
    assert_false(policy_high_usage(300000001, 1000000000));
    assert_false(policy_high_usage(300000000, 1000000000));
    assert_true(policy_high_usage(299999999, 1000000000));
    assert_true(policy_high_usage(0, UINT64_MAX));
    assert_false(policy_high_usage(UINT64_MAX, UINT64_MAX));
    assert_false(policy_high_usage(5, 4));
    assert_false(policy_high_usage(0, 0));
}

static void constants_are_the_missions(void **state) {
    (void)state;
    assert_int_equal(POLICY_MAX_TENSOR, 8 * GB);
    assert_int_equal(POLICY_LAYERS_PER_BATCH, 10);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_size_follows_what_is_available),
        cmocka_unit_test(an_arena_begins_with_the_first_size),
        cmocka_unit_test(small_arena_grows_by_half),
        cmocka_unit_test(what_fits_does_not_grow),
        cmocka_unit_test(tiers_change_above_four_and_twelve),
        cmocka_unit_test(step_takes_at_most_half_of_what_is_available),
        cmocka_unit_test(sums_beyond_64_bits_are_refused),
        cmocka_unit_test(usage_is_high_above_seventy_percent),
        cmocka_unit_test(constants_are_the_missions),
    };
    return cmocka_run_group_tests_name("memory policy", tests, NULL, NULL);
}
