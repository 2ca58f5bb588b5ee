/* Generation: a prompt is read, and what the model says goes to standard output as it comes. */
#include "cli/modes.h"

#include "base/mem.h"
#include "base/json_write.h"
#include "cli/prompt.h"
#include "cli/signals.h"

#include <stdio.h>

struct generation {
    const struct options *o;
    struct console *console;
    struct lr_engine *engine;
    struct lr_session *session;
    struct lr_model_info info;
    struct prompt prompt;
    struct lr_generate_result result;
    uint32_t prompt_tokens;
    bool greedy;                /* no token is drawn: the seed has no part in the text */
    double began;               /* when the prompt was there: what waits for it is no work of ours */
    double loaded, first_token; /* seconds since then */
    /* with --json, what is to be told at the end */
    struct lr_buf text, logprobs;
    uint32_t *ids;
    size_t n_ids, ids_cap;
    int bad; /* memory for it was refused */
};

static void keep_logprob(struct generation *g, const struct lr_token_event *e) {
    struct lr_buf *b = &g->logprobs;
    int bad = lr_buf_printf(b, "%s{\"token\":%u,\"logprob\":", b->len ? "," : "", e->id);
    bad |= json_write_number(b, (double)e->logprob, 9) | lr_buf_append_str(b, LR_STR(",\"top\":["));
    for (size_t i = 0; i < e->n_top; i++) {
        bad |= lr_buf_printf(b, "%s{\"token\":%u,\"logprob\":", i ? "," : "", e->top[i].id);
        bad |= json_write_number(b, (double)e->top[i].logprob, 9) | lr_buf_append_char(b, '}');
    }
    g->bad |= bad | lr_buf_append_str(b, LR_STR("]}"));
}

static void keep_event(struct generation *g, const struct lr_token_event *e) {
    g->bad |= lr_buf_append(&g->text, e->text, e->len);
    if (e->id == UINT32_MAX) return;
    if (lr_grow(&g->ids, &g->ids_cap, g->n_ids + 1, sizeof *g->ids)) {
        g->bad = -1;
        return;
    }
    g->ids[g->n_ids++] = e->id;
    if (g->o->given[OPT_LOGPROBS]) keep_logprob(g, e);
}

static bool print_id(struct output *out, uint32_t id) {
    char word[16];
    int n = snprintf(word, sizeof word, "%s%u", out->last ? " " : "", id);
    return output_write(out, word, (size_t)n);
}

static bool on_token(void *ctx, const struct lr_token_event *e) {
    struct generation *g = ctx;
    progress_clear(&g->console->progress);
    if (g->first_token == 0) g->first_token = console_now() - g->began;
    if (g->o->json) {
        keep_event(g, e);
        return !g->bad;
    }
    if (!g->o->ids) return output_write(&g->console->out, e->text, e->len);
    return e->id == UINT32_MAX || print_id(&g->console->out, e->id);
}

/* Before any weight is read: a model without a tokenizer is refused at once. */
static enum lr_status tokenize_prompt(struct generation *g, struct lr_error *err) {
    struct prompt *p = &g->prompt;
    if (g->o->ids) return LR_OK;
    enum lr_status status = lr_tokenize(g->engine, p->text.data, p->text.len, true, &p->ids, &p->n_ids, err);
    return name_ids(g->engine, status, err);
}

static enum lr_status open_all(struct generation *g, struct lr_error *err) {
    struct lr_engine_options eo;
    LR_TRY(engine_options_from(g->o, g->console, &eo, err));
    LR_TRY(lr_engine_open(g->o->model_dir, &eo, &g->engine, err));
    g->info = lr_engine_info(g->engine);
    struct lr_session_options so = session_options_from(g->o, g->engine);
    g->greedy = so.sampling.temperature == 0;
    LR_TRY(tokenize_prompt(g, err));
    so.ids = g->prompt.ids;
    so.n_ids = g->prompt.n_ids;
    LR_TRY(lr_session_open(g->engine, &so, &g->session, err));
    g->loaded = console_now() - g->began;
    tell_of_sampling(g->o, g->console, g->engine);
    if (g->info.has_template && !g->o->raw && !g->o->ids)
        console_note(
            g->console,
            "the model has a chat template; the prompt is continued as it stands (--raw silences this line)");
    return LR_OK;
}

