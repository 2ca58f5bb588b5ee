#include "support/support.h"

#include "base/mem.h"
#include "format/json.h"
#include "sys/file.h"
#include "text/tokenizer.h"

/* The files of tests/golden/README.md, "tokenizers". */
#define FOLDER "tests/golden/tokenizers"

/* Reads a golden file from front to end; a read past the end fails the test. */
struct reader {
    const char *name;
    const uint8_t *at, *end;
};

static uint64_t read_int(struct reader *r) {
    uint64_t value = 0;
    for (unsigned shift = 0;; shift += 7) {
        if (r->at == r->end || shift > 56) fail_msg("%s is cut short", r->name);
        value |= (uint64_t)(*r->at & 0x7F) << shift;
        if (*r->at++ < 0x80) return value;
    }
}

static struct lr_str read_text(struct reader *r) {
    size_t len = read_int(r);
    if (len > (size_t)(r->end - r->at)) fail_msg("%s is cut short", r->name);
    struct lr_str text = {(const char *)r->at, len};
    r->at += len;
    return text;
}

static void read_ids(struct reader *r, struct token_list *out) {
    out->count = 0;
    for (uint64_t n = read_int(r); n > 0; n--)
        assert_int_equal(token_list_push(out, (uint32_t)read_int(r)), 0);
}

static struct reader open_file(const char *name, char **data) {
    char path[300];
    size_t len;
    snprintf(path, sizeof path, FOLDER "/%s", name);
    *data = support_read_file(path, &len);
    if (!*data) fail_msg("%s cannot be read", path);
    return (struct reader){name, (uint8_t *)*data, (uint8_t *)*data + len};
}

/* One tokenizer and its golden file while they are compared. */
struct check {
    const char *name;
    const struct tokenizer *t;
    struct reader gold;
    struct lr_str *texts; /* [n_texts] */
    size_t n_texts, failures;
    struct token_list want, got, before, behind;
    struct lr_buf text;
};

static void report(struct check *c, const char *what, size_t number, struct lr_str got, struct lr_str want) {
    if (c->failures++ >= 5) return;
    got = lr_str_cut(got, 400);
    want = lr_str_cut(want, 400);
    print_error("%s: %s %zu: '%.*s', not '%.*s'\n", c->name, what, number, LR_STR_ARGS(got),
                LR_STR_ARGS(want));
}

static void expect_text(struct check *c, const char *what, size_t number, struct lr_str got,
                        struct lr_str want) {
    if (!lr_str_eq(got, want)) report(c, what, number, got, want);
}

static void print_ids(const struct token_list *l, struct lr_buf *out) {
    for (size_t i = 0; i < l->count && i < 60; i++) lr_buf_printf(out, "%u ", l->ids[i]);
    lr_buf_printf(out, "(%zu)", l->count);
}

static void expect_ids(struct check *c, const char *what, size_t number) {
    if (c->got.count == c->want.count &&
        (!c->got.count || memcmp(c->got.ids, c->want.ids, c->got.count * sizeof *c->got.ids) == 0))
        return;
    struct lr_buf got = {0}, want = {0};
    print_ids(&c->got, &got);
    print_ids(&c->want, &want);
    report(c, what, number, lr_buf_str(&got), lr_buf_str(&want));
    lr_buf_free(&got);
    lr_buf_free(&want);
}

static struct lr_str decode(struct check *c, const struct token_list *ids, bool skip) {
    struct lr_error err;
    c->text.len = 0;
    lr_buf_append(&c->text, "", 0);
    if (tokenizer_decode(c->t, ids->ids, ids->count, skip, &c->text, &err))
        fail_msg("%s: %s", c->name, err.message);
    return lr_buf_str(&c->text);
}

/* Whether what is there ends on a whole character: no lead byte without its followers. */
static bool ends_whole(struct lr_str s) {
    size_t back = 0;
    while (back < 3 && back < s.len && ((uint8_t)s.data[s.len - 1 - back] & 0xC0) == 0x80) back++;
    if (back == s.len) return back == 0;
    uint8_t lead = (uint8_t)s.data[s.len - 1 - back];
    return back == (size_t)(lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : lead >= 0xC0 ? 1 : 0);
}

