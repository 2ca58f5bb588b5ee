/* Attention: against float64 of what the cache holds, for every head length and range, in every type; equal
 * bits for a query whatever is computed with it; what the cache keeps of what is stored. */
#include "each.h"

#include "kernel/kv.h"

#include <float.h>

enum { MAX_BLOCKS = 36, BLOCK = KERNEL_KV_BLOCK, TYPES = KV_Q8 + 1, OFFSET = 128 };

/* A cache of one KV head with what stands before and behind it in a block, and the queries of some tokens. */
struct cache {
    uint8_t *blocks[MAX_BLOCKS];
    struct attention_task task; /* of all queries */
    float *query;               /* [tokens, heads, head_dim], tokens 3 floats more apart */
    float *work;
};

static float *vector_times(size_t n, uint64_t seed, float scale) {
    float *x = each_vector(n, seed);
    for (size_t i = 0; i < n; i++) x[i] *= scale;
    return x;
}

static void put(const struct kernel_table *t, struct cache *c, uint32_t at, const float *key,
                const float *value) {
    kv_store(t, c->task.type, c->task.head_dim, at % BLOCK, key, value, c->blocks[at / BLOCK] + OFFSET);
}

/* Only positions from `begin` to the last token's hold numbers: another one that counts shows as NaN. */
static struct cache cache_make(const struct kernel_table *t, struct attention_task task, uint32_t begin,
                               float scale) {
    struct cache c = {.task = task};
    size_t head = kv_head_bytes(task.type, task.head_dim), row = (size_t)task.heads * task.head_dim;
    uint32_t end = task.position + task.tokens;
    assert_true(end <= MAX_BLOCKS * BLOCK);
    for (uint32_t b = 0; b * BLOCK < end; b++) {
        c.blocks[b] = aligned_alloc(64, OFFSET + (head + 127) / 64 * 64);
        memset(c.blocks[b], 0xFF, OFFSET + head);
    }
    for (uint32_t at = begin; at < end; at++) {
        float *key = vector_times(task.head_dim, at, scale), *value = each_vector(task.head_dim, at + 10000);
        put(t, &c, at, key, value);
        free(key);
        free(value);
    }
    c.task.query_step = row + 3;
    c.query = each_vector(task.tokens * c.task.query_step, 77);
    c.work = calloc(kernel_attention_work(task.head_dim, task.tokens * task.heads), sizeof *c.work);
    c.task.work = c.work;
    c.task.offset = OFFSET;
    return c;
}

static void cache_free(struct cache *c) {
    for (int b = 0; b < MAX_BLOCKS; b++) free(c->blocks[b]);
    free(c->query);
    free(c->work);
}

/* One of the task's tokens and query heads and those that follow, as few as one. */
struct part {
    uint32_t token, tokens, head, heads;
};

/* out [tokens, heads, head_dim] of a part; `apart`: each span into states of its own, then merged. */
static float *attend(const struct kernel_table *t, const struct cache *c, struct part part, bool apart) {
    struct attention_task k = c->task;
    size_t state = kernel_attention_state(k.head_dim), n = (size_t)part.tokens * part.heads;
    uint32_t first = k.position + part.token, last = first + part.tokens - 1;
    uint32_t begin = k.window && first + 1 > k.window ? first + 1 - k.window : 0;
    float *states = malloc(4 * n * state * sizeof *states), *out = malloc((n * k.head_dim + 1) * sizeof *out);
    k.blocks = (const uint8_t *const *)c->blocks;
    k.query = c->query + part.token * k.query_step + (size_t)part.head * k.head_dim;
    k.position = first;
    k.tokens = part.tokens;
    k.heads = part.heads;
    uint32_t spans = last / KERNEL_KV_SPAN - begin / KERNEL_KV_SPAN + 1;
    assert_true(spans <= 3);
    for (uint32_t i = 0; i < spans; i++) {
        k.span = begin / KERNEL_KV_SPAN + i;
        k.state = states + (apart || !i ? i : 1) * n * state;
        t->attention(&k);
        if (i && !apart) t->merge(states, k.state, n, k.head_dim);
    }
    for (uint32_t i = 1; apart && i < spans; i++) t->merge(states, states + i * n * state, n, k.head_dim);
    out[n * k.head_dim] = 123;
    for (size_t i = 0; i < n; i++) t->finish(states + i * state, k.head_dim, out + i * k.head_dim);
    assert_true(out[n * k.head_dim] == 123);
    free(states);
    return out;
}

