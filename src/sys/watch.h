/* watch.h - cheap looks at memory while working: whether somebody else needs it, or gives it back. The files
 * that memory.h reads once are kept open here and read again (a look costs some tens of microseconds:
 * measured by a test that prints it). Used by run/ at row-block boundaries, at most every 100 ms. */
#ifndef LR_SYS_WATCH_H
#define LR_SYS_WATCH_H

#include "sys/memory.h"

struct watch;

struct watch_look {
    uint64_t room;             /* as in struct memory_info, now: without the reserve */
    uint64_t own_anonymous;    /* likewise */
    uint64_t budget;           /* own + room - reserve, as memory_read() has it */
    uint64_t available, total; /* for the policy's memory usage: budget, and MemTotal or the smallest cgroup
                                * limit */
    uint64_t major_faults;     /* of this process since it began (/proc/self/stat); 0 where unknown */
    uint64_t swap_used_by_us;
    bool pressure; /* PSI "full" of the machine or of a group of ours grew since the last look (the first:
                    * since watch_open), or a group's memory.events' high or max did; false where the kernel
                    * has none of them. A hint: page cache that our own reading fills a group with meets its
                    * limit too */
};

/* Opens what there is below `root` ("" for the machine), and looks once. What failed is as for memory_read; a
 * failed open gives NULL. */
enum lr_status watch_open(const char *root, uint64_t user_limit, struct watch **out, struct lr_error *err);
/* Takes no memory, unless a file has grown or we were moved to another control group. For one thread at a
 * time. A failure leaves the watch as it was: the next look may succeed. */
enum lr_status watch_look(struct watch *w, struct watch_look *out, struct lr_error *err);
/* NULL is allowed. */
void watch_close(struct watch *w);

#endif
