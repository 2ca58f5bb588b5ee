/* Any bytes as config.json: what is accepted is in range. */
#include "format/config.h"
#include "model/families/family.h"

#include <math.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void demand(bool holds) {
    if (!holds) abort();
}

static void check(const struct model_config *c, const struct model_spec *s) {
    demand(c->dim && c->heads && c->ffn_dim && c->vocab && c->max_position);
    demand(c->layers >= 1 && c->layers <= CONFIG_MAX_LAYERS);
    demand(c->n_eos <= CONFIG_MAX_EOS);
    demand(c->norm_eps >= 0 && c->norm_eps <= 1);
    demand(c->rope.theta >= 1 && isfinite(c->rope.theta));
    demand(c->activation <= ACT_RELU && c->rope.kind <= ROPE_YARN);
    demand(s->kv_heads && s->heads % s->kv_heads == 0 && s->head_dim % 2 == 0 && s->head_dim);
    for (uint32_t i = 0; i < s->layers; i++) demand(s->window[i] <= INT32_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    static struct model_config c;
    static struct model_spec s;
    struct config_file f;
    struct lr_error err;
    if (config_parse_text((const char *)data, len, "fuzz", &f, &err) != LR_OK) {
        demand(err.status == LR_EMODEL && !f.doc);
        return 0;
    }
    if (family_spec(&f, &c, &s, &err) == LR_OK)
        check(&c, &s);
    else
        demand(err.status == LR_EMODEL);
    config_close(&f);
    return 0;
}
