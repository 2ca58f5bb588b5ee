#include "support/support.h"

#include "base/mem.h"
#include "format/config.h"

#include <math.h>

static struct lr_error err;
static struct config_file f;
static struct model_config c;

/* Something that no file says, so that what was read shows. */
static const struct model_config defaults = {
    .dim = 11,
    .layers = 3,
    .heads = 13,
    .kv_heads = 14,
    .head_dim = 15,
    .ffn_dim = 16,
    .vocab = 17,
    .max_position = 18,
    .norm_eps = 0.25,
    .activation = ACT_RELU,
    .sliding_window = 19,
    .max_window_layers = 20,
    .rope =
        {
            .kind = ROPE_DEFAULT,
            .theta = 23,
            .factor = NAN,
            .original_max_position = CONFIG_UNSET,
            .low_freq_factor = NAN,
            .high_freq_factor = NAN,
            .beta_fast = NAN,
            .beta_slow = NAN,
            .mscale = NAN,
            .mscale_all_dim = NAN,
            .attention_factor = NAN,
            .truncate = true,
        },
    .eos_ids = {21},
    .n_eos = 1,
    .bos_id = 22,
    .fp8 = {false, CONFIG_FP8_BLOCK, CONFIG_FP8_BLOCK},
};

static enum lr_status read_status(const char *text) {
    memcpy(&c, &defaults, sizeof c);
    config_close(&f);
    enum lr_status status = config_parse_text(text, strlen(text), "config.json", &f, &err);
    return status == LR_OK ? config_read(&f, &c, &err) : status;
}

static void reads(const char *text) {
    if (read_status(text) != LR_OK) fail_msg("%s", err.message);
}

static void refused(const char *text, const char *message) {
    assert_int_equal(read_status(text), LR_EMODEL);
    assert_string_equal(err.message, message);
}

static int close_file(void **state) {
    (void)state;
    config_close(&f);
    return 0;
}

static void absent_keys_leave_the_defaults(void **state) {
    (void)state;
    reads("{}");
    assert_string_equal(c.absent, "hidden_size");
    c.absent = NULL;
    assert_memory_equal(&c, &defaults, sizeof c);
    reads("{\"hidden_size\":null,\"num_hidden_layers\":null,\"num_attention_heads\":null,\"head_dim\":null,"
          "\"vocab_size\":null,\"rms_norm_eps\":null,\"hidden_act\":null,\"tie_word_embeddings\":null,"
          "\"rope_scaling\":null,\"rope_parameters\":null,\"rope_theta\":null,\"layer_types\":null,"
          "\"quantization_config\":null,\"text_config\":null,\"is_encoder_decoder\":null,\"architectures\":"
          "null,"
          "\"model_type\":null}");
    assert_string_equal(c.absent, "hidden_size");
    c.absent = NULL;
    assert_memory_equal(&c, &defaults, sizeof c);
}

static void every_plain_key(void **state) {
    (void)state;
    reads("{\"architectures\":[\"LlamaForCausalLM\",\"Other\"],\"model_type\":\"llama\",\"hidden_size\":64,"
          "\"num_hidden_layers\":2,\"num_attention_heads\":4,\"num_key_value_heads\":2,\"head_dim\":32,"
          "\"intermediate_size\":128,\"vocab_size\":1000,\"max_position_embeddings\":4096,\"rms_norm_eps\":"
          "1e-5,"
          "\"hidden_act\":\"silu\",\"tie_word_embeddings\":true,\"attention_bias\":true,\"mlp_bias\":true,"
          "\"use_sliding_window\":true,\"sliding_window\":7,\"max_window_layers\":1,\"bos_token_id\":1,"
          "\"eos_token_id\":2,\"rope_theta\":500000.0,\"torch_dtype\":\"float64\",\"dtype\":7,"
          "\"layer_types\":[\"sliding_attention\",\"full_attention\"]}");
    assert_string_equal(c.model_type, "llama");
    assert_string_equal(c.architecture, "LlamaForCausalLM");
    assert_true(lr_str_is(f.model_type, "llama") && lr_str_is(f.architecture, "LlamaForCausalLM"));
    const uint32_t read[] = {c.dim,      c.layers,  c.heads, c.kv_heads,
                             c.head_dim, c.ffn_dim, c.vocab, c.max_position};
    const uint32_t expected[] = {64, 2, 4, 2, 32, 128, 1000, 4096};
    assert_memory_equal(read, expected, sizeof read);
    assert_true(c.norm_eps == 1e-5 && c.rope.theta == 500000);
    assert_int_equal(c.activation, ACT_SILU);
    assert_true(c.tied_embeddings && c.attention_bias && c.mlp_bias && c.use_sliding_window);
    assert_int_equal(c.sliding_window, 7);
    assert_int_equal(c.max_window_layers, 1);
    assert_true(c.has_layer_types && c.layer_sliding[0] && !c.layer_sliding[1]);
    assert_int_equal(c.bos_id, 1);
    assert_int_equal(c.n_eos, 1);
    assert_int_equal(c.eos_ids[0], 2);
}

