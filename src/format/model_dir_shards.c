/* Which .safetensors files are the model: what transformers would take, in its order. */
#include "format/model_dir_parts.h"

#include "base/mem.h"
#include "format/json.h"
#include "format/lfs.h"

#include <stdio.h>
#include <stdlib.h>

#define MAX_INDEX (UINT64_C(100) * 1000 * 1000)

static int compare_str(const void *a, const void *b) {
    return lr_str_cmp(*(const struct lr_str *)a, *(const struct lr_str *)b);
}

static enum lr_status add_shard(const struct listing *l, const char *name, struct model_dir *d,
                                struct lr_error *err) {
    LR_TRY(listing_path(l, name, &d->shards[d->n_shards], err));
    d->n_shards++;
    return LR_OK;
}

/* Whether `name` is there; a link to nothing is not. */
static enum lr_status is_there(const struct listing *l, const char *name, bool *there, struct lr_error *err) {
    *there = false;
    if (!listing_has(l, name)) return LR_OK;
    char *path = file_join(l->path, name);
    if (!path) return lr_fail_memory(err, l->path, strlen(l->path) + strlen(name) + 2);
    enum file_kind kind = file_kind(path);
    *there = kind != FILE_ABSENT && kind != FILE_DANGLING;
    lr_free(path);
    return LR_OK;
}

/* Takes the shards called names[0..n-1] (NUL-terminated), in order; all must be there. */
static enum lr_status take_shards(const struct listing *l, struct lr_str *names, size_t n,
                                  struct model_dir *d, struct lr_error *err) {
    size_t n_missing = 0;
    d->shards = lr_calloc(n, sizeof *d->shards);
    if (!d->shards) return lr_fail_memory(err, l->path, n * sizeof *d->shards);
    for (size_t i = 0; i < n; i++) {
        bool there;
        LR_TRY(is_there(l, names[i].data, &there, err));
        if (there)
            LR_TRY(add_shard(l, names[i].data, d, err));
        else
            names[n_missing++] = names[i];
    }
    return n_missing ? model_dir_refuse_missing(l, names, n_missing, n, err) : LR_OK;
}

/* ---- with an index */

/* The distinct file names of a weight_map, sorted; `names` has room for one per tensor. */
static enum lr_status index_names(struct json map, const char *index, struct lr_str *names, size_t *n,
                                  struct lr_error *err) {
    size_t all = 0;
    for (struct json v = json_first(map); json_kind(v); v = json_next(v)) {
        struct lr_str name;
        if (!json_str(v, &name) || !name.len || strchr(name.data, '/')) {
            struct lr_str tensor = lr_str_cut(json_key(v), 200);
            return lr_fail(err, LR_EMODEL, "%s: weight_map gives no plain file name for tensor '%.*s'", index,
                           LR_STR_ARGS(tensor));
        }
        names[all++] = name;
    }
    if (all) qsort(names, all, sizeof *names, compare_str);
    *n = 0;
    for (size_t i = 0; i < all; i++)
        if (*n == 0 || !lr_str_eq(names[*n - 1], names[i])) names[(*n)++] = names[i];
    return LR_OK;
}

static enum lr_status take_indexed(const struct listing *l, struct json root, struct model_dir *d,
                                   struct lr_error *err) {
    struct json map = json_get(root, "weight_map");
    size_t n = json_count(map);
    if (json_kind(map) != JSON_OBJECT || !n)
        return lr_fail(err, LR_EMODEL, "%s: weight_map is missing or empty", d->index);
    struct lr_str *names = lr_calloc(n, sizeof *names);
    if (!names) return lr_fail_memory(err, d->index, n * sizeof *names);
    enum lr_status status = index_names(map, d->index, names, &n, err);
    if (status == LR_OK) status = take_shards(l, names, n, d, err);
    lr_free(names);
    return status;
}

static enum lr_status find_indexed(const struct listing *l, struct model_dir *d, struct lr_error *err) {
    struct json_doc *doc;
    LR_TRY(listing_path(l, INDEX_NAME, &d->index, err));
    if (!d->index) return LR_OK;
    LR_TRY(lfs_check_file(d->index, err));
    LR_TRY(json_open(d->index, MAX_INDEX, &doc, err));
    enum lr_status status = take_indexed(l, json_root(doc), d, err);
    json_close(doc);
    return status;
}

/* ---- without: model-I-of-N.safetensors */

struct part {
    uint32_t number, of;
    struct lr_str name;
};

/* Digits at `*s` as a number below 10^7 (0: none). */
static uint32_t take_number(struct lr_str *s) {
    uint32_t value = 0;
    while (s->len && *s->data >= '0' && *s->data <= '9' && value < 1000000) {
        value = value * 10 + (uint32_t)(*s->data - '0');
        *s = lr_str_from(*s, 1);
    }
    return value;
}

