#include "text/added.h"

#include "base/log.h"
#include "base/mem.h"
#include "text/unicode.h"
#include "text/utf8.h"

#include <stdlib.h>

enum lr_status added_init(struct added *a, size_t count, size_t bytes, const char *name,
                          struct lr_error *err) {
    *a = (struct added){0};
    LR_TRY(vocab_init(&a->contents, count, bytes, (uint32_t)count, name, "added_tokens", err));
    a->tokens = lr_calloc(count + 1, sizeof *a->tokens);
    a->by_id = lr_calloc(count + 1, sizeof *a->by_id);
    if (a->tokens && a->by_id) return LR_OK;
    added_free(a);
    return lr_fail_memory(err, "added_tokens", (count + 1) * sizeof *a->tokens);
}

void added_free(struct added *a) {
    vocab_free(&a->contents);
    lr_free(a->tokens);
    lr_free(a->by_id);
    matcher_free(&a->raw);
    matcher_free(&a->normal);
    *a = (struct added){0};
}

/* ---- parsing */

static uint32_t next_id(const struct added *a, const struct vocab *model) {
    return a->size > model->count ? a->size : model->count;
}

void added_put(struct added *a, const struct vocab *model, struct lr_str content, struct added_token t) {
    if (!content.len) return;
    t.raw = !t.normalized;
    if (vocab_add(&a->contents, a->count, content) !=
        VOCAB_OK) { /* again: the last one's flags, but for these */
        struct added_token *old = &a->tokens[vocab_find(&a->contents, content)];
        t.id = old->id;
        t.raw |= old->raw;
        t.normalized |= old->normalized;
        t.special |= old->special;
        *old = t;
        return;
    }
    t.id = vocab_find(model, content);
    if (t.id == VOCAB_NONE) t.id = next_id(a, model);
    if (t.id >= a->size) a->size = t.id + 1;
    a->tokens[a->count++] = t;
}

static enum lr_status put_json(struct added *a, const struct vocab *model, struct json v,
                               struct lr_error *err) {
    struct added_token t = {0};
    struct lr_str content;
    uint32_t id = VOCAB_NONE;
    json_str(json_get(v, "content"), &content);
    LR_TRY(json_read_u32(v, "id", 0, UINT32_MAX, &id, err));
    LR_TRY(json_read_bool(v, "special", &t.special, err));
    t.normalized = !t.special;
    LR_TRY(json_read_bool(v, "normalized", &t.normalized, err));
    LR_TRY(json_read_bool(v, "single_word", &t.single_word, err));
    LR_TRY(json_read_bool(v, "lstrip", &t.lstrip, err));
    LR_TRY(json_read_bool(v, "rstrip", &t.rstrip, err));
    added_put(a, model, content, t);
    uint32_t given = content.len ? added_find(a, content) : id;
    if (id == VOCAB_NONE || id == given) return LR_OK;
    /* as in the reference: the id is the vocabulary's, or the next that is free, whatever the file says */
    content = lr_str_cut(content, 60);
    lr_log(a->renumbered ? LR_LOG_INFO : LR_LOG_WARN,
           "%s: added token '%.*s' has the id %u, not %u as it says", json_name(v.doc), LR_STR_ARGS(content),
           given, id);
    a->renumbered = true;
    return LR_OK;
}

enum lr_status added_parse(struct json list, const struct vocab *model, struct added *a,
                           struct lr_error *err) {
    size_t bytes = 0;
    struct lr_str content;
    enum json_kind kind = json_kind(list);
    if (json_present(list) && kind != JSON_ARRAY && kind != JSON_OBJECT)
        return json_fail(list, "added_tokens", "a list", err);
    for (struct json v = json_first(list); json_kind(v); v = json_next(v)) {
        if (!json_str(json_get(v, "content"), &content))
            return json_fail(json_get(v, "content"), "content", "text in each of added_tokens", err);
        bytes += content.len;
    }
    LR_TRY(added_init(a, json_count(list), bytes, json_name(list.doc), err));
    for (struct json v = json_first(list); json_kind(v); v = json_next(v)) LR_TRY(put_json(a, model, v, err));
    return LR_OK;
}

