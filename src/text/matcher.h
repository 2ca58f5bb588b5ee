/* matcher.h - finds a set of strings in text, leftmost first, the longest of those that begin there: a trie
 * of bytes with a table for the first one. A search costs at most text length x longest string, and on text
 * that matches or does not begin like a string one step a byte. Used for added tokens. */
#ifndef LR_TEXT_MATCHER_H
#define LR_TEXT_MATCHER_H

#include "base/error.h"
#include "base/str.h"

#define MATCHER_NONE UINT32_MAX

struct matcher {
    struct matcher_node *nodes; /* [count]; 0 is none */
    size_t count, cap;
    uint32_t first[256]; /* the node of each first byte, or 0 */
};

/* Safe on {0}. */
void matcher_free(struct matcher *m);
/* Adds a string that is not empty; of two equal ones the first stays. -1 when memory is refused. */
int matcher_add(struct matcher *m, struct lr_str s, uint32_t value);
/* The first match at or behind `from`: its value and place, or MATCHER_NONE. */
uint32_t matcher_find(const struct matcher *m, struct lr_str text, size_t from, size_t *begin, size_t *end);
size_t matcher_memory(const struct matcher *m);

#endif
