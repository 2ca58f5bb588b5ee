/* --bench: figures, bounds, and that watching a pass changes nothing of it; the report's two forms. */
#include "support/support.h"

#include "cli/bench.h"
#include "format/json.h"
#include "run/session.h"

#include <math.h>

#define MODEL "tests/golden/models/llama_gqa"

static struct lr_session *open_session(struct lr_engine **e, enum lr_load load, uint64_t mem_limit,
                                       uint32_t chunk) {
    struct lr_engine_options eo = lr_engine_defaults();
    struct lr_session *s;
    struct lr_error err;
    eo.threads = 2;
    eo.matmul = LR_MATMUL_NATIVE;
    eo.load = load;
    eo.mem_limit = mem_limit;
    if (lr_engine_open(MODEL, &eo, e, &err)) fail_msg("%s", err.message);
    struct lr_session_options so = lr_session_defaults(*e);
    so.context = 64;
    so.prefill_chunk = chunk;
    so.sampling = (struct lr_sampling){.top_p = 1, .typical = 1, .repeat_penalty = 1};
    if (lr_session_open(*e, &so, &s, &err)) fail_msg("%s", err.message);
    return s;
}

static void mean_and_deviation(void **state) {
    (void)state;
    const double x[] = {2, 4, 4, 4, 5, 5, 7, 9};
    assert_true(bench_mean(x, 8) == 5);
    assert_true(fabs(bench_deviation(x, 8) - sqrt(32.0 / 7)) < 1e-12);
    assert_true(bench_mean(x, 1) == 2);
    assert_true(bench_deviation(x, 1) == 0);
    assert_true(bench_mean(x, 0) == 0 && bench_deviation(x, 0) == 0);
}

static void names_and_positions(void **state) {
    (void)state;
    assert_string_equal(bench_name((struct bench_test){.n_prompt = 128}).text, "pp128");
    assert_string_equal(bench_name((struct bench_test){.n_gen = INT32_MAX}).text, "tg2147483647");
    assert_int_equal(bench_positions((struct bench_test){.n_prompt = 128}), 128);
    assert_int_equal(bench_positions((struct bench_test){.n_gen = 32}), 40);
}

/* The longest time that a limit asks for is the one that binds. */
static void the_slowest_limit_binds(void **state) {
    (void)state;
    struct machine_limits l = {.memory = 100, .cache = 1000, .peak[PEAK_F32] = 10, .peak[PEAK_BF16] = 20};
    struct operation_cost c = {.memory = 100, .cached = 500, .multiply_adds = 5};
    struct limits_bound b = limits_bound(&l, &c);
    assert_string_equal(b.name, "memory");
    assert_true(b.seconds == 1 && b.amount == 100 && !b.arithmetic);
    c.multiply_adds = 40;
    b = limits_bound(&l, &c);
    assert_string_equal(b.name, "f32");
    assert_true(b.seconds == 4 && b.amount == 40 && b.arithmetic);
    c.peak = PEAK_BF16;
    b = limits_bound(&l, &c);
    assert_string_equal(b.name, "bf16");
    assert_true(b.seconds == 2);
    c.cached = 9000;
    assert_string_equal(limits_bound(&l, &c).name, "cache");
    c.streamed = 90;
    l.disk = 9;
    b = limits_bound(&l, &c);
    assert_string_equal(b.name, "disk");
    assert_true(b.seconds == 10 && b.amount == 90);
    l.in_cache = true;
    c = (struct operation_cost){.memory = 3000, .cached = 1000};
    b = limits_bound(&l, &c);
    assert_string_equal(b.name, "cache");
    assert_true(b.seconds == 4);
    assert_null(limits_bound(&l, &(struct operation_cost){0}).name);
    assert_null(limits_bound(&(struct machine_limits){0}, &c).name);
}

