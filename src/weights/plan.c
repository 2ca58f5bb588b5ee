#include "weights/plan.h"

#include "base/checked.h"

#include <stdio.h>

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

/* "1.25 GB"; small sizes with more digits, so that they do not read as nothing. */
static void print_gb(uint64_t bytes, char *out, size_t size) {
    double gb = (double)bytes / GB;
    snprintf(out, size, gb < 0.1 ? "%.4f GB" : "%.2f GB", gb);
}

/* What is missing: for the whole, and for the KV cache to be at most half of what is free. */
static uint64_t shortage(const struct plan_facts *f, const struct lr_plan *p) {
    uint64_t owned = f->tokenizer + f->fixed, half = owned + 2 * p->kv,
             need = p->total > half ? p->total : half;
    return need > f->budget ? need - f->budget : 0;
}

enum lr_status plan_refuse(const struct plan_facts *f, const struct lr_plan *p, struct lr_error *err) {
    char need[32], have[32], owned[32], more[32];
    const char *cure = f->limited
                           ? "raise --mem-limit by that; a reserve of the larger of 16 MiB and 1 % is kept"
                           : "close other programs";
    print_gb(p->total, need, sizeof need);
    print_gb(p->budget, have, sizeof have);
    print_gb(f->tokenizer + f->fixed, owned, sizeof owned);
    print_gb(shortage(f, p), more, sizeof more);
    if (p->context_that_fits)
        return lr_fail(
            err, LR_EMEMORY,
            "Cannot allocate %s. Available memory: %s (a context of %u positions; %u would fit: -c %u; or "
            "needs %s more free: %s)",
            need, have, p->context, p->context_that_fits, p->context_that_fits, more, cure);
    return lr_fail(
        err, LR_EMEMORY,
        "Cannot allocate %s. Available memory: %s (no context fits beside the %s that are always needed; "
        "needs %s more free: %s)",
        need, have, owned, more, cure);
}
