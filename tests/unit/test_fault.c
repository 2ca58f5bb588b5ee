/* Files that are cut short while they are mapped. */
#include "support/support.h"

#include "sys/fault.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#define PAGES 8

static size_t page;

/* A file of PAGES pages of 0xAB, mapped; nothing else keeps it. */
struct mapped {
    uint8_t *data;
    int fd;
};

static struct mapped map_file(void) {
    const char *root = getenv("LR_TEST_TMP");
    char name[4096];
    snprintf(name, sizeof name, "%s/llm-run-XXXXXX", root ? root : "/tmp");
    struct mapped m = {NULL, mkstemp(name)};
    assert_true(m.fd >= 0);
    unlink(name);
    page = (size_t)sysconf(_SC_PAGESIZE);
    uint8_t *bytes = malloc(PAGES * page);
    memset(bytes, 0xAB, PAGES * page);
    assert_int_equal(write(m.fd, bytes, PAGES * page), PAGES * page);
    free(bytes);
    m.data = mmap(NULL, PAGES * page, PROT_READ, MAP_SHARED, m.fd, 0);
    assert_true(m.data != MAP_FAILED);
    return m;
}

static void cut(const struct mapped *m, size_t pages) {
    assert_int_equal(ftruncate(m->fd, (off_t)(pages * page)), 0);
}

static void unmap(struct mapped *m) {
    munmap(m->data, PAGES * page);
    close(m->fd);
}

static uint8_t touch(const uint8_t *at) {
    return *(const volatile uint8_t *)at;
}

static void guard(const void *base, size_t bytes, volatile int *raised) {
    struct lr_error err;
    assert_int_equal(fault_guard(base, bytes, raised, &err), LR_OK);
}

static bool handler_is(void (*handler)(int)) {
    struct sigaction now;
    assert_int_equal(sigaction(SIGBUS, NULL, &now), 0);
    return !(now.sa_flags & SA_SIGINFO) && now.sa_handler == handler;
}

static void set_handler(void (*handler)(int)) {
    struct sigaction action = {.sa_handler = handler};
    assert_int_equal(sigaction(SIGBUS, &action, NULL), 0);
}

static void lost_pages_read_as_zeros_and_raise_the_flag(void **state) {
    (void)state;
    struct mapped m = map_file();
    volatile int raised = 0;
    guard(m.data, PAGES * page, &raised);
    assert_int_equal(touch(m.data + 7 * page), 0xAB);
    cut(&m, 3);
    assert_int_equal(touch(m.data + 2 * page), 0xAB);
    assert_false(fault_raised(&raised));
    assert_int_equal(touch(m.data + 5 * page + 17), 0);
    assert_true(fault_raised(&raised));
    /* also in the pages before, which have not been touched yet, and at both ends of what is left */
    for (size_t i = 0; i < PAGES * page; i++) assert_int_equal(touch(m.data + i), i < 3 * page ? 0xAB : 0);
    fault_release(m.data);
    unmap(&m);
}

static void a_range_that_ends_within_a_page(void **state) {
    (void)state;
    struct mapped m = map_file();
    volatile int raised = 0;
    guard(m.data + 100, 6 * page, &raised); /* to 100 bytes into page 6 */
    cut(&m, 0);
    assert_int_equal(touch(m.data + 6 * page + 99), 0);
    assert_true(raised);
    assert_int_equal(touch(m.data + 100), 0);
    fault_release(m.data + 100);
    unmap(&m);
}

static void each_range_has_its_flag(void **state) {
    (void)state;
    struct mapped a = map_file(), b = map_file();
    volatile int first = 0, second = 0, tail = 0;
    guard(a.data, PAGES * page, &first);
    guard(b.data, PAGES * page, &second);
    guard(b.data + 6 * page, page, &tail);
    cut(&a, 0);
    cut(&b, 1);
    assert_int_equal(touch(a.data), 0);
    assert_true(first && !second && !tail);
    assert_int_equal(touch(b.data), 0xAB);
    assert_false(second);
    /* the zeros go on to the end of the whole, and so over the part */
    assert_int_equal(touch(b.data + page), 0);
    assert_true(second && tail);
    fault_release(a.data);
    fault_release(b.data);
    fault_release(b.data + 6 * page);
    unmap(&a);
    unmap(&b);
}

static void neighbours_in_one_page_are_both_told(void **state) {
    (void)state;
    struct mapped m = map_file();
    volatile int left = 0, right = 0;
    guard(m.data, page + page / 2, &left);
    guard(m.data + page + page / 2, page, &right);
    cut(&m, 1);
    assert_int_equal(touch(m.data + page), 0);
    assert_true(left && right);
    fault_release(m.data);
    fault_release(m.data + page + page / 2);
    unmap(&m);
}

