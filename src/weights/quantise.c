#include "weights/quantise.h"

#include "base/json_write.h"
#include "base/mem.h"
#include "base/pages.h"
#include "sys/disk.h"
#include "sys/file.h"
#include "weights/readers.h"

#include <stdio.h>

#define BLOCK_BYTES (UINT64_C(4) << 20) /* of the source, about */
#define BLOCKS_MOST 16u
#define READERS     16u
#define PIECE_BYTES (UINT64_C(128) << 10) /* written at once, about */
#define DATA_ALIGN  64u

/* ---- what becomes of a tensor */

const struct quantise_kind quantise_kinds[] = {{QUANT_Q8, false}, {QUANT_Q4, false}, {QUANT_Q4, true}};

const char *quantise_name(struct quantise_kind kind) {
    return kind.format == QUANT_Q4 && kind.head_q8 ? "q4+q8" : quant_name(kind.format);
}

enum lr_dtype quantise_dtype(const struct plan_tensor *t, struct quantise_kind kind) {
    const struct tensor_record *r = t->record;
    if (r->rank != 2 || t->kind == WEIGHT_VECTOR) return r->dtype;
    bool smaller = quant_row_bytes(LR_Q4, r->shape[1]) < quant_row_bytes(LR_Q8, r->shape[1]);
    bool q8 = t->kind == WEIGHT_ROWS || (t->kind == WEIGHT_ESSENTIAL && kind.head_q8);
    return kind.format == QUANT_Q4 && smaller && !q8 ? LR_Q4 : LR_Q8;
}

static uint64_t bytes_as(const struct tensor_record *r, enum lr_dtype dtype) {
    uint64_t step = quant_rows(dtype);
    if (step == 1) return r->bytes;
    return (r->shape[0] + step - 1) / step * step * quant_row_bytes(dtype, r->shape[1]);
}

uint64_t quantise_bytes(const struct plan_tensor *tensors, size_t n, struct quantise_kind kind) {
    uint64_t sum = 0;
    for (size_t i = 0; i < n; i++) sum += bytes_as(tensors[i].record, quantise_dtype(&tensors[i], kind));
    return sum;
}

/* ---- the header */

static int append_tensor(struct lr_buf *b, const struct plan_tensor *t, struct quantise_kind kind,
                         uint64_t *at) {
    const struct tensor_record *r = t->record;
    enum lr_dtype dtype = quantise_dtype(t, kind);
    uint64_t end = *at + bytes_as(r, dtype), groups = (r->shape[0] + QUANT_ROWS - 1) / QUANT_ROWS;
    int bad = lr_buf_append_char(b, ',') | json_write_string(b, r->name);
    if (quant_rows(dtype) > 1)
        bad |= lr_buf_printf(b, ":{\"dtype\":\"U8\",\"shape\":[%llu,%llu]", (unsigned long long)groups,
                             (unsigned long long)((end - *at) / (groups ? groups : 1)));
    else
        bad |= lr_buf_printf(b, ":{\"dtype\":\"%s\",\"shape\":[%llu]", lr_dtype_name(dtype),
                             (unsigned long long)r->shape[0]);
    bad |=
        lr_buf_printf(b, ",\"data_offsets\":[%llu,%llu]}", (unsigned long long)*at, (unsigned long long)end);
    *at = end;
    return bad;
}

/* What a reader needs to know of each quantised tensor: "q8 7000 x 512". */
static int append_description(struct lr_buf *b, const struct plan_tensor *t, struct quantise_kind kind) {
    enum lr_dtype dtype = quantise_dtype(t, kind);
    if (quant_rows(dtype) == 1) return 0;
    return lr_buf_append_char(b, ',') | json_write_string(b, t->record->name) |
           lr_buf_printf(b, ":\"%s %llu x %llu\"", lr_dtype_label(dtype),
                         (unsigned long long)t->record->shape[0], (unsigned long long)t->record->shape[1]);
}

