/* tokenizer.json as hostile input: everything that is wrong is refused with a message that says what, and
 * nothing is read past its end, looped over for ever or left behind. */
#include "support/support.h"

#include "base/mem.h"
#include "text/tokenizer.h"

#include <time.h>

static struct lr_error err;

/* A tokenizer.json with the given members; NULL: a plain one. Valid until the next call. */
struct recipe {
    const char *head, *added, *normalizer, *pre, *post, *decoder, *model;
};
static const char *cook(const struct recipe *r) {
    static char text[1 << 16];
    static const char plain[] = "{\"type\":\"BPE\",\"dropout\":null,\"unk_token\":null,\"vocab\":{\"a\":0,"
                                "\"b\":1,\"ab\":2},\"merges\":[\"a b\"]}";
    snprintf(text, sizeof text,
             "{%s\"added_tokens\":%s,\"normalizer\":%s,\"pre_tokenizer\":%s,\"post_processor\":%s,"
             "\"decoder\":%s,\"model\":%s}",
             r->head ? r->head : "\"version\":\"1.0\",", r->added ? r->added : "[]",
             r->normalizer ? r->normalizer : "null", r->pre ? r->pre : "null", r->post ? r->post : "null",
             r->decoder ? r->decoder : "null", r->model ? r->model : plain);
    return text;
}

static enum lr_status open_text(const char *text, struct tokenizer **t) {
    *t = NULL;
    err.message[0] = '\0';
    enum lr_status status = tokenizer_parse(text, strlen(text), "t.json", t, &err);
    if (status != LR_OK) assert_null(*t);
    return status;
}

/* Refused as a damaged or unsupported model, by a message that names the file and holds `word`. */
static void refused_text(const char *text, const char *word) {
    struct tokenizer *t;
    if (open_text(text, &t) == LR_OK) fail_msg("not refused: %.400s", text);
    if (err.status != LR_EMODEL || !strstr(err.message, word) || !strstr(err.message, "t.json") ||
        strchr(err.message, '\n'))
        fail_msg("message '%s' (status %d) lacks '%s' or the file's name", err.message, err.status, word);
}

#define REFUSED(word, ...) refused_text(cook(&(struct recipe){__VA_ARGS__}), word)

static struct tokenizer *opened(const struct recipe *r) {
    struct tokenizer *t;
    if (open_text(cook(r), &t) != LR_OK) fail_msg("%s", err.message);
    return t;
}
#define OPENED(...) opened(&(struct recipe){__VA_ARGS__})

#define BPE(members) "{\"type\":\"BPE\"," members "}"

static void no_tokenizer_at_all(void **state) {
    (void)state;
    refused_text("", "");
    refused_text("{", "");
    refused_text("[]", "");
    refused_text("3", "");
    refused_text("null", "");
    refused_text("{}", "model");
    REFUSED("model", .model = "null");
    REFUSED("model", .model = "[]");
    REFUSED("model", .model = "\"BPE\"");
    REFUSED("2.0", .head = "\"version\":\"2.0\",");
}

static void parts_that_are_not_supported_are_named(void **state) {
    (void)state;
    REFUSED("WordPiece", .model = "{\"type\":\"WordPiece\",\"vocab\":{\"a\":0}}");
    REFUSED("WordLevel", .model = "{\"type\":\"WordLevel\",\"vocab\":{\"a\":0}}");
    REFUSED("Mystery", .model = "{\"type\":\"Mystery\"}");
    REFUSED("Mystery", .normalizer = "{\"type\":\"Mystery\"}");
    REFUSED("Mystery", .pre = "{\"type\":\"Mystery\"}");
    REFUSED("Mystery", .post = "{\"type\":\"Mystery\"}");
    REFUSED("Mystery", .decoder = "{\"type\":\"Mystery\"}");
    REFUSED("Mystery",
            .normalizer =
                "{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"NFC\"},{\"type\":\"Mystery\"}]}");
    REFUSED("Mystery", .pre = "{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Mystery\"}]}");
    REFUSED("Mystery", .post = "{\"type\":\"Sequence\",\"processors\":[{\"type\":\"Mystery\"}]}");
    REFUSED("Mystery", .decoder = "{\"type\":\"Sequence\",\"decoders\":[{\"type\":\"Mystery\"}]}");
    REFUSED("dropout", .model = BPE("\"dropout\":0.1,\"vocab\":{\"a\":0},\"merges\":[]"));
}

