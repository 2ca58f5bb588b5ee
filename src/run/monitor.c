#include "run/monitor.h"

#include "base/log.h"
#include "base/memory_policy.h"
#include "run/loading.h"
#include "run/planning.h"
#include "sys/clock.h"
#include "sys/watch.h"

#include <math.h>
#include <sys/resource.h>

#define LOOK_SECONDS 0.1
#define SOON_SECONDS 0.02  /* while others take memory */
#define ASK_SECONDS  0.025 /* the kernel for signs of strain, which is cheaper than a look */
#define ROOMY_LOOKS  3u
#define SETTLED      0.5 /* seconds without a step: then a change of the pins is over and told ... */
#define TOLD_LATEST  5.0 /* ... or so many after it began */
#define GROW_SHARE   32u /* pins are taken again when at least one part in this many of the weights can be */
/* Where somebody waits for memory for so much of about a second there is strain: some of what counts as free
 * is needed. (Measured: 0.5 to 25 % beside a program whose files do not stay in memory, nothing alone in a
 * full group.) Then one part in STRAIN_STEP of the pins is given back at a time, but half of what was used is
 * kept; after CALM_SECONDS without strain a part in RETURN_SHARE more may be used again. Where that is strain
 * again the next try comes after twice the time, up to CALM_MOST. */
#define STALL_SHARE    0.01
#define STRAIN_STEP    16u
#define STEP_SECONDS   0.3
#define RETURN_SHARE   16u
#define CALM_SECONDS   3.0
#define CALM_MOST      60.0
#define FAULT_BYTES    (UINT64_C(1) << 20) /* read for a major fault: measured 1.2 to 45 MB, by read-ahead */
#define EVICTIONS      2u
#define LOADING_PASSES 2u /* the first passes load what was not in the cache */
#define MB             1048576.0

enum lr_status monitor_open(struct lr_engine *e, struct lr_error *err) {
    return watch_open("", e->options.mem_limit, &e->monitor.watch, err);
}

/* Others seldom take at once what they want, and more is given back than they took in the end: all steps that
 * follow each other are one change, and one line. */
void monitor_tell_change(struct lr_engine *e) {
    struct monitor *m = &e->monitor;
    if (m->changing)
        monitor_tell(e, LR_LOG_WARN, m->kept,
                     e->plan.pinned < m->kept && m->why ? m->why : "memory is free again");
    m->changing = false;
    m->why = NULL;
}

void monitor_tell(const struct lr_engine *e, enum lr_log_level level, uint64_t before, const char *why) {
    if (e->plan.pinned != before)
        lr_log(level, "%s: %.0f MB of the weights are kept in memory instead of %.0f", why,
               (double)e->plan.pinned / MB, (double)before / MB);
}

void monitor_changed(struct lr_engine *e, uint64_t before, const char *why) {
    struct monitor *m = &e->monitor;
    if (e->plan.pinned == before) return;
    if (e->plan.pinned < before) m->why = why;
    m->last = clock_now();
    if (m->changing) return;
    m->changing = true;
    m->kept = before;
    m->began = m->last;
}

void monitor_close(struct lr_engine *e) {
    monitor_tell_change(e);
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
    return (w->ours - w->budget) / 2;
}

/* The plan without what it would pin in addition here and there: while that is read nobody looks at memory.
 */
static void only_give_back(struct lr_engine *e) {
    for (size_t i = 0; i < e->n_tensors; i++)
        if (e->target[i] > e->store.pinned[i]) e->target[i] = e->store.pinned[i];
    e->plan.need -= e->plan.pins;
    place_sum(&e->facts, e->target, &e->plan.pinned, &e->plan.pins, &e->plan.streamed);
    e->plan.need += e->plan.pins;
}

/* Plans with another budget and follows: fewer pins, or more. A plan that does not fit has none: it goes on
 * like that until there is room again. */
static enum lr_status follow(struct lr_engine *e, uint64_t budget, bool more, const char *why,
                             struct lr_error *err) {
    uint64_t before = e->plan.pinned;
    planning_with(e, budget);
    if (!more) only_give_back(e);
    LR_TRY(loading_follow(e, err));
    monitor_changed(e, before, why);
    return LR_OK;
}

/* What others will take in the next 0.2 s if they go on as in the `seconds` since the last look: by the time
 * that it is missed it is too late to give it back. What is owned or could be had does not change
 * with our own pins. */
static uint64_t taken_soon(struct monitor *m, const struct watch_look *w, double seconds) {
    if (seconds < SOON_SECONDS) return 0; /* too short to tell from how the kernel's counts lag */
    uint64_t fall = m->ours > w->ours ? m->ours - w->ours : 0;
    m->ours = w->ours;
    m->falling = (double)fall > (double)slack(w) * seconds / LOOK_SECONDS;
    return m->falling ? (uint64_t)((double)fall * 2 * LOOK_SECONDS / seconds) : 0;
}

