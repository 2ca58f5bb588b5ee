/* JSON as it is written: escapes, broken UTF-8, numbers that JSON does not have. */
#include "support/support.h"

#include "base/json_write.h"

#include <math.h>

static void written_as(struct lr_str text, const char *json) {
    struct lr_buf b = {0};
    assert_int_equal(json_write_string(&b, text), 0);
    assert_string_equal(b.data, json);
    lr_buf_free(&b);
}

static void strings_are_escaped(void **state) {
    (void)state;
    written_as(LR_STR(""), "\"\"");
    written_as(LR_STR("a\"b\\c/d"), "\"a\\\"b\\\\c/d\"");
    written_as(LR_STR("\b\f\n\r\t\x01\x1f\x7f"), "\"\\b\\f\\n\\r\\t\\u0001\\u001f\\u007f\"");
    written_as((struct lr_str){"a\0b", 3}, "\"a\\u0000b\"");
    written_as(LR_STR("\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"),
               "\"\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80\"");
}

#define R "\xEF\xBF\xBD"

static void each_maximal_invalid_part_is_one_mark(void **state) {
    (void)state;
    written_as(LR_STR("\x80"), "\"" R "\"");
    written_as(LR_STR("\xc0\xaf"), "\"" R R "\"");
    written_as(LR_STR("\xe2\x82"), "\"" R "\"");
    written_as(LR_STR("\xe2\x82z"), "\"" R "z\"");
    written_as(LR_STR("\xed\xa0\x80"), "\"" R R R "\"");
    written_as(LR_STR("\xe0\x80\x80"), "\"" R R R "\"");
    written_as(LR_STR("\xf0\x9f\x98"), "\"" R "\"");
    written_as(LR_STR("\xf0\x80\x80\x80"), "\"" R R R R "\"");
    written_as(LR_STR("\xf4\x90\x80\x80"), "\"" R R R R "\"");
    written_as(LR_STR("\xf5\xff"), "\"" R R "\"");
    written_as(LR_STR("\xf0\x9f\xf0\x9f\x98\x80"), "\"" R "\xf0\x9f\x98\x80\"");
}

static void numbers_that_json_lacks_are_null(void **state) {
    (void)state;
    struct lr_buf b = {0};
    assert_int_equal(json_write_number(&b, (double)NAN, 9), 0);
    lr_buf_append_char(&b, ' ');
    assert_int_equal(json_write_number(&b, (double)-INFINITY, 9), 0);
    lr_buf_append_char(&b, ' ');
    assert_int_equal(json_write_number(&b, -0.125, 9), 0);
    lr_buf_append_char(&b, ' ');
    assert_int_equal(json_write_ids(&b, (const uint32_t[]){1, 4294967294u}, 2), 0);
    assert_int_equal(json_write_ids(&b, NULL, 0), 0);
    assert_string_equal(b.data, "null null -0.125 [1,4294967294][]");
    lr_buf_free(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strings_are_escaped),
        cmocka_unit_test(each_maximal_invalid_part_is_one_mark),
        cmocka_unit_test(numbers_that_json_lacks_are_null),
    };
    return cmocka_run_group_tests_name("cli_json", tests, NULL, NULL);
}
