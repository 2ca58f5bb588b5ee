/* regex.h - the regular expressions of tokenizer.json, by PCRE2, meaning what the reference's engine
 * (Oniguruma) means (regex_syntax.h says how). A compiled pattern is read-only and shared; matching needs a
 * scratch of the caller's own. A limit that is hit is an error, never "no match". */
#ifndef LR_TEXT_REGEX_H
#define LR_TEXT_REGEX_H

#include "base/error.h"
#include "base/str.h"

struct regex;
struct regex_scratch;

/* LR_EMODEL with pattern and reason where it is not supported; `name` (a file) stands in the
 * messages, also in those of regex_find. */
enum lr_status regex_compile(struct lr_str pattern, const char *name, struct regex **out,
                             struct lr_error *err);
void regex_free(struct regex *r);

enum lr_status regex_scratch_open(const struct regex *r, struct regex_scratch **out, struct lr_error *err);
void regex_scratch_close(struct regex_scratch *s);

/* To be called with each text before regex_find: *text becomes a text of the same length in which characters
 * that PCRE2's tables may be too old for are replaced by like ones; it lives until the next call. */
enum lr_status regex_subject(struct regex_scratch *s, struct lr_str *text, struct lr_error *err);
/* The first match in `text` (valid UTF-8) at or after byte `from`. `*found` false: there is none. */
enum lr_status regex_find(const struct regex *r, struct regex_scratch *s, struct lr_str text, size_t from,
                          bool *found, size_t *begin, size_t *end, struct lr_error *err);

#endif
