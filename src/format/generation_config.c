#include "format/config.h"

#include "base/log.h"
#include "format/config_parts.h"
#include "sys/file.h"

#include <math.h>
#include <stdio.h>

static enum lr_status read_values(struct json root, struct generation_config *out, struct lr_error *err) {
    const struct {
        const char *key;
        double min, max, *out;
    } values[] = {
        {"temperature", 0, 1e6, &out->temperature},
        {"top_p", 0, 1, &out->top_p},
        {"min_p", 0, 1, &out->min_p},
        {"typical_p", 1e-6, 1, &out->typical_p},
        {"repetition_penalty", 1e-6, 1e6, &out->repetition_penalty},
    };
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
        LR_TRY(json_read_double(root, values[i].key, values[i].min, values[i].max, values[i].out, err));
    bool sample = false;
    struct json top_k = json_get(root, "top_k");
    if (json_present(top_k) && !json_i64(top_k, &out->top_k))
        return json_fail(top_k, "top_k", "a whole number", err);
    if (json_present(top_k) && out->top_k < 0) out->top_k = 0; /* -1 is another way to say: off */
    LR_TRY(json_read_bool(root, "do_sample", &sample, err));
    if (json_present(json_get(root, "do_sample"))) out->do_sample = sample;
    return config_read_ids(root, "eos_token_id", out->eos_ids, CONFIG_MAX_EOS, &out->n_eos, err);
}

/* Keys that change what transformers generates and that are not followed here, with the number that means
 * nothing. */
static const struct {
    const char *key;
    double neutral;
} not_followed[] = {
    {"num_beams", 1},
    {"no_repeat_ngram_size", 0},
    {"min_length", 0},
    {"min_new_tokens", 0},
    {"penalty_alpha", 0},
    {"guidance_scale", 1},
    {"epsilon_cutoff", 0},
    {"eta_cutoff", 0},
    {"suppress_tokens", 0},
    {"bad_words_ids", 0},
    {"sequence_bias", 0},
    {"begin_suppress_tokens", 0},
    {"stop_strings", 0},
    {"force_words_ids", 0},
    {"forced_bos_token_id", -1},
    {"constraints", 0},
    {"encoder_repetition_penalty", 1},
    {"forced_eos_token_id", -1},
    {"exponential_decay_length_penalty", 0},
};

/* Lengths: here the end of the text and of the context bound an answer, or who asks for it. */
static void tell_of_lengths(struct json root) {
    static const char *const keys[] = {"max_new_tokens", "max_length"};
    double n;
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        if (json_double(json_get(root, keys[i]), &n))
            lr_log(LR_LOG_INFO, "%s: %s %.0f is not followed here: -n is what bounds an answer",
                   json_name(root.doc), keys[i], n);
}

/* Nothing is passed over in silence. */
static void warn_of_keys(struct json root) {
    char keys[256] = "";
    size_t at = 0;
    for (size_t i = 0; i < sizeof not_followed / sizeof *not_followed && at < sizeof keys; i++) {
        struct json v = json_get(root, not_followed[i].key);
        struct lr_str text;
        double n;
        bool says = json_double(v, &n)   ? n != not_followed[i].neutral
                    : json_str(v, &text) ? text.len > 0
                                         : json_count(v) > 0;
        if (says)
            at += (size_t)snprintf(keys + at, sizeof keys - at, "%s%s", at ? ", " : "", not_followed[i].key);
    }
    if (at) lr_log(LR_LOG_WARN, "%s: not followed here: %s", json_name(root.doc), keys);
}

enum lr_status generation_config_read(const char *path, struct generation_config *out, struct lr_error *err) {
    *out = (struct generation_config){
        .temperature = NAN,
        .top_p = NAN,
        .min_p = NAN,
        .typical_p = NAN,
        .repetition_penalty = NAN,
        .top_k = -1,
        .do_sample = -1,
    };
    if (!path || file_kind(path) == FILE_ABSENT) return LR_OK;
    struct json_doc *doc;
    LR_TRY(json_open(path, CONFIG_MAX_BYTES, &doc, err));
    enum lr_status status;
    if (json_kind(json_root(doc)) != JSON_OBJECT)
        status = lr_fail(err, LR_EMODEL, "%s is not a JSON object", path);
    else
        status = read_values(json_root(doc), out, err);
    if (status == LR_OK) warn_of_keys(json_root(doc));
    if (status == LR_OK) tell_of_lengths(json_root(doc));
    json_close(doc);
    return status;
}
