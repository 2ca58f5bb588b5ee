#include "support/support.h"

#include "base/mem.h"
#include "text/bpe.h"

static struct bpe *parse(const char *json) {
    struct json_doc *doc;
    struct lr_error err;
    struct bpe *b;
    assert_int_equal(json_parse(json, strlen(json), "t.json", &doc, &err), LR_OK);
    enum lr_status status = bpe_parse(json_root(doc), &b, &err);
    if (status != LR_OK) print_error("%s\n", err.message);
    assert_int_equal(status, LR_OK);
    json_close(doc);
    return b;
}

static void expect_refused(const char *json, const char *part) {
    struct json_doc *doc;
    struct lr_error err;
    struct bpe *b;
    assert_int_equal(json_parse(json, strlen(json), "t.json", &doc, &err), LR_OK);
    assert_int_equal(bpe_parse(json_root(doc), &b, &err), LR_EMODEL);
    assert_null(b);
    if (!strstr(err.message, part) || !strstr(err.message, "t.json")) fail_msg("%s", err.message);
    json_close(doc);
}

/* The ids of `text` as "1 2 3". */
static void expect_ids(const char *json, const char *text, const char *ids) {
    struct bpe *b = parse(json);
    struct bpe_scratch s = {.text_len = strlen(text)};
    struct lr_buf got = {0};
    for (int round = 0; round < 2; round++) { /* the second from the word table */
        struct token_list out = {0};
        got.len = 0;
        assert_int_equal(bpe_encode(b, lr_str_of(text), &s, &out, NULL), LR_OK);
        lr_buf_append(&got, "", 0);
        for (size_t i = 0; i < out.count; i++) lr_buf_printf(&got, "%s%u", i ? " " : "", out.ids[i]);
        assert_string_equal(got.data, ids);
        token_list_free(&out);
    }
    lr_buf_free(&got);
    bpe_scratch_free(&s);
    bpe_free(b);
}

#define ABC                                                                                                  \
    "\"vocab\":{\"a\":0,\"b\":1,\"c\":2,\"ab\":3,\"bc\":4,\"abc\":5,\"aa\":6,\"<u>\":7,\"<0xC3>\":8,\"<"     \
    "0xA9>\":9}"

static void test_merges(void **state) {
    (void)state;
    expect_ids("{" ABC ",\"merges\":[\"b c\",\"a b\",\"a bc\",\"a a\"]}", "abcab", "5 3");
    expect_ids("{" ABC ",\"merges\":[[\"a\",\"b\"],[\"b\",\"c\"]]}", "abc", "3 2");
    expect_ids("{" ABC ",\"merges\":[\"#version: 0.2\",\"a a\"]}", "aaaaa", "6 6 0");
    expect_ids("{" ABC ",\"merges\":[]}", "abc", "0 1 2");
    expect_ids("{" ABC ",\"merges\":[],\"ignore_merges\":true}", "abc", "5");
    expect_ids("{" ABC ",\"merges\":[]}", "", "");
    /* the later of two equal merges counts: b c then goes first */
    expect_ids("{" ABC ",\"merges\":[\"a b\",\"b c\",\"a b\"]}", "abc", "0 4");
}

static void test_unknown(void **state) {
    (void)state;
    expect_ids("{" ABC ",\"merges\":[]}", "axb", "0 1");
    expect_ids("{" ABC ",\"merges\":[],\"unk_token\":\"<u>\"}", "axyb", "0 7 7 1");
    expect_ids("{" ABC ",\"merges\":[],\"unk_token\":\"<u>\",\"fuse_unk\":true}", "axyb", "0 7 1");
    /* as the package: an unknown character waits while bytes pass it */
    expect_ids("{" ABC ",\"merges\":[],\"unk_token\":\"<u>\",\"byte_fallback\":true}",
               "a\xE4\xB8\xAD\xC3\xA9"
               "a\xE4\xB8\xAD\xE4\xB8\xAD",
               "0 8 9 7 0 7 7");
    struct bpe *b = parse("{" ABC ",\"merges\":[],\"unk_token\":\"<none>\"}");
    struct bpe_scratch s = {0};
    struct token_list out = {0};
    struct lr_error err;
    assert_int_equal(bpe_encode(b, LR_STR("ab"), &s, &out, &err), LR_OK);
    assert_int_equal(bpe_encode(b, LR_STR("ax"), &s, &out, &err), LR_EMODEL);
    assert_non_null(strstr(err.message, "<none>"));
    token_list_free(&out);
    bpe_scratch_free(&s);
    bpe_free(b);
}