static struct lr_str stream(struct check *c, const struct token_list *ids) {
    struct token_stream *s;
    struct lr_error err;
    c->text.len = 0;
    lr_buf_append(&c->text, "", 0);
    if (token_stream_open(c->t, &s, &err)) fail_msg("%s: %s", c->name, err.message);
    for (size_t i = 0; i < ids->count; i++) {
        if (token_stream_push(s, ids->ids[i], &c->text, &err)) fail_msg("%s: %s", c->name, err.message);
        if (!ends_whole(lr_buf_str(&c->text))) fail_msg("%s: half a character is given out", c->name);
    }
    if (token_stream_end(s, &c->text, &err)) fail_msg("%s: %s", c->name, err.message);
    token_stream_close(s);
    return lr_buf_str(&c->text);
}

static void encode(struct check *c, struct lr_str text, bool specials) {
    struct lr_error err;
    c->got.count = 0;
    if (tokenizer_encode(c->t, text, specials, &c->got, &err)) fail_msg("%s: %s", c->name, err.message);
}

static void check_text(struct check *c) {
    size_t number = read_int(&c->gold);
    assert_true(number < c->n_texts);
    struct lr_str text = c->texts[number];
    read_ids(&c->gold, &c->want);
    encode(c, text, false);
    expect_ids(c, "ids of text", number);
    uint64_t flags = read_int(&c->gold);
    struct lr_str plain = flags & 1 ? read_text(&c->gold) : text,
                  all = flags & 2 ? read_text(&c->gold) : text;
    expect_text(c, "decoded text", number, decode(c, &c->want, true), plain);
    expect_text(c, "decoded text with specials", number, decode(c, &c->want, false), all);
    expect_text(c, "streamed text", number, stream(c, &c->want), plain);
    if (number % 50) return;
    encode(c, text, true);
    assert_true(c->got.count == c->before.count + c->want.count + c->behind.count);
    for (size_t i = 0; i < c->before.count; i++) assert_int_equal(c->got.ids[i], c->before.ids[i]);
    for (size_t i = 0; i < c->behind.count; i++)
        assert_int_equal(c->got.ids[c->before.count + c->want.count + i], c->behind.ids[i]);
}

static void check_stream(struct check *c, size_t number) {
    read_ids(&c->gold, &c->want);
    struct lr_str plain = read_text(&c->gold), all = read_text(&c->gold);
    expect_text(c, "decoded ids", number, decode(c, &c->want, true), plain);
    expect_text(c, "decoded ids with specials", number, decode(c, &c->want, false), all);
    expect_text(c, "streamed ids", number, stream(c, &c->want), plain);
}

static void check_gold(struct check *c) {
    assert_memory_equal(c->gold.at, "lrgold1\n", 8);
    c->gold.at += 8;
    read_ids(&c->gold, &c->before);
    read_ids(&c->gold, &c->behind);
    for (uint64_t n = read_int(&c->gold); n > 0; n--) check_text(c);
    uint64_t n_streams = read_int(&c->gold);
    for (uint64_t i = 0; i < n_streams; i++) check_stream(c, i);
    assert_true(c->gold.at == c->gold.end);
    token_list_free(&c->want);
    token_list_free(&c->got);
    token_list_free(&c->before);
    token_list_free(&c->behind);
    lr_buf_free(&c->text);
    if (c->failures) fail_msg("%s: %zu answers differ from the package's", c->name, c->failures);
}

static struct tokenizer *open_tokenizer(const char *folder, bool pair) {
    char json[400], vocab[400], merges[400];
    struct lr_error err;
    struct tokenizer *t;
    snprintf(json, sizeof json, "%s/tokenizer.json", folder);
    snprintf(vocab, sizeof vocab, "%s/vocab.json", folder);
    snprintf(merges, sizeof merges, "%s/merges.txt", folder);
    struct tokenizer_files files = {pair ? NULL : json, vocab, merges, NULL};
    if (tokenizer_open(&files, &t, &err)) fail_msg("%s", err.message);
    return t;
}

