#include "run/monitor.h"

#include "base/log.h"
#include "base/memory_policy.h"
#include "run/loading.h"
#include "run/planning.h"
#include "run/rates.h"
#include "sys/clock.h"
#include "sys/watch.h"

#include <sys/resource.h>

#define LOOK_SECONDS 0.1
#define SOON_SECONDS 0.02 /* while others take memory */
#define ROOMY_LOOKS  3u
#define SETTLED      0.5 /* seconds without a step: then a change of the pins is over and told ... */
#define TOLD_LATEST  5.0 /* ... or so many after it began */
#define GROW_SHARE   32u /* pins are taken again when at least one part in this many of the weights can be */
#define BLOCK_BYTES  512u
#define EVICTIONS    3u
#define MB           1048576.0

enum lr_status monitor_open(struct lr_engine *e, struct lr_error *err) {
    return watch_open("", e->options.mem_limit, &e->monitor.watch, err);
}

/* Others seldom take at once what they want, and more is given back than they took in the end: all steps that
 * follow each other are one change, and one line. */
static void tell_change(struct lr_engine *e) {
    struct monitor *m = &e->monitor;
    if (m->changing)
        monitor_tell(e, LR_LOG_WARN, m->kept,
                     e->plan.pinned > m->kept ? "memory is free again" : "memory is taken by other programs");
    m->changing = false;
}

void monitor_tell(const struct lr_engine *e, enum lr_log_level level, uint64_t before, const char *why) {
    if (e->plan.pinned != before)
        lr_log(level, "%s: %.0f MiB of the weights are kept in memory instead of %.0f", why,
               (double)e->plan.pinned / MB, (double)before / MB);
}

void monitor_changed(struct lr_engine *e, uint64_t before) {
    struct monitor *m = &e->monitor;
    if (e->plan.pinned == before) return;
    m->last = clock_now();
    if (m->changing) return;
    m->changing = true;
    m->kept = before;
    m->began = m->last;
}

void monitor_close(struct lr_engine *e) {
    tell_change(e);
    if (e->monitor.watch) watch_close(e->monitor.watch);
    e->monitor.watch = NULL;
}

void monitor_usage(struct lr_engine *e, uint64_t available, uint64_t total) {
    bool high = policy_high_usage(available, total);
    if (high && !e->monitor.high)
        lr_log(LR_LOG_WARN, "High memory usage detected: %s of %s are in use",
               lr_gb(total - available, 2).text, lr_gb(total, 2).text);
    e->monitor.high = high;
}

/* Half the reserve may be used up by others before pins are given back: it is there for what comes and goes.
 */
static uint64_t slack(const struct watch_look *w) {
    uint64_t ours = w->own_anonymous + w->room;
    return ours > w->budget ? (ours - w->budget) / 2 : 0;
}

/* Plans with another budget and follows: fewer or more pins. */
static enum lr_status follow(struct lr_engine *e, uint64_t budget, struct lr_error *err) {
    uint64_t before = e->plan.pinned;
    e->facts.budget = budget;
    plan_make(&e->facts, e->target, &e->plan);
    LR_TRY(loading_follow(e, err));
    monitor_changed(e, before);
    return LR_OK;
}

/* What others will take in the next 0.2 s if they go on as in the `seconds` since the last look: by the time
 * that it is missed it is too late to give it back. What is owned or could be had does not change
 * with our own pins. */
static uint64_t taken_soon(struct monitor *m, const struct watch_look *w, double seconds) {
    uint64_t ours = w->own_anonymous + w->room, fall = m->ours > ours ? m->ours - ours : 0;
    m->ours = ours;
    m->falling = (double)fall > (double)slack(w) * seconds / LOOK_SECONDS;
    return m->falling ? (uint64_t)((double)fall * 2 * LOOK_SECONDS / seconds) : 0;
}

static enum lr_status follow_memory(struct lr_engine *e, const struct watch_look *w, double seconds,
                                    struct lr_error *err) {
    struct monitor *m = &e->monitor;
    uint64_t soon = taken_soon(m, w, seconds), budget = w->budget > soon ? w->budget - soon : 0;
    bool swapped = w->swap_used_by_us > m->swapped; /* more of it: what nobody needs stays there for good */
    m->swapped = w->swap_used_by_us;
    if (e->plan.need > budget + slack(w) || swapped) {
        m->roomy = 0;
        return follow(e, budget, err);
    }
    uint64_t spare = budget > e->plan.need ? budget - e->plan.need : 0;
    m->roomy = e->plan.streamed && spare > e->plan.weights / GROW_SHARE ? m->roomy + 1 : 0;
    if (m->roomy < ROOMY_LOOKS) return LR_OK;
    m->roomy = 0;
    return follow(e, budget, err);
}

