#include "model/model.h"

#include "base/mem.h"

static bool is_vector(const struct model_spec *spec, int role) {
    uint32_t rank;
    uint64_t rows, cols;
    spec_role_shape(spec, (enum tensor_role)role, &rank, &rows, &cols);
    return rank == 1;
}

/* The vector in f32 at `*next`, which moves behind it. */
static enum lr_status widen(const struct model *m, const struct tensor_record *t, float **next,
                            const float **out, struct lr_error *err) {
    void *raw = lr_malloc(t->bytes ? t->bytes : 1);
    if (!raw) return lr_fail_memory(err, "a norm or bias", t->bytes);
    enum lr_status status = store_copy(m->store, t, 0, t->shape[0], raw, err);
    if (status == LR_OK) m->matmul->kernels->widen[t->dtype](raw, *next, t->shape[0]);
    lr_free(raw);
    *out = *next;
    *next += t->shape[0];
    return status;
}

static enum lr_status widen_all(struct model *m, struct lr_error *err) {
    float *next = m->memory;
    LR_TRY(widen(m, m->binding->final_norm, &next, &m->final_norm, err));
    for (uint32_t i = 0; i < m->spec->layers; i++)
        for (int role = ROLE_FIRST_IN_LAYER; role < ROLE_COUNT; role++) {
            const struct tensor_record *t = m->binding->layers[i].role[role];
            if (t && is_vector(m->spec, role)) LR_TRY(widen(m, t, &next, &m->vectors[i][role], err));
        }
    return LR_OK;
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
    enum lr_status status = widen_all(out, err);
    if (status != LR_OK) model_close(out);
    return status;
}

enum lr_status model_multiply(const struct model *m, const struct tensor_record *t, const float *bias,
                              struct model_input *in, float *out, struct lr_error *err) {
    struct loan loan = store_lend(t);
    enum lr_status status;
    if (!in->prepared.x || in->prepared.dtype != t->dtype)
        matmul_prepare(m->matmul, t->dtype, in->x, in->n_x, t->shape[1], in->room, &in->prepared);
    while (store_next(m->store, &loan, &status, err))
        matmul_run(m->matmul, &loan.view, bias ? bias + loan.first : NULL, &in->prepared, out + loan.first,
                   t->shape[0]);
    return status;
}

void model_close(struct model *m) {
    lr_free(m->memory);
    lr_free(m->vectors);
    *m = (struct model){0};
}
