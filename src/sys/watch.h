/* watch.h - cheap looks at memory while working: whether somebody else needs it, or gives it back. The files
 * that memory.h reads once are kept open here and read again (a look costs some tens of microseconds, asking
 * for strain some: measured by a test that prints it). Used by run/ at row-block boundaries. */
#ifndef LR_SYS_WATCH_H
#define LR_SYS_WATCH_H

#include "sys/memory.h"

struct watch;

struct watch_look {
    uint64_t room;          /* as in struct memory_info, now: without the reserve */
    uint64_t own_anonymous; /* likewise, as are: */
    uint64_t ours, budget;
    uint64_t total; /* MemTotal or the smallest cgroup limit */
    uint64_t swap_used_by_us;
};

/* What the kernel says of want of memory since it was asked last (nothing where it says nothing). */
struct watch_strain {
    double stalled; /* seconds for which somebody waited for memory that we have a part in: in one of our
                     * groups; on the machine, where that is short of memory, or a group of ours has just met
                     * its limit or gets again and again what it has lost (else it is another's trouble) */
    bool limit_met; /* a group of ours met its limit. A hint: page cache that fills a group meets it too */
};

/* Opens what there is below `root` ("" for the machine), and looks once. What failed is as for memory_read; a
 * failed open gives NULL. */
enum lr_status watch_open(const char *root, uint64_t user_limit, struct watch **out, struct lr_error *err);
/* Both take no memory, unless a file has grown or we were moved to another control group. For one thread at a
 * time. A failure leaves the watch as it was: the next look may succeed. */
enum lr_status watch_look(struct watch *w, struct watch_look *out, struct lr_error *err);
enum lr_status watch_strain(struct watch *w, struct watch_strain *out, struct lr_error *err);
/* NULL is allowed. */
void watch_close(struct watch *w);

#endif
