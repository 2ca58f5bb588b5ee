/* Stop strings, rotary frequencies, the KV cache and a compiled tokenizer: the small parts below a session.
 */
#include "support/support.h"

#include "base/mem.h"
#include "format/json.h"
#include "kernel/kv.h"
#include "model/families/family.h"
#include "model/kvcache.h"
#include "model/rope.h"
#include "run/engine.h"
#include "run/stop.h"
#include "sys/file.h"

#include <math.h>
#include <unistd.h>

static void check_stop(const char *text, bool found, size_t safe, const char *a, const char *b) {
    const char *list[] = {a, b};
    struct stop_strings stops = {list, b ? 2 : a ? 1 : 0};
    size_t got;
    assert_int_equal(stop_find(&stops, lr_str_of(text), &got), found);
    assert_int_equal(got, safe);
}

static void stop_strings_are_never_half_printed(void **state) {
    (void)state;
    check_stop("hello", false, 5, NULL, NULL);
    check_stop("hello", false, 5, "xyz", NULL);
    check_stop("hello x", false, 6, "xyz", NULL);
    check_stop("hello xy", false, 6, "xyz", NULL);
    check_stop("hello xyz and", true, 6, "xyz", NULL);
    check_stop("hello xa", false, 8, "xyz", NULL);
    check_stop("aaab", true, 1, "aab", NULL);
    check_stop("one two", true, 0, "two", "one");
    check_stop("ab", false, 0, "abc", "b!");
    check_stop("abX", true, 1, "abc", "bX"); /* not the 'ab' that cannot become 'abc' any more */
    check_stop("", false, 0, "x", NULL);
    check_stop("text", false, 4, "", NULL);
}

static void frequencies_are_those_of_transformers(void **state) {
    (void)state;
    struct json_doc *doc;
    assert_int_equal(json_open("tests/golden/rope.json", 16 << 20, &doc, NULL), LR_OK);
    struct json sets = json_get(json_root(doc), "sets");
    assert_true(json_count(sets) > 10);
    for (struct json v = json_first(sets); json_kind(v); v = json_next(v)) {
        struct config_file file = {.doc = doc, .root = json_get(v, "config"), .text = json_get(v, "config")};
        struct model_config c;
        struct model_spec s;
        struct lr_error err;
        struct lr_str name;
        float inv_freq[512], scaling;
        double expected;
        uint64_t length = 0;
        assert_true(json_str(json_get(v, "name"), &name));
        json_str(json_get(file.text, "model_type"), &file.model_type);
        if (!file.model_type.len) file.model_type = LR_STR("llama");
        if (family_spec(&file, &c, &s, &err)) fail_msg("%.*s: %s", LR_STR_ARGS(name), err.message);
        json_u64(json_get(v, "seq_len"), &length);
        rope_frequencies(&s, length, inv_freq, &scaling);
        assert_int_equal(json_count(json_get(v, "inv_freq")), rope_pairs(&s));
        for (uint32_t i = 0; i < rope_pairs(&s); i++) {
            assert_true(json_double(json_at(json_get(v, "inv_freq"), i), &expected));
            if (fabs((double)inv_freq[i] - expected) > 1e-6 * expected)
                fail_msg("%.*s: pair %u: %.9g, expected %.9g", LR_STR_ARGS(name), i, (double)inv_freq[i],
                         expected);
        }
        assert_true(json_double(json_get(v, "attention_scaling"), &expected));
        assert_true(fabs((double)scaling - expected) < 1e-6 * expected);
    }
    json_close(doc);
}