/* ---- against float64 */

/* What the cache holds: element `d` of a position's key or value. */
static double element(const struct cache *c, bool value, size_t at, size_t d) {
    enum kv_type type = c->task.type;
    const uint8_t *base = c->blocks[at / BLOCK] + OFFSET + (value ? kv_values_at(type, c->task.head_dim) : 0);
    size_t i = value ? at % BLOCK * kv_width(c->task.head_dim) + d : d * BLOCK + at % BLOCK;
    uint16_t scale;
    if (type != KV_Q8) return each_element(type == KV_F32 ? LR_F32 : LR_F16, base, i);
    memcpy(&scale, base + kv_scales_at(type, c->task.head_dim) + (d / KV_GROUP * BLOCK + at % BLOCK) * 2, 2);
    return (double)((const int8_t *)base)[i] * (double)float_of_bf16(scale);
}

/* The error of a score, an absolute one, is a relative one of its weight. */
static void check_values(const struct kernel_table *t, const struct cache *c, uint32_t begin,
                         const float *out) {
    uint32_t n = c->task.head_dim, end = c->task.position + 1;
    double score[MAX_BLOCKS * BLOCK], max = -INFINITY, total = 0, magnitude = 0;
    for (uint32_t at = begin; at < end; at++) {
        double one = 0;
        score[at] = 0;
        for (uint32_t d = 0; d < n; d++) {
            score[at] += c->query[d] * element(c, false, at, d);
            one += fabs(c->query[d] * element(c, false, at, d));
        }
        max = fmax(max, score[at]);
        magnitude = fmax(magnitude, one);
    }
    for (uint32_t at = begin; at < end; at++) total += exp(score[at] - max);
    double bound = ((n / 8 + 8) * magnitude + 40) * 0x1p-24 * 2;
    for (uint32_t d = 0; d < n; d++) {
        double want = 0;
        for (uint32_t at = begin; at < end; at++)
            want += exp(score[at] - max) / total * element(c, true, at, d);
        if (!(fabs(out[d] - want) <= bound))
            fail_msg("%s type %d head_dim=%u [%u, %u) d=%u: %.9g for %.9g", t->name, (int)c->task.type, n,
                     begin, end, d, out[d], want);
    }
}

/* One query that sees [begin, end). */
static struct cache one_query(const struct kernel_table *t, uint32_t head_dim, uint32_t begin, uint32_t end,
                              enum kv_type type, float scale) {
    struct attention_task task = {.head_dim = head_dim, .type = type, .heads = 1, .tokens = 1};
    task.position = end - 1;
    task.window = end - begin;
    return cache_make(t, task, begin, scale);
}
static const struct part whole_one = {0, 1, 0, 1};

