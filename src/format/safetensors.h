/* safetensors.h - the header of one .safetensors file, checked as hostile input. No tensor data is read here.
 *
 * File: 8 bytes little-endian header length n, n bytes of JSON {"name": {"dtype", "shape", "data_offsets":
 * [begin, end]}, "__metadata__": {text: text}}, then data. Checked: n at most 100 MB and inside the file;
 * JSON depth; names unique; shape x dtype = end - begin, where the dtype is known; sorted by offset the
 * tensors are contiguous from 0 to the end of the file. Zero-size tensors, `shape: []` and blank padding are
 * legal; data may begin at any byte. (https://github.com/huggingface/safetensors, "Format") */
#ifndef LR_FORMAT_SAFETENSORS_H
#define LR_FORMAT_SAFETENSORS_H

#include "base/dtype.h"
#include "base/error.h"

#define ST_MAX_RANK    8
#define ST_OTHER_DTYPE 16
#define ST_MAX_HEADER  (UINT64_C(100) * 1000 * 1000)

struct st_tensor {
    struct lr_str name;
    enum lr_dtype dtype;
    char other[ST_OTHER_DTYPE]; /* the dtype's name, perhaps cut, where it is LR_OTHER */
    uint32_t rank;
    uint64_t shape[ST_MAX_RANK];
    uint64_t offset; /* of its first byte from the start of the file */
    uint64_t bytes;
};

struct st_header {
    struct st_tensor *tensors; /* [count], sorted by offset */
    size_t count;
    uint64_t data_begin, file_size;
    char *names; /* one block that the tensors' names lie in */
};

/* Parses a header from the first bytes of a file: `data` holds `len` bytes of a file of `file_size`; `name`
 * stands in messages. A Git LFS pointer in place of data is named for what it is. LR_EMODEL for damage. */
enum lr_status st_header_parse(const uint8_t *data, uint64_t len, uint64_t file_size, const char *name,
                               struct st_header *out, struct lr_error *err);
/* Reads the header of the file at `path` (only the header's bytes are read). */
enum lr_status st_header_open(const char *path, struct st_header *out, struct lr_error *err);
void st_header_close(struct st_header *h);

#endif
