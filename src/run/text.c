/* Text and ids through an engine's tokenizer. */
#include "base/log.h"
#include "base/mem.h"
#include "run/engine.h"
#include "text/utf8.h"

/* A text that is changed before it is read is told of. */
static void warn_of_bad_bytes(struct lr_str text) {
    size_t first, count = utf8_bad_bytes(text, &first);
    if (count)
        lr_log(LR_LOG_WARN, "%s byte%s not UTF-8 (the first at byte %s): read as U+FFFD",
               lr_commas(count).text, count == 1 ? " is" : "s are", lr_commas(first).text);
}

enum lr_status lr_tokenize(const struct lr_engine *e, const char *text, size_t len, bool specials,
                           uint32_t **ids, size_t *n_ids, struct lr_error *err) {
    const struct tokenizer *t;
    LR_TRY(engine_tokenizer(e, &t, err));
    struct token_list list = {.interrupt = e->options.interrupt};
    warn_of_bad_bytes((struct lr_str){text, len});
    enum lr_status status = tokenizer_encode(t, (struct lr_str){text, len}, specials, &list, err);
    if (status != LR_OK) {
        token_list_free(&list);
        return status;
    }
    *ids = list.ids;
    *n_ids = list.count;
    return LR_OK;
}

void lr_ids_free(uint32_t *ids) {
    lr_free(ids);
}

enum lr_status lr_detokenize(const struct lr_engine *e, const uint32_t *ids, size_t n_ids, char **text,
                             size_t *len, struct lr_error *err) {
    const struct tokenizer *t;
    LR_TRY(engine_tokenizer(e, &t, err));
    struct lr_buf buf = {0};
    enum lr_status status = tokenizer_decode(t, ids, n_ids, true, &buf, err);
    if (status == LR_OK && lr_buf_append(&buf, "", 0)) status = lr_fail_memory(err, "decoded text", 1);
    if (status != LR_OK) {
        lr_buf_free(&buf);
        return status;
    }
    *text = buf.data;
    *len = buf.len;
    return LR_OK;
}

void lr_text_free(char *text) {
    lr_free(text);
}

const char *lr_token_piece(const struct lr_engine *e, uint32_t id, size_t *len) {
    struct lr_str piece = e->tokenizer ? tokenizer_piece(e->tokenizer, id) : (struct lr_str){0};
    *len = piece.len;
    return piece.len ? piece.data : NULL;
}
