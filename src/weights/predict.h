/* predict.h - how fast a plan will run: from what the machine was seen to do. Pure; called by plan_make(). */
#ifndef LR_WEIGHTS_PREDICT_H
#define LR_WEIGHTS_PREDICT_H

#include "weights/plan.h"

/* Sets load_s, prefill_tok_s and decode_tok_s; 0 where a rate that they need is not known. pinned
 * [n_tensors]: units, as plan_make() gives them. */
void predict_speed(const struct plan_facts *f, const uint64_t *pinned, struct lr_plan *plan);

/* Whether reading that many bytes of weights takes longer than the products of a pass of `chunk` tokens;
 * false where a rate is not known. */
bool predict_disk_is_slower(const struct plan_facts *f, uint64_t streamed, uint32_t chunk);

#endif
