/* Real config.json files against what transformers makes of them, and the classes' defaults. */
#include "support/support.h"

#include "format/config.h"
#include "model/families/family.h"
#include "sys/file.h"

#include "base/mem.h"

static struct lr_error err;

static struct json_doc *open_golden(const char *name) {
    char path[64];
    struct json_doc *doc = NULL;
    snprintf(path, sizeof path, "tests/golden/%s", name);
    if (json_open(path, 1u << 30, &doc, &err) != LR_OK) fail_msg("%s", err.message);
    return doc;
}

/* The golden value of a size: null stands for what the class derives, given as `derived`. */
static void size_is(struct json golden, const char *key, uint32_t derived, uint32_t value) {
    uint64_t expected = derived;
    struct json v = json_get(golden, key);
    if (json_present(v)) assert_true(json_u64(v, &expected));
    if (value != expected)
        fail_msg("%s is %u, the reference says %llu", key, value, (unsigned long long)expected);
}

static void ids_are(struct json golden, const uint32_t *ids, uint32_t n) {
    uint64_t id;
    if (json_kind(golden) == JSON_ARRAY) {
        assert_int_equal(n, json_count(golden));
        for (uint32_t i = 0; i < n; i++) assert_true(json_u64(json_at(golden, i), &id) && ids[i] == id);
    } else if (json_present(golden)) {
        assert_true(n == 1 && json_u64(golden, &id) && ids[0] == id);
    } else {
        assert_int_equal(n, 0);
    }
}

static void bool_is(struct json golden, const char *key, bool value) {
    bool expected = false;
    if (!json_present(json_get(golden, key))) return; /* the class does not have it */
    assert_true(json_bool(json_get(golden, key), &expected));
    if (value != expected) fail_msg("%s is %d in the reference", key, expected);
}

static void sizes_are(struct json golden, const struct model_spec *s) {
    size_is(golden, "vocab_size", 0, s->vocab);
    size_is(golden, "hidden_size", 0, s->dim);
    size_is(golden, "intermediate_size", 0, s->ffn_dim);
    size_is(golden, "num_hidden_layers", 0, s->layers);
    size_is(golden, "num_attention_heads", 0, s->heads);
    size_is(golden, "num_key_value_heads", s->heads, s->kv_heads);
    size_is(golden, "head_dim", s->dim / s->heads, s->head_dim);
    size_is(golden, "max_position_embeddings", 0, s->max_position);
}

static void rest_is(struct json golden, const struct model_config *c, const struct model_spec *s) {
    static const char *const kinds[] = {"default", "linear", "dynamic", "llama3", "yarn"};
    struct lr_str text = LR_STR("");
    double eps = 0, theta = 0;
    assert_true(json_double(json_get(golden, "rms_norm_eps"), &eps) && c->norm_eps == eps);
    assert_true(json_double(json_get(golden, "rope_theta"), &theta) && c->rope.theta == theta);
    assert_true(json_str(json_get(golden, "rope_type"), &text) && lr_str_is(text, kinds[c->rope.kind]));
    assert_true(json_str(json_get(golden, "hidden_act"), &text) && lr_str_is(text, "silu"));
    assert_int_equal(s->activation, ACT_SILU);
    bool_is(golden, "tie_word_embeddings", s->tied_head);
    bool_is(golden, "attention_bias", c->attention_bias);
    bool_is(golden, "mlp_bias", c->mlp_bias);
    struct json bos = json_get(golden, "bos_token_id");
    ids_are(bos, &c->bos_id, c->bos_id != CONFIG_UNSET);
    ids_are(json_get(golden, "eos_token_id"), c->eos_ids, c->n_eos);
}

static void windows_are(struct json golden, const struct model_spec *s) {
    struct json windows = json_get(golden, "layer_windows");
    assert_int_equal(json_count(windows), s->layers);
    for (uint32_t i = 0; i < s->layers; i++) {
        uint64_t window = 0;
        json_u64(json_at(windows, i), &window);
        assert_int_equal(s->window[i], window);
    }
}

static void scaling_is(struct json golden, const struct rope_config *r) {
    struct json rope = json_get(golden, "rope_parameters");
    const struct {
        const char *key;
        double value;
    } values[] = {{"factor", r->factor},
                  {"low_freq_factor", r->low_freq_factor},
                  {"high_freq_factor", r->high_freq_factor},
                  {"original_max_position_embeddings", r->original_max_position}};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        double expected;
        if (json_double(json_get(rope, values[i].key), &expected)) assert_true(values[i].value == expected);
    }
}

/* What the program makes of a config; false when it is refused. */
static bool resolve(const char *text, size_t len, const char *name, struct model_config *c,
                    struct model_spec *s) {
    struct config_file f;
    if (config_parse_text(text, len, name, &f, &err) != LR_OK) return false;
    enum lr_status status = family_spec(&f, c, s, &err);
    config_close(&f);
    return status == LR_OK;
}

static void defaults_of_every_family(void **state) {
    (void)state;
    static const char *const families[] = {"llama", "mistral", "qwen2", "qwen3"};
    static struct model_config c;
    static struct model_spec s;
    struct json_doc *golden = open_golden("config_defaults.json");
    for (size_t i = 0; i < 4; i++) {
        char text[64];
        struct json expected = json_get(json_root(golden), families[i]);
        int len = snprintf(text, sizeof text, "{\"model_type\":\"%s\"}", families[i]);
        if (!resolve(text, (size_t)len, "config.json", &c, &s)) fail_msg("%s", err.message);
        sizes_are(expected, &s);
        rest_is(expected, &c, &s);
        size_is(expected, "sliding_window", 0, c.sliding_window);
        if (i >= 2) size_is(expected, "max_window_layers", 0, c.max_window_layers);
        bool_is(expected, "use_sliding_window", c.use_sliding_window);
    }
    json_close(golden);
}

/* Each shared file is either what the reference makes of it, or refused with its name in the message. */
static void check_shared_config(const char *folder, const char *name, struct json golden) {
    static struct model_config c;
    static struct model_spec s;
    char *path = file_join(folder, name);
    size_t len;
    char *text = support_read_file(path, &len);
    assert_non_null(text);
    bool quantised = strstr(text, "\"quantization_config\"") != NULL;
    err.message[0] = '\0';
    bool read = resolve(text, len, name, &c, &s);
    if (!read && !lr_str_starts(lr_str_of(err.message), lr_str_of(name)))
        fail_msg("%s: '%s'", name, err.message);
    if (read != (json_present(golden) && !quantised))
        fail_msg("%s: %s", name, read ? "was read" : err.message);
    if (read) {
        sizes_are(golden, &s);
        rest_is(golden, &c, &s);
        windows_are(golden, &s);
        scaling_is(golden, &c.rope);
    } else {
        printf("  refused: %s\n", err.message);
    }
    free(text);
    lr_free(path);
}

static void every_shared_config(void **state) {
    (void)state;
    SUPPORT_NEEDS_DATA(folder, "configs");
    struct json_doc *golden = open_golden("configs_resolved.json");
    struct json files = json_get(json_root(golden), "files");
    struct file_list list;
    assert_int_equal(file_list_open(folder, &list, &err), LR_OK);
    assert_true(list.count >= json_count(files) && json_count(files) > 10);
    for (size_t i = 0; i < list.count; i++)
        check_shared_config(folder, list.names[i], json_get(files, list.names[i]));
    file_list_close(&list);
    json_close(golden);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_of_every_family),
        cmocka_unit_test(every_shared_config),
    };
    return cmocka_run_group_tests_name("configs", tests, NULL, NULL);
}
