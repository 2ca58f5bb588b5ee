#include "run/rates.h"

#include "base/mem.h"
#include "format/json.h"
#include "run/planning.h"
#include "sys/clock.h"
#include "sys/probe.h"
#include "weights/units.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define DISK_SECONDS    0.18
#define DISK_MEMORY     (UINT64_C(32) << 20) /* that it is measured into */
#define PRODUCT_SECONDS 0.015                /* each of these so often: */
#define PREFILL_SECONDS 0.015
#define TURNS           2
#define KEPT_SECONDS    (24 * 3600)
#define MAX_KEPT        4096u
#define PRODUCT_BYTES   (UINT64_C(192) << 20) /* more than the caches hold */
#define LEAST_BYTES     (UINT64_C(16) << 20)
#define PREFILL_TOKENS  128u
#define PREFILL_WORK                                                                                         \
    1.5e9 /* multiply-adds of a pass at most: with rows left out, or large models would take long */
#define PASS_ALIGN 64u

enum { MAX_MATRICES = 16, MAX_PASSES = 64 };

/* ---- what is kept: one small JSON object in a file */

static bool kept_path(const struct lr_engine *e, const char *name, char *out, size_t size) {
    if (!e->options.cache_dir) return false;
    int n = snprintf(out, size, "%s/%s.json", e->options.cache_dir, name);
    return n > 0 && (size_t)n < size;
}

static bool read_number(struct json root, const char *key, double *out) {
    return json_double(json_get(root, key), out) && *out >= 0;
}

/* Reads `n` numbers; false where there is no file, it is older than a day or not as written. */
static bool read_kept(const struct lr_engine *e, const char *name, const char *const *keys, double *out,
                      size_t n) {
    char path[512];
    struct json_doc *doc;
    double taken, now = clock_wall();
    if (!kept_path(e, name, path, sizeof path) || json_open(path, MAX_KEPT, &doc, NULL) != LR_OK)
        return false;
    bool ok = read_number(json_root(doc), "taken", &taken) && now >= taken && now - taken < KEPT_SECONDS;
    for (size_t i = 0; i < n && ok; i++) ok = read_number(json_root(doc), keys[i], &out[i]);
    json_close(doc);
    return ok;
}

/* A cache that cannot be written is no failure: the next run measures again. */
static void keep(const struct lr_engine *e, const char *name, const char *const *keys, const double *values,
                 size_t n) {
    char path[512];
    struct lr_buf text = {0};
    if (!kept_path(e, name, path, sizeof path)) return;
    int bad = lr_buf_printf(&text, "{\"taken\":%.0f", clock_wall());
    for (size_t i = 0; i < n; i++) bad |= lr_buf_printf(&text, ",\"%s\":%.17g", keys[i], values[i]);
    bad |= lr_buf_append_str(&text, LR_STR("}\n"));
    if (!bad) file_replace(path, text.data, text.len, NULL);
    lr_buf_free(&text);
}

/* ---- disk */

static const char *const disk_keys[] = {"bytes_per_s", "block", "depth", "buffered"};

/* A disk that files lie on. */
struct disk {
    const struct disk_file *largest; /* of its files: the one to measure by */
    uint64_t bytes;                  /* of all of them */
};

static size_t find_disks(const struct lr_engine *e, struct disk *disks) {
    size_t n = 0;
    for (size_t i = 0; i < e->catalog.n_files; i++) {
        const struct disk_file *f = &e->store.files[i];
        size_t d = 0;
        while (d < n && disks[d].largest->identity.device != f->identity.device) d++;
        if (d == n) disks[n++] = (struct disk){.largest = f};
        if (f->identity.size > disks[d].largest->identity.size) disks[d].largest = f;
        disks[d].bytes += f->identity.size;
    }
    return n;
}

static void name_disk(uint64_t device, char *out, size_t size) {
    snprintf(out, size, "disk-%llx", (unsigned long long)device);
}

static bool read_kept_disk(const struct lr_engine *e, const char *name, struct disk_rate *out) {
    double v[4];
    if (!read_kept(e, name, disk_keys, v, 4) || v[1] < 1 || v[2] < 1) return false;
    *out = (struct disk_rate){v[0], v[3] > 0 ? DISK_BUFFERED : DISK_DIRECT, (uint32_t)fmin(v[1], UINT32_MAX),
                              (uint32_t)fmin(v[2], UINT32_MAX)};
    return true;
}

/* As kept, else by a probe. */
static enum lr_status rate_of(struct lr_engine *e, const struct disk *d, double seconds,
                              struct disk_rate *out, struct lr_error *err) {
    char name[64];
    name_disk(d->largest->identity.device, name, sizeof name);
    if (read_kept_disk(e, name, out)) return LR_OK;
    uint64_t memory = planning_available(e) / 4;
    LR_TRY(probe_disk(d->largest, seconds, memory < DISK_MEMORY ? memory : DISK_MEMORY, out, err));
    const double found[4] = {out->bytes_per_s, out->block, out->depth, out->way == DISK_BUFFERED};
    if (found[0] > 0) keep(e, name, disk_keys, found, 4);
    return LR_OK;
}