/* What a pass of the tiny model asks for, added up by hand. */
static void costs_are_those_of_the_model(void **state) {
    (void)state;
    struct lr_engine *e;
    struct lr_session *s = open_session(&e, LR_LOAD_AUTO, 0, 0);
    const struct model_spec *spec = &e->spec;
    struct operations o = {0};
    uint64_t q = spec_q_dim(spec), kv = spec_kv_dim(spec), layers = spec->layers, dim = spec->dim;
    operations_count(&o, &e->model, &s->pool, 3, 10, 1);
    const struct operation_cost *c = o.of;
    assert_int_equal(c[OPERATION_QKV].multiply_adds, layers * 3 * dim * (q + 2 * kv));
    assert_int_equal(c[OPERATION_O].multiply_adds, layers * 3 * dim * q);
    assert_int_equal(c[OPERATION_GATE_UP].multiply_adds, layers * 3 * 2 * dim * spec->ffn_dim);
    assert_int_equal(c[OPERATION_DOWN].multiply_adds, layers * 3 * dim * spec->ffn_dim);
    assert_int_equal(c[OPERATION_HEAD].multiply_adds, dim * spec->vocab);
    assert_int_equal(c[OPERATION_ATTENTION].multiply_adds, layers * 2 * q * (11 + 12 + 13));
    uint64_t kept = (uint64_t)spec->kv_heads * 16 * 2; /* in f16, heads filled up to 16 */
    assert_int_equal(spec->head_dim, 8);
    assert_int_equal(c[OPERATION_ATTENTION].memory, layers * 13 * 2 * kept);
    assert_int_equal(c[OPERATION_STORE_KV].memory, layers * 3 * 2 * kept);
    uint64_t weights = c[OPERATION_QKV].memory + c[OPERATION_O].memory + c[OPERATION_GATE_UP].memory +
                       c[OPERATION_DOWN].memory + c[OPERATION_HEAD].memory;
    uint64_t want = 0;
    for (size_t i = 0; i < e->n_tensors; i++)
        if (weight_read_whole(&e->tensors[i])) want += e->tensors[i].record->bytes;
    assert_int_equal(weights, want);
    operations_count(&o, &e->model, &s->pool, 3, 10, 0);
    assert_int_equal(c[OPERATION_HEAD].multiply_adds, dim * spec->vocab); /* none more */
    e->spec.window[0] = 4;
    struct operations windowed = {0};
    operations_count(&windowed, &e->model, &s->pool, 3, 10, 0);
    assert_int_equal(windowed.of[OPERATION_ATTENTION].multiply_adds,
                     2 * q * ((layers - 1) * (11 + 12 + 13) + 3 * 4));
    assert_int_equal(windowed.of[OPERATION_ATTENTION].memory, 2 * kept * ((layers - 1) * 13 + 6));
    lr_session_close(s);
    lr_engine_close(e);
}

/* Reads and generates; the logits behind that, to be freed. */
static float *logits_behind(struct lr_session *s, struct operations *o) {
    uint32_t vocab = s->engine->spec.vocab, id;
    static const uint32_t prompt[] = {5, 17, 42, 99, 3, 64, 7, 12, 90, 31, 8};
    bool end;
    lr_session_reset(s);
    s->operations = o;
    assert_int_equal(lr_session_feed_ids(s, prompt, 11, NULL), LR_OK);
    for (int i = 0; i < 4; i++) assert_int_equal(lr_session_next(s, &id, &end, NULL), LR_OK);
    s->operations = NULL;
    float *copy = malloc(vocab * sizeof *copy);
    memcpy(copy, lr_session_logits(s), vocab * sizeof *copy);
    return copy;
}

static void watching_changes_no_bit(void **state) {
    (void)state;
    struct lr_engine *e;
    struct lr_session *s = open_session(&e, LR_LOAD_AUTO, 0, 4);
    struct operations o = {0};
    /* watched first, over an empty cache: what the other leaves there would hide a store that is missing */
    float *watched = logits_behind(s, &o);
    float *plain = logits_behind(s, NULL);
    assert_memory_equal(plain, watched, e->spec.vocab * sizeof *plain);
    assert_int_equal(o.passes, 3 + 4);
    double sum = 0;
    for (int i = 0; i < OPERATIONS; i++) {
        assert_true(o.of[i].seconds > 0);
        assert_int_equal(o.of[i].streamed, 0);
        sum += o.of[i].seconds;
    }
    assert_true(sum <= o.pass_s && sum > o.pass_s / 2);
    free(plain);
    free(watched);
    lr_session_close(s);
    lr_engine_close(e);
}

/* Of streamed weights, each byte is some operation's. */
static void streamed_bytes_are_counted(void **state) {
    (void)state;
    struct lr_engine *e;
    struct lr_session *s = open_session(&e, LR_LOAD_STREAM, 0, 0);
    memset(e->target, 0, e->n_tensors * sizeof *e->target);
    store_begin(&e->store, true);
    store_unpin(&e->store, e->target);
    store_end(&e->store);
    struct operations o = {0};
    free(logits_behind(s, &o));
    uint64_t whole = 0, streamed = 0;
    for (size_t i = 0; i < e->n_tensors; i++)
        if (weight_read_whole(&e->tensors[i])) whole += e->tensors[i].record->bytes;
    for (int i = 0; i < OPERATIONS; i++) streamed += o.of[i].streamed;
    assert_int_equal(streamed, whole * o.passes);
    assert_int_equal(o.of[OPERATION_ATTENTION].streamed, 0);
    lr_session_close(s);
    lr_engine_close(e);
}

static void a_test_counts_its_runs_and_not_the_first(void **state) {
    (void)state;
    struct lr_engine *e;
    struct lr_session *s = open_session(&e, LR_LOAD_AUTO, 0, 0);
    struct bench_result r;
    assert_int_equal(bench_run(s, (struct bench_test){.n_gen = 56}, 3, true, &r, NULL), LR_OK);
    assert_int_equal(r.n_samples, 3);
    for (size_t i = 0; i < 3; i++) assert_true(r.samples[i] > 0);
    assert_int_equal(r.operations.passes, 56);
    assert_int_equal(lr_session_position(s), 64); /* no token ended it */
    assert_null(s->operations);
    bench_result_free(&r);
    assert_int_equal(bench_run(s, (struct bench_test){.n_prompt = 64}, 2, false, &r, NULL), LR_OK);
    assert_int_equal(r.n_samples, 2);
    assert_int_equal(r.operations.passes, 0);
    bench_result_free(&r);
    assert_int_equal(bench_run(s, (struct bench_test){.n_prompt = 65}, 2, false, &r, NULL), LR_EUSAGE);
    assert_int_equal(r.n_samples, 0);
    bench_result_free(&r);
    lr_session_close(s);
    lr_engine_close(e);
}

