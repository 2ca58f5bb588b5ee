#include "sys/threads.h"

#include "base/mem.h"
#include "base/pages.h"
#include "sys/clock.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Another program may have taken the processor of a thread that does a task, which then waits for some
 * milliseconds. A thread that takes no processor time for so long is brought to a processor that has nothing
 * to do. */
#define HELD_SECONDS 10e-6

/* How long a thread with nothing to do looks out for work before it sleeps: longer than the caller needs
 * between two products of one layer, far shorter than anyone notices. */
#define SPIN_SECONDS    50e-6
#define LOOKS_PER_CLOCK 64u

#define CACHE_LINE 64
#define NO_CPU     (-2) /* sched_getcpu gives -1 where it does not know */

struct worker {
    struct threads *pool;
    uint32_t thread;
    pthread_t id;
    char gap[CACHE_LINE];
    _Atomic pid_t at_work; /* its number in the system while it does tasks; else 0 */
};

/* One run's job. `cursor` holds the number of the run in its upper half and the tasks not yet handed out in
 * its lower; a thread takes a task by counting it down with a compare-and-swap. A thread that comes late sees
 * another run's number or no tasks, and a swap that succeeds proves that this run is not over: so the fields
 * below it, written before it, may be read, and nobody waits for threads that slept through a run. `left`
 * counts tasks not yet done; the caller sleeps on it. Idle threads sleep on `runs`. */
struct threads {
    pthread_mutex_t turn; /* held by the caller throughout a run */
    uint32_t count, started;
    double spin_seconds;
    struct worker *workers; /* [count]; the first is the caller */
    char gap_job[CACHE_LINE];
    _Atomic uint64_t cursor;
    threads_fn *fn;
    void *ctx;
    uint32_t n_tasks;
    atomic_int caller_cpu;
    char gap_left[CACHE_LINE];
    _Atomic uint32_t left, caller_sleeps;
    char gap_runs[CACHE_LINE];
    _Atomic uint32_t runs, sleepers;
    atomic_bool stop;
};

static void futex_sleep(_Atomic uint32_t *word, uint32_t seen) {
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
}

static void futex_wake(_Atomic uint32_t *word, uint32_t most) {
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, most, NULL, NULL, 0);
}

static void pause_briefly(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ __volatile__("yield");
#endif
}

/* Looks at `word` until it is no longer `seen` (true), or `seconds` have gone by, or we are on the processor
 * numbered `avoid`. */
static bool spin_while_equal(_Atomic uint32_t *word, uint32_t seen, double seconds, int avoid) {
    double end = clock_now() + seconds;
    do {
        if (sched_getcpu() == avoid) return false;
        for (uint32_t i = 0; i < LOOKS_PER_CLOCK; i++) {
            if (atomic_load_explicit(word, memory_order_acquire) != seen) return true;
            pause_briefly();
        }
    } while (clock_now() < end);
    return false;
}

static pid_t own_number(void) {
    static _Thread_local pid_t number;
    if (!number) number = (pid_t)syscall(SYS_gettid);
    return number;
}

/* Does tasks of the present run until none is left to hand out. */
static void work(struct threads *pool, uint32_t thread) {
    uint32_t done = 0;
    _Atomic pid_t *at_work = &pool->workers[thread].at_work;
    atomic_store_explicit(at_work, own_number(), memory_order_relaxed);
    uint64_t cursor = atomic_load_explicit(&pool->cursor, memory_order_acquire);
    while ((uint32_t)cursor) {
        if (!atomic_compare_exchange_weak_explicit(&pool->cursor, &cursor, cursor - 1, memory_order_acq_rel,
                                                   memory_order_acquire))
            continue;
        pool->fn(pool->ctx, pool->n_tasks - (uint32_t)cursor, thread);
        done++;
        cursor = atomic_load_explicit(&pool->cursor, memory_order_acquire);
    }
    if (done && atomic_fetch_sub(&pool->left, done) == done && atomic_load(&pool->caller_sleeps))
        futex_wake(&pool->left, 1);
    atomic_store_explicit(at_work, 0, memory_order_relaxed);
}

/* Moves a thread (0: this one) to one of the processors `to`, if it may run there. The scheduler is free
 * again afterwards. */
static void move(pid_t number, const cpu_set_t *to) {
    cpu_set_t allowed, those;
    if (sched_getaffinity(number, sizeof allowed, &allowed)) return;
    CPU_AND(&those, &allowed, to);
    if (CPU_COUNT(&those) && !sched_setaffinity(number, sizeof those, &those))
        sched_setaffinity(number, sizeof allowed, &allowed);
}

