#include "text/regex.h"

#include "base/mem.h"
#include "text/unicode_recent.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#define MATCH_LIMIT     100000000u
#define HEAP_LIMIT_KIB  (512u * 1024u)
#define JIT_STACK_FIRST (32u * 1024u)
#define JIT_STACK_MOST  (1024u * 1024u)

struct regex {
    pcre2_general_context *heap;
    pcre2_code *code;
    char *pattern; /* as given, for messages */
};

struct regex_scratch {
    pcre2_match_data *data;
    pcre2_match_context *context;
    pcre2_jit_stack *stack;
};

static void *take(PCRE2_SIZE size, void *ctx) {
    (void)ctx;
    return lr_malloc(size);
}

static void give(void *p, void *ctx) {
    (void)ctx;
    lr_free(p);
}

/* Members of a character class: White_Space, and Oniguruma's word (Alphabetic, marks, decimal digits,
 * connectors). */
#define SPACE_SET                                                                                            \
    "\\t-\\r \\x{85}\\x{A0}\\x{1680}\\x{2000}-\\x{200A}\\x{2028}\\x{2029}\\x{202F}\\x{205F}\\x{3000}"
#define WORD_SET                                                                                             \
    "\\p{L}\\p{M}\\p{Nd}\\p{Nl}\\p{Pc}\\x{24B6}-\\x{24E9}\\x{1F130}-\\x{1F149}\\x{1F150}-\\x{1F169}\\x{"     \
    "1F170}-\\x{1F189}"
#define HEX_SET "0-9a-fA-F"

/* What `\c` becomes, inside or outside a class; NULL: it stays. A negated set inside a class cannot be
 * written as members and stays as PCRE2 has it. */
static const char *rewrite(char c, bool in_class) {
    switch (c) {
    case 's':
        return in_class ? SPACE_SET : "[" SPACE_SET "]";
    case 'S':
        return in_class ? NULL : "[^" SPACE_SET "]";
    case 'w':
        return in_class ? WORD_SET : "[" WORD_SET "]";
    case 'W':
        return in_class ? NULL : "[^" WORD_SET "]";
    case 'h':
        return in_class ? HEX_SET : "[" HEX_SET "]";
    case 'H':
        return in_class ? NULL : "[^" HEX_SET "]";
    default:
        return NULL;
    }
}

struct translation {
    struct lr_str in;
    struct lr_buf out;
    size_t at;
    int depth; /* of nested classes: Oniguruma has them, PCRE2 does not; an inner one is spread into the outer
                */
};

enum { TRANSLATED, NO_MEMORY, NOT_EXPRESSIBLE };

static bool next_is(const struct translation *t, const char *s) {
    return lr_str_starts(lr_str_from(t->in, t->at), lr_str_of(s));
}

static int copy(struct translation *t, size_t n) {
    if (lr_buf_append(&t->out, t->in.data + t->at, n)) return NO_MEMORY;
    t->at += n;
    return TRANSLATED;
}

/* A class begins: what follows the bracket may be a negation, and a bracket that closes at once is a member.
 */
static int open_class(struct translation *t) {
    size_t n = 1;
    t->depth++;
    if (t->depth > 1) {
        t->at++;
        return next_is(t, "^") ? NOT_EXPRESSIBLE : TRANSLATED;
    }
    if (lr_str_starts(lr_str_from(t->in, t->at + n), LR_STR("^"))) n++;
    if (lr_str_starts(lr_str_from(t->in, t->at + n), LR_STR("]"))) n++;
    return copy(t, n);
}

static int in_class(struct translation *t) {
    if (next_is(t, "&&")) return NOT_EXPRESSIBLE;
    if (next_is(t, "[:")) {
        size_t n = 2;
        while (t->at + n < t->in.len && t->in.data[t->at + n - 1] != ']') n++;
        return copy(t, n);
    }
    if (next_is(t, "[")) return open_class(t);
    if (!next_is(t, "]")) return copy(t, 1);
    if (--t->depth == 0) return copy(t, 1);
    t->at++;
    return TRANSLATED;
}

