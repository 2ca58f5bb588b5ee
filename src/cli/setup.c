/* From struct options to the library's own: only what was given on the command line replaces a default. */
#include "cli/modes.h"

#include "cli/signals.h"

#include <stdio.h>
#include <stdlib.h>

static enum lr_status mem_limit_from(const struct options *o, uint64_t *out, struct lr_error *err) {
    *out = o->mem_limit.bytes;
    if (!o->given[OPT_MEM_LIMIT] || o->mem_limit.bytes) return LR_OK;
    uint64_t total = lr_memory_total();
    if (!total)
        return lr_fail(err, LR_EFAILED,
                       "--mem-limit: how much memory there is cannot be found out; give bytes");
    *out = (uint64_t)((double)total * o->mem_limit.percent / 100);
    return LR_OK;
}

/* The folder for what is kept between runs, or NULL where none can be told. */
static const char *cache_dir_from(const struct options *o, char *out, size_t size) {
    const char *base = getenv("XDG_CACHE_HOME"), *home = getenv("HOME"), *below = "";
    if (o->no_cache) return NULL;
    if (o->cache_dir) return o->cache_dir;
    if (!base || base[0] != '/') {
        base = home;
        below = "/.cache";
    }
    int n = base && base[0] == '/' ? snprintf(out, size, "%s%s/llm-run", base, below) : -1;
    return n > 0 && (size_t)n < size ? out : NULL;
}

static void context_from(const struct options *o, struct lr_session_options *s) {
    if (o->given[OPT_CTX]) s->context = (uint32_t)o->context;
    if (o->given[OPT_KV]) s->kv = (enum lr_kv)o->kv;
    if (o->given[OPT_PREFILL_CHUNK]) s->prefill_chunk = (uint32_t)o->prefill_chunk;
}

enum lr_status engine_options_from(const struct options *o, struct console *c, struct lr_engine_options *out,
                                   struct lr_error *err) {
    *out = lr_engine_defaults();
    if (o->given[OPT_THREADS]) out->threads = (int)o->threads;
    if (o->given[OPT_MATMUL]) out->matmul = (enum lr_matmul)o->matmul;
    out->isa = o->isa;
    out->precise = o->precise;
    out->load = (enum lr_load)o->load;
    out->quant = (enum lr_quant)o->quant;
    out->quant_head_q8 = o->embed == EMBED_Q8;
    if (o->given[OPT_EMBED] && out->quant != LR_QUANT_Q4 && out->quant != LR_QUANT_AUTO)
        return lr_fail(err, LR_EUSAGE, "--embed says what the head becomes under --quant q4 or auto");
    out->mlock = o->mlock;
    out->guard = true;
    c->expect = (struct lr_session_options){.kv = o->precise ? LR_KV_F32 : LR_KV_F16};
    context_from(o, &c->expect);
    out->expect = &c->expect;
    out->cache_dir = cache_dir_from(o, c->cache_dir, sizeof c->cache_dir);
    out->progress = progress_show;
    out->progress_ctx = &c->progress;
    out->interrupt = signals_flag();
    return mem_limit_from(o, &out->mem_limit, err);
}

static void neutral_sampling(struct lr_sampling *s) {
    s->temperature = 0;
    s->top_k = 0;
    s->top_p = s->typical = s->repeat_penalty = 1;
    s->min_p = s->presence_penalty = s->frequency_penalty = 0;
}

/* Greedy without a word of it on the command line: generation_config.json says so. */
static bool greedy_by_default(const struct options *o, const struct lr_engine *engine) {
    return !o->greedy && !o->given[OPT_TEMP] && lr_session_defaults(engine).sampling.temperature == 0;
}

/* The first option given that would mean nothing where no token is drawn, and so asks for drawing; or NULL.
 */
static const char *asks_for_drawing(const struct options *o) {
    static const enum option_id samplers[] = {OPT_TOP_K, OPT_TOP_P, OPT_MIN_P, OPT_TYPICAL};
    for (size_t i = 0; i < sizeof samplers / sizeof samplers[0]; i++)
        if (o->given[samplers[i]]) return option_table[samplers[i]].name;
    return NULL;
}

void tell_of_sampling(const struct options *o, struct console *c, const struct lr_engine *engine) {
    if (!greedy_by_default(o, engine)) return;
    const char *asks = asks_for_drawing(o);
    if (asks)
        console_note(c,
                     "--%s turns sampling on, at temperature %g: the model's generation_config.json says "
                     "greedy (--temp and --greedy count before both)",
                     asks, (double)lr_sampling_temperature(engine));
    else if (o->given[OPT_SEED])
        console_note(
            c, "--seed changes nothing: the model's generation_config.json says greedy (--temp: sampling)");
}

static void sampling_from(const struct options *o, const struct lr_engine *engine, struct lr_sampling *s) {
    if (greedy_by_default(o, engine) && asks_for_drawing(o)) s->temperature = lr_sampling_temperature(engine);
    if (o->given[OPT_TEMP]) s->temperature = (float)o->temperature;
    if (o->given[OPT_TOP_K]) s->top_k = (int)o->top_k;
    if (o->given[OPT_TOP_P]) s->top_p = (float)o->top_p;
    if (o->given[OPT_MIN_P]) s->min_p = (float)o->min_p;
    if (o->given[OPT_TYPICAL]) s->typical = (float)o->typical;
    if (o->given[OPT_REPEAT_PENALTY]) s->repeat_penalty = (float)o->repeat_penalty;
    if (o->given[OPT_PRESENCE_PENALTY]) s->presence_penalty = (float)o->presence_penalty;
    if (o->given[OPT_FREQUENCY_PENALTY]) s->frequency_penalty = (float)o->frequency_penalty;
    if (o->greedy) neutral_sampling(s);
    s->logit_bias = o->logit_bias.items;
    s->n_logit_bias = o->logit_bias.count;
    s->has_seed = o->given[OPT_SEED];
    s->seed = o->seed;
}

struct lr_session_options session_options_from(const struct options *o, const struct lr_engine *engine) {
    struct lr_session_options s = lr_session_defaults(engine);
    context_from(o, &s);
    sampling_from(o, engine, &s.sampling);
    return s;
}

enum lr_status name_ids(const struct lr_engine *engine, enum lr_status status, struct lr_error *err) {
    if (status != LR_EMODEL || lr_engine_info(engine).has_tokenizer) return status;
    return lr_fail(err, status, "%s; without one, --ids works", err->message);
}
