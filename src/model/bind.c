#include "model/bind.h"

#include "base/log.h"
#include "base/mem.h"
#include "kernel/quant.h"

#include <stdio.h>

static const char *const prefixes[] = {"model.", "model.language_model.", "language_model.model.", ""};
static const char *const head_prefixes[] = {"", "language_model.", "model.", "model.language_model."};
#define MISSING_NAMED 3

/* One pass over all roles; collects what is missing so that it is told at once. */
struct binder {
    const struct model_spec *spec;
    const struct catalog *catalog;
    const char *prefix;
    bool *used; /* [catalog->count] */
    char missing[MISSING_NAMED][192];
    size_t n_missing;
};

static const struct tensor_record *find(const struct binder *b, const char *prefix, const char *name) {
    char full[256];
    int n = snprintf(full, sizeof full, "%s%s", prefix, name);
    return n < 0 || (size_t)n >= sizeof full ? NULL
                                             : catalog_find(b->catalog, (struct lr_str){full, (size_t)n});
}

static void note_missing(struct binder *b, const char *prefix, const char *name) {
    if (b->n_missing < MISSING_NAMED)
        snprintf(b->missing[b->n_missing], sizeof b->missing[0], "%s%s", prefix, name);
    b->n_missing++;
}

/* The prefix under which most tensors of layers stand. */
static const char *find_prefix(const struct catalog *c) {
    const char *best = prefixes[0];
    size_t best_count = 0;
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
        char head[64];
        snprintf(head, sizeof head, "%slayers.", prefixes[i]);
        size_t count = 0;
        for (size_t t = 0; t < c->count; t++) count += lr_str_starts(c->tensors[t].name, lr_str_of(head));
        if (count > best_count) {
            best = prefixes[i];
            best_count = count;
        }
    }
    return best;
}

/* A reason to look at: " (it has no 'hidden_size': the default of its kind counts)". */
static struct reason { char text[120]; } by_default(const struct binder *b) {
    struct reason r = {""};
    if (b->spec->absent)
        snprintf(r.text, sizeof r.text, " (it has no '%s': the default of its kind counts)", b->spec->absent);
    return r;
}

/* fp8 without scales is told apart from numbers only where there are files. */
static enum lr_status check_dtype(const struct binder *b, const struct tensor_record *t, uint32_t rank,
                                  struct lr_error *err) {
    bool fp8 = rank == 2 && lr_dtype_is_fp8(t->dtype), quantised = rank == 2 && quant_rows(t->dtype) > 1;
    if (t->dtype == LR_F32 || t->dtype == LR_F16 || t->dtype == LR_BF16 || quantised) return LR_OK;
    if (fp8 && (t->scales || !b->catalog->n_files)) return LR_OK;
    const char *path = b->catalog->files[t->file].path;
    if (fp8)
        return lr_fail(err, LR_EMODEL,
                       "%s: tensor '%.*s' is %s and has no scales: neither '%.*s_scale_inv' nor "
                       "'%.*s_scale' is there",
                       path, LR_STR_ARGS(t->name), lr_dtype_name(t->dtype), LR_STR_ARGS(t->name),
                       LR_STR_ARGS(t->name));
    return lr_fail(err, LR_EMODEL,
                   "%s: tensor '%.*s' is %s; supported: F32, F16, BF16, and F8_E4M3 and F8_E5M2 for matrices "
                   "that have scales",
                   path, LR_STR_ARGS(t->name), t->dtype == LR_OTHER ? t->other : lr_dtype_name(t->dtype));
}

