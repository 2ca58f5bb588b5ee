/* ring.h - the memory of the buffers that streamed weights are read into: addresses are reserved once, memory
 * comes and goes with what is streamed. What stands in it is stream.h's. */
#ifndef LR_WEIGHTS_RING_H
#define LR_WEIGHTS_RING_H

#include "base/error.h"
#include "weights/growth.h"

struct ring {
    uint8_t *range, *base; /* the reservation, and where it is aligned to large pages */
    uint64_t reserved;     /* bytes from `base` */
    struct growth growth;
};

/* Reserves addresses for `most` bytes; LR_EMEMORY where they are refused. */
enum lr_status ring_open(uint64_t most, arena_available_fn *available, void *available_ctx, struct ring *out,
                         struct lr_error *err);
/* Safe on {0}. */
void ring_close(struct ring *r);

/* Has memory for `slots` slots of `slot` bytes at `base`, and gives back what is beyond. How many there are:
 * fewer than were asked for where the policy, the system or the reservation allows no more; the policy is not
 * asked for the first two, without which nothing could be streamed. Nobody reads into the ring meanwhile. */
uint32_t ring_resize(struct ring *r, uint64_t slot, uint32_t slots);

#endif
