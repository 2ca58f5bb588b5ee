/* The tests' own support: what a test that fails leaves behind. */
#include "support/support.h"

#include "support/folder.h"

#include <unistd.h>

/* Ends as a program does of which a test has failed: its folder was not removed. */
static int leave_a_folder(void) {
    char *left = support_make_folder();
    support_write_file(left, "f", "x", 1);
    support_write_file(folder, "left", left, strlen(left));
    exit(access(left, F_OK) ? 2 : 1);
}

static void folders_that_were_left_go_at_the_end(void **state) {
    (void)state;
    assert_int_equal(support_in_child(leave_a_folder), 1);
    char *left = support_read_file(at("left"), NULL);
    assert_non_null(left); /* the parent's folder is still there */
    assert_int_equal(access(left, F_OK), -1);
    free(left);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(folders_that_were_left_go_at_the_end)};
    return cmocka_run_group_tests_name("support", tests, folder_setup, folder_teardown);
}
