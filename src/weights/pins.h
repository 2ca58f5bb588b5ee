/* pins.h - copies of weights in memory of our own: of each matrix its first units. Addresses are reserved
 * once, for all of every matrix that may be pinned, so that pins can be given back and taken again in place;
 * memory is taken with them only. How the whole may grow is the mission's policy (base/memory_policy.h): a
 * refusal is not an error here, the weight is streamed instead. */
#ifndef LR_WEIGHTS_PINS_H
#define LR_WEIGHTS_PINS_H

#include "weights/catalog.h"
#include "weights/growth.h"

struct pin {
    const struct tensor_record *record;
    uint64_t at;     /* where the superset of its bytes begins, from the region's beginning */
    uint64_t skew;   /* of its first byte from there */
    uint64_t most;   /* units that addresses are reserved for */
    uint64_t units;  /* pinned */
    uint64_t usable; /* bytes from `at` on that were taken from the system */
};

struct pins {
    uint8_t *range, *base; /* the reservation, and where it is aligned to large pages: only whole ones of what
                              is in use are made large, so that they cost nothing */
    uint64_t reserved;     /* bytes */
    uint64_t grain;        /* of what is taken: a page, or what direct reads need */
    struct growth growth;
    struct pin *pins; /* [count] */
    size_t count;
    bool lock; /* in memory (mlock) */
};

/* Reserves addresses for `most[i]` units of records[i], where its file is read in blocks of `align` bytes.
 * LR_EMEMORY where the addresses are refused. */
enum lr_status pins_open(const struct tensor_record *const *records, const uint64_t *most, size_t count,
                         uint32_t align, struct pins *out, struct lr_error *err);
void pins_close(struct pins *p);

/* Memory for the first `units` units of pin i, at most those that addresses are reserved for; false where the
 * policy or the system refuses. */
bool pins_grow(struct pins *p, size_t i, uint64_t units);
/* Gives back what is beyond the first `units`. */
void pins_shrink(struct pins *p, size_t i, uint64_t units);

/* Where byte `offset` of pin i's tensor is or would be. */
static inline uint8_t *pins_at(const struct pins *p, size_t i, uint64_t offset) {
    return p->base + p->pins[i].at + p->pins[i].skew + offset;
}

#endif