static void wrong_kinds(void **state) {
    (void)state;
    static const char *const wrong[] = {"3", "\"x\"", "[]", "true", "{}", "{\"type\":3}", "{\"type\":null}"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        REFUSED("", .normalizer = wrong[i]);
        REFUSED("", .pre = wrong[i]);
        REFUSED("", .post = wrong[i]);
        REFUSED("", .decoder = wrong[i]);
    }
    REFUSED("added_tokens", .added = "[3]");
    REFUSED("", .added = "[{\"id\":3}]");
    REFUSED("", .added = "[{\"id\":3,\"content\":4}]");
    REFUSED("", .added = "[{\"id\":\"x\",\"content\":\"y\"}]");
    REFUSED("", .added = "[{\"id\":3,\"content\":\"x\",\"lstrip\":\"yes\"}]");
    REFUSED("vocab", .model = BPE("\"merges\":[]"));
    REFUSED("vocab", .model = BPE("\"vocab\":[],\"merges\":[]"));
    REFUSED("vocab", .model = BPE("\"vocab\":\"a\",\"merges\":[]"));
    REFUSED("merges", .model = BPE("\"vocab\":{\"a\":0}"));
    REFUSED("merges", .model = BPE("\"vocab\":{\"a\":0},\"merges\":{}"));
    REFUSED("merges", .model = BPE("\"vocab\":{\"a\":0},\"merges\":\"a a\""));
}

static void ids_out_of_range(void **state) {
    (void)state;
    REFUSED("a", .model = BPE("\"vocab\":{\"a\":-1},\"merges\":[]"));
    REFUSED("a", .model = BPE("\"vocab\":{\"a\":0.5},\"merges\":[]"));
    REFUSED("a", .model = BPE("\"vocab\":{\"a\":\"0\"},\"merges\":[]"));
    REFUSED("a", .model = BPE("\"vocab\":{\"a\":null},\"merges\":[]"));
    REFUSED("'a'", .model = BPE("\"vocab\":{\"a\":4294967295},\"merges\":[]"));
    REFUSED("a", .model = BPE("\"vocab\":{\"a\":4294967296},\"merges\":[]"));
    REFUSED("a", .model = BPE("\"vocab\":{\"a\":18446744073709551616},\"merges\":[]"));
    REFUSED("16777215", .model = BPE("\"vocab\":{\"a\":16777216},\"merges\":[]"));
    REFUSED("7", .model = BPE("\"vocab\":{\"a\":7,\"b\":7},\"merges\":[]"));
}

static void merges_that_make_no_sense(void **state) {
    (void)state;
#define MERGES(list) BPE("\"vocab\":{\"a\":0,\"b\":1,\"ab\":2,\" \":3},\"merges\":" list)
    REFUSED("zz", .model = MERGES("[\"a zz\"]"));
    REFUSED("zz", .model = MERGES("[\"zz a\"]"));
    REFUSED("ba", .model = MERGES("[\"b a\"]"));
    REFUSED("zz", .model = MERGES("[[\"a\",\"zz\"]]"));
    REFUSED("merges", .model = MERGES("[\"ab\"]"));
    REFUSED("merges", .model = MERGES("[\"a b c\"]"));
    REFUSED("merges", .model = MERGES("[\"\"]"));
    REFUSED("merges", .model = MERGES("[[\"a\"]]"));
    REFUSED("merges", .model = MERGES("[[\"a\",\"b\",\"a\"]]"));
    REFUSED("merges", .model = MERGES("[[\"a\",3]]"));
    REFUSED("merges", .model = MERGES("[3]"));
    REFUSED("merges", .model = MERGES("[{}]"));
}

/* A merge of a piece with an empty one gives itself: nothing must go round for ever. */
static void cycles_end(void **state) {
    (void)state;
    struct tokenizer *t =
        OPENED(.model =
                   BPE("\"continuing_subword_prefix\":\"#\",\"vocab\":{\"a\":0,\"#a\":1,\"#\":2,\"aa\":3},"
                       "\"merges\":[[\"a\",\"#\"],[\"a\",\"#a\"],[\"#\",\"#\"]]"));
    struct token_list ids = {0};
    assert_int_equal(tokenizer_encode(t, LR_STR("aaaaaaaa"), false, &ids, &err), LR_OK);
    assert_true(ids.count > 0);
    token_list_free(&ids);
    tokenizer_close(t);
}

