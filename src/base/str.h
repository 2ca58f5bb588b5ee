/* str.h - views of text and bytes owned by someone else, and one growing buffer.
 *
 * A view is a pointer and a length; it may hold NUL bytes and is not terminated. */
#ifndef LR_BASE_STR_H
#define LR_BASE_STR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct lr_str {
    const char *data;
    size_t len;
};

/* A view of a string literal. */
#define LR_STR(literal) ((struct lr_str){(literal), sizeof(literal) - 1})
/* For printf("%.*s", LR_STR_ARGS(view)). */
#define LR_STR_ARGS(s) (int)(s).len, (s).data

static inline struct lr_str lr_str_of(const char *s) {
    return (struct lr_str){s, strlen(s)};
}
static inline bool lr_str_eq(struct lr_str a, struct lr_str b) {
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}
static inline bool lr_str_is(struct lr_str a, const char *b) {
    return lr_str_eq(a, lr_str_of(b));
}
static inline bool lr_str_starts(struct lr_str s, struct lr_str head) {
    return s.len >= head.len && (head.len == 0 || memcmp(s.data, head.data, head.len) == 0);
}
static inline bool lr_str_ends(struct lr_str s, struct lr_str tail) {
    return s.len >= tail.len &&
           (tail.len == 0 || memcmp(s.data + s.len - tail.len, tail.data, tail.len) == 0);
}
/* The part of `s` from byte `at` on (empty when `at` is past the end). */
static inline struct lr_str lr_str_from(struct lr_str s, size_t at) {
    if (at > s.len) at = s.len;
    return (struct lr_str){at ? s.data + at : s.data, s.len - at};
}
/* At most `max` bytes of `s`, cut between characters: for messages that quote text of any length. */
static inline struct lr_str lr_str_cut(struct lr_str s, size_t max) {
    if (s.len <= max) return s;
    while (max > 0 && ((unsigned char)s.data[max] & 0xC0) == 0x80) max--;
    return (struct lr_str){s.data, max};
}
/* Order by bytes, then by length. */
int lr_str_cmp(struct lr_str a, struct lr_str b);
/* A NUL-terminated copy, to be freed with lr_free; NULL when memory is refused. */
char *lr_str_dup(struct lr_str s);

/* A number for people, thousands separated by commas: printf("%s", lr_commas(n).text). */
struct lr_commas {
    char text[27];
};
struct lr_commas lr_commas(uint64_t n);

/* A size in GB (2^30 bytes) for people, never shown as none where there is some: `decimals` from 0.1 GB up,
 * two digits that count below, exact bytes below 0.0001 GB. "32.0 GB", "0.093 GB", "4,096 bytes"; none is
 * "0 GB". */
struct lr_gb {
    char text[33];
};
struct lr_gb lr_gb(uint64_t bytes, int decimals);

/* Formats one line for people into `line` of `size` bytes (at least 1): cut at a character boundary where it
 * is too long, control characters (also those of C1) replaced by '?'. */
void lr_line(char *line, size_t size, const char *fmt, va_list ap) __attribute__((format(printf, 3, 0)));

/* A growing byte buffer; `data` is NUL-terminated whenever it is not NULL. Starts as {0}. */
struct lr_buf {
    char *data;
    size_t len, cap;
};

/* Each returns 0, or -1 when memory is refused (the buffer is unchanged). */
int lr_buf_append(struct lr_buf *b, const void *data, size_t len);
int lr_buf_append_str(struct lr_buf *b, struct lr_str s);
int lr_buf_append_char(struct lr_buf *b, char c);
int lr_buf_printf(struct lr_buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static inline struct lr_str lr_buf_str(const struct lr_buf *b) {
    return (struct lr_str){b->data, b->len};
}
void lr_buf_free(struct lr_buf *b);

#endif
