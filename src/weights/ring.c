#include "weights/ring.h"

#include "base/pages.h"
#include "base/str.h"

#define LEAST_SLOTS 2u

static uint64_t whole_pages(uint64_t bytes) {
    return (bytes + pages_size() - 1) / pages_size() * pages_size();
}

enum lr_status ring_open(uint64_t most, arena_available_fn *available, void *available_ctx, struct ring *out,
                         struct lr_error *err) {
    *out = (struct ring){.growth = {.available = available, .available_ctx = available_ctx}};
    out->reserved = whole_pages(most);
    out->range = pages_reserve(out->reserved + PAGES_LARGE);
    if (!out->range) {
        *out = (struct ring){0};
        return lr_fail_memory(err, "addresses for streamed weights", most);
    }
    out->base = out->range + (PAGES_LARGE - (uintptr_t)out->range % PAGES_LARGE) % PAGES_LARGE;
    return LR_OK;
}

void ring_close(struct ring *r) {
    if (r->range) pages_release(r->range, r->reserved + PAGES_LARGE);
    *r = (struct ring){0};
}

/* Memory up to `need` bytes. */
static bool reach(struct ring *r, uint64_t need, bool ask) {
    struct growth *g = &r->growth;
    if (need <= g->taken) return true;
    uint64_t more = need - g->taken;
    if (need > r->reserved || (ask && !growth_allows(g, more)) || !pages_use(r->base + g->taken, more))
        return false;
    g->taken = need;
    return true;
}

uint32_t ring_resize(struct ring *r, uint64_t slot, uint32_t slots) {
    uint32_t n = 0;
    while (n < slots && reach(r, whole_pages((n + 1) * slot), n >= LEAST_SLOTS)) n++;
    uint64_t keep = whole_pages(n * slot);
    if (keep < r->growth.taken) {
        pages_give_back(r->base + keep, r->growth.taken - keep);
        r->growth.taken = keep;
    }
    uint64_t large = keep / PAGES_LARGE * PAGES_LARGE;
    if (large) pages_want_large(r->base, large);
    return n;
}