bool monitor_sees_less(struct lr_engine *e) {
    struct monitor *m = &e->monitor;
    struct watch_look w;
    double now = clock_now(), seconds = now - m->looked;
    if (seconds < SOON_SECONDS) return m->less;
    m->looked = now;
    if (watch_look(m->watch, &w, NULL) != LR_OK) return m->less; /* the look after that will tell */
    bool before = m->falling;
    uint64_t soon = taken_soon(m, &w, seconds);
    if (!before) soon = 0; /* the kernel's counts lag behind what we take ourselves: once may be that alone */
    m->left = w.budget > soon ? w.budget - soon : 0;
    m->less |= e->plan.need > m->left + slack(&w);
    return m->less;
}

static void raise_ceiling(struct monitor *m, const struct watch_look *w) {
    struct ceiling *c = &m->ceiling;
    c->bytes += c->bytes / RETURN_SHARE;
    if (c->bytes >= w->budget) c->bytes = 0;
    c->raised = true;
    c->moved = m->looked;
}

/* Below what is used, but not below its floor. */
static void lower_ceiling(struct monitor *m, uint64_t need, uint64_t step) {
    struct ceiling *c = &m->ceiling;
    uint64_t used = c->bytes && c->bytes < need ? c->bytes : need;
    if (!c->bytes) c->floor = need / 2;
    if (m->looked - c->moved > CALM_MOST)
        c->wait = CALM_SECONDS;
    else
        c->wait = c->raised ? fmin(2 * c->wait, CALM_MOST) : c->bytes ? c->wait : CALM_SECONDS;
    c->bytes = used > step && used - step > c->floor ? used - step : c->floor;
    c->raised = false;
    c->moved = m->looked;
    m->stalled = 0;
}

/* The ceiling falls with strain, and by as much as of ours was swapped out (more of it than before: what
 * nobody needs stays there for good). The reason, where it falls. */
static const char *move_ceiling(struct lr_engine *e, const struct watch_look *w) {
    struct monitor *m = &e->monitor;
    double since = m->looked - m->ceiling.moved;
    uint64_t swapped = w->swap_used_by_us > m->swapped ? w->swap_used_by_us - m->swapped : 0;
    m->swapped = w->swap_used_by_us;
    if (m->ceiling.bytes && since >= m->ceiling.wait) raise_ceiling(m, w);
    if (!e->plan.pins) return NULL;
    if (swapped) {
        lower_ceiling(m, e->plan.need, swapped);
        return "memory is swapped out";
    }
    if (m->stalled <= STALL_SHARE || since < STEP_SECONDS) return NULL; /* what a step does is seen first */
    lower_ceiling(m, e->plan.need, e->plan.pins / STRAIN_STEP);
    return "memory is waited for";
}

/* Where nothing more could be kept (locks, addresses, the policy) the next try is one with `enough`. */
static enum lr_status take_more(struct lr_engine *e, uint64_t budget, uint64_t enough, struct lr_error *err) {
    uint64_t before = e->plan.pinned;
    e->monitor.roomy = 0;
    LR_TRY(follow(e, budget, true, "memory is free again", err));
    e->monitor.in_vain = e->plan.pinned > before ? 0 : enough;
    return LR_OK;
}

static enum lr_status follow_memory(struct lr_engine *e, const struct watch_look *w, double seconds,
                                    struct lr_error *err) {
    struct monitor *m = &e->monitor;
    planning_rest(e, w->own_anonymous + w->swap_used_by_us);
    const char *why = move_ceiling(e, w);
    uint64_t soon = taken_soon(m, w, seconds), budget = w->budget > soon ? w->budget - soon : 0;
    bool taken = e->plan.need > budget + slack(w);
    if (m->ceiling.bytes && m->ceiling.bytes < budget) budget = m->ceiling.bytes;
    if (taken || e->plan.need > budget + (why || m->limit_met ? 0 : slack(w))) {
        m->roomy = 0;
        m->in_vain = 0;
        return follow(e, budget, false, why && !taken ? why : "memory is taken by other programs", err);
    }
    uint64_t spare = budget > e->plan.need ? budget - e->plan.need : 0;
    uint64_t step = e->plan.weights / GROW_SHARE;
    bool more = e->plan.streamed && spare > step && budget >= m->in_vain;
    m->roomy = more ? m->roomy + 1 : 0;
    return m->roomy < ROOMY_LOOKS ? LR_OK : take_more(e, budget, budget + step, err);
}

/* Asks the kernel; `*now`: what it says is a reason to look at once. A group that is full of page cache meets
 * its limit all the time: that it begins to is the reason. */
static enum lr_status ask_for_strain(struct monitor *m, double seconds, bool *now, struct lr_error *err) {
    struct watch_strain s;
    LR_TRY(watch_strain(m->watch, &s, err));
    double share = s.stalled / seconds;
    m->stalled += (share - m->stalled) * (seconds < 1 ? seconds : 1);
    *now = share > STALL_SHARE || (s.limit_met && !m->limit_met);
    m->limit_met = s.limit_met;
    return LR_OK;
}

