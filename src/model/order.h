/* order.h - a model's tensors in the order in which a pass uses them, each with how it is used: what
 * weights/plan and the store go by. */
#ifndef LR_MODEL_ORDER_H
#define LR_MODEL_ORDER_H

#include "model/bind.h"
#include "weights/plan.h"

/* `out` is to be freed with lr_free; each tensor once. */
enum lr_status order_tensors(const struct model_spec *spec, const struct binding *binding,
                             struct plan_tensor **out, size_t *n, struct lr_error *err);

#endif
