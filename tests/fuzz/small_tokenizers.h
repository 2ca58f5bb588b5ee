/* Tokenizers made once for the fuzz targets of encoding and decoding: the first byte of an input chooses one.
 */
#ifndef LR_TESTS_FUZZ_SMALL_TOKENIZERS_H
#define LR_TESTS_FUZZ_SMALL_TOKENIZERS_H

#include "text/tokenizer.h"

#define SMALL_TOKENIZERS 6u

static const struct tokenizer *small_tokenizer(unsigned which) {
    static const char *const folders[SMALL_TOKENIZERS] = {
        "bpe_llama3",         "bpe_gemma", "bpe_added", "bpe_metaspace_first", "unigram_byte_fallback",
        "unigram_precompiled"};
    static struct tokenizer *made[SMALL_TOKENIZERS];
    which %= SMALL_TOKENIZERS;
    if (!made[which]) {
        struct lr_buf path = {0};
        struct lr_error err;
        lr_buf_printf(&path, "tests/golden/tokenizers/%s/tokenizer.json", folders[which]);
        struct tokenizer_files files = {.json = path.data};
        if (tokenizer_open(&files, &made[which], &err)) __builtin_trap();
        lr_buf_free(&path);
    }
    return made[which];
}

#endif
