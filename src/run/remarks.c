#include "run/remarks.h"

#include "base/log.h"

#define MIB 1048576.0

static struct lr_str piece_of(const struct lr_engine *e, uint32_t id) {
    return e->tokenizer ? lr_str_cut(tokenizer_piece(e->tokenizer, id), 60) : LR_STR("");
}

/* The ids that end the text, and a warning about those that no token can be. */
static void tell_eos(const struct lr_engine *e) {
    const uint32_t *ids;
    uint32_t n = engine_eos_ids(e, &ids);
    const char *file = e->generation.n_eos ? e->dir.generation : e->dir.config;
    if (!n) lr_log(LR_LOG_INFO, "no eos_token_id: the answer ends with -n, --stop or the context");
    for (uint32_t i = 0; i < n; i++) {
        struct lr_str piece = piece_of(e, ids[i]);
        if (ids[i] >= e->spec.vocab)
            lr_log(LR_LOG_WARN, "%s: eos_token_id %u never ends the text: the embedding has %u rows", file,
                   ids[i], e->spec.vocab);
        else
            lr_log(LR_LOG_INFO, "id %u%s%.*s%s ends the text (eos_token_id in %s)", ids[i],
                   piece.len ? " ('" : "", LR_STR_ARGS(piece), piece.len ? "')" : "", file);
    }
}

static const char *products_of(const struct lr_engine *e) {
    if (!e->matmul.blas) return "prompts are read through the same kernels";
    return e->options.matmul == LR_MATMUL_BLAS ? "all products go through OpenBLAS, as asked for"
                                               : "prompts are read through OpenBLAS where it is faster";
}

void remarks_on_engine(const struct lr_engine *e) {
    struct lr_model_info info = lr_engine_info(e);
    lr_log(LR_LOG_INFO, "%s: %s, %u layers, %.1f million parameters, %.1f MB of %s in %zu file%s",
           e->dir.path, info.family, info.layers, (double)info.parameters / 1e6,
           (double)info.weight_bytes / MIB, info.dtype, e->catalog.n_files,
           e->catalog.n_files == 1 ? "" : "s");
    lr_log(LR_LOG_INFO, "%u thread%s, %s kernels; %s", threads_count(e->threads),
           threads_count(e->threads) == 1 ? "" : "s", e->matmul.kernels->name, products_of(e));
    if (e->tokenizer && tokenizer_size(e->tokenizer) > e->spec.vocab)
        lr_log(LR_LOG_INFO, "the tokenizer has %u ids, the embedding %u rows", tokenizer_size(e->tokenizer),
               e->spec.vocab);
    tell_eos(e);
}

static void tell_sampling(const struct sampler *s) {
    const struct lr_sampling *o = &s->options;
    if (o->temperature == 0)
        lr_log(LR_LOG_INFO, "sampling: none, the likeliest token each time");
    else
        lr_log(LR_LOG_INFO, "sampling: temperature %g, top-k %d, top-p %g, min-p %g, typical %g, seed %llu",
               (double)o->temperature, o->top_k, (double)o->top_p, (double)o->min_p, (double)o->typical,
               (unsigned long long)s->seed);
    lr_log(LR_LOG_INFO, "penalties: repeat %g, presence %g, frequency %g; %zu logit biases",
           (double)o->repeat_penalty, (double)o->presence_penalty, (double)o->frequency_penalty,
           o->n_logit_bias);
}

void remarks_on_session(const struct lr_session *s, const struct lr_session_options *o,
                        const struct lr_plan *plan) {
    static const char *const kv_names[] = {[LR_KV_F16] = "f16", [LR_KV_F32] = "f32", [LR_KV_Q8] = "q8"};
    uint32_t usual =
        s->engine->spec.max_context < SESSION_CONTEXT ? s->engine->spec.max_context : SESSION_CONTEXT;
    if (!o->context && plan->context < usual)
        lr_log(LR_LOG_WARN, "the context is %u positions instead of %u: that is what fits in memory",
               plan->context, usual);
    if (plan_lock_short(&s->engine->facts, plan))
        lr_log(LR_LOG_WARN,
               "--mlock: ulimit -l lets %s be locked, and no more is kept in memory: raise it, or leave out "
               "--mlock",
               lr_gb(s->engine->facts.lock, 2).text);
    lr_log(LR_LOG_INFO,
           "context of %u positions (the model has %u): KV cache %.1f MB in %s, work space %.1f MB, of "
           "%.1f MB that may be used",
           plan->context, s->engine->spec.max_context, (double)plan->kv / MIB, kv_names[o->kv],
           (double)plan->work / MIB, (double)plan->budget / MIB);
    tell_sampling(&s->sampler);
}
