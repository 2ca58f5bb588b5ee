/* fault.h - a mapped file that loses its end while it is used: the kernel then raises SIGBUS at the next
 * touch. The guard maps zeros over what is left of the range and raises a flag, which the forward pass looks
 * at after each layer: an error instead of a crash. Process-wide (a signal handler is); installed only when
 * asked for; a fault elsewhere goes to the handler that was there before. */
#ifndef LR_SYS_FAULT_H
#define LR_SYS_FAULT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

#define FAULT_RANGES 4096

/* Guards [base, base + bytes), whose pages must be mappings of ordinary files: `*raised` becomes 1 at the
 * first fault in it, and its pages from there to its end read as zeros until they are unmapped. Installs the
 * handler with the first range. LR_EFAILED when the table is full or the system refuses. Of no bytes, nothing
 * is guarded. The kernel gives no sign of bytes that are lost in the page where the file then ends: they read
 * as zeros at once. */
enum lr_status fault_guard(const void *base, uint64_t bytes, volatile int *raised, struct lr_error *err);
/* Ends the guard of the range that begins at `base`; to be called before it is unmapped, when nobody touches
 * it any more. What is not guarded is passed over. With the last range the earlier handler is put back,
 * unless somebody has installed another over ours, which may count on ours being there. */
void fault_release(const void *base);

/* Whether the flag is up; for a thread other than the one that met the fault. */
static inline bool fault_raised(const volatile int *raised) {
    return __atomic_load_n(raised, __ATOMIC_ACQUIRE) != 0;
}

#endif
