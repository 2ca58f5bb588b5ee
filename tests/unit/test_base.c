/* Strings, buffers, errors, dtypes and the heap's door. */
#include "support/support.h"

#include "base/checked.h"
#include "base/dtype.h"
#include "base/error.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"

static void views_compare_by_bytes_then_length(void **state) {
    (void)state;
    assert_true(lr_str_cmp(LR_STR("a"), LR_STR("b")) < 0);
    assert_true(lr_str_cmp(LR_STR("ab"), LR_STR("a")) > 0);
    assert_true(lr_str_cmp(LR_STR("\xff"), LR_STR("a")) > 0);
    assert_int_equal(lr_str_cmp(LR_STR(""), (struct lr_str){NULL, 0}), 0);
    assert_false(lr_str_eq((struct lr_str){"a\0b", 3}, (struct lr_str){"a\0c", 3}));
    assert_true(lr_str_starts(LR_STR("model.layers"), LR_STR("model.")));
    assert_false(lr_str_starts(LR_STR("mod"), LR_STR("model.")));
    assert_true(lr_str_ends(LR_STR("x.json"), LR_STR(".json")));
    assert_false(lr_str_ends(LR_STR("json"), LR_STR(".json")));
    assert_int_equal(lr_str_from(LR_STR("abc"), 1).len, 2);
    assert_int_equal(lr_str_from(LR_STR("abc"), 4).len, 0);
}

static void empty_views_are_harmless(void **state) {
    (void)state;
    struct lr_str none = {NULL, 0};
    assert_true(lr_str_eq(none, LR_STR("")));
    assert_true(lr_str_starts(none, none));
    assert_true(lr_str_ends(LR_STR("a"), none));
    assert_null(lr_str_from(none, 0).data);
    assert_int_equal(lr_str_from(none, 5).len, 0);
    char *copy = lr_str_dup(none);
    assert_string_equal(copy, "");
    lr_free(copy);
    copy = lr_str_dup((struct lr_str){"abcdef", 3});
    assert_string_equal(copy, "abc");
    lr_free(copy);
    lr_mem_fail_after(1, 0);
    copy = lr_str_dup(LR_STR("x"));
    lr_mem_fail_after(0, 0);
    assert_null(copy);
    struct lr_buf b = {0};
    assert_int_equal(lr_buf_append(&b, NULL, 0), 0);
    assert_string_equal(b.data, "");
    lr_buf_free(&b);
}

static void order_of_views_is_total(void **state) {
    (void)state;
    static const struct lr_str sorted[] = {{NULL, 0}, {"\0", 1}, {"a", 1},   {"a\0", 2},
                                           {"ab", 2}, {"b", 1},  {"\xff", 1}};
    enum { N = sizeof sorted / sizeof *sorted };
    for (int i = 0; i < N; i++)
        for (int k = 0; k < N; k++) {
            int c = lr_str_cmp(sorted[i], sorted[k]);
            assert_int_equal((c > 0) - (c < 0), (i > k) - (i < k));
        }
}

static void numbers_get_commas(void **state) {
    (void)state;
    assert_string_equal(lr_commas(0).text, "0");
    assert_string_equal(lr_commas(999).text, "999");
    assert_string_equal(lr_commas(1000).text, "1,000");
    assert_string_equal(lr_commas(1234567).text, "1,234,567");
    assert_string_equal(lr_commas(UINT64_MAX).text, "18,446,744,073,709,551,615");
}

static void buffer_grows_by_single_characters(void **state) {
    (void)state;
    struct lr_buf b = {0};
    for (int i = 0; i < 5000; i++) assert_int_equal(lr_buf_append_char(&b, (char)('a' + i % 26)), 0);
    assert_int_equal(b.len, 5000);
    for (int i = 0; i < 5000; i++) assert_int_equal(b.data[i], 'a' + i % 26);
    assert_int_equal(lr_buf_append(&b, "x", SIZE_MAX - 5000), -1);
    assert_int_equal(lr_buf_append(&b, "x", SIZE_MAX - 5001), -1);
    assert_int_equal(b.len, 5000);
    lr_mem_fail_after(1, 1);
    int rc = lr_buf_printf(&b, "%9999d", 1);
    lr_mem_fail_after(0, 0);
    assert_int_equal(rc, -1);
    assert_int_equal(b.len, 5000);
    lr_buf_free(&b);
}