static void nulls_that_mean_something(void **state) {
    (void)state;
    reads(
        "{\"num_key_value_heads\":null,\"sliding_window\":null,\"eos_token_id\":null,\"bos_token_id\":null}");
    assert_int_equal(c.kv_heads, CONFIG_UNSET);
    assert_int_equal(c.sliding_window, 0);
    assert_int_equal(c.n_eos, 0);
    assert_int_equal(c.bos_id, CONFIG_UNSET);
}

static void numbers_in_other_clothes(void **state) {
    (void)state;
    reads("{\"hidden_size\":4096.0,\"num_hidden_layers\":2e0,\"rope_theta\":10000,\"rms_norm_eps\":0,"
          "\"eos_token_id\":[5,7.0,-1],\"bos_token_id\":-1,\"unused\":NaN,\"initializer_range\":Infinity}");
    assert_int_equal(c.dim, 4096);
    assert_int_equal(c.layers, 2);
    assert_true(c.rope.theta == 10000 && c.norm_eps == 0);
    assert_int_equal(c.n_eos, 2);
    assert_int_equal(c.eos_ids[1], 7);
    assert_int_equal(c.bos_id, CONFIG_UNSET);
}

static void bad_values(void **state) {
    (void)state;
    refused("{\"hidden_size\":\"64\"}",
            "config.json: 'hidden_size' is the text '64', a whole number from 1 to 1,048,576 is needed");
    refused("{\"hidden_size\":0}",
            "config.json: 'hidden_size' is 0, a whole number from 1 to 1,048,576 is needed");
    refused("{\"hidden_size\":64.5}",
            "config.json: 'hidden_size' is 64.5, a whole number from 1 to 1,048,576 is needed");
    refused("{\"num_hidden_layers\":1025}",
            "config.json: 'num_hidden_layers' is 1,025, a whole number from 1 to 1,024 is needed");
    refused("{\"num_hidden_layers\":-1}",
            "config.json: 'num_hidden_layers' is -1, a whole number from 1 to 1,024 is needed");
    refused("{\"rms_norm_eps\":NaN}",
            "config.json: 'rms_norm_eps' is a number that cannot be used, a number from 0 to 1 is needed");
    refused("{\"rope_theta\":0}", "config.json: 'rope_theta' is 0, a number from 1 to 1e+15 is needed");
    refused("{\"tie_word_embeddings\":\"yes\"}",
            "config.json: 'tie_word_embeddings' is the text 'yes', true or false is needed");
    refused("{\"hidden_act\":\"gegelu\"}",
            "config.json: 'hidden_act' is the text 'gegelu', one of silu, swish, gelu, "
            "gelu_pytorch_tanh, gelu_new, relu is needed");
    refused("{\"hidden_act\":\"\"}", "config.json: 'hidden_act' is the text '', one of silu, swish, gelu, "
                                     "gelu_pytorch_tanh, gelu_new, relu is needed");
    refused("{\"eos_token_id\":\"</s>\"}",
            "config.json: 'eos_token_id' is the text '</s>', a token id is needed");
    refused("{\"eos_token_id\":[1,null]}", "config.json: 'eos_token_id' is null, a token id is needed");
    refused("{\"eos_token_id\":4294967295}",
            "config.json: 'eos_token_id' is 4,294,967,295, a token id is needed");
    refused("{\"eos_token_id\":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17]}",
            "config.json: 'eos_token_id' has 17 entries, at most 16 are supported");
    refused("{\"layer_types\":[\"full_attention\"]}",
            "config.json: layer_types has 1 entries, num_hidden_layers is 3");
    refused("{\"num_hidden_layers\":1,\"layer_types\":[\"linear_attention\"]}",
            "config.json: 'layer_types' is the text 'linear_attention', full_attention or sliding_attention "
            "is needed");
    refused("{\"layer_types\":{}}", "config.json: 'layer_types' is an empty object, a list is needed");
    refused("{\"model_type\":7}", "config.json: 'model_type' is 7, text is needed");
    refused("{\"text_config\":[]}", "config.json: 'text_config' is an empty list, an object is needed");
    refused("[]", "config.json is not a JSON object");
    refused("", "config.json is empty");
}

