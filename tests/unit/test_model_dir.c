#include "support/support.h"

#include "support/folder.h"

#include "base/mem.h"
#include "format/model_dir.h"

#include <sys/stat.h>
#include <unistd.h>

static struct lr_error err;
static struct model_dir d;

static int remove_folder(void **state) {
    model_dir_close(&d);
    return folder_teardown(state);
}

static void put(const char *name) {
    support_write_file(folder, name, "{}", 2);
}

static void put_text(const char *name, const char *text) {
    support_write_file(folder, name, text, strlen(text));
}

static void opens_at(const char *path, unsigned need) {
    model_dir_close(&d);
    if (model_dir_open(path, need, &d, &err) != LR_OK) fail_msg("%s", err.message);
}

#define FETCH_IT ": fetch it (or vocab.json and merges.txt) from where the model is from"

static void opens(unsigned need) {
    opens_at(folder, need);
}

/* The message is the folder's name and `tail`. */
static void refused_at(const char *path, unsigned need, const char *tail) {
    model_dir_close(&d);
    assert_int_equal(model_dir_open(path, need, &d, &err), LR_EMODEL);
    assert_null(d.path);
    char expected[5000];
    snprintf(expected, sizeof expected, "%s%s", folder, tail);
    assert_string_equal(err.message, expected);
}

static void refused(unsigned need, const char *tail) {
    refused_at(folder, need, tail);
}

static void shard_is(size_t i, const char *name) {
    assert_true(i < d.n_shards);
    assert_string_equal(d.shards[i], at(name));
}

static void a_whole_directory(void **state) {
    (void)state;
    put("config.json");
    put("model.safetensors");
    put("tokenizer.json");
    opens(MODEL_DIR_WEIGHTS | MODEL_DIR_TOKENIZER);
    assert_string_equal(d.path, folder);
    assert_string_equal(d.config, at("config.json"));
    assert_string_equal(d.tokenizer, at("tokenizer.json"));
    assert_int_equal(d.n_shards, 1);
    shard_is(0, "model.safetensors");
    assert_null(d.generation);
    assert_null(d.index);
    assert_null(d.vocab);
    assert_null(d.chat_template);
    put("generation_config.json");
    put("tokenizer_config.json");
    put("chat_template.json");
    put("vocab.json");
    put("merges.txt");
    opens(MODEL_DIR_WEIGHTS | MODEL_DIR_TOKENIZER);
    assert_string_equal(d.generation, at("generation_config.json"));
    assert_string_equal(d.tokenizer_config, at("tokenizer_config.json"));
    assert_string_equal(d.chat_template, at("chat_template.json"));
    assert_null(d.vocab); /* tokenizer.json comes first */
    put("chat_template.jinja");
    opens(MODEL_DIR_WEIGHTS);
    assert_string_equal(d.chat_template, at("chat_template.jinja"));
}

static void tokenizers(void **state) {
    (void)state;
    put("tokenizer_config.json");
    refused(MODEL_DIR_TOKENIZER, " has no tokenizer.json" FETCH_IT);
    put("vocab.json");
    refused(MODEL_DIR_TOKENIZER, " has no tokenizer.json, and vocab.json without merges.txt" FETCH_IT);
    put("tokenizer.model");
    refused(
        MODEL_DIR_TOKENIZER,
        " has only tokenizer.model (SentencePiece's own form), which is not read; tokenizer.json is needed "
        "(transformers: AutoTokenizer.from_pretrained(DIR).save_pretrained(DIR))");
    put("merges.txt");
    opens(MODEL_DIR_TOKENIZER);
    assert_string_equal(d.vocab, at("vocab.json"));
    assert_string_equal(d.merges, at("merges.txt"));
    assert_null(d.config);
    assert_int_equal(d.n_shards, 0);
    unlink(at("merges.txt"));
    unlink(at("tokenizer.model"));
    put("tekken.json");
    refused(MODEL_DIR_TOKENIZER,
            " has its tokenizer as tekken.json, which is not read; tokenizer.json is needed");
}

static const char index_of_two[] = "{\"metadata\":{\"total_size\":1},\"weight_map\":{\"a\":\"y.safetensors\","
                                   "\"b\":\"x.safetensors\",\"c\":\"y.safetensors\"}}";

