/* unicode.h - code points and their properties as the `tokenizers` package has them: by utf8proc, with tables
 * (unicode_tables.inc) of where the package's several Unicode versions differ. Text is valid UTF-8
 * throughout. */
#ifndef LR_TEXT_UNICODE_H
#define LR_TEXT_UNICODE_H

#include "base/str.h"

/* The code point at byte `*at` (in range), which is moved behind it. */
uint32_t unicode_next(struct lr_str text, size_t *at);
/* White_Space, as Rust's char::is_whitespace. */
bool unicode_is_space(uint32_t c);
/* General categories N*: as Rust's char::is_numeric. */
bool unicode_is_numeric(uint32_t c);
/* ASCII punctuation or general categories P*. */
bool unicode_is_punctuation(uint32_t c);
/* A mark or a decomposing character that the package's normal forms are too old to know. */
bool unicode_is_young(uint32_t c);
/* General category Mn in the old Unicode of BertNormalizer. */
bool unicode_is_nonspacing(uint32_t c);
/* General categories Cc, Cf, Co in the old Unicode of BertNormalizer. */
bool unicode_is_control(uint32_t c);
/* Letters, marks, decimal digits, connectors and joiners: `\w` of UTS 18, as single-word tokens take it. */
bool unicode_is_word(uint32_t c);
/* General categories M* in the Unicode of StripAccents. */
bool unicode_is_mark(uint32_t c);

enum unicode_form { UNICODE_NFC, UNICODE_NFD, UNICODE_NFKC, UNICODE_NFKD };
/* Where `text` has characters newer than Unicode 14, appends it with each replaced by an older one of its
 * category and length; else appends nothing. 0, or -1 when memory is refused. */
int unicode_replace_new(struct lr_str text, struct lr_buf *out);
/* Appends the normal form (UAX #15); 0, or -1 when memory is refused. */
int unicode_normalize(enum unicode_form form, struct lr_str text, struct lr_buf *out);
/* Appends the lower case of a character, without context; 0 or -1. */
int unicode_append_lower(uint32_t c, struct lr_buf *out);

#endif
