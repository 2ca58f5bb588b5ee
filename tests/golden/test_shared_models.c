/* The two trained models of the shared data: greedy ids and text equal to the files beside them. */
#include "support/support.h"

#include "base/str.h"
#include "run/session.h"

struct expected {
    uint32_t ids[128];
    size_t count;
    char *text; /* of all ids, special tokens included */
    char *file;
};

/* "[1, 403, ...]" on the first line, the text on the others. */
static struct expected read_expected(const char *path) {
    struct expected e = {.count = 0};
    size_t len;
    e.file = support_read_file(path, &len);
    assert_non_null(e.file);
    char *p = e.file + 1;
    while (*p && *p != ']' && e.count < 128) {
        e.ids[e.count++] = (uint32_t)strtoul(p, &p, 10);
        p += strspn(p, ", ");
    }
    e.text = strchr(p, '\n') + 1;
    return e;
}

struct collected {
    uint32_t ids[512];
    size_t count;
    struct lr_buf text;
};

static bool collect(void *ctx, const struct lr_token_event *event) {
    struct collected *c = ctx;
    if (event->id != UINT32_MAX) c->ids[c->count++] = event->id;
    return lr_buf_append(&c->text, event->text, event->len) == 0;
}

/* Generates from the first id (BOS) and compares ids as far as they are given, and the text as far as it is.
 */
static void check(const char *model, const char *file, const char *bos) {
    struct lr_engine *engine;
    struct lr_session *s;
    struct lr_error err;
    struct expected e = read_expected(file);
    if (lr_engine_open(model, NULL, &engine, &err)) fail_msg("%s", err.message);
    struct lr_session_options o = lr_session_defaults(engine);
    o.sampling = (struct lr_sampling){.top_p = 1, .typical = 1, .repeat_penalty = 1};
    if (lr_session_open(engine, &o, &s, &err)) fail_msg("%s", err.message);
    struct collected got = {.count = 0};
    struct lr_generate_options g = lr_generate_defaults();
    g.max_tokens = 200;
    if (lr_session_feed_ids(s, e.ids, 1, &err)) fail_msg("%s", err.message);
    if (lr_session_generate(s, &g, collect, &got, NULL, &err)) fail_msg("%s", err.message);
    assert_true(got.count >= e.count - 1);
    for (size_t i = 1; i < e.count; i++) assert_int_equal(got.ids[i - 1], e.ids[i]);
    struct lr_str text = lr_str_of(e.text), head = lr_str_of(bos);
    while (text.len && (text.data[text.len - 1] == '\n' || text.data[text.len - 1] == ' ')) text.len--;
    assert_true(lr_str_starts(text, head));
    text = lr_str_from(text, head.len);
    while (text.len && text.data[0] == ' ' && got.text.data[0] != ' ') text = lr_str_from(text, 1);
    assert_true(text.len > 50);
    if (!lr_str_starts(lr_buf_str(&got.text), text))
        fail_msg("%s: text differs:\n%s\nexpected:\n%.*s", model, got.text.data, LR_STR_ARGS(text));
    lr_buf_free(&got.text);
    lr_session_close(s);
    lr_engine_close(engine);
    free(e.file);
}

static void story_llama(void **state) {
    (void)state;
    SUPPORT_NEEDS_DATA(model, "models/story-llama-hf");
    SUPPORT_NEEDS_DATA(file, "models/story-llama-hf/EXPECTED_greedy_numpy_f64.txt");
    check(model, file, "<|start_story|>");
}

static void stories_260k(void **state) {
    (void)state;
    SUPPORT_NEEDS_DATA(model, "models/stories260K-hf-derived");
    SUPPORT_NEEDS_DATA(file, "models/stories260K-hf-derived/EXPECTED_greedy.txt");
    check(model, file, "<s>");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(story_llama), cmocka_unit_test(stories_260k)};
    return cmocka_run_group_tests_name("shared models", tests, NULL, NULL);
}
