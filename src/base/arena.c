#include "base/arena.h"

#include "base/checked.h"
#include "base/memory_policy.h"
#include "base/pages.h"
#include "base/str.h"

#if defined(__SANITIZE_ADDRESS__)
#define WITH_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WITH_ASAN 1
#endif
#endif

#ifdef WITH_ASAN
#include <sanitizer/asan_interface.h>
#define RED_ZONE       256u
#define POISON(p, n)   __asan_poison_memory_region(p, n)
#define UNPOISON(p, n) __asan_unpoison_memory_region(p, n)
#else
#define RED_ZONE       0u
#define POISON(p, n)   ((void)0)
#define UNPOISON(p, n) ((void)0)
#endif

enum lr_status arena_init(struct arena *a, uint64_t reserve, arena_available_fn *available, void *ctx,
                          struct lr_error *err) {
    *a = (struct arena){.available = available, .available_ctx = ctx};
    uint64_t bytes = 0;
    if (!lr_round_up_u64(reserve ? reserve : 1, pages_size(), &bytes)) a->base = pages_reserve(bytes);
    if (!a->base) return lr_fail_memory(err, "addresses", reserve);
    a->reserved = bytes;
    return LR_OK;
}

void arena_init_measuring(struct arena *a) {
    *a = (struct arena){.measuring = true};
}

static const char *ways_out(const struct arena *a) {
    return a->ways_out ? a->ways_out : "close other programs";
}

static enum lr_status fail_full(const struct arena *a, const char *what, uint64_t size,
                                struct lr_error *err) {
    return lr_refuse_memory(err, what, size, a->reserved > a->used ? a->reserved - a->used : 0,
                            "the plan reserved too little: an error in llm-run, please report it");
}

static bool make_usable(struct arena *a, uint64_t size) {
    if (!pages_use(a->base + a->size, size - a->size)) return false;
    a->size = size;
    return true;
}

/* Takes the range up to `end` into use, and more of it as the policy says. The kernel may refuse the spare
 * part (RLIMIT_DATA, strict overcommit) where it grants what is needed. */
static enum lr_status grow(struct arena *a, uint64_t end, uint64_t block, const char *what,
                           struct lr_error *err) {
    uint64_t page = pages_size(), available = a->available ? a->available(a->available_ctx) : UINT64_MAX;
    uint64_t next, needed = (end + page - 1) & ~(page - 1);
    if (!policy_grow(a->size, a->used, end - a->used, available, &next))
        return lr_refuse_memory(
            err, what, block, available, "needs %s more free, as one step may take half: %s",
            lr_gb(policy_lacks(a->size, a->used, end - a->used, available), 2).text, ways_out(a));
    next = next > a->reserved - page ? a->reserved : (next + page - 1) & ~(page - 1);
    if (make_usable(a, next) || make_usable(a, needed)) return LR_OK;
    return lr_fail_memory(err, what, block);
}

enum lr_status arena_alloc(struct arena *a, uint64_t size, const char *what, void **out,
                           struct lr_error *err) {
    *out = NULL;
    if (a->sealed)
        return lr_fail(err, LR_EFAILED, "%s: %llu bytes asked for after loading, when memory is fixed", what,
                       (unsigned long long)size);
    if (size > POLICY_MAX_TENSOR) return lr_refuse_tensor(err, what, size, ways_out(a));
    uint64_t end;
    if (lr_add_u64(a->used, (size + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN + RED_ZONE, &end) ||
        (!a->measuring && end > a->reserved))
        return fail_full(a, what, size, err);
    if (!a->measuring) {
        if (end > a->size) LR_TRY(grow(a, end, size, what, err));
        *out = a->base + a->used;
        POISON(a->base + a->used + size, end - a->used - size);
    }
    a->used = end;
    return LR_OK;
}

void arena_seal(struct arena *a) {
    a->sealed = true;
}

void arena_destroy(struct arena *a) {
    if (a->base) {
        UNPOISON(a->base, a->used);
        pages_release(a->base, a->reserved);
    }
    *a = (struct arena){0};
}
