/* system.h - the system refuses: any call of the library's to it, the Nth one or all from the Nth on.
 *
 * Tests are linked so that these calls (each SYSTEM_CALL in system.c) come through here first (the linker's
 * --wrap); the library knows nothing of it. The heap has its own door, base/mem.h. */
#ifndef LR_TESTS_SYSTEM_H
#define LR_TESTS_SYSTEM_H

#include <stdbool.h>
#include <stdint.h>

enum system_calls {
    SYSTEM_MEMORY, /* mapping, protecting, locking, advising */
    SYSTEM_THREADS,
    SYSTEM_OPENS,
    SYSTEM_FILES, /* looking at, listing, writing; signal handlers */
    SYSTEM_READS, /* read, pread, preadv2 */
    SYSTEM_KINDS
};

/* From now on the `nth` call of the kind (1: the next one) fails with `code`, and every later one too when
 * `sticky`; 0: none does. Counts all threads. SYSTEM_SHORT, for reads: half of what is wanted comes. */
#define SYSTEM_SHORT 0
void system_refuse(enum system_calls kind, int code, long nth, bool sticky);
/* How many calls of that kind there were since. */
long system_asked(void);

/* Bytes that are mapped now and were not unmapped, those of other libraries apart. */
int64_t system_mapped(void);

/* Every pread and preadv2 asks first. Returns bytes to pass on (a short read), or -errno. NULL: none. Not to
 * be changed while a read is under way. */
typedef int64_t system_read_fn(void *ctx, uint64_t offset, uint64_t bytes);
void system_on_read(system_read_fn *fn, void *ctx);

#endif