static void take_shape(const struct disk_rate *r, struct plan_rates *out) {
    out->block =
        r->block > UNIT_BYTES ? (uint32_t)(fmin(r->block, 16 << 20) / UNIT_BYTES) * UNIT_BYTES : UNIT_BYTES;
    out->depth = (uint32_t)fmin(r->depth, 32);
}

/* Blocks and depth are those of the disk with most of the bytes; a pass goes through the files one after the
 * other, so that times add up. What is not known of one disk is taken to be as on the others. */
static void add_rate(struct lr_engine *e, const struct disk *d, const struct disk_rate *r, uint64_t *most,
                     double *bytes, double *seconds) {
    for (size_t i = 0; i < e->catalog.n_files; i++)
        if (e->store.files[i].identity.device == d->largest->identity.device) e->store.files[i].way = r->way;
    if (d->bytes > *most) {
        *most = d->bytes;
        take_shape(r, &e->rates);
    }
    if (r->bytes_per_s <= 0) return;
    *bytes += (double)d->bytes;
    *seconds += (double)d->bytes / r->bytes_per_s;
}

/* Still to be downloaded: what is known of the folder's disk has to do. */
static void take_folders_disk(struct lr_engine *e) {
    uint64_t device;
    struct disk_rate rate;
    char name[64];
    if (!file_device(e->path, &device)) return;
    name_disk(device, name, sizeof name);
    if (!read_kept_disk(e, name, &rate)) return;
    e->rates.disk = rate.bytes_per_s;
    take_shape(&rate, &e->rates);
}

enum lr_status rates_measure_disk(struct lr_engine *e, struct lr_error *err) {
    uint64_t most = 0;
    double bytes = 0, seconds = 0;
    if (e->rates.disk > 0) return LR_OK;
    if (!e->catalog.n_files) {
        take_folders_disk(e);
        return LR_OK;
    }
    struct disk *disks = lr_calloc(e->catalog.n_files, sizeof *disks);
    if (!disks) return lr_fail_memory(err, "the table of disks", e->catalog.n_files * sizeof *disks);
    size_t n = find_disks(e, disks);
    enum lr_status status = LR_OK;
    for (size_t i = 0; i < n && status == LR_OK; i++) {
        struct disk_rate rate;
        status = rate_of(e, &disks[i], DISK_SECONDS / (double)n, &rate, err);
        if (status == LR_OK) add_rate(e, &disks[i], &rate, &most, &bytes, &seconds);
    }
    lr_free(disks);
    e->rates.disk = seconds > 0 ? bytes / seconds : 0;
    return status;
}

/* ---- processor */

static const char *const cpu_keys[] = {"product", "prefill"};

/* The matrices of one layer, as a pass meets them. They are measured one after the other in a block that is
 * larger than the caches: a best pass would be one that found much of it there, so the median counts. */
struct trial {
    const struct matmul *m;
    struct tensor_view layer[MAX_MATRICES];
    size_t n;
    const char *block; /* [bytes] */
    uint64_t bytes;
    size_t tokens;
    uint64_t widest, longest; /* floats of an activation, and of what comes of it */
    float *x, *out;           /* [tokens] of each */
    void *room;               /* [tokens, KERNEL_PREPARED_BYTES(widest)] */
};

static uint64_t view_bytes(const struct tensor_view *w) {
    uint64_t step = quant_rows(w->dtype);
    return (w->rows + step - 1) / step * step * quant_row_bytes(w->dtype, w->cols);
}

static void find_matrices(const struct lr_engine *e, struct trial *t) {
    for (size_t i = 0; i < e->n_tensors && t->n < MAX_MATRICES; i++) {
        const struct plan_tensor *p = &e->tensors[i];
        if (p->kind != WEIGHT_LAYER || p->layer != 0 || p->record->rank != 2) continue;
        t->layer[t->n++] = (struct tensor_view){.dtype = p->record->dtype,
                                                .rows = p->record->shape[0],
                                                .cols = p->record->shape[1],
                                                .scales = p->record->scales};
    }
}