static void indexed_shards(void **state) {
    (void)state;
    put("config.json");
    put("consolidated.safetensors");
    put_text("model.safetensors.index.json", index_of_two);
    refused(MODEL_DIR_WEIGHTS, ": 2 of 2 weight files are missing: x.safetensors, y.safetensors");
    put("x.safetensors");
    refused(MODEL_DIR_WEIGHTS, ": 1 of 2 weight files is missing: y.safetensors");
    put("y.safetensors");
    opens(MODEL_DIR_WEIGHTS);
    assert_int_equal(d.n_shards, 2);
    shard_is(0, "x.safetensors");
    shard_is(1, "y.safetensors");
    assert_string_equal(d.index, at("model.safetensors.index.json"));
    /* transformers takes model.safetensors first */
    put("model.safetensors");
    opens(MODEL_DIR_WEIGHTS);
    assert_int_equal(d.n_shards, 1);
    shard_is(0, "model.safetensors");
    assert_null(d.index);
}

static void hostile_indexes(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"{}", ": weight_map is missing or empty"},
        {"{\"weight_map\":{}}", ": weight_map is missing or empty"},
        {"{\"weight_map\":[\"a\"]}", ": weight_map is missing or empty"},
        {"{\"weight_map\":{\"a\":1}}", ": weight_map gives no plain file name for tensor 'a'"},
        {"{\"weight_map\":{\"a\":\"\"}}", ": weight_map gives no plain file name for tensor 'a'"},
        {"{\"weight_map\":{\"a\":\"../x\"}}", ": weight_map gives no plain file name for tensor 'a'"},
        {"{\"weight_map\":{\"a\":\"/etc/passwd\"}}", ": weight_map gives no plain file name for tensor 'a'"},
        {"{\"weight_map\":{\"a\":\"sub/x\"}}", ": weight_map gives no plain file name for tensor 'a'"},
        {"{", ": line 1, column 2: the text ends where a key in double quotes should stand (cut short?)"},
    };
    put("config.json");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char tail[300];
        put_text("model.safetensors.index.json", cases[i][0]);
        snprintf(tail, sizeof tail, "/model.safetensors.index.json%s", cases[i][1]);
        refused(MODEL_DIR_WEIGHTS, tail);
    }
}

static void shards_without_index(void **state) {
    (void)state;
    put("config.json");
    put("model-00001-of-00003.safetensors");
    put("model-00003-of-00003.safetensors");
    put("consolidated.safetensors");
    put("adapter_model.safetensors");
    put("model-00000-of-00003.safetensors"); /* no such part */
    put("model-00004-of-00003.safetensors");
    put("model-00001-of-0x003.safetensors");
    mkdir(at("original"), 0700);
    put("original/model-00002-of-00003.safetensors");
    refused(MODEL_DIR_WEIGHTS, ": 1 of 3 weight files is missing: model-00002-of-00003.safetensors");
    put("model-00002-of-00003.safetensors");
    opens(MODEL_DIR_WEIGHTS);
    assert_int_equal(d.n_shards, 3);
    shard_is(0, "model-00001-of-00003.safetensors");
    shard_is(1, "model-00002-of-00003.safetensors");
    shard_is(2, "model-00003-of-00003.safetensors");
    /* Remains of another set do no harm; a second whole one does. */
    put("model-00001-of-00002.safetensors");
    opens(MODEL_DIR_WEIGHTS);
    assert_int_equal(d.n_shards, 3);
    put("model-00002-of-00002.safetensors");
    refused(MODEL_DIR_WEIGHTS, " holds two sets of shards, of 2 and of 3, and no index");
}

static void shards_of_other_widths(void **state) {
    (void)state;
    put("config.json");
    for (int i = 1; i <= 10; i++) {
        char name[64];
        snprintf(name, sizeof name, "model-%05d-of-000010.safetensors", i);
        put(name);
    }
    opens(MODEL_DIR_WEIGHTS);
    assert_int_equal(d.n_shards, 10);
    put("model-3-of-10.safetensors");
    refused(MODEL_DIR_WEIGHTS,
            ": both model-00003-of-000010.safetensors and model-3-of-10.safetensors claim to be "
            "part 3 of 10");
}

