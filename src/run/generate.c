/* The token loop: draw, decode, look for stop strings, hand out, read. */
#include "base/mem.h"
#include "run/session.h"
#include "run/stop.h"
#include "sys/clock.h"

#define MAX_LOGPROBS 64

struct lr_generate_options lr_generate_defaults(void) {
    return (struct lr_generate_options){.logprobs = -1};
}

const char *lr_finish_name(enum lr_finish finish) {
    static const char *const names[] = {[LR_FINISH_EOS] = "eos",
                                        [LR_FINISH_STOP] = "stop",
                                        [LR_FINISH_LENGTH] = "length",
                                        [LR_FINISH_INTERRUPTED] = "interrupted"};
    return names[finish];
}

struct generation {
    struct lr_session *session;
    const struct lr_generate_options *options;
    struct stop_strings stops;
    lr_token_fn *on_token;
    void *ctx;
    struct token_stream *stream; /* NULL without a tokenizer: ids alone */
    struct lr_buf pending;       /* text not given out */
    struct lr_token_logprob top[MAX_LOGPROBS];
    struct lr_generate_result result;
    bool done;
};

static void finish(struct generation *g, enum lr_finish reason) {
    g->result.finish = reason;
    g->done = true;
}

/* Gives out `len` bytes of the pending text with the token of `event`. */
static void give_out(struct generation *g, struct lr_token_event event, size_t len) {
    event.text = len ? g->pending.data : "";
    event.len = len;
    if (g->on_token && !g->on_token(g->ctx, &event) && !g->done) finish(g, LR_FINISH_INTERRUPTED);
    if (!len || !g->pending.data) return;
    g->pending.len -= len;
    memmove(g->pending.data, g->pending.data + len, g->pending.len);
}

static void add_logprobs(struct generation *g, struct lr_token_event *event) {
    int n = g->options->logprobs;
    if (n < 0) return;
    uint32_t vocab = g->session->engine->spec.vocab;
    event->logprob = sampler_logprob(g->session->logits, vocab, event->id);
    event->n_top = sampler_top(g->session->logits, vocab, (uint32_t)n, g->top);
    event->top = g->top;
}

/* One token: drawn, decoded, given out as far as it is certain. */
static enum lr_status emit_token(struct generation *g, uint32_t *id, struct lr_error *err) {
    struct lr_session *s = g->session;
    *id = sampler_draw(&s->sampler, s->logits);
    if (!g->options->ignore_eos && engine_is_eos(s->engine, *id)) {
        finish(g, LR_FINISH_EOS);
        return LR_OK;
    }
    struct lr_token_event event = {.id = *id};
    add_logprobs(g, &event);
    if (g->stream) LR_TRY(token_stream_push(g->stream, *id, &g->pending, err));
    size_t safe;
    bool stop = stop_find(&g->stops, lr_buf_str(&g->pending), &safe);
    if (stop) finish(g, LR_FINISH_STOP);
    g->result.tokens++;
    give_out(g, event, safe);
    return LR_OK;
}

/* What was held back: half a character, or the beginning of a stop string that did not come. */
static enum lr_status flush(struct generation *g, struct lr_error *err) {
    if (g->result.finish == LR_FINISH_STOP) return LR_OK;
    if (g->stream) LR_TRY(token_stream_end(g->stream, &g->pending, err));
    size_t safe;
    bool stop = stop_find(&g->stops, lr_buf_str(&g->pending), &safe);
    size_t len = stop ? safe : g->pending.len;
    if (stop) finish(g, LR_FINISH_STOP);
    if (len) give_out(g, (struct lr_token_event){.id = UINT32_MAX}, len);
    return LR_OK;
}

static bool wants_interrupt(const struct generation *g) {
    return g->options->interrupt && *g->options->interrupt;
}

/* An interruption is a way to finish, not a failure: the answer so far is whole, and `err` stays as it was.
 */
static enum lr_status read_on(struct generation *g, uint32_t id, struct lr_error *err) {
    struct lr_error why;
    enum lr_status status = session_append(g->session, id, &why);
    g->result.passes += status == LR_OK;
    if (status == LR_EINTERRUPTED)
        finish(g, LR_FINISH_INTERRUPTED);
    else if (status != LR_OK)
        return lr_fail(err, status, "%s", why.message);
    return LR_OK;
}

static enum lr_status run_loop(struct generation *g, struct lr_error *err) {
    struct lr_session *s = g->session;
    double start = clock_now();
    uint32_t room = s->context - s->position, most = g->options->max_tokens ? g->options->max_tokens : room;
    if (most > room) most = room;
    while (!g->done) {
        uint32_t id;
        if (g->result.tokens == most)
            finish(g, LR_FINISH_LENGTH);
        else if (wants_interrupt(g))
            finish(g, LR_FINISH_INTERRUPTED);
        if (g->done) break;
        LR_TRY(emit_token(g, &id, err));
        if (g->result.tokens == 1 && g->result.first_token_s == 0)
            g->result.first_token_s = clock_now() - start;
        if (g->done || g->result.tokens == most) continue;
        LR_TRY(read_on(g, id, err));
    }
    LR_TRY(flush(g, err));
    g->result.decode_s = clock_now() - start;
    return LR_OK;
}

static enum lr_status check(const struct lr_session *s, const struct lr_generate_options *o,
                            struct lr_error *err) {
    if (!s->has_logits)
        return lr_fail(err, LR_EUSAGE,
                       "the prompt is empty and the tokenizer adds nothing: there is nothing to continue");
    if (o->logprobs > MAX_LOGPROBS)
        return lr_fail(err, LR_EUSAGE, "%d alternatives for each token are out of range: 0 to %d",
                       o->logprobs, MAX_LOGPROBS);
    if (o->n_stop && !s->engine->tokenizer)
        return lr_fail(err, LR_EUSAGE, "stop strings need a tokenizer, and %s has none", s->engine->path);
    return LR_OK;
}

/* The text goes on from what was read: it is not the beginning of one. */
static enum lr_status open_stream(struct generation *g, struct lr_error *err) {
    const struct lr_session *s = g->session;
    if (!s->engine->tokenizer) return LR_OK;
    LR_TRY(token_stream_open(s->engine->tokenizer, &g->stream, err));
    enum lr_status status = token_stream_continue(g->stream, s->recent, s->n_recent, err);
    if (status != LR_OK) token_stream_close(g->stream);
    return status;
}

enum lr_status lr_session_generate(struct lr_session *session, const struct lr_generate_options *options,
                                   lr_token_fn *on_token, void *ctx, struct lr_generate_result *result,
                                   struct lr_error *err) {
    struct lr_generate_options o = options ? *options : lr_generate_defaults();
    LR_TRY(check(session, &o, err));
    struct generation g = {
        .session = session, .options = &o, .stops = {o.stop, o.n_stop}, .on_token = on_token, .ctx = ctx};
    LR_TRY(open_stream(&g, err));
    enum lr_status status = run_loop(&g, err);
    g.result.prefill_s = session->prefill_s;
    g.result.first_token_s += session->prefill_s;
    token_stream_close(g.stream);
    lr_buf_free(&g.pending);
    if (result) *result = g.result;
    return status;
}
