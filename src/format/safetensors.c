#include "format/safetensors.h"

#include "base/checked.h"
#include "base/mem.h"
#include "format/json.h"
#include "format/lfs.h"
#include "sys/file.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define LENGTH_BYTES   8u
#define NAME_IN_ERRORS 200u

/* "FILE: tensor 'NAME' ..." */
static enum lr_status __attribute__((format(printf, 4, 5)))
fail_tensor(const char *file, struct lr_str name, struct lr_error *err, const char *fmt, ...) {
    char what[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    name = lr_str_cut(name, NAME_IN_ERRORS);
    return lr_fail(err, LR_EMODEL, "%s: tensor '%.*s' %s", file, LR_STR_ARGS(name), what);
}

/* ---- the first eight bytes */

/* What lies under the name of a safetensors file now and then, known by its first bytes. */
static const struct {
    struct lr_str head;
    const char *what, *way_out;
} foreign[] = {
    {{"GGUF", 4}, "a GGUF file", "download the original directory with its .safetensors files"},
    {{"PK\3\4", 4}, "a ZIP archive (PyTorch's form?)", "convert it to safetensors, or unpack it"},
    {{"\x80\x02", 2}, "a pickle (PyTorch's form)", "convert it to safetensors"},
    {{"\x1f\x8b", 2}, "a gzip archive", "unpack it"},
    {{"<!", 2}, "a web page (a download that failed?)", "download the file again"},
    {{"<html", 5}, "a web page (a download that failed?)", "download the file again"},
};

static enum lr_status fail_length(const uint8_t *data, uint64_t length, uint64_t file_size, const char *name,
                                  struct lr_error *err) {
    bool text = true;
    for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++)
        if (memcmp(data, foreign[i].head.data, foreign[i].head.len) == 0)
            return lr_fail(err, LR_EMODEL, "%s is not a safetensors file but %s: %s", name, foreign[i].what,
                           foreign[i].way_out);
    for (size_t i = 0; i < LENGTH_BYTES; i++)
        text = text && ((data[i] >= ' ' && data[i] < 0x7f) || data[i] == '\n' || data[i] == '\r');
    if (text)
        return lr_fail(err, LR_EMODEL, "%s is not a safetensors file: it begins with the text '%.8s'", name,
                       (const char *)data);
    if (length > ST_MAX_HEADER)
        return lr_fail(
            err, LR_EMODEL,
            "%s: the header is said to have %s bytes, at most %s are read (not a safetensors file?)", name,
            lr_commas(length).text, lr_commas(ST_MAX_HEADER).text);
    return lr_fail(err, LR_EMODEL, "%s: the header ends at byte %s, the file has %s (a download cut short?)",
                   name, lr_commas(LENGTH_BYTES + length).text, lr_commas(file_size).text);
}

/* Reads and checks the header's length. */
static enum lr_status read_length(const uint8_t *data, uint64_t len, uint64_t file_size, const char *name,
                                  uint64_t *length, struct lr_error *err) {
    LR_TRY(lfs_check((struct lr_str){(const char *)data, (size_t)len}, name, err));
    if (len < LENGTH_BYTES)
        return lr_fail(err, LR_EMODEL,
                       "%s has %s bytes, a safetensors file has at least 8 (a download cut short?)", name,
                       lr_commas(file_size).text);
    *length = 0;
    for (size_t i = 0; i < LENGTH_BYTES; i++) *length |= (uint64_t)data[i] << (8 * i);
    if (*length > ST_MAX_HEADER || *length > file_size - LENGTH_BYTES)
        return fail_length(data, *length, file_size, name, err);
    return LR_OK;
}

/* ---- one tensor */

static enum lr_status read_shape(struct json shape, const char *file, struct st_tensor *t,
                                 struct lr_error *err) {
    if (json_kind(shape) != JSON_ARRAY) return fail_tensor(file, t->name, err, "has no shape");
    if (json_count(shape) > ST_MAX_RANK)
        return fail_tensor(file, t->name, err, "has %s dimensions, at most %u are supported",
                           lr_commas(json_count(shape)).text, ST_MAX_RANK);
    for (struct json v = json_first(shape); json_kind(v); v = json_next(v))
        if (!json_u64(v, &t->shape[t->rank++]))
            return fail_tensor(file, t->name, err, "has a shape that does not consist of whole numbers");
    return LR_OK;
}

/* Offsets from the beginning of the data. */
static enum lr_status read_offsets(struct json offsets, const char *file, struct st_tensor *t,
                                   struct lr_error *err) {
    uint64_t end;
    if (json_kind(offsets) != JSON_ARRAY || json_count(offsets) != 2 ||
        !json_u64(json_at(offsets, 0), &t->offset) || !json_u64(json_at(offsets, 1), &end))
        return fail_tensor(file, t->name, err, "has no data_offsets of two whole numbers");
    if (end < t->offset)
        return fail_tensor(file, t->name, err, "has data_offsets that end (%s) before they begin (%s)",
                           lr_commas(end).text, lr_commas(t->offset).text);
    t->bytes = end - t->offset;
    return LR_OK;
}

