#include "text/post.h"

#include "text/step.h"
#include "text/vocab.h"

static enum lr_status push_id(struct json v, const char *key, struct token_list *out, struct lr_error *err) {
    uint64_t id;
    if (!json_u64(v, &id) || id > VOCAB_MAX_ID) return json_fail(v, key, "an id below 2^24", err);
    if (token_list_push(out, (uint32_t)id)) return lr_fail_memory(err, "post_processor", sizeof id);
    return LR_OK;
}

/* ["<s>", 1] under `key`, as BertProcessing and RobertaProcessing write it. */
static enum lr_status push_pair(struct json spec, const char *key, struct token_list *out,
                                struct lr_error *err) {
    struct json v = json_get(spec, key);
    if (json_count(v) != 2) return json_fail(v, key, "a piece and its id", err);
    return push_id(json_at(v, 1), key, out, err);
}

static enum lr_status parse_bert(struct json spec, struct post *out, struct lr_error *err) {
    LR_TRY(push_pair(spec, "cls", &out->before, err));
    return push_pair(spec, "sep", &out->behind, err);
}

/* The ids that the template's table gives for one of its special tokens. */
static enum lr_status push_special(struct json spec, struct json id, struct token_list *out,
                                   struct lr_error *err) {
    struct lr_str name;
    if (!json_str(id, &name)) return json_fail(id, "id", "the name of a special token", err);
    struct json ids = json_get(json_get_str(json_get(spec, "special_tokens"), name), "ids");
    struct lr_str shown = lr_str_cut(name, 60);
    if (json_kind(ids) != JSON_ARRAY)
        return lr_fail(err, LR_EMODEL, "%s: post_processor: special_tokens has no ids for '%.*s'",
                       json_name(spec.doc), LR_STR_ARGS(shown));
    for (struct json v = json_first(ids); json_kind(v); v = json_next(v)) LR_TRY(push_id(v, "ids", out, err));
    return LR_OK;
}

static const char template_form[] = "a list of special tokens with the sequence A among them, once,";

static enum lr_status parse_template(struct json spec, struct post *out, struct lr_error *err) {
    struct json single = json_get(spec, "single");
    bool behind = false;
    struct lr_str name;
    for (struct json v = json_first(single); json_kind(v); v = json_next(v)) {
        struct json sequence = json_get(json_get(v, "Sequence"), "id");
        struct json special = json_get(json_get(v, "SpecialToken"), "id");
        if (json_present(special)) {
            LR_TRY(push_special(spec, special, behind ? &out->behind : &out->before, err));
        } else {
            if (behind || !json_str(sequence, &name) || !lr_str_is(name, "A"))
                return json_fail(single, "single", template_form, err);
            behind = true;
        }
    }
    return behind ? LR_OK : json_fail(single, "single", template_form, err);
}

static const struct step_part this_part = {"post_processor", "processors"};

/* A second processor that adds ids has no meaning in the package for one text. */
static enum lr_status parse_step(struct json spec, struct post *out, struct lr_error *err);

static enum lr_status parse_sequence(struct json spec, struct post *out, struct lr_error *err) {
    struct json list;
    LR_TRY(step_list(spec, &this_part, &list, err));
    for (struct json v = json_first(list); json_kind(v); v = json_next(v)) {
        size_t before = out->before.count + out->behind.count;
        LR_TRY(parse_step(v, out, err));
        if (before && before != out->before.count + out->behind.count)
            return lr_fail(err, LR_EMODEL, "%s: post_processor: more than one of 'processors' adds tokens",
                           json_name(spec.doc));
    }
    return LR_OK;
}

static const struct {
    const char *type;
    enum lr_status (*parse)(struct json spec, struct post *out, struct lr_error *err); /* NULL: adds no ids */
} kinds[] = {
    {"ByteLevel", NULL},
    {"TemplateProcessing", parse_template},
    {"BertProcessing", parse_bert},
    {"RobertaProcessing", parse_bert},
};

static enum lr_status parse_step(struct json spec, struct post *out, struct lr_error *err) {
    size_t i;
    LR_TRY(step_find(spec, &this_part, kinds, sizeof kinds / sizeof *kinds, sizeof *kinds, &i, err));
    if (i == STEP_SEQUENCE) return parse_sequence(spec, out, err);
    return kinds[i].parse ? kinds[i].parse(spec, out, err) : LR_OK;
}

enum lr_status post_parse(struct json spec, struct post *out, struct lr_error *err) {
    *out = (struct post){0};
    return json_present(spec) ? parse_step(spec, out, err) : LR_OK;
}

void post_free(struct post *p) {
    token_list_free(&p->before);
    token_list_free(&p->behind);
}
