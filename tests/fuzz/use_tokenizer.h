/* What a tokenizer that was opened from hostile bytes must survive. */
#ifndef LR_TESTS_FUZZ_USE_TOKENIZER_H
#define LR_TESTS_FUZZ_USE_TOKENIZER_H

#include "text/tokenizer.h"

static void use_tokenizer(const struct tokenizer *t) {
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

#endif