static enum lr_status check_bytes(const char *file, const struct st_tensor *t, struct lr_error *err) {
    if (t->dtype == LR_OTHER) return LR_OK; /* of a size that cannot be known */
    uint64_t elements = 1, bits = lr_dtype_bits(t->dtype), bytes;
    bool wide = false; /* beyond 64 bits */
    for (uint32_t i = 0; i < t->rank; i++) wide |= lr_mul_u64(elements, t->shape[i], &elements);
    if (bits % 8 == 0) {
        wide |= lr_mul_u64(elements, bits / 8, &bytes);
    } else {
        wide |= lr_mul_u64(elements, bits, &bits);
        bytes = bits / 8 + (bits % 8 != 0);
    }
    if (wide) return fail_tensor(file, t->name, err, "has a shape whose size overflows 64 bits");
    if (bits % 8)
        return fail_tensor(file, t->name, err, "has %s bits, which are no whole bytes", lr_commas(bits).text);
    if (bytes != t->bytes)
        return fail_tensor(file, t->name, err, "has %s bytes of data, its shape and dtype %s make %s",
                           lr_commas(t->bytes).text, lr_dtype_name(t->dtype), lr_commas(bytes).text);
    return LR_OK;
}

static enum lr_status read_tensor(struct json v, const char *file, struct st_tensor *t,
                                  struct lr_error *err) {
    struct lr_str dtype;
    t->name = json_key(v);
    if (json_kind(v) != JSON_OBJECT) return fail_tensor(file, t->name, err, "is not described by an object");
    if (!json_str(json_get(v, "dtype"), &dtype)) return fail_tensor(file, t->name, err, "has no dtype");
    if (!lr_dtype_parse(dtype, &t->dtype)) {
        dtype = lr_str_cut(dtype, ST_OTHER_DTYPE - 1);
        memcpy(t->other, dtype.data, dtype.len);
        t->dtype = LR_OTHER;
    }
    LR_TRY(read_shape(json_get(v, "shape"), file, t, err));
    LR_TRY(read_offsets(json_get(v, "data_offsets"), file, t, err));
    return check_bytes(file, t, err);
}

/* ---- all tensors */

static enum lr_status check_metadata(struct json metadata, const char *file, struct lr_error *err) {
    struct lr_str text;
    bool fine = json_kind(metadata) == JSON_OBJECT || json_kind(metadata) <= JSON_NULL;
    for (struct json v = json_first(metadata); json_kind(v); v = json_next(v))
        fine = fine && json_str(v, &text);
    return fine ? LR_OK : lr_fail(err, LR_EMODEL, "%s: __metadata__ is not an object of texts", file);
}

static enum lr_status read_tensors(struct json root, const char *file, struct st_header *out,
                                   struct lr_error *err) {
    if (json_kind(root) != JSON_OBJECT)
        return lr_fail(err, LR_EMODEL, "%s: the header is not an object", file);
    struct json metadata = json_get(root, "__metadata__");
    LR_TRY(check_metadata(metadata, file, err));
    out->tensors = lr_calloc(json_count(root), sizeof *out->tensors);
    if (!out->tensors) return lr_fail_memory(err, file, json_count(root) * sizeof *out->tensors);
    for (struct json v = json_first(root); json_kind(v); v = json_next(v))
        if (v.node != metadata.node) LR_TRY(read_tensor(v, file, &out->tensors[out->count++], err));
    return LR_OK;
}

/* Moves the names out of the JSON document into one block. */
static enum lr_status keep_names(struct st_header *h, const char *file, struct lr_error *err) {
    size_t size = 0;
    for (size_t i = 0; i < h->count; i++) size += h->tensors[i].name.len;
    char *to = h->names = lr_malloc(size);
    if (!to) return lr_fail_memory(err, file, size);
    for (size_t i = 0; i < h->count; i++) {
        struct lr_str *name = &h->tensors[i].name;
        memcpy(to, name->data, name->len);
        name->data = to;
        to += name->len;
    }
    return LR_OK;
}

static int compare_offsets(const void *a, const void *b) {
    const struct st_tensor *x = a, *y = b;
    if (x->offset != y->offset) return x->offset < y->offset ? -1 : 1;
    if (x->bytes != y->bytes) return x->bytes < y->bytes ? -1 : 1;
    return lr_str_cmp(x->name, y->name);
}

