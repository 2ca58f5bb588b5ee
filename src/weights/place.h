/* place.h - the inside of plan.c: which units of which tensor are pinned, and what that costs. Pure. */
#ifndef LR_WEIGHTS_PLACE_H
#define LR_WEIGHTS_PLACE_H

#include "sys/disk.h"
#include "weights/plan.h"

#define PLACE_PAGE  4096u           /* where nothing else is known: the most common one */
#define PLACE_ALIGN DISK_MOST_ALIGN /* of a slot of the ring */

/* Whole pages. */
static inline uint64_t place_pages(const struct plan_facts *f, uint64_t bytes) {
    uint64_t page = f->page ? f->page : PLACE_PAGE;
    return (bytes + page - 1) / page * page;
}

/* Bytes that a pass reads: every matrix of the layers, and the head. */
uint64_t place_pass_bytes(const struct plan_facts *f);
/* Bytes of norms and biases once widened. */
uint64_t place_vector_bytes(const struct plan_facts *f);
/* Bytes that copies of all tensors take. */
uint64_t place_resident_cost(const struct plan_facts *f);

/* The first tensor that is too large for a copy of it to be allocated, by the policy; NULL: none. */
const struct tensor_record *place_too_large(const struct plan_facts *f);

/* pinned [n_tensors]: the essential ones first, then of each layer the same share, until `room` is used up.
 * Of one tensor no more than the policy lets be allocated. */
void place_pins(const struct plan_facts *f, uint64_t room, uint64_t *pinned);
/* Everything. */
void place_all(const struct plan_facts *f, uint64_t *pinned);
/* What that comes to: bytes of weights pinned, bytes of memory taken for them, bytes read again in a pass. */
void place_sum(const struct plan_facts *f, const uint64_t *pinned, uint64_t *bytes, uint64_t *taken,
               uint64_t *streamed);
/* Of the memory taken for them, the bytes in small pages: beyond each pin's whole large ones. */
uint64_t place_small_pages(const struct plan_facts *f, const uint64_t *pinned);

#endif
