/* Any bytes as a .safetensors file: an accepted header covers the data exactly, and where there are fp8
 * weights, the scales that are accepted for them are finite and cover each matrix. */
#include "base/checked.h"
#include "format/safetensors.h"
#include "weights/scales.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

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

static bool has_fp8(const struct st_header *h) {
    for (size_t i = 0; i < h->count; i++)
        if (lr_dtype_is_fp8(h->tensors[i].dtype)) return true;
    return false;
}

/* Every one of them is read here: a sanitizer sees what lies outside. */
static void check_scales(const struct catalog *c) {
    for (size_t i = 0; i < c->count; i++) {
        const struct tensor_record *t = &c->tensors[i];
        const struct tensor_scales *s = t->scales;
        if (!s) continue;
        demand(lr_dtype_is_fp8(t->dtype) && t->rank == 2 && s->block_rows && s->block_cols);
        uint64_t down = (t->shape[0] - 1) / s->block_rows + 1;
        demand((t->shape[1] - 1) / s->block_cols + 1 == s->across);
        for (uint64_t k = 0; k < down * s->across; k++) demand(fabsf(s->values[k]) < KERNEL_MOST_SCALE);
    }
}

/* The bytes as the one file of a model; the blocks are those of its last two bytes. */
static void read_scales(const uint8_t *data, size_t len) {
    char path[32], *shards[] = {path};
    struct model_dir dir = {.shards = shards, .n_shards = 1};
    struct fp8_config config = {.block_rows = 1 + data[len - 1] % 9, .block_cols = 1 + data[len - 2] % 9};
    struct catalog c;
    struct lr_error err;
    int fd = memfd_create("fuzz", 0);
    demand(fd >= 0 && write(fd, data, len) == (ssize_t)len);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (catalog_open(&dir, &c, &err) == LR_OK) {
        enum lr_status status = scales_read(&c, &config, &err);
        demand(status == LR_OK || status == LR_EMODEL);
        if (status == LR_OK) check_scales(&c);
        catalog_close(&c);
    }
    close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    struct st_header h;
    struct lr_error err;
    if (st_header_parse(data, len, len, "fuzz", &h, &err) == LR_OK)
        check(&h);
    else
        demand(err.status == LR_EMODEL && !h.tensors && !h.names);
    if (has_fp8(&h)) read_scales(data, len);
    st_header_close(&h);
    return 0;
}
