#include "sys/fault.h"

#include "base/pages.h"
#include "base/str.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* One range. The handler may look at it while another thread writes it: `turn` is odd meanwhile. */
struct slot {
    atomic_uint turn;
    atomic_uintptr_t begin, end; /* end 0: free */
    _Atomic(volatile int *) raised;
};

/* A signal handler is given no context of ours. The lock is for those who change the table; the handler takes
 * none. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct slot slots[FAULT_RANGES];
static atomic_uint slots_seen; /* those beyond have never been used */
static unsigned guarded;
static bool installed;
static struct sigaction earlier;
static uintptr_t page_mask;

/* ---- in the handler: only what is safe there */

struct range {
    uintptr_t begin, end;
    volatile int *raised;
};

/* False where the slot is free or just being written; the range that has faulted is neither, since it stays
 * guarded as long as anybody may touch it. */
static bool read_slot(const struct slot *s, struct range *out) {
    unsigned turn = atomic_load_explicit(&s->turn, memory_order_acquire);
    *out = (struct range){atomic_load_explicit(&s->begin, memory_order_acquire),
                          atomic_load_explicit(&s->end, memory_order_acquire),
                          atomic_load_explicit(&s->raised, memory_order_acquire)};
    return !(turn & 1) && out->end && atomic_load_explicit(&s->turn, memory_order_relaxed) == turn;
}

/* The end of a range that holds `address`; 0 where none does. */
static uintptr_t end_of_guard(uintptr_t address) {
    struct range r;
    unsigned count = atomic_load(&slots_seen);
    for (unsigned i = 0; i < count; i++)
        if (read_slot(&slots[i], &r) && r.begin <= address && address < r.end) return r.end;
    return 0;
}

/* Of all ranges with bytes between the two: tensors may share a page. */
static void raise_flags(uintptr_t begin, uintptr_t end) {
    struct range r;
    unsigned count = atomic_load(&slots_seen);
    for (unsigned i = 0; i < count; i++)
        if (read_slot(&slots[i], &r) && r.begin < end && begin < r.end)
            __atomic_store_n(r.raised, 1, __ATOMIC_RELEASE);
}

/* The flags go up first: a thread that reads the zeros finds them raised. To the range's end at once, because
 * a map of each page that threads meet in any order can come to more maps than a process may have. */
static bool map_zeros(const siginfo_t *info) {
    if (info->si_code != BUS_ADRERR && info->si_code != BUS_MCEERR_AR) return false;
    uintptr_t address = (uintptr_t)info->si_addr, begin = address & page_mask;
    uintptr_t end = end_of_guard(address);
    if (!end) return false;
    end = (end + ~page_mask) & page_mask;
    raise_flags(begin, end);
    /* past the library's mmap: the thread sanitizer's takes this for a write that others must wait for */
    return syscall(SYS_mmap, begin, end - begin, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) !=
           -1;
}

/* An instruction that faulted does so again when it is returned to, and then meets what was there before us;
 * a signal that somebody sent must be sent anew. Neither matters for one that is sent and ignored. */
static void leave_to_system(const struct sigaction *before, int number, const siginfo_t *info) {
    bool sent = info->si_code <= 0;
    if (sent && before->sa_handler == SIG_IGN) return;
    sigaction(number, before, NULL);
    if (sent) raise(number);
}

static void pass_on(int number, siginfo_t *info, void *context) {
    struct sigaction before = earlier, system = {.sa_handler = SIG_DFL};
    bool informed = before.sa_flags & SA_SIGINFO;
    if (!informed && (before.sa_handler == SIG_DFL || before.sa_handler == SIG_IGN)) {
        leave_to_system(&before, number, info);
        return;
    }
    if (before.sa_flags & SA_RESETHAND) sigaction(number, &system, NULL);
    if (informed)
        before.sa_sigaction(number, info, context);
    else
        before.sa_handler(number);
}

static void on_fault(int number, siginfo_t *info, void *context) {
    int code = errno;
    bool ours = map_zeros(info);
    errno = code;
    if (!ours) pass_on(number, info, context);
}

/* ---- the table and the handler, under the lock */

static void write_slot(struct slot *s, struct range r) {
    atomic_fetch_add(&s->turn, 1);
    atomic_store(&s->begin, r.begin);
    atomic_store(&s->end, r.end);
    atomic_store(&s->raised, r.raised);
    atomic_fetch_add(&s->turn, 1);
}

static struct slot *free_slot(void) {
    unsigned i = 0;
    while (i < FAULT_RANGES && atomic_load(&slots[i].end)) i++;
    if (i == FAULT_RANGES) return NULL;
    if (i >= atomic_load(&slots_seen)) atomic_store(&slots_seen, i + 1);
    return &slots[i];
}

/* The mask and the flags that an earlier handler asked for hold for it also when it is called from ours. */
static bool install(void) {
    if (installed) return true;
    page_mask = ~((uintptr_t)pages_size() - 1);
    if (sigaction(SIGBUS, NULL, &earlier)) return false;
    struct sigaction ours = {.sa_sigaction = on_fault, .sa_mask = earlier.sa_mask};
    ours.sa_flags = SA_SIGINFO | SA_ONSTACK | (earlier.sa_flags & (SA_RESTART | SA_NODEFER));
    installed = sigaction(SIGBUS, &ours, NULL) == 0;
    return installed;
}

static void uninstall(void) {
    struct sigaction now;
    if (sigaction(SIGBUS, NULL, &now) || !(now.sa_flags & SA_SIGINFO) || now.sa_sigaction != on_fault) return;
    installed = sigaction(SIGBUS, &earlier, NULL) != 0;
}

static enum lr_status guard_locked(struct range r, struct lr_error *err) {
    struct slot *slot = free_slot();
    if (!slot)
        return lr_fail(err, LR_EFAILED, "%s mapped ranges are guarded already, the most that can be",
                       lr_commas(FAULT_RANGES).text);
    if (!install()) return lr_fail(err, LR_EFAILED, "no handler can be installed for SIGBUS: %m");
    write_slot(slot, r);
    guarded++;
    return LR_OK;
}

enum lr_status fault_guard(const void *base, uint64_t bytes, volatile int *raised, struct lr_error *err) {
    struct range r = {.begin = (uintptr_t)base};
    r.raised = raised;
    if (!bytes) return LR_OK;
    if (__builtin_add_overflow(r.begin, bytes, &r.end))
        return lr_fail(err, LR_EFAILED, "a range of %s bytes cannot be guarded: it goes beyond all addresses",
                       lr_commas(bytes).text);
    pthread_mutex_lock(&lock);
    enum lr_status status = guard_locked(r, err);
    pthread_mutex_unlock(&lock);
    return status;
}

void fault_release(const void *base) {
    pthread_mutex_lock(&lock);
    unsigned i = 0, count = atomic_load(&slots_seen);
    while (i < count && !(atomic_load(&slots[i].end) && atomic_load(&slots[i].begin) == (uintptr_t)base)) i++;
    if (i < count) {
        write_slot(&slots[i], (struct range){0});
        if (--guarded == 0) uninstall();
    }
    pthread_mutex_unlock(&lock);
}
