/* --bench-load: how long it takes to the first token, by phase. Cold and warm runs in turn, each of them
 * run/load_trial's; here is what they are told, and what is told of them. */
#include "cli/modes.h"

#include "base/mem.h"
#include "cli/bench_load.h"
#include "cli/signals.h"
#include "cli/words.h"

#define REPEAT 3

struct bench {
    const struct options *o;
    struct console *console;
    struct load_files *files;
    struct words words; /* of the command line for each run */
    size_t repeat;
    struct load_trial *runs; /* [2 * repeat] */
    struct load_report report;
};

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

/* A cold run that read faster than the probe tells more of the disk than the probe does. */
static void note_rate(struct load_report *report, const struct load_trial *t) {
    if (t->disk_bytes_per_s > report->disk_bytes_per_s) report->disk_bytes_per_s = t->disk_bytes_per_s;
    if (t->cache.shown && !t->warm && t->bytes_per_s > report->disk_bytes_per_s)
        report->disk_bytes_per_s = t->bytes_per_s;
}

/* The next one: cold and warm in turn, so that what changes with time changes both. */
static enum lr_status run_next(struct bench *b, struct lr_error *err) {
    size_t i = b->report.n_runs;
    struct load_trial *t = &b->runs[i];
    enum lr_status status =
        load_trial_run(b->files, i % 2, b->words.items, !b->o->verbose, signals_flag(), t, err);
    if (status == LR_EINTERRUPTED)
        return lr_fail(err, status, "interrupted in run %zu of %zu", i + 1, 2 * b->repeat);
    LR_TRY(status);
    note_rate(&b->report, t);
    b->report.n_runs++;
    console_note(b->console, "%s run %zu of %zu: first token after %.2f s", t->warm ? "warm" : "cold",
                 i / 2 + 1, b->repeat, t->total_s);
    return LR_OK;
}

static enum lr_status measure(struct bench *b, struct lr_error *err) {
    b->repeat = b->o->given[OPT_REPEAT] ? (size_t)b->o->repeat : REPEAT;
    LR_TRY(load_files_open(b->o->model_dir, &b->files, err));
    b->report.n_files = load_files_weights(b->files, &b->report.file_bytes);
    LR_TRY(make_words(b, err));
    b->runs = lr_calloc(2 * b->repeat, sizeof *b->runs);
    if (!b->runs) return lr_fail_memory(err, "the table of runs", 2 * b->repeat * sizeof *b->runs);
    b->report.runs = b->runs;
    while (b->report.n_runs < 2 * b->repeat) LR_TRY(run_next(b, err));
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
    load_files_close(b.files);
    return status;
}