static enum lr_status check_shape(const struct binder *b, const struct tensor_record *t,
                                  enum tensor_role role, struct lr_error *err) {
    uint32_t rank;
    uint64_t rows, cols;
    spec_role_shape(b->spec, role, &rank, &rows, &cols);
    LR_TRY(check_dtype(b, t, rank, err));
    if (t->rank == rank && t->shape[0] == rows && (rank == 1 || t->shape[1] == cols)) return LR_OK;
    char has[128] = "", want[64];
    for (uint32_t i = 0, at = 0; i < t->rank && at < sizeof has - 24; i++)
        at += (uint32_t)snprintf(has + at, sizeof has - at, "%s%llu", i ? ", " : "",
                                 (unsigned long long)t->shape[i]);
    snprintf(want, sizeof want, rank == 2 ? "%llu, %llu" : "%llu", (unsigned long long)rows,
             (unsigned long long)cols);
    return lr_fail(err, LR_EMODEL, "%s: tensor '%.*s' has shape [%s], config.json asks for [%s]%s",
                   b->catalog->files[t->file].path, LR_STR_ARGS(t->name), has, want, by_default(b).text);
}

static enum lr_status take(struct binder *b, const struct tensor_record *t, enum tensor_role role,
                           const struct tensor_record **out, struct lr_error *err) {
    LR_TRY(check_shape(b, t, role, err));
    b->used[t - b->catalog->tensors] = true;
    *out = t;
    return LR_OK;
}

static const struct tensor_record *find_head(const struct binder *b) {
    for (size_t i = 0; i < sizeof head_prefixes / sizeof *head_prefixes; i++) {
        const struct tensor_record *t = find(b, head_prefixes[i], spec_role_name(ROLE_HEAD));
        if (t) return t;
    }
    return NULL;
}

/* Embedding and head, tied or not. A tied model may have saved either one; both present: embed_tokens wins.
 */
static enum lr_status bind_ends(struct binder *b, struct binding *out, struct lr_error *err) {
    const struct tensor_record *embed = find(b, b->prefix, spec_role_name(ROLE_EMBED)), *head = find_head(b);
    const struct tensor_record *norm = find(b, b->prefix, spec_role_name(ROLE_FINAL_NORM));
    if (b->spec->tied_head) {
        if (embed && head) b->used[head - b->catalog->tensors] = true;
        head = embed = embed ? embed : head;
    }
    if (!embed) note_missing(b, b->prefix, spec_role_name(ROLE_EMBED));
    if (!head && !b->spec->tied_head) note_missing(b, "", spec_role_name(ROLE_HEAD));
    if (!norm) note_missing(b, b->prefix, spec_role_name(ROLE_FINAL_NORM));
    if (embed) LR_TRY(take(b, embed, ROLE_EMBED, &out->embed, err));
    if (head) LR_TRY(take(b, head, ROLE_HEAD, &out->head, err));
    if (norm) LR_TRY(take(b, norm, ROLE_FINAL_NORM, &out->final_norm, err));
    return LR_OK;
}

static enum lr_status bind_layer(struct binder *b, uint32_t layer, struct layer_binding *out,
                                 struct lr_error *err) {
    char prefix[96];
    snprintf(prefix, sizeof prefix, "%slayers.%u.", b->prefix, layer);
    for (int role = ROLE_FIRST_IN_LAYER; role < ROLE_COUNT; role++) {
        if (!b->spec->uses[role]) continue;
        const char *name = spec_role_name((enum tensor_role)role);
        const struct tensor_record *t = find(b, prefix, name);
        if (t)
            LR_TRY(take(b, t, (enum tensor_role)role, &out->role[role], err));
        else
            note_missing(b, prefix, name);
    }
    return LR_OK;
}

static enum lr_status report_missing(const struct binder *b, struct lr_error *err) {
    if (!b->n_missing) return LR_OK;
    size_t named = b->n_missing < MISSING_NAMED ? b->n_missing : MISSING_NAMED;
    return lr_fail(err, LR_EMODEL, "%s: %zu tensor%s that config.json asks for %s missing: %s%s%s%s%s%s%s",
                   b->catalog->n_files ? b->catalog->files[0].path : "model", b->n_missing,
                   b->n_missing == 1 ? "" : "s", b->n_missing == 1 ? "is" : "are", b->missing[0],
                   named > 1 ? ", " : "", named > 1 ? b->missing[1] : "", named > 2 ? ", " : "",
                   named > 2 ? b->missing[2] : "", b->n_missing > named ? ", ..." : "", by_default(b).text);
}

