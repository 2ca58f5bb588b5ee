#include "run/loading.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/memory_policy.h"
#include "base/pages.h"
#include "run/monitor.h"
#include "run/planning.h"
#include "run/rates.h"
#include "weights/place.h"
#include "weights/units.h"

#define MIB        1048576.0
#define TOLD_SHARE 32u /* a change of what is kept below one part in this many of the weights is none */

struct loading {
    struct lr_engine *engine;
    struct memory_facts *facts; /* kept open: read before each batch */
    uint64_t available;
};

static enum lr_status look(struct loading *l, struct memory_info *m, struct lr_error *err) {
    LR_TRY(memory_facts_read(l->facts, l->engine->options.mem_limit, m, err));
    l->available = m->budget > m->own_anonymous ? m->budget - m->own_anonymous : 0;
    monitor_usage(l->engine, l->available, m->total);
    return LR_OK;
}

static enum lr_status tell_initial(struct loading *l, struct lr_error *err) {
    struct memory_info m;
    LR_TRY(look(l, &m, err));
    lr_log(LR_LOG_NOTE, "[Memory] Initial: Total: %s, Used: %s, Available: %s", lr_gb(m.total, 1).text,
           lr_gb(m.total - l->available, 1).text, lr_gb(l->available, 1).text);
    struct memory_mode mode = policy_mode(l->available);
    lr_log(LR_LOG_INFO, "[Memory] %s mode: an arena begins with %s", mode.name,
           lr_gb(mode.first_size, 1).text);
    return LR_OK;
}

static enum lr_status tell_available(struct loading *l, const char *when, struct lr_error *err) {
    struct memory_info m;
    LR_TRY(look(l, &m, err));
    lr_log(LR_LOG_NOTE, "[Memory] %s: Available: %s", when, lr_gb(l->available, 1).text);
    return LR_OK;
}

/* ---- setting the store up */

/* As much as might ever be pinned: with memory to spare also what is streamed now. */
static void fill_most(const struct lr_engine *e, bool all, uint64_t *most) {
    for (size_t i = 0; i < e->n_tensors; i++) {
        bool whole = weight_read_whole(&e->tensors[i]);
        most[i] = all && whole ? units_count(e->tensors[i].record) : e->target[i];
    }
}

/* The ring that the plan is for; none where nothing is streamed, the least where nothing fits. */
static struct ring_size planned_ring(const struct lr_engine *e) {
    if (!e->plan.streamed) return (struct ring_size){0};
    if (e->store.stream.slots && e->plan.ring == e->store.ring.growth.taken) return e->store.setup.ring;
    return plan_ring(&e->facts, e->plan.ring);
}

static uint64_t ring_bytes(struct ring_size r) {
    return r.slot * r.slots;
}

/* The largest ring that any memory would have. */
static uint64_t largest_ring(const struct lr_engine *e) {
    struct plan_facts f = e->facts;
    f.budget = UINT64_MAX;
    return ring_bytes(plan_ring(&f, UINT64_MAX));
}

static struct store_setup setup_of(struct lr_engine *e, bool all, const uint64_t *most) {
    struct store_setup s = {
        .mode = e->plan.mode,
        .most = most,
        .rates = e->rates,
        .lock = e->options.mlock,
        .guard = e->options.guard,
        .interrupt = e->options.interrupt,
        .available = planning_available,
        .available_ctx = e,
    };
    if (s.mode != LR_LOAD_STREAM) return s;
    s.ring = planned_ring(e);
    s.least = plan_ring(&e->facts, 0); /* pins may be refused */
    s.ring_most = ring_bytes(s.ring) > ring_bytes(s.least) ? ring_bytes(s.ring) : ring_bytes(s.least);
    if (all) s.ring_most = largest_ring(e);
    return s;
}

/* With addresses for all that might ever be pinned, or for what the plan pins. */
static enum lr_status try_set_up(struct lr_engine *e, bool all, uint64_t *most, struct lr_error *err) {
    fill_most(e, all, most);
    struct store_setup setup = setup_of(e, all, most);
    enum lr_status status = store_set_up(&e->store, &setup, err);
    e->store.setup.most = NULL;
    return status;
}

