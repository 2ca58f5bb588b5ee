/* safetensors.h - writes small .safetensors files for tests. */
#ifndef LR_TESTS_SUPPORT_SAFETENSORS_H
#define LR_TESTS_SUPPORT_SAFETENSORS_H

#include <stddef.h>
#include <stdint.h>

struct support_tensor {
    const char *name;
    const char *dtype; /* as the file writes it: "BF16" */
    uint32_t rank;
    uint64_t shape[4];
    const void *data; /* [bytes]; NULL: zeros */
    size_t bytes;
};

/* Writes tensors one after another in the order given. The header is padded with blanks until its length is
 * `mod8` mod 8, so that the data begins at any byte wanted. */
void support_write_safetensors(const char *folder, const char *name, const struct support_tensor *tensors,
                               size_t n, unsigned mod8);

/* Writes header text and data as they are; `length` is what the first eight bytes say. */
void support_write_raw_safetensors(const char *folder, const char *name, uint64_t length, const char *header,
                                   const void *data, size_t data_len);

#endif
