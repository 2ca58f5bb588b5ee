#include "format/json.h"

#include <stdio.h>

/* What a value is, for a message: "null", "the text 'abc'", "1.5". */
static struct shown { char text[80]; } show(struct json v) {
    static const char *const kinds[] = {"absent", "null", "a boolean", "a number that cannot be used"};
    struct shown out;
    struct lr_str s;
    double d;
    int64_t i;
    bool b;
    if (json_str(v, &s)) {
        s = lr_str_cut(s, 40);
        snprintf(out.text, sizeof out.text, "the text '%.*s'", LR_STR_ARGS(s));
    } else if (json_bool(v, &b)) {
        snprintf(out.text, sizeof out.text, b ? "true" : "false");
    } else if (json_i64(v, &i)) {
        snprintf(out.text, sizeof out.text, "%s%s", i < 0 ? "-" : "",
                 lr_commas(i < 0 ? 0 - (uint64_t)i : (uint64_t)i).text);
    } else if (json_double(v, &d)) {
        snprintf(out.text, sizeof out.text, "%.17g", d);
    } else if (json_kind(v) >= JSON_ARRAY) {
        const char *what = json_kind(v) == JSON_ARRAY ? "list" : "object";
        if (json_count(v))
            snprintf(out.text, sizeof out.text, "%s %s of %s", *what == 'l' ? "a" : "an", what,
                     lr_commas(json_count(v)).text);
        else
            snprintf(out.text, sizeof out.text, "an empty %s", what);
    } else {
        snprintf(out.text, sizeof out.text, "%s", kinds[json_kind(v)]);
    }
    return out;
}

enum lr_status json_fail(struct json v, const char *key, const char *needed, struct lr_error *err) {
    return lr_fail(err, LR_EMODEL, "%s: '%s' is %s, %s is needed", json_name(v.doc), key, show(v).text,
                   needed);
}

enum lr_status json_read_u32(struct json object, const char *key, uint32_t min, uint32_t max, uint32_t *out,
                             struct lr_error *err) {
    struct json v = json_get(object, key);
    uint64_t value;
    if (!json_present(v)) return LR_OK;
    if (json_u64(v, &value) && value >= min && value <= max) {
        *out = (uint32_t)value;
        return LR_OK;
    }
    char needed[96];
    snprintf(needed, sizeof needed, "a whole number from %s to %s", lr_commas(min).text, lr_commas(max).text);
    return json_fail(v, key, needed, err);
}

enum lr_status json_read_double(struct json object, const char *key, double min, double max, double *out,
                                struct lr_error *err) {
    struct json v = json_get(object, key);
    double value;
    if (!json_present(v)) return LR_OK;
    if (json_double(v, &value) && value >= min && value <= max) {
        *out = value;
        return LR_OK;
    }
    char needed[96];
    snprintf(needed, sizeof needed, "a number from %g to %g", min, max);
    return json_fail(v, key, needed, err);
}

enum lr_status json_read_bool(struct json object, const char *key, bool *out, struct lr_error *err) {
    struct json v = json_get(object, key);
    if (!json_present(v) || json_bool(v, out)) return LR_OK;
    return json_fail(v, key, "true or false", err);
}

enum lr_status json_read_str(struct json object, const char *key, struct lr_str *out, struct lr_error *err) {
    struct json v = json_get(object, key);
    if (!json_present(v) || json_str(v, out)) return LR_OK;
    return json_fail(v, key, "text", err);
}
