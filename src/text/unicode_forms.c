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
/* The place before the first final consonant of Hangul: it joins nothing, but utf8proc makes it vanish. */
#define NO_FINAL 0x11A7

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

/* Characters that are composed of two and stay so: whole blocks of letters without exclusions, but for three
 * whose first part has a compatibility form. */
static bool is_composed_letter(uint32_t c) {
    if (c == 0x3D3 || c == 0x3D4 || c == 0x1E9B) return false;
    return (c >= 0xC0 && c <= 0x24F) || (c >= 0x388 && c <= 0x4FF) || (c >= 0x1E00 && c <= 0x1EFF) ||
           (c >= 0x3041 && c <= 0x30FF);
}

/* Whether a character is itself in the form and a starter that never joins what stands before it: a text can
 * be cut in front of it. */
static bool is_plain(uint32_t c, utf8proc_option_t options) {
    const utf8proc_property_t *p = utf8proc_get_property((utf8proc_int32_t)c);
    bool mark = p->category >= UTF8PROC_CATEGORY_MN && p->category <= UTF8PROC_CATEGORY_ME;
    bool jamo = (c >= 0x1160 && c <= 0x11FF) || (c >= 0xD7B0 && c <= 0xD7FB);
    if (mark || jamo || p->combining_class) return false;
    bool syllable = c >= 0xAC00 && c <= 0xD7A3, decomposes = p->decomp_seqindex != UINT16_MAX;
    if (!(options & UTF8PROC_COMPOSE)) return !decomposes && !syllable;
    if (!decomposes) return true;
    return p->decomp_type ? !(options & UTF8PROC_COMPAT) : is_composed_letter(c);
}

/* One pass over a text: what is plain is copied in runs, what is not is brought into the form together with
 * the character before it, to which its marks may belong. */
struct pass {
    struct lr_str text;
    utf8proc_option_t options;
    struct codes codes;
    struct lr_buf *out;
    size_t done, at; /* text before `done` has been written, before `at` it has been looked at */
    size_t base;     /* where the character before `at` begins; SIZE_MAX: it cannot take marks */
    bool young;      /* the character at `at` is one to be left alone */
};

/* Goes on to the first character that is not plain, or the end. */
static void skip_plain(struct pass *p) {
    while (p->at < p->text.len) {
        size_t next = p->at;
        if ((unsigned char)p->text.data[next] < 0x80)
            next++;
        else if (!is_plain(unicode_next(p->text, &next), p->options))
            return;
        p->base = p->at;
        p->at = next;
    }
}

/* Goes on to the first character that is plain, or to be left alone. */
static void skip_others(struct pass *p) {
    while (p->at < p->text.len && (unsigned char)p->text.data[p->at] >= 0x80) {
        size_t next = p->at;
        uint32_t c = unicode_next(p->text, &next);
        p->young = unicode_is_young(c) || c == NO_FINAL;
        if (p->young || is_plain(c, p->options)) return;
        p->at = next;
    }
}

static int copy_up_to(struct pass *p, size_t end) {
    size_t begin = p->done;
    p->done = end;
    return end > begin ? lr_buf_append(p->out, p->text.data + begin, end - begin) : 0;
}

static int run_pass(struct pass *p) {
    while (p->at < p->text.len) {
        skip_plain(p);
        size_t begin = p->base == SIZE_MAX ? p->at : p->base;
        p->young = false;
        size_t before = p->at;
        skip_others(p);
        if (p->at > before) {
            if (copy_up_to(p, begin)) return -1;
            struct lr_str part = {p->text.data + begin, p->at - begin};
            if (normalize_known(part, p->options, &p->codes, p->out)) return -1;
            p->done = p->at;
            p->base = SIZE_MAX;
        }
        if (p->young) {
            unicode_next(p->text, &p->at);
            p->base = SIZE_MAX;
        }
    }
    return copy_up_to(p, p->text.len);
}

int unicode_normalize(enum unicode_form form, struct lr_str text, struct lr_buf *out) {
    static const int forms[] = {
        [UNICODE_NFC] = UTF8PROC_COMPOSE,
        [UNICODE_NFD] = UTF8PROC_DECOMPOSE,
        [UNICODE_NFKC] = UTF8PROC_COMPOSE | UTF8PROC_COMPAT,
        [UNICODE_NFKD] = UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT,
    };
    struct pass p = {.text = text, .out = out, .base = SIZE_MAX};
    p.options = (utf8proc_option_t)(forms[form] | UTF8PROC_STABLE);
    int rc = run_pass(&p);
    lr_free(p.codes.at);
    return rc;
}
