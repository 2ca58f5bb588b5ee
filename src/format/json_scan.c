#include "format/json_scan.h"

#include "format/json.h"

#include <stdarg.h>
#include <stdio.h>

#define PLAIN_NUMBER  60 /* characters that every version of cJSON reads whole */
#define EXACT_INTEGER 15 /* digits that a double always holds */

struct scanner {
    const char *begin, *at, *end;
    const char *copied; /* the input up to here is in out->marked */
    const char *name;
    struct json_scan *out;
    struct lr_error *err;
    uint32_t depth;
    struct {
        bool object;
        uint64_t children;
    } open[JSON_MAX_DEPTH];
};

/* The message for the byte at `at`, with its line and column (in characters), both from 1. */
static enum lr_status __attribute__((format(printf, 3, 4)))
fail_at(const struct scanner *s, const char *at, const char *fmt, ...) {
    uint64_t line = 1, column = 1;
    for (const char *p = s->begin; p < at; p++) {
        if (*p == '\n') {
            line++;
            column = 1;
        } else if (((unsigned char)*p & 0xC0) != 0x80) {
            column++;
        }
    }
    char what[256];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    return lr_fail(s->err, LR_EMODEL, "%s: line %s, column %s: %s", s->name, lr_commas(line).text,
                   lr_commas(column).text, what);
}

static enum lr_status fail_unexpected(const struct scanner *s, const char *wanted) {
    if (s->at == s->end) return fail_at(s, s->at, "the text ends where %s should stand (cut short?)", wanted);
    unsigned char c = (unsigned char)*s->at;
    if (c > 0x20 && c < 0x7f) return fail_at(s, s->at, "'%c' where %s should stand", c, wanted);
    return fail_at(s, s->at, "byte 0x%02x where %s should stand", c, wanted);
}

static void skip_blanks(struct scanner *s) {
    /* Indentation is most of a large tokenizer.json: eight spaces at a time. */
    for (uint64_t eight; s->end - s->at >= 8; s->at += 8) {
        memcpy(&eight, s->at, sizeof eight);
        if (eight != UINT64_C(0x2020202020202020)) break;
    }
    while (s->at < s->end && (*s->at == ' ' || *s->at == '\n' || *s->at == '\r' || *s->at == '\t')) s->at++;
}

/* Length of the valid UTF-8 sequence at `p` (RFC 3629: no overlong forms, no surrogates), or 0. */
static size_t utf8_length(const unsigned char *p, size_t left) {
    size_t n = p[0] < 0xC2 ? 0 : p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : p[0] < 0xF5 ? 4 : 0;
    if (n == 0 || n > left) return 0;
    unsigned char low = p[0] == 0xE0 ? 0xA0 : p[0] == 0xF0 ? 0x90 : 0x80;
    unsigned char high = p[0] == 0xED ? 0x9F : p[0] == 0xF4 ? 0x8F : 0xBF;
    if (p[1] < low || p[1] > high) return 0;
    for (size_t i = 2; i < n; i++)
        if ((p[i] & 0xC0) != 0x80) return 0;
    return n;
}

/* The four hexadecimal digits behind "\u" at `p`, or -1. */
static int read_hex4(const char *p, const char *end) {
    if (end - p < 6 || p[0] != '\\' || p[1] != 'u') return -1;
    int value = 0;
    for (int i = 2; i < 6; i++) {
        char c = p[i];
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0) return -1;
        value = value * 16 + digit;
    }
    return value;
}

/* At a backslash. */
static enum lr_status scan_escape(struct scanner *s) {
    if (s->end - s->at < 2) return fail_at(s, s->at, "the text ends inside a string (cut short?)");
    if (s->at[1] != 'u') {
        if (s->at[1] == '\0' || !strchr("\"\\/bfnrt", s->at[1]))
            return fail_at(s, s->at, "unknown escape in a string");
        s->at += 2;
        return LR_OK;
    }
    int unit = read_hex4(s->at, s->end);
    if (unit < 0) return fail_at(s, s->at, "\\u without four hexadecimal digits");
    if (unit == 0) return fail_at(s, s->at, "a NUL character (\\u0000) in a string is not supported");
    bool pair = unit >= 0xD800 && unit <= 0xDBFF;
    if (pair) {
        int low = read_hex4(s->at + 6, s->end);
        pair = low >= 0xDC00 && low <= 0xDFFF;
    }
    if (unit >= 0xD800 && unit <= 0xDFFF && !pair)
        return fail_at(s, s->at, "half of a surrogate pair (\\u%04x)", (unsigned)unit);
    s->at += pair ? 12 : 6;
    return LR_OK;
}

