#include "run/engine.h"

#include "base/log.h"
#include "base/mem.h"
#include "model/expected.h"
#include "model/families/family.h"
#include "model/rope.h"
#include "run/compiled.h"
#include "run/loading.h"
#include "run/monitor.h"
#include "run/planning.h"
#include "run/quant.h"
#include "run/remarks.h"
#include "sys/clock.h"
#include "sys/cpu.h"
#include "weights/scales.h"

#include <stdio.h>

#define MAX_TOKENIZER_CONFIG (UINT64_C(64) << 20)

void lr_set_log(lr_log_fn *sink, void *ctx) {
    lr_log_set(sink, ctx);
}

struct lr_engine_options lr_engine_defaults(void) {
    return (struct lr_engine_options){.matmul = LR_MATMUL_AUTO};
}

static enum lr_status read_config(struct lr_engine *e, struct lr_error *err) {
    struct config_file file;
    LR_TRY(config_open(e->dir.config, &file, err));
    enum lr_status status = family_spec(&file, &e->config, &e->spec, err);
    config_close(&file);
    LR_TRY(status);
    LR_TRY(rope_check(&e->spec, err));
    return generation_config_read(e->dir.generation, &e->generation, err);
}

static enum lr_status interrupted(const struct lr_engine *e, struct lr_error *err) {
    bool stop = e->options.interrupt && *e->options.interrupt;
    return stop ? lr_fail(err, LR_EINTERRUPTED, "interrupted while loading") : LR_OK;
}

/* Whether the folder has a chat template: a file of its own, or a key of tokenizer_config.json. */
static enum lr_status find_template(struct lr_engine *e, struct lr_error *err) {
    e->has_template = e->dir.chat_template != NULL;
    if (e->has_template || !e->dir.tokenizer_config) return LR_OK;
    struct json_doc *doc;
    LR_TRY(json_open(e->dir.tokenizer_config, MAX_TOKENIZER_CONFIG, &doc, err));
    e->has_template = json_present(json_get(json_root(doc), "chat_template"));
    json_close(doc);
    return LR_OK;
}

static enum lr_status open_machine(struct lr_engine *e, struct lr_error *err) {
    static const enum matmul_mode modes[] = {
        [LR_MATMUL_AUTO] = MATMUL_AUTO, [LR_MATMUL_NATIVE] = MATMUL_NATIVE, [LR_MATMUL_BLAS] = MATMUL_BLAS};
    struct cpu_info cpu;
    const struct kernel_table *kernels;
    LR_TRY(cpu_read("", &cpu, err));
    if (e->options.threads < 0 || e->options.threads > 1024)
        return lr_fail(err, LR_EUSAGE, "%d threads are out of range: 1 to 1024", e->options.threads);
    LR_TRY(kernel_select(cpu.features, e->options.isa, &kernels, err));
    LR_TRY(threads_create(e->options.threads ? (uint32_t)e->options.threads : cpu.usable, &e->threads, err));
    enum matmul_mode mode = modes[e->options.matmul];
    e->with_products = memory_own_anonymous() + matmul_memory(kernels, mode, threads_count(e->threads));
    return matmul_open(kernels, e->threads, mode, e->options.precise, &e->matmul, err);
}

/* Without files: what the configuration asks for, if that agrees with what an index says. */
static enum lr_status expect_weights(struct lr_engine *e, struct lr_error *err) {
    LR_TRY(expected_catalog(&e->spec, e->config.dtype, e->config.fp8.stated, &e->catalog, err));
    uint64_t said = model_dir_total_size(&e->dir), sum = e->catalog.total_bytes;
    lr_log(LR_LOG_WARN, "the weights are not here: planned from %s, %.2f GB%s", e->dir.config,
           (double)sum / 1073741824.0, said == sum ? ", as the index says" : "");
    if (said && said != sum)
        lr_log(LR_LOG_WARN, "%s says %.2f GB: the files hold something else too, or less", e->dir.index,
               (double)said / 1073741824.0);
    return LR_OK;
}

/* The columns of the widest fp8 matrix; 0 where there is none. */
static uint64_t widest_fp8(const struct lr_engine *e) {
    uint64_t widest = 0;
    for (size_t i = 0; i < e->n_tensors; i++) {
        const struct tensor_record *r = e->tensors[i].record;
        if (lr_dtype_is_fp8(r->dtype) && r->shape[1] > widest) widest = r->shape[1];
    }
    return widest;
}

enum lr_status engine_bind_weights(struct lr_engine *e, struct lr_error *err) {
    LR_TRY(bind_model(&e->spec, &e->catalog, &e->binding, err));
    LR_TRY(order_tensors(&e->spec, &e->binding, &e->tensors, &e->n_tensors, err));
    e->target = lr_calloc(e->n_tensors, sizeof *e->target);
    if (!e->target) return lr_fail_memory(err, "the plan", e->n_tensors * sizeof *e->target);
    LR_TRY(matmul_take_panels(&e->matmul, widest_fp8(e), err));
    LR_TRY(store_open(&e->catalog, e->tensors, e->n_tensors, &e->store, err));
    for (size_t i = 0; i < e->n_tensors; i++)
        if (e->tensors[i].kind == WEIGHT_VECTOR) e->vectors += e->tensors[i].record->shape[0] * sizeof(float);
    e->store.on_boundary = monitor_boundary;
    e->store.on_loaded = loading_count;
    e->store.owner = e;
    return LR_OK;
}

