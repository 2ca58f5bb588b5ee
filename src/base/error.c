#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

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

enum lr_status lr_fail(struct lr_error *err, enum lr_status status, const char *fmt, ...) {
    if (!err) return status;
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(err->message, sizeof err->message, fmt, ap);
    va_end(ap);
    if (n >= (int)sizeof err->message) cut_partial_character(err->message, strlen(err->message));
    blank_controls(err->message);
    err->status = status;
    return status;
}

enum lr_status lr_fail_memory(struct lr_error *err, const char *what, size_t size) {
    return lr_fail(err, LR_EMEMORY, "out of memory: %zu bytes for %s were refused", size, what);
}
