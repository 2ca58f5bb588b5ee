/* Qwen3 (dense): a norm on every query and key head, head_dim 128 unless said otherwise. */
#include "model/families/family.h"

static void defaults(struct model_config *c) {
    family_common_defaults(c);
    c->vocab = 151936;
    c->ffn_dim = 22016;
    c->kv_heads = 32;
    c->head_dim = 128;
    c->max_position = 32768;
    c->sliding_window = 4096;
    c->max_window_layers = 28;
}

static void describe(const struct model_config *c, struct model_spec *s) {
    s->uses[ROLE_Q_NORM] = s->uses[ROLE_K_NORM] = true;
    if (c->attention_bias) {
        family_use_qkv_bias(s);
        s->uses[ROLE_O_BIAS] = true;
    }
    family_qwen_windows(c, s);
}

const struct family family_qwen3 = {"qwen3", "Qwen3ForCausalLM", defaults, describe};
