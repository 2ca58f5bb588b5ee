#include "weights/plan.h"

#include "base/checked.h"

#define GB (1024.0 * 1024.0 * 1024.0)

/* What the process owns with a context; UINT64_MAX where the sum is beyond any memory. */
static uint64_t total_with(const struct plan_facts *f, uint32_t context, uint64_t *kv, uint64_t *work) {
    uint64_t total;
    f->session(f->session_ctx, context, kv, work);
    if (lr_add_u64(*kv, *work, &total) || lr_add_u64(total, f->tokenizer, &total) ||
        lr_add_u64(total, f->fixed, &total))
        return UINT64_MAX;
    return total;
}

/* The KV cache is one block, and no step of the arena takes more than half of what is there. */
static bool fits_with(const struct plan_facts *f, uint32_t context) {
    uint64_t kv, work, owned = f->tokenizer + f->fixed;
    if (total_with(f, context, &kv, &work) > f->budget) return false;
    return kv <= (f->budget - (owned < f->budget ? owned : f->budget)) / 2;
}

/* The greatest context in [0, most] that fits, by halving. */
static uint32_t greatest_context(const struct plan_facts *f, uint32_t most) {
    uint32_t low = 0, high = most;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2 + 1;
        if (fits_with(f, middle))
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

void plan_make(const struct plan_facts *f, struct lr_plan *out) {
    *out = (struct lr_plan){.budget = f->budget,
                            .weights = f->weights,
                            .mapped = f->mapped,
                            .tokenizer = f->tokenizer,
                            .fixed = f->fixed,
                            .context_that_fits = greatest_context(f, f->maximum)};
    uint32_t most = f->limit < f->maximum ? f->limit : f->maximum;
    out->context = f->wanted ? f->wanted : out->context_that_fits < most ? out->context_that_fits : most;
    if (!out->context) out->context = 1;
    out->fits = fits_with(f, out->context);
    out->total = total_with(f, out->context, &out->kv, &out->work);
}

enum lr_status plan_refuse(const struct plan_facts *f, const struct lr_plan *p, struct lr_error *err) {
    double need = (double)p->total / GB, have = (double)p->budget / GB;
    double short_by = p->total > p->budget
                          ? need - have
                          : 2 * (double)p->kv / GB + (double)(f->tokenizer + f->fixed) / GB - have;
    if (p->context_that_fits)
        return lr_fail(err, LR_EMEMORY,
                       "Cannot allocate %.2f GB. Available memory: %.2f GB (a context of %u positions; %u "
                       "would fit: -c %u; or needs "
                       "%.2f GB more free: close other programs)",
                       need, have, p->context, p->context_that_fits, p->context_that_fits, short_by);
    return lr_fail(err, LR_EMEMORY,
                   "Cannot allocate %.2f GB. Available memory: %.2f GB (no context fits beside the %.2f GB "
                   "that are always needed; "
                   "needs %.2f GB more free: close other programs)",
                   need, have, (double)(f->tokenizer + f->fixed) / GB, short_by);
}
