#include "run/planning.h"

#include "base/mem.h"
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

/* What the tokenizer holds; before it is opened a bound on that, and on the peak of opening it. */
static void price_tokenizer(const struct lr_engine *e, struct plan_facts *f) {
    uint64_t bytes = tokenizer_file_bytes(e);
    if (e->tokenizer) {
        f->tokenizer = tokenizer_memory(e->tokenizer);
    } else if (bytes) {
        f->tokenizer = (uint64_t)(TOKENIZER_TABLES * (double)bytes) + TOKENIZER_BASE;
        f->opening = (uint64_t)(TOKENIZER_PEAK * (double)bytes) + TOKENIZER_BASE;
    }
}

/* What the process owns besides tokenizer, pins, ring and sessions; looked at once, before there are any. */
static uint64_t fixed_bytes(struct lr_engine *e, uint64_t own, uint64_t tokenizer) {
    if (!e->fixed) {
        uint64_t rest = own > tokenizer ? own - tokenizer : 0;
        if (rest < e->with_products) rest = e->with_products; /* what OpenBLAS has not touched yet */
        e->fixed = rest + TABLE_BYTES + (READERS_MOST + threads_count(e->threads)) * STACK_BYTES;
    }
    return e->fixed;
}

/* Files that are mapped already are so still, or are given back. */
static uint64_t address_room(const struct lr_engine *e, const struct memory_info *m) {
    if (m->address_limit == MEMORY_UNLIMITED) return UINT64_MAX;
    uint64_t mapped = e->store.mode == LR_LOAD_MAP ? store_file_bytes(&e->store) : 0;
    uint64_t others = m->own_address > mapped ? m->own_address - mapped : 0;
    return others < m->address_limit ? m->address_limit - others : 0;
}

enum lr_status planning_facts(struct lr_engine *e, const struct lr_session_options *options, bool rates,
                              struct plan_facts *out, struct lr_error *err) {
    struct memory_info memory;
    LR_TRY(memory_read("", e->options.mem_limit, &memory, err));
    *out = (struct plan_facts){
        .tensors = e->tensors,
        .n_tensors = e->n_tensors,
        .layers = e->spec.layers,
        .budget = memory.budget,
        .ours = memory.own_anonymous + memory.room,
        .machine = memory.mem_total,
        .bound = memory.bound,
        .address = address_room(e, &memory),
        .files = store_file_bytes(&e->store),
        .load = e->options.load,
        .ring = e->store.mode == LR_LOAD_STREAM ? e->store.setup.ring.slot * e->store.setup.ring.slots : 0,
        .wanted = options->context,
        .limit = SESSION_CONTEXT,
        .maximum = e->spec.max_context,
        .chunk = options->prefill_chunk,
        .session = session_measure,
        .session_narrow = options->kv == LR_KV_F32 && !e->options.precise ? session_measure_narrow : NULL,
    };
    price_tokenizer(e, out);
    out->fixed = fixed_bytes(e, memory.own_anonymous, e->tokenizer ? out->tokenizer : 0) + e->sessions_bytes;
    e->shape = (struct session_shape){e, *options};
    out->session_ctx = &e->shape;
    if (rates) LR_TRY(rates_measure(e, err));
    out->rates = e->rates;
    return LR_OK;
}

enum lr_status planning_decide(struct lr_engine *e, const struct lr_session_options *options,
                               struct lr_error *err) {
    LR_TRY(planning_facts(e, options, false, &e->facts, err));
    plan_make(&e->facts, e->target, &e->plan);
    if (e->plan.fits && e->plan.streamed && !e->rates.disk) { /* how to read the disk best */
        LR_TRY(rates_measure_disk(e, err));
        e->facts.rates = e->rates;
        plan_make(&e->facts, e->target, &e->plan);
    }
    return e->plan.fits ? LR_OK : plan_refuse(&e->facts, &e->plan, err);
}

enum lr_status planning_again(struct lr_engine *e, struct lr_error *err) {
    struct memory_info memory;
    LR_TRY(memory_read("", e->options.mem_limit, &memory, err));
    e->facts.budget = memory.budget;
    e->facts.ours = memory.own_anonymous + memory.room;
    e->facts.bound = memory.bound;
    plan_make(&e->facts, e->target, &e->plan);
    return LR_OK;
}

uint64_t planning_available(void *engine) {
    const struct lr_engine *e = engine;
    struct memory_info m;
    if (memory_read("", e->options.mem_limit, &m, NULL) != LR_OK) return 0;
    return m.budget > m.own_anonymous ? m.budget - m.own_anonymous : 0;
}
