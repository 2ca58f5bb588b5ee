#include "format/config.h"

#include "base/log.h"
#include "format/config_parts.h"

#include <stddef.h>
#include <stdio.h>

/* ---- opening */

static enum lr_status refuse_encoder(struct json object, struct lr_error *err) {
    bool encoder = false;
    LR_TRY(json_read_bool(object, "is_encoder_decoder", &encoder, err));
    if (!encoder) return LR_OK;
    return lr_fail(err, LR_EMODEL, "%s: an encoder-decoder model; only decoders are supported",
                   json_name(object.doc));
}

static enum lr_status examine(struct config_file *f, struct lr_error *err) {
    f->root = f->text = json_root(f->doc);
    if (json_kind(f->root) != JSON_OBJECT)
        return lr_fail(err, LR_EMODEL, "%s is not a JSON object", json_name(f->doc));
    struct json text = json_get(f->root, "text_config");
    if (json_present(text)) f->text = text;
    if (json_kind(f->text) != JSON_OBJECT) return json_fail(text, "text_config", "an object", err);
    LR_TRY(config_check_quantised(f->root, err));
    LR_TRY(config_check_quantised(f->text, err));
    LR_TRY(refuse_encoder(f->root, err));
    f->model_type = f->architecture = LR_STR("");
    LR_TRY(json_read_str(f->root, "model_type", &f->model_type, err));
    LR_TRY(json_read_str(f->text, "model_type", &f->model_type, err));
    struct json architectures = json_get(f->root, "architectures");
    if (!json_present(architectures)) architectures = json_get(f->text, "architectures");
    json_str(json_at(architectures, 0), &f->architecture);
    return LR_OK;
}

static enum lr_status examine_or_close(struct config_file *f, struct lr_error *err) {
    enum lr_status status = examine(f, err);
    if (status != LR_OK) config_close(f);
    return status;
}

enum lr_status config_open(const char *path, struct config_file *out, struct lr_error *err) {
    *out = (struct config_file){.name = path};
    LR_TRY(json_open(path, CONFIG_MAX_BYTES, &out->doc, err));
    return examine_or_close(out, err);
}

enum lr_status config_parse_text(const char *text, size_t len, const char *name, struct config_file *out,
                                 struct lr_error *err) {
    *out = (struct config_file){.name = name};
    LR_TRY(json_parse(text, len, name, &out->doc, err));
    return examine_or_close(out, err);
}

void config_close(struct config_file *f) {
    json_close(f->doc);
    *f = (struct config_file){0};
}

/* ---- reading */

/* Classes are called XForY: Y says what for. Names without "For" are bare models, but for XLMHeadModel. */
static enum lr_status check_architecture(const struct config_file *f, struct lr_error *err) {
    struct lr_str name = f->architecture, what = name;
    bool purpose = false;
    for (size_t i = 0; i + 3 <= name.len; i++) {
        if (!lr_str_starts(lr_str_from(name, i), LR_STR("For"))) continue;
        what = lr_str_from(name, i + 3);
        purpose = true;
    }
    bool bare = lr_str_ends(name, LR_STR("Model")) && !lr_str_ends(name, LR_STR("LMHeadModel"));
    if (purpose ? lr_str_is(what, "CausalLM") || lr_str_is(what, "ConditionalGeneration") : !bare)
        return LR_OK;
    name = lr_str_cut(name, 90);
    return lr_fail(err, LR_EMODEL, "%s: the architecture '%.*s' is not for generating text",
                   json_name(f->doc), LR_STR_ARGS(name));
}

