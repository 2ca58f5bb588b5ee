#include "sys/memory_groups.h"

#include "base/checked.h"
#include "base/mem.h"
#include "sys/cgroup.h"

/* Files are kept open for so many groups; those beyond (a depth that nobody has) are opened each time. */
#define GROUPS_KEPT 32

/* The names of the same things in both versions. */
struct group_files {
    const char *limits[2]; /* the second NULL where there is none */
    const char *usage;     /* with page cache: only where memory.stat does not say more */
    const char *unreclaimable[4];
    const char *inherited; /* in memory.stat: the smallest limit of all ancestors, also those not visible */
    const char *kernel;    /* in memory.stat */
    const char *kernel_usage;
    const char *kernel_parts[5]; /* in memory.stat, where neither of the two stands (before Linux 5.18) */
    const char *refaults[4];     /* in memory.stat; the last is of older kernels */
    const char *pressure;
    const char *events, *met[3]; /* how often a limit was met: counts in `events`, or all that it says */
};

static const struct group_files version1 = {
    .limits = {"memory.limit_in_bytes"},
    .usage = "memory.usage_in_bytes",
    .unreclaimable = {"total_active_anon", "total_inactive_anon", "total_unevictable"},
    .inherited = "hierarchical_memory_limit",
    .kernel_usage = "memory.kmem.usage_in_bytes",
    .refaults = {"total_workingset_refault_file", "total_workingset_refault_anon",
                 "total_workingset_refault"},
    .events = "memory.failcnt",
};
static const struct group_files version2 = {
    .limits = {"memory.max", "memory.high"},
    .usage = "memory.current",
    .unreclaimable = {"active_anon", "inactive_anon", "unevictable"},
    .kernel = "kernel",
    .kernel_parts = {"kernel_stack", "pagetables", "percpu", "slab"},
    .refaults = {"workingset_refault_file", "workingset_refault_anon", "workingset_refault"},
    .pressure = "memory.pressure",
    .events = "memory.events",
    .met = {"high", "max"},
};

struct memory_group {
    const struct group_files *files;
    struct facts_file limits[2], usage, stat, kernel_usage, pressure,
        events; /* named where files names them */
    struct facts_counter refaults, stalled, met;
};

/* ---- finding them */

static void close_group(struct memory_group *m) {
    struct facts_file *const all[] = {&m->limits[0],    &m->limits[1], &m->usage, &m->stat,
                                      &m->kernel_usage, &m->pressure,  &m->events};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) facts_file_close(all[i]);
}

static enum lr_status name_files(struct memory_group *m, const char *folder, bool keep,
                                 struct lr_error *err) {
    const struct group_files *files = m->files;
    const struct {
        struct facts_file *file;
        const char *name;
    } rows[] = {
        {&m->limits[0], files->limits[0]},
        {&m->limits[1], files->limits[1]},
        {&m->usage, files->usage},
        {&m->stat, "memory.stat"},
        {&m->kernel_usage, files->kernel_usage},
        {&m->pressure, files->pressure},
        {&m->events, files->events},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].name) LR_TRY(facts_file_name(rows[i].file, folder, rows[i].name, keep, err));
    return LR_OK;
}

struct finder {
    struct memory_groups *groups;
    const struct group_files *files;
};

static enum lr_status add_group(void *ctx, const char *folder, struct lr_error *err) {
    const struct finder *f = ctx;
    struct memory_groups *g = f->groups;
    if (lr_grow(&g->all, &g->cap, g->count + 1, sizeof *g->all))
        return lr_fail_memory(err, "the control groups", (g->count + 1) * sizeof *g->all);
    struct memory_group *m = &g->all[g->count++];
    *m = (struct memory_group){.files = f->files};
    return name_files(m, folder, g->keep && g->count <= GROUPS_KEPT, err);
}

static void forget_groups(struct memory_groups *g) {
    for (size_t i = 0; i < g->count; i++) close_group(&g->all[i]);
    g->count = g->member.len = 0;
}

static enum lr_status find_groups(struct memory_groups *g, const char *root, struct lr_error *err) {
    struct finder v1 = {g, &version1}, v2 = {g, &version2};
    LR_TRY(cgroup_walk(root, "memory", add_group, &v1, err));
    return cgroup_walk(root, NULL, add_group, &v2, err);
}

/* Finds the groups again if we are not in those that we were in. */
static enum lr_status follow_moves(struct memory_groups *g, const char *root, struct lr_error *err) {
    struct lr_str member;
    LR_TRY(facts_file_read(&g->member_file, &member, err));
    if (lr_str_eq(member, lr_buf_str(&g->member))) return LR_OK;
    forget_groups(g);
    enum lr_status status = find_groups(g, root, err);
    if (status == LR_OK && lr_buf_append_str(&g->member, member))
        status = lr_fail_memory(err, "the control groups' names", member.len);
    if (status != LR_OK) forget_groups(g);
    return status;
}

/* ---- reading them */

/* The sum of the counts behind `keys` (NULL at the end), at most UINT64_MAX. */
static uint64_t sum_of(struct lr_str text, const char *const *keys) {
    uint64_t sum = 0;
    for (; *keys; keys++)
        if (lr_add_u64(sum, facts_count(text, *keys), &sum)) return UINT64_MAX;
    return sum;
}