/* Members of the category `name`, in the brackets that are needed outside a class. */
static int append_category(struct translation *t, struct lr_str name, bool negated) {
    struct lr_buf *out = &t->out;
    bool bare = t->depth > 0;
    if (!bare && lr_buf_append_str(out, negated ? LR_STR("[^") : LR_STR("["))) return NO_MEMORY;
    if (lr_buf_printf(out, "\\p{%.*s}", LR_STR_ARGS(name)) || unicode_recent(name, out)) return NO_MEMORY;
    return !bare && lr_buf_append_char(out, ']') ? NO_MEMORY : TRANSLATED;
}

/* \pL, \p{Lu}, \P{N}, \p{^N}: the category with what PCRE2 may not know of it yet. A negated one inside a
 * class stays. */
static int category(struct translation *t) {
    struct lr_str rest = lr_str_from(t->in, t->at + 2), name = {rest.data, rest.len ? 1 : 0};
    bool negated = t->in.data[t->at + 1] == 'P';
    size_t n = 3;
    if (lr_str_is(name, "{")) {
        const char *end = memchr(rest.data, '}', rest.len);
        if (!end) return copy(t, 2);
        name = (struct lr_str){rest.data + 1, (size_t)(end - rest.data) - 1};
        n = name.len + 4;
    }
    if (name.len > 1 && name.data[0] == '^') {
        negated = !negated;
        name = lr_str_from(name, 1);
    }
    if (!name.len || (negated && t->depth)) return copy(t, name.len ? n : 2);
    t->at += n;
    return append_category(t, name, negated);
}

static int escape(struct translation *t) {
    char c = t->in.data[t->at + 1];
    if (c == 'p' || c == 'P') return category(t);
    if (c == 'd' || (c == 'D' && !t->depth)) {
        t->at += 2;
        return append_category(t, LR_STR("Nd"), c == 'D');
    }
    const char *as = rewrite(c, t->depth > 0);
    if (!as) return copy(t, 2);
    t->at += 2;
    return lr_buf_append_str(&t->out, lr_str_of(as)) ? NO_MEMORY : TRANSLATED;
}

static int translate(struct translation *t) {
    int rc = lr_buf_append(&t->out, "", 0) ? NO_MEMORY : TRANSLATED;
    while (rc == TRANSLATED && t->at < t->in.len) {
        if (next_is(t, "\\") && t->at + 1 < t->in.len)
            rc = escape(t);
        else if (t->depth)
            rc = in_class(t);
        else
            rc = next_is(t, "[") ? open_class(t) : copy(t, 1);
    }
    return rc;
}

static enum lr_status compile(struct regex *r, struct lr_str pattern, struct lr_error *err) {
    struct translation t = {.in = pattern};
    int code = 0, rc = translate(&t);
    PCRE2_SIZE at = 0;
    if (rc != TRANSLATED) {
        lr_buf_free(&t.out);
        if (rc == NO_MEMORY) return lr_fail_memory(err, "a regular expression", pattern.len);
        return lr_fail(
            err, LR_EMODEL,
            "regular expression '%.*s' is not supported: set operations in a class (near byte %zu)",
            LR_STR_ARGS(pattern), t.at);
    }
    pcre2_compile_context *cc = pcre2_compile_context_create(r->heap);
    if (cc)
        r->code = pcre2_compile((PCRE2_SPTR)t.out.data, t.out.len, PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE,
                                &code, &at, cc);
    bool no_memory = !cc || (!r->code && code == PCRE2_ERROR_NOMEMORY) || (!r->code && code == 121);
    pcre2_compile_context_free(cc);
    lr_buf_free(&t.out);
    if (r->code) {
        pcre2_jit_compile(r->code, PCRE2_JIT_COMPLETE); /* without it the interpreter is used */
        return LR_OK;
    }
    if (no_memory) return lr_fail_memory(err, "a compiled regular expression", pattern.len);
    char reason[128] = "";
    pcre2_get_error_message(code, (PCRE2_UCHAR *)reason, sizeof reason);
    return lr_fail(err, LR_EMODEL, "regular expression '%.*s' is not supported: %s (near byte %zu)",
                   LR_STR_ARGS(pattern), reason, (size_t)at);
}

