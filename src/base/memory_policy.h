/* memory_policy.h - the mission's rules for memory, as pure functions over one table. GB = 2^30 bytes.
 * Called by the arena (growth), the engine (first size, high usage) and the loader (batches).
 *
 *   first size   available  [0, 8) GB: 512 MB, conservative      [8, 16) GB: 1 GB, standard
 *                           [16, 32] GB: 2 GB, high performance  above 32 GB: 4 GB, maximum performance
 *                The size that an arena begins with: a reservation, not use (memory is taken when it is
 *                written to), and no growth step.
 *   growth       by the current size, where needed = in use + new block:
 *                above 12 GB: needed + 256 MB
 *                above 4 GB:  the smaller of needed + 1 GB and current + current/4, never less than needed
 *                else:        the larger of 1.5 x current and needed
 *                No step takes more than half of what is available at once: it shrinks to what is needed,
 *                and is refused if even that is more.
 *   one tensor   above 8 GB is refused.
 *   high usage   1 - available/total above 70 %.
 *   loading      ten layers in one batch. */
#ifndef LR_BASE_MEMORY_POLICY_H
#define LR_BASE_MEMORY_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#define POLICY_MAX_TENSOR       (UINT64_C(8) << 30)
#define POLICY_LAYERS_PER_BATCH 10u

struct memory_mode {
    const char *name;    /* "conservative", "standard", "high performance", "maximum performance" */
    uint64_t first_size; /* bytes to reserve at first */
};
/* The mode for `available` bytes. */
struct memory_mode policy_mode(uint64_t available);

/* Writes the next size of an arena of `current` bytes (0: it begins now) of which `in_use` (at most
 * `current`) are taken and that must hold `block` bytes more. `current` itself where that holds them already.
 * False: refused, because the block alone needs more than half of `available`, or the sum does not fit 64
 * bits. */
bool policy_grow(uint64_t current, uint64_t in_use, uint64_t block, uint64_t available, uint64_t *next);

/* How much more would have to be available for that not to be refused; UINT64_MAX: no memory
 * would do. */
uint64_t policy_lacks(uint64_t current, uint64_t in_use, uint64_t block, uint64_t available);

bool policy_high_usage(uint64_t available, uint64_t total);

#endif
