/* tokenizer.json from bytes; where it loads, it must encode and decode. */
#include "use_tokenizer.h"

#include <stddef.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct tokenizer *t;
    struct lr_error err;
    if (tokenizer_parse((const char *)data, size, "fuzz.json", &t, &err) == LR_OK)
        use_tokenizer(t);
    else if (!err.message[0] || t)
        __builtin_trap();
    else
        return 0;
    tokenizer_close(t);
    return 0;
}
