/* attend.h - what attention has in common on every instruction set: what a query sees, where its state and
 * the work space lie. For the files that define attention and kernel/attend.c. */
#ifndef LR_KERNEL_ATTEND_H
#define LR_KERNEL_ATTEND_H

#include "kernel/kv.h"

/* A query's state: the greatest score, the sum, then from STATE_VALUES on the summed values. */
enum { STATE_GREATEST, STATE_SUM, STATE_VALUES = 16 };
/* Positions whose scores are made before their values are added. */
enum { STEP = 128, STEP_BLOCKS = STEP / KERNEL_KV_BLOCK };

static inline size_t state_step(uint32_t head_dim) {
    return STATE_VALUES + kv_width(head_dim);
}

/* Positions [begin, end). */
struct range {
    size_t begin, end;
};

static inline bool range_empty(struct range r) {
    return r.begin >= r.end;
}
static inline struct range range_common(struct range a, struct range b) {
    return (struct range){a.begin > b.begin ? a.begin : b.begin, a.end < b.end ? a.end : b.end};
}
/* From the first's begin or the second's, whichever is less, to the greater end. */
static inline struct range range_cover(struct range a, struct range b) {
    return (struct range){a.begin < b.begin ? a.begin : b.begin, a.end > b.end ? a.end : b.end};
}

/* What query `i` of the task sees of the task's span. */
static inline struct range query_range(const struct attention_task *t, size_t i) {
    size_t end = (size_t)t->position + i / t->heads + 1, first = (size_t)t->span * KERNEL_KV_SPAN;
    struct range seen = {t->window && end > t->window ? end - t->window : 0, end};
    return range_common(seen, (struct range){first, first + KERNEL_KV_SPAN});
}
/* What of a range lies in [first, first + n), counted from there. */
static inline struct range range_inside(struct range r, size_t first, size_t n) {
    r = range_common(r, (struct range){first, first + n});
    if (range_empty(r)) return (struct range){0, 0};
    return (struct range){r.begin - first, r.end - first};
}

#endif
