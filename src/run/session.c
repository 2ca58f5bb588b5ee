#include "run/session.h"

#include "base/mem.h"
#include "run/loading.h"
#include "run/monitor.h"
#include "run/planning.h"
#include "run/remarks.h"
#include "sys/clock.h"

#include <math.h>
#include <string.h>

static float set_or(double value, double fallback) {
    return (float)(isnan(value) ? fallback : value);
}

float lr_sampling_temperature(const struct lr_engine *e) {
    double t = e->generation.temperature;
    return t > 0 ? (float)t : 0.8F;
}

struct lr_session_options lr_session_defaults(const struct lr_engine *e) {
    const struct generation_config *g = &e->generation;
    struct lr_sampling s = {
        .temperature = g->do_sample == 0 ? 0 : set_or(g->temperature, 0.8),
        .top_k = g->top_k < 0           ? 40
                 : g->top_k > INT32_MAX ? INT32_MAX
                                        : (int)g->top_k,
        .top_p = set_or(g->top_p, 0.95),
        .min_p = set_or(g->min_p, 0),
        .typical = set_or(g->typical_p, 1),
        .repeat_penalty = set_or(g->repetition_penalty, 1),
    };
    return (struct lr_session_options){.kv = e->options.precise ? LR_KV_F32 : LR_KV_F16, .sampling = s};
}

/* ---- the plan: the same code adds up and allocates --------------------------------------------------------------- */

static enum kv_type kv_type_of(const struct lr_session_options *o) {
    return o->kv == LR_KV_F32 ? KV_F32 : o->kv == LR_KV_Q8 ? KV_Q8 : KV_F16;
}

static enum lr_status allocate_kv(struct lr_session *s, const struct session_shape *shape, uint32_t context,
                                  struct lr_error *err) {
    LR_TRY(
        kv_pool_init(&s->arena, &shape->engine->spec, kv_type_of(&shape->options), context, &s->pool, err));
    return kv_sequence_init(&s->arena, &s->pool, &s->sequence, err);
}

static enum lr_status allocate_work(struct lr_session *s, const struct session_shape *shape, uint32_t context,
                                    uint32_t chunk, struct lr_error *err) {
    const struct lr_engine *e = shape->engine;
    void *p;
    LR_TRY(arena_alloc(&s->arena, (uint64_t)e->spec.vocab * sizeof(float), "logits", &p, err));
    s->logits = p;
    LR_TRY(sampler_allocate(&s->arena, e->spec.vocab, &s->sampler, err));
    if (chunk > context) chunk = context;
    LR_TRY(arena_alloc(&s->arena, (uint64_t)chunk * sizeof *s->sums, "sums of scores", &p, err));
    s->sums = p;
    return forward_work_init(&s->arena, &e->spec, chunk, context, threads_count(e->threads), &s->work, err);
}

#define WAYS_OUT "a smaller -c or --prefill-chunk"

enum lr_status session_measure(const void *shape, uint32_t context, uint32_t chunk, uint64_t *kv,
                               uint64_t *work, struct lr_error *err) {
    struct lr_session s = {0};
    *kv = *work = UINT64_MAX;
    arena_init_measuring(&s.arena);
    s.arena.ways_out = WAYS_OUT;
    LR_TRY(allocate_kv(&s, shape, context, err));
    *kv = s.arena.used;
    LR_TRY(allocate_work(&s, shape, context, chunk, err));
    *work = s.arena.used - *kv;
    return LR_OK;
}

uint64_t session_owned(const struct lr_session *s) {
    uint64_t kv, work;
    session_measure(&s->shape, s->filled, 1, &kv, &work, NULL);
    return s->bytes - s->kv + (kv < s->kv ? kv : s->kv);
}

uint64_t session_touched(const struct lr_session *s) {
    uint64_t kv, work;
    session_measure(&s->shape, s->reached, s->widest, &kv, &work, NULL);
    return s->reached ? kv + work : 0;
}

static enum lr_status measure_as(enum lr_kv type, const void *shape, uint32_t context, uint32_t chunk,
                                 uint64_t *kv, uint64_t *work, struct lr_error *err) {
    struct session_shape narrow = *(const struct session_shape *)shape;
    narrow.options.kv = type;
    return session_measure(&narrow, context, chunk, kv, work, err);
}
enum lr_status session_measure_f16(const void *shape, uint32_t context, uint32_t chunk, uint64_t *kv,
                                   uint64_t *work, struct lr_error *err) {
    return measure_as(LR_KV_F16, shape, context, chunk, kv, work, err);
}
enum lr_status session_measure_q8(const void *shape, uint32_t context, uint32_t chunk, uint64_t *kv,
                                  uint64_t *work, struct lr_error *err) {
    return measure_as(LR_KV_Q8, shape, context, chunk, kv, work, err);
}

