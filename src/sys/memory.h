/* memory.h - how much memory there is, as the kernel, the control groups and the limits say. Read-only facts:
 * the policy that acts on them is base/memory_policy.h, the plan is weights/plan.h.
 *
 * Room = min(MemAvailable; for every cgroup from our own to the topmost that is visible: limit - used;
 * CommitLimit - Committed_AS where overcommit is off; RLIMIT_DATA - our own data segment; the user's limit -
 * our own anonymous bytes). Ours = own anonymous bytes + room, less what a group's limit or the user's is
 * exceeded by already. Budget = ours - a reserve (the larger of 16 MiB and 1 % of it).
 *
 * Used, of a group, is active_anon + inactive_anon + unevictable + kernel: the lists that cannot be reclaimed
 * without swap; a locked page is on the last of the three alone. Its page cache is not used. */
#ifndef LR_SYS_MEMORY_H
#define LR_SYS_MEMORY_H

#include "base/error.h"
#include "base/str.h"

#define MEMORY_UNLIMITED UINT64_MAX

/* What bounds the room: what is free (overcommit included), a control group, RLIMIT_DATA, the user's limit.
 */
enum memory_bound { MEMORY_BY_SYSTEM, MEMORY_BY_GROUP, MEMORY_BY_DATA_LIMIT, MEMORY_BY_USER };

struct memory_info {
    uint64_t total;     /* MemTotal, or the smallest limit of a cgroup or the user's; usage, for the policy,
                           is 1 - (budget - own)/total */
    uint64_t mem_total; /* MemTotal */
    uint64_t mem_available; /* MemAvailable (MemFree + reclaimable where the kernel does not say) */
    uint64_t swap_used_by_us;
    uint64_t cgroup_limit;  /* the smallest limit of our own and all ancestor groups; MEMORY_UNLIMITED */
    uint64_t cgroup_room;   /* the smallest limit - used over them; MEMORY_UNLIMITED */
    uint64_t commit_room;   /* where vm.overcommit_memory = 2, else MEMORY_UNLIMITED */
    uint64_t data_limit;    /* RLIMIT_DATA */
    uint64_t lock_limit;    /* RLIMIT_MEMLOCK; none for those who have CAP_IPC_LOCK */
    uint64_t own_locked;    /* what counts against it (VmLck) */
    uint64_t address_limit; /* RLIMIT_AS */
    uint64_t own_anonymous; /* our own anonymous resident bytes (RssAnon) */
    uint64_t own_data;      /* what counts against RLIMIT_DATA: private writable addresses (VmData) */
    uint64_t own_address;   /* our own address space (VmSize) */
    uint64_t cgroup_over;   /* the most that a group uses beyond its limit: memory.high, or one set later */
    uint64_t refaults;      /* pages that a group with a limit lost and got again since the last reading */
    uint64_t room, ours, budget; /* as above */
    enum memory_bound bound;
};

/* Reads the facts below `root` ("" for the machine itself; tests give a fixture tree with proc/ and sys/
 * inside). `user_limit`: --mem-limit in bytes, 0 for none. Missing or damaged files count as "no such limit";
 * only a proc/meminfo without MemTotal is an error (LR_EFAILED). rlimits come from proc/self/limits, where it
 * is missing from the process. */
enum lr_status memory_read(const char *root, uint64_t user_limit, struct memory_info *out,
                           struct lr_error *err);

/* The same, read again and again from files that stay open: what it costs to look while working (watch.h).
 * Limits that are set later are seen, and so is a move to another control group. Not thread-safe. */
struct memory_facts;
enum lr_status memory_facts_open(const char *root, struct memory_facts **out, struct lr_error *err);
enum lr_status memory_facts_read(struct memory_facts *f, uint64_t user_limit, struct memory_info *out,
                                 struct lr_error *err);
/* What the kernel itself says of want of memory, since the last call; some microseconds each time. 0 and
 * false the first time, and where it does not say. */
struct memory_strain {
    uint64_t machine_us; /* for which somebody on the machine waited for memory (PSI "some") */
    uint64_t groups_us;  /* likewise in one of the groups, the most */
    bool limit_met;      /* a group's memory met its limit, page cache included: something had to go */
};
enum lr_status memory_facts_strain(struct memory_facts *f, struct memory_strain *out, struct lr_error *err);
void memory_facts_close(struct memory_facts *f);

/* From texts of proc/meminfo and proc/sys/vm/overcommit_memory: bytes that are available, and that may still
 * be committed (MEMORY_UNLIMITED where overcommit is on). */
uint64_t memory_available(struct lr_str meminfo);
uint64_t memory_commit_room(struct lr_str meminfo, struct lr_str overcommit);

/* Own + room that it takes for the budget to be `budget`: the inverse of what is told above. */
uint64_t memory_for_budget(uint64_t budget);

/* The greatest resident set so far (VmHWM), and the anonymous part of the present one (RssAnon), in bytes; 0
 * where unknown. */
uint64_t memory_peak_resident(void);
uint64_t memory_own_anonymous(void);

#endif
