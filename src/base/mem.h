/* mem.h - the heap, through one door, so that a test can make the Nth allocation fail.
 *
 * For tables and strings whose size is small beside the model; weights, KV cache and work space live in the
 * arena (base/arena.h). All return NULL on failure (also for 0 bytes asked with overflow), and never print.
 */
#ifndef LR_BASE_MEM_H
#define LR_BASE_MEM_H

#include <stddef.h>

void *lr_malloc(size_t size);
/* `count` zeroed objects of `size` bytes; NULL if count x size overflows. */
void *lr_calloc(size_t count, size_t size);
/* As realloc for `count` objects of `size` bytes; on failure the old block stays valid. */
void *lr_realloc(void *p, size_t count, size_t size);
void lr_free(void *p);

/* Asks for large pages where the new block `p` (may be NULL) holds some whole, which are filled much faster;
 * of one that will be filled. Returns `p`. */
void *lr_want_large(void *p, size_t size);

/* Grows `*items` (capacity `*cap` objects of `size` bytes) geometrically until it holds at least `need`.
 * Returns 0, or -1 with everything unchanged. `items` points to the caller's pointer. */
int lr_grow(void *items, size_t *cap, size_t need, size_t size);

/* For tests: the Nth allocation from now fails (1 = the next one), and every one after it too when `sticky`;
 * 0 turns it off. Counts all threads. */
void lr_mem_fail_after(long n, int sticky);
/* For tests: how many allocations were asked for since the last lr_mem_fail_after(). */
long lr_mem_count(void);

#endif
