/* --bench-load: how long it takes to the first token, by phase. Each run is this program once more, which
 * generates one token; before it the model's files are dropped from the page cache, or read into it. */
#include "cli/modes.h"

#include "base/mem.h"
#include "cli/bench_load.h"
#include "cli/signals.h"
#include "cli/words.h"
#include "format/json.h"
#include "format/model_dir.h"
#include "sys/file.h"
#include "sys/memory.h"
#include "sys/probe.h"
#include "sys/process.h"

#include <unistd.h>

#define REPEAT        3
#define COLD_SHARE    0.01 /* resident below this: shown to be cold */
#define WARM_SHARE    0.99
#define DROP_TRIES    5
#define DROP_WAIT_US  50000
#define PROBE_SECONDS 0.3
#define PROBE_MEMORY  (UINT64_C(64) << 20)

struct bench {
    const struct options *o;
    struct console *console;
    struct model_dir dir;
    const char **files; /* [n_files] of the model, those of weights first; owned by `dir` */
    size_t n_files;
    uint64_t all_bytes; /* of them */
    struct words words; /* of the command line for each run */
    size_t repeat;
    struct load_run *runs; /* [2 * repeat] */
    struct load_report report;
};

/* ---- the files */

static enum lr_status find_files(struct bench *b, struct lr_error *err) {
    LR_TRY(model_dir_open(b->o->model_dir, MODEL_DIR_WEIGHTS, &b->dir, err));
    const struct model_dir *d = &b->dir;
    const char *const others[] = {d->config, d->generation,       d->tokenizer,     d->vocab,
                                  d->merges, d->tokenizer_config, d->chat_template, d->index};
    const size_t n_others = sizeof others / sizeof *others;
    b->files = lr_calloc(d->n_shards + n_others, sizeof *b->files);
    if (!b->files) return lr_fail_memory(err, "the list of files", d->n_shards * sizeof *b->files);
    for (size_t i = 0; i < d->n_shards; i++) b->files[b->n_files++] = d->shards[i];
    for (size_t i = 0; i < n_others; i++)
        if (others[i]) b->files[b->n_files++] = others[i];
    for (size_t i = 0; i < b->n_files; i++) {
        uint64_t size = 0;
        file_size(b->files[i], &size);
        b->all_bytes += size;
        if (i < d->n_shards) b->report.file_bytes += size;
    }
    b->report.n_files = d->n_shards;
    return LR_OK;
}

static enum lr_status for_all(const struct bench *b, enum lr_status (*act)(const char *, struct lr_error *),
                              struct lr_error *err) {
    for (size_t i = 0; i < b->n_files && !*signals_flag(); i++) LR_TRY(act(b->files[i], err));
    return LR_OK;
}

static enum lr_status look(const struct bench *b, double *share, struct lr_error *err) {
    uint64_t sum = 0, bytes;
    for (size_t i = 0; i < b->n_files; i++) {
        LR_TRY(file_resident(b->files[i], &bytes, err));
        sum += bytes;
    }
    *share = b->all_bytes ? (double)sum / (double)b->all_bytes : 1;
    return LR_OK;
}

/* ---- cold and warm */

static const char *largest_shard(const struct bench *b) {
    const char *best = NULL;
    uint64_t most = 0, size;
    for (size_t i = 0; i < b->dir.n_shards; i++) {
        if (!file_size(b->dir.shards[i], &size) || size < most) continue;
        best = b->dir.shards[i];
        most = size;
    }
    return best;
}

/* The best rate of the disk so far: it is measured anew beside each cold run. */
static enum lr_status measure_disk(struct bench *b, struct lr_error *err) {
    const char *path = largest_shard(b);
    struct disk_file file;
    struct disk_rate rate = {0};
    uint64_t memory = lr_memory_total() / 8;
    if (!path) return LR_OK;
    LR_TRY(disk_open(path, &file, err));
    enum lr_status status =
        probe_disk(&file, PROBE_SECONDS, memory < PROBE_MEMORY ? memory : PROBE_MEMORY, &rate, err);
    disk_close(&file);
    if (rate.bytes_per_s > b->report.disk_bytes_per_s) b->report.disk_bytes_per_s = rate.bytes_per_s;
    return status;
}

static enum lr_status make_cold(struct bench *b, struct load_run *r, struct lr_error *err) {
    LR_TRY(for_all(b, file_drop, err));
    LR_TRY(measure_disk(b, err));
    for (int i = 0; i < DROP_TRIES && !*signals_flag(); i++) {
        if (i) usleep(DROP_WAIT_US); /* a page that was in use a moment ago */
        LR_TRY(for_all(b, file_drop, err));
        LR_TRY(look(b, &r->resident, err));
        if (r->resident < COLD_SHARE) break;
    }
    r->shown = r->resident < COLD_SHARE;
    return LR_OK;
}

/* Files that memory does not hold are not read in vain. */
static enum lr_status make_warm(struct bench *b, struct load_run *r, struct lr_error *err) {
    struct memory_info memory;
    LR_TRY(memory_read("", 0, &memory, err));
    if (b->all_bytes < memory.room) LR_TRY(for_all(b, file_warm, err));
    LR_TRY(look(b, &r->resident, err));
    r->shown = b->all_bytes < memory.room && r->resident >= WARM_SHARE;
    return LR_OK;
}

/* ---- one run */

