/* memory_policy.h - the mission's rules for memory, as pure functions over one table. GB = 2^30 bytes.
 *
 * first size    available [0, 8) GB: 512 MB, conservative - [8, 16): 1 GB, standard - [16, 32]: 2 GB, high
 *               performance - above 32: 4 GB, maximum performance. A reservation, not use.
 * growth        from the current size, needed = in use + new block:  above 12 GB: needed + 256 MB - above 4
 * GB: the smaller of needed + 1 GB and current + current/4, never less than needed - else the larger of 1.5 x
 *               current and needed. No step takes more than half of what is available at once: it shrinks to
 * what is needed, and is refused if even that is more. one tensor    above 8 GB is refused. high usage    1 -
 * available/total above 70 %. */
#ifndef LR_BASE_MEMORY_POLICY_H
#define LR_BASE_MEMORY_POLICY_H

#include <stdbool.h>
#include <stdint.h>

struct memory_mode {
    const char *name;    /* "conservative", ... */
    uint64_t first_size; /* bytes to reserve at first */
};
struct memory_mode policy_mode(uint64_t available);
/* The next size of an arena of `current` bytes with `in_use` taken that must hold `block` more. False:
 * refused. */
bool policy_grow(uint64_t current, uint64_t in_use, uint64_t block, uint64_t available, uint64_t *next);
#define POLICY_MAX_TENSOR       (UINT64_C(8) << 30)
#define POLICY_LAYERS_PER_BATCH 10u
bool policy_high_usage(uint64_t available, uint64_t total);

#endif
