/* Norms, rotations, activations, KV stores: every instruction set against float64 and the scalar twin, over
 * every tail length; nothing is written past the end. */
#include "each.h"

enum { MAX_N = 200 };
static const size_t longer[] = {255, 256, 257, 1000, 2048, 4099};

typedef void check_fn(const struct kernel_table *t, size_t n);

static void for_every_length(check_fn *check) {
    const struct kernel_table *tables[EACH_TABLES];
    for (int i = each_table(tables); i-- > 0;) {
        for (size_t n = 1; n <= MAX_N; n++) check(tables[i], n);
        for (size_t l = 0; l < sizeof longer / sizeof *longer; l++) check(tables[i], longer[l]);
    }
}

/* |out - want| <= ulps units of 2^-24 of `scale`, which is at least |want|. A sigmoid below 1/FLT_MAX is 0,
 * as in the reference. */
static void near(float out, double want, double scale, double ulps, const char *what, size_t n) {
    if (!(fabs(out - want) <= ulps * 0x1p-24 * scale + 1e-36))
        fail_msg("%s n=%zu: %.9g for %.9g", what, n, out, want);
}

static void check_rms_norm(const struct kernel_table *t, size_t n) {
    float *x = each_vector(n, n), *w = each_vector(n, n + 1), *out = malloc(n * sizeof *out);
    float eps = 1e-5f;
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += (double)x[i] * x[i];
    double scale = 1 / sqrt(sum / (double)n + (double)eps);
    t->rms_norm(x, w, eps, n, out);
    /* The sum's n/8 + 7 additions count half through the root. */
    for (size_t i = 0; i < n; i++) {
        double want = x[i] * scale * w[i];
        near(out[i], want, fabs(want), (double)n / 8 + 12, t->name, n);
    }
    t->rms_norm(x, w, eps, n, x);
    assert_memory_equal(x, out, n * sizeof *x);
    free(x);
    free(w);
    free(out);
}

static void test_rms_norm(void **state) {
    (void)state;
    for_every_length(check_rms_norm);
}

static void check_rope(const struct kernel_table *t, size_t half) {
    enum { HEADS = 3 };
    for (size_t rest = 0; rest <= 5; rest += 5) {
        size_t dim = 2 * half + rest;
        float *x = each_vector(HEADS * dim, half), *c = each_vector(half, 1), *s = each_vector(half, 2);
        float *want = malloc(HEADS * dim * sizeof *want);
        memcpy(want, x, HEADS * dim * sizeof *want);
        t->rope(x, HEADS, dim, 2 * half, c, s);
        for (size_t h = 0; h < HEADS; h++) {
            const float *a = want + h * dim, *out = x + h * dim;
            for (size_t i = 0; i < half; i++) {
                double p = a[i], q = a[i + half];
                near(out[i], p * c[i] - q * s[i], fabs(p) + fabs(q), 2, t->name, half);
                near(out[i + half], q * c[i] + p * s[i], fabs(p) + fabs(q), 2, t->name, half);
            }
            assert_memory_equal(out + 2 * half, a + 2 * half, rest * sizeof *a);
        }
        free(x);
        free(c);
        free(s);
        free(want);
    }
}

static void test_rope(void **state) {
    (void)state;
    for_every_length(check_rope);
}

static double silu(double x) {
    return x / (1 + exp(-x));
}
static double gelu(double x) {
    return 0.5 * x * erfc(-x / sqrt(2));
}
static double gelu_tanh(double x) {
    return 0.5 * x * (1 + tanh(sqrt(2 / acos(-1)) * (x + 0.044715 * x * x * x)));
}
static double relu(double x) {
    return x < 0 ? 0 : x;
}

/* The activation of every kind, the float64 formula, and the bound in 2^-24 of the value plus of 1. */
static const struct gate {
    const char *name;
    size_t at; /* in struct kernel_table */
    double (*reference)(double);
    double relative, absolute;
} gates[] = {
    {"silu", offsetof(struct kernel_table, silu_mul), silu, 6, 0},
    {"gelu", offsetof(struct kernel_table, gelu_mul), gelu, 8, 0.5},
    {"gelu_tanh", offsetof(struct kernel_table, gelu_tanh_mul), gelu_tanh, 16, 0.5},
    {"relu", offsetof(struct kernel_table, relu_mul), relu, 1, 0},
};
enum { GATES = sizeof gates / sizeof *gates };

static kernel_gate_fn *gate_of(const struct kernel_table *t, const struct gate *g) {
    kernel_gate_fn *fn;
    memcpy(&fn, (const char *)t + g->at, sizeof fn);
    return fn;
}

static void check_gates(const struct kernel_table *t, size_t n) {
    for (int g = 0; g < GATES; g++) {
        float *x = each_vector(n + 1, n), *up = each_vector(n + 1, n + 7), *in = calloc(n, sizeof *in);
        for (size_t i = 0; i < n; i++) in[i] = x[i] *= 12;
        float last = x[n];
        gate_of(t, &gates[g])(x, up, n);
        for (size_t i = 0; i < n; i++) {
            double want = gates[g].reference(in[i]) * up[i];
            near(x[i], want, fabs(want) + gates[g].absolute * fabs(up[i]), gates[g].relative, gates[g].name,
                 n);
        }
        assert_true(x[n] == last);
        free(x);
        free(up);
        free(in);
    }
}

static void test_gates(void **state) {
    (void)state;
    for_every_length(check_gates);
}

