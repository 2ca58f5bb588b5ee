#include "base/mem.h"

#include "base/checked.h"
#include "base/pages.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Armed by tests only; in normal use one relaxed add per allocation. */
static atomic_long asked, fail_at;
static atomic_int fail_sticky;

static int refused(void) {
    long n = atomic_fetch_add_explicit(&asked, 1, memory_order_relaxed) + 1;
    long at = atomic_load_explicit(&fail_at, memory_order_relaxed);
    return at > 0 && (n == at || (n > at && atomic_load_explicit(&fail_sticky, memory_order_relaxed)));
}

void *lr_want_large(void *p, size_t size) {
    size_t skipped = (size_t)(-(uintptr_t)p & (PAGES_LARGE - 1));
    if (p && size > 2 * PAGES_LARGE)
        pages_want_large((char *)p + skipped, (size - skipped) & ~(PAGES_LARGE - 1));
    return p;
}

void *lr_malloc(size_t size) {
    return refused() ? NULL : malloc(size ? size : 1);
}

void *lr_calloc(size_t count, size_t size) {
    size_t bytes;
    if (lr_mul_size(count, size, &bytes) || refused()) return NULL;
    return calloc(bytes ? bytes : 1, 1);
}

void *lr_realloc(void *p, size_t count, size_t size) {
    size_t bytes;
    if (lr_mul_size(count, size, &bytes) || refused()) return NULL;
    return realloc(p, bytes ? bytes : 1);
}

void lr_free(void *p) {
    free(p);
}

int lr_grow(void *items, size_t *cap, size_t need, size_t size) {
    if (need <= *cap) return 0;
    size_t want = *cap < 8 ? 8 : *cap;
    while (want < need) {
        if (want > SIZE_MAX / 2) return -1;
        want *= 2;
    }
    void *old;
    memcpy(&old, items, sizeof old);
    void *grown = lr_realloc(old, want, size);
    if (!grown) return -1;
    memcpy(items, &grown, sizeof grown);
    *cap = want;
    return 0;
}

void lr_mem_fail_after(long n, int sticky) {
    atomic_store(&asked, 0);
    atomic_store(&fail_sticky, sticky);
    atomic_store(&fail_at, n);
}

long lr_mem_count(void) {
    return atomic_load(&asked);
}
