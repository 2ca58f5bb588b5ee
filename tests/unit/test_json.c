#include "support/support.h"

#include "base/mem.h"
#include "format/json.h"

#include <math.h>
#include <pthread.h>

static struct lr_error err;

static struct json_doc *parse_n(const char *text, size_t len) {
    struct json_doc *doc = NULL;
    enum lr_status status = json_parse(text, len, "t.json", &doc, &err);
    if (status != LR_OK) fail_msg("%s", err.message);
    return doc;
}

static struct json_doc *parse(const char *text) {
    return parse_n(text, strlen(text));
}

static void refused_n(const char *text, size_t len, const char *message) {
    struct json_doc *doc = (struct json_doc *)&err;
    assert_int_equal(json_parse(text, len, "t.json", &doc, &err), LR_EMODEL);
    assert_null(doc);
    assert_string_equal(err.message, message);
}

static void refused(const char *text, const char *message) {
    refused_n(text, strlen(text), message);
}

static void values_of_every_kind(void **state) {
    (void)state;
    struct json_doc *doc =
        parse(" {\"a\": [1, -2.5, true, false, null, \"x\\n\\u00e9\\ud83d\\ude00\"], \"b\":{}}\n");
    struct json root = json_root(doc), a = json_get(root, "a");
    struct lr_str s;
    double d;
    bool b;
    assert_int_equal(json_kind(root), JSON_OBJECT);
    assert_int_equal(json_count(root), 2);
    assert_int_equal(json_count(a), 6);
    assert_true(json_double(json_at(a, 1), &d) && d == -2.5);
    assert_true(json_bool(json_at(a, 2), &b) && b);
    assert_true(json_bool(json_at(a, 3), &b) && !b);
    assert_int_equal(json_kind(json_at(a, 4)), JSON_NULL);
    assert_false(json_present(json_at(a, 4)));
    assert_true(json_str(json_at(a, 5), &s));
    assert_true(lr_str_is(s, "x\n\xC3\xA9\xF0\x9F\x98\x80"));
    assert_int_equal(json_kind(json_at(a, 6)), JSON_ABSENT);
    assert_int_equal(json_kind(json_get(a, "a")), JSON_ABSENT);
    assert_int_equal(json_kind(json_at(root, 0)), JSON_ABSENT);
    assert_int_equal(json_kind(json_get(json_get(root, "none"), "x")), JSON_ABSENT);
    assert_int_equal(json_kind(json_next(json_first(json_get(root, "b")))), JSON_ABSENT);
    assert_false(json_str(json_at(a, 0), &s));
    assert_false(json_double(json_at(a, 5), &d));
    assert_false(json_bool(json_at(a, 0), &b));
    assert_string_equal(json_name(doc), "t.json");
    json_close(doc);
    for (const char *const *t = (const char *const[]){"1", "\"x\"", "null", "[]", "{}", " true ", NULL}; *t;
         t++)
        json_close(parse(*t));
    json_close(NULL);
}

static void walks_in_file_order(void **state) {
    (void)state;
    struct json_doc *doc = parse("{\"z\":1,\"a\":2,\"\":3}");
    static const char *const keys[] = {"z", "a", ""};
    int i = 0;
    for (struct json v = json_first(json_root(doc)); json_kind(v); v = json_next(v))
        assert_true(lr_str_is(json_key(v), keys[i++]));
    assert_int_equal(i, 3);
    json_close(doc);
}

static void look_up_minds_case(void **state) {
    (void)state;
    struct json_doc *doc = parse("{\"Key\":1,\"key\":2,\"keys\":3}");
    uint64_t n;
    assert_true(json_u64(json_get(json_root(doc), "key"), &n) && n == 2);
    assert_true(json_u64(json_get(json_root(doc), "Key"), &n) && n == 1);
    assert_int_equal(json_kind(json_get(json_root(doc), "KEY")), JSON_ABSENT);
    assert_int_equal(json_kind(json_get(json_root(doc), "ke")), JSON_ABSENT);
    assert_int_equal(json_kind(json_get_str(json_root(doc), (struct lr_str){"key\0s", 5})), JSON_ABSENT);
    json_close(doc);
}

