/* Llama 1 to 3 and everything saved in its form. */
#include "model/families/family.h"

static void defaults(struct model_config *c) {
    family_common_defaults(c);
    c->vocab = 32000;
    c->ffn_dim = 11008;
    c->max_position = 2048;
    c->bos_id = 1;
    c->eos_ids[0] = 2;
    c->n_eos = 1;
}

static void describe(const struct model_config *c, struct model_spec *s) {
    if (c->attention_bias) {
        family_use_qkv_bias(s);
        s->uses[ROLE_O_BIAS] = true;
    }
    if (c->mlp_bias) s->uses[ROLE_GATE_BIAS] = s->uses[ROLE_UP_BIAS] = s->uses[ROLE_DOWN_BIAS] = true;
}

const struct family family_llama = {"llama", "LlamaForCausalLM", defaults, describe};
