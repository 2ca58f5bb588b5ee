/* Mistral: Llama's decoder with a sliding window (4,096 unless the config says otherwise; null is none) in
 * every layer, or where layer_types is present in those that it names (transformers' Ministral). */
#include "model/families/family.h"

static void defaults(struct model_config *c) {
    family_common_defaults(c);
    c->vocab = 32000;
    c->ffn_dim = 14336;
    c->kv_heads = 8;
    c->max_position = 131072;
    c->sliding_window = 4096;
    c->bos_id = 1;
    c->eos_ids[0] = 2;
    c->n_eos = 1;
}

static void describe(const struct model_config *c, struct model_spec *s) {
    for (uint32_t i = 0; i < s->layers; i++)
        s->window[i] = c->has_layer_types && !c->layer_sliding[i] ? 0 : c->sliding_window;
}

const struct family family_mistral = {"mistral", "MistralForCausalLM", defaults, describe};
