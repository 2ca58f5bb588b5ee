/* unicode_recent.h - characters that came after Unicode 14, by general category: the reference's expressions
 * know Unicode 16, PCRE2 knows what the system's version knows. Used by the translation of regular
 * expressions. */
#ifndef LR_TEXT_UNICODE_RECENT_H
#define LR_TEXT_UNICODE_RECENT_H

#include "base/str.h"

/* Appends the characters of a category ("L", "Lu", "Nd", "M", "P", "S") or of the script "Han" as members of
 * a PCRE2 class; nothing for other names. -1 when memory is refused. */
int unicode_recent(struct lr_str name, struct lr_buf *out);

#endif
