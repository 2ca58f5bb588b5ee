#include "run/rates.h"

#include "base/mem.h"
#include "format/json.h"
#include "run/planning.h"
#include "sys/clock.h"
#include "sys/probe.h"
#include "weights/units.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define DISK_SECONDS    0.2
#define DISK_MEMORY     (UINT64_C(32) << 20) /* that it is measured into */
#define PRODUCT_SECONDS 0.04
#define PREFILL_SECONDS 0.03
#define KEPT_SECONDS    (24 * 3600)
#define MAX_KEPT        4096u
#define PRODUCT_BYTES   (UINT64_C(96) << 20) /* more than the caches hold */
#define PREFILL_TOKENS  128u
#define SIDE            2048u

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

/* As kept, else by a probe. */
static enum lr_status rate_of(struct lr_engine *e, const struct disk *d, double seconds,
                              struct disk_rate *out, struct lr_error *err) {
    double v[4];
    char name[64];
    snprintf(name, sizeof name, "disk-%llx", (unsigned long long)d->largest->identity.device);
    if (read_kept(e, name, disk_keys, v, 4) && v[1] >= 1 && v[2] >= 1) {
        *out = (struct disk_rate){v[0], v[3] > 0 ? DISK_BUFFERED : DISK_DIRECT,
                                  (uint32_t)fmin(v[1], UINT32_MAX), (uint32_t)fmin(v[2], UINT32_MAX)};
        return LR_OK;
    }
    uint64_t memory = planning_available(e) / 4;
    LR_TRY(probe_disk(d->largest, seconds, memory < DISK_MEMORY ? memory : DISK_MEMORY, out, err));
    const double found[4] = {out->bytes_per_s, out->block, out->depth, out->way == DISK_BUFFERED};
    if (found[0] > 0) keep(e, name, disk_keys, found, 4);
    return LR_OK;
}

/* Blocks and depth are those of the disk with most of the bytes; a pass goes through the files one after the
 * other, so that times add up. What is not known of one disk is taken to be as on the others. */
static void add_rate(struct lr_engine *e, const struct disk *d, const struct disk_rate *r, uint64_t *most,
                     double *bytes, double *seconds) {
    for (size_t i = 0; i < e->catalog.n_files; i++)
        if (e->store.files[i].identity.device == d->largest->identity.device) e->store.files[i].way = r->way;
    if (d->bytes > *most) {
        *most = d->bytes;
        e->rates.block = r->block > UNIT_BYTES
                             ? (uint32_t)(fmin(r->block, 16 << 20) / UNIT_BYTES) * UNIT_BYTES
                             : UNIT_BYTES;
        e->rates.depth = (uint32_t)fmin(r->depth, 32);
    }
    if (r->bytes_per_s <= 0) return;
    *bytes += (double)d->bytes;
    *seconds += (double)d->bytes / r->bytes_per_s;
}

enum lr_status rates_measure_disk(struct lr_engine *e, struct lr_error *err) {
    uint64_t most = 0;
    double bytes = 0, seconds = 0;
    if (e->rates.disk > 0 || !e->catalog.n_files) return LR_OK;
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

/* Bytes a second of products with one activation: the best of the passes that `seconds` allow. */
static double product_rate(const struct matmul *m, enum lr_dtype dtype, const char *weights, uint64_t bytes,
                           const float *x, float *out) {
    struct tensor_view w = {weights, dtype, bytes / SIDE / lr_dtype_size(dtype), SIDE};
    double best = 0, end = clock_now() + PRODUCT_SECONDS;
    while (clock_now() < end || best == 0) {
        double start = clock_now();
        matmul_run(m, &w, NULL, x, 1, out, w.rows);
        best = fmax(best, (double)bytes / (clock_now() - start));
    }
    return best;
}

/* Multiply-adds a second with many activations; the weights from memory too, as in a pass. */
static double prefill_rate(const struct matmul *m, enum lr_dtype dtype, const char *weights, uint64_t bytes,
                           const float *x, float *out) {
    struct tensor_view w = {weights, dtype, SIDE, SIDE};
    uint64_t step = w.rows * SIDE * lr_dtype_size(dtype), at = 0;
    double best = 0, end = clock_now() + PREFILL_SECONDS;
    while (clock_now() < end || best == 0) {
        double start = clock_now();
        w.data = weights + at;
        matmul_run(m, &w, NULL, x, PREFILL_TOKENS, out, w.rows);
        best = fmax(best, (double)w.rows * SIDE * (PREFILL_TOKENS) / (clock_now() - start));
        at = at + 2 * step <= bytes ? at + step : 0;
    }
    return best;
}

static enum lr_status measure_processor(struct lr_engine *e, enum lr_dtype dtype, double *v,
                                        struct lr_error *err) {
    uint64_t bytes = PRODUCT_BYTES, room = planning_available(e) / 2;
    while (bytes > room && bytes > (16u << 20)) bytes /= 2;
    size_t n_out = PREFILL_TOKENS * SIDE, rows = bytes / SIDE / lr_dtype_size(dtype);
    char *weights = lr_malloc(bytes);
    float *x = lr_malloc(PREFILL_TOKENS * SIDE * sizeof *x);
    float *out = lr_malloc((n_out > rows ? n_out : rows) * sizeof *out);
    bool ok = weights && x && out;
    enum lr_status status = ok ? LR_OK : lr_fail_memory(err, "a short measurement", bytes);
    if (ok) {
        memset(weights, 0x3C, bytes); /* small normal numbers in each dtype */
        for (size_t i = 0; i < PREFILL_TOKENS * SIDE; i++) x[i] = 1;
        v[0] = product_rate(&e->matmul, dtype, weights, bytes, x, out);
        v[1] = prefill_rate(&e->matmul, dtype, weights, bytes, x, out);
    }
    lr_free(weights);
    lr_free(x);
    lr_free(out);
    return status;
}

enum lr_status rates_measure(struct lr_engine *e, struct lr_error *err) {
    double v[2] = {0};
    char name[96];
    LR_TRY(rates_measure_disk(e, err));
    if (e->rates.product > 0) return LR_OK;
    enum lr_dtype dtype = engine_main_dtype(e);
    snprintf(name, sizeof name, "cpu-%s-%s-%u%s", e->matmul.kernels->name, lr_dtype_label(dtype),
             threads_count(e->threads), e->matmul.mode == MATMUL_BLAS ? "-blas" : "");
    if (!read_kept(e, name, cpu_keys, v, 2)) {
        LR_TRY(measure_processor(e, dtype, v, err));
        keep(e, name, cpu_keys, v, 2);
    }
    e->rates.product = v[0];
    e->rates.prefill = v[1];
    return LR_OK;
}
