#include "text/regex_syntax.h"

#include "text/regex_parser.h"
#include "text/regex_sets.h"

#include <ctype.h>

#define MAX_DEPTH 64

enum lr_status regex_refuse(const struct regex_parser *p, const char *what, struct lr_error *err) {
    return lr_fail(err, LR_EMODEL, "%s: regular expression '%.*s' is not supported: %s (near byte %zu)",
                   p->name, LR_STR_ARGS(p->in), what, p->at);
}

static enum lr_status no_memory(const struct regex_parser *p, struct lr_error *err) {
    return lr_fail_memory(err, "a regular expression", p->in.len);
}

enum lr_status regex_emit(struct regex_parser *p, struct lr_buf *out, const char *text,
                          struct lr_error *err) {
    return lr_buf_append_str(out, lr_str_of(text)) ? no_memory(p, err) : LR_OK;
}

bool regex_next_is(const struct regex_parser *p, const char *text) {
    return lr_str_starts(lr_str_from(p->in, p->at), lr_str_of(text));
}

/* The bytes of the character at `at`. */
static size_t char_len(const struct regex_parser *p) {
    size_t n = 1;
    while (p->at + n < p->in.len && ((unsigned char)p->in.data[p->at + n] & 0xC0) == 0x80) n++;
    return n;
}

enum lr_status regex_copy_char(struct regex_parser *p, struct lr_buf *out, struct lr_error *err) {
    size_t n = char_len(p);
    const char *c = p->in.data + p->at;
    p->at += n;
    if (ispunct((unsigned char)*c) && lr_buf_append_char(out, '\\')) return no_memory(p, err);
    return lr_buf_append(out, c, n) ? no_memory(p, err) : LR_OK;
}

enum lr_status regex_property(struct regex_parser *p, struct lr_buf *out, struct lr_error *err) {
    bool negated = p->in.data[p->at + 1] == 'P';
    const char *open = p->in.data + p->at + 2, *end = p->in.data + p->in.len;
    const char *close = open < end && *open == '{' ? memchr(open, '}', (size_t)(end - open)) : NULL;
    if (!close) return regex_refuse(p, "a property without braces", err);
    struct lr_str name = {open + 1, (size_t)(close - open) - 1};
    p->at = (size_t)(close + 1 - p->in.data);
    if (lr_str_starts(name, LR_STR("^"))) {
        negated = !negated;
        name = lr_str_from(name, 1);
    }
    const char *posix = lr_str_is(name, "Punct") || lr_str_is(name, "punct") ? NULL : regex_set_posix(name);
    if (!posix) /* [:punct:] has symbols, \p{Punct} has not */
        return regex_set_property(name, negated, out) ? no_memory(p, err) : LR_OK;
    if (p->class_depth && negated) return regex_refuse(p, "a negated POSIX property in a class", err);
    int rc = lr_buf_printf(out, p->class_depth ? "%s%s" : "[%s%s]", negated ? "^" : "", posix);
    return rc ? no_memory(p, err) : LR_OK;
}

/* \xHH, \x{H...} and \uHHHH: a character by its number. */
static enum lr_status by_number(struct regex_parser *p, struct lr_buf *out, struct lr_error *err) {
    const char *s = p->in.data + p->at + 2, *end = p->in.data + p->in.len;
    bool braces = s < end && *s == '{';
    size_t n = 0, most = braces ? 8 : p->in.data[p->at + 1] == 'u' ? 4 : 2;
    s += braces;
    while (n < most && s + n < end && isxdigit((unsigned char)s[n])) n++;
    bool closed = !braces || (s + n < end && s[n] == '}');
    bool byte = !braces && most == 2 && n == 2 && s[0] >= '8';
    if (!n || !closed || byte || (most == 4 && n < 4)) return regex_refuse(p, "this \\x or \\u", err);
    p->at = (size_t)(s + n + braces - p->in.data);
    return lr_buf_printf(out, "\\x{%.*s}", (int)n, s) ? no_memory(p, err) : LR_OK;
}

enum lr_status regex_plain_escape(struct regex_parser *p, struct lr_buf *out, struct lr_error *err) {
    char c = p->in.data[p->at + 1];
    if (c == 'x' || c == 'u') return by_number(p, out, err);
    if (c == 'v') {
        p->at += 2;
        return regex_emit(p, out, "\\x{0B}", err);
    }
    if (strchr("tnrfae", c) || (c >= '0' && c <= '9')) {
        p->at += 2;
        return lr_buf_printf(out, "\\%c", c) ? no_memory(p, err) : LR_OK;
    }
    if (isalpha((unsigned char)c)) return regex_refuse(p, "this escape", err);
    p->at++;
    return regex_copy_char(p, out, err);
}

/* ---- outside classes */

