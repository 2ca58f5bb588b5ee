/* prompt.h - where the text or the ids come from: the command line, a file, standard input. Called by the
 * modes. */
#ifndef LR_CLI_PROMPT_H
#define LR_CLI_PROMPT_H

#include "cli/options.h"

struct prompt {
    struct lr_buf text; /* as it came */
    uint32_t *ids;      /* [n_ids], with --ids */
    size_t n_ids, cap;
};

/* Reads the prompt; with `drop_newline` one final newline of a file or of standard input is left out.
 * LR_EUSAGE: nothing given on a terminal, or what --ids was given is not ids; LR_EMODEL: the file cannot be
 * read. */
enum lr_status prompt_read(const struct options *o, bool drop_newline, struct prompt *out,
                           struct lr_error *err);
void prompt_free(struct prompt *p);

#endif
