/* byte_level.h - GPT-2's alphabet, in which every byte is written as one printable character: bytes that
 * print stand for themselves, the others for U+0100 on. */
#ifndef LR_TEXT_BYTE_LEVEL_H
#define LR_TEXT_BYTE_LEVEL_H

#include "base/str.h"

/* The byte that a code point stands for, or -1. */
int byte_level_byte(uint32_t code);
/* Appends `text` in the alphabet; 0, or -1 when memory is refused. */
int byte_level_encode(struct lr_str text, struct lr_buf *out);

#endif
