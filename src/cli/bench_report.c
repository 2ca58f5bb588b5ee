#include "cli/bench.h"

#include "base/json_write.h"

#include <stdio.h>

#define MEGA 1e6
#define GIGA 1e9

static uint32_t tokens_of(struct bench_test t) {
    return t.n_prompt ? t.n_prompt : t.n_gen;
}

/* What is told of an operation's bytes: activations where it reads no weights and no KV cache. */
static uint64_t bytes_of(const struct operation_cost *c) {
    return c->memory ? c->memory : c->cached;
}

static double sum_of_seconds(const struct operations *o) {
    double sum = 0;
    for (int i = 0; i < OPERATIONS; i++) sum += o->of[i].seconds;
    return sum;
}

static double sum_of_bounds(const struct machine_limits *l, const struct operations *o) {
    double sum = 0;
    for (int i = 0; i < OPERATIONS; i++) sum += limits_bound(l, &o->of[i]).seconds;
    return sum;
}

/* ---- JSON */

/* `"key":x`, null where x is not known. */
static int write_rate(struct lr_buf *b, const char *key, double x) {
    int bad = lr_buf_printf(b, "\"%s\":", key);
    return bad | (x > 0 ? json_write_number(b, x, 9) : lr_buf_append_str(b, LR_STR("null")));
}

static int write_result(struct lr_buf *b, const struct bench_result *r) {
    int bad = lr_buf_printf(b, "{\"test\":\"%s\",\"n_prompt\":%u,\"n_gen\":%u,\"batch\":1,\"tok_s_mean\":",
                            bench_name(r->test).text, r->test.n_prompt, r->test.n_gen);
    bad |= json_write_number(b, bench_mean(r->samples, r->n_samples), 9);
    bad |= lr_buf_append_str(b, LR_STR(",\"tok_s_sd\":"));
    bad |= json_write_number(b, bench_deviation(r->samples, r->n_samples), 9);
    bad |= lr_buf_append_str(b, LR_STR(",\"samples\":["));
    for (size_t i = 0; i < r->n_samples; i++) {
        if (i) bad |= lr_buf_append_char(b, ',');
        bad |= json_write_number(b, r->samples[i], 9);
    }
    return bad | lr_buf_append_str(b, LR_STR("]}"));
}

static int write_operation(struct lr_buf *b, const struct machine_limits *l, enum operation op,
                           const struct operation_cost *c) {
    struct limits_bound bound = limits_bound(l, c);
    int bad = lr_buf_printf(b, "{\"operation\":\"%s\",\"seconds\":", operation_name(op));
    bad |= json_write_number(b, c->seconds, 9);
    bad |= lr_buf_printf(b,
                         ",\"memory_bytes\":%llu,\"streamed_bytes\":%llu,\"activation_bytes\":%llu,"
                         "\"multiply_adds\":%llu,\"limit\":",
                         (unsigned long long)c->memory, (unsigned long long)c->streamed,
                         (unsigned long long)c->cached, (unsigned long long)c->multiply_adds);
    bad |= bound.name ? lr_buf_printf(b, "\"%s\"", bound.name) : lr_buf_append_str(b, LR_STR("null"));
    bad |= lr_buf_append_char(b, ',') |
           write_rate(b, "share", c->seconds > 0 && bound.name ? bound.seconds / c->seconds : 0);
    return bad | lr_buf_append_char(b, '}');
}

static int write_operations(struct lr_buf *b, const struct machine_limits *l, const struct bench_result *r) {
    const struct operations *o = &r->operations;
    int bad =
        lr_buf_printf(b, "{\"test\":\"%s\",\"passes\":%u,\"pass_s\":", bench_name(r->test).text, o->passes);
    bad |= json_write_number(b, o->pass_s, 9);
    bad |= lr_buf_append_str(b, LR_STR(",\"sum_s\":"));
    bad |= json_write_number(b, sum_of_seconds(o), 9);
    bad |= lr_buf_append_str(b, LR_STR(",\"parts\":["));
    for (int i = 0; i < OPERATIONS; i++) {
        if (i) bad |= lr_buf_append_char(b, ',');
        bad |= write_operation(b, l, (enum operation)i, &o->of[i]);
    }
    return bad | lr_buf_append_str(b, LR_STR("]}"));
}