static int compare_ids(const void *x, const void *y, void *tokens) {
    const struct added_token *t = tokens;
    uint32_t a = t[*(const uint32_t *)x].id, b = t[*(const uint32_t *)y].id;
    return a < b ? -1 : a > b;
}

enum lr_status added_finish(struct added *a, const struct normalizer *n, struct lr_error *err) {
    struct lr_buf normal = {0};
    enum lr_status status = LR_OK;
    for (uint32_t i = 0; i < a->count && status == LR_OK; i++) {
        const struct added_token *t = &a->tokens[i];
        struct lr_str text = vocab_piece(&a->contents, i);
        a->by_id[i] = i;
        int rc = t->raw ? matcher_add(&a->raw, text, i) : 0;
        if (t->normalized && n) {
            normal.len = 0;
            status = normalizer_apply(n, text, &normal, NULL, err);
            text = lr_buf_str(&normal);
        }
        if (t->normalized && text.len && !rc) rc = matcher_add(&a->normal, text, i);
        if (rc && status == LR_OK) status = lr_fail_memory(err, "added_tokens", text.len);
    }
    lr_buf_free(&normal);
    if (status == LR_OK) qsort_r(a->by_id, a->count, sizeof *a->by_id, compare_ids, a->tokens);
    return status;
}

/* ---- search */

static bool inside_word(struct lr_str text, size_t begin, size_t end) {
    size_t len;
    struct lr_str before = {text.data, begin}, behind = lr_str_from(text, end);
    return (before.len && unicode_is_word(utf8_read_last(before, &len))) ||
           (behind.len && unicode_is_word(utf8_read(behind, &len)));
}

static size_t strip_left(struct lr_str text, size_t begin, size_t stop) {
    while (begin > stop) {
        size_t len;
        if (!unicode_is_space(utf8_read_last((struct lr_str){text.data, begin}, &len))) break;
        begin -= len;
    }
    return begin;
}

/* Where the blanks at `end` end. The last run is remembered, so that many tokens in it do not walk it each.
 */
static size_t strip_right(struct lr_str text, size_t end, struct added_search *s) {
    if (end >= s->blank_begin && end < s->blank_end) return s->blank_end;
    s->blank_begin = end;
    while (end < text.len) {
        size_t len;
        if (!unicode_is_space(utf8_read(lr_str_from(text, end), &len))) break;
        end += len;
    }
    s->blank_end = end;
    return end;
}

bool added_next(const struct added *a, bool normalized, struct lr_str text, struct added_search *s) {
    for (;;) {
        s->number = matcher_find(normalized ? &a->normal : &a->raw, text, s->from, &s->begin, &s->end);
        if (s->number == MATCHER_NONE) return false;
        s->from = s->end;
        const struct added_token *t = &a->tokens[s->number];
        if (t->single_word && inside_word(text, s->begin, s->end)) continue;
        if (t->lstrip) s->begin = strip_left(text, s->begin, s->done);
        if (t->rstrip) s->end = strip_right(text, s->end, s);
        return true;
    }
}

/* ---- look-up */

const struct added_token *added_by_id(const struct added *a, uint32_t id, struct lr_str *content) {
    uint32_t low = 0, high = a->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (a->tokens[a->by_id[middle]].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == a->count || a->tokens[a->by_id[low]].id != id) return NULL;
    if (content) *content = vocab_piece(&a->contents, a->by_id[low]);
    return &a->tokens[a->by_id[low]];
}

uint32_t added_find(const struct added *a, struct lr_str content) {
    uint32_t number = vocab_find(&a->contents, content);
    return number == VOCAB_NONE ? VOCAB_NONE : a->tokens[number].id;
}

size_t added_memory(const struct added *a) {
    return vocab_memory(&a->contents) + a->count * (sizeof *a->tokens + sizeof *a->by_id) +
           matcher_memory(&a->raw) + matcher_memory(&a->normal);
}
