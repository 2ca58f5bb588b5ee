/* values.h - the words of a command line as numbers and sizes. Strict: the whole word, in range, or false.
 * Called by options.c and prompt.c. */
#ifndef LR_CLI_VALUES_H
#define LR_CLI_VALUES_H

#include "cli/options.h"

/* Decimal digits, with a sign where `min` is below 0. */
bool value_int(const char *word, int64_t min, int64_t max, int64_t *out);
bool value_u64(const char *word, uint64_t *out);
/* A finite decimal number; no hexadecimal, "inf" or "nan". */
bool value_real(const char *word, double *out);
/* "8G", "1.5GiB", "512m", "1000000": 1024-based; "60%": above 0, up to 100. */
bool value_size(const char *word, struct option_size *out);
/* "128,512": at least one, each in [min, max]. */
bool value_numbers(const char *word, int64_t min, int64_t max, struct option_numbers *out);
/* "ID=X". */
bool value_bias(const char *word, struct lr_logit_bias *out);
/* The place of `word` in "a|b|c", or -1. */
int value_choice(const char *word, const char *choices);

#endif
