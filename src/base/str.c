#include "base/str.h"

#include "base/checked.h"
#include "base/mem.h"

#include <stdio.h>

int lr_str_cmp(struct lr_str a, struct lr_str b) {
    size_t n = a.len < b.len ? a.len : b.len;
    int c = n ? memcmp(a.data, b.data, n) : 0;
    return c ? c : (a.len > b.len) - (a.len < b.len);
}

char *lr_str_dup(struct lr_str s) {
    char *copy = lr_malloc(s.len + 1);
    if (!copy) return NULL;
    if (s.len) memcpy(copy, s.data, s.len);
    copy[s.len] = '\0';
    return copy;
}

struct lr_commas lr_commas(uint64_t n) {
    char reversed[27];
    int len = 0, digits = 0;
    do {
        if (digits && digits % 3 == 0) reversed[len++] = ',';
        reversed[len++] = (char)('0' + n % 10);
        digits++;
    } while (n /= 10);
    struct lr_commas out;
    for (int i = 0; i < len; i++) out.text[i] = reversed[len - 1 - i];
    out.text[len] = '\0';
    return out;
}

struct lr_gb lr_gb(uint64_t bytes, int decimals) {
    struct lr_gb out;
    double gb = (double)bytes / (double)(UINT64_C(1) << 30);
    int digits = gb >= 0.1 ? decimals : gb >= 0.01 ? 3 : gb >= 0.001 ? 4 : 5;
    if (!bytes)
        snprintf(out.text, sizeof out.text, "0 GB");
    else if (gb < 0.0001)
        snprintf(out.text, sizeof out.text, "%s byte%s", lr_commas(bytes).text, bytes == 1 ? "" : "s");
    else
        snprintf(out.text, sizeof out.text, "%.*f GB", digits, gb);
    return out;
}

/* Cuts a UTF-8 string that may end inside a character back to the last whole one. */
static void cut_partial_character(char *s, size_t len) {
    size_t i = len;
    while (i > 0 && ((unsigned char)s[i - 1] & 0xC0) == 0x80) i--;
    if (i == 0) return;
    unsigned char lead = (unsigned char)s[i - 1];
    size_t need = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 1;
    if (len - (i - 1) < need) s[i - 1] = '\0';
}

/* Names from files may hold anything: no line break and no terminal control gets into the one line. (C1
 * controls are C2 80 to C2 9F in UTF-8.) */
static void blank_controls(char *s) {
    for (unsigned char *p = (unsigned char *)s; *p; p++) {
        if (*p < 0x20 || *p == 0x7f) *p = '?';
        if (*p == 0xC2 && p[1] >= 0x80 && p[1] < 0xA0) p[0] = p[1] = '?';
    }
}

void lr_line(char *line, size_t size, const char *fmt, va_list ap) {
    line[0] = '\0';
    int n = vsnprintf(line, size, fmt, ap);
    if (n > 0 && (size_t)n >= size) cut_partial_character(line, size - 1);
    blank_controls(line);
}

static int reserve(struct lr_buf *b, size_t more) {
    size_t need;
    if (lr_add_size(b->len, more, &need) || lr_add_size(need, 1, &need)) return -1;
    return lr_grow(&b->data, &b->cap, need, 1);
}

int lr_buf_append(struct lr_buf *b, const void *data, size_t len) {
    if (reserve(b, len)) return -1;
    if (len) memcpy(b->data + b->len, data, len);
    b->len += len;
    b->data[b->len] = '\0';
    return 0;
}

int lr_buf_append_str(struct lr_buf *b, struct lr_str s) {
    return lr_buf_append(b, s.data, s.len);
}

int lr_buf_append_char(struct lr_buf *b, char c) {
    return lr_buf_append(b, &c, 1);
}

int lr_buf_printf(struct lr_buf *b, const char *fmt, ...) {
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    int rc = n < 0 ? -1 : reserve(b, (size_t)n);
    if (rc == 0) {
        vsnprintf(b->data + b->len, (size_t)n + 1, fmt, again);
        b->len += (size_t)n;
    }
    va_end(again);
    va_end(ap);
    return rc;
}

void lr_buf_free(struct lr_buf *b) {
    lr_free(b->data);
    *b = (struct lr_buf){0};
}
