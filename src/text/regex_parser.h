/* regex_parser.h - what regex_syntax.c and regex_class.c share: a place in the pattern and where the
 * rewritten one goes. */
#ifndef LR_TEXT_REGEX_PARSER_H
#define LR_TEXT_REGEX_PARSER_H

#include "base/error.h"
#include "base/str.h"

struct regex_parser {
    struct lr_str in;
    size_t at;
    const char *name; /* of the file, for messages */
    struct lr_buf *out;
    unsigned depth, class_depth;
};

enum lr_status regex_refuse(const struct regex_parser *p, const char *what, struct lr_error *err);
enum lr_status regex_emit(struct regex_parser *p, struct lr_buf *out, const char *text, struct lr_error *err);
bool regex_next_is(const struct regex_parser *p, const char *text);
/* The character at `at`, escaped where it could be a sign. */
enum lr_status regex_copy_char(struct regex_parser *p, struct lr_buf *out, struct lr_error *err);
/* \p{...} or \P{...} at `at`. */
enum lr_status regex_property(struct regex_parser *p, struct lr_buf *out, struct lr_error *err);
/* Any other escape that stands for one character. */
enum lr_status regex_plain_escape(struct regex_parser *p, struct lr_buf *out, struct lr_error *err);
/* A class in brackets at `at`. */
enum lr_status regex_class(struct regex_parser *p, struct lr_error *err);

#endif