/* ---- opening and closing ------------------------------------------------------------------------------------------ */

static enum lr_status check_options(const struct lr_engine *e, const struct lr_session_options *o,
                                    struct lr_error *err) {
    if (e->options.tokenizer_only)
        return lr_fail(err, LR_EUSAGE, "%s: opened for its tokenizer alone: no session can be made", e->path);
    if (o->context > e->spec.max_context)
        return lr_fail(err, LR_EUSAGE, "a context of %u positions is out of range: the model has %u",
                       o->context, e->spec.max_context);
    return LR_OK;
}

static enum lr_status allocate(struct lr_session *s, struct lr_error *err) {
    const struct lr_plan *plan = &s->engine->plan;
    const struct session_shape *shape = &s->shape;
    LR_TRY(arena_init(&s->arena, plan->kv + plan->work, planning_available, s->engine, err));
    s->arena.ways_out = WAYS_OUT ", or close other programs";
    LR_TRY(allocate_kv(s, shape, s->context, err));
    s->sequence.pool = &s->pool;
    LR_TRY(allocate_work(s, shape, s->context, plan->chunk, err));
    arena_seal(&s->arena);
    s->bytes = s->arena.used;
    s->kv = plan->kv;
    s->filled = SESSION_FILLED < s->context ? SESSION_FILLED : s->context;
    return LR_OK;
}

static void enlist(struct lr_session *s) {
    s->next = s->engine->sessions;
    s->engine->sessions = s;
}

/* False where it is not one of the engine's sessions. */
static bool strike_off(struct lr_session *s) {
    struct lr_session **at = &s->engine->sessions;
    while (*at && *at != s) at = &(*at)->next;
    if (!*at) return false;
    *at = s->next;
    s->engine->fewer_sessions = true;
    return true;
}

/* The engine's first session has the weights loaded; a further one has them moved out of its way. */
static enum lr_status have_weights(struct lr_engine *e, double since, struct lr_error *err) {
    if (e->loaded) return loading_follow(e, err);
    engine_lap(&e->times.plan_s, &since);
    LR_TRY(loading_run(e, err));
    engine_lap(&e->times.weights_s, &since);
    return LR_OK;
}

/* Decides, takes the session's memory, then has the weights loaded, or moved out of the way. Of a loaded
 * engine pins are given back first: the policy allows steps by what is free then. */
static enum lr_status open_planned(struct lr_session *s, const struct lr_session_options *o,
                                   struct lr_error *err) {
    struct lr_engine *e = s->engine;
    double since = clock_now();
    bool loaded = e->loaded;
    monitor_tell_change(e);
    uint64_t kept = e->plan.pinned;
    LR_TRY(planning_decide(e, &s->shape, err));
    s->context = e->plan.context;
    if (o->ids) LR_TRY(session_check(s, o->ids, o->n_ids, err));
    remarks_on_session(s, &s->shape.options, &e->plan);
    if (loaded && e->plan.mode == LR_LOAD_STREAM) LR_TRY(loading_make_way(e, err));
    LR_TRY(allocate(s, err));
    enlist(s);
    LR_TRY(have_weights(e, since, err));
    if (loaded) monitor_tell(e, LR_LOG_INFO, kept, "another session");
    s->loading = e->cold && e->plan.mode == LR_LOAD_MAP;
    return LR_OK;
}

/* A session that is refused leaves those that are open as they were planned. */
static enum lr_status open_beside(struct lr_session *s, const struct lr_session_options *o,
                                  struct lr_error *err) {
    struct lr_engine *e = s->engine;
    enum lr_load mode = e->store.mode, load = e->facts.load;
    enum lr_status status = open_planned(s, o, err);
    if (status == LR_OK) return LR_OK;
    strike_off(s);
    arena_destroy(&s->arena);
    if (!e->loaded || !e->sessions) return status;
    e->facts.load = mode;
    if (planning_again(e, NULL) == LR_OK) loading_follow(e, NULL);
    e->facts.load = load;
    return status;
}

