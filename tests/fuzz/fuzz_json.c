/* Any bytes as JSON: what is accepted must read the same by walking, by position and by key. */
#include "format/json.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void demand(bool holds) {
    if (!holds) abort();
}

static void check_scalar(struct json v) {
    double d;
    int64_t i;
    uint64_t u;
    bool b;
    struct lr_str s;
    enum json_kind kind = json_kind(v);
    demand(json_str(v, &s) == (kind == JSON_STRING));
    demand(json_bool(v, &b) == (kind == JSON_BOOL));
    bool number = json_double(v, &d), integer = json_i64(v, &i), whole = json_u64(v, &u);
    demand(kind == JSON_NUMBER || (!number && !integer && !whole));
    if (integer && whole) demand((uint64_t)i == u);
    if (integer) demand(number && (double)i == d);
    if (kind == JSON_STRING) demand(s.len == strlen(s.data));
}

static void check(struct json v, unsigned depth) {
    size_t n = 0;
    demand(depth <= JSON_MAX_DEPTH);
    check_scalar(v);
    for (struct json m = json_first(v); json_kind(m); m = json_next(m)) {
        if (json_kind(v) == JSON_OBJECT) demand(json_get_str(v, json_key(m)).node == m.node);
        if (json_kind(v) == JSON_ARRAY) demand(json_at(v, n).node == m.node);
        check(m, depth + 1);
        n++;
    }
    demand(json_count(v) == n);
    demand(!json_kind(json_at(v, n)));
    demand(!json_kind(json_get(v, "a key that no corpus has")));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    struct json_doc *doc;
    struct lr_error err;
    if (json_parse((const char *)data, len, "fuzz", &doc, &err) == LR_OK)
        check(json_root(doc), 0);
    else
        demand(!doc && err.status == LR_EMODEL);
    json_close(doc);
    return 0;
}
