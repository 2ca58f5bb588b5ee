/* fault.h - a mapped file that loses its end while it is used: the kernel then raises SIGBUS at the next
 * touch. The guard maps zeros over the page and raises a flag, which the forward pass looks at after each
 * layer: an error instead of a crash. Process-wide (a signal handler is); installed only when asked for; a
 * fault elsewhere goes to the handler that was there before. */
#ifndef LR_SYS_FAULT_H
#define LR_SYS_FAULT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

#define FAULT_RANGES 4096

/* Guards [base, base + bytes): `*raised` becomes 1 at the first fault in it. Installs the handler with the
 * first range, and puts the earlier one back with the last. LR_EFAILED when the table is full or the system
 * refuses. */
enum lr_status fault_guard(const void *base, uint64_t bytes, volatile int *raised, struct lr_error *err);
void fault_release(const void *base);

#endif