/* Where addresses are limited the half of them is left to sessions that may follow. */
static enum lr_status set_up(struct lr_engine *e, struct lr_error *err) {
    bool all = e->plan.mode == LR_LOAD_STREAM &&
               e->facts.address / 2 >= store_file_bytes(&e->store) + largest_ring(e);
    uint64_t *most = lr_calloc(e->n_tensors, sizeof *most);
    if (!most) return lr_fail_memory(err, "the table of pins", e->n_tensors * sizeof *most);
    e->monitor.passes = e->monitor.evictions = 0;
    enum lr_status status = try_set_up(e, all, most, err);
    if (status == LR_EMEMORY && all) status = try_set_up(e, false, most, err);
    lr_free(most);
    return status;
}

/* Plans that follow are made for the mode that the weights are in: one that is free to choose would leave
 * streaming for the map in the middle of a pass, and keep nothing. A new session may choose again. */
static void keep_streaming(struct lr_engine *e) {
    if (e->store.mode == LR_LOAD_STREAM) e->facts.load = LR_LOAD_STREAM;
}

/* ---- how far it is */

bool loading_count(void *engine, uint64_t bytes) {
    struct lr_engine *e = engine;
    if (!e->loaded) {
        e->loaded_bytes += bytes;
        engine_tell_loading(e, e->loaded_bytes < e->plan.pinned ? e->loaded_bytes : e->plan.pinned,
                            e->plan.pinned);
    }
    return e->store.mode != LR_LOAD_STREAM || !monitor_sees_less(e);
}

void loading_tell_layer(const struct lr_engine *e, uint32_t layer) {
    uint64_t done = 0, all = 0;
    for (size_t i = 0; i < e->n_tensors; i++) {
        if (!weight_read_whole(&e->tensors[i])) continue;
        all += e->tensors[i].record->bytes;
        if (e->tensors[i].layer <= layer) done += e->tensors[i].record->bytes;
    }
    engine_tell_loading(e, done, all);
}

/* ---- essential weights, then layers */

/* Makes pins and ring no larger than the plan has them. */
static enum lr_status give_back(struct lr_engine *e, struct lr_error *err) {
    store_unpin(&e->store, e->target);
    return store_ring(&e->store, planned_ring(e), err);
}

/* Where others take memory meanwhile, pins are given back, and the rest is read as it is planned then. */
static enum lr_status pin_range(struct lr_engine *e, size_t begin, size_t end, struct lr_error *err) {
    LR_TRY(store_pin(&e->store, begin, end, e->target, err));
    while (e->monitor.less) {
        e->monitor.less = false;
        planning_with(e, e->monitor.left);
        LR_TRY(give_back(e, err));
        LR_TRY(store_pin(&e->store, begin, end, e->target, err));
    }
    return LR_OK;
}

static enum lr_status load_range(struct lr_engine *e, size_t begin, size_t end, struct lr_error *err) {
    if (e->options.interrupt && *e->options.interrupt)
        return lr_fail(err, LR_EINTERRUPTED, "interrupted while loading");
    if (e->plan.mode != LR_LOAD_MAP) return pin_range(e, begin, end, err);
    if (e->cold) store_want(&e->store, begin, end);
    return LR_OK;
}

static size_t count_essential(const struct lr_engine *e) {
    size_t n = 0;
    for (size_t i = 0; i < e->n_tensors; i++) n += e->tensors[i].essential;
    return n;
}

/* They stand at both ends of the order of use. In map mode nothing is copied, and what is asked for ahead
 * comes in the order of use: the head is wanted last. */
static enum lr_status load_essential(struct loading *l, struct lr_error *err) {
    struct lr_engine *e = l->engine;
    lr_log(LR_LOG_NOTE, "[MemOpt] Loading %zu essential weights...", count_essential(e));
    for (size_t i = 0; i < e->n_tensors && e->plan.mode != LR_LOAD_MAP; i++)
        if (e->tensors[i].essential) LR_TRY(load_range(e, i, i + 1, err));
    return tell_available(l, "After essential weights", err);
}