/* ---- the report */

static struct bench_report example(struct bench_result *r, double *samples) {
    *r = (struct bench_result){.test = {.n_gen = 4}, .samples = samples, .n_samples = 2};
    r->operations.passes = 4;
    r->operations.pass_s = 0.010;
    r->operations.of[OPERATION_DOWN] =
        (struct operation_cost){.seconds = 0.008, .memory = 400000, .multiply_adds = 200000};
    return (struct bench_report){
        .model = "a/rather/long/name/of/a/folder/that/does/not/fit/into/one/line/of/eighty/columns",
        .info = {.dtype = "bf16", .parameters = 1500000, .weight_bytes = 3000000},
        .machine = {.processor = "a \"processor\"", .threads = 2, .isa = "avx2", .matmul = "native"},
        .results = r,
        .n_results = 1,
        .watched = true,
        .limits = {.memory = 100e6, .peak[PEAK_F32] = 1e9},
    };
}

static void the_table_fits_in_80_columns(void **state) {
    (void)state;
    double samples[] = {90, 110};
    struct bench_result r;
    struct bench_report report = example(&r, samples);
    struct lr_buf b = {0};
    assert_int_equal(bench_report_table(&b, &report), 0);
    for (const char *line = b.data; *line; line += strcspn(line, "\n") + (line[strcspn(line, "\n")] == '\n'))
        assert_true(strcspn(line, "\n") <= 80);
    assert_non_null(strstr(b.data, "one/line/of/eighty/columns\n"));
    assert_non_null(strstr(b.data, "\ntg4                    4      100.00       14.14       2\n"));
    assert_non_null(strstr(b.data, "\ndown            2.000   80.0      0.10       0.05     0.05 GB/s   50.0"
                                   "  memory\n"));
    assert_non_null(strstr(b.data, "\nsum             2.000   80.0\n"));
    assert_non_null(strstr(b.data, "\npass            2.500  100.0"));
    lr_buf_free(&b);
    report.watched = false;
    assert_int_equal(bench_report_table(&b, &report), 0);
    assert_null(strstr(b.data, "down"));
    lr_buf_free(&b);
}

static double number_at(struct json object, const char *key) {
    double x = -1;
    json_double(json_get(object, key), &x);
    return x;
}

static void json_has_what_is_promised(void **state) {
    (void)state;
    double samples[] = {90, 110};
    struct bench_result r;
    struct bench_report report = example(&r, samples);
    struct lr_buf b = {0};
    struct json_doc *doc;
    assert_int_equal(bench_report_json(&b, &report), 0);
    char *folder = support_make_folder(), path[256];
    support_write_file(folder, "report.json", b.data, b.len);
    snprintf(path, sizeof path, "%s/report.json", folder);
    assert_int_equal(json_open(path, 1 << 20, &doc, NULL), LR_OK);
    struct json root = json_root(doc), result = json_at(json_get(root, "results"), 0);
    assert_true(number_at(root, "params") == 1500000 && number_at(root, "bytes") == 3000000);
    assert_true(number_at(root, "threads") == 2 && number_at(result, "batch") == 1);
    assert_true(number_at(result, "n_prompt") == 0 && number_at(result, "n_gen") == 4);
    assert_true(number_at(result, "tok_s_mean") == 100);
    assert_true(fabs(number_at(result, "tok_s_sd") - sqrt(200)) < 1e-6);
    assert_int_equal(json_count(json_get(result, "samples")), 2);
    struct json test = json_at(json_get(root, "operations"), 0);
    struct json down = json_at(json_get(test, "parts"), OPERATION_DOWN);
    assert_true(number_at(test, "sum_s") == 0.008 && number_at(test, "pass_s") == 0.01);
    assert_int_equal(json_count(json_get(test, "parts")), OPERATIONS);
    assert_true(number_at(down, "share") == 0.5 && number_at(down, "memory_bytes") == 400000);
    assert_true(number_at(json_get(root, "limits"), "memory_bytes_per_s") == 100e6);
    assert_true(number_at(json_get(json_get(root, "limits"), "multiply_adds_per_s"), "f32") == 1e9);
    json_close(doc);
    lr_buf_free(&b);
    support_remove_folder(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mean_and_deviation),
        cmocka_unit_test(names_and_positions),
        cmocka_unit_test(the_slowest_limit_binds),
        cmocka_unit_test(costs_are_those_of_the_model),
        cmocka_unit_test(watching_changes_no_bit),
        cmocka_unit_test(streamed_bytes_are_counted),
        cmocka_unit_test(a_test_counts_its_runs_and_not_the_first),
        cmocka_unit_test(the_table_fits_in_80_columns),
        cmocka_unit_test(json_has_what_is_promised),
    };
    return cmocka_run_group_tests_name("bench", tests, NULL, NULL);
}
