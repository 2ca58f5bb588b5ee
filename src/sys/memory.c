#include "sys/memory.h"

#include "base/checked.h"
#include "base/mem.h"
#include "sys/facts.h"
#include "sys/memory_groups.h"

#include <stdlib.h>
#include <sys/resource.h>

#define LEAST_RESERVE (UINT64_C(16) << 20)

struct memory_facts {
    struct lr_buf root;
    struct facts_file meminfo, overcommit, status, limits, uid_map, pressure;
    struct facts_counter stalled;
    struct memory_groups groups;
};

/* ---- the machine and the process */

uint64_t memory_available(struct lr_str meminfo) {
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

uint64_t memory_commit_room(struct lr_str meminfo, struct lr_str overcommit) {
    uint64_t mode;
    if (!facts_number(overcommit, &mode) || mode != 2) return MEMORY_UNLIMITED;
    return memory_left(facts_kb(meminfo, "CommitLimit"), facts_kb(meminfo, "Committed_AS"));
}

static enum lr_status read_meminfo(struct memory_facts *f, struct memory_info *out, struct lr_error *err) {
    struct lr_str overcommit, meminfo;
    LR_TRY(facts_file_read(&f->overcommit, &overcommit, err));
    LR_TRY(facts_file_read(&f->meminfo, &meminfo, err));
    out->mem_total = facts_kb(meminfo, "MemTotal");
    out->mem_available = memory_available(meminfo);
    out->commit_room = memory_commit_room(meminfo, overcommit);
    if (out->mem_total) return LR_OK;
    return lr_fail(err, LR_EFAILED, "%s does not say how much memory there is (is /proc mounted?)",
                   f->meminfo.path);
}

/* Whether user ids are the machine's: in a namespace of one's own capabilities count for less. */
static bool is_outside(struct lr_str uid_map) {
    struct lr_str word;
    uint64_t n[3] = {0, 0, UINT32_MAX};
    for (int i = 0; i < 3 && facts_word(&uid_map, &word); i++)
        if (!facts_number(word, &n[i])) return false;
    return n[0] == 0 && n[1] == 0 && n[2] == UINT32_MAX;
}

/* Those who have it may lock all. */
static bool has_ipc_lock(struct lr_str status) {
    enum { CAP_IPC_LOCK = 14 };
    struct lr_str value;
    return facts_value(status, "CapEff", &value) && (strtoull(value.data, NULL, 16) >> CAP_IPC_LOCK & 1);
}

static enum lr_status read_own(struct memory_facts *f, struct memory_info *out, struct lr_error *err) {
    struct lr_str status, uid_map;
    LR_TRY(facts_file_read(&f->uid_map, &uid_map, err));
    LR_TRY(facts_file_read(&f->status, &status, err));
    out->own_anonymous = facts_kb(status, "RssAnon");
    out->own_data = facts_kb(status, "VmData");
    out->own_address = facts_kb(status, "VmSize");
    out->swap_used_by_us = facts_kb(status, "VmSwap");
    out->own_locked = facts_kb(status, "VmLck");
    out->lock_limit = has_ipc_lock(status) && is_outside(uid_map) ? MEMORY_UNLIMITED : 0;
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

static enum lr_status read_limits(struct memory_facts *f, struct memory_info *out, struct lr_error *err) {
    struct lr_str limits;
    LR_TRY(facts_file_read(&f->limits, &limits, err));
    out->data_limit = resource_limit(limits, "Max data size", RLIMIT_DATA);
    out->address_limit = resource_limit(limits, "Max address space", RLIMIT_AS);
    if (!out->lock_limit) out->lock_limit = resource_limit(limits, "Max locked memory", RLIMIT_MEMLOCK);
    return LR_OK;
}

/* ---- what follows from them */

static void bound_room(struct memory_info *m, uint64_t room, enum memory_bound by) {
    if (room >= m->room) return;
    m->room = room;
    m->bound = by;
}

static void conclude(uint64_t user_limit, struct memory_info *m) {
    m->total = memory_smaller(m->mem_total, m->cgroup_limit);
    if (user_limit) m->total = memory_smaller(m->total, user_limit);
    m->room = memory_smaller(m->mem_available, m->commit_room);
    m->bound = MEMORY_BY_SYSTEM;
    bound_room(m, m->cgroup_room, MEMORY_BY_GROUP);
    bound_room(m, memory_left(m->data_limit, m->own_data), MEMORY_BY_DATA_LIMIT);
    if (user_limit) bound_room(m, memory_left(user_limit, m->own_anonymous), MEMORY_BY_USER);
    if (lr_add_u64(m->own_anonymous, m->room, &m->ours)) m->ours = UINT64_MAX;
    if (user_limit) m->ours = memory_smaller(m->ours, user_limit);
    m->ours = memory_left(m->ours, m->cgroup_over);
    uint64_t reserve = m->ours / 100 > LEAST_RESERVE ? m->ours / 100 : LEAST_RESERVE;
    m->budget = memory_left(m->ours, reserve);
}

uint64_t memory_for_budget(uint64_t budget) {
    uint64_t reserve = budget / 99 + 1, ours;
    if (reserve < LEAST_RESERVE) reserve = LEAST_RESERVE;
    return lr_add_u64(budget, reserve, &ours) ? UINT64_MAX : ours;
}

enum lr_status memory_facts_read(struct memory_facts *f, uint64_t user_limit, struct memory_info *out,
                                 struct lr_error *err) {
    *out = (struct memory_info){0};
    LR_TRY(read_meminfo(f, out, err));
    LR_TRY(read_own(f, out, err));
    LR_TRY(read_limits(f, out, err));
    struct group_room groups;
    LR_TRY(memory_groups_read(&f->groups, f->root.data, &groups, err));
    out->cgroup_limit = groups.limit;
    out->cgroup_room = groups.room;
    out->cgroup_over = groups.over;
    out->refaults = groups.refaults;
    conclude(user_limit, out);
    return LR_OK;
}

enum lr_status memory_facts_strain(struct memory_facts *f, struct memory_strain *out, struct lr_error *err) {
    struct lr_str text;
    *out = (struct memory_strain){0};
    LR_TRY(facts_file_read(&f->pressure, &text, err));
    out->machine_us = facts_grown(&f->stalled, text.len > 0, facts_stall(text));
    return memory_groups_strain(&f->groups, &out->groups_us, &out->limit_met, err);
}

/* ---- opening and closing */

static enum lr_status name_files(struct memory_facts *f, const char *root, bool keep, struct lr_error *err) {
    if (lr_buf_printf(&f->root, "%s", root)) return lr_fail_memory(err, root, strlen(root));
    LR_TRY(facts_file_name(&f->meminfo, root, "proc/meminfo", keep, err));
    LR_TRY(facts_file_name(&f->overcommit, root, "proc/sys/vm/overcommit_memory", keep, err));
    LR_TRY(facts_file_name(&f->status, root, "proc/self/status", keep, err));
    LR_TRY(facts_file_name(&f->limits, root, "proc/self/limits", keep, err));
    LR_TRY(facts_file_name(&f->uid_map, root, "proc/self/uid_map", keep, err));
    LR_TRY(facts_file_name(&f->pressure, root, "proc/pressure/memory", keep, err));
    return memory_groups_open(root, keep, &f->groups, err);
}

static void close_files(struct memory_facts *f) {
    facts_file_close(&f->meminfo);
    facts_file_close(&f->overcommit);
    facts_file_close(&f->status);
    facts_file_close(&f->limits);
    facts_file_close(&f->uid_map);
    facts_file_close(&f->pressure);
    memory_groups_close(&f->groups);
    lr_buf_free(&f->root);
}

enum lr_status memory_facts_open(const char *root, struct memory_facts **out, struct lr_error *err) {
    struct memory_facts *f = lr_calloc(1, sizeof *f);
    *out = NULL;
    if (!f) return lr_fail_memory(err, "the facts about memory", sizeof *f);
    enum lr_status status = name_files(f, root, true, err);
    if (status == LR_OK)
        *out = f;
    else
        memory_facts_close(f);
    return status;
}

void memory_facts_close(struct memory_facts *f) {
    if (!f) return;
    close_files(f);
    lr_free(f);
}

enum lr_status memory_read(const char *root, uint64_t user_limit, struct memory_info *out,
                           struct lr_error *err) {
    struct memory_facts f = {0};
    *out = (struct memory_info){0};
    enum lr_status status = name_files(&f, root, false, err);
    if (status == LR_OK) status = memory_facts_read(&f, user_limit, out, err);
    close_files(&f);
    return status;
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