static void many_missing_shards(void **state) {
    (void)state;
    put("config.json");
    put("model-00002-of-99999.safetensors");
    refused(MODEL_DIR_WEIGHTS,
            ": 99,998 of 99,999 weight files are missing: model-00001-of-99999.safetensors, "
            "model-00003-of-99999.safetensors, model-00004-of-99999.safetensors and 99,995 more");
}

static void unfinished_downloads(void **state) {
    (void)state;
    put("config.json");
    put("model.safetensors.incomplete");
    refused(
        MODEL_DIR_WEIGHTS,
        " holds no weights: there is a config.json, but no model.safetensors; fetch it from where the model "
        "is from; 1 unfinished download: model.safetensors.incomplete");
    put("model-00001-of-00002.safetensors");
    put("model-00002-of-00002.safetensors.incomplete");
    mkdir(at(".cache"), 0700);
    mkdir(at(".cache/huggingface"), 0700);
    mkdir(at(".cache/huggingface/download"), 0700);
    put(".cache/huggingface/download/abc.incomplete");
    refused(MODEL_DIR_WEIGHTS, ": 1 of 2 weight files is missing: model-00002-of-00002.safetensors; 2 "
                               "unfinished downloads, the first: "
                               "model-00002-of-00002.safetensors.incomplete; 1 unfinished download: "
                               ".cache/huggingface/download/abc.incomplete");
}

static void a_hub_cache_folder(void **state) {
    (void)state;
    static const char *const folders[] = {"models--o--n", "models--o--n/blobs", "models--o--n/refs",
                                          "models--o--n/snapshots", "models--o--n/snapshots/abc123"};
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) mkdir(at(folders[i]), 0700);
    put("models--o--n/blobs/b1");
    put("models--o--n/blobs/b2");
    assert_int_equal(symlink("../../blobs/b1", at("models--o--n/snapshots/abc123/config.json")), 0);
    assert_int_equal(symlink("../../blobs/b2", at("models--o--n/snapshots/abc123/model.safetensors")), 0);
    put_text("models--o--n/refs/main", "abc123\n");
    opens_at(at("models--o--n"), MODEL_DIR_WEIGHTS);
    assert_string_equal(d.path, at("models--o--n/snapshots/abc123"));
    shard_is(0, "models--o--n/snapshots/abc123/model.safetensors");
    opens_at(at("models--o--n/snapshots/abc123"), MODEL_DIR_WEIGHTS);
    opens_at(at("models--o--n/snapshots"), MODEL_DIR_WEIGHTS);
    shard_is(0, "models--o--n/snapshots/../snapshots/abc123/model.safetensors");
    opens_at(at("models--o--n/snapshots//"), MODEL_DIR_WEIGHTS);

    put_text("models--o--n/refs/main", "def456");
    refused_at(
        at("models--o--n"), MODEL_DIR_WEIGHTS,
        "/models--o--n: refs/main names snapshot def456, which is not there (an unfinished download?)");
    put_text("models--o--n/refs/main", "../../other");
    refused_at(at("models--o--n"), MODEL_DIR_WEIGHTS, "/models--o--n: refs/main does not name a snapshot");
    put_text("models--o--n/refs/main", "..");
    refused_at(at("models--o--n"), MODEL_DIR_WEIGHTS, "/models--o--n: refs/main does not name a snapshot");
    put_text("models--o--n/refs/main", "");
    refused_at(at("models--o--n"), MODEL_DIR_WEIGHTS, "/models--o--n: refs/main does not name a snapshot");
    unlink(at("models--o--n/refs/main"));
    opens_at(at("models--o--n"), MODEL_DIR_WEIGHTS);
    mkdir(at("models--o--n/snapshots/def456"), 0700);
    refused_at(at("models--o--n"), MODEL_DIR_WEIGHTS,
               "/models--o--n/snapshots holds 2 snapshots and no refs/main: give the folder of one of them");
    refused(MODEL_DIR_WEIGHTS, " is a folder of models: give one of them, such as models--o--n");
    put("models--o--n/config.json"); /* a model's folder, whatever else is in it */
    put("models--o--n/model.safetensors");
    opens_at(at("models--o--n"), MODEL_DIR_WEIGHTS);
    assert_string_equal(d.path, at("models--o--n"));
}

