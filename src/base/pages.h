/* pages.h - address ranges from the operating system: what the arena needs of it. Declared here because base
 * looks down on nothing; written in sys/pages.c. Sizes are multiples of pages_size(). */
#ifndef LR_BASE_PAGES_H
#define LR_BASE_PAGES_H

#include <stdbool.h>
#include <stdint.h>

uint64_t pages_size(void);
/* A range of `bytes` addresses that nothing may touch yet and that costs no memory; NULL when refused. */
void *pages_reserve(uint64_t bytes);
/* Makes a part of it readable and writable, zero until written; false when refused. */
bool pages_use(void *from, uint64_t bytes);
/* Asks for large pages where a range in use, or a mapped file, has room for them: what a disk writes to them
 * by itself is much faster than to small ones. PAGES_LARGE is their usual size, to align to. */
#define PAGES_LARGE (UINT64_C(2) << 20)
void pages_want_large(void *from, uint64_t bytes);
/* Makes a part that was in use a reservation again, whose memory is the system's. */
void pages_give_back(void *from, uint64_t bytes);
/* Keeps a part in use from being swapped; false when refused (RLIMIT_MEMLOCK). */
bool pages_lock(void *from, uint64_t bytes);
/* What the system would still give us, for a message after it has refused. Needs no heap. */
struct pages_left {
    uint64_t bytes;
    const char *limit; /* what sets it: "ulimit -v", "ulimit -d"; NULL: what is free */
};
struct pages_left pages_left(void);
/* Gives a whole range back. */
void pages_release(void *base, uint64_t bytes);

#endif
