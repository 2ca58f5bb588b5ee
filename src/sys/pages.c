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

void pages_release(void *base, uint64_t bytes) {
    munmap(base, bytes);
}