static void an_empty_vocabulary(void **state) {
    (void)state;
    REFUSED("vocab", .model = BPE("\"vocab\":{},\"merges\":[]"));
    REFUSED("vocab", .model = "{\"type\":\"Unigram\",\"unk_id\":null,\"vocab\":[]}");
}

/* Ids that no piece has: nothing to find, nothing to decode. */
static void ids_of_nothing(void **state) {
    (void)state;
    struct tokenizer *t = OPENED(.pre = NULL);
    struct lr_buf out = {0};
    const uint32_t any[] = {3, 1u << 24, UINT32_MAX};
    assert_int_equal(tokenizer_size(t), 3);
    assert_int_equal(tokenizer_decode(t, any, 3, false, &out, &err), LR_OK);
    assert_int_equal(out.len, 0);
    assert_int_equal(tokenizer_find(t, LR_STR("")), UINT32_MAX);
    assert_int_equal(tokenizer_piece(t, UINT32_MAX).len, 0);
    assert_false(tokenizer_is_special(t, UINT32_MAX));
    lr_buf_free(&out);
    tokenizer_close(t);
}

static void a_missing_unknown_token(void **state) {
    (void)state;
    struct tokenizer *t = NULL;
    enum lr_status status = open_text(
        cook(&(struct recipe){.model = BPE("\"unk_token\":\"zz\",\"vocab\":{\"a\":0},\"merges\":[]")}), &t);
    struct token_list ids = {0};
    if (status == LR_OK) status = tokenizer_encode(t, LR_STR("ab"), false, &ids, &err);
    assert_int_not_equal(status, LR_OK);
    assert_non_null(strstr(err.message, "zz"));
    token_list_free(&ids);
    tokenizer_close(t);
}

static void unigrams(void **state) {
    (void)state;
#define UNIGRAM(members) "{\"type\":\"Unigram\"," members "}"
    REFUSED("vocab", .model = UNIGRAM("\"unk_id\":0"));
    REFUSED("vocab", .model = UNIGRAM("\"unk_id\":0,\"vocab\":{}"));
    REFUSED("vocab", .model = UNIGRAM("\"unk_id\":0,\"vocab\":[3]"));
    REFUSED("vocab", .model = UNIGRAM("\"unk_id\":0,\"vocab\":[[\"a\"]]"));
    REFUSED("vocab", .model = UNIGRAM("\"unk_id\":0,\"vocab\":[[3,\"a\"]]"));
    REFUSED("vocab", .model = UNIGRAM("\"unk_id\":0,\"vocab\":[[\"a\",\"b\"]]"));
    REFUSED("", .model = UNIGRAM("\"unk_id\":0,\"vocab\":[[\"a\",NaN]]"));
    REFUSED("unk_id", .model = UNIGRAM("\"unk_id\":1,\"vocab\":[[\"a\",0.5]]"));
    REFUSED("unk_id", .model = UNIGRAM("\"unk_id\":-1,\"vocab\":[[\"a\",0.5]]"));
    REFUSED("unk_id", .model = UNIGRAM("\"unk_id\":\"a\",\"vocab\":[[\"a\",0.5]]"));
    struct tokenizer *t = OPENED(.model = UNIGRAM("\"unk_id\":null,\"vocab\":[[\"a\",0.5]]"));
    struct token_list ids = {0};
    assert_int_equal(tokenizer_encode(t, LR_STR("aa"), false, &ids, &err), LR_OK);
    assert_int_equal(ids.count, 2);
    assert_int_not_equal(tokenizer_encode(t, LR_STR("ab"), false, &ids, &err), LR_OK);
    token_list_free(&ids);
    tokenizer_close(t);
}

/* `depth` Sequences inside each other around `inner`. */
static const char *nested(const char *key, const char *inner, int depth) {
    static char text[1 << 14];
    size_t n = 0;
    for (int i = 0; i < depth; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "{\"type\":\"Sequence\",\"%s\":[", key);
    n += (size_t)snprintf(text + n, sizeof text - n, "%s", inner);
    for (int i = 0; i < depth; i++) n += (size_t)snprintf(text + n, sizeof text - n, "]}");
    return text;
}

