/* memory_groups.h - what the control groups that we are in leave us, read once or many times. Used by memory
 * alone, whose head says what counts as used. */
#ifndef LR_SYS_MEMORY_GROUPS_H
#define LR_SYS_MEMORY_GROUPS_H

#include "sys/facts.h"

struct memory_group;

/* Our own groups and all their ancestors, in both versions; {0} is none. */
struct memory_groups {
    struct memory_group *all; /* [count]: for each version bottom up */
    size_t count, cap;
    struct lr_buf member;          /* the text of proc/self/cgroup that they were found by */
    struct facts_file member_file; /* the same, as it is now */
    bool keep;                     /* the files stay open */
};

/* LR_EMEMORY only, as the other two. On failure nothing needs closing. */
enum lr_status memory_groups_open(const char *root, bool keep, struct memory_groups *out,
                                  struct lr_error *err);
/* The smallest limit, and the smallest limit - used, MEMORY_UNLIMITED where there are none; the greatest
 * used - limit; the most pages that a group with a limit has lost and got again since the last call. */
struct group_room {
    uint64_t limit, room, over, refaults;
};
/* Where we have been moved to another group, it finds the groups anew. */
enum lr_status memory_groups_read(struct memory_groups *g, const char *root, struct group_room *out,
                                  struct lr_error *err);
/* Of the groups that were read last, since the last call: the most microseconds for which somebody in one of
 * them waited for memory (PSI, v2 alone), and whether one met its limit (memory.events' high and max; in v1
 * memory.failcnt). */
enum lr_status memory_groups_strain(struct memory_groups *g, uint64_t *stalled_us, bool *limit_met,
                                    struct lr_error *err);
void memory_groups_close(struct memory_groups *g);

/* What is left of `limit`; an unlimited one stays so. */
static inline uint64_t memory_left(uint64_t limit, uint64_t used) {
    if (limit == FACTS_UNLIMITED) return limit;
    return used < limit ? limit - used : 0;
}
static inline uint64_t memory_smaller(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

#endif
