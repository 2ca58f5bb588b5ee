/* added.h - the `added_tokens` of tokenizer.json: strings that are found in the text before everything else
 * and are never split. Those with "normalized": false are sought in the text as it stands, the others,
 * normalised themselves, in the normalised text between. Read-only after parsing; used by the tokenizer
 * alone. */
#ifndef LR_TEXT_ADDED_H
#define LR_TEXT_ADDED_H

#include "format/json.h"
#include "text/matcher.h"
#include "text/normalize.h"
#include "text/vocab.h"

struct added_token {
    uint32_t id;
    bool single_word, lstrip, rstrip, normalized, special;
    bool raw; /* found in the text as it is; `normalized`: found in its normal form */
};
struct added {
    struct vocab contents;      /* by number 0 .. count - 1 */
    struct added_token *tokens; /* [count], by number */
    uint32_t *by_id;            /* [count], numbers in the order of ids */
    uint32_t count, size;       /* size: greatest id + 1 */
    struct matcher raw, normal;
    bool renumbered; /* a token was told to have another id than its entry says */
};

/* Starts a set of at most `count` tokens of `bytes` bytes in all. */
enum lr_status added_init(struct added *a, size_t count, size_t bytes, const char *name,
                          struct lr_error *err);
/* Safe on {0}. */
void added_free(struct added *a);
/* The tokens of a list (`added_tokens`) or of the values of an object (`added_tokens_decoder`); absent or
 * null: none. As in the package their own "id" does not count: a content that `model` knows keeps its id,
 * others get the next one behind the vocabulary; of equal contents the first stays, and empty ones are left
 * out. */
enum lr_status added_parse(struct json list, const struct vocab *model, struct added *a,
                           struct lr_error *err);
/* Adds one token; `t.id` is chosen as above. */
void added_put(struct added *a, const struct vocab *model, struct lr_str content, struct added_token t);
/* Makes ready for searches; `n` (may be NULL) normalises contents. */
enum lr_status added_finish(struct added *a, const struct normalizer *n, struct lr_error *err);

/* A search in one text, starting as {0}: `done` is where what has not been given out begins. */
struct added_search {
    size_t done, begin, end; /* [begin, end): the match, with the blanks that it strips */
    uint32_t number;
    size_t from, blank_begin, blank_end;
};
/* The next token; false when there is none. Text between s->done and s->begin stands before it; the caller
 * sets s->done = s->end afterwards. */
bool added_next(const struct added *a, bool normalized, struct lr_str text, struct added_search *s);

/* The token of an id, or NULL; *content gets its text. */
const struct added_token *added_by_id(const struct added *a, uint32_t id, struct lr_str *content);
/* The id of a content, or VOCAB_NONE. */
uint32_t added_find(const struct added *a, struct lr_str content);
size_t added_memory(const struct added *a);

#endif
