/* The rotary parameters in all the forms that transformers reads (modeling_rope_utils, 4 and 5). */
#include "format/config_parts.h"

#include <stddef.h>

#define BIT(kind) (1u << (kind))

/* The rope's own object: rope_scaling, unless it is null or empty, else rope_parameters (transformers'
 * order). */
static enum lr_status find_object(struct json text, struct json *out, const char **key,
                                  struct lr_error *err) {
    static const char *const keys[] = {"rope_scaling", "rope_parameters"};
    *out = (struct json){text.doc, NULL};
    for (size_t i = 0; i < 2; i++) {
        struct json v = json_get(text, keys[i]);
        if (!json_present(v)) continue;
        if (json_kind(v) != JSON_OBJECT) return json_fail(v, keys[i], "an object", err);
        if (!json_count(v)) continue;
        *out = v;
        *key = keys[i];
        return LR_OK;
    }
    return LR_OK;
}

static enum lr_status refuse_nested(struct json rope, const char *key, struct lr_error *err) {
    for (struct json v = json_first(rope); json_kind(v); v = json_next(v)) {
        if (json_kind(v) != JSON_OBJECT) continue;
        struct lr_str name = lr_str_cut(json_key(v), 60);
        return lr_fail(err, LR_EMODEL,
                       "%s: %s has values of its own for layers of kind '%.*s': not supported",
                       json_name(rope.doc), key, LR_STR_ARGS(name));
    }
    return LR_OK;
}

static enum lr_status read_kind(struct json rope, enum rope_kind *kind, struct lr_error *err) {
    static const struct {
        const char *name;
        enum rope_kind kind;
    } known[] = {{"default", ROPE_DEFAULT},
                 {"linear", ROPE_LINEAR},
                 {"dynamic", ROPE_DYNAMIC},
                 {"llama3", ROPE_LLAMA3},
                 {"yarn", ROPE_YARN}};
    const char *key = json_present(json_get(rope, "rope_type")) ? "rope_type" : "type";
    struct lr_str name = LR_STR("default");
    LR_TRY(json_read_str(rope, key, &name, err));
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (!lr_str_is(name, known[i].name)) continue;
        *kind = known[i].kind;
        return LR_OK;
    }
    return json_fail(json_get(rope, key), key, "one of default, linear, dynamic, llama3, yarn", err);
}

/* Only the keys that the kind uses: what stands under others does not matter, as in the reference. */
static enum lr_status read_values(struct json rope, struct rope_config *r, struct lr_error *err) {
    const unsigned scaled = BIT(ROPE_LINEAR) | BIT(ROPE_DYNAMIC) | BIT(ROPE_LLAMA3) | BIT(ROPE_YARN);
    const struct {
        const char *key;
        unsigned kinds;
        double *out;
    } values[] = {
        {"factor", scaled, &r->factor},
        {"low_freq_factor", BIT(ROPE_LLAMA3), &r->low_freq_factor},
        {"high_freq_factor", BIT(ROPE_LLAMA3), &r->high_freq_factor},
        {"beta_fast", BIT(ROPE_YARN), &r->beta_fast},
        {"beta_slow", BIT(ROPE_YARN), &r->beta_slow},
        {"mscale", BIT(ROPE_YARN), &r->mscale},
        {"mscale_all_dim", BIT(ROPE_YARN), &r->mscale_all_dim},
        {"attention_factor", BIT(ROPE_YARN), &r->attention_factor},
    };
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
        if (values[i].kinds & BIT(r->kind))
            LR_TRY(json_read_double(rope, values[i].key, 0, 1e9, values[i].out, err));
    if (r->kind == ROPE_YARN) LR_TRY(json_read_bool(rope, "truncate", &r->truncate, err));
    if (BIT(r->kind) & (BIT(ROPE_LLAMA3) | BIT(ROPE_YARN)))
        LR_TRY(json_read_u32(rope, "original_max_position_embeddings", 1, INT32_MAX,
                             &r->original_max_position, err));
    return LR_OK;
}

/* A share of head_dim that the reference ignores for plain rope, and cannot run with the other kinds. */
static enum lr_status refuse_partial(struct json text, struct json rope, struct lr_error *err) {
    double partial = 1;
    LR_TRY(json_read_double(text, "partial_rotary_factor", 0, 1, &partial, err));
    LR_TRY(json_read_double(rope, "partial_rotary_factor", 0, 1, &partial, err));
    if (partial == 1) return LR_OK;
    return lr_fail(err, LR_EMODEL, "%s: partial_rotary_factor %g with scaled rope is not supported",
                   json_name(text.doc), partial);
}

enum lr_status config_read_rope(struct json text, uint32_t max_position, struct rope_config *r,
                                struct lr_error *err) {
    struct json rope;
    const char *key = "";
    LR_TRY(find_object(text, &rope, &key, err));
    LR_TRY(refuse_nested(rope, key, err));
    LR_TRY(json_read_double(json_present(json_get(rope, "rope_theta")) ? rope : text, "rope_theta", 1, 1e15,
                            &r->theta, err));
    if (!json_present(rope)) return LR_OK;
    LR_TRY(read_kind(rope, &r->kind, err));
    if (r->kind != ROPE_DEFAULT) LR_TRY(refuse_partial(text, rope, err));
    LR_TRY(read_values(rope, r, err));
    bool null_factor = json_kind(json_get(rope, "factor")) == JSON_NULL;
    if (r->kind == ROPE_YARN && null_factor && r->original_max_position != CONFIG_UNSET)
        r->factor = (double)max_position / r->original_max_position; /* as the reference derives it */
    return LR_OK;
}
