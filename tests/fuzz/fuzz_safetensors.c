/* Any bytes as a .safetensors file: an accepted header covers the data exactly. */
#include "base/checked.h"
#include "format/safetensors.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void demand(bool holds) {
    if (!holds) abort();
}

static void check(const struct st_header *h) {
    uint64_t at = h->data_begin;
    for (size_t i = 0; i < h->count; i++) {
        const struct st_tensor *t = &h->tensors[i];
        uint64_t bits = lr_dtype_bits(t->dtype), elements = 1;
        demand(t->rank <= ST_MAX_RANK && t->offset == at);
        for (uint32_t k = 0; k < t->rank; k++)
            demand(t->dtype == LR_OTHER || !lr_mul_u64(elements, t->shape[k], &elements));
        demand((t->dtype == LR_OTHER || elements == 0 || (elements * bits) / 8 == t->bytes) &&
               t->bytes <= h->file_size - at);
        demand(memchr(t->name.data, '\0', t->name.len) == NULL);
        at += t->bytes;
    }
    demand(at == h->file_size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    struct st_header h;
    struct lr_error err;
    if (st_header_parse(data, len, len, "fuzz", &h, &err) == LR_OK)
        check(&h);
    else
        demand(err.status == LR_EMODEL && !h.tensors && !h.names);
    st_header_close(&h);
    return 0;
}
