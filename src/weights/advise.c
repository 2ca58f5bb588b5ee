/* What to say of a plan: the refusal of one that does not fit, and what would help. */
#include "weights/plan.h"

#include "base/checked.h"
#include "base/memory_policy.h"
#include "weights/place.h"

#include <stdarg.h>
#include <stdio.h>

#define MB          (UINT64_C(1) << 20)
#define LIMIT_SLACK 2 /* MiB beyond what was counted: stacks and the like grow between two looks */

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

/* What there would have to be more of for a budget of `need`, and the limit of one's own that gives it. */
static uint64_t missing(const struct plan_facts *f, uint64_t need) {
    uint64_t ours = memory_for_budget(need);
    return ours > f->ours ? ours - f->ours : 0;
}
static unsigned long long limit_for(uint64_t need) {
    return memory_for_budget(need) / MB + LIMIT_SLACK;
}

/* ---- why it does not fit */

enum reason { TENSOR_TOO_LARGE, ARRAY_TOO_LARGE, ADDRESSES_SHORT, LOCKS_SHORT, MEMORY_SHORT };

/* The first two no memory would help with: a forced copy of a tensor, and an array of the session's. */
static enum reason reason_of(const struct plan_facts *f, const struct lr_plan *p) {
    if (p->mode == LR_LOAD_RESIDENT && place_too_large(f)) return TENSOR_TOO_LARGE;
    if (p->least == UINT64_MAX) return ARRAY_TOO_LARGE;
    if (p->least > f->budget) return MEMORY_SHORT;
    if (plan_addresses(f, p) > f->address) return ADDRESSES_SHORT;
    return plan_lock_short(f, p) ? LOCKS_SHORT : MEMORY_SHORT;
}

/* ---- ways out */

static void add_memory(const struct plan_facts *f, struct lr_plan *p) {
    const struct lr_gb more = lr_gb(missing(f, p->least), 2);
    switch (f->bound) {
    case MEMORY_BY_SYSTEM:
        add(p, "needs %s more free: close other programs", more.text);
        break;
    case MEMORY_BY_GROUP:
        add(p, "needs %s more free: close other programs of the control group, or raise its limit",
            more.text);
        break;
    case MEMORY_BY_DATA_LIMIT:
        add(p, "needs %s more: ulimit -d sets the limit, raise it", more.text);
        break;
    case MEMORY_BY_USER:
        add(p, "needs %s more free: close other programs if need be, and give --mem-limit %lluM", more.text,
            limit_for(p->least));
    }
}

static bool add_kv(const struct plan_facts *f, plan_session_fn *session, const char *type,
                   struct lr_plan *p) {
    struct plan_facts narrow = *f;
    struct lr_plan other;
    if (!session) return false;
    narrow.session = session;
    plan_judge(&narrow, &other);
    if (other.fits) add(p, "--kv %s would fit: needs %s", type, lr_gb(other.least, 2).text);
    return other.fits;
}

/* The widest KV cache that would fit. */
static void add_narrow_kv(const struct plan_facts *f, struct lr_plan *p) {
    if (!add_kv(f, f->session_f16, "f16", p)) add_kv(f, f->session_q8, "q8", p);
}

static void advise_refused(const struct plan_facts *f, struct lr_plan *p) {
    struct lr_plan other;
    enum reason reason = reason_of(f, p);
    if (p->context_that_fits && reason != TENSOR_TOO_LARGE &&
        would_fit(f, f->load, p->context_that_fits, &other))
        add(p, "a context of %u positions would fit: -c %u needs %s", other.context, other.context,
            lr_gb(other.least, 2).text);
    if (f->load != LR_LOAD_AUTO && would_fit(f, LR_LOAD_AUTO, f->wanted, &other))
        add(p, "without --load it would be %s: needs %s", other.mode == LR_LOAD_MAP ? "mapped" : "streamed",
            lr_gb(other.least, 2).text);
    add_narrow_kv(f, p);
    if (reason == ARRAY_TOO_LARGE) add(p, "a smaller --prefill-chunk or -c");
    if (reason == ADDRESSES_SHORT)
        add(p, "needs %s more of addresses: raise ulimit -v",
            lr_gb(plan_addresses(f, p) - f->address, 2).text);
    if (reason == LOCKS_SHORT) add(p, "leave out --mlock; or raise ulimit -l");
    if (reason == MEMORY_SHORT) add_memory(f, p);
}