/* Leaves the caller's processor, if we are on it: on a busy machine a thread is often woken there, and to
 * spin there would only hold the caller up. */
static void step_aside(const struct threads *pool) {
    int cpu = atomic_load_explicit(&pool->caller_cpu, memory_order_relaxed);
    cpu_set_t others;
    if (sched_getcpu() != cpu) return;
    memset(&others, 0xFF, sizeof others);
    CPU_CLR((size_t)cpu, &others);
    move(0, &others);
}

/* Whether a thread takes no processor time. */
static bool is_held_up(pid_t number) {
    clockid_t clock =
        (clockid_t)(~(unsigned)number << 3 | 6); /* its processor time, as Linux numbers clocks */
    struct timespec before, after;
    if (clock_gettime(clock, &before)) return false;
    for (double end = clock_now() + HELD_SECONDS; clock_now() < end;) pause_briefly();
    return !clock_gettime(clock, &after) && before.tv_sec == after.tv_sec && before.tv_nsec == after.tv_nsec;
}

/* Before we sleep, so that our processor is free: has it take over a thread whose task is held up. */
static void bring_held_up(struct threads *pool) {
    cpu_set_t here;
    CPU_ZERO(&here);
    CPU_SET((size_t)sched_getcpu(), &here);
    for (uint32_t i = 0; i < pool->count && pool->spin_seconds > 0 && atomic_load(&pool->left); i++) {
        pid_t number = atomic_load_explicit(&pool->workers[i].at_work, memory_order_relaxed);
        if (!number || !is_held_up(number)) continue;
        if (atomic_load_explicit(&pool->workers[i].at_work, memory_order_relaxed) == number)
            move(number, &here);
        return;
    }
}

/* Waits until the number of runs is no longer `seen`. Whoever raises it looks at `sleepers` afterwards, and
 * the kernel compares the number again before it lets us sleep: no wake-up is lost. */
static uint32_t wait_for_run(struct threads *pool, uint32_t seen) {
    step_aside(pool);
    int avoid = atomic_load_explicit(&pool->caller_cpu, memory_order_relaxed);
    if (!spin_while_equal(&pool->runs, seen, pool->spin_seconds, avoid)) {
        bring_held_up(pool);
        atomic_fetch_add(&pool->sleepers, 1);
        while (atomic_load(&pool->runs) == seen) futex_sleep(&pool->runs, seen);
        atomic_fetch_sub(&pool->sleepers, 1);
    }
    return atomic_load(&pool->runs);
}

static void *worker_main(void *arg) {
    struct worker *self = arg;
    struct threads *pool = self->pool;
    uint32_t seen = 0;
    while (!atomic_load(&pool->stop)) {
        work(pool, self->thread);
        seen = wait_for_run(pool, seen);
    }
    return NULL;
}

/* Makes idle threads look again, at most `most` of those asleep. */
static void call_threads(struct threads *pool, uint32_t most) {
    atomic_fetch_add(&pool->runs, 1);
    if (atomic_load(&pool->sleepers)) futex_wake(&pool->runs, most);
}

static void wait_for_tasks(struct threads *pool) {
    uint32_t left;
    while ((left = atomic_load(&pool->left)) != 0) {
        if (spin_while_equal(&pool->left, left, pool->spin_seconds, NO_CPU)) continue;
        bring_held_up(pool);
        atomic_store(&pool->caller_sleeps, 1);
        while ((left = atomic_load(&pool->left)) != 0) futex_sleep(&pool->left, left);
        atomic_store(&pool->caller_sleeps, 0);
    }
}

void threads_run(struct threads *pool, uint32_t n_tasks, threads_fn *fn, void *ctx) {
    pthread_mutex_lock(&pool->turn);
    if (pool->count == 1 || n_tasks <= 1) {
        for (uint32_t i = 0; i < n_tasks; i++) fn(ctx, i, 0);
    } else {
        pool->fn = fn;
        pool->ctx = ctx;
        pool->n_tasks = n_tasks;
        atomic_store_explicit(&pool->caller_cpu, sched_getcpu(), memory_order_relaxed);
        atomic_store(&pool->left, n_tasks);
        uint32_t run = atomic_load(&pool->runs) + 1;
        atomic_store(&pool->cursor, (uint64_t)run << 32 | n_tasks);
        call_threads(pool, n_tasks - 1);
        work(pool, 0);
        wait_for_tasks(pool);
    }
    pthread_mutex_unlock(&pool->turn);
}