static void activations(void **state) {
    (void)state;
    static const struct {
        const char *text;
        enum activation_kind kind;
    } cases[] = {{"{\"hidden_act\":\"silu\"}", ACT_SILU},
                 {"{\"hidden_act\":\"swish\"}", ACT_SILU},
                 {"{\"hidden_act\":\"gelu\"}", ACT_GELU},
                 {"{\"hidden_act\":\"gelu_pytorch_tanh\"}", ACT_GELU_TANH},
                 {"{\"hidden_act\":\"gelu_new\"}", ACT_GELU_TANH},
                 {"{\"hidden_act\":\"relu\"}", ACT_RELU}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        reads(cases[i].text);
        assert_int_equal(c.activation, cases[i].kind);
    }
}

static void fp8_is(const char *quantisation, uint32_t rows, uint32_t cols) {
    char text[600];
    snprintf(text, sizeof text, "{\"quantization_config\":{%s}}", quantisation);
    reads(text);
    assert_true(c.fp8.stated);
    assert_int_equal(c.fp8.block_rows, rows);
    assert_int_equal(c.fp8.block_cols, cols);
}

#define GROUP "\"quant_method\":\"compressed-tensors\",\"config_groups\":{\"group_0\":{\"weights\":"

static void fp8_is_read(void **state) {
    (void)state;
    fp8_is("\"quant_method\":\"fp8\"", 128, 128);
    fp8_is("\"quant_method\":\"fp8\",\"weight_block_size\":null", 128, 128);
    fp8_is("\"quant_method\":\"fp8\",\"weight_block_size\":[64,32]", 64, 32);
    fp8_is("\"quant_method\":\"fp8\",\"weight_block_size\":[0,32]", 128, 128);
    fp8_is("\"quant_method\":\"fp8\",\"weight_block_size\":[4294967296,32]", 128, 128);
    fp8_is("\"quant_method\":\"fbgemm_fp8\"", 128, 128);
    fp8_is("\"quant_method\":\"modelopt\",\"quant_algo\":\"FP8\"", 128, 128);
    fp8_is(GROUP "{\"num_bits\":8,\"type\":\"float\",\"group_size\":null}}}", 128, 128);
    fp8_is(GROUP "{\"num_bits\":8,\"type\":\"float\",\"block_structure\":[256,64]}}}", 256, 64);
    fp8_is(GROUP "{\"num_bits\":8,\"type\":\"float\",\"group_size\":32}}}", 1, 32);
    fp8_is(GROUP "{\"num_bits\":8,\"type\":\"float\",\"group_size\":-1}}}", 128, 128);
}

static void what_is_not_fp8_is_refused(void **state) {
    (void)state;
    static const char *const others[] = {
        "\"quant_method\":\"modelopt\",\"quant_algo\":\"NVFP4\"",
        "\"quant_method\":\"compressed-tensors\"",
        GROUP "{\"num_bits\":8,\"type\":\"int\"}}}",
        GROUP "{\"num_bits\":4,\"type\":\"float\"}}}",
        GROUP "{\"num_bits\":8,\"type\":\"float\",\"symmetric\":false}}}",
        GROUP "{\"num_bits\":8,\"type\":\"float\"}}},\"transform_config\":{\"a\":1}",
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        char text[600];
        snprintf(text, sizeof text, "{\"quantization_config\":{%s}}", others[i]);
        assert_int_equal(read_status(text), LR_EMODEL);
        assert_non_null(strstr(err.message, "other than in fp8"));
    }
}

