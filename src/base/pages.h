/* pages.h - address ranges from the operating system: what the arena needs of it. Declared here because base
 * looks down on nothing; written in sys/pages.c. Sizes are multiples of pages_size(). */
#ifndef LR_BASE_PAGES_H
#define LR_BASE_PAGES_H

#include <stdbool.h>
#include <stdint.h>

uint64_t pages_size(void);
/* A range of `bytes` addresses that nothing may touch yet and that costs no memory; NULL when refused. */
void *pages_reserve(uint64_t bytes);
/* Makes a part of it readable and writable, zero until written; false when refused. */
bool pages_use(void *from, uint64_t bytes);
/* Gives a whole range back. */
void pages_release(void *base, uint64_t bytes);

#endif