/* Around the size from which containers have an index, and a large one. */
static void finds_in_containers_of_every_size(void **state) {
    (void)state;
    static const int sizes[] = {1, 15, 16, 17, 18, 31, 32, 33, 64, 65, 5000};
    for (size_t k = 0; k < sizeof sizes / sizeof sizes[0]; k++) {
        struct lr_buf text = {0};
        lr_buf_printf(&text, "[{");
        for (int i = 0; i < sizes[k]; i++) lr_buf_printf(&text, "%s\"k%d\":%d", i ? "," : "", i, i);
        lr_buf_printf(&text, "},[");
        for (int i = 0; i < sizes[k]; i++) lr_buf_printf(&text, "%s%d", i ? "," : "", i);
        lr_buf_printf(&text, "]]");
        struct json_doc *doc = parse_n(text.data, text.len);
        struct json object = json_at(json_root(doc), 0), array = json_at(json_root(doc), 1);
        assert_int_equal(json_count(object), sizes[k]);
        assert_int_equal(json_count(array), sizes[k]);
        for (int i = 0; i < sizes[k]; i++) {
            char key[16];
            uint64_t n;
            snprintf(key, sizeof key, "k%d", i);
            assert_true(json_u64(json_get(object, key), &n) && n == (uint64_t)i);
            assert_true(json_u64(json_at(array, (size_t)i), &n) && n == (uint64_t)i);
            key[0] = 'K';
            assert_int_equal(json_kind(json_get(object, key)), JSON_ABSENT);
        }
        assert_int_equal(json_kind(json_at(array, (size_t)sizes[k])), JSON_ABSENT);
        json_close(doc);
        lr_buf_free(&text);
    }
}

static void the_whole_input_is_one_value(void **state) {
    (void)state;
    refused("", "t.json is empty");
    refused(" \n", "t.json is empty");
    refused("{} x", "t.json: line 1, column 4: 'x' where the end of the text should stand");
    refused("{}\n{}", "t.json: line 2, column 1: '{' where the end of the text should stand");
    refused_n("{}\0", 3, "t.json: line 1, column 3: byte 0x00 where the end of the text should stand");
    refused("[1,2", "t.json: line 1, column 5: the text ends where ',' or ']' should stand (cut short?)");
    refused("{\"a\":", "t.json: line 1, column 6: the text ends where a value should stand (cut short?)");
    refused("{\"a\"", "t.json: line 1, column 5: the text ends where ':' should stand (cut short?)");
    refused("{",
            "t.json: line 1, column 2: the text ends where a key in double quotes should stand (cut short?)");
    refused("\xEF\xBB\xBF", "t.json is empty");
}

static void the_grammar_is_strict(void **state) {
    (void)state;
    refused("[1,]", "t.json: line 1, column 4: ']' where a value should stand");
    refused("[,1]", "t.json: line 1, column 2: ',' where a value should stand");
    refused("{\"a\":1,}", "t.json: line 1, column 8: '}' where a key in double quotes should stand");
    refused("{a:1}", "t.json: line 1, column 2: 'a' where a key in double quotes should stand");
    refused("{\"a\" 1}", "t.json: line 1, column 6: '1' where ':' should stand");
    refused("{\"a\":1]", "t.json: line 1, column 7: ']' where ',' or '}' should stand");
    refused("[1}", "t.json: line 1, column 3: '}' where ',' or ']' should stand");
    refused("[01]", "t.json: line 1, column 3: '1' where ',' or ']' should stand");
    refused("[+1]", "t.json: line 1, column 2: '+' where a value should stand");
    refused("[.5]", "t.json: line 1, column 2: '.' where a value should stand");
    refused("[5.]", "t.json: line 1, column 4: ']' where a digit should stand");
    refused("[-]", "t.json: line 1, column 3: ']' where a digit should stand");
    refused("[1e]", "t.json: line 1, column 4: ']' where a digit should stand");
    refused("[True]", "t.json: line 1, column 2: 'T' where a value should stand");
    refused("[nul]", "t.json: line 1, column 2: 'n' where a value should stand");
    refused("['a']", "t.json: line 1, column 2: ''' where a value should stand");
    refused("[1\v]", "t.json: line 1, column 3: byte 0x0b where ',' or ']' should stand");
    refused("// c\n1", "t.json: line 1, column 1: '/' where a value should stand");
    refused_n("-", 1, "t.json: line 1, column 2: the text ends where a digit should stand (cut short?)");
}