static void nesting(void **state) {
    (void)state;
    for (int depth = 40; depth <= 160; depth += 60) {
        REFUSED("", .normalizer = nested("normalizers", "{\"type\":\"NFC\"}", depth));
        REFUSED("",
                .pre = nested("pretokenizers", "{\"type\":\"Digits\",\"individual_digits\":true}", depth));
        REFUSED("", .decoder = nested("decoders", "{\"type\":\"Fuse\"}", depth));
    }
    tokenizer_close(OPENED(.normalizer = nested("normalizers", "{\"type\":\"NFC\"}", 8)));
    tokenizer_close(OPENED(.decoder = nested("decoders", "{\"type\":\"Fuse\"}", 8)));
}

#define SPLIT(regex)                                                                                         \
    "{\"type\":\"Split\",\"pattern\":{\"Regex\":\"" regex "\"},\"behavior\":\"Isolated\",\"invert\":false}"

static void regular_expressions(void **state) {
    (void)state;
    REFUSED("(a", .pre = SPLIT("(a"));
    REFUSED("[a", .pre = SPLIT("[a"));
    REFUSED("a{3,2}", .pre = SPLIT("a{3,2}"));
    REFUSED("NoSuchClass", .pre = SPLIT("\\\\p{NoSuchClass}"));
    REFUSED("pattern",
            .pre = "{\"type\":\"Split\",\"pattern\":{},\"behavior\":\"Isolated\",\"invert\":false}");
    REFUSED("pattern",
            .pre = "{\"type\":\"Split\",\"pattern\":\"a\",\"behavior\":\"Isolated\",\"invert\":false}");
    REFUSED(
        "Sideways",
        .pre =
            "{\"type\":\"Split\",\"pattern\":{\"String\":\"a\"},\"behavior\":\"Sideways\",\"invert\":false}");
}

/* Backtracking that would take for ever is an error in bounded time, and never "no match". */
static void an_exploding_expression(void **state) {
    (void)state;
    struct tokenizer *t = OPENED(.pre = SPLIT("(?:(?:a|a)*(?:a|aa)*)*c"));
    struct token_list ids = {0};
    char text[64];
    memset(text, 'a', sizeof text);
    text[sizeof text - 2] = 'b';
    text[sizeof text - 1] = 'c';
    enum lr_status status = tokenizer_encode(t, (struct lr_str){text, sizeof text}, false, &ids, &err);
    assert_int_equal(status, LR_EFAILED);
    assert_non_null(strstr(err.message, "regular expression"));
    token_list_free(&ids);
    tokenizer_close(t);
}

static void templates(void **state) {
    (void)state;
#define TEMPLATE(single, specials)                                                                           \
    "{\"type\":\"TemplateProcessing\",\"single\":" single ",\"pair\":[],\"special_tokens\":" specials "}"
    REFUSED("<s>", .post = TEMPLATE("[{\"SpecialToken\":{\"id\":\"<s>\",\"type_id\":0}}]", "{}"));
    REFUSED("", .post = TEMPLATE("[{\"Sequence\":{\"id\":\"B\",\"type_id\":0}}]", "{}"));
    REFUSED("", .post = TEMPLATE("[{\"Mystery\":3}]", "{}"));
    REFUSED("", .post = TEMPLATE("[3]", "{}"));
    REFUSED("single", .post = TEMPLATE("3", "{}"));
    REFUSED("", .post = TEMPLATE("[{\"SpecialToken\":{\"id\":\"s\",\"type_id\":0}}]",
                                 "{\"s\":{\"id\":\"s\",\"ids\":[-1]}}"));
    REFUSED("", .post = TEMPLATE("[{\"SpecialToken\":{\"id\":\"s\",\"type_id\":0}}]",
                                 "{\"s\":{\"id\":\"s\",\"ids\":3}}"));
}

