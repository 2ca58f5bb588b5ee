/* unicode.h - code points and their properties, by utf8proc. Text is valid UTF-8 throughout. */
#ifndef LR_TEXT_UNICODE_H
#define LR_TEXT_UNICODE_H

#include "base/str.h"

/* The code point at byte `*at` (in range), which is moved behind it. */
uint32_t unicode_next(struct lr_str text, size_t *at);
/* White_Space, as Rust's char::is_whitespace. */
bool unicode_is_space(uint32_t c);
/* General categories N*: as Rust's char::is_numeric. */
bool unicode_is_numeric(uint32_t c);
/* General category Nd. */
bool unicode_is_digit(uint32_t c);
/* ASCII punctuation or general categories P*. */
bool unicode_is_punctuation(uint32_t c);
/* General category Mn. */
bool unicode_is_nonspacing(uint32_t c);
/* General categories C* but Cn (control, format, surrogate, private). */
bool unicode_is_control(uint32_t c);
/* General categories M*. */
bool unicode_is_mark(uint32_t c);

enum unicode_form { UNICODE_NFC, UNICODE_NFD, UNICODE_NFKC, UNICODE_NFKD };
/* Appends the normal form (UAX #15); 0, or -1 when memory is refused. */
int unicode_normalize(enum unicode_form form, struct lr_str text, struct lr_buf *out);
/* Appends the lower case of a character, without context; 0 or -1. */
int unicode_append_lower(uint32_t c, struct lr_buf *out);
int unicode_append(uint32_t c, struct lr_buf *out);

#endif
