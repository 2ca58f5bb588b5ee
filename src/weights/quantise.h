/* quantise.h - quantises the weights of a model into one file, a safetensors file that any reader opens: the
 * matrices as U8 [groups, bytes of a group] in kernel/quant.h's layout, all else as it was, in the order of
 * use. Memory: some blocks of the source, and of each thread some groups of rows. */
#ifndef LR_WEIGHTS_QUANTISE_H
#define LR_WEIGHTS_QUANTISE_H

#include "kernel/kernel.h"
#include "weights/plan.h"

/* The layout's version: files of another are not taken. */
#define QUANTISE_VERSION 2

/* Into what weights are quantised. */
struct quantise_kind {
    enum quant_format format;
    bool head_q8; /* of q4: the head, and with it an embedding that is the head too, is q8 */
};
#define QUANTISE_KINDS 3
extern const struct quantise_kind quantise_kinds[QUANTISE_KINDS];
const char *quantise_name(struct quantise_kind kind); /* "q8", "q4", "q4+q8" */

struct quantise_job {
    const struct catalog *source;
    const struct disk_file *files;     /* [source->n_files], open, each with the way in which it is read */
    const struct plan_tensor *tensors; /* [n_tensors] of the source, in the order of use */
    size_t n_tensors;
    struct quantise_kind kind;
    const struct kernel_table *kernels;
    struct threads *threads;
    uint64_t memory;    /* bytes that blocks of the source may take */
    const char *origin; /* what the metadata says the file was made from */
    const volatile int *interrupt;
    void (*progress)(void *ctx, uint64_t done, uint64_t all); /* bytes of the source; or NULL */
    void *ctx;
};

/* What becomes of a tensor: LR_Q8, LR_Q4, or its own dtype where it stays. Rows that are looked up one by one
 * are q8 in either format, and q4 is taken where it is the smaller of the two. */
enum lr_dtype quantise_dtype(const struct plan_tensor *t, struct quantise_kind kind);
/* Bytes of all tensors then. */
uint64_t quantise_bytes(const struct plan_tensor *tensors, size_t n, struct quantise_kind kind);

/* Writes the file to `fd`, which is empty and open for writing; `name` stands in messages.
 * LR_EFAILED: the disk is full, or an I/O error; LR_EMODEL: the source is damaged, an element is not finite
 * (tensor, row and column named); LR_EINTERRUPTED. */
enum lr_status quantise_write(const struct quantise_job *job, int fd, const char *name, struct lr_error *err);

/* The catalog of such a file. Its tensors have the names and shapes of the source's. LR_EMODEL where it is
 * not what quantise_write() would have made of them. */
enum lr_status quantise_open(const char *path, const struct plan_tensor *tensors, size_t n,
                             struct quantise_kind kind, struct catalog *out, struct lr_error *err);
/* The same without a file: for a plan. */
enum lr_status quantise_expect(const struct plan_tensor *tensors, size_t n, struct quantise_kind kind,
                               struct catalog *out, struct lr_error *err);

#endif