/* Whatever says how the model is had goes to each run; it begins with token 0, which every model has. */
static enum lr_status make_words(struct bench *b, struct lr_error *err) {
    static const char *const fixed[] = {"llm-run",  "--json",       "--ids",           "--max-tokens=1",
                                        "--greedy", "--ignore-eos", "--progress=never"};
    static const enum option_group groups[] = {GROUP_CONTEXT, GROUP_MEMORY, GROUP_MACHINE};
    const char *const last[] = {"--", b->o->model_dir, "0"};
    int bad = 0;
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++) bad |= words_add(&b->words, fixed[i]);
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++)
        bad |= words_add_group(&b->words, b->o, groups[i]);
    for (int i = 0; i < b->o->verbose; i++) bad |= words_add(&b->words, "--verbose");
    for (size_t i = 0; i < sizeof last / sizeof *last; i++) bad |= words_add(&b->words, last[i]);
    return bad ? lr_fail_memory(err, "a command line", b->words.count) : LR_OK;
}

/* The failure of a run is ours, in its own words. */
static enum lr_status refuse(const struct process_result *p, struct json answer, struct lr_error *err) {
    struct lr_str message;
    if (p->status < 0) return lr_fail(err, LR_EFAILED, "a run was ended by signal %d", -p->status);
    if (!json_str(json_get(json_get(answer, "error"), "message"), &message))
        return lr_fail(err, LR_EFAILED, "a run gave no answer and ended with status %d", p->status);
    enum lr_status status = p->status <= LR_EMEMORY ? (enum lr_status)p->status : LR_EFAILED;
    return lr_fail(err, status, "%.*s", LR_STR_ARGS(message));
}

static bool read_times(struct json answer, struct load_run *r) {
    struct json timings = json_get(answer, "timings"), phases = json_get(timings, "phases");
    bool ok = json_double(json_get(timings, "first_token_s"), &r->total_s);
    for (int i = 0; i < LOAD_PHASES; i++)
        ok = ok && json_double(json_get(phases, load_phase_keys[i]), &r->phases[i]);
    return ok;
}

static bool read_bytes(struct json answer, struct load_run *r) {
    static const char *const keys[] = {"weights_mapped", "weights_pinned", "weights_streamed"};
    struct json memory = json_get(answer, "memory");
    uint64_t bytes;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        if (!json_u64(json_get(memory, keys[i]), &bytes)) return false;
        r->bytes_read += bytes;
    }
    double seconds = r->phases[LOAD_WEIGHTS] + r->phases[LOAD_FIRST_TOKEN];
    r->bytes_per_s = seconds > 0 ? (double)r->bytes_read / seconds : 0;
    return true;
}

static enum lr_status take_answer(const struct process_result *p, struct load_run *r, struct lr_error *err) {
    struct json_doc *doc = NULL;
    struct json answer = {0};
    bool parsed = p->out.len && json_parse(p->out.data, p->out.len, "a run", &doc, NULL) == LR_OK;
    if (parsed) answer = json_root(doc);
    enum lr_status status = LR_OK;
    if (p->status != 0 || !parsed || !read_times(answer, r) || !read_bytes(answer, r))
        status = refuse(p, answer, err);
    r->disk_bytes = p->disk_bytes;
    json_close(doc);
    return status;
}

static enum lr_status interrupted(const struct bench *b, struct lr_error *err) {
    return lr_fail(err, LR_EINTERRUPTED, "interrupted in run %zu of %zu", b->report.n_runs + 1,
                   2 * b->repeat);
}

static enum lr_status run_once(struct bench *b, struct load_run *r, struct lr_error *err) {
    struct process_result process;
    LR_TRY(r->warm ? make_warm(b, r, err) : make_cold(b, r, err));
    if (*signals_flag()) return interrupted(b, err);
    enum lr_status status = process_run_again(b->words.items, !b->o->verbose, signals_flag(), &process, err);
    if (*signals_flag()) status = interrupted(b, err);
    if (status == LR_OK) status = take_answer(&process, r, err);
    process_free(&process);
    return status;
}

/* ---- all runs */

/* A cold run that read faster than the probe tells more of the disk than the probe does. */
static void note_rate(struct bench *b, const struct load_run *r) {
    if (r->shown && !r->warm && r->bytes_per_s > b->report.disk_bytes_per_s)
        b->report.disk_bytes_per_s = r->bytes_per_s;
}

static enum lr_status measure(struct bench *b, struct lr_error *err) {
    b->repeat = b->o->given[OPT_REPEAT] ? (size_t)b->o->repeat : REPEAT;
    LR_TRY(find_files(b, err));
    LR_TRY(make_words(b, err));
    b->runs = lr_calloc(2 * b->repeat, sizeof *b->runs);
    if (!b->runs) return lr_fail_memory(err, "the table of runs", 2 * b->repeat * sizeof *b->runs);
    b->report.runs = b->runs;
    for (size_t i = 0; i < 2 * b->repeat; i++) {
        struct load_run *r = &b->runs[b->report.n_runs];
        r->warm = i % 2; /* in turn: what changes with time changes both */
        LR_TRY(run_once(b, r, err));
        note_rate(b, r);
        b->report.n_runs++;
        console_note(b->console, "%s run %zu of %zu: first token after %.2f s", r->warm ? "warm" : "cold",
                     i / 2 + 1, b->repeat, r->total_s);
    }
    return LR_OK;
}

enum lr_status bench_load_run(const struct options *o, struct console *c, struct lr_error *err) {
    struct bench b = {.o = o, .console = c};
    struct lr_buf text = {0};
    enum lr_status status = measure(&b, err);
    if (status == LR_OK) {
        int bad = o->json ? load_report_json(&text, &b.report) : load_report_table(&text, &b.report);
        status = console_answer(c, &text, bad, err);
    }
    lr_buf_free(&text);
    lr_free(b.runs);
    words_free(&b.words);
    lr_free(b.files);
    model_dir_close(&b.dir);
    return status;
}
