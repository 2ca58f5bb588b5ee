/* --info, --help and --version: what there is to know without running a model. */
#include "cli/modes.h"

#include "cli/help.h"
#include "base/json_write.h"

struct info_row {
    const char *name, *text; /* text: NULL for a number */
    uint64_t number;
    enum { SHOW_NUMBER, SHOW_BYTES, SHOW_COUNT, SHOW_BOOL, SHOW_TEXT } as;
};
#define INFO_ROWS 16

static void fill_rows(const struct lr_model_info *m, struct info_row rows[INFO_ROWS]) {
    const struct info_row all[INFO_ROWS] = {
        {"family", m->family, 0, SHOW_TEXT},
        {"architecture", m->architecture, 0, SHOW_TEXT},
        {"dtype", m->dtype, 0, SHOW_TEXT},
        {"parameters", NULL, m->parameters, SHOW_COUNT},
        {"weight_bytes", NULL, m->weight_bytes, SHOW_BYTES},
        {"layers", NULL, m->layers, SHOW_NUMBER},
        {"dim", NULL, m->dim, SHOW_NUMBER},
        {"heads", NULL, m->heads, SHOW_NUMBER},
        {"kv_heads", NULL, m->kv_heads, SHOW_NUMBER},
        {"head_dim", NULL, m->head_dim, SHOW_NUMBER},
        {"ffn_dim", NULL, m->ffn_dim, SHOW_NUMBER},
        {"vocab", NULL, m->vocab, SHOW_NUMBER},
        {"max_context", NULL, m->max_context, SHOW_NUMBER},
        {"tied_head", NULL, m->tied_head, SHOW_BOOL},
        {"has_template", NULL, m->has_template, SHOW_BOOL},
        {"has_tokenizer", NULL, m->has_tokenizer, SHOW_BOOL},
    };
    memcpy(rows, all, sizeof all);
}

/* What is kept of the weights, quantised: [{"quant","bytes","path"}]. */
static int write_kept_json(const struct lr_engine *engine, struct lr_buf *b) {
    const char *quant, *path;
    uint64_t bytes;
    int bad = lr_buf_append_str(b, LR_STR(",\"quantised\":["));
    for (size_t i = 0; (path = lr_engine_kept(engine, i, &quant, &bytes)) != NULL; i++) {
        bad |= lr_buf_printf(b, "%s{\"quant\":\"%s\",\"bytes\":%llu,\"path\":", i ? "," : "", quant,
                             (unsigned long long)bytes);
        bad |= json_write_string(b, lr_str_of(path)) | lr_buf_append_char(b, '}');
    }
    return bad | lr_buf_append_char(b, ']');
}

static int write_kept(const struct lr_engine *engine, struct lr_buf *b) {
    const char *quant, *path;
    uint64_t bytes;
    size_t i = 0;
    int bad = 0;
    for (; (path = lr_engine_kept(engine, i, &quant, &bytes)) != NULL; i++)
        bad |= lr_buf_printf(b, "\n%-14s%s, %llu (%.1f MB) in %s", i ? "" : "quantised", quant,
                             (unsigned long long)bytes, (double)bytes / 1048576, path);
    return i ? bad : lr_buf_printf(b, "\n%-14snone kept", "quantised");
}

static int write_json(const struct lr_engine *engine, const struct info_row *rows, struct lr_buf *b) {
    int bad = 0;
    for (size_t i = 0; i < INFO_ROWS; i++) {
        bad |= lr_buf_printf(b, "%s\"%s\":", i ? "," : "{", rows[i].name);
        if (rows[i].as == SHOW_TEXT)
            bad |= json_write_string(b, lr_str_of(rows[i].text ? rows[i].text : ""));
        else if (rows[i].as == SHOW_BOOL)
            bad |= lr_buf_printf(b, rows[i].number ? "true" : "false");
        else
            bad |= lr_buf_printf(b, "%llu", (unsigned long long)rows[i].number);
    }
    return bad | write_kept_json(engine, b) | lr_buf_append_char(b, '}');
}

static int write_value(const struct info_row *row, struct lr_buf *b) {
    switch (row->as) {
    case SHOW_TEXT:
        return lr_buf_printf(b, "%s", row->text ? row->text : "");
    case SHOW_BOOL:
        return lr_buf_printf(b, row->number ? "yes" : "no");
    case SHOW_BYTES:
        return lr_buf_printf(b, "%llu (%.1f MB)", (unsigned long long)row->number,
                             (double)row->number / 1048576);
    case SHOW_COUNT:
        return lr_buf_printf(b, "%llu (%.2f million)", (unsigned long long)row->number,
                             (double)row->number / 1e6);
    default:
        return lr_buf_printf(b, "%llu", (unsigned long long)row->number);
    }
}

static int write_table(const struct lr_engine *engine, const struct info_row *rows, struct lr_buf *b) {
    int bad = 0;
    for (size_t i = 0; i < INFO_ROWS; i++)
        bad |= lr_buf_printf(b, "%s%-14s", i ? "\n" : "", rows[i].name) | write_value(&rows[i], b);
    return bad | write_kept(engine, b);
}

enum lr_status info_run(const struct options *o, struct console *c, struct lr_error *err) {
    struct lr_engine_options eo;
    struct lr_engine *engine;
    struct info_row rows[INFO_ROWS];
    struct lr_buf b = {0};
    LR_TRY(engine_options_from(o, c, &eo, err));
    eo.plan_only = true;
    LR_TRY(lr_engine_open(o->model_dir, &eo, &engine, err));
    struct lr_model_info info = lr_engine_info(engine);
    fill_rows(&info, rows);
    enum lr_status status =
        console_answer(c, &b, o->json ? write_json(engine, rows, &b) : write_table(engine, rows, &b), err);
    lr_buf_free(&b);
    lr_engine_close(engine);
    return status;
}

static enum lr_status print(struct console *c, struct lr_buf *b, int bad, struct lr_error *err) {
    if (!bad) output_write(&c->out, b->data, b->len);
    lr_buf_free(b);
    return bad ? lr_fail_memory(err, "the help", 0) : output_status(&c->out, err);
}

enum lr_status help_run(const struct options *o, struct console *c, struct lr_error *err) {
    struct lr_buf b = {0};
    int bad = help_write(o->mode == MODE_HELP_ALL, &b);
    return print(c, &b, bad, err);
}

enum lr_status version_run(const struct options *o, struct console *c, struct lr_error *err) {
    struct lr_buf b = {0};
    (void)o;
    int bad = help_write_version(c->json, &b);
    return print(c, &b, bad, err);
}
