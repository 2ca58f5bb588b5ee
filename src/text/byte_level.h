/* byte_level.h - GPT-2's alphabet, in which every byte is written as one printable character: bytes that
 * print stand for themselves, the others for U+0100 on. */
#ifndef LR_TEXT_BYTE_LEVEL_H
#define LR_TEXT_BYTE_LEVEL_H

#include "base/str.h"

/* The code point that stands for a byte. All are below U+0800: two bytes of UTF-8 at most. */
uint32_t byte_level_code(uint8_t byte);
/* The byte that a code point stands for, or -1. */
int byte_level_byte(uint32_t code);
/* Appends `text` in the alphabet; 0, or -1 when memory is refused. */
int byte_level_encode(struct lr_str text, struct lr_buf *out);

#endif
