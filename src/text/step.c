#include "text/step.h"

#include <stdio.h>

static const char *row_name(const void *rows, size_t stride, size_t i) {
    return *(const char *const *)((const char *)rows + i * stride);
}

/* Why the type is none that is known: it is not there, or not one of those that are. */
static enum lr_status refuse(struct json spec, const struct step_part *part, const void *rows, size_t count,
                             size_t stride, struct lr_error *err) {
    struct lr_str type = {0};
    char known[256] = "";
    for (size_t i = 0, at = 0; i < count && at < sizeof known; i++)
        at += (size_t)snprintf(known + at, sizeof known - at, "%s, ", row_name(rows, stride, i));
    if (!json_str(json_get(spec, "type"), &type))
        return lr_fail(err, LR_EMODEL, "%s: %s: there is no 'type' that is a text (one of %sSequence)",
                       json_name(spec.doc), part->name, known);
    type = lr_str_cut(type, 60);
    return lr_fail(err, LR_EMODEL, "%s: %s '%.*s' is not supported (%sSequence are)", json_name(spec.doc),
                   part->name, LR_STR_ARGS(type), known);
}

enum lr_status step_find(struct json spec, const struct step_part *part, const void *rows, size_t count,
                         size_t stride, size_t *place, struct lr_error *err) {
    struct lr_str type = {0};
    if (json_kind(spec) != JSON_OBJECT) return json_fail(spec, part->name, "an object", err);
    json_str(json_get(spec, "type"), &type);
    *place = STEP_SEQUENCE;
    if (lr_str_is(type, "Sequence")) return LR_OK;
    for (*place = 0; *place < count; ++*place)
        if (lr_str_is(type, row_name(rows, stride, *place))) return LR_OK;
    return refuse(spec, part, rows, count, stride, err);
}

enum lr_status step_list(struct json spec, const struct step_part *part, struct json *out,
                         struct lr_error *err) {
    *out = json_get(spec, part->list);
    return json_kind(*out) == JSON_ARRAY ? LR_OK : json_fail(*out, part->list, "a list", err);
}
