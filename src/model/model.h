/* model.h - everything the forward pass reads: the spec, its tensors, the small vectors widened to f32, and
 * the means to multiply. Read-only after opening; many sessions share it. */
#ifndef LR_MODEL_MODEL_H
#define LR_MODEL_MODEL_H

#include "kernel/kernel.h"
#include "model/bind.h"
#include "weights/store.h"

struct model {
    const struct model_spec *spec;
    const struct binding *binding;
    struct store *store;
    const struct matmul *matmul;
    float *memory;                       /* behind the vectors */
    const float *(*vectors)[ROLE_COUNT]; /* [layers]: norms and biases of each layer, NULL where unused */
    const float *final_norm;             /* [dim] */
};

/* Widens norms and biases (they are small); all arguments must outlive the model. */
enum lr_status model_open(const struct model_spec *spec, const struct binding *binding, struct store *store,
                          const struct matmul *matmul, struct model *out, struct lr_error *err);
void model_close(struct model *m);

/* out [n_x, rows] = product of the matrix `t` with x [n_x, cols], plus bias [rows] unless NULL: piece by
 * piece as the store lends it. `room` is matmul_prepare()'s. Fails as store_next() does. */
enum lr_status model_multiply(const struct model *m, const struct tensor_record *t, const float *bias,
                              const float *x, size_t n_x, void *room, float *out, struct lr_error *err);

#endif