static void a_hub_cache_folder_without_a_snapshot(void **state) {
    (void)state;
    static const char bare[] =
        "/models--o--n is a hub cache folder without a snapshot: fetch the model again";
    char message[256];
    mkdir(at("models--o--n"), 0700);
    snprintf(message, sizeof message, "%s (an unfinished download?)", bare);
    refused_at(at("models--o--n"), MODEL_DIR_WEIGHTS, message);
    mkdir(at("models--o--n/refs"), 0700);
    refused_at(at("models--o--n"), MODEL_DIR_TOKENIZER, message);
    mkdir(at("models--o--n/blobs"), 0700);
    put("models--o--n/blobs/ab.incomplete");
    snprintf(message, sizeof message, "%s; 1 unfinished download: blobs/ab.incomplete", bare);
    refused_at(at("models--o--n"), MODEL_DIR_WEIGHTS, message);
    mkdir(at("models--o--n/snapshots"), 0700);
    refused_at(at("models--o--n"), MODEL_DIR_WEIGHTS,
               "/models--o--n/snapshots holds no snapshot (an unfinished download?): fetch the model again");
    mkdir(at("blobs"), 0700); /* beside others it is any folder */
    refused(MODEL_DIR_WEIGHTS, " is a folder of models: give one of them, such as models--o--n");
}

static void broken_links_are_missing_files(void **state) {
    (void)state;
    put("config.json");
    assert_int_equal(symlink("nowhere", at("model-00001-of-00002.safetensors")), 0);
    assert_int_equal(symlink("nowhere", at("model-00002-of-00002.safetensors")), 0);
    refused(MODEL_DIR_WEIGHTS, ": 2 of 2 weight files are missing: model-00001-of-00002.safetensors, "
                               "model-00002-of-00002.safetensors; model-00001-of-00002.safetensors is a "
                               "link to nowhere, which is not there");
    assert_int_equal(symlink("nowhere", at("tokenizer.json")), 0);
    refused(MODEL_DIR_TOKENIZER,
            "/tokenizer.json is a link to nowhere, which is not there (an unfinished download?)");
    unlink(at("tokenizer.json"));
    mkdir(at("tokenizer.json"), 0700);
    refused(MODEL_DIR_TOKENIZER, "/tokenizer.json is not a regular file");
    rmdir(at("tokenizer.json"));
    assert_int_equal(symlink("tokenizer.json", at("tokenizer.json")), 0);
    refused(MODEL_DIR_TOKENIZER, "/tokenizer.json: cannot be examined: Too many levels of symbolic links");
}

static void git_lfs_pointers(void **state) {
    (void)state;
    static const char pointer[] = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 17209920\n";
    static const char *const names[] = {"config.json", "tokenizer.json", "model.safetensors.index.json"};
    char tail[4500];
    for (size_t i = 0; i < 3; i++) {
        put_text(names[i], pointer);
        snprintf(tail, sizeof tail,
                 "/%s is a Git LFS pointer, not the file itself; fetch it with: git -C '%s' lfs pull",
                 names[i], folder);
        refused(MODEL_DIR_WEIGHTS | MODEL_DIR_TOKENIZER, tail);
        put(names[i]);
    }
}

static void other_forms_of_weights(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"x.safetensors",
         " holds a .safetensors file that is not named as a model's (x.safetensors); the names are "
         "model.safetensors, or model-00001-of-0000N.safetensors and so on"},
        {"m.onnx",
         " holds a model in ONNX form (m.onnx); download the original directory with its .safetensors files"},
        {"consolidated.00.pth",
         " holds weights in the maker's own form, not in that of Hugging Face "
         "(consolidated.00.pth); download the model's Hugging Face files (config.json and "
         "model*.safetensors)"},
        {"pytorch_model-00001-of-00002.bin",
         " holds weights in PyTorch's pickle form, which can run code and is not read "
         "(pytorch_model-00001-of-00002.bin); convert them to safetensors (transformers: "
         "AutoModelForCausalLM.from_pretrained(DIR).save_pretrained(OUT))"},
        {"m-q4.gguf",
         " holds a model in GGUF form, which is not read (m-q4.gguf); download the original directory "
         "with its .safetensors files"},
        {"adapter_model.safetensors", " holds an adapter (LoRA), not a whole model "
                                      "(adapter_model.safetensors); merge it into its base model "
                                      "first (peft: merge_and_unload, then save_pretrained)"},
        {"adapter_config.json",
         " holds an adapter (LoRA), not a whole model (adapter_config.json); merge it into "
         "its base model first (peft: merge_and_unload, then save_pretrained)"},
    };
    refused(MODEL_DIR_WEIGHTS, " is empty");
    put("README.md");
    refused(MODEL_DIR_WEIGHTS,
            " holds no weights: there is no config.json and no model.safetensors; give a model's folder, or "
            "fetch one's files from where the model is from");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        put(cases[i][0]);
        refused(MODEL_DIR_WEIGHTS, cases[i][1]);
    }
    put("model.safetensors");
    refused(MODEL_DIR_WEIGHTS,
            " has weights but no config.json, which describes them: fetch it from where the model is from");
}

