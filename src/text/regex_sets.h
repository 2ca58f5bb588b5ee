/* regex_sets.h - named sets of characters in regular expressions: what \s, \p{Han} or [:punct:] of Oniguruma
 * are, written as members of a PCRE2 class. Used by regex_syntax.c and regex_class.c. */
#ifndef LR_TEXT_REGEX_SETS_H
#define LR_TEXT_REGEX_SETS_H

#include "base/str.h"

/* The members for the escape \`letter` (s, w, h, d and their negations S, W, H, D), or NULL; *negated says
 * whether the set is all characters but these. Outside classes \w has six numbers of Latin-1 that it lacks
 * inside. */
const char *regex_set_escape(char letter, bool in_class, bool *negated);
/* Appends the members for a property or POSIX class called `name`; 0, -1 when memory is refused. A name that
 * is not known is left to PCRE2, which refuses it. */
int regex_set_property(struct lr_str name, bool negated, struct lr_buf *out);
/* The members for a POSIX class ("alpha"), or NULL. */
const char *regex_set_posix(struct lr_str name);

#endif
