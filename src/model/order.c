#include "model/order.h"

#include "base/mem.h"

static void add(struct plan_tensor *out, size_t *n, const struct tensor_record *t, enum weight_kind kind,
                uint32_t layer, bool essential) {
    if (t) out[(*n)++] = (struct plan_tensor){t, kind, layer, essential};
}

/* Roles stand in the order of use; a vector is told by its rank. */
static void add_layer(const struct model_spec *spec, const struct layer_binding *b, uint32_t layer,
                      struct plan_tensor *out, size_t *n) {
    for (int role = ROLE_FIRST_IN_LAYER; role < ROLE_COUNT; role++) {
        uint32_t rank;
        uint64_t rows, cols;
        spec_role_shape(spec, (enum tensor_role)role, &rank, &rows, &cols);
        add(out, n, b->role[role], rank == 1 ? WEIGHT_VECTOR : WEIGHT_LAYER, layer, false);
    }
}

enum lr_status order_tensors(const struct model_spec *spec, const struct binding *b, struct plan_tensor **out,
                             size_t *n, struct lr_error *err) {
    size_t most = (size_t)spec->layers * (ROLE_COUNT - ROLE_FIRST_IN_LAYER) + 3;
    *n = 0;
    *out = lr_calloc(most, sizeof **out);
    if (!*out) return lr_fail_memory(err, "the order of weights", most * sizeof **out);
    if (b->embed != b->head) add(*out, n, b->embed, WEIGHT_ROWS, spec->layers, true);
    for (uint32_t i = 0; i < spec->layers; i++) add_layer(spec, &b->layers[i], i, *out, n);
    add(*out, n, b->final_norm, WEIGHT_VECTOR, spec->layers, true);
    add(*out, n, b->head, WEIGHT_ESSENTIAL, spec->layers, true);
    return LR_OK;
}