static void names_refused(const char *path, const char *message) {
    assert_int_equal(model_dir_open(path, 0, &d, &err), LR_EMODEL);
    assert_string_equal(err.message, message);
}

static void not_a_folder(void **state) {
    (void)state;
    put("m.gguf");
    put("model.safetensors");
    refused_at(at("none"), 0, "/none: no such folder (a model is a folder that is on this machine)");
    names_refused("./none/x", "./none/x: no such folder (a model is a folder that is on this machine)");
    names_refused("", "the model directory's name is empty");
    names_refused("no-org/no-model",
                  "no-org/no-model: no such folder on this machine; if that is a model on the hub, fetch it "
                  "first (hf download no-org/no-model --local-dir DIR) and give DIR");
    names_refused(
        "https://huggingface.co/no-org/no-model",
        "https://huggingface.co/no-org/no-model: no such folder on this machine; if that is a model on the "
        "hub, fetch it first (hf download no-org/no-model --local-dir DIR) and give DIR");
    names_refused("http://host/x",
                  "http://host/x: nothing is fetched: download the model's folder and give that");
    assert_int_equal(symlink("nowhere", at("link")), 0);
    refused_at(at("link"), 0, "/link is a link to nowhere, which is not there");
    refused_at(at("m.gguf"), 0,
               "/m.gguf is a GGUF file, which is not read: give a folder with config.json and "
               ".safetensors files");
    refused_at(at("model.safetensors"), 0,
               "/model.safetensors is a file: give the folder that holds the model");
    if (geteuid() == 0) {
        printf("running as root: the unreadable folder is not tried\n");
        return;
    }
    assert_int_equal(chmod(folder, 0), 0);
    int status = (int)model_dir_open(folder, 0, &d, &err);
    chmod(folder, 0700);
    assert_int_equal(status, LR_EMODEL);
    assert_non_null(strstr(err.message, ": cannot be listed: Permission denied"));
}

static void every_allocation_may_fail(void **state) {
    (void)state;
    put("config.json");
    put("tokenizer.json");
    put("a.incomplete");
    for (int turn = 0; turn < 3; turn++) {
        enum lr_status status, wanted = turn == 1 ? LR_EMODEL : LR_OK;
        if (turn == 0) put("model-00001-of-00001.safetensors");
        if (turn == 1) put_text("model.safetensors.index.json", index_of_two);
        if (turn == 2) {
            put("x.safetensors");
            put("y.safetensors");
        }
        long n = 0;
        do {
            lr_mem_fail_after(++n, 0);
            status = model_dir_open(folder, MODEL_DIR_WEIGHTS | MODEL_DIR_TOKENIZER, &d, &err);
            lr_mem_fail_after(0, 0);
            assert_true(status == wanted || (status == LR_EMEMORY && !d.path));
            model_dir_close(&d);
        } while (status != wanted);
        assert_true(n > 10);
    }
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, folder_setup, remove_folder)
    const struct CMUnitTest tests[] = {
        TEST(a_whole_directory),
        TEST(tokenizers),
        TEST(indexed_shards),
        TEST(hostile_indexes),
        TEST(shards_without_index),
        TEST(shards_of_other_widths),
        TEST(many_missing_shards),
        TEST(unfinished_downloads),
        TEST(a_hub_cache_folder),
        TEST(broken_links_are_missing_files),
        TEST(a_hub_cache_folder_without_a_snapshot),
        TEST(git_lfs_pointers),
        TEST(other_forms_of_weights),
        TEST(not_a_folder),
        TEST(every_allocation_may_fail),
    };
    return cmocka_run_group_tests_name("model_dir", tests, NULL, NULL);
}
