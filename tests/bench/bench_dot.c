/* Products against what this machine can do, in one run: decoding against the rate at which all threads read
 * memory, prefill against the peak of one f32 fused multiply-add unit pair and against OpenBLAS.
 *
 * usage: bench_dot [threads] [decode|prefill|both] [isa] (2 threads, both, all). OPENBLAS_CORETYPE in the
 * environment changes OpenBLAS's column. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "bench/reading.h"
#include "kernel/kernel.h"
#include "sys/clock.h"
#include "sys/cpu.h"
#include "sys/threads.h"

#define POOL_BYTES   (1ull << 30) /* far more than any cache; read once a pass */
#define WINDOW_BYTES (64ull << 20)
enum { PASSES = 30, WINDOWS = 60 };

static const enum lr_dtype dtypes[] = {LR_BF16, LR_F16, LR_F32, LR_F8_E4M3};
enum { DTYPES = 4 };

struct bench {
    struct threads *threads;
    char *pool; /* [POOL_BYTES] */
    float *x, *out;
    void *room; /* for prepared activations */
};

static void multiply(struct bench *b, const struct matmul *m, const struct tensor_view *w, size_t n_x) {
    struct matmul_input in;
    matmul_prepare(m, w->dtype, b->x, n_x, w->cols, b->room, &in);
    matmul_run(m, w, NULL, &in, b->out, w->rows);
}

/* Bytes a second of reading, and of decoding with the pool's matrices of this shape: turn by turn over short
 * windows, so that both see the same machine; the best windows. */
static void best_decode(struct bench *b, const struct matmul *m, struct tensor_view w, double *read,
                        double *product) {
    size_t bytes = w.rows * w.cols * lr_dtype_size(w.dtype);
    size_t in_window = bytes < WINDOW_BYTES ? WINDOW_BYTES / bytes : 1, window = in_window * bytes;
    *read = *product = 0;
    for (int i = 0; i < WINDOWS; i++) {
        size_t from = (size_t)i * 2 % (POOL_BYTES / window) * window;
        double start = clock_now();
        for (size_t j = 0; j < in_window; j++) {
            w.data = b->pool + from + j * bytes;
            multiply(b, m, &w, 1);
        }
        double middle = clock_now();
        read_memory(b->threads, b->pool + (POOL_BYTES - from - window), window);
        double end = clock_now();
        *product = fmax(*product, (double)window / (middle - start));
        *read = fmax(*read, (double)window / (end - middle));
    }
}

static void decode(struct bench *b, const struct matmul *m) {
    static const size_t shapes[][2] = {{8192, 2048}, {2048, 8192}, {2048, 2048}, {128256, 2048}};
    for (size_t d = 0; d < DTYPES; d++) {
        for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
            struct tensor_view w = {
                .data = NULL, .dtype = dtypes[d], .rows = shapes[s][0], .cols = shapes[s][1]};
            double read, product;
            if (w.rows * w.cols * lr_dtype_size(w.dtype) > POOL_BYTES) continue;
            best_decode(b, m, w, &read, &product);
            printf("%-10s %-7s [%6zu, %4zu] x 1: %5.1f of %5.1f GB/s, %3.0f %%\n", m->kernels->name,
                   lr_dtype_label(w.dtype), (size_t)w.rows, (size_t)w.cols, product * 1e-9, read * 1e-9,
                   100 * product / read);
        }
    }
}

static double cpu_seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Operations a second of one thread's processor time; the best pass. */
static double best_flops(struct bench *b, const struct matmul *m, struct tensor_view w, size_t n_x) {
    double best = 0;
    for (int i = 0; i < PASSES; i++) {
        double start = cpu_seconds();
        w.data = b->pool + (size_t)i * w.rows * w.cols * 4;
        multiply(b, m, &w, n_x);
        best = fmax(best, 2.0 * (double)(w.rows * w.cols * n_x) / (cpu_seconds() - start));
    }
    return best;
}

static void prefill(struct bench *b, const struct matmul *native, const struct matmul *blas) {
    static const size_t counts[] = {1, 2, 4, 8, 16, 32, 64, 128, 512};
    for (size_t d = 0; d < DTYPES; d++) {
        for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
            struct tensor_view w = {.data = NULL, .dtype = dtypes[d], .rows = 2048, .cols = 2048};
            double own = best_flops(b, native, w, counts[c]);
            double theirs = blas->blas ? best_flops(b, blas, w, counts[c]) : 0;
            printf("%-10s %-7s [2048, 2048] x %3zu: native %6.1f GFLOPS a core, OpenBLAS %6.1f\n",
                   native->kernels->name, lr_dtype_label(w.dtype), counts[c], own * 1e-9, theirs * 1e-9);
        }
    }
}

static void run_table(struct bench *b, const struct kernel_table *t, const char *what) {
    struct lr_error err;
    struct matmul native, blas;
    if (matmul_open(t, b->threads, MATMUL_NATIVE, false, &native, &err) != LR_OK ||
        matmul_take_panels(&native, 8192, &err) != LR_OK ||
        matmul_open(t, b->threads, MATMUL_BLAS, false, &blas, &err) != LR_OK) {
        fprintf(stderr, "%s\n", err.message);
        exit(1);
    }
    if (strcmp(what, "prefill") != 0) decode(b, &native);
    if (strcmp(what, "decode") != 0) prefill(b, &native, &blas);
    matmul_close(&native);
    matmul_close(&blas);
}

int main(int argc, char **argv) {
    static const char *const names[] = {"avx512bf16", "avx512", "avx2", "neon", "generic"};
    struct lr_error err;
    struct bench b = {0};
    const char *what = argc > 2 ? argv[2] : "";
    if (threads_create(argc > 1 ? (uint32_t)atoi(argv[1]) : 2, &b.threads, &err) != LR_OK) return 1;
    b.pool = mmap(NULL, POOL_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    b.x = aligned_alloc(64, 512 * 8192 * sizeof *b.x);
    b.room = aligned_alloc(64, 512 * KERNEL_PREPARED_BYTES(8192));
    b.out = aligned_alloc(64, 512 * 128256 * sizeof *b.out);
    if (b.pool == MAP_FAILED || !b.x || !b.room || !b.out) return 1;
    memset(b.pool, 0x3C, POOL_BYTES); /* small normal numbers in each dtype */
    for (size_t i = 0; i < 512 * 8192; i++) b.x[i] = (float)(i % 7) - 3;
    printf("%u threads\n", threads_count(b.threads));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const struct kernel_table *t;
        if (argc > 3 && strcmp(argv[3], names[i]) != 0) continue;
        if (kernel_select(cpu_features(), names[i], &t, &err) == LR_OK && strcmp(t->name, names[i]) == 0)
            run_table(&b, t, what);
    }
    threads_destroy(b.threads);
    return 0;
}
