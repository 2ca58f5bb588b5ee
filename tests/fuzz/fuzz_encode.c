/* Any bytes are encoded: no failure, ids that exist (a post-processor's own ids need not), and the same ids
 * once invalid UTF-8 is repaired. */
#include "small_tokenizers.h"
#include "text/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct token_list ids = {0}, again = {0};
    struct lr_buf repaired = {0};
    struct lr_error err;
    if (!size) return 0;
    const struct tokenizer *t = small_tokenizer(data[0]);
    struct lr_str text = {(const char *)data + 1, size - 1};
    if (tokenizer_encode(t, text, data[0] & 0x80, &ids, &err)) __builtin_trap();
    for (size_t i = 0; i < ids.count && !(data[0] & 0x80); i++)
        if (!tokenizer_piece(t, ids.ids[i]).len) __builtin_trap();
    if (utf8_repair(text, &repaired)) __builtin_trap();
    struct lr_str whole = repaired.len ? lr_buf_str(&repaired) : LR_STR("");
    if (utf8_valid_length(whole) != whole.len) __builtin_trap();
    if (tokenizer_encode(t, whole, data[0] & 0x80, &again, &err)) __builtin_trap();
    if (again.count != ids.count) __builtin_trap();
    if (ids.count && memcmp(ids.ids, again.ids, ids.count * sizeof *ids.ids) != 0) __builtin_trap();
    token_list_free(&ids);
    token_list_free(&again);
    lr_buf_free(&repaired);
    return 0;
}
