/* step.h - what a tokenizer.json's normalizer, pre_tokenizer, post_processor and decoder share: each is a
 * step with a 'type', or a Sequence of steps. Called by their parsers. */
#ifndef LR_TEXT_STEP_H
#define LR_TEXT_STEP_H

#include "format/json.h"

/* How a part of the tokenizer is called, and where a Sequence of it keeps its steps. */
struct step_part {
    const char *name; /* "normalizer" */
    const char *list; /* "normalizers" */
};

#define STEP_SEQUENCE SIZE_MAX

/* The place of the step's type among `count` rows of `stride` bytes, each of which begins with the type's
 * name (const char *), or STEP_SEQUENCE. LR_EMODEL where `spec` is no object with a type, or one that no row
 * has: the message names the file, the part and the types there are. */
enum lr_status step_find(struct json spec, const struct step_part *part, const void *rows, size_t count,
                         size_t stride, size_t *place, struct lr_error *err);
/* The steps of a Sequence, an array. */
enum lr_status step_list(struct json spec, const struct step_part *part, struct json *out,
                         struct lr_error *err);

#endif