enum lr_status lr_session_open(struct lr_engine *engine, const struct lr_session_options *options,
                               struct lr_session **out, struct lr_error *err) {
    *out = NULL;
    struct lr_session_options o = options ? *options : lr_session_defaults(engine);
    LR_TRY(check_options(engine, &o, err));
    struct lr_session *s = lr_calloc(1, sizeof *s);
    if (!s) return lr_fail_memory(err, "a session", sizeof *s);
    s->engine = engine;
    s->shape = (struct session_shape){engine, o};
    s->shape.options.sampling = (struct lr_sampling){0}; /* the caller's: the sampler has a copy */
    s->shape.options.ids = NULL;
    enum lr_status status = sampler_init(&o.sampling, engine->spec.vocab, &s->sampler, err);
    if (status == LR_OK) {
        store_begin(&engine->store, true); /* no pass while plans and weights are changed */
        status = open_beside(s, &o, err);
        store_end(&engine->store);
    }
    if (status != LR_OK) {
        lr_session_close(s);
        return status;
    }
    *out = s;
    return LR_OK;
}

void lr_session_close(struct lr_session *s) {
    if (!s) return;
    store_begin(&s->engine->store, true);
    strike_off(s);
    store_end(&s->engine->store);
    sampler_free(&s->sampler);
    arena_destroy(&s->arena);
    lr_free(s);
}

void lr_session_reset(struct lr_session *s) {
    kv_sequence_clear(&s->sequence);
    sampler_reset(&s->sampler);
    s->n_recent = 0;
    s->position = s->prompt_tokens = 0;
    s->has_logits = false;
    s->prefill_s = 0;
}

uint32_t lr_session_position(const struct lr_session *s) {
    return s->position;
}

uint32_t lr_session_context(const struct lr_session *s) {
    return s->context;
}

uint64_t lr_session_seed(const struct lr_session *s) {
    return s->sampler.seed;
}

const float *lr_session_logits(const struct lr_session *s) {
    return s->has_logits ? s->logits : NULL;
}

/* ---- reading ------------------------------------------------------------------------------------------------------ */

static enum lr_status refuse_id(const struct lr_engine *e, uint32_t id, struct lr_error *err) {
    struct lr_str piece = e->tokenizer ? lr_str_cut(tokenizer_piece(e->tokenizer, id), 60) : LR_STR("");
    return lr_fail(err, LR_EUSAGE, "token id %u%s%.*s%s is out of range: the embedding has %u rows", id,
                   piece.len ? " ('" : "", LR_STR_ARGS(piece), piece.len ? "' in the tokenizer)" : "",
                   e->spec.vocab);
}

enum lr_status session_check(const struct lr_session *s, const uint32_t *ids, size_t n,
                             struct lr_error *err) {
    uint32_t most = s->engine->spec.max_context;
    if (n > s->context - s->position)
        return lr_fail(
            err, LR_EUSAGE,
            n <= most - s->position
                ? "the prompt has %zu tokens%s, the context has room for %u (a larger one, where memory "
                  "allows: -c, up to %u)"
                : "the prompt has %zu tokens%s, the context has room for %u (the model has no more than "
                  "%u: shorten the prompt)",
            n, s->position ? " more" : "", s->context - s->position, most);
    for (size_t i = 0; i < n; i++)
        if (ids[i] >= s->engine->spec.vocab) return refuse_id(s->engine, ids[i], err);
    return LR_OK;
}

/* Where reading a prompt is: a long chunk, or weights that come from a disk, would be silent otherwise. */
struct reading {
    struct lr_session *session;
    uint64_t before, take, total; /* tokens */
};

/* After each layer: tells how far it is, and stops where that was asked for. */
static bool layer_done(void *ctx, uint32_t layer) {
    const struct reading *r = ctx;
    const struct lr_engine *e = r->session->engine;
    const struct lr_engine_options *o = &e->options;
    uint64_t layers = e->spec.layers;
    if (r->session->loading)
        loading_tell_layer(e, layer);
    else if (o->progress && r->total > 1)
        o->progress(o->progress_ctx, LR_PHASE_PREFILL, r->before * layers + r->take * (layer + 1),
                    r->total * layers);
    return !(o->interrupt && *o->interrupt);
}

