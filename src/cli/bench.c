/* --bench: prompts read and tokens generated, in tests of some sizes, each of them run/bench's; here is which
 * tests there are, and for how many positions. */
#include "cli/bench.h"

#include "cli/modes.h"

#define REPEAT    5
#define TESTS     ((size_t)2 * OPTION_NUMBERS)
#define NO_PROMPT "--bench makes up its prompts: none can be given"

static const struct option_numbers default_prompts = {{128, 512}, 2}, default_gens = {{32}, 1};

struct bench {
    const struct options *o;
    struct console *console;
    struct lr_engine *engine;
    struct lr_session *session;
    struct bench_test tests[TESTS];
    size_t n_tests;
    uint32_t room; /* positions: what -c says, else the model's */
    struct bench_result results[TESTS];
    struct bench_report report;
};

/* ---- which tests */

static struct bench_test test_of(bool gen, int64_t size) {
    struct bench_test test = {0};
    *(gen ? &test.n_gen : &test.n_prompt) = (uint32_t)size;
    return test;
}

/* Sizes of our own are made to fit; those that were given are as they are. */
static enum lr_status fit(const struct bench *b, bool gen, bool given, int64_t *size, struct lr_error *err) {
    uint32_t needs = bench_positions(test_of(gen, *size));
    if (needs <= b->room) return LR_OK;
    if (given)
        return lr_fail(err, LR_EUSAGE, "--%s %lld: that takes %u positions, %s %u",
                       gen ? "gen-sizes" : "prompt-sizes", (long long)*size, needs,
                       b->o->given[OPT_CTX] ? "-c gives" : "the model has", b->room);
    *size = (int64_t)*size - (needs - b->room);
    if (*size < 0) *size = 0;
    return LR_OK;
}

static bool is_known(const struct bench *b, struct bench_test t) {
    for (size_t i = 0; i < b->n_tests; i++)
        if (b->tests[i].n_prompt == t.n_prompt && b->tests[i].n_gen == t.n_gen) return true;
    return false;
}

static enum lr_status add_tests(struct bench *b, bool gen, struct lr_error *err) {
    bool given = b->o->given[gen ? OPT_GEN_SIZES : OPT_PROMPT_SIZES];
    const struct option_numbers *sizes = gen ? &default_gens : &default_prompts;
    if (given) sizes = gen ? &b->o->gen_sizes : &b->o->prompt_sizes;
    for (size_t i = 0; i < sizes->count; i++) {
        int64_t size = sizes->items[i];
        if (size) LR_TRY(fit(b, gen, given, &size, err));
        struct bench_test test = test_of(gen, size);
        if (size && !is_known(b, test)) b->tests[b->n_tests++] = test;
    }
    return LR_OK;
}

static enum lr_status choose_tests(struct bench *b, uint32_t room, struct lr_error *err) {
    b->room = room;
    b->n_tests = 0;
    LR_TRY(add_tests(b, false, err));
    LR_TRY(add_tests(b, true, err));
    if (!b->n_tests)
        return lr_fail(err, LR_EUSAGE, "nothing to measure: --prompt-sizes and --gen-sizes name no size");
    return LR_OK;
}

static uint32_t positions(const struct bench *b) {
    uint32_t most = 0;
    for (size_t i = 0; i < b->n_tests; i++)
        if (bench_positions(b->tests[i]) > most) most = bench_positions(b->tests[i]);
    return b->o->given[OPT_CTX] ? (uint32_t)b->o->context : most;
}

/* ---- measuring */

/* A context that does not fit in memory is refused before anything is loaded. */
static enum lr_status open_engine(struct bench *b, struct lr_error *err) {
    struct lr_engine_options eo;
    if (b->o->prompt) return lr_fail(err, LR_EUSAGE, NO_PROMPT);
    LR_TRY(choose_tests(b, b->o->given[OPT_CTX] ? (uint32_t)b->o->context : UINT32_MAX, err));
    LR_TRY(engine_options_from(b->o, b->console, &eo, err));
    b->console->expect.context = positions(b);
    LR_TRY(lr_engine_open(b->o->model_dir, &eo, &b->engine, err));
    b->report.info = lr_engine_info(b->engine);
    if (b->o->given[OPT_CTX]) return LR_OK;
    return choose_tests(b, b->report.info.max_context, err);
}

/* Greedy: no number is drawn, and nothing is left out. */
static enum lr_status open_session(struct bench *b, struct lr_error *err) {
    struct lr_session_options so = session_options_from(b->o, b->engine);
    so.sampling = (struct lr_sampling){.top_p = 1, .typical = 1, .repeat_penalty = 1};
    so.context = positions(b);
    return lr_session_open(b->engine, &so, &b->session, err);
}

static enum lr_status run_tests(struct bench *b, struct lr_error *err) {
    uint32_t repeat = b->o->given[OPT_REPEAT] ? (uint32_t)b->o->repeat : REPEAT;
    for (size_t i = 0; i < b->n_tests; i++) {
        struct bench_result *r = &b->results[i];
        b->report.n_results++;
        LR_TRY(bench_run(b->session, b->tests[i], repeat, b->report.watched, r, err));
        console_note(b->console, "%s: %.2f tokens/s", bench_name(r->test).text,
                     bench_mean(r->samples, r->n_samples));
    }
    return LR_OK;
}

static enum lr_status measure(struct bench *b, struct lr_error *err) {
    struct bench_report *r = &b->report;
    *r = (struct bench_report){.model = b->o->model_dir, .results = b->results, .watched = b->o->verbose > 0};
    LR_TRY(open_engine(b, err));
    LR_TRY(bench_machine(b->engine, &r->machine, err));
    if (r->watched) LR_TRY(limits_measure(b->engine, &r->limits, err));
    LR_TRY(open_session(b, err));
    LR_TRY(run_tests(b, err));
    r->limits.disk = bench_disk_rate(b->engine);
    lr_session_close(b->session);
    b->session = NULL;
    return r->watched ? limits_measure_again(b->engine, &r->limits, err) : LR_OK;
}

enum lr_status bench_model_run(const struct options *o, struct console *c, struct lr_error *err) {
    struct bench b = {.o = o, .console = c};
    struct lr_buf text = {0};
    enum lr_status status = measure(&b, err);
    if (status == LR_OK) {
        int bad = o->json ? bench_report_json(&text, &b.report) : bench_report_table(&text, &b.report);
        status = console_answer(c, &text, bad, err);
    }
    lr_buf_free(&text);
    for (size_t i = 0; i < b.report.n_results; i++) bench_result_free(&b.results[i]);
    lr_session_close(b.session);
    lr_engine_close(b.engine);
    return status;
}
