/* output.h - standard output, byte for byte and unbuffered: text appears as it is made.
 *
 * A reader that went away (`| head`) is no failure: output_closed() says so, and the program ends with 0.
 * Called by the modes. */
#ifndef LR_CLI_OUTPUT_H
#define LR_CLI_OUTPUT_H

#include "base/error.h"
#include "base/str.h"

struct output {
    int error; /* errno of the write that failed; nothing is written after it */
    char last; /* the last byte written, 0 before the first */
};

/* False when the bytes could not be written, now or before. */
bool output_write(struct output *o, const char *data, size_t len);
/* A newline where a person reads the text: on a terminal, and when the text did not end with one. */
void output_end_text(struct output *o);
/* Whether a line on standard error would be glued to the text: both go to one place (`> log 2>&1`). */
bool output_shares_line(const struct output *o);
bool output_closed(const struct output *o);
/* LR_EFAILED when something could not be written, a closed pipe apart. */
enum lr_status output_status(const struct output *o, struct lr_error *err);

#endif