/* The byte at `at` ends a run of plain characters inside a string. */
static enum lr_status scan_special(struct scanner *s) {
    unsigned char c = (unsigned char)*s->at;
    if (c == '\\') return scan_escape(s);
    if (c < 0x20) return fail_at(s, s->at, "control character 0x%02x in a string", c);
    size_t n = utf8_length((const unsigned char *)s->at, (size_t)(s->end - s->at));
    if (n == 0) return fail_at(s, s->at, "byte 0x%02x is not UTF-8", c);
    s->at += n;
    return LR_OK;
}

static void count_string(struct scanner *s, uint64_t bytes) {
    s->out->string_bytes += (bytes + 2 + JSON_STRING_ROUND - 1) & ~(uint64_t)(JSON_STRING_ROUND - 1);
}

/* At the opening quote. */
static enum lr_status scan_string(struct scanner *s) {
    const char *begin = s->at++;
    for (;;) {
        while (s->at < s->end && (signed char)*s->at >= 0x20 && *s->at != '"' && *s->at != '\\') s->at++;
        if (s->at == s->end) return fail_at(s, begin, "the text ends inside this string (cut short?)");
        if (*s->at == '"') break;
        LR_TRY(scan_special(s));
    }
    s->at++;
    count_string(s, (uint64_t)(s->at - begin));
    return LR_OK;
}

/* Writes what has been read since the last mark, then the literal [begin, at) as a marked string. */
static enum lr_status mark_literal(struct scanner *s, const char *begin) {
    static const char open[2] = {'"', JSON_MARK};
    struct lr_buf *b = &s->out->marked;
    size_t len = (size_t)(s->at - begin);
    if (lr_buf_append(b, s->copied, (size_t)(begin - s->copied)) || lr_buf_append(b, open, sizeof open) ||
        lr_buf_append(b, begin, len) || lr_buf_append_char(b, '"'))
        return lr_fail_memory(s->err, s->name, b->cap + len);
    s->copied = s->at;
    count_string(s, len + 1);
    return LR_OK;
}

static bool skip_digits(struct scanner *s) {
    const char *begin = s->at;
    while (s->at < s->end && *s->at >= '0' && *s->at <= '9') s->at++;
    return s->at > begin;
}

static bool skip_char(struct scanner *s, char c) {
    if (s->at == s->end || *s->at != c) return false;
    s->at++;
    return true;
}

static enum lr_status scan_number(struct scanner *s) {
    const char *begin = s->at;
    bool integer = true;
    skip_char(s, '-');
    if (!skip_char(s, '0') && !skip_digits(s)) return fail_unexpected(s, "a digit");
    if (skip_char(s, '.')) {
        integer = false;
        if (!skip_digits(s)) return fail_unexpected(s, "a digit");
    }
    if (skip_char(s, 'e') || skip_char(s, 'E')) {
        integer = false;
        if (!skip_char(s, '+')) skip_char(s, '-');
        if (!skip_digits(s)) return fail_unexpected(s, "a digit");
    }
    size_t len = (size_t)(s->at - begin);
    if (len > PLAIN_NUMBER || (integer && len > EXACT_INTEGER)) return mark_literal(s, begin);
    count_string(s, len);
    return LR_OK;
}

static enum lr_status scan_word(struct scanner *s) {
    static const struct {
        struct lr_str word;
        bool marked;
    } words[] = {{LR_STR("true"), false}, {LR_STR("false"), false},   {LR_STR("null"), false},
                 {LR_STR("NaN"), true},   {LR_STR("Infinity"), true}, {LR_STR("-Infinity"), true}};
    struct lr_str rest = {s->at, (size_t)(s->end - s->at)};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (!lr_str_starts(rest, words[i].word)) continue;
        s->at += words[i].word.len;
        return words[i].marked ? mark_literal(s, rest.data) : LR_OK;
    }
    return fail_unexpected(s, "a value");
}