static void check(const struct kernel_table *t, uint32_t head_dim, uint32_t begin, uint32_t end,
                  float scale) {
    for (int type = 0; type < TYPES; type++) {
        struct cache c = one_query(t, head_dim, begin, end, (enum kv_type)type, scale);
        float *out = attend(t, &c, whole_one, false);
        check_values(t, &c, begin, out);
        free(out);
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
    for (int i = each_table(tables); i-- > 0;) {
        for (uint32_t begin = 0; begin < 70; begin += 3)
            for (uint32_t end = begin + 1; end <= 135; end += 2) check(tables[i], 20, begin, end, 2);
        for (uint32_t begin = 0; begin < 1100; begin += 121)
            for (uint32_t end = begin + 1; end <= 1100; end += 77) check(tables[i], 20, begin, end, 2);
    }
}

/* Scores hundreds apart: no overflow, whichever block holds the greatest. */
static void test_large_scores(void **state) {
    (void)state;
    const struct kernel_table *tables[EACH_TABLES];
    for (int i = each_table(tables); i-- > 0;)
        for (uint32_t end = 1; end <= 1000; end += end < 250 ? 13 : 80)
            check(tables[i], 64, end / 2, end, 100);
}

/* A NaN anywhere in the range is not hidden. */
static void test_nan_shows(void **state) {
    (void)state;
    const struct kernel_table *tables[EACH_TABLES];
    for (int i = each_table(tables); i-- > 0;) {
        for (uint32_t at = 0; at < 3 * 70 * TYPES; at++) {
            struct cache c = one_query(tables[i], 32, 0, 70, (enum kv_type)(at / 70 % TYPES), 1);
            float *key = each_vector(32, 1), *value = each_vector(32, 2);
            if (at / 70 / TYPES == 0) key[5] = NAN;
            if (at / 70 / TYPES == 1) value[7] = NAN;
            if (at / 70 / TYPES == 2) value[7] = INFINITY;
            put(tables[i], &c, at % 70, key, value);
            float *out = attend(tables[i], &c, whole_one, false);
            for (int d = 0; d < 32; d++)
                if (at / 70 / TYPES == 0 || d == 7) assert_false(isfinite(out[d]));
            free(out);
            free(key);
            free(value);
            cache_free(&c);
        }
    }
}

/* ---- equal bits */

/* Every query as it is by itself. */
static void check_alone(const struct kernel_table *t, const struct cache *c, struct part part,
                        const float *alone) {
    const struct attention_task *k = &c->task;
    for (int apart = 0; apart < 2; apart++) {
        float *out = attend(t, c, part, apart);
        for (uint32_t i = 0; i < part.tokens * part.heads; i++) {
            uint32_t token = part.token + i / part.heads, head = part.head + i % part.heads;
            const float *want = alone + (size_t)(token * k->heads + head) * k->head_dim;
            if (memcmp(out + (size_t)i * k->head_dim, want, k->head_dim * sizeof *out) != 0)
                fail_msg("%s type %d, %u heads of %u, position %u, window %u: query %u of %u x %u differs",
                         t->name, (int)k->type, k->heads, k->head_dim, k->position, k->window, i, part.tokens,
                         part.heads);
        }
        free(out);
    }
}

/* Every query alone, against it in the whole, in each token's group, and in uneven parts. */
static void check_bits(const struct kernel_table *t, struct attention_task task) {
    struct cache c = cache_make(t, task, 0, 2);
    size_t n = (size_t)task.tokens * task.heads;
    float *alone = malloc(n * task.head_dim * sizeof *alone);
    for (uint32_t i = 0; i < n; i++) {
        float *one = attend(t, &c, (struct part){i / task.heads, 1, i % task.heads, 1}, i % 2);
        for (uint32_t d = 0; d < task.head_dim; d++) assert_true(isfinite(one[d]));
        memcpy(alone + (size_t)i * task.head_dim, one, task.head_dim * sizeof *one);
        free(one);
    }
    check_alone(t, &c, (struct part){0, task.tokens, 0, task.heads}, alone);
    check_alone(t, &c, (struct part){0, 1, 0, task.heads}, alone);
    check_alone(t, &c, (struct part){task.tokens / 3, task.tokens - task.tokens / 3, 0, task.heads}, alone);
    check_alone(t, &c, (struct part){0, task.tokens / 2 + 1, task.heads / 2, (task.heads + 1) / 2}, alone);
    free(alone);
    cache_free(&c);
}

static void test_bits_of_a_query(void **state) {
    (void)state;
    static const struct attention_task tasks[] = {
        {.heads = 1, .tokens = 64, .head_dim = 64},
        {.heads = 1, .tokens = 37, .head_dim = 40, .position = 490, .window = 20},
        {.heads = 2, .tokens = 9, .head_dim = 80, .position = 509},
        {.heads = 3, .tokens = 7, .head_dim = 24, .position = 1020, .window = 512},
        {.heads = 4, .tokens = 16, .head_dim = 64, .position = 505, .window = 5},
        {.heads = 7, .tokens = 9, .head_dim = 33, .position = 100},
        {.heads = 8, .tokens = 8, .head_dim = 128, .position = 27},
        {.heads = 8, .tokens = 5, .head_dim = 16, .position = 1023, .window = 700},
        {.heads = 71, .tokens = 1, .head_dim = 64, .position = 40},
        {.heads = 5, .tokens = 12, .head_dim = 96, .position = 600, .window = 130},
    };
    const struct kernel_table *tables[EACH_TABLES];
    for (int i = each_table(tables); i-- > 0;)
        for (size_t k = 0; k < sizeof tasks / sizeof *tasks; k++)
            for (int type = 0; type < TYPES; type++) {
                struct attention_task task = tasks[k];
                task.type = (enum kv_type)type;
                check_bits(tables[i], task);
            }
}

/* What a later token keeps, were it infinite, does not reach an earlier one beside it. */
static void test_later_tokens_do_not_count(void **state) {
    (void)state;
    const struct kernel_table *tables[EACH_TABLES];
    for (int i = each_table(tables); i-- > 0;)
        for (int type = 0; type < TYPES; type++) {
            struct attention_task task = {
                .heads = 2, .tokens = 12, .head_dim = 64, .position = 40, .type = (enum kv_type)type};
            struct cache c = cache_make(tables[i], task, 0, 1);
            float *key = each_vector(64, 1), *value = each_vector(64, 2);
            key[3] = NAN;
            value[9] = INFINITY;
            put(tables[i], &c, 47, key, value);
            float *out = attend(tables[i], &c, (struct part){0, 12, 0, 2}, false);
            for (size_t q = 0; q < 24; q++)
                for (size_t d = 0; d < 64; d++) assert_true(isfinite(out[q * 64 + d]) == (q / 2 < 7));
            free(out);
            free(key);
            free(value);
            cache_free(&c);
        }
}

/* ---- storing */

/* q8: half a step of what 127 steps reach the group's greatest with, the step rounded up to a bf16. */
static void check_stored(const struct cache *c, bool value, uint32_t at, const float *x) {
    for (uint32_t d = 0; d < c->task.head_dim; d++) {
        double greatest = 0, bound = 0, got = element(c, value, at, d);
        for (uint32_t e = d / KV_GROUP * KV_GROUP; e < c->task.head_dim && e < (d / KV_GROUP + 1) * KV_GROUP;
             e++)
            greatest = fmax(greatest, fabs((double)x[e]));
        if (c->task.type == KV_F16) assert_true(got == (double)float_of_f16(f16_of_float(x[d])));
        if (c->task.type == KV_Q8) bound = greatest / 127 / 2 * (1 + 0x1p-7) * (1 + 0x1p-20) + 0x1p-133;
        if (c->task.type != KV_F16 && !(fabs(got - (double)x[d]) <= bound))
            fail_msg("head_dim=%u position %u d=%u: %.9g is kept as %.9g", c->task.head_dim, at, d,
                     (double)x[d], got);
    }
}

static void test_store(void **state) {
    (void)state;
    static const float scales[] = {1, 1e-3F, 3e4F, 1e-30F, 1e-44F, 0, 1e30F};
    const struct kernel_table *tables[EACH_TABLES];
    for (int i = each_table(tables); i-- > 0;)
        for (uint32_t n = 1; n <= 140; n++)
            for (int type = 0; type < TYPES; type++) {
                struct cache c = one_query(tables[i], n, 0, 40, (enum kv_type)type, 1);
                for (uint32_t at = 0; at < 40; at++) {
                    float scale = scales[at % (type == KV_F16 ? 2 : 7)];
                    float *key = vector_times(n, at, scale), *value = vector_times(n, at + 99, scale);
                    put(tables[i], &c, at, key, value);
                    check_stored(&c, false, at, key);
                    check_stored(&c, true, at, value);
                    free(key);
                    free(value);
                }
                cache_free(&c);
            }
}

/* Whatever is written stays in the head's part, and other positions stay as they are. */
static void test_store_keeps_to_its_place(void **state) {
    (void)state;
    const struct kernel_table *tables[EACH_TABLES];
    for (int i = each_table(tables); i-- > 0;)
        for (uint32_t n = 2; n <= 140; n += 23)
            for (int type = 0; type < TYPES; type++) {
                struct cache c = one_query(tables[i], n, 0, 30, (enum kv_type)type, 1);
                float *key = each_vector(n, 5), *value = each_vector(n, 6), want[4] = {0};
                for (uint32_t d = 0; d < n; d++) want[0] += (float)element(&c, d % 2, 7, d);
                put(tables[i], &c, 8, key, value);
                put(tables[i], &c, 6, key, value);
                for (uint32_t d = 0; d < n; d++) want[1] += (float)element(&c, d % 2, 7, d);
                assert_true(want[0] == want[1]);
                for (size_t b = 0; b < OFFSET; b++) assert_int_equal(c.blocks[0][b], 0xFF);
                free(key);
                free(value);
                cache_free(&c);
            }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_head_length),
        cmocka_unit_test(test_every_range),
        cmocka_unit_test(test_large_scores),
        cmocka_unit_test(test_nan_shows),
        cmocka_unit_test(test_bits_of_a_query),
        cmocka_unit_test(test_later_tokens_do_not_count),
        cmocka_unit_test(test_store),
        cmocka_unit_test(test_store_keeps_to_its_place),
    };
    return cmocka_run_group_tests_name("kernel attention", tests, NULL, NULL);
}
