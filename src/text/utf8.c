#include "text/utf8.h"

/* What may follow a lead byte: how many bytes in all, and the range of the second (table 3-7). */
struct utf8_lead {
    uint8_t len, low, high;
};

static struct utf8_lead lead_of(uint8_t b) {
    if (b < 0x80) return (struct utf8_lead){1, 0, 0};
    if (b < 0xC2 || b > 0xF4) return (struct utf8_lead){0, 0, 0};
    if (b < 0xE0) return (struct utf8_lead){2, 0x80, 0xBF};
    if (b < 0xF0) return (struct utf8_lead){3, b == 0xE0 ? 0xA0 : 0x80, b == 0xED ? 0x9F : 0xBF};
    return (struct utf8_lead){4, b == 0xF0 ? 0x90 : 0x80, b == 0xF4 ? 0x8F : 0xBF};
}

/* The bytes of the character at the start of `s` (not empty): its length when it is whole; else 0, and *bad
 * is the length of the maximal subpart that is not (Unicode 15, section 3.9, table 3-8). */
static size_t whole_length(struct lr_str s, size_t *bad) {
    const uint8_t *p = (const uint8_t *)s.data;
    struct utf8_lead lead = lead_of(p[0]);
    size_t i = 1;
    *bad = 1;
    if (lead.len < 2) return lead.len;
    for (; i < lead.len && i < s.len; i++) {
        uint8_t low = i == 1 ? lead.low : 0x80, high = i == 1 ? lead.high : 0xBF;
        if (p[i] < low || p[i] > high) break;
    }
    *bad = i;
    return i == lead.len ? i : 0;
}

uint32_t utf8_read(struct lr_str s, size_t *len) {
    const uint8_t *p = (const uint8_t *)s.data;
    static const uint8_t first_bits[5] = {0, 0x7F, 0x1F, 0x0F, 0x07};
    size_t n = p[0] < 0x80 ? 1 : p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : 4;
    uint32_t c = p[0] & first_bits[n];
    for (size_t i = 1; i < n; i++) c = c << 6 | (p[i] & 0x3F);
    *len = n;
    return c;
}

uint32_t utf8_read_last(struct lr_str s, size_t *len) {
    size_t at = s.len - 1;
    while (at > 0 && ((uint8_t)s.data[at] & 0xC0) == 0x80) at--;
    return utf8_read(lr_str_from(s, at), len);
}

/* Eight bytes at a time where they are ASCII. */
static size_t ascii_length(struct lr_str s, size_t at) {
    uint64_t word;
    for (; s.len - at >= sizeof word; at += sizeof word) {
        memcpy(&word, s.data + at, sizeof word);
        if (word & UINT64_C(0x8080808080808080)) break;
    }
    while (at < s.len && (uint8_t)s.data[at] < 0x80) at++;
    return at;
}

size_t utf8_valid_length(struct lr_str s) {
    size_t at = 0, bad;
    while ((at = ascii_length(s, at)) < s.len) {
        size_t n = whole_length(lr_str_from(s, at), &bad);
        if (!n) break;
        at += n;
    }
    return at;
}

size_t utf8_bad_bytes(struct lr_str s, size_t *first) {
    size_t count = 0, bad;
    *first = utf8_valid_length(s);
    for (size_t at = *first; at < s.len; at += bad + utf8_valid_length(lr_str_from(s, at + bad))) {
        whole_length(lr_str_from(s, at), &bad);
        count += bad;
    }
    return count;
}

int utf8_repair(struct lr_str s, struct lr_buf *out) {
    while (s.len) {
        size_t bad, valid = utf8_valid_length(s);
        if (lr_buf_append(out, s.data, valid)) return -1;
        s = lr_str_from(s, valid);
        if (!s.len) break;
        whole_length(s, &bad);
        if (lr_buf_append(out, "\xEF\xBF\xBD", 3)) return -1;
        s = lr_str_from(s, bad);
    }
    return 0;
}
