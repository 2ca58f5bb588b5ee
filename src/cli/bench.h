/* bench.h - what --bench found, and its two forms: tables of 80 columns, and JSON. Measured by bench.c,
 * written by bench_report.c. */
#ifndef LR_CLI_BENCH_H
#define LR_CLI_BENCH_H

#include "base/str.h"
#include "run/bench.h"

struct bench_report {
    const char *model; /* as it was named on the command line */
    struct lr_model_info info;
    struct bench_machine machine;
    const struct bench_result *results; /* [n_results] */
    size_t n_results;
    bool watched; /* operations and limits are known */
    struct machine_limits limits;
};

/* 0, or -1: no memory. */
int bench_report_json(struct lr_buf *b, const struct bench_report *r);
int bench_report_table(struct lr_buf *b, const struct bench_report *r);

#endif