static enum lr_status feed(struct generation *g, struct lr_error *err) {
    LR_TRY(lr_session_feed_ids(g->session, g->prompt.ids, g->prompt.n_ids, err));
    g->prompt_tokens = lr_session_position(g->session);
    return LR_OK;
}

/* The prompt's text, which for ids is what the tokenizer makes of them. */
static enum lr_status echo_text(struct generation *g, struct lr_error *err) {
    char *text = NULL;
    struct lr_str prompt = lr_buf_str(&g->prompt.text);
    if (g->o->ids) {
        LR_TRY(lr_detokenize(g->engine, g->prompt.ids, g->prompt.n_ids, &text, &prompt.len, err));
        prompt.data = text;
    }
    if (g->o->json)
        g->bad |= lr_buf_append_str(&g->text, prompt);
    else
        output_write(&g->console->out, prompt.data, prompt.len);
    lr_text_free(text);
    return LR_OK;
}

static enum lr_status echo(struct generation *g, struct lr_error *err) {
    if (g->o->json && g->o->ids && !g->info.has_tokenizer) return LR_OK;
    if (g->o->json || !g->o->ids) return echo_text(g, err);
    for (size_t i = 0; i < g->prompt.n_ids; i++) print_id(&g->console->out, g->prompt.ids[i]);
    return LR_OK;
}

static double per_second(double n, double seconds) {
    return seconds > 0 ? n / seconds : 0;
}

struct timing {
    const char *name;
    double value;
};

static int write_times(struct lr_buf *b, const struct timing *rows, size_t n) {
    int bad = 0;
    for (size_t i = 0; i < n; i++) {
        bad |= lr_buf_printf(b, "%s\"%s\":", i ? "," : "{", rows[i].name);
        bad |= json_write_number(b, rows[i].value, 6);
    }
    return bad;
}

/* The seconds up to the first token by what was done: what --bench-load asks for. */
static int write_phases(struct lr_buf *b, const struct generation *g) {
    struct lr_load_times t = lr_engine_load_times(g->engine);
    const struct timing rows[] = {
        {"config_s", t.config_s}, {"tokenizer_s", t.tokenizer_s}, {"catalog_s", t.catalog_s},
        {"plan_s", t.plan_s},     {"weights_s", t.weights_s},     {"first_token_s", g->result.first_token_s},
    };
    return write_times(b, rows, sizeof rows / sizeof rows[0]) | lr_buf_append_char(b, '}');
}

static int write_timings(struct lr_buf *b, const struct generation *g) {
    const struct lr_generate_result *r = &g->result;
    const struct timing rows[] = {
        {"load_s", g->loaded},
        {"prefill_s", r->prefill_s},
        {"decode_s", r->decode_s},
        {"prefill_tok_s", per_second(g->prompt_tokens, r->prefill_s)},
        {"decode_tok_s", per_second(r->passes, r->decode_s)},
        {"first_token_s", g->first_token},
    };
    int bad = lr_buf_append_str(b, LR_STR("\"timings\":"));
    bad |= write_times(b, rows, sizeof rows / sizeof rows[0]);
    bad |= lr_buf_append_str(b, LR_STR(",\"phases\":")) | write_phases(b, g);
    return bad | lr_buf_append_char(b, '}');
}

static int write_memory(struct lr_buf *b, const struct lr_plan *p) {
    const struct {
        const char *name;
        uint64_t bytes;
    } rows[] = {
        {"budget", p->budget},
        {"weights_mapped", p->mapped},
        {"weights_pinned", p->pinned},
        {"weights_streamed", p->streamed},
        {"kv", p->kv},
        {"work", p->work},
        {"peak_rss", lr_memory_peak()},
    };
    int bad = lr_buf_append_str(b, LR_STR("\"memory\":{"));
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        bad |=
            lr_buf_printf(b, "%s\"%s\":%llu", i ? "," : "", rows[i].name, (unsigned long long)rows[i].bytes);
    return bad | lr_buf_append_char(b, '}');
}