static void advise_streamed(const struct plan_facts *f, struct lr_plan *p) {
    static const char *const ways[] = {
        [MEMORY_BY_SYSTEM] = "close other programs",
        [MEMORY_BY_GROUP] = "raise the control group's limit, or close its other programs",
        [MEMORY_BY_DATA_LIMIT] = "raise ulimit -d",
    };
    struct lr_plan mapped;
    if (plan_lock_short(f, p)) {
        add(p,
            "ulimit -l lets %s be locked, and --mlock keeps no more in memory: raise it, or leave out "
            "--mlock",
            lr_gb(f->lock, 2).text);
        return;
    }
    would_fit(f, LR_LOAD_MAP, p->context, &mapped);
    uint64_t all = memory_for_budget(mapped.least);
    if (!mapped.fits && reason_of(f, &mapped) == ADDRESSES_SHORT)
        add(p, "with %s more of addresses no token would wait for the disk: raise ulimit -v",
            lr_gb(plan_addresses(f, &mapped) - f->address, 2).text);
    else if (f->machine && all > f->machine) /* no program that is closed and no limit would give so much */
        add(p,
            "no token would wait for the disk with %s of memory: this machine has %s; a faster disk or a "
            "smaller model is what helps",
            lr_gb(all, 2).text, lr_gb(f->machine, 2).text);
    else if (f->bound == MEMORY_BY_USER)
        add(p, "with --mem-limit %lluM no token would wait for the disk", limit_for(mapped.least));
    else
        add(p, "with %s more free memory no token would wait for the disk: %s",
            lr_gb(missing(f, mapped.least), 2).text, ways[f->bound]);
    if (!f->wanted && p->pinned && p->context > 2048)
        add(p,
            "as the text grows the KV cache takes up to %s, and so much less of the weights stays: -c bounds "
            "it",
            lr_gb(p->kv, 2).text);
}

/* ---- both */

static enum lr_status refuse_tensor(const struct tensor_record *t, const char *ways, struct lr_error *err) {
    char what[160];
    snprintf(what, sizeof what, "a copy of '%.*s'", LR_STR_ARGS(lr_str_cut(t->name, 120)));
    return lr_refuse_tensor(err, what, t->bytes, *ways ? ways : "leave out --load resident");
}

/* Measuring the session again makes the error that names the array. */
static enum lr_status refuse_array(const struct plan_facts *f, const struct lr_plan *p,
                                   struct lr_error *err) {
    uint64_t kv, work;
    enum lr_status status = f->session(f->session_ctx, p->context, p->chunk, &kv, &work, err);
    return status == LR_OK ? lr_refuse_memory(err, "the session", p->least, p->budget, "a smaller -c")
                           : status;
}

/* What it is that needs the most. */
static void describe(const struct plan_facts *f, const struct lr_plan *p, char *out, size_t size) {
    static const char *const weights[] = {[LR_LOAD_MAP] = "mapped weights",
                                          [LR_LOAD_STREAM] = "a ring for streamed weights",
                                          [LR_LOAD_RESIDENT] = "copied weights"};
    if (p->least == f->opening + f->fixed)
        snprintf(out, size, "reading the tokenizer");
    else
        snprintf(out, size, "%s and a context of %u", weights[p->mode], p->context);
}

static enum lr_status refuse(const struct plan_facts *f, const struct lr_plan *p, const char *ways,
                             struct lr_error *err) {
    char what[80];
    switch (reason_of(f, p)) {
    case TENSOR_TOO_LARGE:
        return refuse_tensor(place_too_large(f), ways, err);
    case ARRAY_TOO_LARGE:
        return refuse_array(f, p, err);
    case ADDRESSES_SHORT:
        return lr_refuse_memory(err, "addresses", plan_addresses(f, p), f->address, "%s", ways);
    case LOCKS_SHORT:
        return lr_refuse_memory(err, "locked memory", place_resident_cost(f), f->lock, "%s", ways);
    default:
        describe(f, p, what, sizeof what);
        return lr_refuse_memory(err, what, p->least, p->budget, "%s", ways);
    }
}

void plan_advise(const struct plan_facts *f, struct lr_plan *p) {
    struct lr_error why;
    if (p->fits && p->streamed) advise_streamed(f, p);
    if (p->fits) return;
    if (reason_of(f, p) <= ARRAY_TOO_LARGE) { /* its name stands nowhere else in the plan */
        refuse(f, p, "", &why);
        add(p, "%s", why.message);
    }
    advise_refused(f, p);
}

enum lr_status plan_refuse(const struct plan_facts *f, const struct lr_plan *p, struct lr_error *err) {
    char ways[640] = "";
    struct lr_plan told = *p;
    size_t at = 0;
    told.n_advice = 0;
    advise_refused(f, &told);
    for (size_t i = 0; i < told.n_advice && at < sizeof ways; i++)
        at += (size_t)snprintf(ways + at, sizeof ways - at, "%s%s", i ? "; or " : "", told.advice[i]);
    return refuse(f, p, ways, err);
}
