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

/* Activations that several matrices are multiplied with, and what they were last prepared as: {0} at first.
 */
struct model_input {
    const float *x; /* [n_x, cols] */
    size_t n_x;
    void *room; /* matmul_prepare()'s */
    struct matmul_input prepared;
};

/* out [n_x, rows] = product of the matrix `t` with in->x, plus bias [rows] unless NULL: piece by piece as the
 * store lends it. Prepares where the matrix before had another dtype, or there was none. Fails as
 * store_next() does. */
enum lr_status model_multiply(const struct model *m, const struct tensor_record *t, const float *bias,
                              struct model_input *in, float *out, struct lr_error *err);

#endif
