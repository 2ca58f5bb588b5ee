#include "run/load_trial.h"

#include "format/json.h"
#include "sys/process.h"

const char *const load_phase_keys[LOAD_PHASES] = {
    [LOAD_CONFIG] = "config_s", [LOAD_TOKENIZER] = "tokenizer_s", [LOAD_CATALOG] = "catalog_s",
    [LOAD_PLAN] = "plan_s",     [LOAD_WEIGHTS] = "weights_s",     [LOAD_FIRST_TOKEN] = "first_token_s",
};

/* ---- the answer */

static enum lr_status refuse(const struct process_result *p, struct json answer, struct lr_error *err) {
    struct lr_str message;
    if (p->status < 0) return lr_fail(err, LR_EFAILED, "a run was ended by signal %d", -p->status);
    if (!json_str(json_get(json_get(answer, "error"), "message"), &message))
        return lr_fail(err, LR_EFAILED, "a run gave no answer and ended with status %d", p->status);
    enum lr_status status = p->status <= LR_EMEMORY ? (enum lr_status)p->status : LR_EFAILED;
    return lr_fail(err, status, "%.*s", LR_STR_ARGS(message));
}

static bool read_times(struct json answer, struct load_trial *t) {
    struct json timings = json_get(answer, "timings"), phases = json_get(timings, "phases");
    bool ok = json_double(json_get(timings, "first_token_s"), &t->total_s);
    for (int i = 0; i < LOAD_PHASES; i++)
        ok = ok && json_double(json_get(phases, load_phase_keys[i]), &t->phases[i]);
    return ok;
}

static bool read_bytes(struct json answer, struct load_trial *t) {
    static const char *const keys[] = {"weights_mapped", "weights_pinned", "weights_streamed"};
    struct json memory = json_get(answer, "memory");
    uint64_t bytes;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        if (!json_u64(json_get(memory, keys[i]), &bytes)) return false;
        t->bytes_read += bytes;
    }
    t->bytes_per_s = t->total_s > 0 ? (double)t->bytes_read / t->total_s : 0;
    return true;
}

static enum lr_status take_answer(const struct process_result *p, struct load_trial *t,
                                  struct lr_error *err) {
    struct json_doc *doc = NULL;
    struct json answer = {0};
    bool parsed = p->out.len && json_parse(p->out.data, p->out.len, "a run", &doc, NULL) == LR_OK;
    if (parsed) answer = json_root(doc);
    enum lr_status status = LR_OK;
    if (p->status != 0 || !parsed || !read_times(answer, t) || !read_bytes(answer, t))
        status = refuse(p, answer, err);
    t->disk_bytes = p->disk_bytes;
    json_close(doc);
    return status;
}

/* ---- the trial */

static enum lr_status prepare(const struct load_files *files, const volatile int *interrupt,
                              struct load_trial *t, struct lr_error *err) {
    if (t->warm) return load_files_warm(files, interrupt, &t->cache, err);
    LR_TRY(load_files_probe(files, interrupt, &t->disk_bytes_per_s, err));
    return load_files_cool(files, interrupt, &t->cache, err);
}

static enum lr_status check(const volatile int *interrupt, struct lr_error *err) {
    return interrupt && *interrupt ? lr_fail(err, LR_EINTERRUPTED, "interrupted in a run") : LR_OK;
}

enum lr_status load_trial_run(const struct load_files *files, bool warm, char *const *words, bool quiet,
                              const volatile int *interrupt, struct load_trial *out, struct lr_error *err) {
    struct process_result process;
    *out = (struct load_trial){.warm = warm};
    LR_TRY(prepare(files, interrupt, out, err));
    LR_TRY(check(interrupt, err));
    enum lr_status status = process_run_again(words, quiet, interrupt, &process, err);
    if (check(interrupt, err) != LR_OK) status = LR_EINTERRUPTED;
    if (status == LR_OK) status = take_answer(&process, out, err);
    process_free(&process);
    return status;
}
