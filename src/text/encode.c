#include "text/interrupt.h"
#include "text/tokenizer_parts.h"
#include "text/utf8.h"

/* One call of tokenizer_encode. */
struct encoding {
    const struct tokenizer *t;
    struct lr_buf repaired, normal;
    struct piece_list pieces;
    struct bpe_scratch scratch;
    struct token_list *out;
};

static enum lr_status push(struct encoding *e, uint32_t id, struct lr_error *err) {
    if (token_list_push(e->out, id) == 0) return LR_OK;
    return lr_fail_memory(err, "ids", e->out->cap * sizeof id);
}

static enum lr_status encode_piece(struct encoding *e, struct lr_str piece, struct lr_error *err) {
    if (e->t->bpe) return bpe_encode(e->t->bpe, piece, &e->scratch, e->out, err);
    return unigram_encode(e->t->unigram, piece, e->out, err);
}

/* Normal text without added tokens. */
static enum lr_status encode_plain(struct encoding *e, struct lr_str text, bool first, struct lr_error *err) {
    if (!text.len) return LR_OK;
    if (!e->t->pretokenizer) return encode_piece(e, text, err);
    e->pieces.count = e->pieces.text.len = 0;
    LR_TRY(pretokenizer_apply(e->t->pretokenizer, text, first, &e->pieces, err));
    for (size_t i = 0; i < e->pieces.count; i++) {
        struct piece_span span = e->pieces.spans[i];
        LR_TRY(interrupt_check(e->out->interrupt, err));
        LR_TRY(encode_piece(e, (struct lr_str){e->pieces.text.data + span.begin, span.len}, err));
    }
    return LR_OK;
}

static enum lr_status encode_text(struct encoding *e, struct lr_str text, bool normalized, bool first,
                                  struct lr_error *err);

/* What stands between the tokens found in the raw text (not `normalized`), or in the normal text. */
static enum lr_status encode_between(struct encoding *e, struct lr_str text, bool normalized, bool first,
                                     struct lr_error *err) {
    if (!text.len) return LR_OK;
    if (normalized) return encode_plain(e, text, first, err);
    if (!e->t->normalizer) return encode_text(e, text, true, first, err);
    e->normal.len = 0;
    LR_TRY(normalizer_apply(e->t->normalizer, text, &e->normal, first ? &first : NULL, err));
    return e->normal.len ? encode_text(e, lr_buf_str(&e->normal), true, first, err) : LR_OK;
}

static enum lr_status encode_text(struct encoding *e, struct lr_str text, bool normalized, bool first,
                                  struct lr_error *err) {
    struct added_search s = {0};
    while (added_next(&e->t->added, normalized, text, &s)) {
        struct lr_str before = {text.data + s.done, s.begin > s.done ? s.begin - s.done : 0};
        LR_TRY(encode_between(e, before, normalized, first && s.done == 0, err));
        LR_TRY(push(e, e->t->added.tokens[s.number].id, err));
        s.done = s.end;
    }
    return encode_between(e, lr_str_from(text, s.done), normalized, first && s.done == 0, err);
}

static enum lr_status encode_all(struct encoding *e, struct lr_str text, bool specials,
                                 struct lr_error *err) {
    const struct post *post = &e->t->post;
    if (utf8_valid_length(text) < text.len) {
        if (utf8_repair(text, &e->repaired)) return lr_fail_memory(err, "the text", text.len);
        text = lr_buf_str(&e->repaired);
    }
    e->scratch.text_len = text.len;
    for (size_t i = 0; specials && i < post->before.count; i++) LR_TRY(push(e, post->before.ids[i], err));
    if (text.len) LR_TRY(encode_text(e, text, false, true, err));
    for (size_t i = 0; specials && i < post->behind.count; i++) LR_TRY(push(e, post->behind.ids[i], err));
    return LR_OK;
}

enum lr_status tokenizer_encode(const struct tokenizer *t, struct lr_str text, bool specials,
                                struct token_list *out, struct lr_error *err) {
    struct encoding e = {.t = t, .pieces = {.interrupt = out->interrupt}, .out = out};
    enum lr_status status = encode_all(&e, text, specials, err);
    lr_buf_free(&e.repaired);
    lr_buf_free(&e.normal);
    piece_list_free(&e.pieces);
    bpe_scratch_free(&e.scratch);
    return status;
}
