#include "sys/watch.h"

#include "base/mem.h"

#include <stdio.h>

struct watch {
    uint64_t user_limit;
    char root[256];
};

enum lr_status watch_open(const char *root, uint64_t user_limit, struct watch **out, struct lr_error *err) {
    *out = lr_calloc(1, sizeof **out);
    if (!*out) return lr_fail_memory(err, "the watch", sizeof **out);
    (*out)->user_limit = user_limit;
    snprintf((*out)->root, sizeof(*out)->root, "%s", root);
    return LR_OK;
}

enum lr_status watch_look(struct watch *w, struct watch_look *out, struct lr_error *err) {
    struct memory_info m;
    LR_TRY(memory_read(w->root, w->user_limit, &m, err));
    *out = (struct watch_look){.room = m.room,
                               .own_anonymous = m.own_anonymous,
                               .budget = m.budget,
                               .available = m.budget,
                               .total = m.total,
                               .swap_used_by_us = m.swap_used_by_us};
    return LR_OK;
}

void watch_close(struct watch *w) {
    lr_free(w);
}