uint32_t threads_count(const struct threads *pool) {
    return pool->count;
}

static void mask_signals(sigset_t *before) {
    static const int faults[] = {SIGBUS, SIGSEGV, SIGFPE, SIGILL, SIGTRAP, SIGSYS};
    sigset_t blocked;
    sigfillset(&blocked);
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) sigdelset(&blocked, faults[i]);
    pthread_sigmask(SIG_SETMASK, &blocked, before);
}

static int create(pthread_t *id, const pthread_attr_t *attr, void *(*fn)(void *), void *arg) {
    sigset_t before;
    mask_signals(&before);
    int rc = pthread_create(id, attr, fn, arg);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc;
}

/* pthread_create says EAGAIN where threads are limited and where a stack and its guard find no memory. */
static bool is_room_for(size_t stack) {
    uint64_t bytes = (stack / pages_size() + 16) * pages_size();
    void *room = pages_reserve(bytes);
    bool usable = room && pages_use(room, bytes);
    if (room) pages_release(room, bytes);
    return usable;
}

int threads_start(pthread_t *id, const char *name, size_t stack, void *(*fn)(void *), void *arg) {
    pthread_attr_t attr;
    size_t least = (size_t)PTHREAD_STACK_MIN;
    int rc = pthread_attr_init(&attr);
    if (rc) return rc;
    rc = pthread_attr_setstacksize(&attr, stack < least ? least : stack);
    if (!rc) rc = create(id, &attr, fn, arg);
    pthread_attr_destroy(&attr);
    if (!rc) pthread_setname_np(*id, name);
    return rc == EAGAIN && !is_room_for(stack) ? ENOMEM : rc;
}

static int start_worker(struct threads *pool, struct worker *worker) {
    char name[24];
    worker->pool = pool;
    worker->thread = pool->started + 1;
    snprintf(name, sizeof name, "llm-run-%u", worker->thread);
    int rc = threads_start(&worker->id, name, THREADS_STACK, worker_main, worker);
    if (!rc) pool->started++;
    return rc;
}

static enum lr_status start_workers(struct threads *pool, struct lr_error *err) {
    int rc = 0;
    while (!rc && pool->started + 1 < pool->count) rc = start_worker(pool, &pool->workers[pool->started + 1]);
    if (!rc) return LR_OK;
    if (rc == ENOMEM) return lr_fail_memory(err, "the stack of a thread (fewer: -T)", THREADS_STACK);
    errno = rc;
    return lr_fail(
        err, LR_EFAILED,
        "thread %u of %u could not be started: %m (a limit on processes, ulimit -u? fewer threads: "
        "-T)",
        pool->started + 2, pool->count);
}

/* Processors that we may run on; a pool with more threads than that does not spin. */
static uint32_t processors(void) {
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) ? UINT32_MAX : (uint32_t)CPU_COUNT(&set);
}

enum lr_status threads_create(uint32_t count, struct threads **out, struct lr_error *err) {
    *out = NULL;
    if (count < 1 || count > THREADS_MAX)
        return lr_fail(err, LR_EUSAGE, "%u threads: 1 to %u are possible", count, THREADS_MAX);
    struct threads *pool = lr_calloc(1, sizeof *pool);
    struct worker *workers = lr_calloc(count, sizeof *workers);
    if (!pool || !workers) {
        lr_free(pool);
        lr_free(workers);
        return lr_fail_memory(err, "the thread pool", sizeof *pool + count * sizeof *workers);
    }
    pthread_mutex_init(&pool->turn, NULL);
    pool->count = count;
    pool->workers = workers;
    atomic_store(&pool->caller_cpu, NO_CPU);
    pool->spin_seconds = count <= processors() ? SPIN_SECONDS : 0;
    enum lr_status status = start_workers(pool, err);
    if (status != LR_OK)
        threads_destroy(pool);
    else
        *out = pool;
    return status;
}

void threads_destroy(struct threads *pool) {
    if (!pool) return;
    atomic_store(&pool->stop, true);
    call_threads(pool, THREADS_MAX);
    for (uint32_t i = 0; i < pool->started; i++) pthread_join(pool->workers[i + 1].id, NULL);
    pthread_mutex_destroy(&pool->turn);
    lr_free(pool->workers);
    lr_free(pool);
}
