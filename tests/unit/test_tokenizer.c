#include "support/support.h"

#include "base/mem.h"
#include "format/json.h"
#include "text/matcher.h"
#include "text/tokenizer.h"
#include "text/utf8.h"

#define MODEL                                                                                                \
    "\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\" "                                             \
    "\":2,\"<y>\":3},\"merges\":[],\"byte_fallback\":false}"

static struct tokenizer *parse(const char *json) {
    struct tokenizer *t;
    struct lr_error err;
    if (tokenizer_parse(json, strlen(json), "t.json", &t, &err)) fail_msg("%s", err.message);
    return t;
}

static void expect_refused(const char *json, const char *part) {
    struct tokenizer *t;
    struct lr_error err;
    assert_int_equal(tokenizer_parse(json, strlen(json), "t.json", &t, &err), LR_EMODEL);
    assert_null(t);
    if (!strstr(err.message, part) || !strstr(err.message, "t.json")) fail_msg("%s", err.message);
}

static void expect_ids(const char *json, const char *text, bool specials, const char *want) {
    struct tokenizer *t = parse(json);
    struct token_list out = {0};
    struct lr_buf got = {0};
    struct lr_error err;
    if (tokenizer_encode(t, lr_str_of(text), specials, &out, &err)) fail_msg("%s", err.message);
    lr_buf_append(&got, "", 0);
    for (size_t i = 0; i < out.count; i++) lr_buf_printf(&got, "%s%u", i ? " " : "", out.ids[i]);
    assert_string_equal(got.data, want);
    lr_buf_free(&got);
    token_list_free(&out);
    tokenizer_close(t);
}

#define ADDED(list) "{\"added_tokens\":[" list "]," MODEL "}"

static void test_added(void **state) {
    (void)state;
    /* ids by content and order, whatever "id" says */
    expect_ids(ADDED("{\"id\":9,\"content\":\"X\"},{\"id\":7,\"content\":\"XY\"}"), "aXYbX", false,
               "0 5 1 4");
    expect_ids(ADDED("{\"id\":9,\"content\":\"b\"},{\"content\":\"\"},{\"content\":\"b\"}"), "ab", false,
               "0 1");
    expect_ids(ADDED("{\"content\":\"X\",\"lstrip\":true}"), "a  Xa", false, "0 4 0");
    expect_ids(ADDED("{\"content\":\"X\",\"rstrip\":true}"), "a X  b", false, "0 2 4 1");
    expect_ids(ADDED("{\"content\":\"X\",\"rstrip\":true},{\"content\":\"  \"}"), "aX   b", false,
               "0 4 5 2 1");
    expect_ids(ADDED("{\"content\":\"X\",\"single_word\":true}"), "aX X Xb X", false, "0 2 4 2 1 2 4");
    expect_ids(ADDED("{\"content\":\"X\",\"single_word\":true}"), "X\xC3\xA9", false, "");
}

/* Content that is there twice: one token, with the last one's flags; found in each way that either asked for.
 */
static void test_added_again(void **state) {
    (void)state;
    expect_ids(ADDED("{\"content\":\"X\",\"lstrip\":true},{\"content\":\"X\"}"), "a X", false, "0 2 4");
    expect_ids(ADDED("{\"content\":\"X\"},{\"content\":\"X\",\"lstrip\":true}"), "a X", false, "0 4");
    expect_ids(ADDED("{\"content\":\"X\"},{\"content\":\"X\",\"single_word\":true}"), "aXb X", false,
               "0 1 2 4");
#define LOWER(list) "{\"normalizer\":{\"type\":\"Lowercase\"},\"added_tokens\":[" list "]," MODEL "}"
    expect_ids(LOWER("{\"content\":\"q\",\"normalized\":true},{\"content\":\"q\",\"normalized\":false}"),
               "aQbq", false, "0 4 1 4");
}

#define FIRST(normalizer)                                                                                    \
    "{\"normalizer\":" normalizer                                                                            \
    ",\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"\xE2\x96\x81\","                           \
    "\"prepend_scheme\":\"first\",\"split\":true},\"added_tokens\":[{\"content\":\"<s>\",\"special\":true}]" \
    ","                                                                                                      \
    "\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"\xE2\x96\x81\":2,\"x\":3},\"merges\":[]}}"