static void strings_are_strict(void **state) {
    (void)state;
    refused_n("[\"a\0b\"]", 7, "t.json: line 1, column 4: control character 0x00 in a string");
    refused("[\"a\\u0000b\"]",
            "t.json: line 1, column 4: a NUL character (\\u0000) in a string is not supported");
    refused("{\"\\u0000\":1}",
            "t.json: line 1, column 3: a NUL character (\\u0000) in a string is not supported");
    refused("[\"\xC3\xA9\n\"]", "t.json: line 1, column 4: control character 0x0a in a string");
    refused("[\"\x1f\"]", "t.json: line 1, column 3: control character 0x1f in a string");
    refused("[\"\\x\"]", "t.json: line 1, column 3: unknown escape in a string");
    refused("[\"\\u12g4\"]", "t.json: line 1, column 3: \\u without four hexadecimal digits");
    refused("[\"\\u12", "t.json: line 1, column 3: \\u without four hexadecimal digits");
    refused("[\"\\", "t.json: line 1, column 3: the text ends inside a string (cut short?)");
    refused("[\"a", "t.json: line 1, column 2: the text ends inside this string (cut short?)");
    refused("[\"\\ud800\"]", "t.json: line 1, column 3: half of a surrogate pair (\\ud800)");
    refused("[\"\\udc00\"]", "t.json: line 1, column 3: half of a surrogate pair (\\udc00)");
    refused("[\"\\ud800\\ud800\"]", "t.json: line 1, column 3: half of a surrogate pair (\\ud800)");
    refused("[\"\\ud800\\u0041\"]", "t.json: line 1, column 3: half of a surrogate pair (\\ud800)");
    struct json_doc *doc = parse("[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u001b\\uFFFF\x7f\"]");
    struct lr_str s;
    assert_true(json_str(json_at(json_root(doc), 0), &s));
    assert_true(lr_str_is(s, "\"\\/\b\f\n\r\t\x1b\xEF\xBF\xBF\x7f"));
    json_close(doc);
}

static void bytes_are_utf8(void **state) {
    (void)state;
    static const char *const good[] = {"\xC2\x80",         "\xDF\xBF",        "\xE0\xA0\x80",
                                       "\xED\x9F\xBF",     "\xEE\x80\x80",    "\xEF\xBF\xBF",
                                       "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF"};
    static const char *const bad[] = {"\x80",
                                      "\xC1\xBF",
                                      "\xC3",
                                      "\xC3(",
                                      "\xE0\x9F\xBF",
                                      "\xE2\x82",
                                      "\xED\xA0\x80",
                                      "\xF0\x8F\xBF\xBF",
                                      "\xF4\x90\x80\x80",
                                      "\xF5\x80\x80\x80",
                                      "\xFF",
                                      "\xE2\x82(",
                                      "\xF0\x90\x80"};
    char text[32];
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        snprintf(text, sizeof text, "{\"%s\":\"%s\"}", good[i], good[i]);
        struct json_doc *doc = parse(text);
        assert_int_equal(json_kind(json_get(json_root(doc), good[i])), JSON_STRING);
        json_close(doc);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char message[96];
        snprintf(text, sizeof text, "[\"%s\"]", bad[i]);
        snprintf(message, sizeof message, "t.json: line 1, column 3: byte 0x%02x is not UTF-8",
                 (unsigned char)bad[i][0]);
        refused(text, message);
    }
}

static void duplicate_keys_are_refused(void **state) {
    (void)state;
    refused("{\"a\":1,\"b\":2,\"a\":3}", "t.json: the key 'a' stands twice in one object");
    refused("{\"a\":{\"b\":1,\"\\u0062\":2}}", "t.json: the key 'b' stands twice in one object");
    for (int n = 15; n <= 18; n++) {
        struct lr_buf text = {0};
        lr_buf_printf(&text, "[{");
        for (int i = 0; i < n; i++) lr_buf_printf(&text, "\"k%d\":%d,", i, i);
        lr_buf_printf(&text, "\"k7\":0}]");
        refused(text.data, "t.json: the key 'k7' stands twice in one object");
        lr_buf_free(&text);
    }
    json_close(parse("[{\"a\":1},{\"a\":1}]"));
}

