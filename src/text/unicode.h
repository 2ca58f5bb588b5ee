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
/* General categories M*. */
bool unicode_is_mark(uint32_t c);

#endif