static void capacity_doubles(void **state) {
    (void)state;
    uint64_t *items = NULL;
    size_t cap = 0;
    assert_int_equal(lr_grow(&items, &cap, 0, sizeof *items), 0);
    assert_null(items);
    assert_int_equal(lr_grow(&items, &cap, 1, sizeof *items), 0);
    assert_int_equal(cap, 8);
    for (size_t i = 0; i < 8; i++) items[i] = i;
    uint64_t *before = items;
    assert_int_equal(lr_grow(&items, &cap, 8, sizeof *items), 0);
    assert_ptr_equal(items, before);
    assert_int_equal(lr_grow(&items, &cap, 33, sizeof *items), 0);
    assert_int_equal(cap, 64);
    for (size_t i = 0; i < 8; i++) assert_int_equal(items[i], i);
    before = items;
    lr_mem_fail_after(1, 0);
    int rc = lr_grow(&items, &cap, 65, sizeof *items);
    lr_mem_fail_after(0, 0);
    assert_int_equal(rc, -1);
    assert_int_equal(cap, 64);
    assert_ptr_equal(items, before);
    assert_int_equal(lr_grow(&items, &cap, SIZE_MAX / 2 + 2, 1), -1); /* no power of two is that large */
    assert_int_equal(lr_grow(&items, &cap, SIZE_MAX / 8, sizeof *items), -1); /* the bytes do not fit */
    assert_int_equal(cap, 64);
    lr_free(items);
}

static void buffer_is_terminated_after_each_step(void **state) {
    (void)state;
    struct lr_buf b = {0};
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(lr_buf_printf(&b, "%d,", i), 0);
        assert_int_equal(b.data[b.len], '\0');
    }
    assert_int_equal(b.len, 10 * 2 + 90 * 3 + 900 * 4);
    assert_int_equal(lr_buf_append(&b, "\0x", 2), 0);
    assert_int_equal(b.data[b.len - 1], 'x');
    lr_buf_free(&b);
    assert_null(b.data);
}

static void buffer_is_unchanged_when_memory_is_refused(void **state) {
    (void)state;
    struct lr_buf b = {0};
    assert_int_equal(lr_buf_append_str(&b, LR_STR("1234567")), 0);
    lr_mem_fail_after(1, 1);
    int failed = lr_buf_append_str(&b, LR_STR("a longer text than there is room for"));
    lr_mem_fail_after(0, 0);
    assert_int_equal(failed, -1);
    assert_string_equal(b.data, "1234567");
    lr_buf_free(&b);
}

static void chosen_allocation_fails_once_or_from_then_on(void **state) {
    (void)state;
    lr_mem_fail_after(2, 0);
    void *first = lr_malloc(1), *second = lr_malloc(1), *third = lr_malloc(1);
    assert_non_null(first);
    assert_null(second);
    assert_non_null(third);
    assert_int_equal(lr_mem_count(), 3);
    lr_mem_fail_after(1, 1);
    assert_null(lr_calloc(1, 1));
    assert_null(lr_calloc(1, 1));
    lr_mem_fail_after(0, 0);
    lr_free(first);
    lr_free(third);
}

static void sizes_that_overflow_are_refused(void **state) {
    (void)state;
    uint64_t n;
    size_t s;
    assert_true(lr_mul_u64(UINT64_MAX / 2 + 1, 2, &n));
    assert_false(lr_mul_u64(UINT64_MAX / 2, 2, &n));
    assert_true(lr_add_size(SIZE_MAX, 1, &s));
    assert_true(lr_round_up_u64(UINT64_MAX, 64, &n));
    assert_false(lr_round_up_u64(65, 64, &n));
    assert_int_equal(n, 128);
    assert_false(lr_round_up_u64(64, 64, &n));
    assert_int_equal(n, 64);
    assert_false(lr_round_up_u64(0, 64, &n));
    assert_int_equal(n, 0);
    assert_false(lr_round_up_u64(UINT64_MAX - 63, 64, &n));
    assert_int_equal(n, UINT64_MAX - 63);
    assert_true(lr_round_up_u64(UINT64_MAX - 62, 64, &n));
    assert_false(lr_add_u64(UINT64_MAX - 1, 1, &n));
    assert_int_equal(n, UINT64_MAX);
    assert_true(lr_add_u64(UINT64_MAX, 1, &n));
    assert_false(lr_mul_size(SIZE_MAX, 1, &s));
    assert_int_equal(s, SIZE_MAX);
    assert_true(lr_mul_size(SIZE_MAX / 2 + 1, 2, &s));
    assert_null(lr_realloc(NULL, SIZE_MAX / 2, 4));
    assert_null(lr_calloc(SIZE_MAX / 2, 4));
    char *items = NULL;
    size_t cap = 0;
    assert_int_equal(lr_grow(&items, &cap, SIZE_MAX - 1, 2), -1);
    assert_int_equal(cap, 0);
}

