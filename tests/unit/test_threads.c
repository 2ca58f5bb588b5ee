/* The thread pool: every task once, turns between callers, sleep and wake-up, signals, refusals. */
#include "support/support.h"

#include "base/mem.h"
#include "sys/clock.h"
#include "sys/threads.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static struct threads *pool_of(uint32_t count) {
    struct threads *pool;
    struct lr_error err;
    assert_int_equal(threads_create(count, &pool, &err), LR_OK);
    assert_int_equal(threads_count(pool), count);
    return pool;
}

static void sleep_seconds(double s) {
    struct timespec t = {(time_t)s, (long)((s - (double)(time_t)s) * 1e9)};
    nanosleep(&t, NULL);
}

/* ---- every task once */

enum { MOST_TASKS = 5000, MOST_THREADS = 8 };

struct tally {
    uint32_t done[MOST_TASKS]; /* plain: each is one task's own */
    atomic_uint busy[MOST_THREADS];
    atomic_uint wrong;
    uint32_t threads;
};

static void count_task(void *ctx, uint32_t task, uint32_t thread) {
    struct tally *t = ctx;
    if (thread >= t->threads || atomic_fetch_add(&t->busy[thread], 1) != 0) atomic_fetch_add(&t->wrong, 1);
    t->done[task]++;
    atomic_fetch_sub(&t->busy[thread], 1);
}

static void each_task_is_done_once(void **state) {
    (void)state;
    static const uint32_t sizes[] = {0, 1, 2, 3, 7, 64, MOST_TASKS};
    for (uint32_t count = 1; count <= MOST_THREADS; count++) {
        struct threads *pool = pool_of(count);
        for (size_t i = 0; i < 3 * sizeof sizes / sizeof *sizes; i++) {
            uint32_t n = sizes[i % (sizeof sizes / sizeof *sizes)];
            struct tally t = {.threads = count};
            threads_run(pool, n, count_task, &t);
            assert_int_equal(t.wrong, 0);
            for (uint32_t k = 0; k < MOST_TASKS; k++) assert_int_equal(t.done[k], k < n);
        }
        threads_destroy(pool);
    }
}

struct sum {
    uint64_t parts[16];
};

static void add_part(void *ctx, uint32_t task, uint32_t thread) {
    struct sum *s = ctx;
    (void)thread;
    s->parts[task] += task + 1;
}

/* Thousands of runs one after the other, with pauses now and then in which the threads fall asleep. */
static void runs_follow_each_other(void **state) {
    (void)state;
    struct threads *pool = pool_of(3);
    struct sum s = {0};
    enum { RUNS = 20000 };
    uint64_t expected = 0;
    for (uint32_t i = 0; i < RUNS; i++) {
        uint32_t n = 1 + i % 16;
        threads_run(pool, n, add_part, &s);
        expected += n * (n + 1) / 2;
        if (i % 500 == 0) sleep_seconds(0.001 * (i % 3));
    }
    uint64_t sum = 0;
    for (int i = 0; i < 16; i++) sum += s.parts[i];
    assert_int_equal(sum, expected);
    threads_destroy(pool);
}

/* ---- tasks that wait for each other: each thread must take one */

struct meeting {
    atomic_uint arrived;
    uint32_t expected;
    pthread_t ids[4];
    sigset_t masks[4];
    char names[4][16];
    size_t stacks[4];
};

static void meet(void *ctx, uint32_t task, uint32_t thread) {
    struct meeting *m = ctx;
    (void)task;
    m->ids[thread] = pthread_self();
    pthread_sigmask(SIG_SETMASK, NULL, &m->masks[thread]);
    pthread_getname_np(pthread_self(), m->names[thread], sizeof m->names[thread]);
    pthread_attr_t attr;
    pthread_getattr_np(pthread_self(), &attr);
    pthread_attr_getstacksize(&attr, &m->stacks[thread]);
    pthread_attr_destroy(&attr);
    atomic_fetch_add(&m->arrived, 1);
    double end = clock_now() + 20;
    while (atomic_load(&m->arrived) < m->expected && clock_now() < end) sched_yield();
}

