/* Any ids are decoded, all at once, one by one, and on from some that stand before: the same text, valid
 * UTF-8. Two bytes make an id. */
#include "small_tokenizers.h"
#include "text/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void stream(const struct tokenizer *t, const struct token_list *ids, struct lr_buf *out) {
    struct token_stream *s;
    struct lr_error err;
    if (token_stream_open(t, &s, &err)) __builtin_trap();
    for (size_t i = 0; i < ids->count; i++) {
        if (token_stream_push(s, ids->ids[i], out, &err)) __builtin_trap();
        if (out->len && utf8_valid_length(lr_buf_str(out)) != out->len) __builtin_trap();
    }
    if (token_stream_end(s, out, &err)) __builtin_trap();
    token_stream_close(s);
}

/* The first ids are taken as read, the rest is decoded after them: whole characters at every step. */
static void stream_on(const struct tokenizer *t, const struct token_list *ids, size_t before) {
    struct token_stream *s;
    struct lr_buf out = {0};
    struct lr_error err;
    if (token_stream_open(t, &s, &err)) __builtin_trap();
    if (token_stream_continue(s, ids->ids, before, &err)) __builtin_trap();
    for (size_t i = before; i < ids->count; i++) {
        if (token_stream_push(s, ids->ids[i], &out, &err)) __builtin_trap();
        if (out.len && utf8_valid_length(lr_buf_str(&out)) != out.len) __builtin_trap();
    }
    if (token_stream_end(s, &out, &err)) __builtin_trap();
    if (out.len && utf8_valid_length(lr_buf_str(&out)) != out.len) __builtin_trap();
    token_stream_close(s);
    lr_buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct token_list ids = {0};
    struct lr_buf whole = {0}, parts = {0};
    struct lr_error err;
    if (!size || size > 400) return 0;
    const struct tokenizer *t = small_tokenizer(data[0]);
    for (size_t i = 1; i + 1 < size; i += 2)
        if (token_list_push(&ids, ((uint32_t)data[i] << 8 | data[i + 1]) % (tokenizer_size(t) + 2)))
            __builtin_trap();
    if (tokenizer_decode(t, ids.ids, ids.count, true, &whole, &err)) __builtin_trap();
    stream(t, &ids, &parts);
    if (ids.count) stream_on(t, &ids, data[0] / SMALL_TOKENIZERS % ids.count);
    if (whole.len != parts.len || (whole.len && memcmp(whole.data, parts.data, whole.len) != 0))
        __builtin_trap();
    token_list_free(&ids);
    lr_buf_free(&whole);
    lr_buf_free(&parts);
    return 0;
}
