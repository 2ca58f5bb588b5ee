/* decode.h - the `decoder` of tokenizer.json: the pieces of ids back to text, as the `tokenizers` package
 * does it: a chain of steps over a list of pieces, joined at the end (no decoder: joined with blanks).
 * Read-only after parsing. */
#ifndef LR_TEXT_DECODE_H
#define LR_TEXT_DECODE_H

#include "format/json.h"

struct decoder;

enum lr_status decoder_parse(struct json spec, struct decoder **out, struct lr_error *err);
void decoder_free(struct decoder *d);
/* Appends the text of `pieces` [n] (vocabulary pieces, special ones already left out) to `out`. `d` may be
 * NULL. */
enum lr_status decoder_apply(const struct decoder *d, const struct lr_str *pieces, size_t n,
                             struct lr_buf *out, struct lr_error *err);

/* Whether `piece` is a byte of a run whose text depends on what follows, so that a stream must wait for the
 * run's end. */
bool decoder_waits_for(const struct decoder *d, struct lr_str piece);

#endif
