#include "base/pages.h"

#include "sys/facts.h"
#include "sys/memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

uint64_t pages_size(void) {
    return (uint64_t)sysconf(_SC_PAGESIZE);
}

void *pages_reserve(uint64_t bytes) {
    if (bytes > SIZE_MAX) return NULL;
    void *base = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return base == MAP_FAILED ? NULL : base;
}

bool pages_use(void *from, uint64_t bytes) {
    return mprotect(from, bytes, PROT_READ | PROT_WRITE) == 0;
}

void pages_want_large(void *from, uint64_t bytes) {
    madvise(from, bytes, MADV_HUGEPAGE);
}

/* Mapped anew, not only emptied: under strict overcommit what is writable counts whether it is used or not.
 */
void pages_give_back(void *from, uint64_t bytes) {
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED;
    if (mmap(from, bytes, PROT_NONE, flags, -1, 0) == MAP_FAILED) madvise(from, bytes, MADV_DONTNEED);
}

bool pages_lock(void *from, uint64_t bytes) {
    return mlock(from, bytes) == 0;
}

/* The first part of a file of /proc; empty where it cannot be read. */
static struct lr_str read_part(const char *path, char *part, size_t size) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, part, size);
    if (fd >= 0) close(fd);
    return (struct lr_str){part, n > 0 ? (size_t)n : 0};
}

static void bound_by(struct pages_left *left, enum __rlimit_resource which, uint64_t used, const char *name) {
    struct rlimit limit;
    if (getrlimit(which, &limit) || limit.rlim_cur == RLIM_INFINITY) return;
    uint64_t bytes = used < limit.rlim_cur ? limit.rlim_cur - used : 0;
    if (bytes < left->bytes) *left = (struct pages_left){bytes, name};
}

struct pages_left pages_left(void) {
    char part[4096], mode[16];
    struct lr_str text = read_part("/proc/meminfo", part, sizeof part);
    struct lr_str overcommit = read_part("/proc/sys/vm/overcommit_memory", mode, sizeof mode);
    struct pages_left left = {memory_available(text), NULL};
    uint64_t commit = memory_commit_room(text, overcommit);
    if (commit < left.bytes) left.bytes = commit;
    text = read_part("/proc/self/status", part, sizeof part);
    bound_by(&left, RLIMIT_AS, facts_kb(text, "VmSize"), "ulimit -v");
    bound_by(&left, RLIMIT_DATA, facts_kb(text, "VmData"), "ulimit -d");
    return left;
}

void pages_release(void *base, uint64_t bytes) {
    munmap(base, bytes);
}