static enum lr_status read_sizes(struct json text, struct model_config *c, struct lr_error *err) {
    const struct {
        const char *key;
        uint32_t *out, min, max;
        bool always_there; /* in the files that people have */
    } sizes[] = {
        {"hidden_size", &c->dim, 1, 1u << 20, true},
        {"num_hidden_layers", &c->layers, 1, CONFIG_MAX_LAYERS, true},
        {"num_attention_heads", &c->heads, 1, 1u << 16, true},
        {"num_key_value_heads", &c->kv_heads, 1, 1u << 16, true},
        {"head_dim", &c->head_dim, 1, 1u << 16, false},
        {"intermediate_size", &c->ffn_dim, 1, 1u << 24, true},
        {"vocab_size", &c->vocab, 1, 1u << 28, true},
        {"max_position_embeddings", &c->max_position, 1, INT32_MAX, false},
        {"sliding_window", &c->sliding_window, 0, INT32_MAX, false},
        {"max_window_layers", &c->max_window_layers, 0, INT32_MAX, false},
    };
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        LR_TRY(json_read_u32(text, sizes[i].key, sizes[i].min, sizes[i].max, sizes[i].out, err));
        bool absent = sizes[i].always_there && !json_present(json_get(text, sizes[i].key));
        if (absent && !c->absent) c->absent = sizes[i].key;
    }
    if (json_kind(json_get(text, "num_key_value_heads")) == JSON_NULL) c->kv_heads = CONFIG_UNSET;
    if (json_kind(json_get(text, "sliding_window")) == JSON_NULL) c->sliding_window = 0;
    return LR_OK;
}

static enum lr_status read_activation(struct json text, struct model_config *c, struct lr_error *err) {
    /* gelu_new is the formula of gelu_pytorch_tanh under its older name; swish is silu. */
    static const struct {
        const char *name;
        enum activation_kind kind;
    } known[] = {{"silu", ACT_SILU},          {"swish", ACT_SILU},
                 {"gelu", ACT_GELU},          {"gelu_pytorch_tanh", ACT_GELU_TANH},
                 {"gelu_new", ACT_GELU_TANH}, {"relu", ACT_RELU}};
    struct lr_str name = LR_STR("");
    LR_TRY(json_read_str(text, "hidden_act", &name, err));
    if (!json_present(json_get(text, "hidden_act"))) return LR_OK;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (!lr_str_is(name, known[i].name)) continue;
        c->activation = known[i].kind;
        return LR_OK;
    }
    return json_fail(json_get(text, "hidden_act"), "hidden_act",
                     "one of silu, swish, gelu, gelu_pytorch_tanh, gelu_new, relu", err);
}

/* Many-modal files say it beside or inside text_config; either `true` counts, as in the reference. */
static enum lr_status read_tied(const struct config_file *f, struct model_config *c, struct lr_error *err) {
    static const char key[] = "tie_word_embeddings";
    bool outer = false, inner = false;
    LR_TRY(json_read_bool(f->root, key, &outer, err));
    LR_TRY(json_read_bool(f->text, key, &inner, err));
    if (json_present(json_get(f->root, key)) || json_present(json_get(f->text, key)))
        c->tied_embeddings = outer || inner;
    return LR_OK;
}

static enum lr_status read_layer_types(struct json text, struct model_config *c, struct lr_error *err) {
    struct json types = json_get(text, "layer_types");
    if (!json_present(types)) return LR_OK;
    if (json_kind(types) != JSON_ARRAY) return json_fail(types, "layer_types", "a list", err);
    if (json_count(types) != c->layers)
        return lr_fail(err, LR_EMODEL, "%s: layer_types has %zu entries, num_hidden_layers is %u",
                       json_name(text.doc), json_count(types), c->layers);
    for (uint32_t i = 0; i < c->layers; i++) {
        struct lr_str type = LR_STR("");
        json_str(json_at(types, i), &type);
        c->layer_sliding[i] = lr_str_is(type, "sliding_attention");
        if (!c->layer_sliding[i] && !lr_str_is(type, "full_attention"))
            return json_fail(json_at(types, i), "layer_types", "full_attention or sliding_attention", err);
    }
    c->has_layer_types = true;
    return LR_OK;
}