enum lr_status session_read(struct lr_session *s, const uint32_t *ids, size_t n, uint64_t rope_length,
                            enum forward_logits want, forward_logits_fn *on_logits, void *ctx,
                            struct lr_error *err) {
    LR_TRY(session_check(s, ids, n, err));
    LR_TRY(monitor_before_pass(s, s->position + (uint32_t)n, err));
    LR_TRY(kv_sequence_reserve(&s->sequence, s->position + (uint32_t)n, err));
    for (size_t at = 0; at < n;) {
        size_t left = n - at, take = left < s->work.chunk ? left : s->work.chunk;
        struct reading reading = {s, at, take, n};
        struct forward_pass pass = {
            .ids = ids + at,
            .n = (uint32_t)take,
            .position = s->position,
            .rope_length = rope_length,
            .want = want == FORWARD_LAST && take < left ? FORWARD_NO_LOGITS : want,
            .on_logits = on_logits,
            .ctx = ctx,
            .on_layer = layer_done,
            .layer_ctx = &reading,
            .operations = s->operations,
        };
        enum lr_status status = forward_run(&s->engine->model, &s->work, &s->sequence, &pass, err);
        if (status == LR_EINTERRUPTED)
            lr_fail(err, status, "interrupted after reading %zu of %zu tokens", at, n);
        LR_TRY(status);
        if (s->loading) loading_tell_layer(s->engine, s->engine->spec.layers);
        s->loading = false;
        s->position += (uint32_t)take;
        at += take;
    }
    return LR_OK;
}

static void keep_logits(void *ctx, const struct logits_block *b) {
    struct lr_session *s = ctx;
    memcpy(s->logits + b->first_id, b->logits, b->n_ids * sizeof *b->logits);
}

/* A weight that is not a number spreads to every logit: said at once, not answered with nonsense. */
static enum lr_status check_logits(struct lr_session *s, struct lr_error *err) {
    for (uint32_t i = 0; i < s->engine->spec.vocab; i++)
        if (isnan(s->logits[i]))
            return lr_fail(
                err, LR_EMODEL,
                "%s: the logits after token %u are not numbers (damaged weights, or values beyond f32?)",
                s->engine->path, s->position);
    s->has_logits = true;
    return LR_OK;
}

static enum lr_status read_and_keep(struct lr_session *s, const uint32_t *ids, size_t n, uint64_t rope_length,
                                    struct lr_error *err) {
    LR_TRY(session_read(s, ids, n, rope_length, FORWARD_LAST, keep_logits, s, err));
    return check_logits(s, err);
}

/* Tells the sampler, and keeps the last ids that are text. */
static void note_id(struct lr_session *s, uint32_t id, bool drawn) {
    sampler_note(&s->sampler, id, drawn);
    if (!s->engine->tokenizer || tokenizer_is_special(s->engine->tokenizer, id)) return;
    if (s->n_recent == SESSION_RECENT) memmove(s->recent, s->recent + 1, --s->n_recent * sizeof *s->recent);
    s->recent[s->n_recent++] = id;
}

enum lr_status lr_session_feed_ids(struct lr_session *s, const uint32_t *ids, size_t n_ids,
                                   struct lr_error *err) {
    if (!n_ids) return LR_OK;
    double start = clock_now();
    LR_TRY(read_and_keep(s, ids, n_ids, (uint64_t)s->position + n_ids, err));
    for (size_t i = 0; i < n_ids; i++) note_id(s, ids[i], false);
    s->prompt_tokens += (uint32_t)n_ids;
    s->prefill_s += clock_now() - start;
    return LR_OK;
}

enum lr_status lr_session_feed_text(struct lr_session *s, const char *text, size_t len,
                                    struct lr_error *err) {
    uint32_t *ids;
    size_t n;
    LR_TRY(lr_tokenize(s->engine, text, len, s->position == 0, &ids, &n, err));
    enum lr_status status = lr_session_feed_ids(s, ids, n, err);
    lr_ids_free(ids);
    return status;
}

enum lr_status session_append(struct lr_session *s, uint32_t id, struct lr_error *err) {
    enum lr_status status = read_and_keep(s, &id, 1, (uint64_t)s->position + 1, err);
    if (status == LR_EINTERRUPTED)
        lr_fail(err, status, "interrupted after %u tokens", s->position - s->prompt_tokens);
    LR_TRY(status);
    note_id(s, id, true);
    return LR_OK;
}

enum lr_status lr_session_next(struct lr_session *s, uint32_t *id, bool *end, struct lr_error *err) {
    if (!s->has_logits) return lr_fail(err, LR_EUSAGE, "nothing was fed: there is nothing to continue");
    *id = sampler_draw(&s->sampler, s->logits);
    *end = engine_is_eos(s->engine, *id);
    return *end ? LR_OK : session_append(s, *id, err);
}
