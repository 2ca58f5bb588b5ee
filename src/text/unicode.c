#include "text/unicode.h"

#include "base/mem.h"

#include <utf8proc.h>

struct unicode_range {
    uint32_t first, last;
};
struct unicode_new {
    uint32_t first, last;
    utf8proc_category_t category;
    uint32_t like;
};
struct unicode_lower {
    uint32_t first, last;
    int32_t distance;
};

#include "text/unicode_tables.inc"

#define COUNT(table) (sizeof(table) / sizeof *(table))

/* The index of the range of `size` bytes each, beginning with {first, last}, that holds c; or `n`. */
static size_t find_range(const void *table, size_t n, size_t size, uint32_t c) {
    size_t low = 0, high = n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        struct unicode_range r;
        memcpy(&r, (const char *)table + middle * size, sizeof r);
        if (c < r.first)
            high = middle;
        else if (c > r.last)
            low = middle + 1;
        else
            return middle;
    }
    return n;
}

#define IN(table, c) (find_range(table, COUNT(table), sizeof *(table), c) < COUNT(table))

uint32_t unicode_next(struct lr_str text, size_t *at) {
    const unsigned char *s = (const unsigned char *)text.data + *at;
    size_t n = s[0] < 0x80 ? 1 : s[0] < 0xE0 ? 2 : s[0] < 0xF0 ? 3 : 4;
    static const unsigned char lead_mask[] = {0, 0x7F, 0x1F, 0x0F, 0x07};
    uint32_t c = s[0] & lead_mask[n];
    for (size_t i = 1; i < n && *at + i < text.len; i++) c = (c << 6) | (s[i] & 0x3Fu);
    *at = *at + n > text.len ? text.len : *at + n;
    return c;
}

/* ---- properties */

bool unicode_is_space(uint32_t c) {
    return (c >= 9 && c <= 13) || c == ' ' || c == 0x85 || c == 0xA0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F ||
           c == 0x3000;
}

static utf8proc_category_t category(uint32_t c) {
    utf8proc_category_t k = utf8proc_category((utf8proc_int32_t)c);
    if (k != UTF8PROC_CATEGORY_CN) return k;
    size_t i = find_range(new_characters, COUNT(new_characters), sizeof *new_characters, c);
    return i < COUNT(new_characters) ? new_characters[i].category : k;
}

bool unicode_is_numeric(uint32_t c) {
    if (c < 0x80) return c >= '0' && c <= '9';
    utf8proc_category_t k = category(c);
    return k == UTF8PROC_CATEGORY_ND || k == UTF8PROC_CATEGORY_NL || k == UTF8PROC_CATEGORY_NO ||
           IN(more_digits, c);
}

bool unicode_is_punctuation(uint32_t c) {
    if (c < 0x80)
        return (c >= '!' && c <= '/') || (c >= ':' && c <= '@') || (c >= '[' && c <= '`') ||
               (c >= '{' && c <= '~');
    utf8proc_category_t k = category(c);
    if (k >= UTF8PROC_CATEGORY_PC && k <= UTF8PROC_CATEGORY_PO) return !IN(no_punctuation, c);
    return IN(more_punctuation, c);
}

bool unicode_is_word(uint32_t c) {
    if (c == 0x200C || c == 0x200D) return true;
    if ((c >= 0x24B6 && c <= 0x24E9) || (c >= 0x1F130 && c <= 0x1F149) || (c >= 0x1F150 && c <= 0x1F169) ||
        (c >= 0x1F170 && c <= 0x1F189))
        return true;
    utf8proc_category_t k = category(c);
    return (k >= UTF8PROC_CATEGORY_LU && k <= UTF8PROC_CATEGORY_NL) || k == UTF8PROC_CATEGORY_PC;
}

static bool is_mark(uint32_t c) {
    utf8proc_category_t k = category(c);
    return k == UTF8PROC_CATEGORY_MN || k == UTF8PROC_CATEGORY_MC || k == UTF8PROC_CATEGORY_ME;
}

bool unicode_is_mark(uint32_t c) {
    return (is_mark(c) && !IN(young, c)) || IN(more_marks, c);
}

bool unicode_is_young(uint32_t c) {
    return IN(young, c);
}

bool unicode_is_nonspacing(uint32_t c) {
    return (category(c) == UTF8PROC_CATEGORY_MN && !IN(no_nonspacing, c)) || IN(more_nonspacing, c);
}

bool unicode_is_control(uint32_t c) {
    utf8proc_category_t k = category(c);
    return (k == UTF8PROC_CATEGORY_CC || k == UTF8PROC_CATEGORY_CF || k == UTF8PROC_CATEGORY_CO) &&
           !IN(no_control, c);
}

/* ---- writing */

static int append(uint32_t c, struct lr_buf *out) {
    utf8proc_uint8_t utf8[4];
    utf8proc_ssize_t n = utf8proc_encode_char((utf8proc_int32_t)c, utf8);
    return lr_buf_append(out, utf8, (size_t)n);
}

int unicode_append_lower(uint32_t c, struct lr_buf *out) {
    if (c == 0x130) return append('i', out) || append(0x307, out) ? -1 : 0; /* the only one that grows */
    size_t i = find_range(new_lower, COUNT(new_lower), sizeof *new_lower, c);
    if (i < COUNT(new_lower)) return append((uint32_t)((int32_t)c + new_lower[i].distance), out);
    return append((uint32_t)utf8proc_tolower((utf8proc_int32_t)c), out);
}

/* The like of the character at `at`, which is moved behind it; 0: it is no new one. Characters of one or two
 * bytes never are. */
static uint32_t like_of(struct lr_str text, size_t *at) {
    unsigned char lead = (unsigned char)text.data[*at];
    if (lead < 0xE0) {
        *at += lead < 0x80 ? 1 : 2;
        return 0;
    }
    size_t i =
        find_range(new_characters, COUNT(new_characters), sizeof *new_characters, unicode_next(text, at));
    return i < COUNT(new_characters) ? new_characters[i].like : 0;
}

int unicode_replace_new(struct lr_str text, struct lr_buf *out) {
    size_t done = 0;
    for (size_t at = 0; at < text.len;) {
        size_t begin = at;
        uint32_t like = like_of(text, &at);
        if (!like) continue;
        if (lr_buf_append(out, text.data + done, begin - done) || append(like, out)) return -1;
        done = at;
    }
    return done ? lr_buf_append(out, text.data + done, text.len - done) : 0;
}
