/* Decoding token by token. A window of the last ids is decoded anew for each token, and what its text has
 * grown by is given out; the ids before the new ones are there so that "first piece" rules do not strike
 * again. */
#include "base/mem.h"
#include "text/internal.h"

#define WINDOW_MOST 16u /* ids; beyond it the window is cut back */
#define WINDOW_KEPT 4u  /* ids that stay: four bytes at least, more than any cut character */
#define REPLACEMENT "\xEF\xBF\xBD"

struct token_stream {
    const struct tokenizer *tokenizer;
    struct token_list window;
    struct lr_buf text; /* of the window */
    size_t given;       /* bytes of it that were given out */
    size_t closed;      /* ids at the window's end that are bytes of characters which stood before */
};

enum lr_status token_stream_open(const struct tokenizer *t, struct token_stream **out, struct lr_error *err) {
    *out = lr_calloc(1, sizeof **out);
    if (!*out) return lr_fail_memory(err, "a stream of text", sizeof **out);
    (*out)->tokenizer = t;
    return LR_OK;
}

void token_stream_close(struct token_stream *s) {
    if (!s) return;
    token_list_free(&s->window);
    lr_buf_free(&s->text);
    lr_free(s);
}

static enum lr_status decode_window(struct token_stream *s, struct lr_error *err) {
    s->text.len = 0;
    return tokenizer_decode(s->tokenizer, s->window.ids, s->window.count, true, &s->text, err);
}

/* A character that is cut at the end of the text reads as one U+FFFD there: it may still become whole. */
static size_t certain_length(const struct token_stream *s) {
    struct lr_str text = lr_buf_str(&s->text), mark = LR_STR(REPLACEMENT);
    return text.len >= mark.len && lr_str_ends(text, mark) ? text.len - mark.len : text.len;
}

static enum lr_status give_up_to(struct token_stream *s, size_t end, struct lr_buf *out,
                                 struct lr_error *err) {
    if (end <= s->given) return LR_OK;
    if (lr_buf_append(out, s->text.data + s->given, end - s->given))
        return lr_fail_memory(err, "decoded text", end - s->given);
    s->given = end;
    return LR_OK;
}

/* Cuts the window back to its last ids; what of their text was given out already is known from the end. */
static enum lr_status shorten(struct token_stream *s, struct lr_error *err) {
    if (s->window.count < WINDOW_MOST) return LR_OK;
    size_t held = s->text.len - s->given, gone = s->window.count - WINDOW_KEPT;
    memmove(s->window.ids, s->window.ids + gone, WINDOW_KEPT * sizeof *s->window.ids);
    s->window.count = WINDOW_KEPT;
    LR_TRY(decode_window(s, err));
    s->given = s->text.len > held ? s->text.len - held : 0;
    return LR_OK;
}

static bool waits(const struct token_stream *s, uint32_t id) {
    return decoder_waits_for(tokenizer_decoder(s->tokenizer), tokenizer_piece(s->tokenizer, id));
}

/* Bytes that come after those of a text before are characters of their own: decoded in one run with them,
 * they could make invalid what was said. */
static enum lr_status part_runs(struct token_stream *s, uint32_t id, struct lr_error *err) {
    size_t closed = s->closed;
    s->closed = 0;
    if (!closed || !waits(s, id)) return LR_OK;
    s->window.count -= closed;
    LR_TRY(decode_window(s, err));
    s->given = s->text.len;
    return LR_OK;
}

enum lr_status token_stream_push(struct token_stream *s, uint32_t id, struct lr_buf *out,
                                 struct lr_error *err) {
    if (!tokenizer_has(s->tokenizer, id) || tokenizer_is_special(s->tokenizer, id)) return LR_OK;
    LR_TRY(part_runs(s, id, err));
    if (token_list_push(&s->window, id))
        return lr_fail_memory(err, "a stream of text", s->window.count * sizeof id);
    if (waits(s, id)) return LR_OK;
    LR_TRY(decode_window(s, err));
    LR_TRY(give_up_to(s, certain_length(s), out, err));
    return shorten(s, err);
}

enum lr_status token_stream_end(struct token_stream *s, struct lr_buf *out, struct lr_error *err) {
    LR_TRY(decode_window(s, err));
    LR_TRY(give_up_to(s, s->text.len, out, err));
    s->window.count = s->text.len = s->given = s->closed = 0;
    return LR_OK;
}

enum lr_status token_stream_continue(struct token_stream *s, const uint32_t *ids, size_t n,
                                     struct lr_error *err) {
    struct lr_buf before = {0};
    enum lr_status status = LR_OK;
    for (size_t i = 0; i < n && status == LR_OK; i++) status = token_stream_push(s, ids[i], &before, err);
    lr_buf_free(&before);
    if (status == LR_OK) status = decode_window(s, err);
    s->given = s->text.len;
    if (certain_length(s) < s->text.len) s->window.count = s->text.len = s->given = 0; /* a cut character */
    while (s->closed < s->window.count && waits(s, s->window.ids[s->window.count - 1 - s->closed]))
        s->closed++;
    return status;
}
