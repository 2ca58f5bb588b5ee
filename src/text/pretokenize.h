/* pretokenize.h - the `pre_tokenizer` of tokenizer.json: splits text into pieces that the model encodes one
 * by one, changing them where the kind does (ByteLevel's alphabet, Metaspace's blank). Read-only after
 * parsing. */
#ifndef LR_TEXT_PRETOKENIZE_H
#define LR_TEXT_PRETOKENIZE_H

#include "format/json.h"

struct pretokenizer;

struct piece_span {
    size_t begin, len; /* in piece_list.text */
};
/* Pieces in order; empty ones do not occur. Starts as {0}; reused between calls with the same pre-tokenizer
 * by setting count and text.len to 0. */
struct splitting;
struct piece_list {
    struct lr_buf text;
    struct piece_span *spans; /* [count] */
    size_t count, cap;
    const volatile int *interrupt; /* stops pretokenizer_apply: LR_EINTERRUPTED; or NULL */
    struct splitting *work;        /* pretokenizer_apply's own */
};
void piece_list_free(struct piece_list *l);

/* null or absent gives *out == NULL: the whole text is one piece. */
enum lr_status pretokenizer_parse(struct json spec, struct pretokenizer **out, struct lr_error *err);
void pretokenizer_free(struct pretokenizer *p);
/* Appends the pieces of `text` (valid UTF-8, not empty) to `out`. `first`: it begins the whole input
 * (nothing, not even an added token, stands before it), for Metaspace's prepend_scheme "first". */
enum lr_status pretokenizer_apply(const struct pretokenizer *p, struct lr_str text, bool first,
                                  struct piece_list *out, struct lr_error *err);

#endif
