/* load_files.h - the files of a model before a start that is measured: dropped from the page cache or read
 * into it, what it then holds of them, and the rate of the disk below them. Called by load_trial.c; opened by
 * the command line, once for all trials. */
#ifndef LR_RUN_LOAD_FILES_H
#define LR_RUN_LOAD_FILES_H

#include "base/error.h"

struct load_files;

/* What the page cache was seen to hold. */
struct load_cache {
    bool shown;      /* mincore showed that the files are as they were to be */
    double resident; /* the share of their bytes that is there */
};

/* LR_EMODEL where there is no configuration or no weights. */
enum lr_status load_files_open(const char *model_dir, struct load_files **out, struct lr_error *err);
void load_files_close(struct load_files *f); /* NULL: nothing */
/* The files of weights: how many, and their bytes. */
size_t load_files_weights(const struct load_files *f, uint64_t *bytes);

/* Each of these leaves what is left to do once `*interrupt` (may be NULL) is not 0, without a failure. */

/* Out of the page cache, tried more than once: a page may have been in use a moment ago. */
enum lr_status load_files_cool(const struct load_files *f, const volatile int *interrupt,
                               struct load_cache *out, struct lr_error *err);
/* Into it; files that memory does not hold are not read in vain. */
enum lr_status load_files_warm(const struct load_files *f, const volatile int *interrupt,
                               struct load_cache *out, struct lr_error *err);
/* The disk alone, by sys/probe with the largest file, dropped before (0.3 s); 0: not known. */
enum lr_status load_files_probe(const struct load_files *f, const volatile int *interrupt,
                                double *bytes_per_s, struct lr_error *err);

#endif
