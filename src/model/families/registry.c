#include "model/families/family.h"

#include "base/log.h"

#include <math.h>
#include <stdio.h>

static const struct family *const families[] = {&family_llama, &family_mistral, &family_qwen2, &family_qwen3};
#define N_FAMILIES (sizeof families / sizeof *families)

void family_common_defaults(struct model_config *c) {
    c->kv_heads = c->head_dim = c->bos_id = CONFIG_UNSET;
    c->norm_eps = 1e-6;
    c->activation = ACT_SILU;
    c->dim = 4096;
    c->layers = c->heads = 32;
    c->rope = (struct rope_config){
        .kind = ROPE_DEFAULT,
        .theta = 10000.0,
        .factor = NAN,
        .partial = 1.0,
        .original_max_position = CONFIG_UNSET,
        .low_freq_factor = NAN,
        .high_freq_factor = NAN,
        .beta_fast = NAN,
        .beta_slow = NAN,
        .mscale = NAN,
        .mscale_all_dim = NAN,
        .attention_factor = NAN,
        .truncate = true,
    };
}

void family_use_qkv_bias(struct model_spec *s) {
    s->uses[ROLE_Q_BIAS] = s->uses[ROLE_K_BIAS] = s->uses[ROLE_V_BIAS] = true;
}

void family_qwen_windows(const struct model_config *c, struct model_spec *s) {
    if (!c->use_sliding_window) return;
    for (uint32_t i = 0; i < s->layers; i++) {
        bool sliding = c->has_layer_types ? c->layer_sliding[i] : i >= c->max_window_layers;
        s->window[i] = sliding ? c->sliding_window : 0;
    }
}

/* transformers goes by model_type; a file whose two names are of different families was put together by hand.
 */
static void warn_of_two_names(const struct config_file *f, const struct family *taken) {
    for (size_t i = 0; i < N_FAMILIES; i++)
        if (families[i] != taken && lr_str_is(f->architecture, families[i]->architecture))
            lr_log(LR_LOG_WARN, "%s: model_type '%s' and architectures '%s' do not agree: run as %s",
                   json_name(f->doc), taken->model_type, families[i]->architecture, taken->model_type);
}

static const struct family *find_by(struct lr_str model_type, struct lr_str architecture) {
    for (size_t i = 0; i < N_FAMILIES; i++) {
        bool mine = model_type.len ? lr_str_is(model_type, families[i]->model_type)
                                   : lr_str_is(architecture, families[i]->architecture);
        if (mine) return families[i];
    }
    return NULL;
}

static enum lr_status find_family(const struct config_file *f, const struct family **out,
                                  struct lr_error *err) {
    *out = find_by(f->model_type, f->architecture);
    if (*out) return LR_OK;
    char known[256] = "";
    for (size_t i = 0, at = 0; i < N_FAMILIES && at < sizeof known; i++)
        at += (size_t)snprintf(known + at, sizeof known - at, "%s%s", i ? ", " : "", families[i]->model_type);
    if (!f->model_type.len && !f->architecture.len)
        return lr_fail(err, LR_EMODEL,
                       "%s: neither model_type nor architectures says what model this is (supported: %s)",
                       json_name(f->doc), known);
    return lr_fail(err, LR_EMODEL, "%s: model_type '%.*s'%s%.*s%s is not supported (supported: %s)",
                   json_name(f->doc), LR_STR_ARGS(f->model_type), f->architecture.len ? " (" : "",
                   LR_STR_ARGS(f->architecture), f->architecture.len ? ")" : "", known);
}

enum lr_status family_spec(const struct config_file *f, struct model_config *c, struct model_spec *s,
                           struct lr_error *err) {
    const struct family *family;
    LR_TRY(find_family(f, &family, err));
    warn_of_two_names(f, family);
    *c = (struct model_config){0};
    family->defaults(c);
    LR_TRY(config_read(f, c, err));
    LR_TRY(spec_from_config(c, f->name, s, err));
    s->family = family->model_type;
    family->describe(c, s);
    return LR_OK;
}