static int write_limits(struct lr_buf *b, const struct machine_limits *l) {
    int bad = lr_buf_append_str(b, LR_STR(",\"limits\":{")) | write_rate(b, "memory_bytes_per_s", l->memory);
    bad |= lr_buf_append_char(b, ',') | write_rate(b, "cache_bytes_per_s", l->cache);
    bad |= lr_buf_append_char(b, ',') | write_rate(b, "disk_bytes_per_s", l->disk);
    bad |= lr_buf_append_str(b, LR_STR(",\"multiply_adds_per_s\":{"));
    for (int i = 0; i < PEAK_COUNT; i++) {
        if (i) bad |= lr_buf_append_char(b, ',');
        bad |= write_rate(b, limits_peak_name((enum kernel_peak)i), l->peak[i]);
    }
    return bad | lr_buf_printf(b, "},\"weights_in_cache\":%s}", l->in_cache ? "true" : "false");
}

static int write_head_json(struct lr_buf *b, const struct bench_report *r) {
    const struct lr_model_info *m = &r->info;
    int bad = lr_buf_append_str(b, LR_STR("{\"model\":")) | json_write_string(b, lr_str_of(r->model)) |
              lr_buf_printf(b, ",\"params\":%llu,\"bytes\":%llu,\"dtype\":\"%s\"",
                            (unsigned long long)m->parameters, (unsigned long long)m->weight_bytes, m->dtype);
    bad |= lr_buf_append_str(b, LR_STR(",\"processor\":")) |
           json_write_string(b, lr_str_of(r->machine.processor));
    return bad | lr_buf_printf(b, ",\"threads\":%u,\"isa\":\"%s\",\"matmul\":\"%s\"", r->machine.threads,
                               r->machine.isa, r->machine.matmul);
}

int bench_report_json(struct lr_buf *b, const struct bench_report *r) {
    int bad = write_head_json(b, r) | lr_buf_append_str(b, LR_STR(",\"results\":["));
    for (size_t i = 0; i < r->n_results; i++) {
        if (i) bad |= lr_buf_append_char(b, ',');
        bad |= write_result(b, &r->results[i]);
    }
    bad |= lr_buf_append_char(b, ']');
    if (!r->watched) return bad | lr_buf_append_char(b, '}');
    bad |= lr_buf_append_str(b, LR_STR(",\"operations\":["));
    for (size_t i = 0; i < r->n_results; i++) {
        if (i) bad |= lr_buf_append_char(b, ',');
        bad |= write_operations(b, &r->limits, &r->results[i]);
    }
    return bad | lr_buf_append_char(b, ']') | write_limits(b, &r->limits) | lr_buf_append_char(b, '}');
}

/* ---- tables */

#define MODEL_WIDTH 60

static int write_head(struct lr_buf *b, const struct bench_report *r) {
    const struct lr_model_info *m = &r->info;
    struct lr_str name = lr_str_of(r->model),
                  tail = lr_str_from(name, name.len > MODEL_WIDTH ? name.len - MODEL_WIDTH : 0);
    int bad = lr_buf_printf(b, "Model    %s%.*s\n", tail.len < name.len ? "..." : "", LR_STR_ARGS(tail));
    bad |= lr_buf_printf(b, "         %.4g million parameters, %.1f MB, most of it %s\n",
                         (double)m->parameters / MEGA, (double)m->weight_bytes / MEGA, m->dtype);
    bad |= lr_buf_printf(b, "Machine  %.62s\n", r->machine.processor);
    return bad | lr_buf_printf(b, "         %u thread%s, %s kernels, matmul %s\n\n", r->machine.threads,
                               r->machine.threads == 1 ? "" : "s", r->machine.isa, r->machine.matmul);
}

static int write_row(struct lr_buf *b, const struct bench_result *r) {
    return lr_buf_printf(b, "%-14s%10u%12.2f%12.2f%8zu\n", bench_name(r->test).text, tokens_of(r->test),
                         bench_mean(r->samples, r->n_samples), bench_deviation(r->samples, r->n_samples),
                         r->n_samples);
}

/* Of the binding limit's kind: bytes, or multiply-adds. */
static int write_rate_cell(struct lr_buf *b, const struct operation_cost *c, struct limits_bound bound) {
    uint64_t amount = bound.name ? bound.amount : bytes_of(c);
    if (c->seconds <= 0) return lr_buf_printf(b, "%9s      ", "-");
    return lr_buf_printf(b, "%9.2f %s", (double)amount / c->seconds / GIGA,
                         bound.arithmetic ? "Gma/s" : "GB/s ");
}