static void kv_blocks_are_taken_and_given_back(void **state) {
    (void)state;
    struct model_spec s = {.layers = 2, .heads = 4, .kv_heads = 2, .head_dim = 4};
    struct arena arena, measured;
    struct kv_pool pool;
    struct kv_sequence a, b;
    arena_init_measuring(&measured);
    assert_int_equal(kv_pool_init(&measured, &s, KV_F16, 100, &pool, NULL), LR_OK);
    assert_int_equal(arena_init(&arena, 1 << 20, NULL, NULL, NULL), LR_OK);
    assert_int_equal(kv_pool_init(&arena, &s, KV_F16, 100, &pool, NULL), LR_OK);
    assert_int_equal(arena.used, measured.used);
    assert_int_equal(pool.n_blocks, 4);
    assert_int_equal(kv_sequence_init(&arena, &pool, &a, NULL), LR_OK);
    assert_int_equal(kv_sequence_init(&arena, &pool, &b, NULL), LR_OK);
    assert_int_equal(kv_sequence_reserve(&a, 33, NULL), LR_OK);
    assert_int_equal(a.n_blocks, 2);
    assert_int_equal(kv_sequence_reserve(&b, 64, NULL), LR_OK);
    assert_int_equal(kv_sequence_reserve(&a, 65, NULL), LR_EUSAGE);
    assert_int_equal(a.n_blocks, 2);
    /* no two heads overlap: every one holds what was written to it */
    assert_int_equal(pool.head_bytes, kv_head_bytes(KV_F16, 4));
    for (uint32_t i = 0; i < 8; i++) {
        memset(kv_head(&a, i / 4, i / 2 % 2, i % 2 * 32), (int)(1 + i), pool.head_bytes);
        memset(kv_head(&b, i / 4, i / 2 % 2, i % 2 * 32 + 31), (int)(101 + i), pool.head_bytes);
    }
    for (uint32_t i = 0; i < 8 * pool.head_bytes; i++) {
        uint32_t k = i % 8, at = i / 8;
        assert_int_equal(kv_head(&a, k / 4, k / 2 % 2, k % 2 * 32)[at], 1 + k);
        assert_int_equal(kv_head(&b, k / 4, k / 2 % 2, k % 2 * 32)[at], 101 + k);
        assert_ptr_equal(a.at[k % 2] + kv_head_offset(&pool, k / 4, k / 2 % 2),
                         kv_head(&a, k / 4, k / 2 % 2, k % 2 * 32));
    }
    kv_sequence_clear(&b);
    assert_int_equal(kv_sequence_reserve(&a, 100, NULL), LR_OK);
    arena_destroy(&arena);
}

/* ---- a compiled tokenizer whose file is cut short in use */

/* A BPE of single bytes and 70,000 words that no text reaches: large enough to be compiled. */
static void write_large_tokenizer(const char *folder) {
    struct lr_buf b = {0};
    lr_buf_printf(&b, "{\"model\":{\"type\":\"BPE\",\"merges\":[],\"vocab\":{");
    for (int c = 'a'; c <= 'z'; c++) lr_buf_printf(&b, "\"%c\":%d,", c, c - 'a');
    for (int i = 26; i < 70000; i++) lr_buf_printf(&b, "\"(word %d)\":%d,", i, i);
    lr_buf_printf(&b, "\"(end)\":70000}}}");
    support_write_file(folder, "tokenizer.json", b.data, b.len);
    lr_buf_free(&b);
}

static void check_ids(const struct lr_engine *e, const char *text) {
    uint32_t *ids;
    size_t n;
    assert_int_equal(lr_tokenize(e, text, strlen(text), false, &ids, &n, NULL), LR_OK);
    assert_int_equal(n, strlen(text));
    for (size_t i = 0; i < n; i++) assert_int_equal(ids[i], text[i] - 'a');
    lr_ids_free(ids);
}

static void cut_all_files(const char *folder) {
    struct file_list list;
    char *path;
    assert_int_equal(file_list_open(folder, &list, NULL), LR_OK);
    assert_int_equal(list.count, 1);
    path = file_join(folder, list.names[0]);
    assert_int_equal(truncate(path, 100), 0);
    lr_free(path);
    file_list_close(&list);
}

static void a_compiled_tokenizer_outlives_its_file(void **state) {
    (void)state;
    char *model = support_make_folder(), *cache = support_make_folder();
    struct lr_engine_options o = lr_engine_defaults();
    struct lr_engine *e;
    o.cache_dir = cache;
    o.tokenizer_only = true;
    write_large_tokenizer(model);
    for (int i = 0; i < 2; i++) { /* compiled, then read */
        assert_int_equal(lr_engine_open(model, &o, &e, NULL), LR_OK);
        assert_int_equal(e->compiled != NULL, i);
        if (i) cut_all_files(cache);
        check_ids(e, "zyxabc");
        lr_engine_close(e);
    }
    support_remove_folder(model);
    support_remove_folder(cache);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_compiled_tokenizer_outlives_its_file),
        cmocka_unit_test(stop_strings_are_never_half_printed),
        cmocka_unit_test(frequencies_are_those_of_transformers),
        cmocka_unit_test(kv_blocks_are_taken_and_given_back),
    };
    return cmocka_run_group_tests_name("run parts", tests, NULL, NULL);
}
