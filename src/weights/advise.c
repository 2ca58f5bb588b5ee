/* What to say of a plan: the refusal of one that does not fit, and what would help. */
#include "weights/plan.h"

#include "base/checked.h"
#include "base/memory_policy.h"
#include "sys/memory.h"
#include "weights/place.h"

#include <stdarg.h>
#include <stdio.h>

#define MB          (UINT64_C(1) << 20)
#define GB          (UINT64_C(1) << 30)
#define LIMIT_SLACK 2 /* MiB beyond what was counted: stacks and the like grow between two looks */

/* "1.25 GB"; small sizes with as many digits as tell them apart. */
static void print_gb(uint64_t bytes, char *out, size_t size) {
    double gb = (double)bytes / (double)GB;
    snprintf(out, size, "%.*f GB", gb >= 0.1 ? 2 : gb >= 0.01 ? 3 : 4, gb);
}

struct size_text {
    char text[32];
};
static struct size_text size_of(uint64_t bytes) {
    struct size_text s;
    bool small = bytes < GB / 10;
    snprintf(s.text, sizeof s.text, small ? "%.1f MiB" : "%.2f GB",
             (double)bytes / (double)(small ? MB : GB));
    return s;
}

static void __attribute__((format(printf, 2, 3))) add(struct lr_plan *p, const char *fmt, ...) {
    if (p->n_advice == sizeof p->advice / sizeof *p->advice) return;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(p->advice[p->n_advice++], sizeof *p->advice, fmt, ap);
    va_end(ap);
}

/* The same facts with other wishes: whether they could be met, and with what. */
static bool would_fit(const struct plan_facts *f, enum lr_load load, uint32_t context, struct lr_plan *out) {
    struct plan_facts other = *f;
    other.load = load;
    other.wanted = context;
    plan_judge(&other, out);
    return out->fits;
}

/* What the memory would have to be for `f` as it is, and for all of it to be mapped. */
static uint64_t missing(const struct plan_facts *f, uint64_t need) {
    uint64_t ours = memory_for_budget(need);
    return ours > f->ours ? ours - f->ours : 0;
}

static void add_cure(const struct plan_facts *f, struct lr_plan *p) {
    uint64_t more = missing(f, p->least);
    unsigned long long limit = memory_for_budget(p->least) / MB + LIMIT_SLACK;
    if (f->limited)
        add(p, "needs %s more: --mem-limit %lluM, of which 16 MiB or 1 %% are kept in reserve",
            size_of(more).text, limit);
    else
        add(p, "needs %s more free: close other programs", size_of(more).text);
}

/* What no memory would help with. */
static const struct tensor_record *too_large(const struct plan_facts *f, const struct lr_plan *p) {
    return p->mode == LR_LOAD_RESIDENT ? place_too_large(f) : NULL;
}

static void advise_refused(const struct plan_facts *f, struct lr_plan *p) {
    struct lr_plan other;
    if (p->context_that_fits && !too_large(f, p))
        add(p, "a context of %u positions would fit: -c %u", p->context_that_fits, p->context_that_fits);
    if (f->load != LR_LOAD_AUTO && would_fit(f, LR_LOAD_AUTO, f->wanted, &other))
        add(p, "without --load it would be %s: needs %s", other.mode == LR_LOAD_MAP ? "mapped" : "streamed",
            size_of(other.least).text);
    if (f->session_narrow) {
        struct plan_facts narrow = *f;
        narrow.session = f->session_narrow;
        plan_judge(&narrow, &other);
        if (other.fits) add(p, "--kv f16 would fit: needs %s", size_of(other.least).text);
    }
    if (p->least == UINT64_MAX)
        add(p, "a smaller --prefill-chunk or -c");
    else if (!too_large(f, p))
        add_cure(f, p);
}

static void advise_streamed(const struct plan_facts *f, struct lr_plan *p) {
    struct lr_plan mapped;
    would_fit(f, LR_LOAD_MAP, p->context, &mapped);
    unsigned long long limit = memory_for_budget(mapped.least) / MB + LIMIT_SLACK;
    if (f->limited)
        add(p, "with --mem-limit %lluM no token would wait for the disk", limit);
    else
        add(p, "with %s more free memory no token would wait for the disk: close other programs",
            size_of(missing(f, mapped.least)).text);
    if (!f->wanted && p->context > 2048)
        add(p,
            "as the text grows the KV cache takes up to %s, and so much less of the weights stays: -c bounds "
            "it",
            size_of(p->kv).text);
}

void plan_advise(const struct plan_facts *f, struct lr_plan *p) {
    const struct tensor_record *t = too_large(f, p);
    if (t)
        add(p, "a copy of one tensor may have %s: %.*s has %s", size_of(POLICY_MAX_TENSOR).text,
            LR_STR_ARGS(lr_str_cut(t->name, 100)), size_of(t->bytes).text);
    if (!p->fits)
        advise_refused(f, p);
    else if (p->streamed)
        advise_streamed(f, p);
}

static enum lr_status refuse_tensor(const struct tensor_record *t, const char *cures, struct lr_error *err) {
    return lr_fail(err, LR_EMEMORY,
                   "Single tensor allocation too large: '%.*s' has %s bytes (%s), a copy may have %s (%s)",
                   LR_STR_ARGS(t->name), lr_commas(t->bytes).text, size_of(t->bytes).text,
                   size_of(POLICY_MAX_TENSOR).text, *cures ? cures : "leave out --load resident");
}

enum lr_status plan_refuse(const struct plan_facts *f, const struct lr_plan *p, struct lr_error *err) {
    char need[64], have[64], cures[640] = "";
    struct lr_plan told = *p;
    size_t at = 0;
    told.n_advice = 0;
    advise_refused(f, &told);
    for (size_t i = 0; i < told.n_advice && at < sizeof cures; i++)
        at += (size_t)snprintf(cures + at, sizeof cures - at, "%s%s", i ? "; or " : "", told.advice[i]);
    if (too_large(f, p)) return refuse_tensor(too_large(f, p), cures, err);
    if (p->least == UINT64_MAX)
        return lr_fail(err, LR_EMEMORY,
                       "Single tensor allocation too large: one array of the session's is above %s (%s)",
                       size_of(POLICY_MAX_TENSOR).text, cures);
    print_gb(p->least, need, sizeof need);
    print_gb(p->budget, have, sizeof have);
    return lr_fail(err, LR_EMEMORY, "Cannot allocate %s. Available memory: %s (%s)", need, have, cures);
}