/* Seconds of one pass over the layer, with a share of each matrix's rows. */
static double pass_seconds(const struct trial *t, size_t n_x, size_t share, uint64_t *at) {
    double start = clock_now();
    for (size_t i = 0; i < t->n; i++) {
        struct tensor_view w = t->layer[i];
        struct matmul_input in;
        w.rows = (w.rows + share - 1) / share;
        if (*at + view_bytes(&w) > t->bytes) *at = 0;
        w.data = t->block + *at;
        matmul_prepare(t->m, w.dtype, t->x, n_x, w.cols, t->room, &in);
        matmul_run(t->m, &w, NULL, &in, t->out, w.rows);
        *at += (view_bytes(&w) + PASS_ALIGN - 1) / PASS_ALIGN * PASS_ALIGN;
    }
    return clock_now() - start;
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The (lower) median of at least two passes that `seconds` allow, but the first, which finds threads asleep.
 */
static double median_pass(const struct trial *t, size_t n_x, size_t share, double seconds) {
    double found[MAX_PASSES], end = clock_now() + seconds;
    uint64_t at = 0;
    size_t n = 0;
    pass_seconds(t, n_x, share, &at);
    do found[n++] = pass_seconds(t, n_x, share, &at);
    while (n < 2 || (n < MAX_PASSES && clock_now() < end));
    qsort(found, n, sizeof *found, ascending);
    return found[(n - 1) / 2];
}

/* What a pass over one in `share` rows meets: bytes, and weights. */
static void count_pass(const struct trial *t, size_t share, double *bytes, double *weights) {
    *bytes = *weights = 0;
    for (size_t i = 0; i < t->n; i++) {
        struct tensor_view w = t->layer[i];
        w.rows = (w.rows + share - 1) / share;
        *bytes += (double)view_bytes(&w);
        *weights += (double)w.rows * (double)w.cols;
    }
}

static size_t share_for(double all, double most) {
    return all > most ? (size_t)ceil(all / most) : 1;
}

/* Bytes a second with one activation; multiply-adds a second with many, the weights from memory too. In
 * turns, of which the faster counts: in one of twenty all threads were seen on one processor all along. */
static void measure_products(const struct trial *t, double *v) {
    double bytes, weights, work, tokens = (double)t->tokens;
    count_pass(t, 1, &bytes, &weights);
    size_t share = share_for(bytes, (double)PRODUCT_BYTES), fewer = share_for(weights * tokens, PREFILL_WORK);
    count_pass(t, fewer, &bytes, &work);
    count_pass(t, share, &bytes, &weights);
    for (int i = 0; i < TURNS; i++) {
        v[0] = fmax(v[0], bytes / median_pass(t, 1, share, PRODUCT_SECONDS));
        v[1] = fmax(v[1], work * tokens / median_pass(t, t->tokens, fewer, PREFILL_SECONDS));
    }
}

/* Sizes the block and the activations for the memory that is there, and cuts matrices that the block does not
 * hold. */
static void fit_memory(struct trial *t, uint64_t room) {
    t->bytes = PRODUCT_BYTES;
    while (t->bytes > room / 2 && t->bytes > LEAST_BYTES) t->bytes /= 2;
    for (size_t i = 0; i < t->n; i++) {
        struct tensor_view *w = &t->layer[i];
        uint64_t step = quant_rows(w->dtype),
                 most = t->bytes / quant_row_bytes(w->dtype, w->cols) / step * step;
        if (w->rows > most) w->rows = most;
        if (w->rows > t->longest) t->longest = w->rows;
        if (w->cols > t->widest) t->widest = w->cols;
    }
    t->tokens = PREFILL_TOKENS;
    while (t->tokens > 8 && t->tokens * (t->widest + t->longest) * sizeof(float) > room / 4) t->tokens /= 2;
}

static enum lr_status measure_processor(struct lr_engine *e, struct trial *t, double *v,
                                        struct lr_error *err) {
    fit_memory(t, planning_available(e));
    uint64_t floats = t->tokens * (t->widest + t->longest), room = KERNEL_PREPARED_BYTES(t->widest);
    char *block = lr_malloc(t->bytes);
    t->x = lr_malloc(floats * sizeof *t->x);
    t->room = lr_malloc(t->tokens * room);
    bool ok = block && t->x && t->room;
    if (ok) {
        memset(block, 0x3C, t->bytes); /* small normal numbers in each dtype */
        for (uint64_t i = 0; i < floats; i++) t->x[i] = 1;
        t->block = block;
        t->out = t->x + t->tokens * t->widest;
        measure_products(t, v);
    }
    lr_free(block);
    lr_free(t->x);
    lr_free(t->room);
    return ok ? LR_OK : lr_fail_memory(err, "a short measurement", t->bytes + floats * sizeof *t->x);
}

/* Kept for the same kernels, threads and shapes. */
static void name_products(const struct lr_engine *e, const struct trial *t, char *out, size_t size) {
    uint64_t hash = 0;
    for (size_t i = 0; i < t->n; i++) {
        const uint64_t shape[] = {t->layer[i].dtype, t->layer[i].rows, t->layer[i].cols};
        hash = XXH3_64bits_withSeed(shape, sizeof shape, hash);
    }
    snprintf(out, size, "cpu-%s%s%s-%u-%016llx", e->matmul.kernels->name,
             e->matmul.mode == MATMUL_BLAS ? "-blas" : "", e->matmul.precise ? "-precise" : "",
             threads_count(e->threads), (unsigned long long)hash);
}

enum lr_status rates_measure(struct lr_engine *e, struct lr_error *err) {
    double v[2] = {0};
    char name[96];
    struct trial t = {.m = &e->matmul};
    LR_TRY(rates_measure_disk(e, err));
    if (e->rates.product > 0) return LR_OK;
    find_matrices(e, &t);
    if (t.n == 0) return LR_OK;
    name_products(e, &t, name, sizeof name);
    if (!read_kept(e, name, cpu_keys, v, 2)) {
        LR_TRY(measure_processor(e, &t, v, err));
        keep(e, name, cpu_keys, v, 2);
    }
    e->rates.product = v[0];
    e->rates.prefill = v[1];
    return LR_OK;
}