/* Makes the offset count from the beginning of the file, and demands that the file reaches so far. */
static enum lr_status place_tensor(const struct st_header *h, const char *file, struct st_tensor *t,
                                   struct lr_error *err) {
    uint64_t end;
    if (lr_add_u64(t->offset, h->data_begin, &t->offset) || lr_add_u64(t->offset, t->bytes, &end))
        return fail_tensor(file, t->name, err, "ends beyond 64 bits");
    if (end > h->file_size)
        return fail_tensor(file, t->name, err, "ends at byte %s, the file has %s (a download cut short?)",
                           lr_commas(end).text, lr_commas(h->file_size).text);
    return LR_OK;
}

/* Tensor `i` does not begin at byte `end`, where what stands before it ends. Either may be the one that is
 * wrong, so both are named. */
static enum lr_status refuse_neighbours(const struct st_header *h, size_t i, uint64_t end, const char *file,
                                        struct lr_error *err) {
    const struct st_tensor *t = &h->tensors[i], *before = i ? t - 1 : NULL;
    struct lr_str name = lr_str_cut(t->name, NAME_IN_ERRORS),
                  other = before ? lr_str_cut(before->name, NAME_IN_ERRORS) : LR_STR("");
    if (before && t->offset < end)
        return lr_fail(err, LR_EMODEL, "%s: tensors '%.*s' (bytes %s to %s) and '%.*s' (%s to %s) overlap",
                       file, LR_STR_ARGS(other), lr_commas(before->offset).text, lr_commas(end).text,
                       LR_STR_ARGS(name), lr_commas(t->offset).text, lr_commas(t->offset + t->bytes).text);
    return lr_fail(err, LR_EMODEL, "%s: a gap of %s byte%s between %s%.*s%s (to byte %s) and tensor '%.*s'",
                   file, lr_commas(t->offset - end).text, t->offset - end == 1 ? "" : "s",
                   before ? "tensor '" : "the header", LR_STR_ARGS(other), before ? "'" : "",
                   lr_commas(end).text, LR_STR_ARGS(name));
}

/* Sorts by offset, and demands that nothing overlaps and nothing lies between. */
static enum lr_status place_tensors(struct st_header *h, const char *file, struct lr_error *err) {
    if (h->count) qsort(h->tensors, h->count, sizeof *h->tensors, compare_offsets);
    for (size_t i = 0; i < h->count; i++) LR_TRY(place_tensor(h, file, &h->tensors[i], err));
    uint64_t at = h->data_begin;
    for (size_t i = 0; i < h->count; i++) {
        if (h->tensors[i].offset != at) return refuse_neighbours(h, i, at, file, err);
        at += h->tensors[i].bytes;
    }
    if (at != h->file_size)
        return lr_fail(err, LR_EMODEL,
                       "%s: the tensors end at byte %s, the file has %s: %s too many (a download that was "
                       "resumed wrongly?)",
                       file, lr_commas(at).text, lr_commas(h->file_size).text,
                       lr_commas(h->file_size - at).text);
    return LR_OK;
}

static enum lr_status fill_header(struct json root, const char *name, struct st_header *out,
                                  struct lr_error *err) {
    LR_TRY(read_tensors(root, name, out, err));
    LR_TRY(keep_names(out, name, err));
    return place_tensors(out, name, err);
}

enum lr_status st_header_parse(const uint8_t *data, uint64_t len, uint64_t file_size, const char *name,
                               struct st_header *out, struct lr_error *err) {
    uint64_t length = 0;
    struct json_doc *doc = NULL;
    struct lr_buf label = {0};
    *out = (struct st_header){.file_size = file_size};
    LR_TRY(read_length(data, len, file_size, name, &length, err));
    if (len - LENGTH_BYTES < length)
        return lr_fail(err, LR_EMODEL, "%s ended while its header was read (is it being written?)", name);
    if (lr_buf_printf(&label, "%s: header", name)) return lr_fail_memory(err, name, strlen(name));
    out->data_begin = LENGTH_BYTES + length;
    enum lr_status status =
        json_parse((const char *)data + LENGTH_BYTES, (size_t)length, label.data, &doc, err);
    if (status == LR_OK) status = fill_header(json_root(doc), name, out, err);
    json_close(doc);
    lr_buf_free(&label);
    if (status != LR_OK) st_header_close(out);
    return status;
}

enum lr_status st_header_open(const char *path, struct st_header *out, struct lr_error *err) {
    char *data;
    size_t len;
    uint64_t file_size, length = 0;
    *out = (struct st_header){0};
    LR_TRY(file_read_head(path, LFS_MAX_POINTER, &data, &len, &file_size, err));
    enum lr_status status = read_length((const uint8_t *)data, len, file_size, path, &length, err);
    lr_free(data);
    if (status != LR_OK) return status;
    LR_TRY(file_read_head(path, LENGTH_BYTES + length, &data, &len, &file_size, err));
    status = st_header_parse((const uint8_t *)data, len, file_size, path, out, err);
    lr_free(data);
    return status;
}

void st_header_close(struct st_header *h) {
    lr_free(h->tensors);
    lr_free(h->names);
    *h = (struct st_header){0};
}
