/* vocab.h - pieces and their ids: one pool of text, one table by id, one hash table; nothing is allocated for
 * a single entry. Filled once by the loader (which counts first), read-only afterwards. Used by the models
 * and the added tokens. */
#ifndef LR_TEXT_VOCAB_H
#define LR_TEXT_VOCAB_H

#include "base/error.h"
#include "base/str.h"

/* No id reaches this: it is the answer of vocab_find for a piece that is not there. */
#define VOCAB_NONE   UINT32_MAX
#define VOCAB_MAX_ID ((UINT32_C(1) << 24) - 1)

struct vocab_entry {
    uint32_t begin, len; /* in `text`; begin == VOCAB_NONE: no such id */
};
struct vocab {
    char *text;                  /* [text_size] */
    struct vocab_entry *entries; /* [size], by id */
    uint64_t *slots;             /* [mask + 1]: upper half of the hash, id + 1 (0: free) */
    uint32_t size, count;        /* greatest id + 1; entries that exist */
    uint64_t mask, seed;
    size_t text_size, text_used;
    bool borrowed; /* the three tables belong to somebody else, and are only read */
};

/* Room for `count` pieces of `text_size` bytes in all, with ids below `size`. The ids must not be sparse:
 * `size` at most 4 x count + 1,000,000, else LR_EMODEL (`name` and `key` stand in the message). */
enum lr_status vocab_init(struct vocab *v, size_t count, size_t text_size, uint32_t size, const char *name,
                          const char *key, struct lr_error *err);
/* Takes tables that lie elsewhere, as another vocabulary's would be: `v` has all but `count`. They must stay
 * as they are until vocab_free(). False where they are not what vocab_add() makes: then `v` must not be used.
 */
bool vocab_borrow(struct vocab *v);
/* Safe on {0}. */
void vocab_free(struct vocab *v);

enum vocab_added { VOCAB_OK, VOCAB_SAME_ID, VOCAB_SAME_PIECE };
/* Copies `piece` in as `id`, both within what vocab_init was told. */
enum vocab_added vocab_add(struct vocab *v, uint32_t id, struct lr_str piece);

/* The id of a piece, or VOCAB_NONE. */
uint32_t vocab_find(const struct vocab *v, struct lr_str piece);
/* The same in two steps, so that a loader can ask memory for many slots before it looks into them. */
uint64_t vocab_ask(const struct vocab *v, struct lr_str piece);
uint32_t vocab_answer(const struct vocab *v, uint64_t asked, struct lr_str piece);
bool vocab_has(const struct vocab *v, uint32_t id);
/* The piece of an id; empty for ids that do not exist. */
struct lr_str vocab_piece(const struct vocab *v, uint32_t id);
size_t vocab_memory(const struct vocab *v);

#endif
