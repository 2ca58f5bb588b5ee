#include "model/spec.h"

#include "base/checked.h"

#include <math.h>

static const char *const role_names[ROLE_COUNT] = {
    [ROLE_EMBED] = "embed_tokens.weight",
    [ROLE_FINAL_NORM] = "norm.weight",
    [ROLE_HEAD] = "lm_head.weight",
    [ROLE_ATTN_NORM] = "input_layernorm.weight",
    [ROLE_Q] = "self_attn.q_proj.weight",
    [ROLE_Q_BIAS] = "self_attn.q_proj.bias",
    [ROLE_K] = "self_attn.k_proj.weight",
    [ROLE_K_BIAS] = "self_attn.k_proj.bias",
    [ROLE_V] = "self_attn.v_proj.weight",
    [ROLE_V_BIAS] = "self_attn.v_proj.bias",
    [ROLE_Q_NORM] = "self_attn.q_norm.weight",
    [ROLE_K_NORM] = "self_attn.k_norm.weight",
    [ROLE_O] = "self_attn.o_proj.weight",
    [ROLE_O_BIAS] = "self_attn.o_proj.bias",
    [ROLE_MLP_NORM] = "post_attention_layernorm.weight",
    [ROLE_GATE] = "mlp.gate_proj.weight",
    [ROLE_GATE_BIAS] = "mlp.gate_proj.bias",
    [ROLE_UP] = "mlp.up_proj.weight",
    [ROLE_UP_BIAS] = "mlp.up_proj.bias",
    [ROLE_DOWN] = "mlp.down_proj.weight",
    [ROLE_DOWN_BIAS] = "mlp.down_proj.bias",
};

const char *spec_role_name(enum tensor_role role) {
    return role_names[role];
}

void spec_role_shape(const struct model_spec *s, enum tensor_role role, uint32_t *rank, uint64_t *rows,
                     uint64_t *cols) {
    uint64_t q = spec_q_dim(s), kv = spec_kv_dim(s);
    const struct {
        uint64_t rows, cols; /* cols 0: a vector */
    } shapes[ROLE_COUNT] = {
        [ROLE_EMBED] = {s->vocab, s->dim},
        [ROLE_FINAL_NORM] = {s->dim, 0},
        [ROLE_HEAD] = {s->vocab, s->dim},
        [ROLE_ATTN_NORM] = {s->dim, 0},
        [ROLE_Q] = {q, s->dim},
        [ROLE_Q_BIAS] = {q, 0},
        [ROLE_K] = {kv, s->dim},
        [ROLE_K_BIAS] = {kv, 0},
        [ROLE_V] = {kv, s->dim},
        [ROLE_V_BIAS] = {kv, 0},
        [ROLE_Q_NORM] = {s->head_dim, 0},
        [ROLE_K_NORM] = {s->head_dim, 0},
        [ROLE_O] = {s->dim, q},
        [ROLE_O_BIAS] = {s->dim, 0},
        [ROLE_MLP_NORM] = {s->dim, 0},
        [ROLE_GATE] = {s->ffn_dim, s->dim},
        [ROLE_GATE_BIAS] = {s->ffn_dim, 0},
        [ROLE_UP] = {s->ffn_dim, s->dim},
        [ROLE_UP_BIAS] = {s->ffn_dim, 0},
        [ROLE_DOWN] = {s->dim, s->ffn_dim},
        [ROLE_DOWN_BIAS] = {s->dim, 0},
    };
    *rank = shapes[role].cols ? 2 : 1;
    *rows = shapes[role].rows;
    *cols = shapes[role].cols ? shapes[role].cols : 1;
}

static const enum tensor_role plain_roles[] = {ROLE_EMBED,    ROLE_FINAL_NORM, ROLE_HEAD, ROLE_ATTN_NORM,
                                               ROLE_Q,        ROLE_K,          ROLE_V,    ROLE_O,
                                               ROLE_MLP_NORM, ROLE_GATE,       ROLE_UP,   ROLE_DOWN};

/* kv_heads and head_dim where the config leaves them to be derived. */
static enum lr_status derive_heads(const struct model_config *c, struct model_spec *s, struct lr_error *err) {
    s->kv_heads = c->kv_heads == CONFIG_UNSET ? c->heads : c->kv_heads;
    if (s->kv_heads > s->heads || s->heads % s->kv_heads)
        return lr_fail(err, LR_EMODEL,
                       "%s: num_attention_heads %u is not a multiple of num_key_value_heads %u", s->source,
                       s->heads, s->kv_heads);
    if (c->head_dim == CONFIG_UNSET && c->dim % c->heads)
        return lr_fail(err, LR_EMODEL,
                       "%s: hidden_size %u is not a multiple of num_attention_heads %u, and there is "
                       "no head_dim",
                       s->source, c->dim, c->heads);
    s->head_dim = c->head_dim == CONFIG_UNSET ? c->dim / c->heads : c->head_dim;
    if (s->head_dim % 2)
        return lr_fail(err, LR_EMODEL, "%s: head_dim %u is odd; rotary positions need pairs", s->source,
                       s->head_dim);
    if ((uint64_t)s->heads * s->head_dim > UINT32_MAX / 8)
        return lr_fail(err, LR_EMODEL, "%s: %u heads of %u values are too many", s->source, s->heads,
                       s->head_dim);
    return LR_OK;
}

/* Scaled rotary positions reach from the original length to `factor` times that; some configs already say so.
 */
static uint32_t scaled_context(const struct model_config *c) {
    if (c->rope.kind == ROPE_DEFAULT || !(c->rope.factor > 1)) return c->max_position;
    uint32_t original =
        c->rope.original_max_position == CONFIG_UNSET ? c->max_position : c->rope.original_max_position;
    double scaled = original * c->rope.factor;
    return scaled > c->max_position ? (uint32_t)fmin(scaled, 1u << 30) : c->max_position;
}

enum lr_status spec_from_config(const struct model_config *c, const char *source, struct model_spec *s,
                                struct lr_error *err) {
    *s = (struct model_spec){
        .source = source,
        .absent = c->absent,
        .dim = c->dim,
        .layers = c->layers,
        .heads = c->heads,
        .ffn_dim = c->ffn_dim,
        .vocab = c->vocab,
        .max_position = c->max_position,
        .max_context = scaled_context(c),
        .norm_eps = (float)c->norm_eps,
        .activation = c->activation,
        .rope = c->rope,
        .tied_head = c->tied_embeddings,
    };
    LR_TRY(derive_heads(c, s, err));
    s->attention_scale = (float)(1.0 / sqrt((double)s->head_dim));
    for (size_t i = 0; i < sizeof plain_roles / sizeof *plain_roles; i++) s->uses[plain_roles[i]] = true;
    return LR_OK;
}
