/* tokenizer.json from bytes; where it loads, it must encode and decode. */
#include "text/tokenizer.h"

#include <stddef.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void use(const struct tokenizer *t) {
    static const char text[] = "Hello <s> caf\xC3\xA9 12345\n\n  don't \xE4\xB8\xAD\xF0\x9F\x99\x82 ";
    struct token_list ids = {0};
    struct lr_buf out = {0};
    struct lr_error err;
    if (tokenizer_encode(t, LR_STR(text), true, &ids, &err) == LR_OK) {
        for (size_t i = 0; i < ids.count; i++) {
            struct lr_str piece = tokenizer_piece(t, ids.ids[i]);
            if (piece.len) tokenizer_find(t, piece);
        }
        tokenizer_decode(t, ids.ids, ids.count, true, &out, &err);
    }
    lr_buf_free(&out);
    token_list_free(&ids);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct tokenizer *t;
    struct lr_error err;
    if (tokenizer_parse((const char *)data, size, "fuzz.json", &t, &err) == LR_OK)
        use(t);
    else if (!err.message[0] || t)
        __builtin_trap();
    else
        return 0;
    tokenizer_close(t);
    return 0;
}
