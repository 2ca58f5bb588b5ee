/* The sampler against transformers' distributions (tests/golden/samplers.json), against frequencies over
 * 100,000 draws, and its generator against published values. */
#include "support/support.h"

#include "format/json.h"
#include "run/sampler.h"

#include <math.h>

#define DRAWS 100000

static struct lr_sampling plain(float temperature) {
    return (struct lr_sampling){.temperature = temperature,
                                .top_p = 1,
                                .typical = 1,
                                .repeat_penalty = 1,
                                .seed = 42,
                                .has_seed = true};
}

static struct sampler open_sampler(struct arena *arena, const struct lr_sampling *o, uint32_t vocab) {
    struct sampler s;
    struct lr_error err;
    assert_int_equal(arena_init(arena, 1 << 20, NULL, NULL, NULL), LR_OK);
    if (sampler_init(o, vocab, &s, &err) || sampler_allocate(arena, vocab, &s, &err))
        fail_msg("%s", err.message);
    return s;
}

/* xoshiro256++ seeded by splitmix64(0): the state is splitmix64's published first outputs. */
static void generator_is_the_published_one(void **state) {
    (void)state;
    struct rng r = rng_seeded(0);
    assert_int_equal(r.state[0], UINT64_C(0xE220A8397B1DCDAF));
    assert_int_equal(r.state[1], UINT64_C(0x6E789E6AA1B965F4));
    assert_int_equal(r.state[2], UINT64_C(0x06C45D188009454F));
    assert_int_equal(r.state[3], UINT64_C(0xF88BB8A8724C81EC));
    struct rng known = {{1, 2, 3, 4}};
    assert_int_equal(rng_next(&known), 41943041);
    assert_int_equal(rng_next(&known), 58720359);
    for (int i = 0; i < 1000; i++) {
        double u = rng_uniform(&r);
        assert_true(u >= 0 && u < 1);
    }
}

static float number(struct json v) {
    double d;
    assert_true(json_double(v, &d));
    return (float)d;
}

static void read_step(struct json step, struct lr_sampling *o, struct lr_logit_bias *bias) {
    static const struct {
        const char *name;
        size_t at;
    } fields[] = {
        {"repetition_penalty", offsetof(struct lr_sampling, repeat_penalty)},
        {"presence_penalty", offsetof(struct lr_sampling, presence_penalty)},
        {"frequency_penalty", offsetof(struct lr_sampling, frequency_penalty)},
        {"temperature", offsetof(struct lr_sampling, temperature)},
        {"top_p", offsetof(struct lr_sampling, top_p)},
        {"min_p", offsetof(struct lr_sampling, min_p)},
        {"typical", offsetof(struct lr_sampling, typical)},
    };
    struct lr_str name;
    assert_true(json_str(json_at(step, 0), &name));
    struct json value = json_at(step, 1);
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (lr_str_is(name, fields[i].name))
            memcpy((char *)o + fields[i].at, &(float){number(value)}, sizeof(float));
    if (lr_str_is(name, "top_k")) o->top_k = (int)number(value);
    for (struct json v = json_first(value); lr_str_is(name, "logit_bias") && json_kind(v); v = json_next(v))
        bias[o->n_logit_bias++] =
            (struct lr_logit_bias){(uint32_t)strtoul(json_key(v).data, NULL, 10), number(v)};
    o->logit_bias = bias;
}

static int descending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x < y) - (x > y);
}

static bool has_ties(const float *logits, size_t n) {
    for (size_t i = 0; i < n; i++)
        for (size_t k = i + 1; k < n; k++)
            if (logits[i] == logits[k]) return true;
    return false;
}