static void integers_are_exact(void **state) {
    (void)state;
    struct json_doc *doc = parse(
        "[9007199254740993, 18446744073709551615, -9223372036854775808, 9223372036854775807, "
        "18446744073709551616, 9223372036854775808, -9223372036854775809, 999999999999999, -0, "
        "4096.0, 3.2e1, 1.5, 9007199254740992.0, 1e300, 1e999, -1, "
        "1000000000000000019884624838656, \"5\", 0.1000000000000000055511151231257827021181583404541015625]");
    struct json a = json_root(doc);
    uint64_t u;
    int64_t i;
    double d;
    assert_true(json_u64(json_at(a, 0), &u) && u == UINT64_C(9007199254740993));
    assert_true(json_u64(json_at(a, 1), &u) && u == UINT64_MAX);
    assert_false(json_i64(json_at(a, 1), &i));
    assert_true(json_i64(json_at(a, 2), &i) && i == INT64_MIN);
    assert_false(json_u64(json_at(a, 2), &u));
    assert_true(json_i64(json_at(a, 3), &i) && i == INT64_MAX);
    assert_false(json_u64(json_at(a, 4), &u));
    assert_false(json_i64(json_at(a, 5), &i));
    assert_false(json_i64(json_at(a, 6), &i));
    assert_true(json_i64(json_at(a, 7), &i) && i == 999999999999999);
    assert_true(json_u64(json_at(a, 8), &u) && u == 0);
    assert_true(json_u64(json_at(a, 9), &u) && u == 4096);
    assert_true(json_i64(json_at(a, 10), &i) && i == 32);
    assert_false(json_i64(json_at(a, 11), &i));
    assert_false(json_u64(json_at(a, 12), &u));
    assert_false(json_u64(json_at(a, 13), &u));
    assert_true(json_double(json_at(a, 13), &d) && d == 1e300);
    assert_int_equal(json_kind(json_at(a, 14)), JSON_NUMBER);
    assert_false(json_double(json_at(a, 14), &d));
    assert_true(json_i64(json_at(a, 15), &i) && i == -1);
    assert_false(json_u64(json_at(a, 15), &u));
    assert_true(json_double(json_at(a, 16), &d) && d == 1000000000000000019884624838656.0);
    assert_false(json_u64(json_at(a, 17), &u));
    assert_true(json_double(json_at(a, 18), &d) && d == 0.1);
    json_close(doc);
}

static void non_numbers_fail_only_when_used(void **state) {
    (void)state;
    struct json_doc *doc = parse("{\"a\":NaN,\"b\":[Infinity,-Infinity],\"c\":\"NaN\",\"d\":7}");
    struct json root = json_root(doc), inf = json_at(json_get(root, "b"), 1);
    double d;
    uint64_t u;
    int64_t i;
    struct lr_str s;
    assert_int_equal(json_kind(json_get(root, "a")), JSON_NUMBER);
    assert_false(json_double(json_get(root, "a"), &d));
    assert_int_equal(json_kind(inf), JSON_NUMBER);
    assert_false(json_double(inf, &d) || json_u64(inf, &u) || json_i64(inf, &i) || json_str(inf, &s));
    assert_true(json_str(json_get(root, "c"), &s) && lr_str_is(s, "NaN"));
    assert_true(json_u64(json_get(root, "d"), &u) && u == 7);
    d = 3;
    assert_int_equal(json_read_double(root, "a", 0, 1, &d, &err), LR_EMODEL);
    assert_string_equal(err.message,
                        "t.json: 'a' is a number that cannot be used, a number from 0 to 1 is needed");
    assert_true(d == 3);
    json_close(doc);
}

static void numbers_of_any_length(void **state) {
    (void)state;
    for (int digits = 1; digits < 200; digits++) {
        char text[256], *p = text;
        uint64_t u;
        double d;
        *p++ = '[';
        for (int k = 0; k < digits; k++) *p++ = '1';
        memcpy(p, ",2]", 4);
        struct json_doc *doc = parse(text);
        assert_int_equal(json_u64(json_at(json_root(doc), 0), &u), digits <= 20);
        assert_true(json_double(json_at(json_root(doc), 0), &d));
        assert_true(fabs(d / pow(10, digits) - 1.0 / 9) < 0.0112);
        assert_true(json_u64(json_at(json_root(doc), 1), &u) && u == 2);
        json_close(doc);
    }
    /* Some versions of cJSON cut at 63 characters: a longer fraction is tolerated unless it is used. */
    for (int zeros = 30; zeros < 100; zeros++) {
        char text[128];
        double d;
        snprintf(text, sizeof text, "[1.%0*d,2]", zeros, 0);
        struct json_doc *doc = parse(text);
        assert_int_equal(json_kind(json_at(json_root(doc), 0)), JSON_NUMBER);
        assert_int_equal(json_double(json_at(json_root(doc), 0), &d), zeros + 2 <= 60);
        assert_true(json_double(json_at(json_root(doc), 1), &d) && d == 2);
        json_close(doc);
    }
}