/* The number or limit in one file; left as it is where there is none. */
static enum lr_status read_limit(struct facts_file *file, uint64_t *out, struct lr_error *err) {
    struct lr_str text;
    uint64_t n;
    LR_TRY(facts_file_read(file, &text, err));
    if (facts_limit(text, &n)) *out = n;
    return LR_OK;
}

static enum lr_status read_kernel(struct memory_group *m, struct lr_str stat, uint64_t *out,
                                  struct lr_error *err) {
    struct lr_str value;
    *out = 0;
    if (m->files->kernel_usage) return read_limit(&m->kernel_usage, out, err);
    if (facts_value(stat, m->files->kernel, &value) && facts_number(value, out)) return LR_OK;
    *out = sum_of(stat, m->files->kernel_parts);
    return LR_OK;
}

static enum lr_status read_used(struct memory_group *m, struct lr_str stat, uint64_t *used,
                                struct lr_error *err) {
    struct lr_str value;
    uint64_t kernel;
    *used = 0;
    if (!facts_value(stat, m->files->unreclaimable[0], &value)) return read_limit(&m->usage, used, err);
    LR_TRY(read_kernel(m, stat, &kernel, err));
    if (lr_add_u64(sum_of(stat, m->files->unreclaimable), kernel, used)) *used = UINT64_MAX;
    return LR_OK;
}

/* memory.stat is the dear one: it is left where there is no limit of the group's own and, as `*free_above`
 * tells, none that it inherits. */
static enum lr_status read_group(struct memory_group *m, bool *free_above, struct group_room *out,
                                 struct lr_error *err) {
    uint64_t own = FACTS_UNLIMITED, inherited, used;
    struct lr_str stat, value;
    for (int i = 0; i < 2; i++) {
        uint64_t one = FACTS_UNLIMITED;
        LR_TRY(read_limit(&m->limits[i], &one, err));
        own = memory_smaller(own, one);
    }
    if (own == FACTS_UNLIMITED && *free_above) return LR_OK;
    LR_TRY(facts_file_read(&m->stat, &stat, err));
    if (m->files->inherited && facts_value(stat, m->files->inherited, &value) &&
        facts_limit(value, &inherited)) {
        *free_above = inherited == FACTS_UNLIMITED;
        own = memory_smaller(own, inherited);
    }
    if (own == FACTS_UNLIMITED) return LR_OK;
    LR_TRY(read_used(m, stat, &used, err));
    out->limit = memory_smaller(out->limit, own);
    out->room = memory_smaller(out->room, memory_left(own, used));
    if (used > own && used - own > out->over) out->over = used - own;
    uint64_t pages = facts_grown(&m->refaults, stat.len > 0, sum_of(stat, m->files->refaults));
    if (pages > out->refaults) out->refaults = pages;
    return LR_OK;
}

enum lr_status memory_groups_open(const char *root, bool keep, struct memory_groups *out,
                                  struct lr_error *err) {
    *out = (struct memory_groups){.keep = keep};
    return facts_file_name(&out->member_file, root, "proc/self/cgroup", keep, err);
}

enum lr_status memory_groups_read(struct memory_groups *g, const char *root, struct group_room *out,
                                  struct lr_error *err) {
    bool free_above = false;
    *out = (struct group_room){FACTS_UNLIMITED, FACTS_UNLIMITED, 0, 0};
    LR_TRY(follow_moves(g, root, err));
    for (size_t i = 0; i < g->count; i++) {
        struct memory_group *m = &g->all[i];
        if (i == 0 || m->files != g->all[i - 1].files) free_above = !m->files->inherited;
        LR_TRY(read_group(m, &free_above, out, err));
    }
    return LR_OK;
}

/* How long somebody in one group waited, and whether it met its limit, since this was read last. */
static enum lr_status read_strain(struct memory_group *m, uint64_t *stalled_us, bool *limit_met,
                                  struct lr_error *err) {
    struct lr_str text;
    uint64_t met = 0;
    LR_TRY(facts_file_read(&m->pressure, &text, err));
    *stalled_us = facts_grown(&m->stalled, text.len > 0, facts_stall(text));
    LR_TRY(facts_file_read(&m->events, &text, err));
    if (m->files->met[0])
        met = sum_of(text, m->files->met);
    else
        facts_number(text, &met);
    *limit_met = facts_grown(&m->met, text.len > 0, met) > 0;
    return LR_OK;
}

enum lr_status memory_groups_strain(struct memory_groups *g, uint64_t *stalled_us, bool *limit_met,
                                    struct lr_error *err) {
    *stalled_us = 0;
    *limit_met = false;
    for (size_t i = 0; i < g->count; i++) {
        uint64_t us;
        bool met;
        LR_TRY(read_strain(&g->all[i], &us, &met, err));
        if (us > *stalled_us) *stalled_us = us; /* a group's is also that of those above it */
        *limit_met |= met;
    }
    return LR_OK;
}

void memory_groups_close(struct memory_groups *g) {
    forget_groups(g);
    facts_file_close(&g->member_file);
    lr_buf_free(&g->member);
    lr_free(g->all);
    *g = (struct memory_groups){0};
}