static void check_case(struct json c) {
    float logits[512];
    double got[512] = {0}, expected[512] = {0};
    size_t n = json_count(json_get(c, "logits"));
    struct lr_sampling o = plain(1);
    struct lr_logit_bias bias[64];
    struct arena arena;
    struct lr_str name;
    assert_true(n <= 512 && json_str(json_get(c, "name"), &name));
    for (size_t i = 0; i < n; i++) {
        logits[i] = number(json_at(json_get(c, "logits"), i));
        expected[i] = number(json_at(json_get(c, "probs"), i));
    }
    struct json steps = json_get(c, "steps"), history = json_get(c, "history");
    for (struct json v = json_first(steps); json_kind(v); v = json_next(v)) read_step(v, &o, bias);
    struct sampler s = open_sampler(&arena, &o, (uint32_t)n);
    for (struct json v = json_first(history); json_kind(v); v = json_next(v))
        sampler_note(&s, (uint32_t)number(v), true);
    uint32_t kept = sampler_distribution(&s, logits);
    for (uint32_t i = 0; i < kept; i++) got[s.candidates[i].id] = s.candidates[i].p;
    if (has_ties(logits, n)) {
        qsort(got, n, sizeof *got, descending);
        qsort(expected, n, sizeof *expected, descending);
    }
    for (size_t i = 0; i < n; i++)
        if (fabs(got[i] - expected[i]) > 2e-5)
            fail_msg("%.*s: entry %zu: %.7f, expected %.7f", LR_STR_ARGS(name), i, got[i], expected[i]);
    sampler_free(&s);
    arena_destroy(&arena);
}

static void distributions_are_those_of_transformers(void **state) {
    (void)state;
    struct json_doc *doc;
    assert_int_equal(json_open("tests/golden/samplers.json", 64 << 20, &doc, NULL), LR_OK);
    struct json cases = json_get(json_root(doc), "cases");
    assert_true(json_count(cases) >= 10);
    for (struct json c = json_first(cases); json_kind(c); c = json_next(c)) check_case(c);
    json_close(doc);
}

/* Chi-square of draws against softmax computed here: 31 degrees of freedom, 61.1 is passed once in a
 * thousand. */
static void draws_follow_the_distribution(void **state) {
    (void)state;
    enum { N = 32 };
    float logits[N];
    double p[N], sum = 0, chi = 0;
    long counts[N] = {0};
    struct arena arena;
    struct lr_sampling o = plain(1.7f);
    for (int i = 0; i < N; i++) {
        logits[i] = (float)((i * 37) % 17) / 4.0f;
        sum += p[i] = exp((double)logits[i] / (double)1.7f);
    }
    struct sampler s = open_sampler(&arena, &o, N);
    for (int i = 0; i < DRAWS; i++) counts[sampler_draw(&s, logits)]++;
    for (int i = 0; i < N; i++) {
        double expected = DRAWS * p[i] / sum;
        chi += (counts[i] - expected) * (counts[i] - expected) / expected;
    }
    assert_true(chi < 61.1);
    sampler_free(&s);
    arena_destroy(&arena);
}

static void same_seed_same_draws(void **state) {
    (void)state;
    float logits[64];
    uint32_t first[100];
    struct arena arena;
    struct lr_sampling o = plain(1);
    for (int i = 0; i < 64; i++) logits[i] = (float)(i % 7);
    struct sampler s = open_sampler(&arena, &o, 64);
    for (int i = 0; i < 100; i++) first[i] = sampler_draw(&s, logits);
    sampler_reset(&s);
    for (int i = 0; i < 100; i++) assert_int_equal(sampler_draw(&s, logits), first[i]);
    sampler_free(&s);
    arena_destroy(&arena);
}

static void greedy_takes_the_first_of_the_greatest(void **state) {
    (void)state;
    const float logits[] = {1, 5, 5, -2};
    struct arena arena;
    struct lr_sampling o = plain(0);
    struct sampler s = open_sampler(&arena, &o, 4);
    assert_int_equal(sampler_draw(&s, logits), 1);
    sampler_free(&s);
    arena_destroy(&arena);
}

