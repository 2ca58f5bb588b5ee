/* normalize.h - the `normalizer` of tokenizer.json: text to text before it is split. Read-only after parsing.
 */
#ifndef LR_TEXT_NORMALIZE_H
#define LR_TEXT_NORMALIZE_H

#include "format/json.h"

struct normalizer;

/* `spec` is the value of "normalizer": null or absent gives *out == NULL, which changes nothing. LR_EMODEL
 * names a kind that is not supported. */
enum lr_status normalizer_parse(struct json spec, struct normalizer **out, struct lr_error *err);
void normalizer_free(struct normalizer *n);
/* Appends the normal form of `text` (valid UTF-8) to `out`. `*begins` (may be NULL) becomes false where the
 * text's first character did not get there: what comes first then stood further behind. */
enum lr_status normalizer_apply(const struct normalizer *n, struct lr_str text, struct lr_buf *out,
                                bool *begins, struct lr_error *err);

#endif