/* The 8 bytes of the length, the header, and blanks up to where data is aligned. */
static enum lr_status make_header(const struct quantise_job *job, struct lr_buf *b, uint64_t *data_bytes,
                                  struct lr_error *err) {
    static const char length[8];
    *data_bytes = 0;
    int bad = lr_buf_append(b, length, sizeof length) |
              lr_buf_printf(
                  b, "{\"__metadata__\":{\"format\":\"llm-run quantised %d\",\"quant\":\"%s\",\"origin\":",
                  QUANTISE_VERSION, quantise_name(job->kind)) |
              json_write_string(b, lr_str_of(job->origin));
    for (size_t i = 0; i < job->n_tensors; i++) bad |= append_description(b, &job->tensors[i], job->kind);
    bad |= lr_buf_append_char(b, '}');
    for (size_t i = 0; i < job->n_tensors; i++)
        bad |= append_tensor(b, &job->tensors[i], job->kind, data_bytes);
    bad |= lr_buf_append_char(b, '}');
    while (!bad && b->len % DATA_ALIGN) bad |= lr_buf_append_char(b, ' ');
    if (bad) return lr_fail_memory(err, "a file's header", b->len);
    for (size_t i = 0; i < 8; i++) b->data[i] = (char)((b->len - 8) >> (8 * i));
    return LR_OK;
}

/* ---- the work */

/* A block of rows of one tensor on its way. */
struct block {
    struct read_request request;
    char *memory; /* room for the aligned superset of any block */
    const struct plan_tensor *tensor;
    uint64_t first, n; /* rows; a vector is one block of all */
    uint64_t out;      /* where in the file it goes */
};

struct work {
    const struct quantise_job *job;
    int fd;           /* the file that is written, ... */
    const char *name; /* ... and what messages call it */
    struct readers *readers;
    struct block blocks[BLOCKS_MOST];
    uint32_t n_blocks;
    char *taken;         /* their memory, as allocated */
    char *pieces;        /* some quantised groups of each thread */
    uint64_t piece_room; /* bytes of each */
    size_t tensor;       /* the next block is of this one, ... */
    uint64_t row;        /* ... from this row on */
    uint64_t out;        /* where in the file that goes */
    uint64_t done, all;  /* bytes of the source */
    struct block *block; /* the one that is quantised now */
    enum lr_status status;
    struct lr_error *err;
    pthread_mutex_t failing;
};

static uint64_t source_row(const struct tensor_record *r) {
    return r->rank == 2 ? r->shape[1] * lr_dtype_size(r->dtype) : r->bytes;
}

/* Rows of one block of a matrix, in whole groups. */
static uint64_t block_rows(const struct tensor_record *r) {
    uint64_t row = source_row(r), rows = row ? BLOCK_BYTES / row : QUANT_ROWS;
    if (r->rank != 2) return 1;
    rows -= rows % QUANT_ROWS;
    return rows ? rows : QUANT_ROWS;
}

static uint64_t group_bytes(const struct tensor_record *r, enum lr_dtype dtype) {
    return QUANT_ROWS * quant_row_bytes(dtype, r->shape[1]);
}
/* Groups of a piece: large writes take less time, and of what one thread writes another waits for the end. */
static uint64_t piece_groups(const struct tensor_record *r, enum lr_dtype dtype) {
    uint64_t bytes = group_bytes(r, dtype);
    return bytes && bytes < PIECE_BYTES ? PIECE_BYTES / bytes : 1;
}

/* What the largest block takes, and the largest piece once it is quantised. */
static void measure(struct work *w, uint64_t *block_room) {
    const struct quantise_job *job = w->job;
    uint64_t most = 0;
    for (size_t i = 0; i < job->n_tensors; i++) {
        const struct tensor_record *r = job->tensors[i].record;
        enum lr_dtype dtype = quantise_dtype(&job->tensors[i], job->kind);
        uint64_t bytes = source_row(r) * block_rows(r);
        uint64_t piece = quant_rows(dtype) > 1 ? piece_groups(r, dtype) * group_bytes(r, dtype) : 0;
        if (bytes > r->bytes) bytes = r->bytes;
        if (bytes > most) most = bytes;
        if (piece > w->piece_room) w->piece_room = piece;
    }
    *block_room = (most + 2 * DISK_MOST_ALIGN) / DISK_MOST_ALIGN * DISK_MOST_ALIGN + DISK_MOST_ALIGN;
}

/* Hands the next block's read in; false when there is none left. */
static bool submit_next(struct work *w, struct block *b) {
    const struct quantise_job *job = w->job;
    if (w->tensor == job->n_tensors) return false;
    const struct plan_tensor *t = &job->tensors[w->tensor];
    const struct tensor_record *r = t->record;
    const struct disk_file *f = &job->files[r->file];
    uint64_t rows = r->rank == 2 ? r->shape[0] : 1, left = rows - w->row, most = block_rows(r);
    *b = (struct block){.memory = b->memory, .tensor = t, .first = w->row, .n = left < most ? left : most};
    uint64_t begin = r->offset + b->first * source_row(r);
    b->request = (struct read_request){
        .file = f, .begin = begin, .end = begin + b->n * source_row(r), .to = b->memory};
    b->out = w->out;
    enum lr_dtype dtype = quantise_dtype(t, job->kind);
    uint64_t step = quant_rows(dtype);
    w->out += step == 1 ? b->n * source_row(r)
                        : (b->n + step - 1) / step * step * quant_row_bytes(dtype, r->shape[1]);
    w->row += b->n;
    if (w->row == rows) {
        w->tensor++;
        w->row = 0;
    }
    readers_submit(w->readers, &b->request);
    return true;
}