static void logprobs_and_top(void **state) {
    (void)state;
    const float logits[] = {0.5f, 2, -1, 2, 1};
    struct lr_token_logprob top[8];
    double norm = log(exp(0.5) + 2 * exp(2) + exp(-1) + exp(1));
    assert_true(fabs((double)sampler_logprob(logits, 5, 4) - (1 - norm)) < 1e-6);
    assert_int_equal(sampler_top(logits, 5, 3, top), 3);
    assert_int_equal(top[0].id, 1);
    assert_int_equal(top[1].id, 3);
    assert_int_equal(top[2].id, 4);
    assert_int_equal(sampler_top(logits, 5, 8, top), 5);
    assert_int_equal(top[4].id, 2);
    assert_int_equal(sampler_top(logits, 5, 0, top), 0);
}

static float draw_logit(uint64_t *seed) {
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (float)((double)(*seed >> 40) / 1e6 - 8); /* -8 to 8.8 */
}

/* Pieces of any length add up to the same bits, and to what the formula says. */
static void sums_do_not_depend_on_pieces(void **state) {
    (void)state;
    enum { N = 3000 };
    float logits[N];
    uint64_t seed = 7;
    double plain = 0;
    for (int i = 0; i < N; i++) {
        logits[i] = draw_logit(&seed) + (float)i / 300; /* the greatest comes again and again */
        plain += exp((double)logits[i]);
    }
    float whole = sampler_logprob(logits, N, 77);
    assert_true(fabs((double)whole - ((double)logits[77] - log(plain))) < 1e-6);
    for (size_t piece = 1; piece < N; piece += 1 + piece / 2) {
        struct log_sum s = log_sum_begin();
        for (size_t at = 0; at < N; at += piece)
            log_sum_add(&s, logits + at, N - at < piece ? N - at : piece);
        assert_true((float)((double)logits[77] - log_sum_value(&s)) == whole);
    }
}

static void sums_of_what_is_not_finite(void **state) {
    (void)state;
    const float inf = (float)INFINITY;
    assert_true(sampler_logprob((const float[]){-inf, 1, -inf, 1}, 4, 1) == (float)-log(2));
    assert_true(sampler_logprob((const float[]){-inf, 1, -inf, 1}, 4, 0) == -inf);
    assert_true(sampler_logprob((const float[]){-3e38f, 3e38f}, 2, 1) == 0);
    assert_true(isnan(sampler_logprob((const float[]){-inf, -inf}, 2, 1)));
    assert_true(isnan(sampler_logprob((const float[]){1, inf, 2}, 3, 0)));
    for (int i = 0; i < 3; i++) {
        float logits[] = {1, 2, 3};
        logits[i] = (float)NAN;
        assert_true(isnan(sampler_logprob(logits, 3, 1)));
    }
}

static void options_out_of_range_are_named(void **state) {
    (void)state;
    struct lr_sampling bad[8];
    const struct lr_logit_bias bias = {9, 1};
    for (int i = 0; i < 8; i++) bad[i] = plain(1);
    bad[0].temperature = -1;
    bad[1].top_k = -1;
    bad[2].top_p = -0.1f;
    bad[3].min_p = 1.5f;
    bad[4].typical = 0;
    bad[5].repeat_penalty = 0;
    bad[6].presence_penalty = NAN;
    bad[7].logit_bias = &bias;
    bad[7].n_logit_bias = 1;
    for (int i = 0; i < 8; i++) {
        struct sampler s;
        struct lr_error err;
        assert_int_equal(sampler_init(&bad[i], 4, &s, &err), LR_EUSAGE);
        assert_true(strlen(err.message) > 10);
        sampler_free(&s);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(generator_is_the_published_one),
        cmocka_unit_test(distributions_are_those_of_transformers),
        cmocka_unit_test(draws_follow_the_distribution),
        cmocka_unit_test(same_seed_same_draws),
        cmocka_unit_test(greedy_takes_the_first_of_the_greatest),
        cmocka_unit_test(logprobs_and_top),
        cmocka_unit_test(sums_do_not_depend_on_pieces),
        cmocka_unit_test(sums_of_what_is_not_finite),
        cmocka_unit_test(options_out_of_range_are_named),
    };
    return cmocka_run_group_tests_name("sampler", tests, NULL, NULL);
}
