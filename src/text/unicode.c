#include "text/unicode.h"

#include "base/mem.h"

#include <utf8proc.h>

uint32_t unicode_next(struct lr_str text, size_t *at) {
    const unsigned char *s = (const unsigned char *)text.data + *at;
    size_t n = s[0] < 0x80 ? 1 : s[0] < 0xE0 ? 2 : s[0] < 0xF0 ? 3 : 4;
    static const unsigned char lead_mask[] = {0, 0x7F, 0x1F, 0x0F, 0x07};
    uint32_t c = s[0] & lead_mask[n];
    for (size_t i = 1; i < n && *at + i < text.len; i++) c = (c << 6) | (s[i] & 0x3Fu);
    *at = *at + n > text.len ? text.len : *at + n;
    return c;
}

bool unicode_is_space(uint32_t c) {
    return (c >= 9 && c <= 13) || c == ' ' || c == 0x85 || c == 0xA0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F ||
           c == 0x3000;
}

static utf8proc_category_t category(uint32_t c) {
    return utf8proc_category((utf8proc_int32_t)c);
}

bool unicode_is_numeric(uint32_t c) {
    utf8proc_category_t k = category(c);
    return k == UTF8PROC_CATEGORY_ND || k == UTF8PROC_CATEGORY_NL || k == UTF8PROC_CATEGORY_NO;
}

bool unicode_is_digit(uint32_t c) {
    return category(c) == UTF8PROC_CATEGORY_ND;
}

bool unicode_is_punctuation(uint32_t c) {
    if (c < 0x80)
        return (c >= '!' && c <= '/') || (c >= ':' && c <= '@') || (c >= '[' && c <= '`') ||
               (c >= '{' && c <= '~');
    utf8proc_category_t k = category(c);
    return k >= UTF8PROC_CATEGORY_PC && k <= UTF8PROC_CATEGORY_PO;
}

bool unicode_is_mark(uint32_t c) {
    utf8proc_category_t k = category(c);
    return k == UTF8PROC_CATEGORY_MN || k == UTF8PROC_CATEGORY_MC || k == UTF8PROC_CATEGORY_ME;
}

bool unicode_is_nonspacing(uint32_t c) {
    return category(c) == UTF8PROC_CATEGORY_MN;
}

bool unicode_is_control(uint32_t c) {
    return category(c) >= UTF8PROC_CATEGORY_CC;
}

int unicode_append(uint32_t c, struct lr_buf *out) {
    utf8proc_uint8_t utf8[4];
    utf8proc_ssize_t n = utf8proc_encode_char((utf8proc_int32_t)c, utf8);
    return lr_buf_append(out, utf8, (size_t)n);
}

int unicode_append_lower(uint32_t c, struct lr_buf *out) {
    if (c == 0x130)
        return unicode_append('i', out) || unicode_append(0x307, out) ? -1 : 0; /* the only one that grows */
    return unicode_append((uint32_t)utf8proc_tolower((utf8proc_int32_t)c), out);
}

static bool is_ascii(struct lr_str text) {
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.data[i] >= 0x80) return false;
    return true;
}

int unicode_normalize(enum unicode_form form, struct lr_str text, struct lr_buf *out) {
    static const int forms[] = {
        [UNICODE_NFC] = UTF8PROC_COMPOSE,
        [UNICODE_NFD] = UTF8PROC_DECOMPOSE,
        [UNICODE_NFKC] = UTF8PROC_COMPOSE | UTF8PROC_COMPAT,
        [UNICODE_NFKD] = UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT,
    };
    if (is_ascii(text)) return lr_buf_append_str(out, text);
    utf8proc_option_t options = (utf8proc_option_t)(forms[form] | UTF8PROC_STABLE);
    const utf8proc_uint8_t *bytes = (const utf8proc_uint8_t *)text.data;
    utf8proc_ssize_t n = utf8proc_decompose(bytes, (utf8proc_ssize_t)text.len, NULL, 0, options);
    utf8proc_int32_t *codes = n < 0 ? NULL : lr_calloc((size_t)n + 1, sizeof *codes);
    if (!codes) return -1;
    n = utf8proc_decompose(bytes, (utf8proc_ssize_t)text.len, codes, n, options);
    n = n < 0 ? n : utf8proc_reencode(codes, n, options); /* in place: the text is then in `codes` */
    int rc = n < 0 ? -1 : lr_buf_append(out, codes, (size_t)n);
    lr_free(codes);
    return rc;
}
