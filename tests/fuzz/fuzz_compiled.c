/* A compiled tokenizer in which bytes were exchanged: each four of the input are a place (three, the lowest
 * first) and what stands there. The hash is made to fit again unless the first byte is 0: where the rest is
 * taken, it must encode and decode. An input that begins with 255 is the whole file. */
#include "small_tokenizers.h"
#include "text/compiled.h"
#include "use_tokenizer.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct tokenizer_id source = {1, 2};

static enum lr_status append(void *file, struct lr_str piece, struct lr_error *err) {
    (void)err;
    return lr_buf_append_str(file, piece) ? LR_EMEMORY : LR_OK;
}

static const struct lr_buf *whole(void) {
    static struct lr_buf file;
    struct lr_str rest =
        LR_STR("{\"version\":\"1.0\",\"model\":{\"type\":\"BPE\",\"byte_fallback\":true,\"ignore_"
               "merges\":true},\"added_tokens\":[{\"content\":\"<s>\",\"special\":true}]}");
    if (!file.len && tokenizer_compile(small_tokenizer(0), rest, source, "fuzz", append, &file, NULL))
        __builtin_trap();
    return &file;
}

static void seal(struct lr_str file) {
    struct lr_str parts[COMPILED_PARTS];
    struct compiled_facts facts;
    if (compiled_find(file, "fuzz", parts, NULL) || parts[COMPILED_FACTS].len != sizeof facts) return;
    char *at = (char *)(uintptr_t)parts[COMPILED_FACTS].data;
    memcpy(&facts, at, sizeof facts);
    facts.hash = compiled_hash(&facts, parts);
    memcpy(at, &facts, sizeof facts);
}

static void try_file(struct lr_str file) {
    struct tokenizer *t;
    struct lr_error err;
    if (tokenizer_open_compiled(file, "fuzz", source, "fuzz.json", &t, &err) == LR_OK)
        use_tokenizer(t);
    else if (!err.message[0] || t)
        __builtin_trap();
    tokenizer_close(t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const struct lr_buf *base = whole();
    bool raw = size && data[0] == 255;
    struct lr_str file = {NULL, raw ? size - 1 : base->len};
    char *copy = malloc(file.len + 1);
    if (!copy) return 0;
    file.data = copy;
    memcpy(copy, raw ? (const char *)data + 1 : base->data, file.len);
    for (size_t i = 1; !raw && i + 4 <= size; i += 4)
        copy[(data[i] | (size_t)data[i + 1] << 8 | (size_t)data[i + 2] << 16) % file.len] = (char)data[i + 3];
    if (!size || data[0]) seal(file);
    try_file(file);
    free(copy);
    return 0;
}