#define NORMAL_STRIP      "{\"type\":\"Strip\",\"strip_left\":true,\"strip_right\":false}"
#define NORMAL_PREPEND(s) "{\"type\":\"Prepend\",\"prepend\":\"" s "\"}"
#define NORMAL_NO_X       "{\"type\":\"Replace\",\"pattern\":{\"String\":\"x\"},\"content\":\"\"}"
#define SEQUENCE(a, b)    "{\"type\":\"Sequence\",\"normalizers\":[" a "," b "]}"

/* prepend_scheme "first" looks at where a piece stood in the text as it was given, as the package does. */
static void test_metaspace_first(void **state) {
    (void)state;
    static const struct {
        const char *json, *text, *want;
    } rows[] = {
        {FIRST("null"), "a", "2 0"},
        {FIRST("null"), "<s>a a", "4 0 2 0"},
        {FIRST(NORMAL_STRIP), "a", "2 0"},
        {FIRST(NORMAL_STRIP), " a", "0"},
        {FIRST(NORMAL_STRIP), "  a a", "0 2 0"},
        {FIRST(NORMAL_STRIP), "a<s>a", "2 0 4 0"},
        {FIRST(NORMAL_NO_X), "xxa", "0"},
        {FIRST(NORMAL_NO_X), "axa", "2 0 0"},
        {FIRST("{\"type\":\"StripAccents\"}"),
         "\xCC\x81"
         "a",
         "0"},
        {FIRST("{\"type\":\"Nmt\"}"),
         "\x01"
         "a",
         "0"},
        {FIRST("{\"type\":\"Nmt\"}"), "\ta", "2 0"},
        {FIRST(NORMAL_PREPEND("b")), "a", "2 1 0"},
        {FIRST(SEQUENCE(NORMAL_PREPEND(" "), NORMAL_STRIP)), "a", "2 0"},
        {FIRST(SEQUENCE(NORMAL_PREPEND(" "), NORMAL_STRIP)), " a", "0"},
        {FIRST(SEQUENCE(NORMAL_STRIP, NORMAL_PREPEND("b"))), "a", "2 1 0"},
        {FIRST(SEQUENCE(NORMAL_STRIP, NORMAL_PREPEND("b"))), " a", "1 0"},
        {FIRST(SEQUENCE(NORMAL_NO_X, NORMAL_PREPEND("b"))), "xa", "1 0"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        expect_ids(rows[i].json, rows[i].text, false, rows[i].want);
}

static void test_normalized(void **state) {
    (void)state;
    const char *json = "{\"added_tokens\":[{\"content\":\"<X>\",\"normalized\":true,\"special\":true},"
                       "{\"content\":\"<Z>\",\"normalized\":false,\"special\":true}],"
                       "\"normalizer\":{\"type\":\"Lowercase\"}," MODEL "}";
    expect_ids(json, "A<X>b<x><z><Z>", false, "0 4 1 4 5");
    struct tokenizer *t = parse(json);
    assert_true(lr_str_is(tokenizer_piece(t, 4), "<X>")); /* the content, not its normal form */
    assert_true(tokenizer_is_special(t, 4));
    assert_true(tokenizer_is_special(t, 5));
    assert_int_equal(tokenizer_find(t, LR_STR("<X>")), 4);
    assert_int_equal(tokenizer_find(t, LR_STR("a")), 0);
    assert_int_equal(tokenizer_find(t, LR_STR("q")), UINT32_MAX);
    assert_int_equal(tokenizer_size(t), 6);
    assert_int_equal(tokenizer_piece(t, 6).len, 0);
    assert_true(tokenizer_memory(t) > 0);
    struct lr_buf out = {0};
    const uint32_t ids[] = {0, 4, 5, 77, 1};
    assert_int_equal(tokenizer_decode(t, ids, 5, true, &out, NULL), LR_OK);
    assert_string_equal(out.data, "a b"); /* both tokens are special, 77 is none */
    lr_buf_free(&out);
    tokenizer_close(t);
}

#define POST(spec) "{\"post_processor\":" spec "," MODEL "}"
#define TEMPLATE(single)                                                                                     \
    "{\"type\":\"TemplateProcessing\",\"single\":[" single                                                   \
    "],\"special_tokens\":{\"s\":{\"id\":\"s\",\"ids\":[7,8]}}}"
#define A "{\"Sequence\":{\"id\":\"A\",\"type_id\":0}}"
#define S "{\"SpecialToken\":{\"id\":\"s\",\"type_id\":0}}"

static void test_post(void **state) {
    (void)state;
    expect_ids(POST(TEMPLATE(S "," A)), "a", true, "7 8 0");
    expect_ids(POST(TEMPLATE(S "," A "," S)), "", true, "7 8 7 8");
    expect_ids(POST(TEMPLATE(S "," A)), "a", false, "0");
    expect_ids(POST("{\"type\":\"BertProcessing\",\"cls\":[\"c\",5],\"sep\":[\"s\",6]}"), "a", true, "5 0 6");
    expect_ids(
        POST("{\"type\":\"Sequence\",\"processors\":[{\"type\":\"ByteLevel\"}," TEMPLATE(S "," A) "]}"), "b",
        true, "7 8 1");
    expect_refused(POST(TEMPLATE(S)), "single");
    expect_refused(POST(TEMPLATE(A "," A)), "single");
    expect_refused(POST(TEMPLATE("{\"SpecialToken\":{\"id\":\"q\"}}," A)), "'q'");
    expect_refused(POST("{\"type\":\"Odd\"}"), "'Odd'");
    expect_refused(
        POST("{\"type\":\"Sequence\",\"processors\":[" TEMPLATE(S "," A) "," TEMPLATE(S "," A) "]}"),
        "more than one");
}

/* Each of the parts that are steps says what is wrong with it, and what there is. */
static void test_refused_steps(void **state) {
    (void)state;
    static const char *const parts[][2] = {{"normalizer", "NFC, NFD"},
                                           {"pre_tokenizer", "ByteLevel, Split"},
                                           {"post_processor", "ByteLevel, TemplateProcessing"},
                                           {"decoder", "ByteLevel, ByteFallback"}};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        char json[512], part[128];
        snprintf(json, sizeof json, "{\"%s\":5," MODEL "}", parts[i][0]);
        snprintf(part, sizeof part, "'%s' is 5, an object is needed", parts[i][0]);
        expect_refused(json, part);
        snprintf(json, sizeof json, "{\"%s\":{}," MODEL "}", parts[i][0]);
        snprintf(part, sizeof part, "%s: there is no 'type' that is a text (one of %s", parts[i][0],
                 parts[i][1]);
        expect_refused(json, part);
        snprintf(json, sizeof json, "{\"%s\":{\"type\":\"Foo\"}," MODEL "}", parts[i][0]);
        snprintf(part, sizeof part, "%s 'Foo' is not supported (%s", parts[i][0], parts[i][1]);
        expect_refused(json, part);
        snprintf(json, sizeof json, "{\"%s\":{\"type\":\"Sequence\"}," MODEL "}", parts[i][0]);
        expect_refused(json, "is absent, a list is needed");
    }
    expect_refused("{\"model\":{\"type\":\"BPE\",\"vocab\":{},\"merges\":[]}}",
                   "'vocab' is an empty object, an object that is not empty is needed");
    expect_refused("{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[[\"a\",\"b\",\"c\"]]}}",
                   "'merges[0]' is a list of 3, a text or a pair of texts is needed");
    expect_refused("{\"model\":{\"type\":\"Unigram\",\"vocab\":[]}}",
                   "'vocab' is an empty list, a list of 1 to");
}

static void test_refused(void **state) {
    (void)state;
    expect_refused("[]", "object");
    expect_refused("{}", "model");
    expect_refused("{\"model\":{\"type\":\"WordPiece\"}}", "'WordPiece'");
    expect_refused("{\"model\":{\"type\":\"WordLevel\"}}", "'WordLevel'");
    expect_refused("{\"model\":{\"vocab\":{}}}", "type");
    expect_refused("{\"model\":{\"type\":\"Unigram\",\"vocab\":[]}}", "vocab");
    expect_refused("{\"model\":{\"type\":\"Unigram\",\"vocab\":[[1,2]]}}", "vocab");
    expect_refused(ADDED("{\"id\":1}"), "content");
    expect_refused(ADDED("{\"content\":\"x\",\"special\":1}"), "special");
    expect_refused("{\"added_tokens\":3," MODEL "}", "added_tokens");
    expect_ids("{\"model\":{\"vocab\":{\"a\":0},\"merges\":[]}}", "a", true, "0"); /* a BPE by its merges */
}

static void test_files(void **state) {
    (void)state;
    struct tokenizer *t;
    struct lr_error err;
    struct tokenizer_files none = {0}, absent = {.json = "/nonexistent/tokenizer.json"};
    assert_int_equal(tokenizer_open(&none, &t, &err), LR_EMODEL);
    assert_non_null(strstr(err.message, "tokenizer.json"));
    assert_true(tokenizer_open(&absent, &t, &err) != LR_OK);
    assert_null(t);
    char *folder = support_make_folder(), vocab[300], merges[300], config[300];
    static const char pieces[] = "{\"a\":0,\"b\":1,\"ab\":2,\"1\":3,\"11\":4,\"<|endoftext|>\":5}",
                      rules[] = "a b\n1 1\n";
    static const char qwen[] =
        "{\"tokenizer_class\":\"Qwen2Tokenizer\",\"added_tokens_decoder\":{\"6\":{\"content\":\"<i>\","
        "\"special\":true}}}",
                      bert[] = "{\"tokenizer_class\":\"BertTokenizer\"}";
    support_write_file(folder, "vocab.json", pieces, strlen(pieces));
    support_write_file(folder, "merges.txt", rules, strlen(rules));
    snprintf(vocab, sizeof vocab, "%s/vocab.json", folder);
    snprintf(merges, sizeof merges, "%s/merges.txt", folder);
    snprintf(config, sizeof config, "%s/c.json", folder);
    struct tokenizer_files files = {NULL, vocab, merges, NULL};
    for (int round = 0; round < 2; round++) {
        struct token_list out = {0};
        if (tokenizer_open(&files, &t, &err)) fail_msg("%s", err.message);
        assert_int_equal(tokenizer_encode(t, LR_STR("11ab"), true, &out, &err), LR_OK);
        assert_int_equal(out.count, round ? 3 : 2); /* GPT-2 keeps digits together, Qwen2 does not */
        assert_int_equal(tokenizer_is_special(t, 5), round == 0);
        assert_int_equal(tokenizer_is_special(t, 6), round == 1);
        token_list_free(&out);
        tokenizer_close(t);
        support_write_file(folder, "c.json", qwen, strlen(qwen));
        files.config = config;
    }
    support_write_file(folder, "c.json", bert, strlen(bert));
    assert_int_equal(tokenizer_open(&files, &t, &err), LR_EMODEL);
    assert_non_null(strstr(err.message, "BertTokenizer"));
    support_remove_folder(folder);
}

static void test_utf8(void **state) {
    (void)state;
    const char *const cases[][2] = {
        {"\xF0\x9F\x99\x82 ok", "\xF0\x9F\x99\x82 ok"},
        {"a\xFF", "a\xEF\xBF\xBD"},
        {"\xE2\x82", "\xEF\xBF\xBD"},
        {"\xE2\x82z", "\xEF\xBF\xBDz"},
        {"\xF0\x80\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
        {"\xED\xA0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
        {"\xF4\x90\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
        {"\xC0\xAF", "\xEF\xBF\xBD\xEF\xBF\xBD"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct lr_buf out = {0};
        assert_int_equal(utf8_repair(lr_str_of(cases[i][0]), &out), 0);
        assert_string_equal(out.data, cases[i][1]);
        lr_buf_free(&out);
    }
    static const struct {
        const char *text;
        size_t count, first;
    } bad[] = {{"", 0, 0},
               {"a\xC3\xA4", 0, 3},
               {"a\xFF", 1, 1},
               {"\xE2\x82z", 2, 0},
               {"ab\xE2", 1, 2},
               {"\xF0\x80\x80", 3, 0},
               {"\xFF-\xE2\x82-\xC0", 4, 0}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        size_t first;
        assert_int_equal(utf8_bad_bytes(lr_str_of(bad[i].text), &first), bad[i].count);
        assert_int_equal(first, bad[i].first);
    }
}

/* The bytes of a hexadecimal text. */
static void unhex(struct json v, struct lr_buf *out) {
    struct lr_str hex;
    unsigned byte;
    out->len = 0;
    lr_buf_append(out, "", 0);
    assert_true(json_str(v, &hex));
    for (size_t i = 0; i + 1 < hex.len; i += 2) {
        assert_int_equal(sscanf(hex.data + i, "%2x", &byte), 1);
        lr_buf_append_char(out, (char)byte);
    }
}

static void test_utf8_golden(void **state) {
    (void)state;
    struct json_doc *doc;
    struct lr_buf in = {0}, want = {0}, got = {0};
    assert_int_equal(json_open("tests/golden/tokenizers/invalid_utf8.json", 1 << 24, &doc, NULL), LR_OK);
    struct json cases = json_get(json_root(doc), "cases");
    assert_true(json_count(cases) > 10);
    for (struct json v = json_first(cases); json_kind(v); v = json_next(v)) {
        unhex(json_get(v, "bytes"), &in);
        unhex(json_get(v, "text"), &want);
        got.len = 0;
        lr_buf_append(&got, "", 0);
        assert_int_equal(utf8_repair(lr_buf_str(&in), &got), 0);
        assert_int_equal(got.len, want.len);
        assert_memory_equal(got.data, want.data, want.len);
    }
    lr_buf_free(&in);
    lr_buf_free(&want);
    lr_buf_free(&got);
    json_close(doc);
}

/* One piece, pieces by a regular expression, by a mark, and a Unigram model: each has a loop of its own. */
static void test_interrupt(void **state) {
    (void)state;
    static const char *const names[] = {"bpe_llama2", "bpe_qwen", "bpe_metaspace_never", "unigram_metaspace"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[128];
        struct tokenizer *t;
        struct lr_error err;
        volatile int flag = 0;
        struct token_list list = {.interrupt = &flag};
        struct tokenizer_files files = {.json = path};
        snprintf(path, sizeof path, "tests/golden/tokenizers/%s/tokenizer.json", names[i]);
        assert_int_equal(tokenizer_open(&files, &t, &err), LR_OK);
        assert_int_equal(tokenizer_encode(t, LR_STR("once upon a time"), false, &list, &err), LR_OK);
        assert_true(list.count > 0);
        flag = 2;
        assert_int_equal(tokenizer_encode(t, LR_STR("once upon a time"), false, &list, &err),
                         LR_EINTERRUPTED);
        assert_string_equal(err.message, "interrupted while tokenizing");
        token_list_free(&list);
        tokenizer_close(t);
    }
}

static void test_matcher(void **state) {
    (void)state;
    struct matcher m = {0};
    size_t begin = 0, end = 0;
    assert_int_equal(matcher_find(&m, LR_STR("abc"), 0, &begin, &end), MATCHER_NONE);
    assert_int_equal(matcher_add(&m, LR_STR("ab"), 1), 0);
    assert_int_equal(matcher_add(&m, LR_STR("abcd"), 2), 0);
    assert_int_equal(matcher_add(&m, LR_STR("c"), 3), 0);
    assert_int_equal(matcher_add(&m, LR_STR("ab"), 4), 0);
    assert_int_equal(matcher_find(&m, LR_STR("xabcd"), 0, &begin, &end), 2);
    assert_true(begin == 1 && end == 5);
    assert_int_equal(matcher_find(&m, LR_STR("abce"), 0, &begin, &end), 1);
    assert_true(begin == 0 && end == 2);
    assert_int_equal(matcher_find(&m, LR_STR("abce"), 2, &begin, &end), 3);
    assert_int_equal(matcher_find(&m, LR_STR("a"), 0, &begin, &end), MATCHER_NONE);
    matcher_free(&m);
}

/* Each allocation in turn refused, loading, encoding and decoding: a clean failure, nothing leaked. */
static void test_memory_refused(void **state) {
    (void)state;
    const char *json = "{\"added_tokens\":[{\"content\":\"<X>\",\"normalized\":true},{\"content\":\"<Z>\"}],"
                       "\"normalizer\":{\"type\":\"Lowercase\"},\"pre_tokenizer\":{\"type\":\"Digits\"},"
                       "\"post_processor\":" TEMPLATE(S "," A) ",\"decoder\":{\"type\":\"Fuse\"}," MODEL "}";
    for (long n = 1;; n++) {
        struct tokenizer *t;
        struct token_list ids = {0};
        struct lr_buf out = {0};
        lr_mem_fail_after(n, 0);
        enum lr_status status = tokenizer_parse(json, strlen(json), "t.json", &t, NULL);
        if (status == LR_OK) status = tokenizer_encode(t, LR_STR("A<X>b\xFF<Z> a"), true, &ids, NULL);
        if (status == LR_OK) status = tokenizer_decode(t, ids.ids, ids.count, false, &out, NULL);
        bool fired = lr_mem_count() >= n;
        lr_mem_fail_after(0, 0);
        tokenizer_close(t);
        token_list_free(&ids);
        lr_buf_free(&out);
        assert_int_equal(status, fired ? LR_EMEMORY : LR_OK);
        if (!fired) break;
        assert_true(n < 1000);
    }
}

/* ---- decoding that goes on from ids that stand before */

#define PIECES                                                                                               \
    "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"\xE2\x96\x81Hi\":0,\"\xE2\x96\x81you\":1,\"<0xC3>\":2,"       \
    "\"<0xA9>\":3,\"<s>\":4},\"merges\":[],\"byte_fallback\":true},\"added_tokens\":[{\"id\":4,"             \
    "\"content\":\"<s>\",\"special\":true}],\"decoder\":{\"type\":\"Sequence\",\"decoders\":[{\"type\":"     \
    "\"ByteFallback\"},{\"type\":\"Metaspace\",\"replacement\":\"\xE2\x96\x81\",\"prepend_scheme\":"         \
    "\"always\"}]}}"

static void expect_answer(const char *before, const char *answer, const char *want) {
    struct tokenizer *t = parse(PIECES);
    struct token_stream *s;
    struct lr_buf out = {0};
    uint32_t ids[8];
    size_t n = strlen(before);
    assert_int_equal(token_stream_open(t, &s, NULL), LR_OK);
    for (size_t i = 0; i < n; i++) ids[i] = (uint32_t)(before[i] - '0');
    assert_int_equal(token_stream_continue(s, ids, n, NULL), LR_OK);
    for (; *answer; answer++)
        assert_int_equal(token_stream_push(s, (uint32_t)(*answer - '0'), &out, NULL), LR_OK);
    assert_int_equal(token_stream_end(s, &out, NULL), LR_OK);
    lr_buf_append(&out, "", 0);
    assert_string_equal(out.data, want);
    lr_buf_free(&out);
    token_stream_close(s);
    tokenizer_close(t);
}

static void test_stream_goes_on(void **state) {
    (void)state;
    expect_answer("", "01", "Hi you");   /* a text begins: the first piece loses its space */
    expect_answer("0", "01", " Hi you"); /* it has begun before */
    expect_answer("4", "01", "Hi you");  /* special tokens are no text */
    expect_answer("0", "23", "\xC3\xA9");
    expect_answer("023", "1", " you");
    expect_answer("02", "3", "\xEF\xBF\xBD"); /* half a character before: what it would become is not known */
    expect_answer("0101", "1", " you");
    expect_answer("0", "", "");
    expect_answer("023", "2", "\xEF\xBF\xBD"); /* bytes after a whole character are another's */
    expect_answer("023", "23", "\xC3\xA9");
    expect_answer("23", "1", " you");
    expect_answer("23", "23", "\xC3\xA9");
    expect_answer("23", "331", "\xEF\xBF\xBD\xEF\xBF\xBD you");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stream_goes_on), cmocka_unit_test(test_added),
        cmocka_unit_test(test_added_again),    cmocka_unit_test(test_metaspace_first),
        cmocka_unit_test(test_normalized),     cmocka_unit_test(test_post),
        cmocka_unit_test(test_refused),        cmocka_unit_test(test_refused_steps),
        cmocka_unit_test(test_files),          cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_utf8_golden),    cmocka_unit_test(test_interrupt),
        cmocka_unit_test(test_matcher),        cmocka_unit_test(test_memory_refused),
    };
    return cmocka_run_group_tests_name("text/tokenizer", tests, NULL, NULL);
}
