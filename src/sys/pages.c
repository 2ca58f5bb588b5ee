#include "base/pages.h"

#include <sys/mman.h>
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

void pages_release(void *base, uint64_t bytes) {
    munmap(base, bytes);
}
