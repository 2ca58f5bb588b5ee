/* Attention of one head: against float64, every head length, every range of keys, equal bits however the rest
 * of the cache looks. */
#include "each.h"

enum { MAX_BLOCKS = 8, BLOCK = KERNEL_KV_BLOCK };

/* A cache of `positions` keys and values for one head; elements between the heads are NaN. */
struct cache {
    void *keys[MAX_BLOCKS], *values[MAX_BLOCKS];
    float *query, *out;
    struct attention_task task;
};

static void *block_of_nan(size_t n, enum kv_type type) {
    void *p = malloc(n * sizeof(float));
    memset(p, 0xFF, n * (type == KV_F32 ? 4 : 2));
    return p;
}

static void put(const struct kernel_table *t, struct cache *c, void *const blocks[], size_t at, float scale,
                uint64_t seed) {
    size_t size = c->task.type == KV_F32 ? 4 : 2;
    float *x = each_vector(c->task.head_dim, seed);
    for (size_t d = 0; d < c->task.head_dim; d++) x[d] *= scale;
    t->store_kv(x, c->task.head_dim, c->task.type,
                (char *)blocks[at / BLOCK] + at % BLOCK * c->task.stride * size);
    free(x);
}

/* Only the positions [begin, end) hold numbers: reading another one shows as NaN. */
static struct cache cache_make(const struct kernel_table *t, uint32_t head_dim, uint32_t begin, uint32_t end,
                               enum kv_type type, float scale) {
    struct cache c = {.task = {.stride = head_dim + 3, .head_dim = head_dim, .begin = begin, .end = end}};
    c.task.type = type;
    for (int b = 0; b < MAX_BLOCKS; b++) {
        c.keys[b] = block_of_nan(BLOCK * c.task.stride, type);
        c.values[b] = block_of_nan(BLOCK * c.task.stride, type);
    }
    for (uint32_t at = begin; at < end; at++) {
        put(t, &c, c.keys, at, scale, at);
        put(t, &c, c.values, at, 1, at + 10000);
    }
    c.query = each_vector(head_dim, 77);
    c.out = malloc((head_dim + 1) * sizeof(float));
    c.out[head_dim] = 123;
    c.task.query = c.query;
    c.task.out = c.out;
    return c;
}

static void cache_attend(const struct kernel_table *t, struct cache *c) {
    c->task.keys = (const void *const *)c->keys;
    c->task.values = (const void *const *)c->values;
    t->attention(&c->task);
    assert_true(c->out[c->task.head_dim] == 123);
}

static void cache_free(struct cache *c) {
    for (int b = 0; b < MAX_BLOCKS; b++) {
        free(c->keys[b]);
        free(c->values[b]);
    }
    free(c->query);
    free(c->out);
}

static double element(const struct cache *c, void *const blocks[], size_t at, size_t d) {
    return each_element(c->task.type == KV_F32 ? LR_F32 : LR_F16, blocks[at / BLOCK],
                        at % BLOCK * c->task.stride + d);
}

/* The error of a score, an absolute one, is a relative one of its weight. */
static void check_values(const struct kernel_table *t, const struct cache *c) {
    uint32_t n = c->task.head_dim;
    double score[MAX_BLOCKS * BLOCK], max = -INFINITY, total = 0, magnitude = 0;
    for (uint32_t at = c->task.begin; at < c->task.end; at++) {
        double one = 0;
        score[at] = 0;
        for (uint32_t d = 0; d < n; d++) {
            score[at] += c->query[d] * element(c, c->keys, at, d);
            one += fabs(c->query[d] * element(c, c->keys, at, d));
        }
        max = fmax(max, score[at]);
        magnitude = fmax(magnitude, one);
    }
    for (uint32_t at = c->task.begin; at < c->task.end; at++) total += exp(score[at] - max);
    double bound = ((n / 8 + 8) * magnitude + 40) * 0x1p-24 * 2;
    for (uint32_t d = 0; d < n; d++) {
        double want = 0;
        for (uint32_t at = c->task.begin; at < c->task.end; at++)
            want += exp(score[at] - max) / total * element(c, c->values, at, d);
        if (!(fabs(c->out[d] - want) <= bound))
            fail_msg("%s head_dim=%u [%u, %u) d=%u: %.9g for %.9g", t->name, n, c->task.begin, c->task.end, d,
                     c->out[d], want);
    }
}

static void check(const struct kernel_table *t, uint32_t head_dim, uint32_t begin, uint32_t end,
                  float scale) {
    for (int type = KV_F32; type <= KV_F16; type++) {
        struct cache c = cache_make(t, head_dim, begin, end, (enum kv_type)type, scale);
        cache_attend(t, &c);
        check_values(t, &c);
        cache_free(&c);
    }
}

static void test_every_head_length(void **state) {
    (void)state;
    const struct kernel_table *tables[EACH_TABLES];
    for (int i = each_table(tables); i-- > 0;)
        for (uint32_t n = 1; n <= 270; n++) check(tables[i], n, n % 5, n % 5 + 1 + n % 70, 1);
}

static void test_every_range(void **state) {
    (void)state;
    const struct kernel_table *tables[EACH_TABLES];
    for (int i = each_table(tables); i-- > 0;)
        for (uint32_t begin = 0; begin < 70; begin += 3)
            for (uint32_t end = begin + 1; end <= 135; end += 2) check(tables[i], 20, begin, end, 2);
}

/* Scores hundreds apart: no overflow, whichever block holds the greatest. */
static void test_large_scores(void **state) {
    (void)state;
    const struct kernel_table *tables[EACH_TABLES];
    for (int i = each_table(tables); i-- > 0;)
        for (uint32_t end = 1; end <= 250; end += 13) check(tables[i], 64, end / 2, end, 100);
}

/* A NaN anywhere in the range is not hidden. */
static void test_nan_shows(void **state) {
    (void)state;
    const struct kernel_table *tables[EACH_TABLES];
    for (int i = each_table(tables); i-- > 0;) {
        for (uint32_t at = 0; at < 70; at++) {
            struct cache c = cache_make(tables[i], 32, 0, 70, KV_F32, 1);
            ((float *)c.keys[at / BLOCK])[at % BLOCK * c.task.stride + 5] = NAN;
            cache_attend(tables[i], &c);
            for (int d = 0; d < 32; d++) assert_true(isnan(c.out[d]));
            cache_free(&c);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_head_length),
        cmocka_unit_test(test_every_range),
        cmocka_unit_test(test_large_scores),
        cmocka_unit_test(test_nan_shows),
    };
    return cmocka_run_group_tests_name("kernel attention", tests, NULL, NULL);
}