/* One operation, of which each of `each` passes or runs took its part. */
static int write_part(struct lr_buf *b, const struct machine_limits *l, const struct operations *o,
                      enum operation op, double each) {
    const struct operation_cost *c = &o->of[op];
    struct limits_bound bound = limits_bound(l, c);
    int bad = lr_buf_printf(b, "%-11s%10.3f%7.1f%10.2f%11.2f", operation_name(op), c->seconds * 1e3 / each,
                            100 * c->seconds / o->pass_s, (double)bytes_of(c) / MEGA / each,
                            (double)c->multiply_adds / MEGA / each);
    bad |= write_rate_cell(b, c, bound);
    if (!bound.name || c->seconds <= 0) return bad | lr_buf_append_str(b, LR_STR("     -\n"));
    return bad | lr_buf_printf(b, "%6.1f  %s\n", 100 * bound.seconds / c->seconds, bound.name);
}

static int write_parts(struct lr_buf *b, const struct machine_limits *l, const struct bench_result *r) {
    const struct operations *o = &r->operations;
    double each = r->test.n_gen ? o->passes : 1, sum = sum_of_seconds(o);
    int bad = lr_buf_printf(b, "\n%s, %s\n", bench_name(r->test).text,
                            r->test.n_gen ? "each token" : "the whole prompt");
    bad |= lr_buf_printf(b, "%-11s%10s%7s%10s%11s%9s      %6s  %s\n", "operation", "ms", "% pass", "MB",
                         "M mul-add", "rate", "%", "of limit");
    for (int i = 0; i < OPERATIONS; i++) bad |= write_part(b, l, o, (enum operation)i, each);
    bad |= lr_buf_printf(b, "%-11s%10.3f%7.1f\n", "sum", sum * 1e3 / each, 100 * sum / o->pass_s);
    return bad | lr_buf_printf(b, "%-11s%10.3f%7.1f%36s%6.1f  %s\n", r->test.n_gen ? "pass" : "passes",
                               o->pass_s * 1e3 / each, 100.0, "", 100 * sum_of_bounds(l, o) / o->pass_s,
                               "together");
}

static int write_limit(struct lr_buf *b, const char *name, double rate, const char *unit) {
    if (rate <= 0) return lr_buf_printf(b, "  %-8s%10s\n", name, "not known");
    return lr_buf_printf(b, "  %-8s%10.2f %s\n", name, rate / GIGA, unit);
}

static const char foot[] =
    "\nMB: 10^6 bytes of weights and KV cache; of activations where it reads neither.\n"
    "M mul-add: 10^6 multiply-adds. rate: of what the limit that binds counts.\n"
    "%: the least time that the limit allows, of the time that it took.\n"
    "Limits of this machine with these threads, measured in this run:\n";

static int write_watched(struct lr_buf *b, const struct bench_report *r) {
    const struct machine_limits *l = &r->limits;
    int bad = 0;
    for (size_t i = 0; i < r->n_results; i++) bad |= write_parts(b, l, &r->results[i]);
    bad |= lr_buf_append_str(b, LR_STR(foot)) | write_limit(b, "memory", l->memory, "GB/s read") |
           write_limit(b, "cache", l->cache,
                       l->in_cache ? "GB/s read, from each thread's own; weights lie in caches too"
                                   : "GB/s read, from each thread's own");
    if (l->disk > 0) bad |= write_limit(b, "disk", l->disk, "GB/s of streamed weights");
    for (int i = 0; i < PEAK_COUNT; i++)
        if (l->peak[i] > 0) bad |= write_limit(b, limits_peak_name((enum kernel_peak)i), l->peak[i], "Gma/s");
    return bad;
}

int bench_report_table(struct lr_buf *b, const struct bench_report *r) {
    int bad = write_head(b, r) |
              lr_buf_printf(b, "%-14s%10s%12s%12s%8s\n", "test", "tokens", "tokens/s", "sd", "runs");
    for (size_t i = 0; i < r->n_results; i++) bad |= write_row(b, &r->results[i]);
    if (r->watched) bad |= write_watched(b, r);
    if (!bad && b->len) b->len--; /* the newline is console_answer's */
    return bad;
}
