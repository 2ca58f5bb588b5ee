/* Qwen2 and Qwen2.5: biases on q, k and v that the config does not mention. */
#include "model/families/family.h"

static void defaults(struct model_config *c) {
    family_common_defaults(c);
    c->vocab = 151936;
    c->ffn_dim = 22016;
    c->kv_heads = 32;
    c->max_position = 32768;
    c->sliding_window = 4096;
    c->max_window_layers = 28;
}

static void describe(const struct model_config *c, struct model_spec *s) {
    family_use_qkv_bias(s);
    family_qwen_windows(c, s);
}

const struct family family_qwen2 = {"qwen2", "Qwen2ForCausalLM", defaults, describe};