static void depth_is_bounded(void **state) {
    (void)state;
    for (int deep = JSON_MAX_DEPTH - 1; deep <= JSON_MAX_DEPTH + 1; deep++) {
        char text[2 * JSON_MAX_DEPTH + 8];
        memset(text, '[', (size_t)deep);
        memset(text + deep, ']', (size_t)deep);
        struct json_doc *doc = NULL;
        enum lr_status status = json_parse(text, 2 * (size_t)deep, "t.json", &doc, &err);
        assert_int_equal(status, deep <= JSON_MAX_DEPTH ? LR_OK : LR_EMODEL);
        json_close(doc);
    }
    assert_string_equal(err.message, "t.json: line 1, column 65: nested more than 64 levels deep");
    size_t len = 4u << 20;
    char *text = malloc(len);
    assert_non_null(text);
    memset(text, '[', len);
    refused_n(text, len, "t.json: line 1, column 65: nested more than 64 levels deep");
    free(text);
}

static void size_is_bounded(void **state) {
    (void)state;
    size_t len = 40u << 20;
    char *text = malloc(len);
    assert_non_null(text);
    for (size_t i = 0; i < len; i++) text[i] = i % 2 ? '1' : ',';
    text[0] = '[';
    refused_n(text, len, "t.json: line 1, column 33,554,432: more than 16,777,216 values");
    free(text);
}

static void a_byte_order_mark_is_skipped(void **state) {
    (void)state;
    struct json_doc *doc = parse("\xEF\xBB\xBF{\"a\":1}");
    assert_int_equal(json_count(json_root(doc)), 1);
    json_close(doc);
}

static void reads_with_messages(void **state) {
    (void)state;
    struct json_doc *doc =
        parse("{\"n\":4096.0,\"neg\":-1,\"half\":1.5,\"big\":123456789,\"s\":\"silu\",\"t\":true,"
              "\"nothing\":null,\"l\":[1],\"long\":\"0123456789012345678901234567890123456789more\"}");
    struct json root = json_root(doc);
    uint32_t n = 5;
    double d = 5;
    bool b = false;
    struct lr_str s = LR_STR("kept");
    assert_int_equal(json_read_u32(root, "n", 1, 4096, &n, &err), LR_OK);
    assert_int_equal(n, 4096);
    assert_int_equal(json_read_u32(root, "absent", 1, 1, &n, &err), LR_OK);
    assert_int_equal(json_read_u32(root, "nothing", 1, 1, &n, &err), LR_OK);
    assert_int_equal(n, 4096);
    assert_int_equal(json_read_u32(root, "n", 1, 4095, &n, &err), LR_EMODEL);
    assert_string_equal(err.message, "t.json: 'n' is 4,096, a whole number from 1 to 4,095 is needed");
    assert_int_equal(json_read_u32(root, "neg", 0, 9, &n, &err), LR_EMODEL);
    assert_string_equal(err.message, "t.json: 'neg' is -1, a whole number from 0 to 9 is needed");
    assert_int_equal(json_read_u32(root, "half", 0, 9, &n, &err), LR_EMODEL);
    assert_int_equal(json_read_u32(root, "big", 0, 9, &n, &err), LR_EMODEL);
    assert_string_equal(err.message, "t.json: 'big' is 123,456,789, a whole number from 0 to 9 is needed");
    assert_int_equal(json_read_u32(root, "l", 0, 9, &n, &err), LR_EMODEL);
    assert_string_equal(err.message, "t.json: 'l' is a list of 1, a whole number from 0 to 9 is needed");
    assert_int_equal(json_read_double(root, "half", 0, 2, &d, &err), LR_OK);
    assert_true(d == 1.5);
    assert_int_equal(json_read_double(root, "half", 0, 1, &d, &err), LR_EMODEL);
    assert_string_equal(err.message, "t.json: 'half' is 1.5, a number from 0 to 1 is needed");
    assert_int_equal(json_read_bool(root, "t", &b, &err), LR_OK);
    assert_true(b);
    assert_int_equal(json_read_bool(root, "n", &b, &err), LR_EMODEL);
    assert_string_equal(err.message, "t.json: 'n' is 4,096, true or false is needed");
    assert_int_equal(json_read_str(root, "nothing", &s, &err), LR_OK);
    assert_true(lr_str_is(s, "kept"));
    assert_int_equal(json_read_str(root, "s", &s, &err), LR_OK);
    assert_true(lr_str_is(s, "silu"));
    assert_int_equal(json_read_str(root, "t", &s, &err), LR_EMODEL);
    assert_string_equal(err.message, "t.json: 't' is true, text is needed");
    assert_int_equal(json_read_bool(root, "long", &b, &err), LR_EMODEL);
    assert_string_equal(err.message, "t.json: 'long' is the text '0123456789012345678901234567890123456789', "
                                     "true or false is needed");
    assert_int_equal(json_read_u32((struct json){0}, "n", 0, 1, &n, &err), LR_OK);
    json_close(doc);
}

