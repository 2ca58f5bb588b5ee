/* --score: how likely the model finds a text. */
#include "cli/modes.h"

#include "base/mem.h"
#include "base/json_write.h"
#include "cli/prompt.h"

#include <math.h>

struct scoring {
    const struct options *o;
    struct lr_engine *engine;
    struct lr_session *session;
    struct prompt prompt;
    uint32_t *ids; /* [n]: the prompt's own, or `tokenized` */
    uint32_t *tokenized;
    size_t n;
    float *logprobs; /* [n] */
};

/* The ids to score, and a session that holds them. */
static enum lr_status open_all(struct scoring *s, struct console *c, struct lr_error *err) {
    struct lr_engine_options eo;
    LR_TRY(prompt_read(s->o, false, &s->prompt, err));
    LR_TRY(engine_options_from(s->o, c, &eo, err));
    LR_TRY(lr_engine_open(s->o->model_dir, &eo, &s->engine, err));
    s->ids = s->prompt.ids;
    s->n = s->prompt.n_ids;
    if (!s->o->ids) {
        enum lr_status status = lr_tokenize(s->engine, s->prompt.text.data, s->prompt.text.len, !s->o->raw,
                                            &s->tokenized, &s->n, err);
        LR_TRY(name_ids(s->engine, status, err));
        s->ids = s->tokenized;
    }
    if (s->n < 2)
        return lr_fail(err, LR_EUSAGE, "nothing to score: %zu token%s", s->n,
                       s->n ? ", and nothing precedes it" : "s");
    struct lr_session_options so = session_options_from(s->o, s->engine);
    /* no more than the text needs, and no less: a shorter context could not hold it */
    if (!s->o->given[OPT_CTX] && s->n <= lr_engine_info(s->engine).max_context) so.context = (uint32_t)s->n;
    so.ids = s->ids;
    so.n_ids = s->n;
    return lr_session_open(s->engine, &so, &s->session, err);
}

static enum lr_status answer(const struct scoring *s, struct console *c, struct lr_error *err) {
    struct lr_buf b = {0};
    double nll = 0;
    for (size_t i = 1; i < s->n; i++) nll -= (double)s->logprobs[i];
    double perplexity = exp(nll / (double)(s->n - 1));
    int bad = 0;
    if (s->o->json) {
        bad |= lr_buf_append_str(&b, LR_STR("{\"tokens\":")) | json_write_ids(&b, s->ids, s->n);
        bad |= lr_buf_append_str(&b, LR_STR(",\"logprobs\":[null"));
        for (size_t i = 1; i < s->n; i++)
            bad |= lr_buf_append_char(&b, ',') | json_write_number(&b, (double)s->logprobs[i], 9);
        bad |= lr_buf_append_str(&b, LR_STR("],\"nll\":")) | json_write_number(&b, nll, 9);
        bad |= lr_buf_append_str(&b, LR_STR(",\"perplexity\":")) | json_write_number(&b, perplexity, 9);
        bad |= lr_buf_append_char(&b, '}');
    } else {
        bad = lr_buf_printf(&b, "tokens      %zu\nscored      %zu\nnll         %.6f\nperplexity  %.6f", s->n,
                            s->n - 1, nll, perplexity);
    }
    enum lr_status status = console_answer(c, &b, bad, err);
    lr_buf_free(&b);
    return status;
}

static enum lr_status score(struct scoring *s, struct console *c, struct lr_error *err) {
    LR_TRY(open_all(s, c, err));
    s->logprobs = lr_calloc(s->n, sizeof *s->logprobs);
    if (!s->logprobs) return lr_fail_memory(err, "log-probabilities", s->n * sizeof *s->logprobs);
    LR_TRY(lr_session_score(s->session, s->ids, s->n, s->logprobs, err));
    return answer(s, c, err);
}

enum lr_status score_run(const struct options *o, struct console *c, struct lr_error *err) {
    struct scoring s = {.o = o};
    enum lr_status status = score(&s, c, err);
    lr_session_close(s.session);
    lr_ids_free(s.tokenized);
    lr_engine_close(s.engine);
    prompt_free(&s.prompt);
    lr_free(s.logprobs);
    return status;
}
