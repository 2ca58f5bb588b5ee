/* bench.h - how fast a model reads prompts and generates: tests that are run some times, after one time that
 * does not count. The tokens are the same in every run. For --bench. */
#ifndef LR_RUN_BENCH_H
#define LR_RUN_BENCH_H

#include "base/error.h"
#include "run/limits.h"

#define BENCH_PROMPT 8u /* tokens that are read before some are generated */

/* Reads a prompt of n_prompt tokens from an empty KV cache on, or generates n_gen: one of them is 0. */
struct bench_test {
    uint32_t n_prompt, n_gen;
};
struct bench_result {
    struct bench_test test;
    double *samples; /* [n_samples] tokens per second */
    size_t n_samples;
    struct operations operations; /* of one more run, where that was asked for; else no passes */
};

/* Positions that it takes. */
uint32_t bench_positions(struct bench_test test);
/* "pp128", "tg32". */
struct bench_name {
    char text[16];
};
struct bench_name bench_name(struct bench_test test);

/* Runs a test `repeat` times in `session`, which is greedy and has room for it; `watch`: and once more, with
 * the time of each operation. To be freed whatever is returned. */
enum lr_status bench_run(struct lr_session *session, struct bench_test test, uint32_t repeat, bool watch,
                         struct bench_result *out, struct lr_error *err);
void bench_result_free(struct bench_result *r);

double bench_mean(const double *x, size_t n);
/* Of a sample (n - 1); 0 for one. */
double bench_deviation(const double *x, size_t n);

/* What the figures were taken with; texts live as long as the engine, or for ever. */
struct bench_machine {
    char processor[64];
    uint32_t threads;
    const char *isa, *matmul;
};
enum lr_status bench_machine(const struct lr_engine *e, struct bench_machine *out, struct lr_error *err);
/* The rate of the disk that streamed weights come from, for limits; 0 where none do. */
double bench_disk_rate(const struct lr_engine *e);

#endif