static void what_cannot_be_run_is_named(void **state) {
    (void)state;
    refused("{\"quantization_config\":{\"quant_method\":\"gptq\",\"bits\":4}}",
            "config.json: the weights are quantised (quantization_config, method 'gptq'), other than in fp8, "
            "which is not supported: use the model's f32, f16, bf16 or fp8 files");
    refused("{\"text_config\":{\"quantization_config\":{}}}",
            "config.json: the weights are quantised (quantization_config, method 'unknown'), other than in "
            "fp8, which is not supported: use the model's f32, f16, bf16 or fp8 files");
    refused("{\"is_encoder_decoder\":true}",
            "config.json: an encoder-decoder model; only decoders are supported");
    static const char *const others[] = {"Qwen2ForSequenceClassification", "LlamaModel",
                                         "InternLM2ForRewardModel", "LlamaForCausalLMAndMore"};
    static const char *const fine[] = {"QWenLMHeadModel", "Mistral3ForConditionalGeneration",
                                       "FooForBarForCausalLM", "Anything"};
    for (size_t i = 0; i < 4; i++) {
        char text[128], message[160];
        snprintf(text, sizeof text, "{\"architectures\":[\"%s\"]}", others[i]);
        snprintf(message, sizeof message, "config.json: the architecture '%s' is not for generating text",
                 others[i]);
        refused(text, message);
        snprintf(text, sizeof text, "{\"architectures\":[\"%s\"]}", fine[i]);
        reads(text);
    }
}

static void text_config_is_the_decoder(void **state) {
    (void)state;
    reads("{\"model_type\":\"llava\",\"architectures\":[\"LlavaForConditionalGeneration\"],\"hidden_size\":1,"
          "\"vocab_size\":5,\"eos_token_id\":9,\"bos_token_id\":8,"
          "\"text_config\":{\"model_type\":\"llama\",\"hidden_size\":64,\"bos_token_id\":3,"
          "\"architectures\":[\"LlamaForCausalLM\"],\"rope_theta\":77}}");
    assert_true(lr_str_is(f.model_type, "llama"));
    assert_true(lr_str_is(f.architecture, "LlavaForConditionalGeneration"));
    assert_int_equal(c.dim, 64);
    assert_int_equal(c.vocab, 17); /* keys beside text_config do not describe the decoder */
    assert_true(c.rope.theta == 77);
    assert_int_equal(c.eos_ids[0], 9);
    assert_int_equal(c.bos_id, 3);
    static const struct {
        const char *outer, *inner;
        bool tied;
    } cases[] = {{"true", "false", true}, {"false", "true", true}, {"false", "false", false},
                 {"true", "null", true},  {"null", "true", true},  {"null", "null", false}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[160];
        snprintf(text, sizeof text,
                 "{\"tie_word_embeddings\":%s,\"text_config\":{\"tie_word_embeddings\":%s}}", cases[i].outer,
                 cases[i].inner);
        reads(text);
        assert_int_equal(c.tied_embeddings, cases[i].tied);
    }
}