static void test_affixes(void **state) {
    (void)state;
    const char *json = "{\"vocab\":{\"a\":0,\"##b\":1,\"##c</w>\":2,\"ab\":3,\"abc</w>\":4,\"a</w>\":5},"
                       "\"merges\":[\"a ##b\",\"ab ##c</w>\"],\"continuing_subword_prefix\":\"##\","
                       "\"end_of_word_suffix\":\"</w>\"}";
    expect_ids(json, "abc", "4");
    expect_ids(json, "a", "5");
    expect_ids(json, "abb", "3");
}

static void test_refused(void **state) {
    (void)state;
    expect_refused("{\"vocab\":{},\"merges\":[]}", "vocab");
    expect_refused("{\"merges\":[]}", "vocab");
    expect_refused("{\"vocab\":{\"a\":-1},\"merges\":[]}", "'a'");
    expect_refused("{\"vocab\":{\"a\":1.5},\"merges\":[]}", "'a'");
    expect_refused("{\"vocab\":{\"a\":16777216},\"merges\":[]}", "'a'");
    expect_refused("{\"vocab\":{\"a\":1000004},\"merges\":[]}", "too great");
    expect_refused("{\"vocab\":{\"a\":0,\"b\":0},\"merges\":[]}", "another piece");
    expect_refused("{\"vocab\":{\"a\":0}}", "merges");
    expect_refused("{\"vocab\":{\"a\":0},\"merges\":[\"a\"]}", "not two pieces");
    expect_refused("{\"vocab\":{\"a\":0},\"merges\":[\"a a a\"]}", "not two pieces");
    expect_refused("{\"vocab\":{\"a\":0},\"merges\":[\"a x\"]}", "'x'");
    expect_refused("{\"vocab\":{\"a\":0},\"merges\":[\"a a\"]}", "'aa'");
    expect_refused("{\"vocab\":{\"a\":0},\"merges\":[[\"a\"]]}", "merges");
    expect_refused("{\"vocab\":{\"a\":0},\"merges\":[7]}", "merges");
    expect_refused("{\"vocab\":{\"a\":0},\"merges\":[],\"dropout\":0.1}", "dropout");
    bpe_free(parse("{\"vocab\":{\"a\":1000003},\"merges\":[],\"dropout\":0}"));
}

/* The definition, the slow way: always the first pair of least rank. Merge `i` joins two pieces to piece n +
 * i. */
static size_t merge_slowly(uint32_t *ids, size_t n, const uint32_t (*pairs)[2], size_t n_pairs,
                           uint32_t base) {
    for (;;) {
        size_t best = n_pairs, at = 0;
        for (size_t i = 0; i + 1 < n; i++)
            for (size_t m = 0; m < best; m++)
                if (pairs[m][0] == ids[i] && pairs[m][1] == ids[i + 1]) {
                    best = m;
                    at = i;
                }
        if (best == n_pairs) return n;
        ids[at] = base + (uint32_t)best;
        memmove(ids + at + 1, ids + at + 2, (n - at - 2) * sizeof *ids);
        n--;
    }
}

