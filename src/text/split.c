#include "text/split.h"

#include "base/mem.h"
#include "text/interrupt.h"
#include "text/unicode.h"

static enum lr_status push(struct part_list *l, size_t begin, size_t end, bool match, struct lr_error *err) {
    if (begin == end) return LR_OK;
    if (lr_grow(&l->parts, &l->cap, l->count + 1, sizeof *l->parts))
        return lr_fail_memory(err, "parts of a text", end - begin);
    l->parts[l->count++] = (struct part){begin, end, match};
    return LR_OK;
}

enum lr_status split_find_regex(const struct regex *r, struct regex_scratch *s, struct lr_str text,
                                struct part_list *out, struct lr_error *err) {
    size_t done = 0, from = 0;
    LR_TRY(regex_subject(s, &text, err));
    while (text.len && from <= text.len) {
        bool found;
        size_t begin, end;
        LR_TRY(interrupt_check(out->interrupt, err));
        LR_TRY(regex_find(r, s, text, from, &found, &begin, &end, err));
        if (!found) break;
        LR_TRY(push(out, done, begin, false, err));
        LR_TRY(push(out, begin, end, true, err));
        done = from = end;
        if (begin < end) continue;
        if (from == text.len) break; /* an empty match: go on behind the next character */
        unicode_next(text, &from);
    }
    return push(out, done, text.len, false, err);
}

enum lr_status split_find_string(struct lr_str pattern, struct lr_str text, struct part_list *out,
                                 struct lr_error *err) {
    size_t done = 0;
    while (pattern.len && done < text.len) {
        LR_TRY(interrupt_check(out->interrupt, err));
        const char *hit = memmem(text.data + done, text.len - done, pattern.data, pattern.len);
        if (!hit) break;
        size_t begin = (size_t)(hit - text.data);
        LR_TRY(push(out, done, begin, false, err));
        LR_TRY(push(out, begin, begin + pattern.len, true, err));
        done = begin + pattern.len;
    }
    return push(out, done, text.len, false, err);
}

enum lr_status split_find_chars(split_char_fn *is, struct lr_str text, struct part_list *out,
                                struct lr_error *err) {
    size_t done = 0;
    for (size_t at = 0; at < text.len;) {
        size_t begin = at;
        LR_TRY(interrupt_check(out->interrupt, err));
        if (!is(unicode_next(text, &at))) continue;
        LR_TRY(push(out, done, begin, false, err));
        LR_TRY(push(out, begin, at, true, err));
        done = at;
    }
    return push(out, done, text.len, false, err);
}

/* A match joins the part before it, unless that is a match or there is none. */
static size_t merge_with_previous(struct part *p, size_t n) {
    size_t kept = 0;
    bool after_match = false;
    for (size_t i = 0; i < n; i++) {
        bool match = p[i].match;
        if (match && !after_match && kept)
            p[kept - 1].end = p[i].end;
        else
            p[kept++] = p[i];
        after_match = match;
    }
    return kept;
}

/* The mirror image. */
static size_t merge_with_next(struct part *p, size_t n) {
    size_t first = n;
    bool before_match = false;
    for (size_t i = n; i-- > 0;) {
        bool match = p[i].match;
        if (match && !before_match && first < n)
            p[first].begin = p[i].begin;
        else
            p[--first] = p[i];
        before_match = match;
    }
    memmove(p, p + first, (n - first) * sizeof *p);
    return n - first;
}

static size_t merge_contiguous(struct part *p, size_t n) {
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        if (kept && p[kept - 1].match == p[i].match)
            p[kept - 1].end = p[i].end;
        else
            p[kept++] = p[i];
    }
    return kept;
}

static size_t drop_matches(struct part *p, size_t n) {
    size_t kept = 0;
    for (size_t i = 0; i < n; i++)
        if (!p[i].match) p[kept++] = p[i];
    return kept;
}

void split_arrange(enum split_behavior behavior, bool invert, struct part_list *l) {
    for (size_t i = 0; invert && i < l->count; i++) l->parts[i].match = !l->parts[i].match;
    switch (behavior) {
    case SPLIT_REMOVED:
        l->count = drop_matches(l->parts, l->count);
        break;
    case SPLIT_ISOLATED:
        break;
    case SPLIT_MERGED_WITH_PREVIOUS:
        l->count = merge_with_previous(l->parts, l->count);
        break;
    case SPLIT_MERGED_WITH_NEXT:
        l->count = merge_with_next(l->parts, l->count);
        break;
    case SPLIT_CONTIGUOUS:
        l->count = merge_contiguous(l->parts, l->count);
        break;
    }
}

bool split_behavior_parse(struct lr_str name, enum split_behavior *out) {
    static const char *const names[] = {"Removed", "Isolated", "MergedWithPrevious", "MergedWithNext",
                                        "Contiguous"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (!lr_str_is(name, names[i])) continue;
        *out = (enum split_behavior)i;
        return true;
    }
    return false;
}
