#include "model/model.h"

#include "base/mem.h"

static bool is_vector(const struct model_spec *spec, int role) {
    uint32_t rank;
    uint64_t rows, cols;
    spec_role_shape(spec, (enum tensor_role)role, &rank, &rows, &cols);
    return rank == 1;
}

static const float *widen(const struct model *m, const struct tensor_record *t, float **next) {
    struct tensor_view v = store_lend(m->store, t);
    float *out = *next;
    m->matmul->kernels->widen[v.dtype](v.data, out, v.cols);
    store_give_back(m->store, t);
    *next += v.cols;
    return out;
}

static size_t count_values(const struct model *m) {
    size_t n = m->spec->dim;
    for (uint32_t i = 0; i < m->spec->layers; i++)
        for (int role = ROLE_FIRST_IN_LAYER; role < ROLE_COUNT; role++) {
            const struct tensor_record *t = m->binding->layers[i].role[role];
            if (t && is_vector(m->spec, role)) n += t->shape[0];
        }
    return n;
}

enum lr_status model_open(const struct model_spec *spec, const struct binding *binding, struct store *store,
                          const struct matmul *matmul, struct model *out, struct lr_error *err) {
    *out = (struct model){.spec = spec, .binding = binding, .store = store, .matmul = matmul};
    size_t n = count_values(out);
    out->memory = lr_calloc(n, sizeof *out->memory);
    out->vectors = lr_calloc(spec->layers, sizeof *out->vectors);
    if (!out->memory || !out->vectors) {
        model_close(out);
        return lr_fail_memory(err, "norms and biases", n * sizeof(float));
    }
    float *next = out->memory;
    out->final_norm = widen(out, binding->final_norm, &next);
    for (uint32_t i = 0; i < spec->layers; i++)
        for (int role = ROLE_FIRST_IN_LAYER; role < ROLE_COUNT; role++) {
            const struct tensor_record *t = binding->layers[i].role[role];
            if (t && is_vector(spec, role)) out->vectors[i][role] = widen(out, t, &next);
        }
    return LR_OK;
}

void model_close(struct model *m) {
    lr_free(m->memory);
    lr_free(m->vectors);
    *m = (struct model){0};
}
