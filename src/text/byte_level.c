#include "text/byte_level.h"

/* Printable in Latin-1: these bytes stand for themselves. */
static bool prints(uint32_t b) {
    return (b >= 0x21 && b <= 0x7E) || (b >= 0xA1 && b <= 0xAC) || (b >= 0xAE && b <= 0xFF);
}

/* The code point that stands for a byte, below U+0800: two bytes of UTF-8 at most. Those that do not print,
 * 68 of them, have theirs in the order of their values: 0x00-0x20, 0x7F-0xA0, 0xAD. */
static uint32_t code_of(uint8_t byte) {
    if (prints(byte)) return byte;
    if (byte <= 0x20) return 0x100u + byte;
    return byte == 0xAD ? 0x143u : 0x121u + (byte - 0x7Fu);
}

int byte_level_byte(uint32_t code) {
    if (code < 0x100) return prints(code) ? (int)code : -1;
    if (code <= 0x120) return (int)(code - 0x100);
    if (code <= 0x142) return (int)(code - 0x121 + 0x7F);
    return code == 0x143 ? 0xAD : -1;
}

int byte_level_encode(struct lr_str text, struct lr_buf *out) {
    for (size_t i = 0; i < text.len; i++) {
        uint32_t c = code_of((uint8_t)text.data[i]);
        char utf8[2] = {(char)(c < 0x80 ? c : 0xC0 | (c >> 6)), (char)(0x80 | (c & 0x3F))};
        if (lr_buf_append(out, utf8, c < 0x80 ? 1 : 2)) return -1;
    }
    return 0;
}
