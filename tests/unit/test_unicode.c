/* Normal forms where a run of plain text meets what must be brought into the form. */
#include "support/support.h"

#include "text/unicode.h"

static void expect(enum unicode_form form, const char *text, const char *normal) {
    struct lr_buf out = {0};
    assert_int_equal(unicode_normalize(form, lr_str_of(text), &out), 0);
    assert_string_equal(out.data, normal);
    lr_buf_free(&out);
}

static void marks_belong_to_the_letter_before_them(void **state) {
    (void)state;
    expect(UNICODE_NFC, "xe\xCC\x81y", "x\xC3\xA9y");
    expect(UNICODE_NFD, "x\xC3\xA9y", "xe\xCC\x81y");
    expect(UNICODE_NFC, "\xC3\xAA\xCC\x81", "\xE1\xBA\xBF"); /* a composed letter takes one more mark */
    expect(UNICODE_NFC, "a\xCC\x81\xCC\xA3", "\xE1\xBA\xA1\xCC\x81"); /* marks are ordered by class first */
    expect(UNICODE_NFKC, "\xEF\xAC\x81", "fi");
    expect(UNICODE_NFC, "\xEF\xAC\x81", "\xEF\xAC\x81");
}

static void hangul_is_composed_and_taken_apart(void **state) {
    (void)state;
    expect(UNICODE_NFC, "\xE1\x84\x80\xE1\x85\xA1\xE1\x86\xA8", "\xEA\xB0\x81");
    expect(UNICODE_NFD, "\xEA\xB0\x81", "\xE1\x84\x80\xE1\x85\xA1\xE1\x86\xA8");
}

/* U+11A7 stands before the first final consonant: it joins nothing and stays. */
static void the_empty_final_consonant_is_not_lost(void **state) {
    (void)state;
    expect(UNICODE_NFC, "\xEA\xB0\x80\xE1\x86\xA7", "\xEA\xB0\x80\xE1\x86\xA7");
    expect(UNICODE_NFKC, "\xEA\xB0\x80\xE1\x86\xA7", "\xEA\xB0\x80\xE1\x86\xA7");
    expect(UNICODE_NFD, "\xEA\xB0\x80\xE1\x86\xA7", "\xE1\x84\x80\xE1\x85\xA1\xE1\x86\xA7");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(marks_belong_to_the_letter_before_them),
        cmocka_unit_test(hangul_is_composed_and_taken_apart),
        cmocka_unit_test(the_empty_final_consonant_is_not_lost),
    };
    return cmocka_run_group_tests_name("unicode", tests, NULL, NULL);
}
