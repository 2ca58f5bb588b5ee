/* family.h - one row per family of decoders: which configs are its own, the defaults of its transformers
 * class, and what its decoder has beyond the plain one. A new family that needs no new block is one file here
 * and one row in registry.c. */
#ifndef LR_MODEL_FAMILIES_FAMILY_H
#define LR_MODEL_FAMILIES_FAMILY_H

#include "base/str.h"
#include "model/spec.h"

struct family {
    const char *model_type;   /* as in config.json */
    const char *architecture; /* the class that generates text */
    void (*defaults)(struct model_config *c);
    void (*describe)(const struct model_config *c, struct model_spec *s);
};

extern const struct family family_llama, family_mistral, family_qwen2, family_qwen3;

/* What all these classes agree on; a family's defaults begin with it. */
void family_common_defaults(struct model_config *c);
/* The roles of attention biases. */
void family_use_qkv_bias(struct model_spec *s);
/* Qwen's windows: only with use_sliding_window; layer_types says where, else layers from max_window_layers
 * on. */
void family_qwen_windows(const struct model_config *c, struct model_spec *s);

/* Reads the config over the defaults of its family and fills the spec. The family is found by the decoder's
 * model_type, else by the architecture; LR_EMODEL with the supported list when there is none. */
enum lr_status family_spec(const struct config_file *f, struct model_config *c, struct model_spec *s,
                           struct lr_error *err);

#endif