static void *touch_all(void *data) {
    size_t sum = 0;
    for (size_t i = 0; i < PAGES; i++) sum += touch((uint8_t *)data + (PAGES - 1 - i) * page);
    return (void *)(uintptr_t)sum; /* NOLINT(performance-no-int-to-ptr) */
}

static void faults_in_many_threads(void **state) {
    (void)state;
    enum { THREADS = 4, FILES = 64 };
    for (int f = 0; f < FILES; f++) {
        struct mapped m = map_file();
        volatile int raised = 0;
        pthread_t threads[THREADS];
        guard(m.data, PAGES * page, &raised);
        cut(&m, 1);
        for (int i = 0; i < THREADS; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, touch_all, m.data), 0);
        for (int i = 0; i < THREADS; i++) {
            void *sum;
            assert_int_equal(pthread_join(threads[i], &sum), 0);
            assert_int_equal((uintptr_t)sum, 0xAB);
        }
        assert_true(fault_raised(&raised));
        fault_release(m.data);
        unmap(&m);
    }
}

/* Guards and releases until told to end. */
static void *keep_changing(void *stop) {
    static uint8_t bytes[3];
    volatile int raised = 0;
    while (!__atomic_load_n((int *)stop, __ATOMIC_RELAXED)) {
        for (int i = 0; i < 3; i++)
            if (fault_guard(&bytes[i], 1, &raised, NULL) != LR_OK) return stop;
        for (int i = 0; i < 3; i++) fault_release(&bytes[i]);
    }
    return NULL;
}

static void faults_while_the_table_changes(void **state) {
    (void)state;
    int stop = 0;
    pthread_t other;
    assert_int_equal(pthread_create(&other, NULL, keep_changing, &stop), 0);
    for (int i = 0; i < 200; i++) {
        struct mapped m = map_file();
        volatile int raised = 0;
        guard(m.data, PAGES * page, &raised);
        cut(&m, 0);
        assert_int_equal(touch(m.data + page), 0);
        assert_true(fault_raised(&raised));
        fault_release(m.data);
        unmap(&m);
    }
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    void *failed;
    pthread_join(other, &failed);
    assert_null(failed);
}

/* ---- faults that are not ours */

static sigjmp_buf out;
static volatile int plain_calls, informed_calls;
static const uint8_t *volatile informed_address;

static void plain_handler(int number) {
    (void)number;
    plain_calls = plain_calls + 1;
    siglongjmp(out, 1);
}

static void informed_handler(int number, siginfo_t *info, void *context) {
    (void)number;
    (void)context;
    informed_calls = informed_calls + 1;
    informed_address = info->si_addr;
    siglongjmp(out, 1);
}

static void touch_foreign(const struct mapped *foreign) {
    if (sigsetjmp(out, 1) == 0) {
        touch(foreign->data + page);
        fail_msg("a lost page was read");
    }
}

static void foreign_faults_go_to_the_earlier_handler(void **state) {
    (void)state;
    struct mapped foreign = map_file(), ours = map_file();
    struct sigaction action = {.sa_sigaction = informed_handler, .sa_flags = SA_SIGINFO}, before;
    volatile int raised = 0;
    cut(&foreign, 0);
    sigaction(SIGBUS, NULL, &before);
    for (int with_info = 0; with_info < 2; with_info++) {
        if (with_info)
            sigaction(SIGBUS, &action, NULL);
        else
            set_handler(plain_handler);
        guard(ours.data, PAGES * page, &raised);
        touch_foreign(&foreign);
        touch_foreign(&foreign);
        fault_release(ours.data);
        if (!with_info) assert_true(handler_is(plain_handler));
    }
    assert_int_equal(plain_calls, 2);
    assert_int_equal(informed_calls, 2);
    assert_ptr_equal(informed_address, foreign.data + page);
    assert_false(raised);
    sigaction(SIGBUS, &before, NULL);
    unmap(&foreign);
    unmap(&ours);
}

/* A signal that a process sends has no address, whatever stands in its place. */
static void sent_signals_are_not_ours(void **state) {
    (void)state;
    volatile int raised = 0;
    const void *everywhere = (const void *)1;
    struct sigaction before;
    sigaction(SIGBUS, NULL, &before);
    set_handler(plain_handler);
    plain_calls = 0;
    guard(everywhere, (size_t)1 << 47, &raised);
    if (sigsetjmp(out, 1) == 0) {
        raise(SIGBUS);
        fail_msg("the signal was lost");
    }
    assert_int_equal(plain_calls, 1);
    assert_false(raised);
    fault_release(everywhere);
    sigaction(SIGBUS, &before, NULL);
}

static void begin_child(struct mapped *foreign, void (*handler)(int)) {
    static const uint8_t byte;
    static volatile int raised;
    setrlimit(RLIMIT_CORE, &(struct rlimit){0});
    *foreign = map_file();
    cut(foreign, 0);
    set_handler(handler);
    guard(&byte, 1, &raised);
}

