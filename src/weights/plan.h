/* plan.h - decides, from facts alone, whether a session fits and how long its context may be. Pure: reads
 * nothing, allocates nothing. Weights are mapped: they are page cache, which the kernel gives up when others
 * need it, and are counted apart from what the process must own. */
#ifndef LR_WEIGHTS_PLAN_H
#define LR_WEIGHTS_PLAN_H

#include "base/error.h"

/* Bytes that a session of `context` positions takes, split in KV cache and work space. Must not fall as
 * context grows. */
typedef void plan_session_fn(const void *ctx, uint32_t context, uint64_t *kv, uint64_t *work);

struct plan_facts {
    uint64_t budget;    /* bytes the process may own */
    uint64_t weights;   /* bytes of the tensors that are used */
    uint64_t mapped;    /* bytes of the mapped files */
    uint64_t tokenizer; /* held by the tokenizer */
    uint64_t fixed;     /* taken already: matrix product buffers, stacks, tables */
    uint32_t wanted;    /* positions asked for; 0: the most that fits, up to `limit` */
    uint32_t limit;     /* the most positions when none are asked for */
    uint64_t ours;      /* bytes that the budget was made of, before its reserve */
    bool limited;       /* they are the user's limit, not the system's */
    uint32_t maximum;   /* the model's own */
    plan_session_fn *session;
    const void *session_ctx;
};

/* `out->fits` says whether `out->context` positions do; context_that_fits is the most that would (0: none).
 */
void plan_make(const struct plan_facts *facts, struct lr_plan *out);
/* The refusal of a plan that does not fit, with what would work. */
enum lr_status plan_refuse(const struct plan_facts *facts, const struct lr_plan *plan, struct lr_error *err);

#endif
