/* --quantize-only: quantised weights are made and kept, so that the next run finds them. */
#include "cli/modes.h"

#include "base/json_write.h"

static int write_answer(const struct options *o, const struct lr_model_info *m, struct lr_buf *b) {
    if (!o->json) return lr_buf_printf(b, "%s", m->quant_path ? m->quant_path : "none");
    int bad = lr_buf_printf(b, "{\"quant\":\"%s\",\"bytes\":%llu,\"path\":", m->quant,
                            (unsigned long long)m->weight_bytes);
    bad |=
        m->quant_path ? json_write_string(b, lr_str_of(m->quant_path)) : lr_buf_append_str(b, LR_STR("null"));
    return bad | lr_buf_append_char(b, '}');
}

enum lr_status quantize_run(const struct options *o, struct console *c, struct lr_error *err) {
    struct lr_engine_options eo;
    struct lr_engine *engine;
    struct lr_buf b = {0};
    LR_TRY(engine_options_from(o, c, &eo, err));
    if (eo.quant == LR_QUANT_NONE)
        return lr_fail(err, LR_EUSAGE, "--quantize-only: --quant q8, q4 or auto is wanted");
    eo.quantise_only = true;
    LR_TRY(lr_engine_open(o->model_dir, &eo, &engine, err));
    struct lr_model_info info = lr_engine_info(engine);
    enum lr_status status = console_answer(c, &b, write_answer(o, &info, &b), err);
    lr_buf_free(&b);
    lr_engine_close(engine);
    return status;
}