static const char *block_data(const struct block *b) {
    return b->memory + b->request.begin % b->request.file->align;
}

/* The first failure counts. */
static void note_failure(struct work *w, enum lr_status status, const struct lr_error *found) {
    pthread_mutex_lock(&w->failing);
    if (w->status == LR_OK) w->status = lr_fail(w->err, status, "%s", found->message);
    pthread_mutex_unlock(&w->failing);
}

/* Groups [first, first + n) of the block, with the tensor's name before what is wrong with it. */
static enum lr_status quantise_groups(const struct work *w, uint64_t first, uint64_t n, char *out,
                                      struct lr_error *err) {
    const struct block *b = w->block;
    const struct tensor_record *r = b->tensor->record;
    enum quant_format format;
    struct lr_error why;
    quant_format_of(quantise_dtype(b->tensor, w->job->kind), &format);
    struct tensor_view view = {block_data(b), r->dtype, b->n, r->shape[1], r->scales, b->first};
    enum lr_status status = quant_groups(w->job->kernels, format, &view, first, n, out, &why);
    if (status == LR_OK) return LR_OK;
    return lr_fail(err, status, "%s: tensor '%.*s': %s", w->job->source->files[r->file].path,
                   LR_STR_ARGS(r->name), why.message);
}

static uint64_t block_groups(const struct block *b) {
    return (b->n + QUANT_ROWS - 1) / QUANT_ROWS;
}

/* Written while it is in this core's cache. (To quantise into a map of the file was slower: a fault for each
 * page, and pages that are cleared first.) */
static void make_piece(void *ctx, uint32_t task, uint32_t thread) {
    struct work *w = ctx;
    const struct block *b = w->block;
    struct lr_error err;
    enum lr_dtype dtype = quantise_dtype(b->tensor, w->job->kind);
    uint64_t most = piece_groups(b->tensor->record, dtype), bytes = group_bytes(b->tensor->record, dtype);
    uint64_t first = task * most, left = block_groups(b) - first, n = left < most ? left : most;
    char *out = w->pieces + thread * w->piece_room;
    enum lr_status status = quantise_groups(w, first, n, out, &err);
    if (status == LR_OK) status = file_write_at(w->fd, w->name, out, n * bytes, b->out + first * bytes, &err);
    if (status != LR_OK) note_failure(w, status, &err);
}

static enum lr_status make_block(struct work *w, struct lr_error *err) {
    const struct block *b = w->block;
    enum lr_dtype dtype = quantise_dtype(b->tensor, w->job->kind);
    if (quant_rows(dtype) == 1)
        return file_write_at(w->fd, w->name, block_data(b), b->request.end - b->request.begin, b->out, err);
    uint64_t most = piece_groups(b->tensor->record, dtype);
    threads_run(w->job->threads, (uint32_t)((block_groups(b) + most - 1) / most), make_piece, w);
    return w->status;
}

static enum lr_status take_block(struct work *w, struct block *b, struct lr_error *err) {
    LR_TRY(readers_wait(w->readers, &b->request, err));
    w->block = b;
    LR_TRY(make_block(w, err));
    w->done += b->request.end - b->request.begin;
    if (w->job->progress) w->job->progress(w->job->ctx, w->done, w->all);
    return LR_OK;
}

static enum lr_status run(struct work *w, struct lr_error *err) {
    uint32_t under_way = 0, next = 0;
    enum lr_status status = LR_OK;
    while (under_way < w->n_blocks && submit_next(w, &w->blocks[under_way])) under_way++;
    while (under_way && status == LR_OK) {
        struct block *b = &w->blocks[next];
        status = take_block(w, b, err);
        if (status == LR_OK && w->job->interrupt && *w->job->interrupt)
            status = lr_fail(err, LR_EINTERRUPTED, "interrupted while quantising");
        if (status != LR_OK || !submit_next(w, b)) under_way--;
        next = (next + 1) % w->n_blocks;
    }
    readers_drop(w->readers);
    for (; under_way && status != LR_OK; under_way--, next = (next + 1) % w->n_blocks)
        readers_wait(w->readers, &w->blocks[next].request, NULL);
    return status;
}

