#include "support/llama.h"

#include "support/safetensors.h"
#include "support/support.h"

#include <unistd.h>

enum { DIM = 512, FFN = 1400, KV = 128, BLOCK = 128, MOST = 3 + 16 * LLAMA_LAYERS };
#define CONFIG                                                                                               \
    "{\"architectures\":[\"LlamaForCausalLM\"],\"model_type\":\"llama\",\"hidden_size\":512,"                \
    "\"intermediate_size\":1400,\"num_hidden_layers\":4,\"num_attention_heads\":8,"                          \
    "\"num_key_value_heads\":2,\"vocab_size\":7000,\"max_position_embeddings\":256,"                         \
    "\"rms_norm_eps\":1e-5,\"rope_theta\":10000.0,\"hidden_act\":\"silu\",\"eos_token_id\":2,"               \
    "\"tie_word_embeddings\":false,\"dtype\":\"bfloat16\"%s}"
#define CONFIG_FP8                                                                                           \
    ",\"quantization_config\":{\"quant_method\":\"fp8\",\"fmt\":\"e4m3\",\"weight_block_size\":[128,128]}"

struct llama {
    char names[MOST][64];
    struct support_tensor list[MOST];
    size_t count;
    bool fp8;
};

/* Gives the tensor named last its place in the list; `data` is the list's. */
static void put(struct llama *l, const char *dtype, uint64_t rows, uint64_t cols, void *data, size_t bytes) {
    l->list[l->count] =
        (struct support_tensor){l->names[l->count], dtype, cols ? 2 : 1, {rows, cols}, data, bytes};
    l->count++;
}

static uint64_t next(uint64_t seed) {
    return seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
}

/* Values of either sign, 0.008 to 0.03; norms are near one. */
static void add(struct llama *l, uint64_t rows, uint64_t cols) {
    size_t n = rows * (cols ? cols : 1);
    uint16_t *data = malloc(2 * n);
    uint64_t seed = l->count;
    for (size_t i = 0; i < n; i++) {
        seed = next(seed);
        data[i] = cols ? (uint16_t)(0x3C00 | (seed >> 40 & 0x80FF)) : (uint16_t)(0x3F80 | (seed >> 40 & 0xF));
    }
    put(l, "BF16", rows, cols, data, 2 * n);
}

/* The same range of values as elements of e4m3, 64 to 240, each block with a scale of its own. */
static void add_fp8(struct llama *l, uint64_t rows, uint64_t cols) {
    uint64_t down = (rows + BLOCK - 1) / BLOCK, across = (cols + BLOCK - 1) / BLOCK, seed = l->count;
    uint8_t *data = malloc(rows * cols);
    float *scales = malloc(down * across * sizeof *scales);
    for (size_t i = 0; i < rows * cols; i++) {
        seed = next(seed);
        data[i] = (uint8_t)(0x68 + (seed >> 40 & 0xF) + (seed >> 50 & 0x80));
    }
    for (size_t i = 0; i < down * across; i++) {
        seed = next(seed);
        scales[i] = 0.0000875f + 0.0000375f * (float)(seed >> 40) * 0x1p-24f;
    }
    strcat(strcpy(l->names[l->count + 1], l->names[l->count]), "_scale_inv");
    put(l, "F8_E4M3", rows, cols, data, rows * cols);
    put(l, "F32", down, across, scales, down * across * sizeof *scales);
}

static void add_layer(struct llama *l, int layer) {
    static const struct {
        const char *name;
        uint64_t rows, cols;
    } parts[] = {
        {"input_layernorm", DIM, 0},          {"self_attn.q_proj", DIM, DIM}, {"self_attn.k_proj", KV, DIM},
        {"self_attn.v_proj", KV, DIM},        {"self_attn.o_proj", DIM, DIM}, {"mlp.gate_proj", FFN, DIM},
        {"post_attention_layernorm", DIM, 0}, {"mlp.up_proj", FFN, DIM},      {"mlp.down_proj", DIM, FFN},
    };
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        snprintf(l->names[l->count], sizeof l->names[0], "model.layers.%d.%s.weight", layer, parts[i].name);
        (l->fp8 && parts[i].cols ? add_fp8 : add)(l, parts[i].rows, parts[i].cols);
    }
}

static void write_shards(const struct llama *l, const char *folder, int shards, const char *second) {
    static const char first_name[] = "model-00001-of-00002.safetensors",
                      second_name[] = "model-00002-of-00002.safetensors";
    char target[4200], link[4200];
    size_t half = l->count / 2;
    if (shards == 1) {
        support_write_safetensors(folder, "model.safetensors", l->list, l->count, 5);
        return;
    }
    support_write_safetensors(folder, first_name, l->list, half, 5);
    support_write_safetensors(second ? second : folder, second_name, l->list + half, l->count - half, 2);
    if (!second) return;
    snprintf(target, sizeof target, "%s/%s", second, second_name);
    snprintf(link, sizeof link, "%s/%s", folder, second_name);
    assert_int_equal(symlink(target, link), 0);
}

static void make(struct llama *l, const char *folder, int shards, const char *second) {
    char config[sizeof CONFIG + sizeof CONFIG_FP8];
    int n = snprintf(config, sizeof config, CONFIG, l->fp8 ? CONFIG_FP8 : "");
    support_write_file(folder, "config.json", config, (size_t)n);
    strcpy(l->names[l->count], "model.embed_tokens.weight");
    add(l, LLAMA_VOCAB, DIM);
    for (int i = 0; i < LLAMA_LAYERS; i++) add_layer(l, i);
    strcpy(l->names[l->count], "model.norm.weight");
    add(l, DIM, 0);
    strcpy(l->names[l->count], "lm_head.weight");
    add(l, LLAMA_VOCAB, DIM);
    write_shards(l, folder, shards, second);
    for (size_t i = 0; i < l->count; i++) free((void *)(uintptr_t)l->list[i].data);
}

void support_make_llama(const char *folder, int shards, const char *second) {
    struct llama *l = calloc(1, sizeof *l);
    make(l, folder, shards, second);
    free(l);
}

void support_make_fp8_llama(const char *folder) {
    struct llama *l = calloc(1, sizeof *l);
    l->fp8 = true;
    make(l, folder, 1, NULL);
    free(l);
}
