/* load_trial.h - how long a model takes to its first token, by phase: one trial is this program once more, in
 * a process that begins from nothing, with the model's files out of the page cache or in it. Called by the
 * command line's --bench-load, which says with which words the program runs. */
#ifndef LR_RUN_LOAD_TRIAL_H
#define LR_RUN_LOAD_TRIAL_H

#include "run/load_files.h"

enum { LOAD_CONFIG, LOAD_TOKENIZER, LOAD_CATALOG, LOAD_PLAN, LOAD_WEIGHTS, LOAD_FIRST_TOKEN, LOAD_PHASES };
/* Their keys in the answer of a generation. */
extern const char *const load_phase_keys[LOAD_PHASES];

struct load_trial {
    bool warm;               /* what it was meant to be */
    struct load_cache cache; /* and what was seen when it began */
    double phases[LOAD_PHASES];
    double total_s;      /* from the program's beginning to its first token */
    uint64_t bytes_read; /* the weights that loading and the first pass go through, wherever they come from */
    uint64_t disk_bytes; /* read from disks, as the kernel counts */
    double bytes_per_s;  /* bytes_read in total_s */
    double disk_bytes_per_s; /* of the disk alone, measured anew before a cold trial; 0: not known */
};

/* Makes the files cold or warm, runs the program with `words` (argv, the last one NULL) and takes its answer,
 * which is a generation's with --json. `quiet`: its standard error goes nowhere. Its failure is ours, in its
 * own words; LR_EINTERRUPTED once `*interrupt` (may be NULL) is not 0. */
enum lr_status load_trial_run(const struct load_files *files, bool warm, char *const *words, bool quiet,
                              const volatile int *interrupt, struct load_trial *out, struct lr_error *err);

#endif