static enum lr_status boundary(struct regex_parser *p, bool inside, struct lr_error *err) {
    bool negated;
    const char *word = regex_set_escape('w', false, &negated);
    p->at += 2;
    int rc = lr_buf_printf(p->out, "(?:(?<=[%s])(?%c[%s])|(?<![%s])(?%c[%s]))", word, inside ? '=' : '!',
                           word, word, inside ? '!' : '=', word);
    return rc ? no_memory(p, err) : LR_OK;
}

/* \k<name>. */
static enum lr_status reference(struct regex_parser *p, struct lr_error *err) {
    const char *at = p->in.data + p->at;
    const char *close = regex_next_is(p, "\\k<") ? memchr(at, '>', p->in.len - p->at) : NULL;
    if (!close) return regex_refuse(p, "this escape", err);
    p->at = (size_t)(close + 1 - p->in.data);
    return lr_buf_append(p->out, at, (size_t)(close + 1 - at)) ? no_memory(p, err) : LR_OK;
}

static enum lr_status escape(struct regex_parser *p, struct lr_error *err) {
    if (p->at + 1 >= p->in.len) return regex_refuse(p, "a backslash at the end", err);
    char c = p->in.data[p->at + 1];
    bool negated;
    const char *set = regex_set_escape(c, false, &negated);
    if (set) {
        p->at += 2;
        return lr_buf_printf(p->out, "[%s%s]", negated ? "^" : "", set) ? no_memory(p, err) : LR_OK;
    }
    if (c == 'p' || c == 'P') return regex_property(p, p->out, err);
    if (c == 'b' || c == 'B') return boundary(p, c == 'B', err);
    if (c == 'k') return reference(p, err);
    if (!strchr("AzZGRKN", c)) return regex_plain_escape(p, p->out, err);
    p->at += 2;
    return lr_buf_printf(p->out, "\\%c", c) ? no_memory(p, err) : LR_OK;
}

/* {n}, {n,}, {n,m} or {,m} at `at`: its length and bounds ("" where open); 0 where the brace is a plain
 * character. */
static size_t interval(const struct regex_parser *p, struct lr_str *low, struct lr_str *high, bool *comma) {
    const char *s = p->in.data + p->at + 1, *end = p->in.data + p->in.len, *at = s;
    while (at < end && isdigit((unsigned char)*at)) at++;
    *low = (struct lr_str){s, (size_t)(at - s)};
    *comma = at < end && *at == ',';
    const char *from = at += *comma;
    while (*comma && at < end && isdigit((unsigned char)*at)) at++;
    *high = (struct lr_str){from, (size_t)(at - from)};
    if (at >= end || *at != '}' || (!low->len && !high->len)) return 0;
    return (size_t)(at + 1 - (p->in.data + p->at));
}

/* Puts the last atom, quantified already, into a group of its own. */
static enum lr_status group_atom(struct regex_parser *p, size_t atom, struct lr_error *err) {
    if (lr_buf_append(p->out, "(?:)", 4)) return no_memory(p, err);
    char *s = p->out->data;
    size_t len = p->out->len - 4;
    memmove(s + atom + 3, s + atom, len - atom);
    s[atom] = '(';
    s[atom + 1] = '?';
    s[atom + 2] = ':';
    s[len + 3] = ')';
    return LR_OK;
}

static enum lr_status quantify_interval(struct regex_parser *p, size_t n, struct lr_str low,
                                        struct lr_str high, bool comma, struct lr_error *err) {
    p->at += n;
    int rc = lr_buf_printf(p->out, "{%.*s%s%.*s}", low.len ? (int)low.len : 1, low.len ? low.data : "0",
                           comma ? "," : "", LR_STR_ARGS(high));
    if (!rc && comma && regex_next_is(p, "?")) { /* behind {n} it is a quantifier of its own */
        p->at++;
        rc = lr_buf_append_char(p->out, '?');
    }
    return rc ? no_memory(p, err) : LR_OK;
}

/* A quantifier at `at` for the atom that begins at out[atom]; *again: the atom has one already. */
static enum lr_status quantify(struct regex_parser *p, size_t atom, bool *again, struct lr_error *err) {
    struct lr_str low, high;
    bool comma;
    size_t n = regex_next_is(p, "{") ? interval(p, &low, &high, &comma) : 0;
    if (atom == SIZE_MAX) return regex_refuse(p, "a quantifier with nothing before it", err);
    if (*again) LR_TRY(group_atom(p, atom, err));
    *again = true;
    if (n) return quantify_interval(p, n, low, high, comma, err);
    size_t len = 1;
    if (p->at + 1 < p->in.len && strchr("?+", p->in.data[p->at + 1])) len = 2; /* lazy, possessive */
    int rc = lr_buf_append(p->out, p->in.data + p->at, len);
    p->at += len;
    return rc ? no_memory(p, err) : LR_OK;
}

