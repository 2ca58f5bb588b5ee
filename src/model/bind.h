/* bind.h - finds the tensor for every role of a spec in the catalog, once, with its shape checked.
 *
 * The prefix of the names ("model.", "model.language_model.", "language_model.model.", none) is found from
 * the catalog. Tied models take `embed_tokens` for both ends, or `lm_head` where only that was saved. */
#ifndef LR_MODEL_BIND_H
#define LR_MODEL_BIND_H

#include "model/spec.h"
#include "weights/catalog.h"

struct layer_binding {
    const struct tensor_record *role[ROLE_COUNT]; /* NULL where the spec does not use the role */
};

struct binding {
    struct layer_binding *layers; /* [spec->layers] */
    const struct tensor_record *embed, *final_norm, *head;
    uint64_t used_bytes, parameters;      /* of the tensors that are used, each counted once */
    uint64_t dtype_bytes[LR_DTYPE_COUNT]; /* used_bytes by dtype */
};

/* LR_EMODEL: missing tensors (the first three names and the count), wrong shapes, dtypes that cannot be run.
 * Tensors that no role takes are logged (debug), with one warning where one lies under a used layer. */
enum lr_status bind_model(const struct model_spec *spec, const struct catalog *catalog, struct binding *out,
                          struct lr_error *err);
void bind_free(struct binding *b);

#endif
