/* blas.h - OpenBLAS for kernel/matmul.c: called single-threaded inside the project's own threads.
 *
 * The library is loaded when it is first wanted, not linked: from its start-up on it keeps 128 MiB of address
 * space for each processor, and where a limit leaves no room for that it waits for ever, before main(). */
#ifndef LR_KERNEL_BLAS_H
#define LR_KERNEL_BLAS_H

#include "kernel/kernel.h"

struct blas;

/* Loads OpenBLAS, allocates a panel for each thread and touches OpenBLAS's own buffers with one call a
 * thread. *out is NULL, and a warning is logged, where the library is not installed or a limit leaves no
 * room. */
enum lr_status blas_open(const struct kernel_table *kernels, struct threads *threads, struct blas **out,
                         struct lr_error *err);
void blas_close(struct blas *b);
/* Bytes of memory that blas_open takes for so many threads. */
uint64_t blas_memory(uint32_t threads);

/* Which OpenBLAS there is, in a few words; "no OpenBLAS" where none can be loaded. */
void blas_describe(char *out, size_t size);

/* How many rows of `w` make one task; 0 where the shape is not for OpenBLAS. */
size_t blas_piece(const struct tensor_view *w, size_t n_x);
/* out[m * ld_out + r] = x[m, :] . w[r, :] for rows [first, first + n), n <= blas_piece(); x [n_x, w->cols].
 */
void blas_rows(const struct blas *b, uint32_t thread, const struct tensor_view *w, size_t first, size_t n,
               const float *x, size_t n_x, float *out, size_t ld_out);

#endif
