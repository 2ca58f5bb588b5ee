#include "weights/scales.h"

#include <math.h>
#include <stdio.h>

#include "base/mem.h"
#include "kernel/half.h"
#include "sys/disk.h"

/* ---- finding them */

static struct tensor_record *scale_of(struct catalog *c, const struct tensor_record *t) {
    static const char *const endings[] = {"_scale_inv", "_scale"};
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        char name[512];
        int n = snprintf(name, sizeof name, "%.*s%s", LR_STR_ARGS(t->name), endings[i]);
        struct tensor_record *s =
            n > 0 && (size_t)n < sizeof name ? catalog_record(c, (struct lr_str){name, (size_t)n}) : NULL;
        if (s) return s;
    }
    return NULL;
}

static enum lr_status refuse(const struct catalog *c, const struct tensor_record *s, const char *why,
                             struct lr_error *err) {
    return lr_fail(err, LR_EMODEL, "%s: tensor '%.*s' holds scales %s", c->files[s->file].path,
                   LR_STR_ARGS(lr_str_cut(s->name, 200)), why);
}

static bool is_readable(enum lr_dtype dtype) {
    return dtype == LR_F32 || dtype == LR_BF16 || dtype == LR_F16 || dtype == LR_F8_E8M0;
}

static uint64_t count_of(const struct tensor_record *s) {
    return s->bytes / lr_dtype_size(s->dtype);
}

/* What part of the matrix one of its scales is for, by their shape; false where it is no such part. */
static bool find_blocks(const struct tensor_record *t, const struct tensor_record *s,
                        const struct fp8_config *config, struct tensor_scales *out) {
    uint64_t rows = t->shape[0], cols = t->shape[1], block_rows = config->block_rows,
             block_cols = config->block_cols;
    uint64_t down = s->rank > 0 ? s->shape[0] : 1, across = s->rank > 1 ? s->shape[1] : 1;
    if (s->rank > 2 || !rows || !cols) return false;
    if (down == 1 && across == 1)
        *out = (struct tensor_scales){NULL, rows, cols, 1};
    else if (down == rows && across == 1)
        *out = (struct tensor_scales){NULL, 1, cols, 1};
    else
        *out = (struct tensor_scales){NULL, block_rows, block_cols, across};
    return down == (rows - 1) / out->block_rows + 1 && across == (cols - 1) / out->block_cols + 1;
}

/* Pairs a matrix with its scales. `values` counts; out is NULL where they are only counted. */
static enum lr_status pair(struct catalog *c, const struct tensor_record *t, const struct fp8_config *config,
                           struct tensor_scales *out, size_t *n, uint64_t *values, struct lr_error *err) {
    struct tensor_record *s = lr_dtype_is_fp8(t->dtype) && t->rank == 2 ? scale_of(c, t) : NULL;
    if (!s) return LR_OK;
    if (!is_readable(s->dtype))
        return refuse(c, s, "in a dtype that is not read (F32, BF16, F16 and F8_E8M0 are)", err);
    if (out) {
        if (!find_blocks(t, s, config, &out[*n]))
            return refuse(c, s,
                          "in a number that is neither one, nor one a row, nor one a block of config.json's",
                          err);
        out[*n].values = c->scale_values + *values;
        c->tensors[t - c->tensors].scales = &out[*n];
        s->is_scale = true;
    }
    *n += 1;
    *values += count_of(s);
    return LR_OK;
}

static enum lr_status pair_all(struct catalog *c, const struct fp8_config *config, struct tensor_scales *out,
                               size_t *n, uint64_t *values, struct lr_error *err) {
    *n = 0;
    *values = 0;
    for (size_t i = 0; i < c->count; i++) LR_TRY(pair(c, &c->tensors[i], config, out, n, values, err));
    return LR_OK;
}

/* ---- reading them */

static float value_of(enum lr_dtype dtype, const uint8_t *p) {
    uint16_t half = 0;
    float f;
    if (dtype == LR_F8_E8M0) return *p == 0xFF ? NAN : ldexpf(1, *p - 127);
    if (dtype == LR_F32) {
        memcpy(&f, p, sizeof f);
        return f;
    }
    memcpy(&half, p, sizeof half);
    return dtype == LR_BF16 ? float_of_bf16(half) : float_of_f16(half);
}

static enum lr_status read_one(struct catalog *c, const struct disk_file *file, const struct tensor_record *s,
                               float *out, struct lr_error *err) {
    uint64_t n = count_of(s), size = lr_dtype_size(s->dtype);
    uint8_t *raw = lr_malloc(s->bytes ? s->bytes : 1);
    if (!raw) return lr_fail_memory(err, "scales", s->bytes);
    enum lr_status status = disk_copy(file, s->offset, s->offset + s->bytes, raw, err);
    for (uint64_t i = 0; i < n && status == LR_OK; i++) {
        out[i] = value_of(s->dtype, raw + i * size);
        if (!(fabsf(out[i]) < KERNEL_MOST_SCALE))
            status = refuse(c, s, "of which one is not finite, or 2^100 or more", err);
    }
    lr_free(raw);
    return status;
}

/* Those that lie in one file, which is not opened where there are none. */
static enum lr_status read_file(struct catalog *c, uint32_t number, struct lr_error *err) {
    struct disk_file file = {.buffered = -1, .direct = -1};
    enum lr_status status = LR_OK;
    for (size_t i = 0; i < c->count && status == LR_OK; i++) {
        const struct tensor_record *t = &c->tensors[i], *s = t->scales ? scale_of(c, t) : NULL;
        if (!s || s->file != number) continue;
        if (file.buffered < 0) status = disk_open(c->files[number].path, &file, err);
        float *out = c->scale_values + (t->scales->values - c->scale_values);
        if (status == LR_OK) status = read_one(c, &file, s, out, err);
    }
    disk_close(&file);
    return status;
}

enum lr_status scales_read(struct catalog *c, const struct fp8_config *config, struct lr_error *err) {
    size_t n;
    uint64_t values;
    LR_TRY(pair_all(c, config, NULL, &n, &values, err));
    if (!n) return LR_OK;
    c->scales = lr_calloc(n, sizeof *c->scales);
    c->scale_values = lr_calloc(values, sizeof *c->scale_values);
    if (!c->scales || !c->scale_values) return lr_fail_memory(err, "scales", values * sizeof(float));
    LR_TRY(pair_all(c, config, c->scales, &n, &values, err));
    for (uint32_t i = 0; i < c->n_files; i++) LR_TRY(read_file(c, i, err));
    return LR_OK;
}