static void every_allocation_may_fail(void **state) {
    (void)state;
    const char *text =
        "{\"a\":[NaN,12345678901234567890,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17],\"b\":\"c\"}";
    long n = 0;
    enum lr_status status;
    do {
        struct json_doc *doc = NULL;
        lr_mem_fail_after(++n, 1);
        status = json_parse(text, strlen(text), "t.json", &doc, &err);
        lr_mem_fail_after(0, 0);
        assert_true(status == LR_OK || (status == LR_EMEMORY && !doc));
        json_close(doc);
    } while (status != LR_OK);
    assert_true(n > 3);
}

static void files(void **state) {
    (void)state;
    char *folder = support_make_folder(), path[4200];
    struct json_doc *doc;
    snprintf(path, sizeof path, "%s/a.json", folder);
    assert_int_equal(json_open(path, 100, &doc, &err), LR_EMODEL);
    assert_non_null(strstr(err.message, "a.json: cannot be opened: No such file"));
    support_write_file(folder, "a.json", "{\"a\":1}", 7);
    assert_int_equal(json_open(path, 7, &doc, &err), LR_OK);
    json_close(doc);
    assert_int_equal(json_open(path, 6, &doc, &err), LR_EMODEL);
    assert_non_null(strstr(err.message, "a.json has 7 bytes, at most 6 are read"));
    support_remove_folder(folder);
}

static void *parse_often(void *result) {
    for (int i = 0; i < 300; i++) {
        char text[64];
        uint64_t n;
        struct json_doc *doc;
        snprintf(text, sizeof text, "{\"a\":[1,%d],\"b\":NaN}", i);
        if (json_parse(text, strlen(text), "t.json", &doc, NULL) != LR_OK) return NULL;
        bool right = json_u64(json_at(json_get(json_root(doc), "a"), 1), &n) && n == (uint64_t)i;
        json_close(doc);
        if (!right) return NULL;
    }
    return result;
}

static void threads_parse_at_once(void **state) {
    (void)state;
    pthread_t ids[3];
    int mark;
    for (int i = 0; i < 3; i++) assert_int_equal(pthread_create(&ids[i], NULL, parse_often, &mark), 0);
    for (int i = 0; i < 3; i++) {
        void *result = NULL;
        pthread_join(ids[i], &result);
        assert_ptr_equal(result, &mark);
    }
}

static void a_real_tokenizer(void **state) {
    (void)state;
    SUPPORT_NEEDS_DATA(path, "tokenizers/qwen3/tokenizer.json");
    struct json_doc *doc;
    assert_int_equal(json_open(path, 1u << 30, &doc, &err), LR_OK);
    struct json model = json_get(json_root(doc), "model"), vocab = json_get(model, "vocab");
    uint64_t id;
    assert_int_equal(json_count(vocab), 151643);
    assert_true(json_u64(json_get(vocab, "\xC4\xA0the"), &id) && id == 279);
    assert_int_equal(json_kind(json_at(json_get(model, "merges"), 151386)), JSON_ARRAY);
    assert_int_equal(json_count(json_get(model, "merges")), 151387);
    json_close(doc);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_of_every_kind),
        cmocka_unit_test(walks_in_file_order),
        cmocka_unit_test(look_up_minds_case),
        cmocka_unit_test(finds_in_containers_of_every_size),
        cmocka_unit_test(the_whole_input_is_one_value),
        cmocka_unit_test(the_grammar_is_strict),
        cmocka_unit_test(strings_are_strict),
        cmocka_unit_test(bytes_are_utf8),
        cmocka_unit_test(duplicate_keys_are_refused),
        cmocka_unit_test(integers_are_exact),
        cmocka_unit_test(non_numbers_fail_only_when_used),
        cmocka_unit_test(numbers_of_any_length),
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(size_is_bounded),
        cmocka_unit_test(a_byte_order_mark_is_skipped),
        cmocka_unit_test(reads_with_messages),
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(files),
        cmocka_unit_test(threads_parse_at_once),
        cmocka_unit_test(a_real_tokenizer),
    };
    return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
