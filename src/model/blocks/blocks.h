/* blocks.h - the parts of a layer. Each adds its output to the residual stream work->x. Called by forward
 * alone. They fail where a weight cannot be had. */
#ifndef LR_MODEL_BLOCKS_BLOCKS_H
#define LR_MODEL_BLOCKS_BLOCKS_H

#include "model/forward.h"

/* What every block of a pass sees. */
struct block_context {
    const struct model *model;
    struct forward_work *work;
    const struct kv_sequence *seq;
    uint32_t n, position, layer;
    struct operations *operations; /* NULL: the pass is not watched */
};

/* x += o_proj(attention(norm(x))): grouped-query attention with rotary positions, q/k norms, biases and
 * windows as the spec says; keys and values of the chunk are written to the cache. */
enum lr_status block_attention(const struct block_context *c, struct lr_error *err);
/* The part of it between the projections: work->attended [n, heads x head_dim] from the queries work->q,
 * which are scaled, and the cache. */
void block_attend(const struct block_context *c);
/* Floats that each thread needs for it. */
uint64_t block_attend_work(const struct model_spec *s);
/* x += down(act(gate(norm(x))) * up(norm(x))). */
enum lr_status block_mlp(const struct block_context *c, struct lr_error *err);

/* out [n, rows] = product of a role's matrix with `in`, plus the bias of `bias_role` where the spec has it
 * (ROLE_COUNT: never). */
enum lr_status block_project(const struct block_context *c, enum tensor_role role, enum tensor_role bias_role,
                             struct model_input *in, float *out, struct lr_error *err);
/* work->normed [n, dim] = norm of work->x with the weight of `role`. */
void block_norm(const struct block_context *c, enum tensor_role role);
/* work->x += work->normed, all [n, dim]. */
void block_add_residual(const struct block_context *c);

#endif
