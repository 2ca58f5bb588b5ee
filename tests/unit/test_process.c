/* This program run again: what it says, how it ends, what it is told. */
#include "support/support.h"

#include "base/mem.h"
#include "sys/clock.h"
#include "sys/process.h"

#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

static struct lr_error err;
static struct process_result result;

/* ---- what the second process does */

static volatile sig_atomic_t told;

static void note(int number) {
    told = number;
}

static int long_text(void) {
    for (int i = 0; i < 100000; i++) printf("line %d\n", i);
    return 0;
}

/* Says that it is there, then waits to be told to end. */
static int wait_for_signal(void) {
    signal(SIGTERM, note);
    puts("waiting");
    fflush(stdout);
    for (int i = 0; i < 1000 && !told; i++) usleep(10000);
    printf("told %d", (int)told);
    return 7;
}

static int act(int argc, char **argv) {
    if (strcmp(argv[1], "words") == 0)
        for (int i = 0; i < argc; i++) printf("[%s]", argv[i]);
    else if (strcmp(argv[1], "long") == 0)
        return long_text();
    else if (strcmp(argv[1], "die") == 0)
        raise(SIGKILL);
    else if (strcmp(argv[1], "wait") == 0)
        return wait_for_signal();
    else if (strcmp(argv[1], "listen") == 0)
        return getchar() == EOF ? 3 : 4;
    return 0;
}

/* ---- the tests */

#define RUN_AGAIN "the system does not know how to run its programs"

static enum lr_status again(const char *word, const volatile int *interrupt) {
    char name[] = "test", first[16], second[] = "a b", third[] = "";
    char *words[] = {name, first, second, third, NULL};
    snprintf(first, sizeof first, "%s", word);
    process_free(&result);
    return process_run_again(words, true, interrupt, &result, &err);
}

static void words_and_answer_pass(void **state) {
    (void)state;
    SUPPORT_NOT_EMULATED(RUN_AGAIN);
    assert_int_equal(again("words", NULL), LR_OK);
    assert_int_equal(result.status, 0);
    assert_string_equal(result.out.data, "[test][words][a b][]");
}

static void a_long_answer_is_read_whole(void **state) {
    (void)state;
    SUPPORT_NOT_EMULATED(RUN_AGAIN);
    assert_int_equal(again("long", NULL), LR_OK);
    assert_int_equal(result.status, 0);
    assert_int_equal(result.out.len, 100000 * 6 + 10 + 90 * 2 + 900 * 3 + 9000 * 4 + 90000 * 5);
    assert_string_equal(result.out.data + result.out.len - 11, "line 99999\n");
}

static void ends_are_told(void **state) {
    (void)state;
    SUPPORT_NOT_EMULATED(RUN_AGAIN);
    assert_int_equal(again("listen", NULL), LR_OK);
    assert_int_equal(result.status, 3);
    assert_int_equal(result.out.len, 0);
    assert_int_equal(again("die", NULL), LR_OK);
    assert_int_equal(result.status, -SIGKILL);
}

static volatile int flag;

static void raise_flag(int number) {
    flag = number;
}

/* The signal comes while the other process is waited for. */
static void an_interrupt_is_passed_on(void **state) {
    (void)state;
    SUPPORT_NOT_EMULATED(RUN_AGAIN);
    struct sigaction action = {.sa_handler = raise_flag};
    sigaction(SIGALRM, &action, NULL);
    ualarm(300000, 0);
    double begin = clock_now();
    assert_int_equal(again("wait", &flag), LR_OK);
    assert_true(clock_now() - begin < 8);
    assert_true(result.status == 7 || result.status == -SIGTERM); /* too slow to have begun */
    if (result.status == 7) assert_string_equal(result.out.data, "waiting\ntold 15");
}

static void what_cannot_start_is_an_error(void **state) {
    (void)state;
    struct rlimit old, none;
    getrlimit(RLIMIT_NOFILE, &old);
    none = (struct rlimit){0, old.rlim_max};
    setrlimit(RLIMIT_NOFILE, &none);
    enum lr_status status = again("words", NULL);
    setrlimit(RLIMIT_NOFILE, &old);
    assert_int_equal(status, LR_EFAILED);
    assert_non_null(strstr(err.message, "a pipe"));
}

static void every_allocation_may_fail(void **state) {
    (void)state;
    SUPPORT_NOT_EMULATED(RUN_AGAIN);
    enum lr_status status;
    long n = 0;
    do {
        lr_mem_fail_after(++n, 0);
        status = again("long", NULL);
        lr_mem_fail_after(0, 0);
        assert_true(status == LR_OK || status == LR_EMEMORY);
    } while (status != LR_OK);
    assert_true(n > 2);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_and_answer_pass),
        cmocka_unit_test(a_long_answer_is_read_whole),
        cmocka_unit_test(ends_are_told),
        cmocka_unit_test(an_interrupt_is_passed_on),
        cmocka_unit_test(what_cannot_start_is_an_error),
        cmocka_unit_test(every_allocation_may_fail),
    };
    if (argc > 1) return act(argc, argv);
    int failed = cmocka_run_group_tests_name("process", tests, NULL, NULL);
    process_free(&result);
    return failed;
}
