/* A byte that says which kind, and any bytes as the file of quantised weights that is kept: what is accepted
 * has every tensor where the file has bytes, in the dtype and shape that the plan counts on. */
#include "sys/file.h"
#include "weights/quantise.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void demand(bool holds) {
    if (!holds) abort();
}

enum { TENSORS = 4 };
static const struct tensor_record records[TENSORS] = {
    {.name = {"matrix", 6}, .dtype = LR_BF16, .rank = 2, .shape = {17, 160}, .bytes = 17 * 160 * 2},
    {.name = {"embedding", 9}, .dtype = LR_BF16, .rank = 2, .shape = {2, 300}, .bytes = 2 * 300 * 2},
    {.name = {"head", 4}, .dtype = LR_BF16, .rank = 2, .shape = {16, 160}, .bytes = 16 * 160 * 2},
    {.name = {"norm", 4}, .dtype = LR_F32, .rank = 1, .shape = {4}, .bytes = 16},
};
static const struct plan_tensor tensors[TENSORS] = {
    {&records[0], WEIGHT_LAYER, 0, false},
    {&records[1], WEIGHT_ROWS, 0, true},
    {&records[2], WEIGHT_ESSENTIAL, 0, true},
    {&records[3], WEIGHT_VECTOR, 0, false},
};

static void check(const struct catalog *c, struct quantise_kind kind, uint64_t size) {
    uint64_t sum = 0;
    demand(c->count == TENSORS);
    for (size_t i = 0; i < TENSORS; i++) {
        const struct tensor_record *want = &records[i], *found = catalog_find(c, want->name);
        demand(found && found->dtype == quantise_dtype(&tensors[i], kind) && found->rank == want->rank);
        demand(memcmp(found->shape, want->shape, sizeof want->shape[0] * want->rank) == 0);
        demand(found->offset <= size && found->bytes <= size - found->offset);
        sum += found->bytes;
    }
    demand(sum == quantise_bytes(tensors, TENSORS, kind));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    struct quantise_kind kind = quantise_kinds[len ? data[0] % QUANTISE_KINDS : 0];
    uint64_t size = len ? len - 1 : 0;
    struct lr_error err;
    struct catalog c;
    char path[64];
    int fd = -1;
    demand(file_unnamed("fuzz", &fd, &err) == LR_OK);
    demand(file_write_at(fd, "fuzz", data + (len > 0), size, 0, &err) == LR_OK);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (quantise_open(path, tensors, TENSORS, kind, &c, &err) == LR_OK) {
        check(&c, kind, size);
        catalog_close(&c);
    } else {
        demand(err.status == LR_EMODEL);
    }
    file_let_go(&fd);
    return 0;
}
