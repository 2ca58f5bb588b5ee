#include "run/planning.h"

#include "base/pages.h"
#include "run/rates.h"
#include "run/session.h"

/* What threads and tables take that are not there yet when the facts are gathered. */
#define STACK_BYTES  (UINT64_C(48) << 10)
#define TABLE_BYTES  (UINT64_C(1) << 20)
#define READERS_MOST 32u
/* A tokenizer's tables and the peak of reading it, for each byte of its files (measured: 0.8 to 1.2,
 * and 5.2). */
#define TOKENIZER_TABLES 1.3
#define TOKENIZER_PEAK   5.5
#define TOKENIZER_BASE   (UINT64_C(2) << 20)

static uint64_t tokenizer_file_bytes(const struct lr_engine *e) {
    uint64_t sum = 0, size;
    const char *const files[] = {e->dir.tokenizer, e->dir.vocab, e->dir.merges};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        if (files[i] && file_size(files[i], &size)) sum += size;
    return sum;
}

static uint64_t held_by_tokenizer(const struct lr_engine *e) {
    return e->tokenizer ? tokenizer_memory(e->tokenizer) + e->compiled_size : 0;
}

/* What the tokenizer holds; before it is opened a bound on that, and on the peak of opening it. */
static void price_tokenizer(const struct lr_engine *e, struct plan_facts *f) {
    uint64_t bytes = tokenizer_file_bytes(e);
    if (e->tokenizer) {
        f->tokenizer = held_by_tokenizer(e);
    } else if (bytes) {
        f->tokenizer = (uint64_t)(TOKENIZER_TABLES * (double)bytes) + TOKENIZER_BASE;
        f->opening = (uint64_t)(TOKENIZER_PEAK * (double)bytes) + TOKENIZER_BASE;
    }
}

/* ---- what the process owns that no plan decides about */

/* What the engine holds of what the process owns, between two bounds: memory is taken with use. */
static void count_held(const struct lr_engine *e, uint64_t *least, uint64_t *most) {
    uint64_t ring = e->store.ring.growth.taken, touched = e->store.stream.touched * e->store.stream.size.slot;
    uint64_t held = held_by_tokenizer(e) + e->store.pins.growth.taken + (e->loaded ? e->vectors : 0);
    for (const struct lr_session *s = e->sessions; s; s = s->next) held += session_touched(s);
    *least = held + (touched < ring ? touched : ring);
    *most = held + ring;
}

/* What a thread touches of its stack. */
static uint64_t stack_bytes(void) {
    uint64_t page = pages_size();
    return (STACK_BYTES + page - 1) / page * page;
}

/* Before anything is held all that is owned is the rest, and what will be soon: OpenBLAS's buffers, stacks.
 */
static void begin_rest(struct lr_engine *e, uint64_t own) {
    uint64_t all = own > e->with_products ? own : e->with_products;
    all += TABLE_BYTES + (READERS_MOST + threads_count(e->threads)) * stack_bytes();
    e->rest = all;
    e->soon = all - own;
}

/* Afterwards it is not looked at again but held between what it can be at least and at most: a host program
 * or another engine takes memory, and gives it back. */
void planning_rest(struct lr_engine *e, uint64_t own) {
    uint64_t least, most, before = e->rest;
    count_held(e, &least, &most);
    if (!e->soon) begin_rest(e, own > least ? own - least : 0);
    uint64_t low = own > most ? own - most : 0, high = own + e->soon > least ? own + e->soon - least : 0;
    if (e->rest < low) e->rest = low;
    if (e->rest > high) e->rest = high;
    e->facts.fixed += e->rest - before; /* either way: less wraps around */
    e->plan.fixed += e->rest - before;
    e->plan.need += e->rest - before;
}

/* What open sessions but one own when all of their positions are used, and what of it they do not use yet. */
static void count_others(const struct lr_engine *e, const struct lr_session *but, struct plan_facts *f) {
    f->fixed = e->rest;
    f->unfilled = 0;
    for (const struct lr_session *s = e->sessions; s; s = s->next) {
        if (s == but) continue;
        f->fixed += s->bytes;
        f->unfilled += s->bytes - session_owned(s);
    }
}

/* ---- facts */

/* What is left of the addresses when those that a plan decides about are given back. */
static uint64_t address_room(const struct lr_engine *e, const struct memory_info *m) {
    if (m->address_limit == MEMORY_UNLIMITED) return UINT64_MAX;
    uint64_t ours = store_addresses(&e->store) + held_by_tokenizer(e);
    for (const struct lr_session *s = e->sessions; s; s = s->next) ours += s->arena.reserved;
    uint64_t others = m->own_address > ours ? m->own_address - ours : 0;
    return others < m->address_limit ? m->address_limit - others : 0;
}

/* Bytes of pins that may be locked, with those that are; no limit where none has to be. */
static uint64_t lock_room(const struct lr_engine *e, const struct memory_info *m) {
    if (!e->options.mlock || m->lock_limit == MEMORY_UNLIMITED) return UINT64_MAX;
    uint64_t pins = e->store.pins.lock ? e->store.pins.growth.taken : 0;
    uint64_t others = m->own_locked > pins ? m->own_locked - pins : 0;
    return others < m->lock_limit ? m->lock_limit - others : 0;
}