enum lr_status regex_compile(struct lr_str pattern, struct regex **out, struct lr_error *err) {
    *out = NULL;
    struct regex *r = lr_calloc(1, sizeof *r);
    if (r) {
        r->pattern = lr_str_dup(pattern);
        r->heap = pcre2_general_context_create(take, give, NULL);
    }
    enum lr_status status = r && r->pattern && r->heap
                                ? compile(r, pattern, err)
                                : lr_fail_memory(err, "a regular expression", pattern.len);
    if (status != LR_OK)
        regex_free(r);
    else
        *out = r;
    return status;
}

void regex_free(struct regex *r) {
    if (!r) return;
    pcre2_code_free(r->code);
    pcre2_general_context_free(r->heap);
    lr_free(r->pattern);
    lr_free(r);
}

enum lr_status regex_scratch_open(const struct regex *r, struct regex_scratch **out, struct lr_error *err) {
    *out = NULL;
    struct regex_scratch *s = lr_calloc(1, sizeof *s);
    if (!s) return lr_fail_memory(err, "matching", sizeof *s);
    s->data = pcre2_match_data_create_from_pattern(r->code, r->heap);
    s->context = pcre2_match_context_create(r->heap);
    s->stack = pcre2_jit_stack_create(JIT_STACK_FIRST, JIT_STACK_MOST, r->heap);
    if (!s->data || !s->context || !s->stack) {
        regex_scratch_close(s);
        return lr_fail_memory(err, "matching", JIT_STACK_FIRST);
    }
    pcre2_set_match_limit(s->context, MATCH_LIMIT);
    pcre2_set_heap_limit(s->context, HEAP_LIMIT_KIB);
    pcre2_jit_stack_assign(s->context, NULL, s->stack);
    *out = s;
    return LR_OK;
}

void regex_scratch_close(struct regex_scratch *s) {
    if (!s) return;
    pcre2_match_data_free(s->data);
    pcre2_match_context_free(s->context);
    if (s->stack) pcre2_jit_stack_free(s->stack);
    lr_free(s);
}

enum lr_status regex_find(const struct regex *r, struct regex_scratch *s, struct lr_str text, size_t from,
                          bool *found, size_t *begin, size_t *end, struct lr_error *err) {
    PCRE2_SPTR subject = (PCRE2_SPTR)text.data;
    int rc = pcre2_match(r->code, subject, text.len, from, PCRE2_NO_UTF_CHECK, s->data, s->context);
    if (rc == PCRE2_ERROR_JIT_STACKLIMIT)
        rc = pcre2_match(r->code, subject, text.len, from, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, s->data,
                         s->context);
    *found = rc > 0;
    if (rc == PCRE2_ERROR_NOMATCH) return LR_OK;
    if (rc == PCRE2_ERROR_NOMEMORY) return lr_fail_memory(err, "matching", text.len);
    if (rc < 0) {
        char reason[128] = "";
        pcre2_get_error_message(rc, (PCRE2_UCHAR *)reason, sizeof reason);
        return lr_fail(err, LR_EFAILED, "regular expression '%s' over %zu bytes of text: %s", r->pattern,
                       text.len, reason);
    }
    const PCRE2_SIZE *range = pcre2_get_ovector_pointer(s->data);
    *begin = range[0];
    *end = range[1] > range[0] ? range[1] : range[0];
    return LR_OK;
}
