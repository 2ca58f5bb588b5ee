#include "weights/catalog.h"

#include "base/checked.h"
#include "base/mem.h"
#include "format/json.h"
#include "kernel/quant.h"

#include <stdlib.h>

#define MAX_INDEX      (UINT64_C(100) * 1000 * 1000)
#define NAME_IN_ERRORS 200u

static int compare_records(const void *a, const void *b) {
    const struct tensor_record *x = a, *y = b;
    return lr_str_cmp(x->name, y->name);
}

static const char *base_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* ---- building */

/* Appends the tensors of a shard's header, whose names the catalog takes over. */
static enum lr_status add_header(struct catalog *c, size_t *cap, struct st_header *h, struct lr_error *err) {
    uint32_t file = (uint32_t)c->n_files - 1;
    c->files[file].size = h->file_size;
    c->files[file].names = h->names;
    h->names = NULL;
    if (lr_grow(&c->tensors, cap, c->count + h->count, sizeof *c->tensors))
        return lr_fail_memory(err, "the catalog", (c->count + h->count) * sizeof *c->tensors);
    for (size_t i = 0; i < h->count; i++) {
        const struct st_tensor *t = &h->tensors[i];
        struct tensor_record *r = &c->tensors[c->count++];
        *r = (struct tensor_record){.name = t->name, .dtype = t->dtype, .rank = t->rank, .file = file};
        memcpy(r->other, t->other, sizeof r->other);
        memcpy(r->shape, t->shape, sizeof r->shape);
        r->offset = t->offset;
        r->bytes = t->bytes;
        if (lr_add_u64(c->total_bytes, t->bytes, &c->total_bytes))
            return lr_fail(err, LR_EMODEL, "%s: the tensors' sizes overflow 64 bits", c->files[file].path);
    }
    return LR_OK;
}

static enum lr_status add_shard(struct catalog *c, size_t *cap, const char *path, struct lr_error *err) {
    struct st_header header;
    LR_TRY(st_header_open(path, &header, err));
    char *own = lr_str_dup(lr_str_of(path));
    enum lr_status status;
    if (own) {
        c->files[c->n_files++].path = own;
        status = add_header(c, cap, &header, err);
    } else {
        status = lr_fail_memory(err, path, strlen(path) + 1);
    }
    st_header_close(&header);
    return status;
}

/* ---- checks */

static enum lr_status check_unique(const struct catalog *c, struct lr_error *err) {
    for (size_t i = 1; i < c->count; i++) {
        const struct tensor_record *a = &c->tensors[i - 1], *b = &c->tensors[i];
        if (!lr_str_eq(a->name, b->name)) continue;
        struct lr_str name = lr_str_cut(a->name, NAME_IN_ERRORS);
        return lr_fail(err, LR_EMODEL, "%s: tensor '%.*s' is in %s too", c->files[a->file].path,
                       LR_STR_ARGS(name), base_name(c->files[b->file].path));
    }
    return LR_OK;
}

/* A weight_map's entry: the tensor must be in the file that it names. */
static enum lr_status check_entry(const struct catalog *c, struct json entry, const char *index,
                                  struct lr_error *err) {
    struct lr_str file = LR_STR(""), name = json_key(entry), shown = lr_str_cut(name, NAME_IN_ERRORS);
    const struct tensor_record *t = catalog_find(c, name);
    json_str(entry, &file);
    if (t && lr_str_is(file, base_name(c->files[t->file].path))) return LR_OK;
    file = lr_str_cut(file, NAME_IN_ERRORS);
    if (!t)
        return lr_fail(err, LR_EMODEL, "%s: tensor '%.*s' should be in %.*s, which does not hold it", index,
                       LR_STR_ARGS(shown), LR_STR_ARGS(file));
    return lr_fail(err, LR_EMODEL, "%s: tensor '%.*s' should be in %.*s, but is in %s", index,
                   LR_STR_ARGS(shown), LR_STR_ARGS(file), base_name(c->files[t->file].path));
}