static enum lr_status alternatives(struct regex_parser *p, struct lr_error *err);

/* Options as far as the colon or bracket that ends them: `m` is `s` to PCRE2. */
static enum lr_status options(struct regex_parser *p, struct lr_error *err) {
    LR_TRY(regex_emit(p, p->out, "(?", err));
    for (p->at += 2; p->at < p->in.len && strchr("im-", p->in.data[p->at]); p->at++) {
        char c = p->in.data[p->at];
        if (lr_buf_append_char(p->out, c == 'm' ? 's' : c)) return no_memory(p, err);
    }
    if (!regex_next_is(p, ":") && !regex_next_is(p, ")")) return regex_refuse(p, "this group or option", err);
    return regex_emit(p, p->out, ":", err);
}

/* What follows the bracket of a group, copied; 0 for a plain group or options. */
static size_t group_head(const struct regex_parser *p) {
    static const char *const heads[] = {"(?:", "(?=", "(?!", "(?>", "(?<=", "(?<!"};
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++)
        if (regex_next_is(p, heads[i])) return strlen(heads[i]);
    if (!regex_next_is(p, "(?<")) return regex_next_is(p, "(?") ? 0 : 1;
    const char *close = memchr(p->in.data + p->at, '>', p->in.len - p->at);
    return close ? (size_t)(close + 1 - (p->in.data + p->at)) : 0;
}

static enum lr_status close_group(struct regex_parser *p, struct lr_error *err) {
    if (!regex_next_is(p, ")")) return regex_refuse(p, "a group without its end", err);
    p->at++;
    return regex_emit(p, p->out, ")", err);
}

static enum lr_status group(struct regex_parser *p, unsigned *opened, struct lr_error *err) {
    if (regex_next_is(p, "(?#")) {
        const char *close = memchr(p->in.data + p->at, ')', p->in.len - p->at);
        if (!close) return regex_refuse(p, "a comment without its end", err);
        p->at = (size_t)(close + 1 - p->in.data);
        return LR_OK;
    }
    if (regex_next_is(p, "(*")) return regex_refuse(p, "a call or verb", err);
    size_t head = group_head(p);
    if (head && lr_buf_append(p->out, p->in.data + p->at, head)) return no_memory(p, err);
    p->at += head;
    if (!head) {
        LR_TRY(options(p, err));
        bool alone = regex_next_is(p, ")");
        p->at++;
        *opened += alone;
        if (alone) return LR_OK;
    }
    LR_TRY(alternatives(p, err));
    return close_group(p, err);
}

/* One atom or sign; *atom is where it began in `out`. */
static enum lr_status item(struct regex_parser *p, size_t *atom, unsigned *opened, struct lr_error *err) {
    *atom = p->out->len;
    switch (p->in.data[p->at]) {
    case '\\':
        return escape(p, err);
    case '[':
        return regex_class(p, err);
    case '(':
        return group(p, opened, err);
    case '.':
        p->at++;
        return regex_emit(p, p->out, ".", err);
    case '^':
        p->at++;
        return regex_emit(p, p->out, "(?m:^)", err);
    case '$':
        p->at++;
        return regex_emit(p, p->out, "(?m:$)", err);
    case '|':
        p->at++;
        *atom = SIZE_MAX;
        return regex_emit(p, p->out, "|", err);
    default:
        return regex_copy_char(p, p->out, err);
    }
}

static bool at_quantifier(const struct regex_parser *p) {
    struct lr_str low, high;
    bool comma;
    char c = p->in.data[p->at];
    return c == '*' || c == '+' || c == '?' || (c == '{' && interval(p, &low, &high, &comma));
}

static enum lr_status alternatives(struct regex_parser *p, struct lr_error *err) {
    size_t atom = SIZE_MAX;
    unsigned opened = 0;
    bool quantified = false;
    if (++p->depth > MAX_DEPTH) return regex_refuse(p, "groups this deep", err);
    while (p->at < p->in.len && p->in.data[p->at] != ')') {
        if (at_quantifier(p)) {
            LR_TRY(quantify(p, atom, &quantified, err));
        } else {
            quantified = false;
            LR_TRY(item(p, &atom, &opened, err));
        }
    }
    while (opened--) LR_TRY(regex_emit(p, p->out, ")", err));
    p->depth--;
    return LR_OK;
}

enum lr_status regex_translate(struct lr_str pattern, const char *name, struct lr_buf *out,
                               struct lr_error *err) {
    struct regex_parser p = {.in = pattern, .name = name, .out = out};
    LR_TRY(regex_emit(&p, out, "", err));
    LR_TRY(alternatives(&p, err));
    return p.at == pattern.len ? LR_OK : regex_refuse(&p, "a bracket that closes nothing", err);
}