static bool parse_part(const char *file, struct part *out) {
    struct lr_str s = lr_str_of(file);
    out->name = s;
    if (!lr_str_starts(s, LR_STR("model-"))) return false;
    s = lr_str_from(s, 6);
    out->number = take_number(&s);
    if (!lr_str_starts(s, LR_STR("-of-"))) return false;
    s = lr_str_from(s, 4);
    out->of = take_number(&s);
    return lr_str_is(s, ".safetensors") && out->number >= 1 && out->number <= out->of;
}

static int compare_part(const void *a, const void *b) {
    const struct part *x = a, *y = b;
    if (x->of != y->of) return x->of < y->of ? -1 : 1;
    if (x->number != y->number) return x->number < y->number ? -1 : 1;
    return lr_str_cmp(x->name, y->name);
}

/* The parts of a set of `of`: p[0..n-1], sorted by number. */
static enum lr_status refuse_part_set(const struct listing *l, const struct part *p, size_t n,
                                      struct lr_error *err) {
    struct lr_str missing[MODEL_DIR_SHOWN];
    char text[MODEL_DIR_SHOWN][64];
    size_t n_missing = 0, have = 0;
    for (uint32_t number = 1; number <= p[0].of && n_missing < MODEL_DIR_SHOWN; number++) {
        while (have < n && p[have].number < number) have++;
        if (have < n && p[have].number == number) continue;
        snprintf(text[n_missing], sizeof text[0], "model-%05u-of-%05u.safetensors", number, p[0].of);
        missing[n_missing] = lr_str_of(text[n_missing]);
        n_missing++;
    }
    return model_dir_refuse_missing(l, missing, p[0].of - n, p[0].of, err);
}

/* One set whose parts are p[0..n-1]. */
static enum lr_status take_part_set(const struct listing *l, const struct part *p, size_t n,
                                    struct model_dir *d, struct lr_error *err) {
    for (size_t i = 1; i < n; i++)
        if (p[i].number == p[i - 1].number)
            return lr_fail(err, LR_EMODEL, "%s: both %s and %s claim to be part %u of %u", l->path,
                           p[i - 1].name.data, p[i].name.data, p[i].number, p[i].of);
    if (n < p[0].of) return refuse_part_set(l, p, n, err);
    struct lr_str *names = lr_calloc(n, sizeof *names);
    if (!names) return lr_fail_memory(err, l->path, n * sizeof *names);
    for (size_t i = 0; i < n; i++) names[i] = p[i].name;
    enum lr_status status = take_shards(l, names, n, d, err);
    lr_free(names);
    return status;
}

/* Sorted parts of possibly several sets: the complete one, or, where none is, the one with the most parts. */
static enum lr_status choose_part_set(const struct listing *l, const struct part *p, size_t n,
                                      struct model_dir *d, struct lr_error *err) {
    size_t best = 0, best_n = 0, complete = 0;
    for (size_t i = 0, count; i < n; i += count) {
        for (count = 1; i + count < n && p[i + count].of == p[i].of;) count++;
        bool whole = count >= p[i].of;
        if (whole && complete)
            return lr_fail(err, LR_EMODEL, "%s holds two sets of shards, of %u and of %u, and no index",
                           l->path, p[best].of, p[i].of);
        if (whole || (!complete && count > best_n)) {
            best = i;
            best_n = count;
        }
        complete += whole;
    }
    return take_part_set(l, p + best, best_n, d, err);
}

static enum lr_status find_parts(const struct listing *l, struct model_dir *d, struct lr_error *err) {
    struct part *parts = lr_calloc(l->files.count, sizeof *parts);
    size_t n = 0;
    if (!parts) return lr_fail_memory(err, l->path, l->files.count * sizeof *parts);
    for (size_t i = 0; i < l->files.count; i++)
        if (parse_part(l->files.names[i], &parts[n])) n++;
    enum lr_status status = LR_OK;
    if (n) {
        qsort(parts, n, sizeof *parts, compare_part);
        status = choose_part_set(l, parts, n, d, err);
    }
    lr_free(parts);
    return status;
}

enum lr_status model_dir_find_shards(const struct listing *l, struct model_dir *d, struct lr_error *err) {
    struct lr_str single = LR_STR("model.safetensors");
    if (listing_has(l, single.data)) return take_shards(l, &single, 1, d, err);
    LR_TRY(find_indexed(l, d, err));
    return d->n_shards ? LR_OK : find_parts(l, d, err);
}

uint64_t model_dir_total_size(const struct model_dir *d) {
    struct json_doc *doc;
    uint64_t size = 0;
    if (!d->index || json_open(d->index, MAX_INDEX, &doc, NULL) != LR_OK) return 0;
    json_u64(json_get(json_get(json_root(doc), "metadata"), "total_size"), &size);
    json_close(doc);
    return size;
}
