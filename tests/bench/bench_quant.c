/* Weights quantised and widened again, for scripts/quant_quality.py, and how fast.
 *
 * usage: bench_quant                                    speeds with random bf16 weights, every instruction
 * set bench_quant FORMAT ROWS COLS <f32 >f32         the weights on stdin, as they come back */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/half.h"
#include "kernel/kernel.h"
#include "sys/clock.h"
#include "sys/cpu.h"

static void die(const char *what) {
    fprintf(stderr, "bench_quant: %s\n", what);
    exit(1);
}

static void *room(uint64_t bytes) {
    void *p = malloc(bytes ? bytes : 1);
    if (!p) die("no memory");
    return p;
}

static const struct kernel_table *table(const char *isa) {
    const struct kernel_table *t;
    struct lr_error err;
    if (kernel_select(cpu_features(), isa, &t, &err) != LR_OK) die(err.message);
    return t;
}

static void *room_for(enum quant_format format, uint64_t rows, uint64_t cols) {
    uint64_t bytes;
    if (quant_bytes(format, rows, cols, &bytes)) die("too large");
    return room(bytes);
}

static void quantise(const struct kernel_table *t, enum quant_format format, const struct tensor_view *w,
                     void *out) {
    struct lr_error err;
    if (quant_groups(t, format, w, 0, (w->rows + QUANT_ROWS - 1) / QUANT_ROWS, out, &err) != LR_OK)
        die(err.message);
}

static void round_trip(enum quant_format format, uint64_t rows, uint64_t cols) {
    float *x = room(rows * cols * sizeof *x);
    if (fread(x, cols * sizeof *x, rows, stdin) != rows) die("stdin ends early");
    void *groups = room_for(format, rows, cols);
    quantise(table(NULL), format,
             &(struct tensor_view){.data = x, .dtype = LR_F32, .rows = rows, .cols = cols}, groups);
    for (uint64_t r = 0; r < rows; r++) quant_widen(format, groups, r, cols, x + r * cols);
    if (fwrite(x, cols * sizeof *x, rows, stdout) != rows) die("stdout is closed");
    free(groups);
    free(x);
}

/* Gaussian enough: the sum of four uniform ones. */
static uint16_t random_bf16(uint64_t *state) {
    float sum = 0;
    for (int i = 0; i < 4; i++) {
        *state = *state * 6364136223846793005u + 1442695040888963407u;
        sum += (float)(int32_t)(*state >> 32) * 0x1p-36f;
    }
    return (uint16_t)(bits_of_float(sum) >> 16);
}

static void speeds(uint64_t rows, uint64_t cols) {
    static const char *const names[] = {"generic", "avx2", "avx512"};
    uint16_t *x = room(rows * cols * sizeof *x);
    uint64_t state = 1;
    for (uint64_t i = 0; i < rows * cols; i++) x[i] = random_bf16(&state);
    for (size_t i = 0; i < 3 * QUANT_FORMATS; i++) {
        enum quant_format format = (enum quant_format)(i % QUANT_FORMATS);
        const struct kernel_table *t = table(names[i / QUANT_FORMATS]);
        if (strcmp(t->name, names[i / QUANT_FORMATS]) != 0) continue;
        void *groups = room_for(format, rows, cols);
        double best = 0;
        for (int pass = 0; pass < 5; pass++) {
            double start = clock_now();
            quantise(t, format,
                     &(struct tensor_view){.data = x, .dtype = LR_BF16, .rows = rows, .cols = cols}, groups);
            best = fmax(best, (double)(rows * cols * sizeof *x) / (clock_now() - start));
        }
        printf("%-8s %s: %7.1f MB/s of bf16 quantised, one thread\n", t->name, quant_name(format),
               best * 1e-6);
        free(groups);
    }
    free(x);
}

int main(int argc, char **argv) {
    if (argc == 1) {
        speeds(256, 4096);
        return 0;
    }
    if (argc != 4) die("usage: bench_quant [q8|q4 ROWS COLS]");
    for (enum quant_format f = QUANT_Q8; f < QUANT_FORMATS; f++) {
        if (strcmp(argv[1], quant_name(f)) != 0) continue;
        round_trip(f, strtoull(argv[2], NULL, 10), strtoull(argv[3], NULL, 10));
        return 0;
    }
    die("FORMAT is q8 or q4");
    return 1;
}
