/* store.h - lends tensors to the forward pass. Here every file is mapped read-only and shared and a tensor is
 * used where it lies; nothing above this door assumes so. */
#ifndef LR_WEIGHTS_STORE_H
#define LR_WEIGHTS_STORE_H

#include "kernel/kernel.h"
#include "sys/file.h"
#include "weights/catalog.h"

struct store {
    const struct catalog *catalog;
    struct file_map *maps; /* [catalog->n_files] */
};

/* Maps the catalog's files. The catalog must outlive the store. LR_EMODEL where a file is no longer as its
 * header said. */
enum lr_status store_open(const struct catalog *catalog, struct store *out, struct lr_error *err);
void store_close(struct store *s);

/* The tensor as a matrix: a vector is one row. Until store_give_back the bytes stay. */
struct tensor_view store_lend(struct store *s, const struct tensor_record *t);
void store_give_back(struct store *s, const struct tensor_record *t);
/* Asks for a tensor's bytes ahead of use. */
void store_want(struct store *s, const struct tensor_record *t);
uint64_t store_mapped_bytes(const struct store *s);
/* Bytes of the mapped files that a first pass has to wait for: those that are not in the page cache
 * (estimated). */
uint64_t store_cold_bytes(const struct store *s);

#endif