enum lr_status monitor_boundary(void *ctx, struct lr_error *err) {
    struct lr_engine *e = ctx;
    if (e->options.interrupt && *e->options.interrupt)
        return lr_fail(err, LR_EINTERRUPTED, "interrupted between two pieces of a matrix");
    double now = clock_now(), seconds = now - e->monitor.looked;
    if (seconds < (e->monitor.falling ? SOON_SECONDS : LOOK_SECONDS) || !e->loaded) return LR_OK;
    e->monitor.looked = now;
    if (e->store.mode != LR_LOAD_RESIDENT) LR_TRY(store_check(&e->store, true, err)); /* else all is copied */
    struct watch_look look;
    LR_TRY(watch_look(e->monitor.watch, &look, err));
    monitor_usage(e, look.budget > look.own_anonymous ? look.budget - look.own_anonymous : 0, look.total);
    if (e->store.mode != LR_LOAD_STREAM) return LR_OK;
    LR_TRY(follow_memory(e, &look, seconds, err));
    if (now - e->monitor.last > SETTLED || now - e->monitor.began > TOLD_LATEST) tell_change(e);
    return LR_OK;
}

/* ---- between passes */

static uint64_t blocks_read(void) {
    struct rusage u;
    return getrusage(RUSAGE_SELF, &u) ? 0 : (uint64_t)u.ru_inblock;
}

/* Whether passes read more than 1 % of the weights from the disk again, though they are mapped and were read.
 */
static bool is_evicted(struct lr_engine *e) {
    struct monitor *m = &e->monitor;
    uint64_t now = blocks_read(), bytes = (now - m->blocks) * BLOCK_BYTES;
    bool counted = m->passes++ >= 2; /* the first passes load what was not in the cache */
    m->blocks = now;
    if (!counted || bytes < e->plan.weights / 100) {
        m->evictions = 0;
        return false;
    }
    m->evictions++;
    return true;
}

static enum lr_status leave_map(struct lr_engine *e, struct lr_error *err) {
    struct lr_plan mapped = e->plan;
    LR_TRY(planning_again(e, err));
    if (e->plan.mode == LR_LOAD_MAP && e->monitor.evictions < EVICTIONS) return LR_OK;
    e->facts.load = LR_LOAD_STREAM;
    LR_TRY(rates_measure_disk(e, err));
    e->facts.rates = e->rates;
    LR_TRY(planning_again(e, err));
    if (!e->plan.fits) { /* not even that: mapped it goes on, however slowly */
        e->facts.load = e->options.load;
        e->plan = mapped;
        return LR_OK;
    }
    lr_log(LR_LOG_WARN,
           "the system drops mapped weights that are needed again: from now on %.0f MiB are kept in memory "
           "and %.0f "
           "MiB are read in each pass",
           (double)e->plan.pinned / MB, (double)e->plan.streamed / MB);
    return loading_follow(e, err);
}

/* The KV cache takes its memory as it grows, from the pins where there is nothing else. */
static enum lr_status make_room(struct lr_engine *e, uint32_t positions, struct lr_error *err) {
    if (e->store.mode != LR_LOAD_STREAM || positions <= e->facts.filled) return LR_OK;
    uint64_t before = e->plan.pinned;
    tell_change(e);
    e->facts.filled = positions + positions / 4;
    LR_TRY(planning_again(e, err));
    LR_TRY(loading_follow(e, err));
    monitor_tell(e, LR_LOG_INFO, before, "the KV cache grows");
    return LR_OK;
}

enum lr_status monitor_before_pass(struct lr_engine *e, uint32_t positions, struct lr_error *err) {
    store_begin(&e->store, true);
    enum lr_status status = make_room(e, positions, err);
    bool may_leave = e->options.load == LR_LOAD_AUTO && e->store.mode == LR_LOAD_MAP;
    if (status == LR_OK && may_leave && is_evicted(e)) status = leave_map(e, err);
    store_end(&e->store);
    return status;
}