static enum lr_status answer_json(struct generation *g, struct lr_error *err) {
    struct lr_plan plan = lr_plan_current(g->engine);
    struct lr_buf b = {0};
    int bad =
        g->bad | lr_buf_append_str(&b, LR_STR("{\"text\":")) | json_write_string(&b, lr_buf_str(&g->text));
    bad |= lr_buf_append_str(&b, LR_STR(",\"tokens\":")) | json_write_ids(&b, g->ids, g->n_ids);
    bad |= lr_buf_printf(
        &b, ",\"finish_reason\":\"%s\",\"prompt_tokens\":%u,\"completion_tokens\":%u,\"seed\":%llu,",
        lr_finish_name(g->result.finish), g->prompt_tokens, g->result.tokens,
        (unsigned long long)lr_session_seed(g->session));
    if (g->o->given[OPT_LOGPROBS])
        bad |= lr_buf_printf(&b, "\"logprobs\":[%s],", g->logprobs.len ? g->logprobs.data : "");
    bad |= write_timings(&b, g) | lr_buf_append_char(&b, ',') | write_memory(&b, &plan);
    bad |= lr_buf_append_char(&b, '}');
    enum lr_status status = console_answer(g->console, &b, bad, err);
    lr_buf_free(&b);
    return status;
}

static void tell_summary(struct generation *g) {
    const struct lr_generate_result *r = &g->result;
    char seed[32] = "";
    if (!g->greedy)
        snprintf(seed, sizeof seed, "; seed %llu", (unsigned long long)lr_session_seed(g->session));
    if (output_shares_line(&g->console->out)) fputc('\n', stderr);
    if (r->finish == LR_FINISH_LENGTH && !(g->o->given[OPT_MAX_TOKENS] && r->tokens == g->o->max_tokens))
        console_note(g->console, "the answer ends where the context of %u positions does",
                     lr_session_context(g->session));
    console_note(
        g->console,
        "%u token%s, %.1f tok/s; prompt %u token%s, %.1f tok/s; first token after %.2f s; peak memory "
        "%.0f MB, mapped weights included%s",
        r->tokens, r->tokens == 1 ? "" : "s", per_second(r->passes, r->decode_s), g->prompt_tokens,
        g->prompt_tokens == 1 ? "" : "s", per_second(g->prompt_tokens, r->prefill_s), g->first_token,
        (double)lr_memory_peak() / 1048576, seed);
}

static enum lr_status finish(struct generation *g, struct lr_error *err) {
    struct output *out = &g->console->out;
    if (g->o->json) {
        LR_TRY(answer_json(g, err));
    } else {
        if (g->o->ids && out->last)
            output_write(out, "\n", 1);
        else
            output_end_text(out);
        LR_TRY(output_status(out, err));
        if (!output_closed(out)) tell_summary(g);
    }
    return *signals_flag() ? LR_EINTERRUPTED : LR_OK;
}

static enum lr_status generate(struct generation *g, struct lr_error *err) {
    struct lr_generate_options go = lr_generate_defaults();
    if (g->o->given[OPT_MAX_TOKENS]) go.max_tokens = (uint32_t)g->o->max_tokens;
    go.stop = g->o->stop.items;
    go.n_stop = g->o->stop.count;
    go.ignore_eos = g->o->ignore_eos;
    go.logprobs = g->o->given[OPT_LOGPROBS] ? (int)g->o->logprobs : -1;
    go.interrupt = signals_flag();
    LR_TRY(prompt_read(g->o, true, &g->prompt, err));
    g->began = console_now();
    LR_TRY(open_all(g, err));
    LR_TRY(feed(g, err));
    if (g->o->echo) LR_TRY(echo(g, err));
    LR_TRY(lr_session_generate(g->session, &go, on_token, g, &g->result, err));
    return finish(g, err);
}

enum lr_status generate_run(const struct options *o, struct console *c, struct lr_error *err) {
    struct generation g = {.o = o, .console = c};
    enum lr_status status = generate(&g, err);
    lr_session_close(g.session);
    lr_engine_close(g.engine);
    prompt_free(&g.prompt);
    lr_buf_free(&g.text);
    lr_buf_free(&g.logprobs);
    lr_free(g.ids);
    return status;
}
