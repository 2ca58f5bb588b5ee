/* config.h - config.json and generation_config.json as typed facts.
 *
 * A config names a family; the family gives the defaults of its transformers class, and the file's keys
 * override them (model/families). Multimodal configs keep the language model under `text_config`; both forms
 * read the same. */
#ifndef LR_FORMAT_CONFIG_H
#define LR_FORMAT_CONFIG_H

#include "base/dtype.h"
#include "format/json.h"

#define CONFIG_MAX_LAYERS 1024
#define CONFIG_MAX_EOS    16
#define CONFIG_UNSET      UINT32_MAX

enum rope_kind { ROPE_DEFAULT, ROPE_LINEAR, ROPE_DYNAMIC, ROPE_LLAMA3, ROPE_YARN };

/* rope_scaling / rope_parameters; values that the file leaves out are NaN or CONFIG_UNSET, for the formula's
 * own default. */
struct rope_config {
    enum rope_kind kind;
    double theta;
    double factor;
    double partial; /* share of head_dim that is rotated; the family says it, no key is read */
    uint32_t original_max_position;                                        /* llama3, yarn */
    double low_freq_factor, high_freq_factor;                              /* llama3 */
    double beta_fast, beta_slow, mscale, mscale_all_dim, attention_factor; /* yarn */
    bool truncate;
};

enum activation_kind { ACT_SILU, ACT_GELU, ACT_GELU_TANH, ACT_RELU };

/* Weights in fp8, but for modules that the file's dtypes tell: one scale for each block of so many rows and
 * columns, where there are not as many scales as rows, or one. */
struct fp8_config {
    bool stated;
    uint32_t block_rows, block_cols;
};
#define CONFIG_FP8_BLOCK 128u /* each way, where nothing is said */

/* What a decoder's config says, in the words of config.json. The families fill it with their defaults first.
 */
struct model_config {
    char model_type[64], architecture[96];
    uint32_t dim, layers, heads, kv_heads, head_dim, ffn_dim,
        vocab;          /* kv_heads, head_dim: CONFIG_UNSET = derived */
    const char *absent; /* the first size that the file has no key for, so that its default counts; or NULL */
    uint32_t max_position;
    double norm_eps;
    enum activation_kind activation;
    bool tied_embeddings, attention_bias, mlp_bias;
    bool use_sliding_window; /* qwen2, qwen3 */
    uint32_t sliding_window; /* 0 = none (null in the file) */
    uint32_t max_window_layers;
    uint8_t layer_sliding[CONFIG_MAX_LAYERS]; /* from layer_types: 1 = sliding_attention */
    bool has_layer_types;
    struct rope_config rope;
    enum lr_dtype dtype; /* what the weights are said to be in; the files' own dtypes count */
    struct fp8_config fp8;
    uint32_t eos_ids[CONFIG_MAX_EOS], n_eos, bos_id; /* bos: CONFIG_UNSET = none */
};

/* An open config.json: `root` is the file, `text` the object that holds the decoder's keys. */
struct config_file {
    struct json_doc *doc;
    const char *name; /* as given when it was opened, for messages: the caller's */
    struct json root, text;
    struct lr_str model_type;   /* of `text` when it has one, else of `root` */
    struct lr_str architecture; /* architectures[0]; empty when absent */
};
/* Opens, and refuses by name what no family runs: a `quantization_config` but fp8, an encoder-decoder. Does
 * not know which families exist. */
enum lr_status config_open(const char *path, struct config_file *out, struct lr_error *err);
enum lr_status config_parse_text(const char *text, size_t len, const char *name, struct config_file *out,
                                 struct lr_error *err);
void config_close(struct config_file *f);
/* Overrides the defaults in `c` with the keys that the file has. A null leaves the default, but for the keys
 * where it means something: num_key_value_heads (as many as heads), sliding_window (none), eos_token_id,
 * bos_token_id (none). Refuses by name an architecture that is not for generating text, unknown activations,
 * rope kinds and layer types. */
enum lr_status config_read(const struct config_file *f, struct model_config *c, struct lr_error *err);

/* generation_config.json; keys that are absent stay unset (NaN, CONFIG_UNSET, -1). */
struct generation_config {
    double temperature, top_p, min_p, typical_p, repetition_penalty;
    int64_t top_k;
    int do_sample; /* -1 unset, 0, 1 */
    uint32_t eos_ids[CONFIG_MAX_EOS], n_eos;
};
/* An absent file gives everything unset. */
enum lr_status generation_config_read(const char *path, struct generation_config *out, struct lr_error *err);

#endif
