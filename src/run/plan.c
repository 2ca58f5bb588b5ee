/* Plans for those who ask: --plan, and the memory part of an answer. */
#include "base/mem.h"
#include "run/planning.h"
#include "run/session.h"
#include "weights/units.h"

static enum lr_where where(const struct plan_tensor *t, enum lr_load mode, uint64_t pinned) {
    if (t->kind == WEIGHT_VECTOR) return LR_WIDENED;
    if (mode == LR_LOAD_MAP) return LR_MAPPED;
    if (pinned >= units_count(t->record)) return LR_PINNED;
    if (t->kind == WEIGHT_ROWS) return LR_SINGLE_ROWS;
    return pinned ? LR_PARTLY : LR_STREAMED;
}

static enum lr_status list_tensors(const struct lr_engine *e, const uint64_t *target, struct lr_plan *p,
                                   struct lr_error *err) {
    p->tensors = lr_calloc(e->n_tensors, sizeof *p->tensors);
    if (!p->tensors) return lr_fail_memory(err, "the list of tensors", e->n_tensors * sizeof *p->tensors);
    p->n_tensors = e->n_tensors;
    for (size_t i = 0; i < e->n_tensors; i++) {
        const struct tensor_record *t = e->tensors[i].record;
        p->tensors[i] = (struct lr_plan_tensor){
            .name = t->name.data,
            .name_len = t->name.len,
            .dtype = lr_dtype_name(t->dtype),
            .shape = t->shape,
            .rank = t->rank,
            .bytes = t->bytes,
            .pinned = units_bytes(t, target[i]),
            .where = where(&e->tensors[i], p->mode, target[i]),
        };
    }
    return LR_OK;
}

static enum lr_status plan_into(struct lr_engine *e, const struct lr_session_options *options, bool tensors,
                                uint64_t *target, struct lr_plan *out, struct lr_error *err) {
    struct session_shape shape = {e, *options};
    struct plan_facts facts;
    struct memory_info memory;
    LR_TRY(planning_facts(e, &shape, true, &facts, err));
    LR_TRY(memory_read("", e->options.mem_limit, &memory, err));
    facts.cold = store_cold_bytes(&e->store);
    struct lr_plan full;
    plan_make(&facts, target, &full);
    facts.filled = SESSION_FILLED;
    plan_make(&facts, target, out);
    out->streamed_full = full.streamed;
    out->ring_full = full.ring;
    out->pins_full = full.pins;
    out->opening_full = full.opening;
    out->need_full = full.need;
    out->total = memory.total;
    out->available = facts.ours;
    plan_advise(&facts, out);
    return tensors ? list_tensors(e, target, out, err) : LR_OK;
}

/* What open sessions were planned by stays as it is, and no pass is under way meanwhile. */
enum lr_status lr_plan(struct lr_engine *e, const struct lr_session_options *options, bool tensors,
                       struct lr_plan *out, struct lr_error *err) {
    struct lr_session_options o = options ? *options : lr_session_defaults(e);
    *out = (struct lr_plan){0};
    if (e->options.tokenizer_only)
        return lr_fail(err, LR_EUSAGE, "%s: opened for its tokenizer alone: nothing can be planned", e->path);
    uint64_t *target = lr_calloc(e->n_tensors, sizeof *target);
    if (!target) return lr_fail_memory(err, "the plan", e->n_tensors * sizeof *target);
    store_begin(&e->store, true);
    enum lr_status status = plan_into(e, &o, tensors, target, out, err);
    store_end(&e->store);
    lr_free(target);
    return status;
}

void lr_plan_free(struct lr_plan *plan) {
    lr_free(plan->tensors);
    *plan = (struct lr_plan){0};
}

/* ---- the plan that is followed */

enum lr_status planning_show_open(struct lr_engine *e, struct lr_error *err) {
    e->shown = lr_calloc(1, sizeof *e->shown);
    if (!e->shown) return lr_fail_memory(err, "the plan that is shown", sizeof *e->shown);
    pthread_mutex_init(&e->shown->lock, NULL);
    return LR_OK;
}

void planning_show_close(struct lr_engine *e) {
    if (e->shown) pthread_mutex_destroy(&e->shown->lock);
    lr_free(e->shown);
}

void planning_show(struct lr_engine *e) {
    pthread_mutex_lock(&e->shown->lock);
    e->shown->plan = e->plan;
    pthread_mutex_unlock(&e->shown->lock);
}

struct lr_plan lr_plan_current(const struct lr_engine *e) {
    pthread_mutex_lock(&e->shown->lock);
    struct lr_plan plan = e->shown->plan;
    pthread_mutex_unlock(&e->shown->lock);
    return plan;
}