static void test_against_definition(void **state) {
    (void)state;
    srand(7);
    for (int round = 0; round < 200; round++) {
        char pieces[20][64] = {"a", "b", "c"};
        uint32_t pairs[16][2], count = 0;
        struct lr_buf json = {0}, merges = {0};
        lr_buf_printf(&json, "{\"vocab\":{\"a\":0,\"b\":1,\"c\":2");
        for (int tries = 0; tries < 60 && count < 12; tries++) {
            uint32_t l = (uint32_t)rand() % (3 + count), r = (uint32_t)rand() % (3 + count);
            char joined[128];
            snprintf(joined, sizeof joined, "%s%s", pieces[l], pieces[r]);
            bool fresh = strlen(joined) < 12;
            for (uint32_t i = 0; i < 3 + count; i++) fresh = fresh && strcmp(pieces[i], joined) != 0;
            if (!fresh) continue;
            memcpy(pieces[3 + count], joined, strlen(joined) + 1);
            lr_buf_printf(&json, ",\"%s\":%u", joined, 3 + count);
            lr_buf_printf(&merges, "%s\"%s %s\"", count ? "," : "", pieces[l], pieces[r]);
            pairs[count][0] = l;
            pairs[count++][1] = r;
        }
        lr_buf_printf(&json, "},\"merges\":[%s]}", merges.data);
        struct bpe *b = parse(json.data);
        for (int k = 0; k < 20; k++) {
            char text[64];
            uint32_t slow[64];
            size_t n = 1 + (size_t)rand() % 60;
            for (size_t i = 0; i < n; i++)
                text[i] = (char)('a' + (slow[i] = (uint32_t)rand() % (2 + (unsigned)round % 2)));
            size_t want = merge_slowly(slow, n, (const uint32_t(*)[2])pairs, count, 3);
            struct bpe_scratch s = {0};
            struct token_list out = {0};
            assert_int_equal(bpe_encode(b, (struct lr_str){text, n}, &s, &out, NULL), LR_OK);
            assert_int_equal(out.count, want);
            assert_memory_equal(out.ids, slow, want * sizeof *slow);
            token_list_free(&out);
            bpe_scratch_free(&s);
        }
        bpe_free(b);
        lr_buf_free(&json);
        lr_buf_free(&merges);
    }
}

static void test_files(void **state) {
    (void)state;
    struct json_doc *doc;
    struct bpe *b;
    struct lr_error err;
    const char *json = "{\"a\":0,\"b\":1,\"ab\":2}";
    assert_int_equal(json_parse(json, strlen(json), "vocab.json", &doc, &err), LR_OK);
    const char *const good[] = {"#version: 0.2\na b\n", "a b", "a b\r\n\n"};
    for (size_t i = 0; i < 3; i++) {
        struct token_list out = {0};
        struct bpe_scratch s = {0};
        assert_int_equal(bpe_parse_files(json_root(doc), lr_str_of(good[i]), "merges.txt", &b, &err), LR_OK);
        assert_int_equal(bpe_encode(b, LR_STR("ab"), &s, &out, &err), LR_OK);
        assert_int_equal(out.count, 1);
        assert_int_equal(out.ids[0], 2);
        assert_true(bpe_memory(b) > 0);
        token_list_free(&out);
        bpe_scratch_free(&s);
        bpe_free(b);
    }
    assert_int_equal(bpe_parse_files(json_root(doc), LR_STR("a c\n"), "merges.txt", &b, &err), LR_EMODEL);
    assert_non_null(strstr(err.message, "merges.txt"));
    json_close(doc);
}

/* Each allocation in turn refused: a clean failure, nothing leaked (the sanitizer looks). */
static void test_memory_refused(void **state) {
    (void)state;
    const char *json = "{" ABC ",\"merges\":[\"b c\",\"a bc\"],\"unk_token\":\"<u>\"}";
    struct json_doc *doc;
    assert_int_equal(json_parse(json, strlen(json), "t.json", &doc, NULL), LR_OK);
    for (long n = 1;; n++) {
        struct bpe *b;
        struct bpe_scratch s = {.text_len = 100};
        struct token_list out = {0};
        struct lr_error err;
        lr_mem_fail_after(n, 0);
        enum lr_status status = bpe_parse(json_root(doc), &b, &err);
        if (status == LR_OK) status = bpe_encode(b, LR_STR("abcxabc"), &s, &out, &err);
        bool fired = lr_mem_count() >= n;
        lr_mem_fail_after(0, 0);
        bpe_free(b);
        bpe_scratch_free(&s);
        token_list_free(&out);
        assert_int_equal(status, fired ? LR_EMEMORY : LR_OK);
        if (!fired) break;
        assert_true(n < 1000);
    }
    json_close(doc);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_merges),         cmocka_unit_test(test_unknown),
        cmocka_unit_test(test_affixes),        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_files),          cmocka_unit_test(test_against_definition),
        cmocka_unit_test(test_memory_refused),
    };
    return cmocka_run_group_tests_name("text/bpe", tests, NULL, NULL);
}
