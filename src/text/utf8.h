/* utf8.h - reading UTF-8 that may be damaged. Used by the tokenizer before anything else looks at a text, and
 * by whoever walks characters of text that is known to be whole. */
#ifndef LR_TEXT_UTF8_H
#define LR_TEXT_UTF8_H

#include "base/str.h"

/* The character at the start of `s`, valid and not empty; *len gets its bytes. */
uint32_t utf8_read(struct lr_str s, size_t *len);
/* The last character of `s`, valid and not empty; *len gets its bytes. */
uint32_t utf8_read_last(struct lr_str s, size_t *len);

/* The bytes from the start of `s` that are valid. */
size_t utf8_valid_length(struct lr_str s);

/* How many bytes of `s` belong to no character; `*first` is where the first of them stands. */
size_t utf8_bad_bytes(struct lr_str s, size_t *first);

/* Appends `s` with each maximal invalid subpart replaced by U+FFFD; -1 when memory is refused. */
int utf8_repair(struct lr_str s, struct lr_buf *out);

#endif