/* Whether it is time to look at memory. */
static enum lr_status is_due(struct lr_engine *e, double now, bool *due, struct lr_error *err) {
    struct monitor *m = &e->monitor;
    double asked = now - m->asked;
    *due = now - m->looked >= (m->falling ? SOON_SECONDS : LOOK_SECONDS);
    if (e->store.mode != LR_LOAD_STREAM || asked < ASK_SECONDS) return LR_OK;
    bool at_once;
    m->asked = now;
    LR_TRY(ask_for_strain(m, asked, &at_once, err));
    *due |= at_once;
    return LR_OK;
}

enum lr_status monitor_boundary(void *ctx, struct lr_error *err) {
    struct lr_engine *e = ctx;
    if (e->options.interrupt && *e->options.interrupt)
        return lr_fail(err, LR_EINTERRUPTED, "interrupted between two pieces of a matrix");
    double now = clock_now(), seconds = now - e->monitor.looked;
    bool due;
    if (!e->loaded) return LR_OK;
    LR_TRY(is_due(e, now, &due, err));
    if (!due) return LR_OK;
    e->monitor.looked = now;
    if (e->store.mode != LR_LOAD_RESIDENT) LR_TRY(store_check(&e->store, true, err)); /* else all is copied */
    struct watch_look look;
    if (watch_look(e->monitor.watch, &look, NULL) != LR_OK) return LR_OK; /* the next one may succeed */
    monitor_usage(e, look.budget > look.own_anonymous ? look.budget - look.own_anonymous : 0, look.total);
    if (e->store.mode != LR_LOAD_STREAM) return LR_OK;
    LR_TRY(follow_memory(e, &look, seconds, err));
    if (now - e->monitor.last > SETTLED || now - e->monitor.began > TOLD_LATEST) monitor_tell_change(e);
    return LR_OK;
}

/* ---- between passes */

static uint64_t major_faults(void) {
    struct rusage u;
    return getrusage(RUSAGE_SELF, &u) ? 0 : (uint64_t)u.ru_majflt;
}

/* Whether more than 1 % of the mapped weights, which were read, is to be read from the disk again. That pages
 * were waited for tells that something is missing, but not how much: the kernel reads ahead of a fault. How
 * much is counted in what stays away; where the kernel does not tell that, the faults have to do. Short
 * passes are asked about together, once a look: what is evicted is waited for in any of them. */
static bool is_evicted(struct lr_engine *e) {
    struct monitor *m = &e->monitor;
    bool loading = m->passes < LOADING_PASSES;
    m->passes += loading;
    if (!loading && m->asked_faults == m->looked) return false;
    m->asked_faults = m->looked;
    uint64_t now = major_faults(), faults = now - m->faults;
    double missing;
    m->faults = now;
    bool evicted = !loading && faults;
    if (evicted && store_missing(&e->store, &missing))
        evicted = missing > 0.01;
    else if (evicted)
        evicted = faults * FAULT_BYTES > e->plan.weights / 100;
    m->evictions = evicted ? m->evictions + 1 : 0;
    return evicted;
}

static enum lr_status leave_map(struct lr_engine *e, struct lr_error *err) {
    LR_TRY(loading_leave_map(e, e->monitor.evictions >= EVICTIONS,
                             "the system drops mapped weights that are needed again", err));
    return e->plan.mode == LR_LOAD_MAP ? LR_OK : loading_follow(e, err);
}

/* The KV cache takes its memory as it grows, from the pins where there is nothing else; that of a session
 * that was closed is theirs. */
static enum lr_status make_room(struct lr_session *s, uint32_t positions, struct lr_error *err) {
    struct lr_engine *e = s->engine;
    bool grows = positions > s->filled;
    uint32_t tokens = positions - s->position < s->work.chunk ? positions - s->position : s->work.chunk;
    if (positions > s->reached) s->reached = positions;
    if (tokens > s->widest) s->widest = tokens;
    if (grows) s->filled = positions + positions / 4 < s->context ? positions + positions / 4 : s->context;
    if (e->store.mode != LR_LOAD_STREAM || (!grows && !e->fewer_sessions)) return LR_OK;
    uint64_t before = e->plan.pinned;
    monitor_tell_change(e);
    LR_TRY(planning_again(e, err));
    LR_TRY(loading_follow(e, err));
    monitor_tell(e, LR_LOG_INFO, before, grows ? "the KV cache grows" : "a session was closed");
    return LR_OK;
}

enum lr_status monitor_before_pass(struct lr_session *s, uint32_t positions, struct lr_error *err) {
    struct lr_engine *e = s->engine;
    store_begin(&e->store, true);
    enum lr_status status = make_room(s, positions, err);
    bool may_leave = e->options.load == LR_LOAD_AUTO && e->store.mode == LR_LOAD_MAP;
    if (status == LR_OK && may_leave && is_evicted(e)) status = leave_map(e, err);
    store_end(&e->store);
    return status;
}
