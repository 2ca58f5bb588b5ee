#include "sys/watch.h"

#include "base/mem.h"

/* With less than one part in so many available the machine itself is short of memory. */
#define SHORT_SHARE 8

/* And so many pages between two looks are a working set that does not fit its group. */
#define REFAULTS 256

struct watch {
    struct memory_facts *facts;
    uint64_t user_limit;
    bool machine_short, group_short; /* at the last look */
};

enum lr_status watch_look(struct watch *w, struct watch_look *out, struct lr_error *err) {
    struct memory_info m;
    *out = (struct watch_look){0};
    LR_TRY(memory_facts_read(w->facts, w->user_limit, &m, err));
    *out = (struct watch_look){
        .room = m.room,
        .own_anonymous = m.own_anonymous,
        .ours = m.ours,
        .budget = m.budget,
        .total = m.total,
        .swap_used_by_us = m.swap_used_by_us,
    };
    w->machine_short = m.mem_available < m.mem_total / SHORT_SHARE;
    w->group_short = m.refaults >= REFAULTS;
    return LR_OK;
}

enum lr_status watch_strain(struct watch *w, struct watch_strain *out, struct lr_error *err) {
    struct memory_strain s;
    *out = (struct watch_strain){0};
    LR_TRY(memory_facts_strain(w->facts, &s, err));
    uint64_t us = s.groups_us;
    bool ours = w->machine_short || w->group_short || s.limit_met;
    if (ours && s.machine_us > us) us = s.machine_us;
    *out = (struct watch_strain){(double)us * 1e-6, s.limit_met};
    return LR_OK;
}

static enum lr_status open_facts(struct watch *w, const char *root, struct lr_error *err) {
    struct watch_look first;
    struct watch_strain before;
    LR_TRY(memory_facts_open(root, &w->facts, err));
    LR_TRY(watch_look(w, &first, err));
    return watch_strain(w, &before, err);
}

enum lr_status watch_open(const char *root, uint64_t user_limit, struct watch **out, struct lr_error *err) {
    struct watch *w = lr_calloc(1, sizeof *w);
    *out = NULL;
    if (!w) return lr_fail_memory(err, "the watch on memory", sizeof *w);
    w->user_limit = user_limit;
    enum lr_status status = open_facts(w, root, err);
    if (status == LR_OK)
        *out = w;
    else
        watch_close(w);
    return status;
}

void watch_close(struct watch *w) {
    if (!w) return;
    memory_facts_close(w->facts);
    lr_free(w);
}
