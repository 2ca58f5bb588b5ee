#include "support/system.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static atomic_int kind = SYSTEM_KINDS, code;
static atomic_long asked, refuse_at;
static atomic_bool refuse_later;

void system_refuse(enum system_calls which, int with, long nth, bool sticky) {
    atomic_store(&refuse_at, 0);
    atomic_store(&asked, 0);
    atomic_store(&code, with);
    atomic_store(&refuse_later, sticky);
    atomic_store(&kind, which);
    atomic_store(&refuse_at, nth);
}

long system_asked(void) {
    return atomic_load(&asked);
}

/* Counts a call and tells whether it is refused; errno is then the reason. */
static bool refused(enum system_calls which) {
    if (atomic_load_explicit(&kind, memory_order_relaxed) != (int)which) return false;
    long n = atomic_fetch_add(&asked, 1) + 1, at = atomic_load(&refuse_at);
    bool now = at > 0 && (n == at || (n > at && atomic_load(&refuse_later)));
    if (now) errno = atomic_load(&code);
    return now;
}

/* The Makefile takes the names of the calls from the lines that begin so. */
#define SYSTEM_CALL(type, name, ...)                                                                         \
    type __real_##name(__VA_ARGS__);                                                                         \
    type __wrap_##name(__VA_ARGS__);                                                                         \
    type __wrap_##name(__VA_ARGS__)

/* ---- memory */

static _Atomic int64_t mapped;

int64_t system_mapped(void) {
    return atomic_load(&mapped);
}

SYSTEM_CALL(void *, mmap, void *at, size_t bytes, int protection, int flags, int fd, off_t offset) {
    void *got = refused(SYSTEM_MEMORY) ? MAP_FAILED : __real_mmap(at, bytes, protection, flags, fd, offset);
    if (got != MAP_FAILED && !(flags & MAP_FIXED)) atomic_fetch_add(&mapped, (int64_t)bytes);
    return got;
}

SYSTEM_CALL(int, munmap, void *at, size_t bytes) {
    atomic_fetch_sub(&mapped, (int64_t)bytes);
    return __real_munmap(at, bytes);
}

SYSTEM_CALL(int, mprotect, void *at, size_t bytes, int protection) {
    return refused(SYSTEM_MEMORY) ? -1 : __real_mprotect(at, bytes, protection);
}

SYSTEM_CALL(int, mlock, const void *at, size_t bytes) {
    return refused(SYSTEM_MEMORY) ? -1 : __real_mlock(at, bytes);
}

SYSTEM_CALL(int, madvise, void *at, size_t bytes, int advice) {
    return refused(SYSTEM_MEMORY) ? -1 : __real_madvise(at, bytes, advice);
}

SYSTEM_CALL(int, mincore, void *at, size_t bytes, unsigned char *there) {
    return refused(SYSTEM_MEMORY) ? -1 : __real_mincore(at, bytes, there);
}

/* ---- threads: these return their error */

SYSTEM_CALL(int, pthread_create, pthread_t *id, const pthread_attr_t *attr, void *(*fn)(void *), void *arg) {
    return refused(SYSTEM_THREADS) ? errno : __real_pthread_create(id, attr, fn, arg);
}

SYSTEM_CALL(int, pthread_attr_init, pthread_attr_t *attr) {
    return refused(SYSTEM_THREADS) ? errno : __real_pthread_attr_init(attr);
}

SYSTEM_CALL(int, pthread_attr_setstacksize, pthread_attr_t *attr, size_t bytes) {
    return refused(SYSTEM_THREADS) ? errno : __real_pthread_attr_setstacksize(attr, bytes);
}

SYSTEM_CALL(int, sched_getaffinity, pid_t thread, size_t bytes, cpu_set_t *set) {
    return refused(SYSTEM_THREADS) ? -1 : __real_sched_getaffinity(thread, bytes, set);
}

/* ---- files */

SYSTEM_CALL(int, open, const char *path, int flags, ...) {
    va_list more;
    va_start(more, flags);
    mode_t mode = flags & O_CREAT ? va_arg(more, mode_t) : 0;
    va_end(more);
    return refused(SYSTEM_OPENS) ? -1 : __real_open(path, flags, mode);
}

