#include "model/blocks/blocks.h"

enum lr_status block_project(const struct block_context *c, enum tensor_role role, enum tensor_role bias_role,
                             struct model_input *in, float *out, struct lr_error *err) {
    const struct tensor_record *t = c->model->binding->layers[c->layer].role[role];
    const float *bias = bias_role == ROLE_COUNT ? NULL : c->model->vectors[c->layer][bias_role];
    return model_multiply(c->model, t, bias, in, out, err);
}

struct rows {
    const struct block_context *c;
    const float *weight;
};

static void norm_row(void *ctx, uint32_t row, uint32_t thread) {
    (void)thread;
    const struct rows *r = ctx;
    const struct model *m = r->c->model;
    size_t at = (size_t)row * m->spec->dim;
    m->matmul->kernels->rms_norm(r->c->work->x + at, r->weight, m->spec->norm_eps, m->spec->dim,
                                 r->c->work->normed + at);
}

void block_norm(const struct block_context *c, enum tensor_role role) {
    struct rows rows = {c, c->model->vectors[c->layer][role]};
    threads_run(c->model->matmul->threads, c->n, norm_row, &rows);
    operation_done(c->operations, OPERATION_NORM);
}

static void add_row(void *ctx, uint32_t row, uint32_t thread) {
    (void)thread;
    const struct rows *r = ctx;
    size_t dim = r->c->model->spec->dim, at = row * dim;
    r->c->model->matmul->kernels->add(r->c->work->x + at, r->c->work->normed + at, dim);
}

void block_add_residual(const struct block_context *c) {
    struct rows rows = {c, NULL};
    threads_run(c->model->matmul->threads, c->n, add_row, &rows);
    operation_done(c->operations, OPERATION_ADD);
}
