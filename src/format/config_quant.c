/* `quantization_config`: which methods leave weights in fp8 with scales beside them, and in which blocks. */
#include "format/config_parts.h"

static const char *const keys[] = {"quantization_config", "compression_config"};
enum { KEYS = sizeof keys / sizeof keys[0] };

/* ---- methods */

/* A group of compressed-tensors: whether its weights are fp8, or left as they are. */
static bool is_fp8_group(struct json group) {
    struct json weights = json_get(group, "weights");
    struct lr_str type = LR_STR("");
    uint64_t bits = 0;
    bool symmetric = true;
    if (!json_present(weights)) return true;
    json_str(json_get(weights, "type"), &type);
    json_u64(json_get(weights, "num_bits"), &bits);
    json_bool(json_get(weights, "symmetric"), &symmetric);
    return lr_str_is(type, "float") && bits == 8 && symmetric;
}

/* Weights that were rotated besides ("transform_config") are not what the scales make of them. */
static bool is_fp8_compressed(struct json q) {
    struct json groups = json_get(q, "config_groups");
    for (struct json g = json_first(groups); json_kind(g); g = json_next(g))
        if (!is_fp8_group(g)) return false;
    return json_count(groups) > 0 && !json_count(json_get(q, "transform_config"));
}

static bool is_fp8(struct json q, struct lr_str method) {
    struct lr_str algorithm = LR_STR("");
    if (lr_str_is(method, "fp8") || lr_str_is(method, "fbgemm_fp8")) return true;
    if (lr_str_is(method, "compressed-tensors")) return is_fp8_compressed(q);
    json_str(json_get(q, "quant_algo"), &algorithm);
    return lr_str_is(method, "modelopt") && lr_str_starts(algorithm, LR_STR("FP8"));
}

enum lr_status config_check_quantised(struct json object, struct lr_error *err) {
    for (size_t i = 0; i < KEYS; i++) {
        struct json q = json_get(object, keys[i]);
        struct lr_str method = LR_STR("unknown");
        if (!json_present(q)) continue;
        json_str(json_get(q, "quant_method"), &method);
        if (is_fp8(q, method)) continue;
        method = lr_str_cut(method, 60);
        return lr_fail(err, LR_EMODEL,
                       "%s: the weights are quantised (%s, method '%.*s'), other than in fp8, which is not "
                       "supported: use the model's f32, f16, bf16 or fp8 files",
                       json_name(object.doc), keys[i], LR_STR_ARGS(method));
    }
    return LR_OK;
}

/* ---- blocks */

/* A list of rows and columns; anything else changes nothing. */
static void read_block(struct json list, struct fp8_config *out) {
    uint64_t rows, cols;
    if (json_kind(list) != JSON_ARRAY || json_count(list) != 2 || !json_u64(json_at(list, 0), &rows) ||
        !json_u64(json_at(list, 1), &cols) || rows - 1 >= UINT32_MAX || cols - 1 >= UINT32_MAX)
        return;
    out->block_rows = (uint32_t)rows;
    out->block_cols = (uint32_t)cols;
}

/* Of the first group that says something. */
static void read_groups(struct json groups, struct fp8_config *out) {
    for (struct json g = json_first(groups); json_kind(g); g = json_next(g)) {
        struct json weights = json_get(g, "weights");
        uint64_t size = 0;
        if (!json_present(weights)) continue;
        read_block(json_get(weights, "block_structure"), out);
        if (json_u64(json_get(weights, "group_size"), &size) && size - 1 < UINT32_MAX - 1) {
            out->block_rows = 1;
            out->block_cols = (uint32_t)size;
        }
        return;
    }
}

void config_read_fp8(const struct config_file *f, struct fp8_config *out) {
    const struct json objects[] = {f->root, f->text};
    out->stated = false;
    out->block_rows = out->block_cols = CONFIG_FP8_BLOCK;
    for (size_t i = 0; i < KEYS * 2; i++) {
        struct json q = json_get(objects[i / KEYS], keys[i % KEYS]);
        if (!json_present(q)) continue;
        out->stated = true;
        read_block(json_get(q, "weight_block_size"), out);
        read_groups(json_get(q, "config_groups"), out);
    }
}