SYSTEM_CALL(DIR *, opendir, const char *path) {
    return refused(SYSTEM_OPENS) ? NULL : __real_opendir(path);
}

SYSTEM_CALL(int, stat, const char *path, struct stat *out) {
    return refused(SYSTEM_FILES) ? -1 : __real_stat(path, out);
}

SYSTEM_CALL(int, lstat, const char *path, struct stat *out) {
    return refused(SYSTEM_FILES) ? -1 : __real_lstat(path, out);
}

SYSTEM_CALL(int, fstat, int fd, struct stat *out) {
    return refused(SYSTEM_FILES) ? -1 : __real_fstat(fd, out);
}

SYSTEM_CALL(int, statx, int fd, const char *path, int flags, unsigned mask, struct statx *out) {
    return refused(SYSTEM_FILES) ? -1 : __real_statx(fd, path, flags, mask, out);
}

SYSTEM_CALL(off_t, lseek, int fd, off_t offset, int whence) {
    return refused(SYSTEM_FILES) ? -1 : __real_lseek(fd, offset, whence);
}

SYSTEM_CALL(ssize_t, readlink, const char *path, char *out, size_t size) {
    return refused(SYSTEM_FILES) ? -1 : __real_readlink(path, out, size);
}

SYSTEM_CALL(struct dirent *, readdir, DIR *folder) {
    return refused(SYSTEM_FILES) ? NULL : __real_readdir(folder);
}

SYSTEM_CALL(int, mkdir, const char *path, mode_t mode) {
    return refused(SYSTEM_FILES) ? -1 : __real_mkdir(path, mode);
}

SYSTEM_CALL(ssize_t, write, int fd, const void *from, size_t bytes) {
    return refused(SYSTEM_FILES) ? -1 : __real_write(fd, from, bytes);
}

SYSTEM_CALL(int, rename, const char *from, const char *to) {
    return refused(SYSTEM_FILES) ? -1 : __real_rename(from, to);
}

SYSTEM_CALL(int, sigaction, int number, const struct sigaction *action, struct sigaction *before) {
    return refused(SYSTEM_FILES) ? -1 : __real_sigaction(number, action, before);
}

/* ---- reads */

static _Atomic(system_read_fn *) on_read;
static void *_Atomic on_read_ctx;

void system_on_read(system_read_fn *fn, void *ctx) {
    atomic_store(&on_read_ctx, ctx);
    atomic_store(&on_read, fn);
}

/* What may be passed on of `bytes`; negative, with errno, where the read fails. */
static int64_t pass_on(size_t bytes) {
    if (!refused(SYSTEM_READS)) return INT64_MAX;
    return errno == SYSTEM_SHORT ? (int64_t)(bytes / 2 + 1) : -1;
}

static int64_t pass_on_at(uint64_t offset, size_t bytes) {
    system_read_fn *ask = atomic_load(&on_read);
    int64_t pass = ask ? ask(atomic_load(&on_read_ctx), offset, bytes) : INT64_MAX;
    if (pass >= 0) return pass == INT64_MAX ? pass_on(bytes) : pass;
    errno = (int)-pass;
    return -1;
}

SYSTEM_CALL(ssize_t, read, int fd, void *to, size_t bytes) {
    int64_t pass = pass_on(bytes);
    return pass < 0 ? -1 : __real_read(fd, to, bytes < (uint64_t)pass ? bytes : (size_t)pass);
}

/* Direct reads must be of whole blocks: a short one is made whole, and told short. */
SYSTEM_CALL(ssize_t, pread, int fd, void *to, size_t bytes, off_t offset) {
    int64_t pass = pass_on_at((uint64_t)offset, bytes);
    ssize_t n = pass < 0 ? -1 : __real_pread(fd, to, bytes, offset);
    return n < pass ? n : (ssize_t)pass;
}

SYSTEM_CALL(ssize_t, preadv2, int fd, const struct iovec *parts, int n_parts, off_t offset, int flags) {
    int64_t pass = pass_on_at((uint64_t)offset, parts[0].iov_len);
    ssize_t n = pass < 0 ? -1 : __real_preadv2(fd, parts, n_parts, offset, flags);
    return n < pass ? n : (ssize_t)pass;
}
