#include "sys/watch.h"

#include "base/mem.h"
#include "sys/facts.h"

struct watch {
    struct memory_facts *facts;
    struct facts_file stat;
    uint64_t user_limit;
    uint64_t stalls; /* at the last look */
};

/* The twelfth word of proc/self/stat, proc(5), counted from the end of the second: a name in brackets that
 * may hold blanks and brackets itself. */
static uint64_t major_faults(struct lr_str stat) {
    const char *name_end = stat.len ? memrchr(stat.data, ')', stat.len) : NULL;
    struct lr_str rest =
        name_end ? lr_str_from(stat, (size_t)(name_end - stat.data) + 1) : (struct lr_str){0};
    struct lr_str word = {0};
    uint64_t n;
    for (int i = 3; i <= 12; i++)
        if (!facts_word(&rest, &word)) return 0;
    return facts_number(word, &n) ? n : 0;
}

enum lr_status watch_look(struct watch *w, struct watch_look *out, struct lr_error *err) {
    struct memory_info m;
    struct lr_str stat;
    uint64_t stalls;
    *out = (struct watch_look){0};
    LR_TRY(memory_facts_read(w->facts, w->user_limit, &m, err));
    LR_TRY(facts_file_read(&w->stat, &stat, err));
    LR_TRY(memory_facts_stalls(w->facts, &stalls, err));
    *out = (struct watch_look){
        .room = m.room,
        .own_anonymous = m.own_anonymous,
        .budget = m.budget,
        .available = m.budget,
        .total = m.total,
        .major_faults = major_faults(stat),
        .swap_used_by_us = m.swap_used_by_us,
        .pressure = stalls > w->stalls,
    };
    w->stalls = stalls;
    return LR_OK;
}

static enum lr_status open_files(struct watch *w, const char *root, struct lr_error *err) {
    struct watch_look first;
    LR_TRY(memory_facts_open(root, &w->facts, err));
    LR_TRY(facts_file_name(&w->stat, root, "proc/self/stat", true, err));
    return watch_look(w, &first, err);
}

enum lr_status watch_open(const char *root, uint64_t user_limit, struct watch **out, struct lr_error *err) {
    struct watch *w = lr_calloc(1, sizeof *w);
    *out = NULL;
    if (!w) return lr_fail_memory(err, "the watch on memory", sizeof *w);
    w->user_limit = user_limit;
    enum lr_status status = open_files(w, root, err);
    if (status == LR_OK)
        *out = w;
    else
        watch_close(w);
    return status;
}

void watch_close(struct watch *w) {
    if (!w) return;
    memory_facts_close(w->facts);
    facts_file_close(&w->stat);
    lr_free(w);
}