static void message_is_cut_between_characters(void **state) {
    (void)state;
    struct lr_error err;
    char text[2 * sizeof err.message];
    for (size_t lead = 0; lead < 4; lead++) {
        memset(text, 'x', lead);
        for (size_t i = lead; i + 4 < sizeof text; i += 3) memcpy(text + i, "\xe2\x82\xac", 4);
        assert_int_equal(lr_fail(&err, LR_EMODEL, "%s", text), LR_EMODEL);
        assert_int_equal(err.status, LR_EMODEL);
        size_t len = strlen(err.message);
        assert_true(len > sizeof err.message - 5);
        assert_int_equal((len - lead) % 3, 0);
    }
    assert_int_equal(lr_fail(NULL, LR_EUSAGE, "nobody reads this"), LR_EUSAGE);
}

/* Cut exactly at, before and inside characters of every length. */
static void line_is_cut_at_each_place(void **state) {
    (void)state;
    static const char *const characters[] = {"x", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80"};
    for (size_t c = 0; c < 4; c++)
        for (size_t lead = 0; lead <= 5; lead++) {
            struct lr_error err;
            char text[sizeof err.message + 8];
            size_t whole = sizeof err.message - 1 - lead, width = strlen(characters[c]);
            memset(text, '.', whole);
            strcpy(text + whole, characters[c]);
            lr_fail(&err, LR_EMODEL, "%s", text);
            assert_int_equal(strlen(err.message), width <= lead ? whole + width : whole);
        }
}

static void line_holds_no_controls(void **state) {
    (void)state;
    struct lr_error err;
    lr_fail(&err, LR_EMODEL, "a\nb\tc\x1b[31m\x7f\xc2\x9b\xc2\xa0\xc3\x9b");
    assert_string_equal(err.message, "a?b?c?[31m???\xc2\xa0\xc3\x9b");
}

static void message_may_quote_the_one_before(void **state) {
    (void)state;
    struct lr_error err;
    lr_fail(&err, LR_EMODEL, "key 'x' is missing");
    assert_int_equal(lr_fail(&err, LR_EUSAGE, "config.json: %s", err.message), LR_EUSAGE);
    assert_string_equal(err.message, "config.json: key 'x' is missing");
}

static void sizes_are_never_shown_as_none(void **state) {
    (void)state;
    static const struct {
        uint64_t bytes;
        int decimals;
        const char *text;
    } rows[] = {
        {0, 1, "0 GB"},
        {1, 1, "1 byte"},
        {107374, 2, "107,374 bytes"},
        {107375, 2, "0.00010 GB"},
        {1 << 20, 1, "0.00098 GB"},
        {44 << 20, 2, "0.043 GB"},
        {44 << 20, 1, "0.043 GB"},
        {107374183, 1, "0.1 GB"}, /* 0.1 GB and above: as many as asked for */
        {107374183, 2, "0.10 GB"},
        {UINT64_C(3) << 29, 1, "1.5 GB"},
        {UINT64_C(32) << 30, 1, "32.0 GB"},
        {UINT64_MAX, 2, "17179869184.00 GB"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_string_equal(lr_gb(rows[i].bytes, rows[i].decimals).text, rows[i].text);
}

/* All messages of exit status 4 begin alike, with the bytes and what they were for. */
static void refusals_are_alike(void **state) {
    (void)state;
    struct lr_error err;
    const uint64_t gb = UINT64_C(1) << 30;
    assert_int_equal(lr_refuse_memory(&err, "the KV cache", gb * 5 / 2, gb / 4, "-c %d", 7), LR_EMEMORY);
    assert_int_equal(err.status, LR_EMEMORY);
    assert_string_equal(
        err.message, "Cannot allocate 2.50 GB. Available memory: 0.25 GB (the KV cache: 2,684,354,560 bytes; "
                     "-c 7)");
    assert_int_equal(lr_refuse_tensor(&err, "'x'", 9 * gb, "leave it out"), LR_EMEMORY);
    assert_string_equal(err.message,
                        "Single tensor allocation too large: 'x': 9,663,676,416 bytes (9.00 GB), "
                        "8.00 GB at most (leave it out)");
    assert_int_equal(lr_fail_memory(&err, "the table", 77), LR_EMEMORY);
    assert_int_equal(err.status, LR_EMEMORY);
    assert_int_equal(strncmp(err.message, "Cannot allocate 77 bytes. Available memory: ", 44), 0);
    assert_non_null(strstr(err.message, " GB (the table: 77 bytes; "));
    assert_int_equal(lr_fail_memory(&err, "the model", UINT64_C(1) << 50), LR_EMEMORY);
    assert_int_equal(strncmp(err.message, "Cannot allocate 1048576.00 GB. Available memory: ", 49), 0);
    assert_int_equal(lr_fail_memory(NULL, "the table", 77), LR_EMEMORY);
}

static enum lr_status forward(enum lr_status inner, int *reached) {
    LR_TRY(inner);
    *reached = 1;
    return LR_OK;
}

static void try_forwards_a_failure(void **state) {
    (void)state;
    int reached = 0;
    assert_int_equal(forward(LR_EMEMORY, &reached), LR_EMEMORY);
    assert_int_equal(reached, 0);
    assert_int_equal(forward(LR_OK, &reached), LR_OK);
    assert_int_equal(reached, 1);
}

static void dtypes_are_named_and_sized(void **state) {
    (void)state;
    static const unsigned bits[LR_OTHER] = {32, 16, 16, 64, 64, 8, 8,  8,  8,  8, 6,
                                            6,  4,  64, 32, 16, 8, 64, 32, 16, 8, 8};
    for (int i = 0; i < LR_OTHER; i++) {
        enum lr_dtype d;
        assert_true(lr_dtype_parse(lr_str_of(lr_dtype_name((enum lr_dtype)i)), &d));
        assert_int_equal(d, i);
        assert_int_equal(lr_dtype_bits(d), bits[i]);
        assert_int_equal(lr_dtype_size(d), bits[i] / 8);
        assert_non_null(lr_dtype_label(d));
    }
    enum lr_dtype d;
    assert_false(lr_dtype_parse(LR_STR("bf16"), &d));
    assert_false(lr_dtype_parse(LR_STR("F32 "), &d));
    assert_false(lr_dtype_parse(LR_STR("?"), &d));
}

static void remember(void *ctx, enum lr_log_level level, const char *line) {
    snprintf(ctx, 64, "%d %s", (int)level, line);
}

static void log_goes_to_the_sink_alone(void **state) {
    (void)state;
    char seen[64] = "";
    lr_log(LR_LOG_WARN, "nobody listens");
    lr_log_set(remember, seen);
    lr_log(LR_LOG_INFO, "layer %d", 7);
    lr_log_set(NULL, NULL);
    lr_log(LR_LOG_WARN, "nobody listens any more");
    assert_string_equal(seen, "2 layer 7");
}

static void keep_length(void *ctx, enum lr_log_level level, const char *line) {
    (void)level;
    size_t *len = ctx;
    *len = strlen(line);
    for (size_t i = 1; i + 2 < *len; i += 3) assert_memory_equal(line + i, "\xe2\x82\xac", 3);
}

/* 1 + 3 n bytes never make 1023: the last character is cut whole. */
static void log_line_is_cut_between_characters(void **state) {
    (void)state;
    char text[3001] = "x";
    size_t len = 0;
    for (size_t i = 1; i + 3 < sizeof text; i += 3) memcpy(text + i, "\xe2\x82\xac", 3);
    lr_log_set(keep_length, &len);
    lr_log(LR_LOG_WARN, "%s", text);
    lr_log_set(NULL, NULL);
    assert_int_equal(len, 1021);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(views_compare_by_bytes_then_length),
        cmocka_unit_test(empty_views_are_harmless),
        cmocka_unit_test(order_of_views_is_total),
        cmocka_unit_test(numbers_get_commas),
        cmocka_unit_test(buffer_grows_by_single_characters),
        cmocka_unit_test(capacity_doubles),
        cmocka_unit_test(buffer_is_terminated_after_each_step),
        cmocka_unit_test(buffer_is_unchanged_when_memory_is_refused),
        cmocka_unit_test(chosen_allocation_fails_once_or_from_then_on),
        cmocka_unit_test(sizes_that_overflow_are_refused),
        cmocka_unit_test(message_is_cut_between_characters),
        cmocka_unit_test(line_is_cut_at_each_place),
        cmocka_unit_test(line_holds_no_controls),
        cmocka_unit_test(message_may_quote_the_one_before),
        cmocka_unit_test(sizes_are_never_shown_as_none),
        cmocka_unit_test(refusals_are_alike),
        cmocka_unit_test(try_forwards_a_failure),
        cmocka_unit_test(dtypes_are_named_and_sized),
        cmocka_unit_test(log_goes_to_the_sink_alone),
        cmocka_unit_test(log_line_is_cut_between_characters),
    };
    return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
