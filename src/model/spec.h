/* spec.h - a decoder described as data: what the forward pass has to do, layer by layer, and which tensors it
 * needs.
 *
 * A family file (families/) reads the config and fills the spec; it computes nothing. bind.h finds the
 * tensors, forward.h runs it. */
#ifndef LR_MODEL_SPEC_H
#define LR_MODEL_SPEC_H

#include "format/config.h"

/* What a tensor is for. The first three exist once, the others once a layer. */
enum tensor_role {
    ROLE_EMBED,      /* embed_tokens.weight [vocab, dim] */
    ROLE_FINAL_NORM, /* norm.weight [dim] */
    ROLE_HEAD,       /* lm_head.weight [vocab, dim] */
    ROLE_ATTN_NORM,  /* input_layernorm.weight [dim] */
    ROLE_Q,          /* self_attn.q_proj.weight [heads x head_dim, dim] */
    ROLE_Q_BIAS,
    ROLE_K, /* [kv_heads x head_dim, dim] */
    ROLE_K_BIAS,
    ROLE_V,
    ROLE_V_BIAS,
    ROLE_Q_NORM, /* self_attn.q_norm.weight [head_dim] */
    ROLE_K_NORM,
    ROLE_O, /* self_attn.o_proj.weight [dim, heads x head_dim] */
    ROLE_O_BIAS,
    ROLE_MLP_NORM, /* post_attention_layernorm.weight [dim] */
    ROLE_GATE,     /* mlp.gate_proj.weight [ffn_dim, dim] */
    ROLE_GATE_BIAS,
    ROLE_UP,
    ROLE_UP_BIAS,
    ROLE_DOWN, /* mlp.down_proj.weight [dim, ffn_dim] */
    ROLE_DOWN_BIAS,
    ROLE_COUNT
};
#define ROLE_FIRST_IN_LAYER ROLE_ATTN_NORM

struct model_spec {
    const char *family;
    const char *source; /* the configuration's file, for messages: as config_open was given it */
    const char *absent; /* a size that the configuration does not give: the default counts; or NULL */
    uint32_t dim, layers, heads, kv_heads, head_dim, ffn_dim, vocab;
    uint32_t max_position; /* as trained or configured */
    uint32_t max_context;  /* with what rope scaling adds */
    float norm_eps;
    float attention_scale; /* of query x key */
    enum activation_kind activation;
    struct rope_config rope;
    bool tied_head;
    bool uses[ROLE_COUNT];              /* which roles the decoder has */
    uint32_t window[CONFIG_MAX_LAYERS]; /* keys that a query of layer i may see, itself counted; 0: all */
};

/* Fills everything that follows from the config alone, alike for all families, and checks it: LR_EMODEL names
 * the key. Roles: the plain gated decoder without biases and q/k norms; no windows. */
enum lr_status spec_from_config(const struct model_config *c, const char *source, struct model_spec *s,
                                struct lr_error *err);

static inline uint32_t spec_q_dim(const struct model_spec *s) {
    return s->heads * s->head_dim;
}
static inline uint32_t spec_kv_dim(const struct model_spec *s) {
    return s->kv_heads * s->head_dim;
}

/* The name of a role below the model's prefix ("self_attn.q_proj.weight" stands below "layers.N."). */
const char *spec_role_name(enum tensor_role role);
/* The shape that the role's tensor must have: rank 1 (cols = 1) or 2. */
void spec_role_shape(const struct model_spec *s, enum tensor_role role, uint32_t *rank, uint64_t *rows,
                     uint64_t *cols);

#endif