static int default_dies_of_a_fault(void) {
    struct mapped foreign;
    begin_child(&foreign, SIG_DFL);
    touch(foreign.data);
    return 1;
}

static int default_dies_of_a_signal(void) {
    struct mapped foreign;
    begin_child(&foreign, SIG_DFL);
    raise(SIGBUS);
    return 1;
}

static int ignored_dies_of_a_fault(void) {
    struct mapped foreign;
    begin_child(&foreign, SIG_IGN);
    touch(foreign.data);
    return 1;
}

static int ignored_survives_signals(void) {
    struct mapped foreign, ours = map_file();
    volatile int raised = 0;
    begin_child(&foreign, SIG_IGN);
    guard(ours.data, PAGES * page, &raised);
    cut(&ours, 0);
    raise(SIGBUS);
    kill(getpid(), SIGBUS);
    return touch(ours.data) == 0 && raised ? 42 : 1; /* and the guard is still there */
}

static void the_systems_own_ways_stay(void **state) {
    (void)state;
    SUPPORT_NOT_EMULATED("a fault that is ignored ends nothing");
    assert_int_equal(support_in_child(default_dies_of_a_fault), 100);
    assert_int_equal(support_in_child(default_dies_of_a_signal), 100);
    assert_int_equal(support_in_child(ignored_dies_of_a_fault), 100);
    assert_int_equal(support_in_child(ignored_survives_signals), 42);
}

/* ---- the table and the handler */

static void the_last_release_puts_the_handler_back(void **state) {
    (void)state;
    uint8_t bytes[2];
    volatile int raised = 0;
    struct sigaction before;
    sigaction(SIGBUS, NULL, &before);
    set_handler(plain_handler);
    guard(&bytes[0], 1, &raised);
    guard(&bytes[1], 1, &raised);
    fault_release(&bytes[0]);
    fault_release(&bytes[0]); /* not guarded any more */
    assert_false(handler_is(plain_handler));
    fault_release(&bytes[1]);
    assert_true(handler_is(plain_handler));
    guard(bytes, 0, &raised); /* nothing to guard */
    assert_true(handler_is(plain_handler));
    fault_release(bytes);
    assert_true(handler_is(plain_handler));
    sigaction(SIGBUS, &before, NULL);
}

static int a_later_handler_stays(void) {
    uint8_t byte;
    volatile int raised = 0;
    struct mapped m = map_file();
    struct sigaction ours;
    set_handler(SIG_DFL);
    guard(&byte, 1, &raised);
    sigaction(SIGBUS, NULL, &ours);
    set_handler(plain_handler);
    fault_release(&byte);
    if (!handler_is(plain_handler)) return 1;
    guard(m.data, PAGES * page, &raised); /* not installed again: that one may call ours */
    if (!handler_is(plain_handler)) return 2;
    sigaction(SIGBUS, &ours, NULL);
    cut(&m, 0);
    if (touch(m.data) != 0 || !raised) return 3;
    fault_release(m.data);
    return handler_is(SIG_DFL) ? 42 : 4;
}

static void a_handler_over_ours_is_left_alone(void **state) {
    (void)state;
    assert_int_equal(support_in_child(a_later_handler_stays), 42);
}

static void a_full_table_is_an_error(void **state) {
    (void)state;
    static uint8_t bytes[FAULT_RANGES + 1];
    volatile int raised = 0;
    struct lr_error err;
    for (size_t i = 0; i < FAULT_RANGES; i++) guard(&bytes[i], 1, &raised);
    assert_int_equal(fault_guard(&bytes[FAULT_RANGES], 1, &raised, &err), LR_EFAILED);
    assert_non_null(strstr(err.message, "4,096"));
    fault_release(&bytes[1234]);
    guard(&bytes[FAULT_RANGES], 1, &raised);
    for (size_t i = 0; i <= FAULT_RANGES; i++) fault_release(&bytes[i]);
    assert_int_equal(fault_guard(&bytes[0], UINT64_MAX, &raised, &err), LR_EFAILED);
    assert_non_null(strstr(err.message, "18,446,744,073,709,551,615"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lost_pages_read_as_zeros_and_raise_the_flag),
        cmocka_unit_test(a_range_that_ends_within_a_page),
        cmocka_unit_test(each_range_has_its_flag),
        cmocka_unit_test(neighbours_in_one_page_are_both_told),
        cmocka_unit_test(faults_in_many_threads),
        cmocka_unit_test(faults_while_the_table_changes),
        cmocka_unit_test(foreign_faults_go_to_the_earlier_handler),
        cmocka_unit_test(sent_signals_are_not_ours),
        cmocka_unit_test(the_systems_own_ways_stay),
        cmocka_unit_test(the_last_release_puts_the_handler_back),
        cmocka_unit_test(a_handler_over_ours_is_left_alone),
        cmocka_unit_test(a_full_table_is_an_error),
    };
    return cmocka_run_group_tests_name("fault", tests, NULL, NULL);
}
