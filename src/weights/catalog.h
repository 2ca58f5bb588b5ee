/* catalog.h - which tensors a model directory holds, and where their bytes lie.
 * Built once from the safetensors headers, and scales_read(); read-only afterwards; owns the file names and
 * the scales of fp8 weights, no other weight data. */
#ifndef LR_WEIGHTS_CATALOG_H
#define LR_WEIGHTS_CATALOG_H

#include "format/model_dir.h"
#include "format/safetensors.h"
#include "kernel/kernel.h"

struct tensor_record {
    struct lr_str name; /* as in the file */
    enum lr_dtype dtype;
    char other[ST_OTHER_DTYPE]; /* the dtype's name where it is LR_OTHER */
    uint32_t rank;
    uint64_t shape[ST_MAX_RANK];
    uint32_t file;   /* index into catalog.files */
    uint64_t offset; /* of the first byte in that file */
    uint64_t bytes;
    const struct tensor_scales *scales; /* of an fp8 matrix: weights/scales.h; NULL: none */
    bool is_scale;                      /* its values are another's scales */
};

struct catalog_file {
    char *path;
    uint64_t size;
    char *names; /* the block that the names of its tensors lie in */
};

struct catalog {
    struct tensor_record *tensors; /* [count], sorted by name */
    size_t count;
    struct catalog_file *files; /* [n_files] */
    size_t n_files;
    char *made_names; /* of a catalog without files */
    size_t made_bytes;
    uint64_t total_bytes;         /* of all tensors */
    struct tensor_scales *scales; /* [fp8 matrices that have some], and what they hold */
    float *scale_values;
};

/* Reads every shard's header. Checks: no name twice across shards; with an index, its weight_map and the
 * headers agree in both directions (LR_EMODEL names the tensor and both files). */
enum lr_status catalog_open(const struct model_dir *dir, struct catalog *out, struct lr_error *err);
void catalog_close(struct catalog *c);

/* A catalog that no file stands behind is built tensor by tensor (for a plan before the download): room for
 * `count` records and `name_bytes` of their names, then each with its shape (cols 0: a vector), then sorted.
 */
enum lr_status catalog_make(size_t count, size_t name_bytes, struct catalog *out, struct lr_error *err);
void catalog_add(struct catalog *c, struct lr_str name, enum lr_dtype dtype, uint64_t rows, uint64_t cols);
void catalog_sort(struct catalog *c);

/* The record called `name`, or NULL. O(log n). */
const struct tensor_record *catalog_find(const struct catalog *c, struct lr_str name);
/* The same, to be changed. */
struct tensor_record *catalog_record(struct catalog *c, struct lr_str name);

#endif
