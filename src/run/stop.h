/* stop.h - stop strings in a stream of text: what may be given out, what must wait because a stop string may
 * have begun. */
#ifndef LR_RUN_STOP_H
#define LR_RUN_STOP_H

#include "base/str.h"

struct stop_strings {
    const char *const *strings; /* [count], borrowed */
    size_t count;
};

/* Looks at text that has not been given out. Returns true when a stop string stands in it: `*safe` is then
 * the length before the earliest one. Else `*safe` is the length that no stop string can still claim. Empty
 * strings never match. */
bool stop_find(const struct stop_strings *stops, struct lr_str text, size_t *safe);

#endif
