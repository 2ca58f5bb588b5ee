#include "sys/memory.h"

#include "base/checked.h"
#include "sys/cgroup.h"
#include "sys/facts.h"

#include <sys/resource.h>

#define LEAST_RESERVE (UINT64_C(16) << 20)

static uint64_t smaller(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

/* What is left of `limit`; an unlimited one stays so. */
static uint64_t left_of(uint64_t limit, uint64_t used) {
    if (limit == MEMORY_UNLIMITED) return limit;
    return used < limit ? limit - used : 0;
}

/* The sum of the counts behind `keys` (NULL at the end), at most UINT64_MAX. */
static uint64_t sum_of(struct lr_str text, const char *const *keys) {
    uint64_t sum = 0;
    for (; *keys; keys++)
        if (lr_add_u64(sum, facts_count(text, *keys), &sum)) return UINT64_MAX;
    return sum;
}

/* ---- control groups */

/* The names of the same things in both versions. */
struct group_files {
    const char *limits[3]; /* NULL at the end */
    const char *usage;     /* with page cache: only where memory.stat does not say more */
    const char *unreclaimable[4];
    const char *inherited; /* in memory.stat: the smallest limit of all ancestors, also those not visible */
    const char *kernel;    /* in memory.stat */
    const char *kernel_usage;
    const char *kernel_parts[5]; /* in memory.stat, where neither of the two stands (before Linux 5.18) */
};

static const struct group_files version1 = {
    .limits = {"memory.limit_in_bytes"},
    .usage = "memory.usage_in_bytes",
    .unreclaimable = {"total_active_anon", "total_inactive_anon", "total_unevictable"},
    .inherited = "hierarchical_memory_limit",
    .kernel_usage = "memory.kmem.usage_in_bytes",
};
static const struct group_files version2 = {
    .limits = {"memory.max", "memory.high"},
    .usage = "memory.current",
    .unreclaimable = {"active_anon", "inactive_anon", "unevictable"},
    .kernel = "kernel",
    .kernel_parts = {"kernel_stack", "pagetables", "percpu", "slab"},
};

struct group_reader {
    const struct group_files *files;
    struct memory_info *out;
};

/* The number or limit in one file; left as it is where there is none. */
static enum lr_status read_limit(const char *folder, const char *name, uint64_t *out, struct lr_error *err) {
    struct lr_buf text;
    LR_TRY(facts_read(folder, name, &text, err));
    uint64_t n;
    if (facts_limit(lr_buf_str(&text), &n)) *out = n;
    lr_buf_free(&text);
    return LR_OK;
}

static enum lr_status read_kernel(const char *folder, const struct group_files *files, struct lr_str stat,
                                  uint64_t *out, struct lr_error *err) {
    struct lr_str value;
    *out = 0;
    if (files->kernel_usage) return read_limit(folder, files->kernel_usage, out, err);
    if (facts_value(stat, files->kernel, &value) && facts_number(value, out)) return LR_OK;
    *out = sum_of(stat, files->kernel_parts);
    return LR_OK;
}

static enum lr_status read_used(const char *folder, const struct group_files *files, struct lr_str stat,
                                uint64_t *used, struct lr_error *err) {
    struct lr_str value;
    uint64_t kernel;
    *used = 0;
    if (!facts_value(stat, files->unreclaimable[0], &value))
        return read_limit(folder, files->usage, used, err);
    LR_TRY(read_kernel(folder, files, stat, &kernel, err));
    if (lr_add_u64(sum_of(stat, files->unreclaimable), kernel, used)) *used = UINT64_MAX;
    return LR_OK;
}

static enum lr_status read_group_stat(const char *folder, const struct group_reader *r, uint64_t limit,
                                      struct lr_str stat, struct lr_error *err) {
    struct lr_str value;
    uint64_t inherited, used;
    if (r->files->inherited && facts_value(stat, r->files->inherited, &value) &&
        facts_limit(value, &inherited))
        limit = smaller(limit, inherited);
    if (limit == MEMORY_UNLIMITED) return LR_OK;
    LR_TRY(read_used(folder, r->files, stat, &used, err));
    r->out->cgroup_limit = smaller(r->out->cgroup_limit, limit);
    r->out->cgroup_room = smaller(r->out->cgroup_room, left_of(limit, used));
    return LR_OK;
}

static enum lr_status read_group(void *ctx, const char *folder, struct lr_error *err) {
    const struct group_reader *r = ctx;
    uint64_t limit = MEMORY_UNLIMITED;
    for (const char *const *name = r->files->limits; *name; name++) {
        uint64_t one = MEMORY_UNLIMITED;
        LR_TRY(read_limit(folder, *name, &one, err));
        limit = smaller(limit, one);
    }
    struct lr_buf stat;
    LR_TRY(facts_read(folder, "memory.stat", &stat, err));
    enum lr_status status = read_group_stat(folder, r, limit, lr_buf_str(&stat), err);
    lr_buf_free(&stat);
    return status;
}

static enum lr_status read_groups(const char *root, struct memory_info *out, struct lr_error *err) {
    out->cgroup_limit = out->cgroup_room = MEMORY_UNLIMITED;
    struct group_reader v1 = {&version1, out}, v2 = {&version2, out};
    LR_TRY(cgroup_walk(root, "memory", read_group, &v1, err));
    return cgroup_walk(root, NULL, read_group, &v2, err);
}

/* ---- the machine and the process */

static uint64_t available(struct lr_str meminfo) {
    struct lr_str value;
    uint64_t kb;
    if (facts_value(meminfo, "MemAvailable", &value) && facts_number(value, &kb))
        return facts_kb(meminfo, "MemAvailable");
    static const char *const parts[] = {"MemFree", "Active(file)", "Inactive(file)", "SReclaimable", NULL};
    uint64_t sum = 0;
    for (const char *const *p = parts; *p; p++)
        if (lr_add_u64(sum, facts_kb(meminfo, *p), &sum)) return 0;
    return sum;
}

static enum lr_status read_meminfo(const char *root, struct memory_info *out, struct lr_error *err) {
    struct lr_buf text;
    uint64_t overcommit = 0;
    LR_TRY(read_limit(root, "proc/sys/vm/overcommit_memory", &overcommit, err));
    LR_TRY(facts_read(root, "proc/meminfo", &text, err));
    struct lr_str meminfo = lr_buf_str(&text);
    out->mem_total = facts_kb(meminfo, "MemTotal");
    out->mem_available = available(meminfo);
    out->commit_room = MEMORY_UNLIMITED;
    if (overcommit == 2)
        out->commit_room = left_of(facts_kb(meminfo, "CommitLimit"), facts_kb(meminfo, "Committed_AS"));
    lr_buf_free(&text);
    if (out->mem_total) return LR_OK;
    return lr_fail(err, LR_EFAILED,
                   "%s/proc/meminfo does not say how much memory there is (is /proc mounted?)", root);
}

static enum lr_status read_own(const char *root, struct memory_info *out, struct lr_error *err) {
    struct lr_buf text;
    LR_TRY(facts_read(root, "proc/self/status", &text, err));
    struct lr_str status = lr_buf_str(&text);
    out->own_anonymous = facts_kb(status, "RssAnon");
    out->own_data = facts_kb(status, "VmData");
    out->own_address = facts_kb(status, "VmSize");
    out->swap_used_by_us = facts_kb(status, "VmSwap");
    lr_buf_free(&text);
    return LR_OK;
}

/* The soft limit in a line of proc/self/limits, else what the process is told. */
static uint64_t resource_limit(struct lr_str limits, const char *key, enum __rlimit_resource which) {
    struct lr_str value;
    uint64_t n;
    struct rlimit limit;
    if (facts_value(limits, key, &value) && facts_limit(value, &n)) return n;
    if (getrlimit(which, &limit) || limit.rlim_cur == RLIM_INFINITY) return MEMORY_UNLIMITED;
    return limit.rlim_cur;
}

static enum lr_status read_limits(const char *root, struct memory_info *out, struct lr_error *err) {
    struct lr_buf text;
    LR_TRY(facts_read(root, "proc/self/limits", &text, err));
    out->data_limit = resource_limit(lr_buf_str(&text), "Max data size", RLIMIT_DATA);
    out->address_limit = resource_limit(lr_buf_str(&text), "Max address space", RLIMIT_AS);
    lr_buf_free(&text);
    return LR_OK;
}

/* ---- what follows from them */

static void conclude(uint64_t user_limit, struct memory_info *m) {
    m->total = smaller(m->mem_total, m->cgroup_limit);
    m->room = smaller(m->mem_available, smaller(m->cgroup_room, m->commit_room));
    m->room = smaller(m->room, left_of(m->data_limit, m->own_data));
    uint64_t user_room = user_limit ? left_of(user_limit, m->own_anonymous) : MEMORY_UNLIMITED;
    m->user_limited = user_room < m->room;
    m->room = smaller(m->room, user_room);
    uint64_t ours;
    if (lr_add_u64(m->own_anonymous, m->room, &ours)) ours = UINT64_MAX;
    uint64_t reserve = ours / 100 > LEAST_RESERVE ? ours / 100 : LEAST_RESERVE;
    m->budget = left_of(ours, reserve);
}

uint64_t memory_for_budget(uint64_t budget) {
    uint64_t reserve = budget / 99 + 1, ours;
    if (reserve < LEAST_RESERVE) reserve = LEAST_RESERVE;
    return lr_add_u64(budget, reserve, &ours) ? UINT64_MAX : ours;
}

enum lr_status memory_read(const char *root, uint64_t user_limit, struct memory_info *out,
                           struct lr_error *err) {
    *out = (struct memory_info){0};
    LR_TRY(read_meminfo(root, out, err));
    LR_TRY(read_own(root, out, err));
    LR_TRY(read_limits(root, out, err));
    LR_TRY(read_groups(root, out, err));
    conclude(user_limit, out);
    return LR_OK;
}

static uint64_t own_status(const char *key) {
    struct lr_buf text;
    if (facts_read("", "proc/self/status", &text, NULL) != LR_OK) return 0;
    uint64_t bytes = facts_kb(lr_buf_str(&text), key);
    lr_buf_free(&text);
    return bytes;
}

uint64_t memory_peak_resident(void) {
    return own_status("VmHWM");
}

uint64_t memory_own_anonymous(void) {
    return own_status("RssAnon");
}
