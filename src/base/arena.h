/* arena.h - an address range reserved once and taken into use in steps; blocks never move.
 *
 * Holds what is large and lives as long as a model or a session: KV cache, work space, tables. The steps
 * follow base/memory_policy.h; memory is taken from the system only where a block is written to, so neither
 * the reservation nor a step costs any. In measuring mode it adds sizes and touches nothing, so that a plan
 * and the allocation that follows it cannot disagree: the same code runs over both. Sealed after loading: a
 * later allocation is an error. Not thread-safe.
 *
 * Built with the address sanitizer each block is followed by a red zone, in both modes. */
#ifndef LR_BASE_ARENA_H
#define LR_BASE_ARENA_H

#include "base/error.h"

#define ARENA_ALIGN 64u

/* Tells how many bytes the process may still take, asked before each growth. */
typedef uint64_t arena_available_fn(void *ctx);

struct arena {
    uint8_t *base;     /* NULL in measuring mode */
    uint64_t reserved; /* address range: whole pages */
    uint64_t size;     /* of it, readable and writable: the "current size" of the policy */
    uint64_t used;     /* bytes given out, a multiple of ARENA_ALIGN */
    arena_available_fn *available;
    void *available_ctx;
    const char *ways_out; /* what would help where memory is refused; NULL: to close other programs */
    bool measuring, sealed;
};

/* Reserves `reserve` bytes of addresses (no memory yet), which is the most that the arena will ever hold: it
 * is what a measuring arena came to, or a bound on it. `available` may be NULL: no limit. LR_EMEMORY when
 * the addresses are refused (RLIMIT_AS). */
enum lr_status arena_init(struct arena *a, uint64_t reserve, arena_available_fn *available, void *ctx,
                          struct lr_error *err);
/* An arena that only adds up: arena_alloc succeeds with *out == NULL, `used` is what the real one will use.
 */
void arena_init_measuring(struct arena *a);
/* `size` zeroed bytes aligned to ARENA_ALIGN for `what` (named in the error). LR_EMEMORY when the policy, the
 * reservation or the kernel refuses, or a single block is above the policy's limit; LR_EFAILED when sealed.
 * A refusal leaves the arena as it was. A block of 0 bytes is not to be read, and is not NULL. */
enum lr_status arena_alloc(struct arena *a, uint64_t size, const char *what, void **out,
                           struct lr_error *err);
/* From now on arena_alloc is an error. */
void arena_seal(struct arena *a);
/* Gives everything back. Safe on {0}, and twice. */
void arena_destroy(struct arena *a);

#endif