/* Blocks lie in huge pages, which disks fill faster. */
static enum lr_status open_work(struct work *w, struct lr_error *err) {
    uint64_t room;
    measure(w, &room);
    uint64_t n = w->job->memory / room;
    w->n_blocks = n < 2 ? 2 : n > BLOCKS_MOST ? BLOCKS_MOST : (uint32_t)n;
    uint64_t pieces = threads_count(w->job->threads) * w->piece_room;
    w->taken = lr_malloc(w->n_blocks * room + DISK_MOST_ALIGN);
    w->pieces = lr_malloc(pieces + 1);
    if (!w->taken || !w->pieces) return lr_fail_memory(err, "blocks of weights", w->n_blocks * room + pieces);
    char *p = w->taken + (DISK_MOST_ALIGN - (uintptr_t)w->taken % DISK_MOST_ALIGN) % DISK_MOST_ALIGN;
    pages_want_large(p, w->n_blocks * room);
    for (uint32_t i = 0; i < w->n_blocks; i++) w->blocks[i].memory = p + i * room;
    return readers_create(READERS, &w->readers, err);
}

static void close_work(struct work *w) {
    readers_destroy(w->readers);
    lr_free(w->taken);
    lr_free(w->pieces);
}

enum lr_status quantise_write(const struct quantise_job *job, int fd, const char *name,
                              struct lr_error *err) {
    struct work w = {.job = job, .fd = fd, .name = name, .err = err, .failing = PTHREAD_MUTEX_INITIALIZER};
    struct lr_buf header = {0};
    uint64_t bytes;
    for (size_t i = 0; i < job->n_tensors; i++) w.all += job->tensors[i].record->bytes;
    enum lr_status status = make_header(job, &header, &bytes, err);
    if (status == LR_OK) status = file_write_at(fd, name, header.data, header.len, 0, err);
    w.out = header.len;
    lr_buf_free(&header);
    if (status == LR_OK) status = open_work(&w, err);
    if (status == LR_OK) status = run(&w, err);
    close_work(&w);
    return status;
}

/* ---- reading it */

static enum lr_status check_tensor(const char *path, const struct plan_tensor *t, struct quantise_kind kind,
                                   struct catalog *c, struct lr_error *err) {
    const struct tensor_record *r = t->record;
    struct tensor_record *found = catalog_record(c, r->name);
    enum lr_dtype dtype = quantise_dtype(t, kind);
    bool quantised = quant_rows(dtype) > 1;
    if (!found || found->bytes != bytes_as(r, dtype) || found->dtype != (quantised ? LR_U8 : dtype))
        return lr_fail(err, LR_EMODEL, "%s: tensor '%.*s' is not as it was quantised", path,
                       LR_STR_ARGS(r->name));
    found->dtype = dtype;
    found->rank = r->rank;
    memcpy(found->shape, r->shape, sizeof found->shape);
    return LR_OK;
}

enum lr_status quantise_open(const char *path, const struct plan_tensor *tensors, size_t n,
                             struct quantise_kind kind, struct catalog *out, struct lr_error *err) {
    char *own = lr_str_dup(lr_str_of(path));
    if (!own) return lr_fail_memory(err, path, strlen(path) + 1);
    struct model_dir dir = {.shards = &own, .n_shards = 1};
    enum lr_status status = catalog_open(&dir, out, err);
    lr_free(own);
    LR_TRY(status);
    if (out->count != n) status = lr_fail(err, LR_EMODEL, "%s: %zu tensors, not %zu", path, out->count, n);
    for (size_t i = 0; i < n && status == LR_OK; i++)
        status = check_tensor(path, &tensors[i], kind, out, err);
    if (status != LR_OK) catalog_close(out);
    return status;
}

enum lr_status quantise_expect(const struct plan_tensor *tensors, size_t n, struct quantise_kind kind,
                               struct catalog *out, struct lr_error *err) {
    size_t names = 0;
    for (size_t i = 0; i < n; i++) names += tensors[i].record->name.len;
    LR_TRY(catalog_make(n, names + 1, out, err));
    for (size_t i = 0; i < n; i++) {
        const struct tensor_record *r = tensors[i].record;
        catalog_add(out, r->name, quantise_dtype(&tensors[i], kind), r->shape[0],
                    r->rank == 2 ? r->shape[1] : 0);
    }
    catalog_sort(out);
    return LR_OK;
}