static enum lr_status append(void *file, struct lr_str piece, struct lr_error *err) {
    (void)err;
    return lr_buf_append_str(file, piece) ? LR_EMEMORY : LR_OK;
}

/* The same tokenizer through its compiled form, which `file` keeps; NULL where it has none. */
static struct tokenizer *open_compiled(const char *folder, struct lr_buf *file) {
    struct lr_buf rest = {0};
    struct lr_error err;
    struct tokenizer *t;
    struct tokenizer_id id;
    char path[400];
    snprintf(path, sizeof path, "%s/tokenizer.json", folder);
    if (tokenizer_open_rest(path, &id, &rest, &t, &err)) fail_msg("%s", err.message);
    if (rest.len && tokenizer_compile(t, lr_buf_str(&rest), id, "", append, file, &err))
        fail_msg("%s", err.message);
    tokenizer_close(t);
    t = NULL;
    if (rest.len && tokenizer_open_compiled(lr_buf_str(file), "compiled", id, path, &t, &err))
        fail_msg("%s", err.message);
    lr_buf_free(&rest);
    return t;
}

/* ---- one test for each entry of index.json */

struct suite {
    char *data;
    struct lr_str *texts;
    size_t n_texts;
    struct json_doc *index;
};
static struct suite suite;

static void get(struct json entry, const char *key, char out[200]) {
    struct lr_str s;
    assert_true(json_str(json_get(entry, key), &s) && s.len < 200);
    memcpy(out, s.data, s.len);
    out[s.len] = '\0';
}

static void test_entry(void **state) {
    const struct json *entry = *state;
    char golden[200], path[200], form[200], local[300], *data;
    const char *folder = local;
    bool shared = false;
    get(*entry, "golden", golden);
    get(*entry, "path", path);
    get(*entry, "form", form);
    json_bool(json_get(*entry, "shared"), &shared);
    snprintf(local, sizeof local, FOLDER "/%s", path);
    if (shared && !(folder = support_data(path))) skip();
    bool pair = strcmp(form, "vocab+merges") == 0;
    struct tokenizer *t = open_tokenizer(folder, pair);
    struct check c = {.name = golden, .t = t, .texts = suite.texts, .n_texts = suite.n_texts};
    c.gold = open_file(golden, &data);
    check_gold(&c);
    tokenizer_close(t);
    free(data);
    struct lr_buf compiled = {0};
    if (!pair && (t = open_compiled(folder, &compiled))) {
        c = (struct check){.name = golden, .t = t, .texts = suite.texts, .n_texts = suite.n_texts};
        c.gold = open_file(golden, &data);
        check_gold(&c);
        tokenizer_close(t);
        free(data);
    }
    lr_buf_free(&compiled);
}

static int load_suite(void **state) {
    (void)state;
    struct reader r = open_file("texts.bin", &suite.data);
    suite.n_texts = read_int(&r);
    suite.texts = calloc(suite.n_texts, sizeof *suite.texts);
    for (size_t i = 0; i < suite.n_texts; i++) suite.texts[i] = read_text(&r);
    return r.at == r.end ? 0 : -1;
}

int main(void) {
    static struct CMUnitTest tests[128];
    static struct json entries[128];
    static char names[128][200];
    size_t n = 0;
    if (json_open(FOLDER "/index.json", 1 << 20, &suite.index, NULL)) return 1;
    for (struct json v = json_first(json_get(json_root(suite.index), "tokenizers")); json_kind(v) && n < 128;
         v = json_next(v), n++) {
        get(v, "name", names[n]);
        entries[n] = v;
        tests[n] = (struct CMUnitTest){names[n], test_entry, NULL, NULL, &entries[n]};
    }
    int failed = n ? _cmocka_run_group_tests("golden/tokenizers", tests, n, load_suite, NULL) : 1;
    json_close(suite.index);
    free(suite.texts);
    free(suite.data);
    return failed;
}
