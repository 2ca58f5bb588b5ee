/* Classes in brackets. Oniguruma's may hold other classes and be intersected with &&; PCRE2's only list
 * members. So a class becomes members where that is all there is, else alternatives and look-aheads over
 * single characters. */
#include "text/regex_parser.h"
#include "text/regex_sets.h"

#define MAX_CLASS_DEPTH 16

/* What stands between two &&: members of one list, and whole classes beside it, each with a bar before it. */
struct operand {
    struct lr_buf members, others;
};

static enum lr_status no_memory(const struct regex_parser *p, struct lr_error *err) {
    return lr_fail_memory(err, "a regular expression", p->in.len);
}

static void operand_free(struct operand *o) {
    lr_buf_free(&o->members);
    lr_buf_free(&o->others);
}

/* [:name:] at `at`. */
static enum lr_status posix(struct regex_parser *p, struct operand *o, struct lr_error *err) {
    struct lr_str rest = lr_str_from(p->in, p->at + 2);
    bool negated = lr_str_starts(rest, LR_STR("^"));
    if (negated) rest = lr_str_from(rest, 1);
    const char *end = memmem(rest.data, rest.len, ":]", 2);
    const char *set = end ? regex_set_posix((struct lr_str){rest.data, (size_t)(end - rest.data)}) : NULL;
    if (!set) return regex_refuse(p, "this POSIX class", err);
    p->at = (size_t)(end + 2 - p->in.data);
    if (!negated) return regex_emit(p, &o->members, set, err);
    return lr_buf_printf(&o->others, "|[^%s]", set) ? no_memory(p, err) : LR_OK;
}

static enum lr_status set_escape(struct regex_parser *p, struct operand *o, const char *set, bool negated,
                                 struct lr_error *err) {
    p->at += 2;
    if (!negated) return regex_emit(p, &o->members, set, err);
    return lr_buf_printf(&o->others, "|[^%s]", set) ? no_memory(p, err) : LR_OK;
}

/* One character, plain or escaped. */
static enum lr_status single(struct regex_parser *p, struct operand *o, struct lr_error *err) {
    if (!regex_next_is(p, "\\")) return regex_copy_char(p, &o->members, err);
    if (p->at + 1 >= p->in.len) return regex_refuse(p, "a class without its end", err);
    if (p->in.data[p->at + 1] != 'b') return regex_plain_escape(p, &o->members, err);
    p->at += 2;
    return regex_emit(p, &o->members, "\\x{08}", err);
}

/* Whether a hyphen at `at` makes a range with a single character behind it. */
static bool makes_range(const struct regex_parser *p) {
    struct lr_str rest = lr_str_from(p->in, p->at);
    if (rest.len < 3 || rest.data[0] != '-' || rest.data[1] == ']' || rest.data[1] == '[') return false;
    if (lr_str_starts(lr_str_from(rest, 1), LR_STR("&&"))) return false;
    return rest.data[1] != '\\' || !strchr("swhdSWHDpP", rest.data[2]);
}

static enum lr_status nested(struct regex_parser *p, struct operand *o, struct lr_error *err) {
    struct lr_buf *out = p->out, inner = {0};
    p->out = &inner;
    enum lr_status status = regex_class(p, err);
    p->out = out;
    if (status == LR_OK && lr_buf_printf(&o->others, "|%.*s", LR_STR_ARGS(lr_buf_str(&inner))))
        status = no_memory(p, err);
    lr_buf_free(&inner);
    return status;
}

static enum lr_status member(struct regex_parser *p, struct operand *o, struct lr_error *err) {
    if (regex_next_is(p, "[:")) return posix(p, o, err);
    if (regex_next_is(p, "[")) return nested(p, o, err);
    if (regex_next_is(p, "\\") && p->at + 1 < p->in.len) {
        bool negated;
        char c = p->in.data[p->at + 1];
        const char *set = regex_set_escape(c, true, &negated);
        if (set) return set_escape(p, o, set, negated, err);
        if (c == 'p' || c == 'P') return regex_property(p, &o->members, err);
    }
    LR_TRY(single(p, o, err));
    if (!makes_range(p)) return LR_OK;
    p->at++;
    LR_TRY(regex_emit(p, &o->members, "-", err));
    return single(p, o, err);
}

/* Members up to && or the end of the class. */
static enum lr_status read_operand(struct regex_parser *p, struct operand *o, bool first,
                                   struct lr_error *err) {
    if (first && regex_next_is(p, "]")) LR_TRY(regex_copy_char(p, &o->members, err));
    while (p->at < p->in.len && !regex_next_is(p, "]") && !regex_next_is(p, "&&")) LR_TRY(member(p, o, err));
    if (p->at >= p->in.len) return regex_refuse(p, "a class without its end", err);
    if (!o->members.len && !o->others.len) return regex_refuse(p, "an empty class", err);
    return LR_OK;
}

/* Appends an expression for one character of the operand. */
static int write_operand(const struct operand *o, struct lr_buf *out) {
    struct lr_str members = lr_buf_str(&o->members), others = lr_buf_str(&o->others);
    if (!others.len) return lr_buf_printf(out, "[%.*s]", LR_STR_ARGS(members));
    if (!members.len) return lr_buf_printf(out, "(?:%.*s)", LR_STR_ARGS(lr_str_from(others, 1)));
    return lr_buf_printf(out, "(?:[%.*s]%.*s)", LR_STR_ARGS(members), LR_STR_ARGS(others));
}

/* All operands but the last look ahead, the last takes the character. */
static enum lr_status read_operands(struct regex_parser *p, struct lr_buf *all, bool *simple,
                                    struct lr_error *err) {
    *simple = true;
    for (bool first = true;; first = false) {
        struct operand o = {0};
        enum lr_status status = read_operand(p, &o, first, err);
        bool more = status == LR_OK && regex_next_is(p, "&&");
        *simple = *simple && first && !more && !o.others.len;
        int rc = 0;
        if (status == LR_OK && *simple)
            rc = lr_buf_append_str(all, lr_buf_str(&o.members));
        else if (status == LR_OK)
            rc = (more && lr_buf_append_str(all, LR_STR("(?="))) || write_operand(&o, all) ||
                 (more && lr_buf_append_char(all, ')'));
        operand_free(&o);
        if (status != LR_OK) return status;
        if (rc) return no_memory(p, err);
        p->at += more ? 2 : 1;
        if (!more) return LR_OK;
    }
}

enum lr_status regex_class(struct regex_parser *p, struct lr_error *err) {
    struct lr_buf all = {0};
    bool simple, negated;
    if (p->class_depth == MAX_CLASS_DEPTH) return regex_refuse(p, "classes this deep", err);
    p->class_depth++;
    p->at++;
    negated = regex_next_is(p, "^");
    p->at += negated;
    enum lr_status status = read_operands(p, &all, &simple, err);
    p->class_depth--;
    struct lr_str s = lr_buf_str(&all);
    int rc = 0;
    if (status == LR_OK && simple)
        rc = lr_buf_printf(p->out, "[%s%.*s]", negated ? "^" : "", LR_STR_ARGS(s));
    else if (status == LR_OK)
        rc = lr_buf_printf(p->out, negated ? "(?:(?!%.*s)(?s:.))" : "(?:%.*s)", LR_STR_ARGS(s));
    lr_buf_free(&all);
    return rc ? no_memory(p, err) : status;
}