static void rope_of_every_kind(void **state) {
    (void)state;
    reads("{\"rope_theta\":77,\"rope_scaling\":{\"type\":\"linear\",\"factor\":2}}");
    assert_int_equal(c.rope.kind, ROPE_LINEAR);
    assert_true(c.rope.factor == 2 && c.rope.theta == 77);
    reads("{\"rope_scaling\":{\"type\":\"dynamic\",\"factor\":4.0,\"original_max_position_embeddings\":9}}");
    assert_int_equal(c.rope.kind, ROPE_DYNAMIC);
    assert_int_equal(c.rope.original_max_position, CONFIG_UNSET); /* the reference does not look at it */
    reads("{\"rope_scaling\":{\"rope_type\":\"llama3\",\"factor\":8.0,\"low_freq_factor\":1,\"high_freq_"
          "factor\":4,"
          "\"original_max_position_embeddings\":8192}}");
    assert_int_equal(c.rope.kind, ROPE_LLAMA3);
    assert_true(c.rope.factor == 8 && c.rope.low_freq_factor == 1 && c.rope.high_freq_factor == 4);
    assert_int_equal(c.rope.original_max_position, 8192);
    reads("{\"rope_parameters\":{\"rope_type\":\"yarn\",\"type\":\"linear\",\"factor\":4,\"beta_fast\":33,"
          "\"beta_slow\":2,\"mscale\":0.7,\"mscale_all_dim\":0.8,\"attention_factor\":1.5,\"truncate\":false,"
          "\"rope_theta\":1000.0,\"original_max_position_embeddings\":32},\"rope_theta\":5}");
    assert_int_equal(c.rope.kind, ROPE_YARN);
    assert_true(c.rope.beta_fast == 33 && c.rope.beta_slow == 2 && c.rope.mscale == 0.7);
    assert_true(c.rope.mscale_all_dim == 0.8 && c.rope.attention_factor == 1.5 && !c.rope.truncate);
    assert_true(c.rope.theta == 1000); /* inside beats outside */
    reads("{\"rope_parameters\":{\"rope_type\":\"yarn\",\"factor\":4,\"attention_factor\":null}}");
    assert_true(isnan(c.rope.attention_factor) && isnan(c.rope.beta_fast) && c.rope.truncate);
    reads("{\"max_position_embeddings\":4096,\"rope_parameters\":{\"rope_type\":\"yarn\",\"factor\":null,"
          "\"original_max_position_embeddings\":512}}");
    assert_true(c.rope.factor == 8);
    reads("{\"rope_parameters\":{\"rope_type\":\"yarn\",\"original_max_position_embeddings\":512}}");
    assert_true(isnan(c.rope.factor)); /* the reference asks for the key */
}

static void rope_in_other_forms(void **state) {
    (void)state;
    reads("{\"rope_scaling\":{\"type\":\"linear\",\"factor\":2},\"rope_parameters\":{\"rope_type\":\"yarn\","
          "\"factor\":3,\"rope_theta\":5}}");
    assert_int_equal(c.rope.kind, ROPE_LINEAR); /* transformers' order */
    assert_true(c.rope.theta == 23);
    reads("{\"rope_scaling\":{},\"rope_parameters\":{\"rope_theta\":5}}");
    assert_int_equal(c.rope.kind, ROPE_DEFAULT);
    assert_true(c.rope.theta == 5);
    reads("{\"rope_scaling\":{\"rope_type\":null,\"type\":\"linear\",\"factor\":2}}");
    assert_int_equal(c.rope.kind, ROPE_LINEAR);
    reads("{\"rope_scaling\":{\"rope_type\":\"default\",\"factor\":NaN,\"partial_rotary_factor\":0.5}}");
    assert_true(isnan(c.rope.factor)); /* not used, so not read */
    refused("{\"rope_scaling\":{\"rope_type\":\"linear\",\"factor\":NaN}}",
            "config.json: 'factor' is a number that cannot be used, a number from 0 to 1e+09 is needed");
    refused("{\"rope_scaling\":{\"type\":\"su\",\"factor\":2}}",
            "config.json: 'type' is the text 'su', one of default, linear, dynamic, llama3, yarn is needed");
    refused("{\"rope_scaling\":{\"rope_type\":\"longrope\",\"type\":\"linear\"}}",
            "config.json: 'rope_type' is the text 'longrope', one of default, linear, dynamic, llama3, yarn "
            "is needed");
    refused("{\"rope_scaling\":\"linear\"}",
            "config.json: 'rope_scaling' is the text 'linear', an object is needed");
    refused("{\"rope_parameters\":{\"full_attention\":{\"rope_theta\":5},\"sliding_attention\":{\"rope_"
            "theta\":6}}}",
            "config.json: rope_parameters has values of its own for layers of kind 'full_attention': not "
            "supported");
    refused("{\"partial_rotary_factor\":0.5,\"rope_scaling\":{\"type\":\"linear\",\"factor\":2}}",
            "config.json: partial_rotary_factor 0.5 with scaled rope is not supported");
}

