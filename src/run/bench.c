#include "run/bench.h"

#include "base/mem.h"
#include "run/rng.h"
#include "run/session.h"
#include "sys/clock.h"
#include "sys/cpu.h"

#include <math.h>
#include <stdio.h>

#define IDS_SEED 1

uint32_t bench_positions(struct bench_test test) {
    return test.n_prompt ? test.n_prompt : BENCH_PROMPT + test.n_gen;
}

struct bench_name bench_name(struct bench_test test) {
    struct bench_name name;
    snprintf(name.text, sizeof name.text, "%s%u", test.n_prompt ? "pp" : "tg",
             test.n_prompt ? test.n_prompt : test.n_gen);
    return name;
}

/* ---- one run */

struct runner {
    struct lr_session *session;
    struct bench_test test;
    uint32_t *ids; /* [n_ids] of the prompt */
    uint32_t n_ids;
    struct operations *operations; /* of the run that is watched */
};

static enum lr_status draw_ids(struct runner *r, struct lr_error *err) {
    struct rng rng = rng_seeded(IDS_SEED);
    r->n_ids = r->test.n_prompt ? r->test.n_prompt : BENCH_PROMPT;
    r->ids = lr_calloc(r->n_ids, sizeof *r->ids);
    if (!r->ids) return lr_fail_memory(err, "a prompt", r->n_ids * sizeof *r->ids);
    for (uint32_t i = 0; i < r->n_ids; i++)
        r->ids[i] = (uint32_t)(rng_next(&rng) % r->session->engine->spec.vocab);
    return LR_OK;
}

/* Tokens that end a text are drawn and read like others. */
static enum lr_status generate(struct lr_session *s, uint32_t n, struct lr_error *err) {
    for (uint32_t i = 0; i < n; i++) LR_TRY(session_append(s, sampler_draw(&s->sampler, s->logits), err));
    return LR_OK;
}

static enum lr_status timed(struct runner *r, uint32_t n_gen, double *seconds, struct lr_error *err) {
    struct lr_session *s = r->session;
    bool decodes = r->test.n_gen > 0;
    lr_session_reset(s);
    if (decodes) LR_TRY(lr_session_feed_ids(s, r->ids, r->n_ids, err));
    s->operations = r->operations;
    double begin = clock_now();
    LR_TRY(decodes ? generate(s, n_gen, err) : lr_session_feed_ids(s, r->ids, r->n_ids, err));
    *seconds = clock_now() - begin;
    return LR_OK;
}

static enum lr_status run_once(struct runner *r, uint32_t n_gen, double *seconds, struct lr_error *err) {
    enum lr_status status = timed(r, n_gen, seconds, err);
    r->session->operations = NULL;
    return status;
}

/* ---- a test */

/* The first time brings in what is not there yet: pages of the weights and of work space. */
static enum lr_status run_all(struct runner *r, uint32_t repeat, bool watch, struct bench_result *out,
                              struct lr_error *err) {
    double seconds;
    uint32_t tokens = r->test.n_prompt ? r->test.n_prompt : r->test.n_gen;
    LR_TRY(draw_ids(r, err));
    LR_TRY(run_once(r, 1, &seconds, err));
    while (out->n_samples < repeat) {
        LR_TRY(run_once(r, r->test.n_gen, &seconds, err));
        out->samples[out->n_samples++] = tokens / seconds;
    }
    if (!watch) return LR_OK;
    r->operations = &out->operations;
    return run_once(r, r->test.n_gen, &seconds, err);
}

enum lr_status bench_run(struct lr_session *session, struct bench_test test, uint32_t repeat, bool watch,
                         struct bench_result *out, struct lr_error *err) {
    struct runner r = {.session = session, .test = test};
    *out = (struct bench_result){.test = test, .samples = lr_calloc(repeat, sizeof *out->samples)};
    if (!out->samples) return lr_fail_memory(err, "samples", repeat * sizeof *out->samples);
    enum lr_status status = run_all(&r, repeat, watch, out, err);
    lr_free(r.ids);
    if (status != LR_EINTERRUPTED) return status;
    return lr_fail(err, status, "interrupted in %s, run %zu of %u", bench_name(test).text,
                   out->n_samples + (out->n_samples < repeat), repeat);
}

void bench_result_free(struct bench_result *r) {
    lr_free(r->samples);
    *r = (struct bench_result){0};
}

/* ---- figures */

double bench_mean(const double *x, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += x[i];
    return n ? sum / (double)n : 0;
}

double bench_deviation(const double *x, size_t n) {
    double mean = bench_mean(x, n), sum = 0;
    for (size_t i = 0; i < n; i++) sum += (x[i] - mean) * (x[i] - mean);
    return n > 1 ? sqrt(sum / (double)(n - 1)) : 0;
}

enum lr_status bench_machine(const struct lr_engine *e, struct bench_machine *out, struct lr_error *err) {
    static const char *const ways[] = {
        [MATMUL_AUTO] = "auto", [MATMUL_NATIVE] = "native", [MATMUL_BLAS] = "blas"};
    struct cpu_info cpu;
    LR_TRY(cpu_read("", &cpu, err));
    *out = (struct bench_machine){.threads = threads_count(e->threads)};
    snprintf(out->processor, sizeof out->processor, "%s", cpu.model);
    out->isa = e->matmul.kernels->name;
    out->matmul = ways[e->matmul.mode];
    return LR_OK;
}

double bench_disk_rate(const struct lr_engine *e) {
    return e->plan.streamed ? e->rates.disk : 0;
}
