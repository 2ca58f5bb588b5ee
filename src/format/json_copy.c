#include "base/json_write.h"
#include "format/json.h"

static int copy_number(struct lr_buf *out, struct json v) {
    int64_t i;
    uint64_t u;
    double d;
    if (json_i64(v, &i)) return lr_buf_printf(out, "%lld", (long long)i);
    if (json_u64(v, &u)) return lr_buf_printf(out, "%llu", (unsigned long long)u);
    if (json_double(v, &d)) return json_write_number(out, d, 17);
    return lr_buf_append_str(out, LR_STR("NaN")); /* what else no read takes */
}

static int copy_container(struct lr_buf *out, struct json v, const struct json *without, size_t n) {
    bool object = json_kind(v) == JSON_OBJECT, first = true;
    int bad = lr_buf_append_char(out, object ? '{' : '[');
    for (struct json c = json_first(v); json_kind(c) && !bad; c = json_next(c)) {
        bool left_out = false;
        for (size_t i = 0; i < n; i++) left_out |= without[i].node == c.node;
        if (left_out) continue;
        if (!first) bad |= lr_buf_append_char(out, ',');
        first = false;
        if (object) bad |= json_write_string(out, json_key(c)) | lr_buf_append_char(out, ':');
        bad |= json_copy(out, c, without, n);
    }
    return bad | lr_buf_append_char(out, object ? '}' : ']');
}

int json_copy(struct lr_buf *out, struct json v, const struct json *without, size_t n) {
    struct lr_str text;
    bool b;
    switch (json_kind(v)) {
    case JSON_STRING:
        json_str(v, &text);
        return json_write_string(out, text);
    case JSON_NUMBER:
        return copy_number(out, v);
    case JSON_BOOL:
        json_bool(v, &b);
        return lr_buf_append_str(out, b ? LR_STR("true") : LR_STR("false"));
    case JSON_ARRAY:
    case JSON_OBJECT:
        return copy_container(out, v, without, n);
    default:
        return lr_buf_append_str(out, LR_STR("null"));
    }
}