/* The end of a batch of at most `layers` layers that begins with tensor `begin`. */
static size_t batch_end(const struct lr_engine *e, size_t begin, uint32_t layers) {
    size_t end = begin;
    while (end < e->n_tensors && !e->tensors[end].essential &&
           e->tensors[end].layer < e->tensors[begin].layer + layers)
        end++;
    return end;
}

/* The rest is planned with the memory there is now. */
static enum lr_status plan_rest(struct lr_engine *e, const struct memory_info *m, struct lr_error *err) {
    if (e->plan.mode == LR_LOAD_MAP && e->options.load == LR_LOAD_AUTO)
        return loading_leave_map(e, false, "memory is taken by other programs", err);
    if (e->plan.mode != LR_LOAD_STREAM) return LR_OK;
    planning_from(e, m);
    return give_back(e, err);
}

static enum lr_status load_batch(struct loading *l, size_t begin, size_t *end, struct lr_error *err) {
    struct lr_engine *e = l->engine;
    struct memory_info m;
    LR_TRY(look(l, &m, err));
    LR_TRY(plan_rest(e, &m, err));
    if (e->plan.mode != e->store.mode) return LR_OK;
    *end = batch_end(e, begin, e->monitor.high ? 1 : POLICY_LAYERS_PER_BATCH);
    lr_log(LR_LOG_INFO, "[MemOpt] Layers %u to %u: Available: %s", e->tensors[begin].layer,
           e->tensors[*end - 1].layer, lr_gb(l->available, 1).text);
    return load_range(e, begin, *end, err);
}

static enum lr_status load_layers(struct loading *l, struct lr_error *err) {
    struct lr_engine *e = l->engine;
    lr_log(LR_LOG_NOTE, "[MemOpt] Loading %zu layer weights in batches...",
           e->n_tensors - count_essential(e));
    for (size_t i = 0, end; i < e->n_tensors && e->plan.mode == e->store.mode; i = end) {
        end = i + 1;
        if (!e->tensors[i].essential)
            LR_TRY(load_batch(l, i, &end, err));
        else if (e->plan.mode == LR_LOAD_MAP)
            LR_TRY(load_range(e, i, end, err));
    }
    return LR_OK;
}

/* All that the plan keeps in memory; again where the plan leaves the map meanwhile. */
static enum lr_status load_all(struct loading *l, struct lr_error *err) {
    struct lr_engine *e = l->engine;
    do {
        if (e->store.mode != e->plan.mode) LR_TRY(set_up(e, err));
        keep_streaming(e);
        if (!e->cold) e->cold = store_cold_bytes(&e->store) > store_file_bytes(&e->store) / 20;
        if (e->plan.mode == LR_LOAD_MAP && e->cold) engine_tell_loading(e, 0, place_pass_bytes(&e->facts));
        LR_TRY(load_essential(l, err));
        LR_TRY(load_layers(l, err));
    } while (e->plan.mode != e->store.mode);
    /* what came to be planned of the first batches while the last ones were read */
    if (e->plan.mode == LR_LOAD_STREAM) LR_TRY(pin_range(e, 0, e->n_tensors, err));
    return tell_available(l, "Final", err);
}

/* Less, or more, than was planned because memory has changed while loading. */
static void tell_pins(struct lr_engine *e, uint64_t planned) {
    uint64_t now = e->plan.pinned, apart = now > planned ? now - planned : planned - now;
    if (apart > e->plan.weights / TOLD_SHARE)
        monitor_changed(e, planned, "memory is taken by other programs");
}

/* The plan says what came true: memory for pins may have been refused, and then they are streamed. Told once,
 * however often they are refused again. */
static void count_pins(struct lr_engine *e) {
    uint64_t wanted = e->plan.pinned, rest = e->plan.need - e->plan.pins;
    if (e->store.mode != LR_LOAD_STREAM) return;
    place_sum(&e->facts, e->store.pinned, &e->plan.pinned, &e->plan.pins, &e->plan.streamed);
    e->plan.need = rest + e->plan.pins;
    if (e->monitor.less || e->monitor.refused || e->plan.pinned + UNIT_BYTES * e->n_tensors >= wanted) return;
    e->monitor.refused = true;
    lr_log(LR_LOG_WARN,
           "%.0f of %.0f MB were refused that were to be kept in memory (%s): they are read again in "
           "each pass",
           (double)(wanted - e->plan.pinned) / MIB, (double)wanted / MIB,
           e->options.mlock ? "by the memory policy, the system or ulimit -l"
                            : "by the memory policy or the system");
}

