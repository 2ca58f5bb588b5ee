/* growth.h - how memory that comes and goes in place may grow: as the mission's policy (base/memory_policy.h)
 * lets an arena. A refusal is not an error: there is less of it then. For pins and ring. */
#ifndef LR_WEIGHTS_GROWTH_H
#define LR_WEIGHTS_GROWTH_H

#include "base/arena.h"
#include "base/memory_policy.h"

struct growth {
    uint64_t taken;                /* bytes from the system */
    uint64_t size;                 /* the policy's "current size", of which `taken` are in use */
    arena_available_fn *available; /* NULL: no limit */
    void *available_ctx;
};

/* Whether `more` bytes may be taken. */
static inline bool growth_allows(struct growth *g, uint64_t more) {
    uint64_t next, available = UINT64_MAX;
    if (g->taken + more <= g->size) return true;
    if (g->available) available = g->available(g->available_ctx);
    if (!policy_grow(g->size, g->taken, more, available, &next)) return false;
    g->size = next;
    return true;
}

#endif
