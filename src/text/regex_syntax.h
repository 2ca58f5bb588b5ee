/* regex_syntax.h - a regular expression as Oniguruma reads it (its default syntax, which the `tokenizers`
 * package uses), rewritten for PCRE2 so that it means the same. Called by regex.c alone.
 *
 * Rewritten are: \s \w \h \v \b and POSIX classes (the sets differ), scripts (PCRE2 takes script extensions),
 * ^ and $ (always at lines), (?m) (a dot that takes newlines), options that stand alone (they hold to the end
 * of the group, alternatives included), classes inside classes and && between them, {,n}, and quantifiers
 * behind intervals. */
#ifndef LR_TEXT_REGEX_SYNTAX_H
#define LR_TEXT_REGEX_SYNTAX_H

#include "base/error.h"
#include "base/str.h"

/* Appends the rewritten pattern to `out`. LR_EMODEL names what is not supported; `name` (a file) stands in
 * the message. */
enum lr_status regex_translate(struct lr_str pattern, const char *name, struct lr_buf *out,
                               struct lr_error *err);

#endif