/* Anything but a container. */
static enum lr_status scan_scalar(struct scanner *s) {
    char c = *s->at;
    if (c == '"') return scan_string(s);
    if ((c >= '0' && c <= '9') || (c == '-' && !(s->end - s->at > 1 && s->at[1] == 'I')))
        return scan_number(s);
    return scan_word(s);
}

/* A member's key and colon. */
static enum lr_status scan_key(struct scanner *s) {
    skip_blanks(s);
    if (s->at == s->end || *s->at != '"') return fail_unexpected(s, "a key in double quotes");
    LR_TRY(scan_string(s));
    skip_blanks(s);
    return skip_char(s, ':') ? LR_OK : fail_unexpected(s, "':'");
}

/* Takes the next value; an opened container (unless empty) stays on the stack, and `*opened` says so. */
static enum lr_status scan_value(struct scanner *s, bool *opened) {
    *opened = false;
    skip_blanks(s);
    if (s->at == s->end) return fail_unexpected(s, "a value");
    if (++s->out->nodes > JSON_MAX_TREE / JSON_NODE_BYTES)
        return fail_at(s, s->at, "more than %s values", lr_commas(JSON_MAX_TREE / JSON_NODE_BYTES).text);
    if (*s->at != '{' && *s->at != '[') return scan_scalar(s);
    bool object = *s->at == '{';
    if (s->depth == JSON_MAX_DEPTH)
        return fail_at(s, s->at, "nested more than %d levels deep", JSON_MAX_DEPTH);
    s->at++;
    skip_blanks(s);
    if (skip_char(s, object ? '}' : ']')) return LR_OK;
    s->open[s->depth].object = object;
    s->open[s->depth].children = 1;
    s->depth++;
    *opened = true;
    return object ? scan_key(s) : LR_OK;
}

/* Behind a value: closes containers until a comma asks for the next value. Depth 0: the text is done. */
static enum lr_status scan_behind_value(struct scanner *s) {
    while (s->depth > 0) {
        bool object = s->open[s->depth - 1].object;
        skip_blanks(s);
        if (skip_char(s, ',')) {
            s->open[s->depth - 1].children++;
            return object ? scan_key(s) : LR_OK;
        }
        if (!skip_char(s, object ? '}' : ']'))
            return fail_unexpected(s, object ? "',' or '}'" : "',' or ']'");
        s->out->index_bytes += json_index_bytes(s->open[s->depth - 1].children, object);
        s->depth--;
    }
    return LR_OK;
}

static enum lr_status scan_text(struct scanner *s) {
    do {
        bool opened;
        LR_TRY(scan_value(s, &opened));
        if (!opened) LR_TRY(scan_behind_value(s));
    } while (s->depth > 0);
    skip_blanks(s);
    if (s->at < s->end) return fail_unexpected(s, "the end of the text");
    return LR_OK;
}

enum lr_status json_scan(struct lr_str text, const char *name, struct json_scan *out, struct lr_error *err) {
    *out = (struct json_scan){0};
    if (lr_str_starts(text, LR_STR("\xEF\xBB\xBF"))) text = lr_str_from(text, 3);
    struct scanner s = {.begin = text.data, .at = text.data, .end = text.data + text.len, .name = name};
    s.copied = text.data;
    s.out = out;
    s.err = err;
    skip_blanks(&s);
    if (s.at == s.end) return lr_fail(err, LR_EMODEL, "%s is empty", name);
    enum lr_status status = scan_text(&s);
    out->text = text;
    if (status == LR_OK && out->marked.len) {
        if (lr_buf_append(&out->marked, s.copied, (size_t)(s.end - s.copied)))
            status = lr_fail_memory(err, name, out->marked.cap);
        out->text = lr_buf_str(&out->marked);
    }
    if (status != LR_OK) lr_buf_free(&out->marked);
    return status;
}