static enum lr_status check_map(const struct catalog *c, struct json map, const char *index,
                                struct lr_error *err) {
    for (struct json v = json_first(map); json_kind(v); v = json_next(v))
        LR_TRY(check_entry(c, v, index, err));
    for (size_t i = 0; i < c->count; i++) {
        if (json_kind(json_get_str(map, c->tensors[i].name))) continue;
        struct lr_str name = lr_str_cut(c->tensors[i].name, NAME_IN_ERRORS);
        return lr_fail(err, LR_EMODEL, "%s: tensor '%.*s' of %s is not listed", index, LR_STR_ARGS(name),
                       base_name(c->files[c->tensors[i].file].path));
    }
    return LR_OK;
}

static enum lr_status check_index(const struct catalog *c, const char *index, struct lr_error *err) {
    struct json_doc *doc;
    LR_TRY(json_open(index, MAX_INDEX, &doc, err));
    enum lr_status status = check_map(c, json_get(json_root(doc), "weight_map"), index, err);
    json_close(doc);
    return status;
}

static enum lr_status build(struct catalog *c, const struct model_dir *dir, struct lr_error *err) {
    size_t cap = 0;
    c->files = lr_calloc(dir->n_shards, sizeof *c->files);
    if (!c->files) return lr_fail_memory(err, "the catalog", dir->n_shards * sizeof *c->files);
    for (size_t i = 0; i < dir->n_shards; i++) LR_TRY(add_shard(c, &cap, dir->shards[i], err));
    if (c->count) qsort(c->tensors, c->count, sizeof *c->tensors, compare_records);
    LR_TRY(check_unique(c, err));
    return dir->index ? check_index(c, dir->index, err) : LR_OK;
}

enum lr_status catalog_open(const struct model_dir *dir, struct catalog *out, struct lr_error *err) {
    *out = (struct catalog){0};
    enum lr_status status = build(out, dir, err);
    if (status != LR_OK) catalog_close(out);
    return status;
}

enum lr_status catalog_make(size_t count, size_t name_bytes, struct catalog *out, struct lr_error *err) {
    *out = (struct catalog){.tensors = lr_calloc(count, sizeof *out->tensors),
                            .made_names = lr_malloc(name_bytes)};
    if (out->tensors && out->made_names) return LR_OK;
    catalog_close(out);
    return lr_fail_memory(err, "the catalog", count * sizeof *out->tensors + name_bytes);
}

void catalog_add(struct catalog *c, struct lr_str name, enum lr_dtype dtype, uint64_t rows, uint64_t cols) {
    char *own = c->made_names + c->made_bytes;
    memcpy(own, name.data, name.len);
    c->made_bytes += name.len;
    struct tensor_record *t = &c->tensors[c->count++];
    *t = (struct tensor_record){.name = {own, name.len}, .dtype = dtype, .rank = cols ? 2 : 1};
    t->shape[0] = rows;
    t->shape[1] = cols;
    t->offset = c->total_bytes;
    uint64_t step = quant_rows(dtype);
    t->bytes =
        cols ? (rows + step - 1) / step * step * quant_row_bytes(dtype, cols) : rows * lr_dtype_size(dtype);
    c->total_bytes += t->bytes;
}

void catalog_sort(struct catalog *c) {
    qsort(c->tensors, c->count, sizeof *c->tensors, compare_records);
}

void catalog_close(struct catalog *c) {
    for (size_t i = 0; i < c->n_files; i++) {
        lr_free(c->files[i].path);
        lr_free(c->files[i].names);
    }
    lr_free(c->files);
    lr_free(c->made_names);
    lr_free(c->scales);
    lr_free(c->scale_values);
    lr_free(c->tensors);
    *c = (struct catalog){0};
}

struct tensor_record *catalog_record(struct catalog *c, struct lr_str name) {
    const struct tensor_record *found = catalog_find(c, name);
    return found ? &c->tensors[found - c->tensors] : NULL;
}

const struct tensor_record *catalog_find(const struct catalog *c, struct lr_str name) {
    const struct tensor_record key = {.name = name};
    return c->count ? bsearch(&key, c->tensors, c->count, sizeof *c->tensors, compare_records) : NULL;
}
