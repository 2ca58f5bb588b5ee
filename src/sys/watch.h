/* watch.h - cheap looks at memory while working: whether somebody else needs it, or gives it back. The files
 * that memory.h reads once are kept open here and read again (a look costs some tens of microseconds:
 * measured by a test that prints it). Used by run/ at row-block boundaries, at most every 100 ms. */
#ifndef LR_SYS_WATCH_H
#define LR_SYS_WATCH_H

#include "sys/memory.h"

struct watch;

struct watch_look {
    uint64_t room; /* as in struct memory_info, now: without the reserve */
    uint64_t own_anonymous;
    uint64_t budget; /* own + room - reserve, as memory_read() has it */
    uint64_t available,
        total; /* for the policy's memory usage: budget, and MemTotal or the smallest cgroup limit */
    uint64_t major_faults; /* of this process since it began (/proc/self/stat) */
    uint64_t swap_used_by_us;
    bool pressure; /* PSI "full" or cgroup memory.pressure grew since the last look, or memory.events' high
                      or max did; false where the kernel has none of them */
};

/* Opens what there is below `root` ("" for the machine). */
enum lr_status watch_open(const char *root, uint64_t user_limit, struct watch **out, struct lr_error *err);
enum lr_status watch_look(struct watch *w, struct watch_look *out, struct lr_error *err);
void watch_close(struct watch *w);

#endif