void engine_close_weights(struct lr_engine *e) {
    store_close(&e->store);
    lr_free(e->tensors);
    lr_free(e->target);
    e->tensors = NULL;
    e->target = NULL;
    e->n_tensors = 0;
    e->vectors = 0;
    bind_free(&e->binding);
    catalog_close(&e->catalog);
}

static enum lr_status open_weights(struct lr_engine *e, struct lr_error *err) {
    LR_TRY(e->dir.n_shards ? catalog_open(&e->dir, &e->catalog, err) : expect_weights(e, err));
    LR_TRY(scales_read(&e->catalog, &e->config.fp8, err));
    LR_TRY(engine_bind_weights(e, err));
    LR_TRY(quant_take(e, err));
    return monitor_open(e, err);
}

/* What the first session is expected to be must fit before the tokenizer, which is large, is read. */
static enum lr_status check_expected(struct lr_engine *e, struct lr_error *err) {
    struct session_shape shape;
    struct plan_facts facts;
    bool later;
    LR_TRY(planning_expect(e, &shape, &facts, &later, err));
    if (later) return LR_OK;
    planning_show(e);
    return e->plan.fits || e->options.plan_only ? LR_OK : plan_refuse(&facts, &e->plan, err);
}

/* Weights may be absent where only a plan is wanted: then the configuration has to be there. */
static enum lr_status open_dir(struct lr_engine *e, const char *path, struct lr_error *err) {
    if (e->options.tokenizer_only) return model_dir_open(path, MODEL_DIR_TOKENIZER, &e->dir, err);
    enum lr_status status = model_dir_open(path, MODEL_DIR_WEIGHTS, &e->dir, err);
    if (status != LR_EMODEL || !e->options.plan_only) return status;
    return model_dir_open(path, MODEL_DIR_CONFIG, &e->dir, NULL) == LR_OK ? LR_OK : status;
}

static enum lr_status open_all(struct lr_engine *e, const char *path, struct lr_error *err) {
    bool text_only = e->options.tokenizer_only;
    struct lr_load_times *times = &e->times;
    double since = clock_now();
    LR_TRY(open_dir(e, path, err));
    if (!text_only) LR_TRY(read_config(e, err));
    LR_TRY(find_template(e, err));
    if (text_only) return compiled_take(e, err);
    LR_TRY(open_machine(e, err));
    engine_lap(&times->config_s, &since);
    LR_TRY(open_weights(e, err));
    engine_lap(&times->catalog_s, &since);
    if (e->options.quantise_only) return LR_OK;
    LR_TRY(check_expected(e, err));
    engine_lap(&times->plan_s, &since);
    if (!e->options.plan_only) LR_TRY(loading_begin(e, err));
    if (!e->options.plan_only) LR_TRY(compiled_take(e, err));
    engine_lap(&times->tokenizer_s, &since);
    LR_TRY(interrupted(e, err));
    remarks_on_engine(e);
    if (e->options.plan_only) return LR_OK;
    LR_TRY(model_open(&e->spec, &e->binding, &e->store, &e->matmul, &e->model, err));
    engine_lap(&times->weights_s, &since);
    return LR_OK;
}

enum lr_status lr_engine_open(const char *model_dir, const struct lr_engine_options *options,
                              struct lr_engine **out, struct lr_error *err) {
    *out = NULL;
    struct lr_engine *e = lr_calloc(1, sizeof *e);
    if (!e) return lr_fail_memory(err, "the engine", sizeof *e);
    e->held_fd = -1;
    e->options = options ? *options : lr_engine_defaults();
    snprintf(e->path, sizeof e->path, "%s", model_dir);
    enum lr_status status = planning_show_open(e, err);
    if (status == LR_OK) status = open_all(e, model_dir, err);
    if (status != LR_OK) {
        lr_engine_close(e);
        return status;
    }
    *out = e;
    return LR_OK;
}

void lr_engine_close(struct lr_engine *e) {
    if (!e) return;
    model_close(&e->model);
    matmul_close(&e->matmul);
    threads_destroy(e->threads);
    engine_close_weights(e);
    quant_close(e);
    monitor_close(e);
    planning_show_close(e);
    tokenizer_close(e->tokenizer);
    lr_free(e->compiled);
    model_dir_close(&e->dir);
    lr_free(e);
}

enum lr_status engine_tokenizer(const struct lr_engine *e, const struct tokenizer **out,
                                struct lr_error *err) {
    *out = e->tokenizer;
    if (e->tokenizer) return LR_OK;
    struct model_dir again;
    LR_TRY(model_dir_open(e->path, MODEL_DIR_TOKENIZER, &again, err));
    model_dir_close(&again);
    return lr_fail(err, LR_EMODEL, "%s: the tokenizer appeared after the model was opened: open it again",
                   e->path);
}

void engine_lap(double *time, double *since) {
    double now = clock_now();
    *time += now - *since;
    *since = now;
}

struct lr_load_times lr_engine_load_times(const struct lr_engine *e) {
    return e->times;
}

uint32_t engine_eos_ids(const struct lr_engine *e, const uint32_t **ids) {
    bool own = e->generation.n_eos > 0;
    *ids = own ? e->generation.eos_ids : e->config.eos_ids;
    return own ? e->generation.n_eos : e->config.n_eos;
}

bool engine_is_eos(const struct lr_engine *e, uint32_t id) {
    const uint32_t *ids;
    for (uint32_t i = 0, n = engine_eos_ids(e, &ids); i < n; i++)
        if (ids[i] == id) return true;
    return false;
}

void engine_tell_loading(const struct lr_engine *e, uint64_t done, uint64_t all) {
    if (e->options.progress) e->options.progress(e->options.progress_ctx, LR_PHASE_LOAD, done, all);
}
