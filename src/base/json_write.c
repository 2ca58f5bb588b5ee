#include "base/json_write.h"

#include <math.h>

/* Bytes of the well-formed character at the start of `s`, or minus the bytes of the maximal invalid part
 * (Unicode 3.9, table 3-7). */
static int character_length(const unsigned char *s, size_t n) {
    unsigned char low = 0x80, high = 0xBF;
    int need;
    if (s[0] < 0x80) return 1;
    if (s[0] >= 0xC2 && s[0] <= 0xDF)
        need = 2;
    else if ((s[0] & 0xF0) == 0xE0)
        need = 3;
    else if (s[0] >= 0xF0 && s[0] <= 0xF4)
        need = 4;
    else
        return -1;
    if (s[0] == 0xE0) low = 0xA0;
    if (s[0] == 0xED) high = 0x9F;
    if (s[0] == 0xF0) low = 0x90;
    if (s[0] == 0xF4) high = 0x8F;
    for (int i = 1; i < need; i++) {
        if ((size_t)i >= n || s[i] < low || s[i] > high) return -i;
        low = 0x80;
        high = 0xBF;
    }
    return need;
}

static int write_ascii(struct lr_buf *out, unsigned char c) {
    static const char named[] = "\"\"\\\\\bb\ff\nn\rr\tt";
    for (const char *p = named; *p; p += 2)
        if ((unsigned char)*p == c) return lr_buf_append(out, (const char[]){'\\', p[1]}, 2);
    return c < 0x20 || c == 0x7F ? lr_buf_printf(out, "\\u%04x", c) : lr_buf_append_char(out, (char)c);
}

int json_write_string(struct lr_buf *out, struct lr_str text) {
    int bad = lr_buf_append_char(out, '"');
    for (size_t at = 0; at < text.len && !bad;) {
        const char *s = text.data + at;
        int n = character_length((const unsigned char *)s, text.len - at);
        if (n == 1)
            bad = write_ascii(out, (unsigned char)*s);
        else if (n > 0)
            bad = lr_buf_append(out, s, (size_t)n);
        else
            bad = lr_buf_append_str(out, LR_STR("\xEF\xBF\xBD"));
        at += (size_t)(n < 0 ? -n : n);
    }
    return bad | lr_buf_append_char(out, '"');
}

int json_write_number(struct lr_buf *out, double x, int digits) {
    return isfinite(x) ? lr_buf_printf(out, "%.*g", digits, x) : lr_buf_append_str(out, LR_STR("null"));
}

int json_write_ids(struct lr_buf *out, const uint32_t *ids, size_t n) {
    int bad = lr_buf_append_char(out, '[');
    for (size_t i = 0; i < n; i++) bad |= lr_buf_printf(out, "%s%u", i ? "," : "", ids[i]);
    return bad | lr_buf_append_char(out, ']');
}
