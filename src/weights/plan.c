#include "weights/plan.h"

#include "base/checked.h"
#include "sys/memory.h"

#include <stdio.h>

#define MB          (UINT64_C(1) << 20)
#define GB          (UINT64_C(1) << 30)
#define LIMIT_SLACK 2 /* MiB beyond what was counted: stacks and the like grow between two looks */

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

/* "1.25 GB"; small sizes in MiB as well, so that they do not read as nothing. */
static void print_gb(uint64_t bytes, char *out, size_t size) {
    if (bytes < GB / 10)
        snprintf(out, size, "%.4f GB (%.1f MiB)", (double)bytes / (double)GB, (double)bytes / (double)MB);
    else
        snprintf(out, size, "%.2f GB", (double)bytes / (double)GB);
}

static void print_size(uint64_t bytes, char *out, size_t size) {
    bool small = bytes < GB / 10;
    snprintf(out, size, small ? "%.1f MiB" : "%.2f GB", (double)bytes / (double)(small ? MB : GB));
}

/* What the memory would have to be: for the whole, for the KV cache to be at most half of what is free, and
 * for the reserve. */
static uint64_t needed(const struct plan_facts *f, const struct lr_plan *p) {
    uint64_t half = f->tokenizer + f->fixed + 2 * p->kv;
    return memory_for_budget(p->total > half ? p->total : half);
}

/* What would make the plan fit: a limit to give, where the user's is what is too small, else memory. */
static void print_cure(const struct plan_facts *f, const struct lr_plan *p, char *out, size_t size) {
    uint64_t need = needed(f, p), more = need > f->ours ? need - f->ours : 0;
    unsigned long long limit = need / MB + LIMIT_SLACK;
    char shown[32];
    print_size(more, shown, sizeof shown);
    if (f->limited)
        snprintf(out, size, "needs %s more: --mem-limit %lluM, of which 16 MiB or 1 %% are kept in reserve",
                 shown, limit);
    else
        snprintf(out, size, "needs %s more free: close other programs", shown);
}

enum lr_status plan_refuse(const struct plan_facts *f, const struct lr_plan *p, struct lr_error *err) {
    char need[64], have[64], owned[32], cure[160];
    print_gb(p->total, need, sizeof need);
    print_gb(p->budget, have, sizeof have);
    print_size(f->tokenizer + f->fixed, owned, sizeof owned);
    print_cure(f, p, cure, sizeof cure);
    if (p->context_that_fits)
        return lr_fail(err, LR_EMEMORY,
                       "Cannot allocate %s. Available memory: %s (a context of %u positions; %u would fit: "
                       "-c %u; or %s)",
                       need, have, p->context, p->context_that_fits, p->context_that_fits, cure);
    return lr_fail(err, LR_EMEMORY,
                   "Cannot allocate %s. Available memory: %s (no context fits beside the %s that are always "
                   "needed; %s)",
                   need, have, owned, cure);
}
