#include "text/regex.h"

#include "base/mem.h"
#include "text/regex_syntax.h"
#include "text/unicode.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#define MATCH_LIMIT     100000000u
#define HEAP_LIMIT_KIB  (512u * 1024u)
#define JIT_STACK_FIRST (64u * 1024u)
#define JIT_STACK_MOST  (4u * 1024u * 1024u)

struct regex {
    pcre2_general_context *heap;
    pcre2_code *code;
    char *pattern, *name; /* as given, for messages */
};

struct regex_scratch {
    pcre2_match_data *data;
    pcre2_match_context *context;
    pcre2_general_context *heap;
    pcre2_jit_stack *stack; /* made when the 32 KiB that PCRE2 takes by itself have once been too few */
    struct lr_buf subject;  /* the text with older characters in place of newer ones */
};

static void *take(PCRE2_SIZE size, void *ctx) {
    (void)ctx;
    return lr_malloc(size);
}

static void give(void *p, void *ctx) {
    (void)ctx;
    lr_free(p);
}

static enum lr_status compile(struct regex *r, struct lr_str pattern, const char *name,
                              struct lr_error *err) {
    struct lr_buf rewritten = {0};
    int code = 0;
    PCRE2_SIZE at = 0;
    pcre2_compile_context *cc = pcre2_compile_context_create(r->heap);
    enum lr_status status = cc ? regex_translate(pattern, name, &rewritten, err)
                               : lr_fail_memory(err, "a regular expression", pattern.len);
    if (status == LR_OK) {
        pcre2_set_newline(cc, PCRE2_NEWLINE_LF);
        r->code =
            pcre2_compile((PCRE2_SPTR)rewritten.data, rewritten.len, PCRE2_UTF | PCRE2_UCP, &code, &at, cc);
    }
    pcre2_compile_context_free(cc);
    lr_buf_free(&rewritten);
    if (status != LR_OK) return status;
    if (r->code) {
        pcre2_jit_compile(r->code, PCRE2_JIT_COMPLETE); /* without it the interpreter is used */
        return LR_OK;
    }
    if (code == PCRE2_ERROR_NOMEMORY || code == PCRE2_ERROR_HEAP_FAILED)
        return lr_fail_memory(err, "a compiled regular expression", pattern.len);
    char reason[128] = "";
    pcre2_get_error_message(code, (PCRE2_UCHAR *)reason, sizeof reason);
    return lr_fail(err, LR_EMODEL, "%s: regular expression '%.*s' is not supported: %s", name,
                   LR_STR_ARGS(pattern), reason);
}

enum lr_status regex_compile(struct lr_str pattern, const char *name, struct regex **out,
                             struct lr_error *err) {
    *out = NULL;
    struct regex *r = lr_calloc(1, sizeof *r);
    if (r) {
        r->pattern = lr_str_dup(pattern);
        r->name = lr_str_dup(lr_str_of(name));
        r->heap = pcre2_general_context_create(take, give, NULL);
    }
    enum lr_status status = r && r->pattern && r->name && r->heap
                                ? compile(r, pattern, name, err)
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
    lr_free(r->name);
    lr_free(r);
}

enum lr_status regex_scratch_open(const struct regex *r, struct regex_scratch **out, struct lr_error *err) {
    *out = NULL;
    struct regex_scratch *s = lr_calloc(1, sizeof *s);
    if (!s) return lr_fail_memory(err, "matching", sizeof *s);
    s->data = pcre2_match_data_create_from_pattern(r->code, r->heap);
    s->context = pcre2_match_context_create(r->heap);
    s->heap = r->heap;
    if (!s->data || !s->context) {
        regex_scratch_close(s);
        return lr_fail_memory(err, "matching", sizeof *s);
    }
    pcre2_set_match_limit(s->context, MATCH_LIMIT);
    pcre2_set_heap_limit(s->context, HEAP_LIMIT_KIB);
    *out = s;
    return LR_OK;
}

void regex_scratch_close(struct regex_scratch *s) {
    if (!s) return;
    pcre2_match_data_free(s->data);
    pcre2_match_context_free(s->context);
    if (s->stack) pcre2_jit_stack_free(s->stack);
    lr_buf_free(&s->subject);
    lr_free(s);
}

enum lr_status regex_subject(struct regex_scratch *s, struct lr_str *text, struct lr_error *err) {
    s->subject.len = 0;
    if (unicode_replace_new(*text, &s->subject)) return lr_fail_memory(err, "matching", text->len);
    if (s->subject.len) *text = lr_buf_str(&s->subject);
    return LR_OK;
}

/* Again with a larger stack, and where that is too small too, by the interpreter. */
static int match_with_room(const struct regex *r, struct regex_scratch *s, struct lr_str text, size_t from) {
    PCRE2_SPTR subject = (PCRE2_SPTR)text.data;
    int rc = PCRE2_ERROR_JIT_STACKLIMIT;
    if (!s->stack) {
        s->stack = pcre2_jit_stack_create(JIT_STACK_FIRST, JIT_STACK_MOST, s->heap);
        if (!s->stack) return PCRE2_ERROR_NOMEMORY;
        pcre2_jit_stack_assign(s->context, NULL, s->stack);
        rc = pcre2_match(r->code, subject, text.len, from, PCRE2_NO_UTF_CHECK, s->data, s->context);
    }
    if (rc != PCRE2_ERROR_JIT_STACKLIMIT) return rc;
    return pcre2_match(r->code, subject, text.len, from, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, s->data,
                       s->context);
}

enum lr_status regex_find(const struct regex *r, struct regex_scratch *s, struct lr_str text, size_t from,
                          bool *found, size_t *begin, size_t *end, struct lr_error *err) {
    PCRE2_SPTR subject = (PCRE2_SPTR)text.data;
    int rc = pcre2_match(r->code, subject, text.len, from, PCRE2_NO_UTF_CHECK, s->data, s->context);
    if (rc == PCRE2_ERROR_JIT_STACKLIMIT) rc = match_with_room(r, s, text, from);
    *found = rc > 0;
    if (rc == PCRE2_ERROR_NOMATCH) return LR_OK;
    if (rc == PCRE2_ERROR_NOMEMORY) return lr_fail_memory(err, "matching", text.len);
    if (rc < 0) {
        char reason[128] = "";
        pcre2_get_error_message(rc, (PCRE2_UCHAR *)reason, sizeof reason);
        return lr_fail(err, LR_EFAILED, "%s: regular expression '%s' over %zu bytes of text: %s", r->name,
                       r->pattern, text.len, reason);
    }
    const PCRE2_SIZE *range = pcre2_get_ovector_pointer(s->data);
    *begin = range[0];
    *end = range[1] > range[0] ? range[1] : range[0];
    return LR_OK;
}
