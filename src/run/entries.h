/* entries.h - what is kept in the cache folder for the next time: safetensors files that are made aside and
 * renamed, each of which says in its metadata what it was made from ("origin"). Used by quant.c and
 * compiled.c, which name them, and check them at each use. */
#ifndef LR_RUN_ENTRIES_H
#define LR_RUN_ENTRIES_H

#include "base/log.h"

#include <stdbool.h>
#include <stdint.h>

#define ENTRY_SUFFIX ".safetensors"

/* Whether the disk of the folder keeps a tenth free with so many bytes more; says at `level` if not. */
bool entries_have_room(const char *folder, const char *what, uint64_t bytes, int level);
/* Removes entries whose names begin with `prefix` and whose origin is gone; and those that begin with `same`
 * and were made from `origin` (may be NULL), which is something else by now. */
void entries_remove_orphans(const char *folder, const char *prefix, const char *same, const char *origin);

#endif
