/* probe.h - how fast this machine's disk reads a file, and in which way: measured shortly, never assumed.
 * Used by run/ before a plan is made; the result is kept by device (run/rates.c). */
#ifndef LR_SYS_PROBE_H
#define LR_SYS_PROBE_H

#include "sys/disk.h"

struct disk_rate {
    double bytes_per_s; /* 0: not known */
    enum disk_way way;
    uint32_t block; /* bytes of one read: 1 or 4 MiB */
    uint32_t depth; /* reads at a time: 8, 16 or 32 */
};

/* Reads parts of the file that are not in the page cache (direct reads pass it by; a buffered candidate is
 * tried only on parts that the kernel says are absent, and what it read is dropped again), none of them
 * twice. Half of `seconds` goes to short rounds of all candidates, direct ones first, then the buffered ones
 * of the best shape so far and of the default one (all, where there are no direct reads); the other half to
 * the best of them, where more in flight must be better by 5 % to be taken and buffered by 20 %. block x
 * depth is at most 64 MiB and `max_memory`; a candidate that the rate found so far cannot serve within two
 * rounds is left out. On a disk so slow that the first 8 MiB take longer than `seconds`, it takes that long.
 *
 * The default (direct where there is, 1 MiB, 16, or 8 where `max_memory` is less) with bytes_per_s 0 where it
 * cannot be measured: a file under 64 MiB, less memory than 8 MiB, none or no threads to be had, or no direct
 * reads and nothing that is known to be absent from the page cache. LR_EFAILED or LR_EMODEL where reading
 * fails. Takes its memory from the system and gives it back. */
enum lr_status probe_disk(const struct disk_file *f, double seconds, uint64_t max_memory,
                          struct disk_rate *out, struct lr_error *err);

#endif