/* The layer that `name` lies under, or -1. Buffers of old checkpoints that hold no weight do not count. */
static int64_t layer_of(const struct binder *b, struct lr_str name) {
    char head[96];
    snprintf(head, sizeof head, "%slayers.", b->prefix);
    if (!lr_str_starts(name, lr_str_of(head)) || lr_str_ends(name, LR_STR("rotary_emb.inv_freq"))) return -1;
    uint64_t layer = 0;
    size_t i = strlen(head);
    for (; i < name.len && name.data[i] >= '0' && name.data[i] <= '9' && layer < UINT32_MAX; i++)
        layer = layer * 10 + (uint64_t)(name.data[i] - '0');
    return (int64_t)layer;
}

/* Scales that weights do not need: of activations (which stay f32) and of a KV cache. */
static bool is_activation_scale(struct lr_str name) {
    static const char *const endings[] = {".input_scale",  ".activation_scale", ".input_scale_ub",
                                          ".output_scale", ".k_scale",          ".v_scale"};
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
        if (lr_str_ends(name, lr_str_of(endings[i]))) return true;
    return false;
}

static void log_activation_scale(struct lr_str name) {
    lr_log(LR_LOG_NOTE,
           "'%.*s' and scales like it are not used: fp8 weights are dequantised, and activations are not "
           "rounded to fp8",
           LR_STR_ARGS(name));
}

static void log_ignored(const struct binder *b) {
    bool warned = false, noted = false;
    for (size_t i = 0; i < b->catalog->count; i++) {
        if (b->used[i] || b->catalog->tensors[i].is_scale) continue;
        struct lr_str name = b->catalog->tensors[i].name;
        int64_t layer = layer_of(b, name);
        if (is_activation_scale(name)) {
            if (!noted) log_activation_scale(name);
            noted = true;
            continue;
        }
        if (!warned && layer >= 0) {
            lr_log(LR_LOG_WARN,
                   layer < b->spec->layers
                       ? "tensor '%.*s' lies in a layer that is used, but config.json has no "
                         "place for it: ignored (all that are ignored: -v)"
                       : "tensor '%.*s' lies beyond the %u layers of config.json: ignored "
                         "(all that are ignored: -v)",
                   LR_STR_ARGS(name), b->spec->layers);
            warned = true;
        }
        lr_log(LR_LOG_INFO, "ignored tensor '%.*s'", LR_STR_ARGS(name));
    }
}

static void count_used(const struct binder *b, struct binding *out) {
    for (size_t i = 0; i < b->catalog->count; i++) {
        const struct tensor_record *t = &b->catalog->tensors[i];
        if (!b->used[i] ||
            (b->spec->tied_head && t != out->embed && lr_str_ends(t->name, LR_STR("lm_head.weight"))))
            continue;
        out->used_bytes += t->bytes;
        out->dtype_bytes[t->dtype] += t->bytes;
        out->parameters += t->shape[0] * (t->rank == 2 ? t->shape[1] : 1);
    }
}

static enum lr_status bind_all(struct binder *b, struct binding *out, struct lr_error *err) {
    LR_TRY(bind_ends(b, out, err));
    for (uint32_t i = 0; i < b->spec->layers; i++) LR_TRY(bind_layer(b, i, &out->layers[i], err));
    LR_TRY(report_missing(b, err));
    log_ignored(b);
    count_used(b, out);
    return LR_OK;
}

enum lr_status bind_model(const struct model_spec *spec, const struct catalog *catalog, struct binding *out,
                          struct lr_error *err) {
    *out = (struct binding){.layers = lr_calloc(spec->layers, sizeof *out->layers)};
    struct binder b = {.spec = spec, .catalog = catalog, .prefix = find_prefix(catalog)};
    b.used = lr_calloc(catalog->count, sizeof *b.used);
    enum lr_status status = out->layers && b.used ? bind_all(&b, out, err)
                                                  : lr_fail_memory(err, "the table of bound tensors",
                                                                   spec->layers * sizeof *out->layers);
    lr_free(b.used);
    if (status != LR_OK) bind_free(out);
    return status;
}

void bind_free(struct binding *b) {
    lr_free(b->layers);
    *b = (struct binding){0};
}