static void character_maps(void **state) {
    (void)state;
#define MAP(base64) "{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"" base64 "\"}"
    REFUSED("precompiled_charsmap", .normalizer = MAP("!!!!"));
    REFUSED("precompiled_charsmap", .normalizer = MAP("A"));
    REFUSED("precompiled_charsmap", .normalizer = MAP("AAAA"));
    REFUSED("precompiled_charsmap", .normalizer = MAP("/////w=="));
    REFUSED("precompiled_charsmap", .normalizer = "{\"type\":\"Precompiled\",\"precompiled_charsmap\":3}");
    /* a trie of one unit that points far outside itself: text passes or is mapped, nothing is read there */
    struct tokenizer *t = OPENED(.normalizer = MAP("BAAAAP//////"));
    struct token_list ids = {0};
    assert_int_equal(tokenizer_encode(t, LR_STR("ab\xC3\xA9"), false, &ids, &err), LR_OK);
    token_list_free(&ids);
    tokenizer_close(t);
}

/* ---- memory refused at every place in turn */

static const char pieces[] = "tests/golden/tokenizers";

/* Reads a tokenizer, encodes, decodes at once and one by one: LR_OK, or the first failure. */
static enum lr_status whole_way(const char *json, size_t len, struct lr_buf *out) {
    struct tokenizer *t = NULL;
    struct token_stream *s = NULL;
    struct token_list ids = {0};
    struct lr_str text =
        LR_STR("Hello  w\xC3\xB6rld, 123 \xE4\xBD\xA0\xE5\xA5\xBD\n\xF0\x9F\x98\x80\xFF e\xCC\x81 <s>");
    enum lr_status status = tokenizer_parse(json, len, "t.json", &t, &err);
    if (status == LR_OK) status = tokenizer_encode(t, text, true, &ids, &err);
    if (status == LR_OK) status = tokenizer_decode(t, ids.ids, ids.count, true, out, &err);
    if (status == LR_OK) status = token_stream_open(t, &s, &err);
    for (size_t i = 0; i < ids.count && status == LR_OK; i++)
        status = token_stream_push(s, ids.ids[i], out, &err);
    if (status == LR_OK) status = token_stream_end(s, out, &err);
    token_stream_close(s);
    token_list_free(&ids);
    tokenizer_close(t);
    return status;
}

static void refuse_in_turn(const char *name) {
    char path[4096];
    size_t len = 0;
    snprintf(path, sizeof path, "%s/%s/tokenizer.json", pieces, name);
    char *json = support_read_file(path, &len);
    if (!json) fail_msg("%s cannot be read", path);
    struct lr_buf want = {0};
    lr_mem_fail_after(0, 0);
    if (whole_way(json, len, &want) != LR_OK) fail_msg("%s: %s", path, err.message);
    long total = lr_mem_count(), step = total > 400 ? total / 200 : 1;
    for (long n = 1; n <= total; n += n < 100 || n + 200 > total ? 1 : step) {
        struct lr_buf got = {0};
        lr_mem_fail_after(n, 0);
        enum lr_status status = whole_way(json, len, &got);
        lr_mem_fail_after(0, 0);
        if (status != LR_OK && status != LR_EMEMORY) fail_msg("%s: allocation %ld: %s", name, n, err.message);
        if (status == LR_OK) assert_true(lr_str_eq(lr_buf_str(&got), lr_buf_str(&want)));
        lr_buf_free(&got);
    }
    lr_buf_free(&want);
    free(json);
}

static void every_allocation_may_fail(void **state) {
    (void)state;
    static const char *const names[] = {"bpe_llama3", "bpe_llama2", "unigram_precompiled", "bpe_splits",
                                        "bpe_added"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) refuse_in_turn(names[i]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_tokenizer_at_all),
        cmocka_unit_test(parts_that_are_not_supported_are_named),
        cmocka_unit_test(wrong_kinds),
        cmocka_unit_test(ids_out_of_range),
        cmocka_unit_test(merges_that_make_no_sense),
        cmocka_unit_test(cycles_end),
        cmocka_unit_test(an_empty_vocabulary),
        cmocka_unit_test(ids_of_nothing),
        cmocka_unit_test(a_missing_unknown_token),
        cmocka_unit_test(unigrams),
        cmocka_unit_test(nesting),
        cmocka_unit_test(regular_expressions),
        cmocka_unit_test(an_exploding_expression),
        cmocka_unit_test(templates),
        cmocka_unit_test(character_maps),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests_name("hostile tokenizer.json", tests, NULL, NULL);
}
