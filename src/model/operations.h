/* operations.h - where the time of passes goes: for each operation its seconds, and by arithmetic alone the
 * bytes and multiply-adds that it cannot do without. Filled by forward and blocks where a pass is given such
 * a struct; for run/bench. */
#ifndef LR_MODEL_OPERATIONS_H
#define LR_MODEL_OPERATIONS_H

#include <stdint.h>

#include "base/dtype.h"

enum operation {
    OPERATION_EMBEDDING,
    OPERATION_NORM,
    OPERATION_QKV,
    OPERATION_ROPE, /* with the norms of queries and keys, and the scale */
    OPERATION_STORE_KV,
    OPERATION_ATTENTION,
    OPERATION_O,
    OPERATION_GATE_UP,
    OPERATION_ACTIVATION,
    OPERATION_DOWN,
    OPERATION_ADD, /* to the residual stream */
    OPERATION_HEAD,
    OPERATIONS
};
/* "gate/up". */
const char *operation_name(enum operation op);

struct operation_cost {
    double seconds;
    uint64_t memory;   /* bytes of weights and KV cache, each once a pass */
    uint64_t streamed; /* of them, weights that were read from a disk for it */
    uint64_t cached;   /* bytes of activations, read and written */
    uint64_t multiply_adds;
    enum lr_dtype dtype; /* of its matrices */
};

/* Sums over passes. Starts as {0}. */
struct operations {
    struct operation_cost of[OPERATIONS];
    double pass_s; /* of whole passes */
    uint32_t passes;
    const uint64_t *lent; /* bytes of streamed weights that the store has lent */
    uint64_t lent_before;
    double began, since;
};

struct model;
struct kv_pool;
/* What a pass over `n` tokens from `position` on asks for, `n_logits` of them with logits. */
void operations_count(struct operations *o, const struct model *m, const struct kv_pool *pool, uint32_t n,
                      uint32_t position, uint32_t n_logits);

/* The rest takes NULL for a pass that is not watched, and does nothing then. */
void operations_begin(struct operations *o, const uint64_t *lent);
void operations_end(struct operations *o);
void operations_lap(struct operations *o, enum operation op);
void operations_skip_lap(struct operations *o);
/* What went on since the last call was `op`, or none of them. */
static inline void operation_done(struct operations *o, enum operation op) {
    if (o) operations_lap(o, op);
}
static inline void operation_none(struct operations *o) {
    if (o) operations_skip_lap(o);
}

#endif
