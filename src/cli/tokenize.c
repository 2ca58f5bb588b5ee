/* --tokenize: the ids of a text, with nothing but the tokenizer's files. */
#include "cli/modes.h"

#include "base/json_write.h"
#include "cli/prompt.h"
#include "cli/signals.h"

struct tokenizing {
    struct lr_engine *engine;
    struct prompt prompt;
    uint32_t *ids; /* [n] */
    size_t n;
};

static int write_json(const struct tokenizing *t, struct lr_buf *b) {
    int bad = lr_buf_append_str(b, LR_STR("{\"tokens\":")) | json_write_ids(b, t->ids, t->n);
    bad |= lr_buf_append_str(b, LR_STR(",\"pieces\":["));
    for (size_t i = 0; i < t->n && !bad; i++) {
        struct lr_str piece = {"", 0};
        const char *text = lr_token_piece(t->engine, t->ids[i], &piece.len);
        if (text) piece.data = text;
        if (i) bad |= lr_buf_append_char(b, ',');
        bad |= json_write_string(b, piece);
    }
    return bad | lr_buf_append_str(b, LR_STR("]}"));
}

static int write_plain(const struct tokenizing *t, struct lr_buf *b) {
    int bad = 0;
    for (size_t i = 0; i < t->n; i++) bad |= lr_buf_printf(b, "%s%u", i ? " " : "", t->ids[i]);
    return bad;
}

static enum lr_status tokenize(struct tokenizing *t, const struct options *o, struct console *c,
                               struct lr_error *err) {
    struct lr_engine_options eo;
    struct lr_buf b = {0};
    LR_TRY(prompt_read(o, false, &t->prompt, err));
    LR_TRY(engine_options_from(o, c, &eo, err));
    eo.tokenizer_only = true;
    LR_TRY(lr_engine_open(o->model_dir, &eo, &t->engine, err));
    LR_TRY(lr_tokenize(t->engine, t->prompt.text.data, t->prompt.text.len, !o->raw, &t->ids, &t->n, err));
    if (*signals_flag()) return lr_fail(err, LR_EINTERRUPTED, "interrupted");
    int bad = o->json ? write_json(t, &b) : write_plain(t, &b);
    enum lr_status status = console_answer(c, &b, bad, err);
    lr_buf_free(&b);
    return status;
}

enum lr_status tokenize_run(const struct options *o, struct console *c, struct lr_error *err) {
    struct tokenizing t = {0};
    enum lr_status status = tokenize(&t, o, c, err);
    lr_ids_free(t.ids);
    lr_engine_close(t.engine);
    prompt_free(&t.prompt);
    return status;
}
