/* Normal forms (UAX #15): decomposition and composition of characters by utf8proc, the order of marks by a
 * stable sort (its own is quadratic), and characters that the package's tables are too old for left as they
 * are. */
#include "base/mem.h"
#include "text/unicode.h"

#include <stdlib.h>
#include <utf8proc.h>

/* Code points under work, with room kept for one full decomposition (18 in Unicode). */
struct codes {
    utf8proc_int32_t *at;
    size_t count, cap;
};

#define MOST_OF_ONE 32

static int decompose(struct codes *l, uint32_t c, utf8proc_option_t options) {
    if (lr_grow(&l->at, &l->cap, l->count + MOST_OF_ONE, sizeof *l->at)) return -1;
    int last = 0;
    utf8proc_ssize_t n =
        utf8proc_decompose_char((utf8proc_int32_t)c, l->at + l->count, MOST_OF_ONE, options, &last);
    if (n < 0 || n > MOST_OF_ONE) return -1;
    l->count += (size_t)n;
    return 0;
}

static unsigned class_of(utf8proc_int32_t c) {
    return (unsigned)utf8proc_get_property(c)->combining_class;
}

static int compare_keys(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* Sorts marks [n] by class, like ones in the order they have. */
static int sort_marks(utf8proc_int32_t *marks, size_t n) {
    bool sorted = true;
    for (size_t i = 1; i < n; i++) sorted = sorted && class_of(marks[i - 1]) <= class_of(marks[i]);
    if (sorted) return 0;
    uint64_t *keys =
        lr_calloc(n, sizeof *keys); /* class, place, and the mark's own number: 8, 32 and 24 bits */
    utf8proc_int32_t *copy = lr_calloc(n, sizeof *copy);
    if (keys && copy && n < UINT32_MAX) {
        memcpy(copy, marks, n * sizeof *copy);
        for (size_t i = 0; i < n; i++) keys[i] = (uint64_t)class_of(marks[i]) << 32 | i;
        qsort(keys, n, sizeof *keys, compare_keys);
        for (size_t i = 0; i < n; i++) marks[i] = copy[keys[i] & UINT32_MAX];
    } else {
        n = SIZE_MAX;
    }
    lr_free(keys);
    lr_free(copy);
    return n == SIZE_MAX ? -1 : 0;
}

static int sort_all_marks(struct codes *l) {
    for (size_t i = 0; i < l->count;) {
        size_t begin = i;
        while (i < l->count && class_of(l->at[i])) i++;
        if (i - begin > 1 && sort_marks(l->at + begin, i - begin)) return -1;
        i += i == begin;
    }
    return 0;
}

/* Appends the form of a text whose characters are all known. */
static int normalize_known(struct lr_str text, utf8proc_option_t options, struct codes *l,
                           struct lr_buf *out) {
    l->count = 0;
    for (size_t at = 0; at < text.len;)
        if (decompose(l, unicode_next(text, &at), options)) return -1;
    if (sort_all_marks(l)) return -1;
    utf8proc_ssize_t n = utf8proc_reencode(l->at, (utf8proc_ssize_t)l->count, options); /* in place */
    return n < 0 ? -1 : lr_buf_append(out, l->at, (size_t)n);
}

/* The next stretch from `at` on that is not all ASCII, with the letter before it, which its marks may belong
 * to: [*begin, end), ending before an ASCII or unknown character. */
static size_t stretch(struct lr_str text, size_t at, size_t *begin) {
    size_t end = at;
    while (end < text.len && (unsigned char)text.data[end] < 0x80) end++;
    *begin = end > at ? end - 1 : end;
    while (end < text.len && (unsigned char)text.data[end] >= 0x80) {
        size_t next = end;
        if (unicode_is_young(unicode_next(text, &next))) break;
        end = next;
    }
    return end;
}

int unicode_normalize(enum unicode_form form, struct lr_str text, struct lr_buf *out) {
    static const int forms[] = {
        [UNICODE_NFC] = UTF8PROC_COMPOSE,
        [UNICODE_NFD] = UTF8PROC_DECOMPOSE,
        [UNICODE_NFKC] = UTF8PROC_COMPOSE | UTF8PROC_COMPAT,
        [UNICODE_NFKD] = UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT,
    };
    utf8proc_option_t options = (utf8proc_option_t)(forms[form] | UTF8PROC_STABLE);
    struct codes l = {0};
    int rc = 0;
    for (size_t at = 0; at < text.len && !rc;) {
        size_t begin, end = stretch(text, at, &begin);
        if (end == text.len && begin + 1 == end && (unsigned char)text.data[begin] < 0x80) begin = end;
        rc = lr_buf_append(out, text.data + at, begin - at);
        if (!rc && end > begin)
            rc = normalize_known((struct lr_str){text.data + begin, end - begin}, options, &l, out);
        at = end;
        if (rc || at == text.len || (unsigned char)text.data[at] < 0x80) continue;
        size_t next = at;
        unicode_next(text, &next);
        rc = lr_buf_append(out, text.data + at, next - at);
        at = next;
    }
    lr_free(l.at);
    return rc;
}