enum lr_status config_read_ids(struct json object, const char *key, uint32_t *ids, uint32_t max, uint32_t *n,
                               struct lr_error *err) {
    struct json v = json_get(object, key);
    if (!json_kind(v)) return LR_OK;
    *n = 0;
    if (!json_present(v)) return LR_OK;
    if (json_kind(v) == JSON_ARRAY && json_count(v) > max)
        return lr_fail(err, LR_EMODEL, "%s: '%s' has %zu entries, at most %u are supported", json_name(v.doc),
                       key, json_count(v), max);
    bool list = json_kind(v) == JSON_ARRAY;
    for (struct json id = list ? json_first(v) : v; json_kind(id);
         id = list ? json_next(id) : (struct json){0}) {
        int64_t value;
        if (!json_i64(id, &value) || value >= UINT32_MAX) return json_fail(id, key, "a token id", err);
        if (value >= 0)
            ids[(*n)++] = (uint32_t)value;
        else
            lr_log(LR_LOG_INFO, "%s: %s %lld is no token's id and is left out", json_name(v.doc), key,
                   (long long)value);
    }
    return LR_OK;
}

/* Many-modal files have these inside text_config or beside it. */
static enum lr_status read_ids(const struct config_file *f, struct model_config *c, struct lr_error *err) {
    struct json eos = json_kind(json_get(f->text, "eos_token_id")) ? f->text : f->root;
    struct json bos = json_kind(json_get(f->text, "bos_token_id")) ? f->text : f->root;
    uint32_t n_bos = c->bos_id != CONFIG_UNSET;
    LR_TRY(config_read_ids(eos, "eos_token_id", c->eos_ids, CONFIG_MAX_EOS, &c->n_eos, err));
    LR_TRY(config_read_ids(bos, "bos_token_id", &c->bos_id, 1, &n_bos, err));
    if (!n_bos) c->bos_id = CONFIG_UNSET;
    return LR_OK;
}

static void copy_name(char *out, size_t size, struct lr_str name) {
    name = lr_str_cut(name, size - 1);
    if (name.len) memcpy(out, name.data, name.len);
    out[name.len] = '\0';
}

/* Under either name, inside text_config or beside it; unknown ones are left: only a plan without files goes
 * by it. */
static void read_dtype(const struct config_file *f, struct model_config *c) {
    static const struct {
        const char *name;
        enum lr_dtype dtype;
    } known[] = {{"bfloat16", LR_BF16}, {"float16", LR_F16}, {"float32", LR_F32}};
    const struct json places[] = {json_get(f->text, "dtype"), json_get(f->text, "torch_dtype"),
                                  json_get(f->root, "dtype"), json_get(f->root, "torch_dtype")};
    struct lr_str name = LR_STR("");
    for (size_t i = 0; i < sizeof places / sizeof places[0] && !name.len; i++) json_str(places[i], &name);
    c->dtype = LR_F32; /* what transformers saves when nothing is said */
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (lr_str_is(name, known[i].name)) c->dtype = known[i].dtype;
}

enum lr_status config_read(const struct config_file *f, struct model_config *c, struct lr_error *err) {
    LR_TRY(check_architecture(f, err));
    copy_name(c->model_type, sizeof c->model_type, f->model_type);
    copy_name(c->architecture, sizeof c->architecture, f->architecture);
    LR_TRY(read_sizes(f->text, c, err));
    LR_TRY(json_read_double(f->text, "rms_norm_eps", 0, 1, &c->norm_eps, err));
    LR_TRY(read_activation(f->text, c, err));
    LR_TRY(read_tied(f, c, err));
    read_dtype(f, c);
    config_read_fp8(f, &c->fp8);
    LR_TRY(json_read_bool(f->text, "attention_bias", &c->attention_bias, err));
    LR_TRY(json_read_bool(f->text, "mlp_bias", &c->mlp_bias, err));
    LR_TRY(json_read_bool(f->text, "use_sliding_window", &c->use_sliding_window, err));
    LR_TRY(read_layer_types(f->text, c, err));
    LR_TRY(config_read_rope(f->text, c->max_position, &c->rope, err));
    return read_ids(f, c, err);
}