enum lr_status loading_begin(struct lr_engine *e, struct lr_error *err) {
    if (!e->plan.fits || e->plan.mode != LR_LOAD_MAP) return LR_OK;
    LR_TRY(set_up(e, err));
    e->cold = store_cold_bytes(&e->store) > store_file_bytes(&e->store) / 20;
    size_t first = 0;
    while (first < e->n_tensors && e->tensors[first].essential) first++;
    if (e->cold) store_want(&e->store, first, batch_end(e, first, POLICY_LAYERS_PER_BATCH));
    return LR_OK;
}

static enum lr_status load_telling(struct lr_engine *e, struct lr_error *err) {
    struct loading l = {.engine = e};
    LR_TRY(memory_facts_open("", &l.facts, err));
    enum lr_status status = tell_initial(&l, err);
    if (status == LR_OK) status = load_all(&l, err);
    memory_facts_close(l.facts);
    return status;
}

enum lr_status loading_run(struct lr_engine *e, struct lr_error *err) {
    enum lr_load mode = e->plan.mode;
    uint64_t planned = e->plan.pinned;
    LR_TRY(load_telling(e, err));
    /* copies that are part old, part new would not be seen later */
    LR_TRY(store_check(&e->store, true, err));
    if (e->plan.mode == mode) tell_pins(e, planned); /* else it was told */
    count_pins(e);
    if (e->plan.mode != LR_LOAD_MAP) engine_tell_loading(e, e->plan.pinned, e->plan.pinned);
    e->loaded = true;
    planning_show(e);
    return LR_OK;
}

/* Where addresses are so short that the session's would not be there beside those of the pins, all are given
 * back, and the weights are loaded again. */
enum lr_status loading_make_way(struct lr_engine *e, struct lr_error *err) {
    struct memory_info m;
    uint64_t least = e->plan.kv + e->plan.work + pages_size();
    LR_TRY(memory_read("", e->options.mem_limit, &m, err));
    if (m.address_limit != MEMORY_UNLIMITED && m.own_address + least > m.address_limit)
        store_clear(&e->store);
    else if (e->store.mode == LR_LOAD_STREAM)
        store_unpin(&e->store, e->target);
    return LR_OK;
}

/* For streaming the disk's rate is known first. Where that does not fit either, the map is kept, however
 * slow. */
enum lr_status loading_leave_map(struct lr_engine *e, bool anyway, const char *why, struct lr_error *err) {
    struct lr_plan mapped = e->plan;
    LR_TRY(planning_again(e, err));
    if (e->plan.mode == LR_LOAD_MAP && !anyway) return LR_OK;
    e->facts.load = LR_LOAD_STREAM;
    LR_TRY(rates_measure_disk(e, err));
    e->facts.rates = e->rates;
    LR_TRY(planning_again(e, err));
    if (!e->plan.fits) {
        e->facts.load = e->options.load;
        e->plan = mapped;
        return LR_OK;
    }
    lr_log(LR_LOG_WARN, "%s: from now on %.0f MB are kept in memory and %.0f MB are read in each pass", why,
           (double)e->plan.pinned / MIB, (double)e->plan.streamed / MIB);
    return LR_OK;
}

enum lr_status loading_follow(struct lr_engine *e, struct lr_error *err) {
    e->fewer_sessions = false;
    if (e->plan.mode != e->store.mode) LR_TRY(set_up(e, err));
    keep_streaming(e);
    if (e->store.mode != LR_LOAD_STREAM) {
        planning_show(e);
        return LR_OK;
    }
    LR_TRY(give_back(e, err));
    e->monitor.less = false;
    enum lr_status status = store_pin(&e->store, 0, e->n_tensors, e->target, err);
    count_pins(e); /* cut short, or failed: the next look takes up */
    planning_show(e);
    return status;
}