static void every_allocation_may_fail(void **state) {
    (void)state;
    static const char text[] = "{\"hidden_size\":12345678901234567,\"unused\":NaN}";
    enum lr_status status;
    long n = 0;
    do {
        config_close(&f);
        lr_mem_fail_after(++n, 0);
        status = config_parse_text(text, sizeof text - 1, "config.json", &f, &err);
        lr_mem_fail_after(0, 0);
        assert_true(status == LR_OK || (status == LR_EMEMORY && !f.doc));
    } while (status != LR_OK);
    assert_true(n > 2);
}

static void generation_configs(void **state) {
    (void)state;
    char *folder = support_make_folder(), path[4200];
    struct generation_config g;
    snprintf(path, sizeof path, "%s/generation_config.json", folder);
    for (int turn = 0; turn < 3; turn++) { /* no path, no file, an empty one */
        if (turn == 2) support_write_file(folder, "generation_config.json", "{}", 2);
        assert_int_equal(generation_config_read(turn ? path : NULL, &g, &err), LR_OK);
        assert_true(isnan(g.temperature) && isnan(g.top_p) && isnan(g.min_p) && isnan(g.typical_p));
        assert_true(isnan(g.repetition_penalty) && g.top_k == -1 && g.do_sample == -1 && g.n_eos == 0);
    }
    static const char all[] =
        "{\"temperature\":0.6,\"top_p\":0.9,\"top_k\":50.0,\"min_p\":0.1,\"typical_p\":0.5,"
        "\"repetition_penalty\":1.1,\"do_sample\":true,\"eos_token_id\":[1,2]}";
    support_write_file(folder, "generation_config.json", all, sizeof all - 1);
    assert_int_equal(generation_config_read(path, &g, &err), LR_OK);
    assert_true(g.temperature == 0.6 && g.top_p == 0.9 && g.min_p == 0.1 && g.typical_p == 0.5);
    assert_true(g.repetition_penalty == 1.1 && g.top_k == 50 && g.do_sample == 1);
    assert_true(g.n_eos == 2 && g.eos_ids[0] == 1 && g.eos_ids[1] == 2);
    static const char off[] = "{\"top_k\":-1,\"do_sample\":false,\"temperature\":null,\"eos_token_id\":7}";
    support_write_file(folder, "generation_config.json", off, sizeof off - 1);
    assert_int_equal(generation_config_read(path, &g, &err), LR_OK);
    assert_true(g.top_k == 0 && g.do_sample == 0 && isnan(g.temperature) && g.n_eos == 1 &&
                g.eos_ids[0] == 7);
    static const char *const bad[][2] = {
        {"{\"temperature\":NaN}",
         "/generation_config.json: 'temperature' is a number that cannot be used, a number "
         "from 0 to 1e+06 is needed"},
        {"{\"top_p\":1.5}", "/generation_config.json: 'top_p' is 1.5, a number from 0 to 1 is needed"},
        {"{\"top_k\":2.5}", "/generation_config.json: 'top_k' is 2.5, a whole number is needed"},
        {"[]", "/generation_config.json is not a JSON object"},
        {"{", "/generation_config.json: line 1, column 2: the text ends where a key in double quotes should "
              "stand (cut "
              "short?)"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        support_write_file(folder, "generation_config.json", bad[i][0], strlen(bad[i][0]));
        assert_int_equal(generation_config_read(path, &g, &err), LR_EMODEL);
        assert_string_equal(err.message + strlen(folder), bad[i][1]);
    }
    support_remove_folder(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(absent_keys_leave_the_defaults),
        cmocka_unit_test(every_plain_key),
        cmocka_unit_test(nulls_that_mean_something),
        cmocka_unit_test(numbers_in_other_clothes),
        cmocka_unit_test(bad_values),
        cmocka_unit_test(activations),
        cmocka_unit_test(fp8_is_read),
        cmocka_unit_test(what_is_not_fp8_is_refused),
        cmocka_unit_test(what_cannot_be_run_is_named),
        cmocka_unit_test(text_config_is_the_decoder),
        cmocka_unit_test(rope_of_every_kind),
        cmocka_unit_test(rope_in_other_forms),
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(generation_configs),
    };
    return cmocka_run_group_tests_name("config", tests, NULL, close_file);
}