/* Over the whole range, 0.37 apart, and the special values; `up` is 1. */
static void test_gates_far_out(void **state) {
    (void)state;
    const struct kernel_table *tables[EACH_TABLES];
    for (int i = each_table(tables); i-- > 0;) {
        for (int g = 0; g < GATES; g++) {
            kernel_gate_fn *fn = gate_of(tables[i], &gates[g]);
            for (float x = -130; x < 130; x += 0.37f) {
                float out = x, one = 1;
                fn(&out, &one, 1);
                near(out, gates[g].reference(x), fabs(gates[g].reference(x)) + gates[g].absolute,
                     gates[g].relative + 0x1p-20 * x * x, gates[g].name, (size_t)fabsf(x));
            }
            float special[] = {NAN, INFINITY, 0.0f, -0.0f, 3e38f, -3e38f, 1e-40f},
                  ones[] = {1, 1, 1, 1, 1, 1, 1};
            fn(special, ones, 7);
            assert_true(isnan(special[0]));
            assert_true(special[1] == INFINITY && special[2] == 0 && special[3] == 0 && special[4] == 3e38f);
            assert_true(special[5] == 0);
            assert_true(fabsf(special[6]) <= 1e-40f);
        }
    }
}

static void check_add(const struct kernel_table *t, size_t n) {
    float *x = each_vector(n + 1, n), *y = each_vector(n + 1, n + 1), *want = malloc((n + 1) * sizeof *want);
    for (size_t i = 0; i < n; i++) want[i] = x[i] + y[i];
    want[n] = x[n];
    t->add(x, y, n);
    assert_memory_equal(x, want, (n + 1) * sizeof *x);
    free(x);
    free(y);
    free(want);
}

static void test_add(void **state) {
    (void)state;
    for_every_length(check_add);
}

static void check_store(const struct kernel_table *t, size_t n) {
    float *x = each_vector(n, n);
    uint16_t *h = calloc(n + 1, sizeof *h);
    static const float ugly[] = {65519.9f, -65520,   1e-8f,           2.98e-8f,
                                 2.99e-8f, INFINITY, 1.0f + 0x1p-11f, -0.0f};
    for (size_t i = 0; i < n; i += 3) x[i] = ugly[i % 8];
    t->store_f16(x, n, h);
    for (size_t i = 0; i < n; i++) assert_int_equal(h[i], f16_of_float(x[i]));
    assert_int_equal(h[n], 0);
    free(x);
    free(h);
}

static void test_store(void **state) {
    (void)state;
    for_every_length(check_store);
}

/* Distance of an exp from the float64 one, in units of the f32's last place; of the least normal number's
 * below it. */
static double exp_error(float x, float got) {
    double want = exp((double)x);
    if (isinf((float)want) || isinf(got)) return isinf(got) && want > 3.4e38 ? 0 : 1e9;
    int exponent;
    frexp(want, &exponent);
    return fabs((double)got - want) / ldexp(1, (exponent < -125 ? -125 : exponent) - 24);
}

/* All over the range, both signs: every 997th f32 from 2^-40 to 2^8, whose exp is not 1, 0 or infinite. */
static void check_exp_range(const struct kernel_table *t) {
    enum { N = 1000 };
    float x[N], y[N];
    double worst = 0;
    for (uint32_t sign = 0; sign < 2; sign++) {
        uint32_t bits = bits_of_float(0x1p-40f), end = bits_of_float(0x1p8f);
        while (bits < end) {
            for (size_t i = 0; i < N; i++, bits += 997) y[i] = x[i] = float_of_bits(bits | sign << 31);
            t->exp(y, N);
            for (size_t i = 0; i < N; i++) worst = fmax(worst, exp_error(x[i], y[i]));
        }
    }
    print_message("%s: exp within %.3f units in the last place\n", t->name, worst);
    if (!(worst <= 1.01)) fail_msg("%s: exp is %.2f units in the last place away", t->name, worst);
}

static void test_exp(void **state) {
    (void)state;
    const struct kernel_table *tables[EACH_TABLES];
    for (int i = each_table(tables); i-- > 0;) {
        check_exp_range(tables[i]);
        float x[] = {0, -0.0f, INFINITY, -INFINITY, NAN, 1e-45f, -1e-45f, 3e38f, -3e38f, 88.7f, -104.1f, 1};
        float y[] = {1, 1, INFINITY, 0, NAN, 1, 1, INFINITY, 0, 3.3266e38f, 0, 2.7182817f};
        tables[i]->exp(x, 12);
        for (int k = 0; k < 12; k++)
            assert_true(k == 4   ? isnan(x[k])
                        : k == 9 ? x[k] > 3.3e38f && !isinf(x[k])
                                 : each_ulps(x[k], y[k]) <= 1);
    }
}

static void check_exp_lengths(const struct kernel_table *t, size_t n) {
    float *x = each_vector(n + 1, n), *one = each_vector(n + 1, n);
    t->exp(x, n);
    for (size_t i = 0; i < n; i++) {
        t->exp(one + i, 1);
        assert_true(x[i] == one[i]);
    }
    assert_true(x[n] == one[n]);
    free(x);
    free(one);
}

static void test_exp_of_every_length(void **state) {
    (void)state;
    for_every_length(check_exp_lengths);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rms_norm), cmocka_unit_test(test_rope),
        cmocka_unit_test(test_gates),    cmocka_unit_test(test_gates_far_out),
        cmocka_unit_test(test_add),      cmocka_unit_test(test_store),
        cmocka_unit_test(test_exp),      cmocka_unit_test(test_exp_of_every_length),
    };
    return cmocka_run_group_tests_name("kernel vector", tests, NULL, NULL);
}