static void take_memory(struct lr_engine *e, const struct memory_info *m, struct plan_facts *f) {
    planning_rest(e, m->own_anonymous + m->swap_used_by_us);
    f->budget = m->budget;
    f->ours = m->ours;
    f->machine = m->mem_total;
    f->bound = m->bound;
    f->address = address_room(e, m);
    f->lock = lock_room(e, m);
    f->ring = e->store.ring.growth.taken;
}

/* By which memory is taken: pages, or what direct reads need. */
static uint64_t page_bytes(const struct lr_engine *e) {
    uint64_t page = pages_size();
    for (size_t i = 0; i < e->catalog.n_files; i++)
        if (e->store.files && e->store.files[i].align > page) page = e->store.files[i].align;
    return page;
}

/* Quantised weights that are held in memory are ours, and used already. */
static struct memory_info with_held(const struct lr_engine *e, const struct memory_info *read) {
    struct memory_info m = *read;
    uint64_t limit = e->options.mem_limit;
    m.budget += e->held;
    m.ours += e->held;
    if (limit && m.budget > limit) m.budget = limit;
    return m;
}

enum lr_status planning_facts(struct lr_engine *e, const struct session_shape *shape, bool rates,
                              struct plan_facts *out, struct lr_error *err) {
    struct memory_info memory;
    const struct lr_session_options *options = &shape->options;
    LR_TRY(memory_read("", e->options.mem_limit, &memory, err));
    memory = with_held(e, &memory);
    *out = (struct plan_facts){
        .tensors = e->tensors,
        .n_tensors = e->n_tensors,
        .layers = e->spec.layers,
        .files = store_file_bytes(&e->store),
        .load = e->options.load,
        .page = page_bytes(e),
        .wanted = options->context,
        .limit = SESSION_CONTEXT,
        .maximum = e->spec.max_context,
        .chunk = options->prefill_chunk,
        .session = session_measure,
        .session_f16 = options->kv == LR_KV_F32 && !e->options.precise ? session_measure_f16 : NULL,
        .session_q8 = options->kv != LR_KV_Q8 && !e->options.precise ? session_measure_q8 : NULL,
        .session_ctx = shape,
    };
    price_tokenizer(e, out);
    take_memory(e, &memory, out);
    count_others(e, NULL, out);
    if (rates) LR_TRY(rates_measure(e, err));
    out->rates = e->rates;
    return LR_OK;
}

/* ---- plans */

enum lr_status planning_expect(struct lr_engine *e, struct session_shape *shape, struct plan_facts *facts,
                               bool *later, struct lr_error *err) {
    *shape = (struct session_shape){e, {.context = 1}};
    if (e->options.expect) shape->options = *e->options.expect;
    *later = shape->options.context > e->spec.max_context;
    if (*later) return LR_OK;
    LR_TRY(planning_facts(e, shape, false, facts, err));
    plan_make(facts, e->target, &e->plan);
    return LR_OK;
}

enum lr_status planning_decide(struct lr_engine *e, const struct session_shape *shape, struct lr_error *err) {
    e->shape = *shape;
    LR_TRY(planning_facts(e, &e->shape, false, &e->facts, err));
    e->facts.filled = SESSION_FILLED;
    plan_make(&e->facts, e->target, &e->plan);
    if (e->plan.fits && e->plan.streamed && !e->rates.disk) { /* how to read the disk best */
        LR_TRY(rates_measure_disk(e, err));
        e->facts.rates = e->rates;
        plan_make(&e->facts, e->target, &e->plan);
    }
    return e->plan.fits ? LR_OK : plan_refuse(&e->facts, &e->plan, err);
}

/* For the sessions that are open, as they are: a new one would be smaller with less memory. The last one is
 * the session that the plan is for. */
static void take_sessions(struct lr_engine *e) {
    const struct lr_session *s = e->sessions;
    count_others(e, s, &e->facts);
    e->facts.open = s != NULL;
    if (!s) return;
    e->shape = s->shape;
    e->facts.wanted = s->context;
    e->facts.chunk = s->work.chunk;
    e->facts.filled = s->filled;
}

void planning_with(struct lr_engine *e, uint64_t budget) {
    take_sessions(e);
    e->facts.budget = budget;
    plan_make(&e->facts, e->target, &e->plan);
}

void planning_from(struct lr_engine *e, const struct memory_info *read) {
    struct memory_info m = with_held(e, read);
    take_memory(e, &m, &e->facts);
    uint64_t ceiling = e->monitor.ceiling.bytes; /* of what others want too no more is used */
    planning_with(e, ceiling && ceiling < m.budget ? ceiling : m.budget);
}

enum lr_status planning_again(struct lr_engine *e, struct lr_error *err) {
    struct memory_info memory;
    LR_TRY(memory_read("", e->options.mem_limit, &memory, err));
    planning_from(e, &memory);
    return LR_OK;
}

uint64_t planning_available(void *engine) {
    const struct lr_engine *e = engine;
    struct memory_info m;
    if (memory_read("", e->options.mem_limit, &m, NULL) != LR_OK) return 0;
    return m.budget > m.own_anonymous ? m.budget - m.own_anonymous : 0;
}
