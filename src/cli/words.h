/* words.h - a command line as it is made for another process: words one by one, and options said again as
 * they were given. Called by the modes that run the program anew. */
#ifndef LR_CLI_WORDS_H
#define LR_CLI_WORDS_H

#include "cli/options.h"

struct words {
    char **items; /* [count], and a NULL after the last one */
    size_t count, cap;
};

/* 0, or -1: no memory. */
int words_add(struct words *w, const char *word);
/* The options of `group` that were given, with their values. Groups whose options may stand more than once
 * (text and sampling) are not for this. */
int words_add_group(struct words *w, const struct options *o, enum option_group group);
void words_free(struct words *w);

#endif
