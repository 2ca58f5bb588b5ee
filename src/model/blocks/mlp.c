#include "model/blocks/blocks.h"

static kernel_gate_fn *gate_kernel(const struct block_context *c) {
    const struct kernel_table *k = c->model->matmul->kernels;
    switch (c->model->spec->activation) {
    case ACT_SILU:
        return k->silu_mul;
    case ACT_GELU:
        return k->gelu_mul;
    case ACT_GELU_TANH:
        return k->gelu_tanh_mul;
    case ACT_RELU:
        return k->relu_mul;
    }
    return k->silu_mul;
}

static void gate_row(void *ctx, uint32_t row, uint32_t thread) {
    (void)thread;
    const struct block_context *c = ctx;
    size_t n = c->model->spec->ffn_dim;
    gate_kernel(c)(c->work->gate + row * n, c->work->up + row * n, n);
}

enum lr_status block_mlp(const struct block_context *c, struct lr_error *err) {
    struct forward_work *w = c->work;
    struct model_input normed = {.x = w->normed, .n_x = c->n, .room = w->q};
    struct model_input gated = {.x = w->gate, .n_x = c->n, .room = w->up};
    block_norm(c, ROLE_MLP_NORM);
    LR_TRY(block_project(c, ROLE_GATE, ROLE_GATE_BIAS, &normed, w->gate, err));
    LR_TRY(block_project(c, ROLE_UP, ROLE_UP_BIAS, &normed, w->up, err));
    operation_done(c->operations, OPERATION_GATE_UP);
    struct block_context rows = *c;
    threads_run(c->model->matmul->threads, c->n, gate_row, &rows);
    operation_done(c->operations, OPERATION_ACTIVATION);
    LR_TRY(block_project(c, ROLE_DOWN, ROLE_DOWN_BIAS, &gated, w->normed, err));
    operation_done(c->operations, OPERATION_DOWN);
    block_add_residual(c);
    return LR_OK;
}