static void all_threads_take_part(void **state) {
    (void)state;
    struct threads *pool = pool_of(4);
    for (int round = 0; round < 50; round++) {
        struct meeting m = {.expected = 4};
        double begin = clock_now();
        threads_run(pool, 4, meet, &m);
        assert_true(clock_now() - begin < 19);
        assert_true(pthread_equal(m.ids[0], pthread_self()));
        for (int i = 0; i < 4; i++)
            for (int k = 0; k < i; k++) assert_false(pthread_equal(m.ids[i], m.ids[k]));
        if (round % 10 == 0) sleep_seconds(0.002); /* asleep, they are woken */
    }
    threads_destroy(pool);
}

static void workers_take_no_signals_but_faults(void **state) {
    (void)state;
    struct threads *pool = pool_of(3);
    struct meeting m = {.expected = 3};
    threads_run(pool, 3, meet, &m);
    static const int asked[] = {SIGINT, SIGTERM, SIGHUP, SIGWINCH, SIGPIPE, SIGALRM, SIGTSTP};
    static const int faults[] = {SIGBUS, SIGSEGV, SIGFPE, SIGILL, SIGTRAP, SIGSYS};
    for (int thread = 1; thread < 3; thread++) {
        for (size_t i = 0; i < sizeof asked / sizeof *asked; i++)
            assert_int_equal(sigismember(&m.masks[thread], asked[i]), 1);
        for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
            assert_int_equal(sigismember(&m.masks[thread], faults[i]), 0);
        assert_true(m.stacks[thread] >= THREADS_STACK);
    }
    assert_int_equal(sigismember(&m.masks[0], SIGINT), 0); /* the caller's are as they were */
    assert_string_equal(m.names[1], "llm-run-1");
    assert_string_equal(m.names[2], "llm-run-2");
    threads_destroy(pool);
}

static void take_long(void *ctx, uint32_t task, uint32_t thread) {
    (void)task;
    sleep_seconds(thread ? 0.02 : 0.001);
    atomic_fetch_add((atomic_uint *)ctx, 1);
}

/* The caller is done long before the others: it sleeps, and is woken. */
static void caller_waits_for_the_slowest(void **state) {
    (void)state;
    struct threads *pool = pool_of(2);
    for (int i = 0; i < 20; i++) {
        atomic_uint done = 0;
        threads_run(pool, 3, take_long, &done);
        assert_int_equal(done, 3);
    }
    threads_destroy(pool);
}

/* ---- several callers */

struct caller {
    struct threads *pool;
    _Atomic uint64_t
        *present; /* shared: the caller whose tasks are under way, and in the low half how many */
    uint32_t id;
    atomic_uint strangers;
    uint32_t tasks_done[40];
};

static void count_own(void *ctx, uint32_t task, uint32_t thread) {
    struct caller *c = ctx;
    (void)thread;
    uint64_t seen = atomic_load(c->present), next;
    do {
        if ((uint32_t)seen && seen >> 32 != c->id) atomic_fetch_add(&c->strangers, 1);
        next = (uint64_t)c->id << 32 | ((uint32_t)seen + 1);
    } while (!atomic_compare_exchange_weak(c->present, &seen, next));
    if (++c->tasks_done[task] % 50 == 0) sched_yield();
    atomic_fetch_sub(c->present, 1);
}

static void *call_often(void *arg) {
    struct caller *c = arg;
    for (int i = 0; i < 500; i++) threads_run(c->pool, 40, count_own, c);
    return NULL;
}

