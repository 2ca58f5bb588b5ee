/* split.h - cutting one piece at matches, by the behaviours of the `tokenizers` package. Called by
 * pretokenize alone. */
#ifndef LR_TEXT_SPLIT_H
#define LR_TEXT_SPLIT_H

#include "base/error.h"
#include "text/pretokenize.h"
#include "text/regex.h"

enum split_behavior {
    SPLIT_REMOVED,
    SPLIT_ISOLATED,
    SPLIT_MERGED_WITH_PREVIOUS,
    SPLIT_MERGED_WITH_NEXT,
    SPLIT_CONTIGUOUS
};

/* Alternating parts of a text that lie between matches or are matches; together they cover it. */
struct part {
    size_t begin, end;
    bool match;
};
struct part_list {
    struct part *parts;
    size_t count, cap;
    const volatile int *interrupt; /* as in token_list */
};

/* What matches: one of these. */
typedef bool split_char_fn(uint32_t c);

enum lr_status split_find_regex(const struct regex *r, struct regex_scratch *s, struct lr_str text,
                                struct part_list *out, struct lr_error *err);
enum lr_status split_find_string(struct lr_str pattern, struct lr_str text, struct part_list *out,
                                 struct lr_error *err);
enum lr_status split_find_chars(split_char_fn *is, struct lr_str text, struct part_list *out,
                                struct lr_error *err);

/* Merges and drops the parts in place, as `behavior` says. */
void split_arrange(enum split_behavior behavior, bool invert, struct part_list *l);
bool split_behavior_parse(struct lr_str name, enum split_behavior *out);

#endif
