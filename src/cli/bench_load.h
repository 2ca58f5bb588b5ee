/* bench_load.h - what --bench-load found, and its two forms: a table of 80 columns, and JSON. Measured by
 * bench_load.c, written by bench_load_report.c. */
#ifndef LR_CLI_BENCH_LOAD_H
#define LR_CLI_BENCH_LOAD_H

#include "base/str.h"

enum { LOAD_CONFIG, LOAD_TOKENIZER, LOAD_CATALOG, LOAD_PLAN, LOAD_WEIGHTS, LOAD_FIRST_TOKEN, LOAD_PHASES };
/* Their keys, here and in the answer of a generation. */
extern const char *const load_phase_keys[LOAD_PHASES];

struct load_run {
    bool warm;       /* what it was meant to be */
    bool shown;      /* mincore showed that it was */
    double resident; /* the share of the model's files in the page cache when it began */
    double phases[LOAD_PHASES];
    double total_s;      /* from the program's beginning to its first token */
    uint64_t bytes_read; /* the weights that loading and the first pass go through, wherever they come from */
    uint64_t disk_bytes; /* read from disks, as the kernel counts */
    double bytes_per_s;  /* bytes_read in the time of weights and first token */
};

struct load_report {
    uint64_t file_bytes; /* of the weights' files */
    size_t n_files;
    const struct load_run *runs; /* [n_runs] */
    size_t n_runs;
    double disk_bytes_per_s; /* 0: not known */
};

/* 0, or -1: no memory. */
int load_report_json(struct lr_buf *b, const struct load_report *r);
int load_report_table(struct lr_buf *b, const struct load_report *r);

#endif