static void callers_take_turns(void **state) {
    (void)state;
    struct threads *pool = pool_of(2);
    _Atomic uint64_t present = 0;
    struct caller callers[3];
    pthread_t threads[3];
    for (uint32_t i = 0; i < 3; i++) {
        callers[i] = (struct caller){.pool = pool, .present = &present, .id = i + 1};
        assert_int_equal(pthread_create(&threads[i], NULL, call_often, &callers[i]), 0);
    }
    for (int i = 0; i < 3; i++) pthread_join(threads[i], NULL);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(callers[i].strangers, 0);
        for (int k = 0; k < 40; k++) assert_int_equal(callers[i].tasks_done[k], 500);
    }
    threads_destroy(pool);
}

/* ---- idle, ending, refusals */

static double process_seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void idle_pool_takes_no_time(void **state) {
    (void)state;
    for (uint32_t count = 2; count <= 4; count += 2) { /* fewer than processors, as a rule, and more */
        struct threads *pool = pool_of(count);
        struct sum s = {0};
        for (int i = 0; i < 10; i++) threads_run(pool, 16, add_part, &s);
        sleep_seconds(0.01);
        double before = process_seconds();
        sleep_seconds(0.3);
        assert_true(process_seconds() - before < 0.03);
        threads_destroy(pool);
    }
}

static void pool_ends_at_any_moment(void **state) {
    (void)state;
    for (uint32_t i = 0; i < 200; i++) {
        struct threads *pool = pool_of(1 + i % 4);
        struct sum s = {0};
        for (uint32_t k = 0; k < i % 3; k++) threads_run(pool, 16, add_part, &s);
        if (i % 50 == 49) sleep_seconds(0.001);
        threads_destroy(pool);
    }
    threads_destroy(NULL);
}

static void count_has_bounds(void **state) {
    (void)state;
    struct threads *pool;
    struct lr_error err;
    assert_int_equal(threads_create(0, &pool, &err), LR_EUSAGE);
    assert_null(pool);
    assert_int_equal(threads_create(THREADS_MAX + 1, &pool, &err), LR_EUSAGE);
    assert_string_equal(err.message, "1025 threads: 1 to 1024 are possible");
}

static void refused_memory_is_a_clean_error(void **state) {
    (void)state;
    for (long n = 1; n <= 2; n++) {
        struct threads *pool;
        struct lr_error err;
        lr_mem_fail_after(n, 0);
        enum lr_status status = threads_create(2, &pool, &err);
        lr_mem_fail_after(0, 0);
        assert_int_equal(status, LR_EMEMORY);
        assert_null(pool);
    }
}

/* As a user without privileges, for whom the limit on processes counts; some of eight threads start. */
static int processes_are_limited(void) {
    struct threads *pool;
    struct lr_error err;
    struct rlimit limit = {1, 1};
    if (geteuid() == 0 && setresuid(65534, 65534, 65534)) return 1;
    if (setrlimit(RLIMIT_NPROC, &limit)) return 2;
    if (threads_create(8, &pool, &err) != LR_EFAILED) return 3;
    if (pool) return 4;
    if (!strstr(err.message, " of 8 could not be started: Resource temporarily unavailable")) return 5;
    if (threads_create(1, &pool, &err) != LR_OK) return 6;
    threads_destroy(pool);
    return 0;
}

static void threads_that_do_not_start_are_a_clean_error(void **state) {
    (void)state;
    assert_int_equal(support_in_child(processes_are_limited), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_task_is_done_once),
        cmocka_unit_test(runs_follow_each_other),
        cmocka_unit_test(all_threads_take_part),
        cmocka_unit_test(workers_take_no_signals_but_faults),
        cmocka_unit_test(caller_waits_for_the_slowest),
        cmocka_unit_test(callers_take_turns),
        cmocka_unit_test(idle_pool_takes_no_time),
        cmocka_unit_test(pool_ends_at_any_moment),
        cmocka_unit_test(count_has_bounds),
        cmocka_unit_test(refused_memory_is_a_clean_error),
        cmocka_unit_test(threads_that_do_not_start_are_a_clean_error),
    };
    return cmocka_run_group_tests_name("threads", tests, NULL, NULL);
}
