/* bench_load.h - what --bench-load found, and its two forms: a table of 80 columns, and JSON. Measured by
 * bench_load.c, written by bench_load_report.c. */
#ifndef LR_CLI_BENCH_LOAD_H
#define LR_CLI_BENCH_LOAD_H

#include "base/str.h"
#include "run/load_trial.h"

struct load_report {
    uint64_t file_bytes; /* of the weights' files */
    size_t n_files;
    const struct load_trial *runs; /* [n_runs] */
    size_t n_runs;
    double disk_bytes_per_s; /* 0: not known */
};

/* 0, or -1: no memory. */
int load_report_json(struct lr_buf *b, const struct load_report *r);
int load_report_table(struct lr_buf *b, const struct load_report *r);

#endif
