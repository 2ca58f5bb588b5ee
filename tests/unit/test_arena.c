/* The arena: steps by the policy, measuring, sealing, refusals, and that nothing is touched unasked. */
#include "support/support.h"

#include "base/arena.h"
#include "base/memory_policy.h"
#include "base/pages.h"
#include "sys/memory.h"

#include <sys/resource.h>
#include <unistd.h>

#ifdef SUPPORT_ASAN
#include <sanitizer/asan_interface.h>
#endif

#define MB (UINT64_C(1) << 20)
#define GB (UINT64_C(1) << 30)

static uint64_t tell(void *ctx) {
    return *(const uint64_t *)ctx;
}

static void blocks_are_zeroed_aligned_and_apart(void **state) {
    (void)state;
    struct arena a;
    struct lr_error err;
    static const uint64_t sizes[] = {1, 63, 64, 65, 4096, 100000, 3 * MB + 1};
    enum { N = sizeof sizes / sizeof *sizes };
    uint8_t *blocks[N];
    assert_int_equal(arena_init(&a, 64 * MB, NULL, NULL, &err), LR_OK);
    for (size_t i = 0; i < N; i++) {
        void *p;
        assert_int_equal(arena_alloc(&a, sizes[i], "test", &p, &err), LR_OK);
        blocks[i] = p;
        assert_int_equal((uintptr_t)p % ARENA_ALIGN, 0);
        for (uint64_t k = 0; k < sizes[i]; k++) assert_int_equal(blocks[i][k], 0);
        memset(p, (int)i + 1, sizes[i]);
    }
    for (size_t i = 0; i < N; i++)
        for (uint64_t k = 0; k < sizes[i]; k++) assert_int_equal(blocks[i][k], i + 1);
    arena_destroy(&a);
    arena_destroy(&a);
    assert_null(a.base);
}

/* A load's worth of blocks of many sizes, the same on either kind of arena. */
static enum lr_status allocate_many(struct arena *a, struct lr_error *err) {
    uint64_t seed = 1;
    for (int i = 0; i < 2000; i++) {
        seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
        void *p;
        LR_TRY(arena_alloc(a, (seed >> 33) % 30000, "test", &p, err));
    }
    return LR_OK;
}

static void measured_is_what_the_real_one_uses(void **state) {
    (void)state;
    struct arena plan, real;
    struct lr_error err;
    arena_init_measuring(&plan);
    assert_int_equal(allocate_many(&plan, &err), LR_OK);
    assert_true(plan.used > 20 * MB);
    assert_int_equal(plan.size, 0);
    assert_int_equal(arena_init(&real, plan.used, NULL, NULL, &err), LR_OK);
    assert_int_equal(allocate_many(&real, &err), LR_OK);
    assert_int_equal(real.used, plan.used);
    arena_destroy(&real);
    /* one page less than measured is too little: the measure was not merely an upper bound */
    assert_int_equal(arena_init(&real, plan.used - pages_size(), NULL, NULL, &err), LR_OK);
    assert_int_equal(allocate_many(&real, &err), LR_EMEMORY);
    assert_non_null(strstr(err.message, "Cannot allocate "));
    assert_non_null(strstr(err.message, "the plan reserved too little"));
    arena_destroy(&real);
    void *p = &plan;
    assert_int_equal(arena_alloc(&plan, 8 * GB, "test", &p, &err), LR_OK);
    assert_null(p);
    arena_destroy(&plan);
}

static void size_follows_the_policy(void **state) {
    (void)state;
    struct arena a;
    struct lr_error err;
    uint64_t available = 20 * GB;
    void *p;
    assert_int_equal(arena_init(&a, 64 * GB, tell, &available, &err), LR_OK);
    assert_int_equal(a.size, 0);
    assert_int_equal(arena_alloc(&a, 1000, "test", &p, &err), LR_OK);
    assert_int_equal(a.size, 2 * GB);
    assert_int_equal(arena_alloc(&a, 2 * GB, "test", &p, &err), LR_OK);
    assert_int_equal(a.size, 3 * GB);
    available = 1 * GB; /* from now on there is little left: no more than what is needed */
    assert_int_equal(arena_alloc(&a, GB + GB / 4, "test", &p, &err), LR_OK);
    assert_true(a.size - a.used < pages_size());
    uint64_t used = a.used;
    available = 1 * MB;
    assert_int_equal(arena_alloc(&a, 600 * 1024, "test", &p, &err), LR_EMEMORY);
    assert_null(p);
    assert_int_equal(a.used, used);
    assert_int_equal(arena_alloc(&a, 400 * 1024, "test", &p, &err), LR_OK);
    available = 0;
    assert_int_equal(arena_alloc(&a, pages_size(), "test", &p, &err), LR_EMEMORY);
    arena_destroy(&a);
}

static void size_stays_within_the_reservation(void **state) {
    (void)state;
    struct arena a;
    struct lr_error err;
    void *p;
    uint64_t page = pages_size();
    assert_int_equal(arena_init(&a, 10 * page - 1, NULL, NULL, &err), LR_OK);
    assert_int_equal(a.reserved, 10 * page);
    assert_int_equal(arena_alloc(&a, 5 * page, "test", &p, &err), LR_OK);
    assert_int_equal(a.size, 10 * page);
    assert_int_equal(arena_alloc(&a, 5 * page + 1, "kv cache", &p, &err), LR_EMEMORY);
    char begin[80], reason[120];
    struct lr_commas size = lr_commas(5 * page + 1);
    snprintf(begin, sizeof begin, "Cannot allocate %s bytes. Available memory: ", size.text);
    snprintf(reason, sizeof reason, " bytes (kv cache: %s bytes; the plan reserved too little", size.text);
    assert_int_equal(strncmp(err.message, begin, strlen(begin)), 0);
    assert_non_null(strstr(err.message, reason));
    assert_int_equal(arena_alloc(&a, 4 * page, "test", &p, &err), LR_OK);
    memset(p, 1, 4 * page);
    assert_int_equal(arena_alloc(&a, UINT64_MAX, "test", &p, &err), LR_EMEMORY);
    arena_destroy(&a);
}

static void refusal_tells_both_numbers(void **state) {
    (void)state;
    struct arena a;
    struct lr_error err;
    void *p;
    uint64_t available = 1 * GB + GB / 4;
    assert_int_equal(arena_init(&a, 16 * GB, tell, &available, &err), LR_OK);
    assert_int_equal(arena_alloc(&a, 3 * GB / 2, "kv cache", &p, &err), LR_EMEMORY);
    assert_string_equal(
        err.message,
        "Cannot allocate 1.50 GB. Available memory: 1.25 GB (kv cache: 1,610,612,736 bytes; needs "
        "0.75 GB more free, as one step may take half: close other programs)");
    available = GB / 2;
    a.ways_out = "a smaller -c";
    assert_int_equal(arena_alloc(&a, GB / 8 * 7, "work", &p, &err), LR_EMEMORY);
    assert_string_equal(err.message,
                        "Cannot allocate 0.88 GB. Available memory: 0.50 GB (work: 939,524,096 bytes; needs "
                        "0.25 GB more free, as one step may take half: a smaller -c)");
    arena_destroy(&a);
}

static void single_block_has_a_limit(void **state) {
    (void)state;
    struct arena real, plan;
    struct lr_error err;
    void *p;
    arena_init_measuring(&plan);
    assert_int_equal(arena_init(&real, 20 * GB, NULL, NULL, &err), LR_OK);
    assert_int_equal(arena_alloc(&real, 8 * GB - 1, "head", &p, &err), LR_OK);
    assert_int_equal(arena_alloc(&real, 8 * GB, "head", &p, &err), LR_OK);
    struct arena *both[] = {&real, &plan};
    for (int i = 0; i < 2; i++) {
        uint64_t used = both[i]->used;
        assert_int_equal(arena_alloc(both[i], 8 * GB + 1, "lm_head", &p, &err), LR_EMEMORY);
        assert_string_equal(err.message,
                            "Single tensor allocation too large: lm_head: 8,589,934,593 bytes (8.00 GB), "
                            "8.00 GB at most (close other programs)");
        assert_int_equal(both[i]->used, used);
    }
    arena_destroy(&real);
}

static void sealed_arena_refuses(void **state) {
    (void)state;
    struct arena a;
    struct lr_error err;
    void *p;
    assert_int_equal(arena_init(&a, MB, NULL, NULL, &err), LR_OK);
    assert_int_equal(arena_alloc(&a, 10, "test", &p, &err), LR_OK);
    arena_seal(&a);
    uint64_t used = a.used;
    assert_int_equal(arena_alloc(&a, 10, "late table", &p, &err), LR_EFAILED);
    assert_non_null(strstr(err.message, "late table"));
    assert_int_equal(a.used, used);
    arena_destroy(&a);
}

static void empty_block_takes_no_space(void **state) {
    (void)state;
    struct arena a, plan;
    struct lr_error err;
    void *p, *q;
    arena_init_measuring(&plan);
    assert_int_equal(arena_init(&a, 0, NULL, NULL, &err), LR_OK);
    assert_int_equal(a.reserved, pages_size());
    assert_int_equal(arena_alloc(&plan, 0, "test", &p, &err), LR_OK);
    assert_int_equal(arena_alloc(&a, 0, "test", &p, &err), LR_OK);
    assert_non_null(p);
    assert_int_equal(a.used, plan.used);
    assert_int_equal(arena_alloc(&a, 64, "test", &q, &err), LR_OK);
    memset(q, 1, 64);
    arena_destroy(&a);
}

/* A small model's arena on a machine with much memory: 4 GB usable, 5 MB written, 5 MB taken. */
static void untouched_memory_costs_nothing(void **state) {
    (void)state;
    struct arena a;
    struct lr_error err;
    void *p;
    uint64_t available = 64 * GB;
    assert_int_equal(arena_init(&a, 256 * GB, tell, &available, &err), LR_OK);
    uint64_t before = memory_own_anonymous();
    assert_int_equal(arena_alloc(&a, 5 * MB, "test", &p, &err), LR_OK);
    assert_int_equal(a.size, 4 * GB);
    assert_true(memory_own_anonymous() < before + 2 * MB);
    memset(p, 1, 5 * MB);
    uint64_t after = memory_own_anonymous();
    assert_in_range(after, before + 4 * MB, before + 64 * MB);
    arena_destroy(&a);
    assert_true(memory_own_anonymous() < after - 4 * MB);
}

#ifndef SUPPORT_SHADOWED
static int addresses_are_limited(void) {
    struct arena a;
    struct lr_error err;
    void *p;
    struct rlimit limit = {1 * GB, 1 * GB};
    if (setrlimit(RLIMIT_AS, &limit)) return 1;
    if (arena_init(&a, 2 * GB, NULL, NULL, &err) != LR_EMEMORY) return 2;
    if (strncmp(err.message, "Cannot allocate 2.00 GB. Available memory: ", 43) != 0) return 3;
    if (!strstr(err.message, "(addresses: 2,147,483,648 bytes; ulimit -v allows no more: raise it)"))
        return 9;
    if (a.base || a.reserved) return 4;
    if (arena_init(&a, GB / 2, NULL, NULL, &err) != LR_OK) return 5;
    if (arena_alloc(&a, GB / 4, "test", &p, &err) != LR_OK) return 6;
    arena_destroy(&a);
    return 0;
}

/* The kernel grants what is needed, and not the spare part that the policy wishes for on top. */
static int data_is_limited(void) {
    struct arena a;
    struct lr_error err;
    void *p;
    struct rlimit limit = {256 * MB, 256 * MB};
    if (setrlimit(RLIMIT_DATA, &limit)) return 1;
    if (arena_init(&a, 8 * GB, NULL, NULL, &err) != LR_OK) return 2;
    if (arena_alloc(&a, 100 * MB, "test", &p, &err) != LR_OK) return 3;
    memset(p, 1, 100 * MB);
    if (a.size >= 256 * MB) return 4;
    uint64_t used = a.used, size = a.size;
    if (arena_alloc(&a, 200 * MB, "work", &p, &err) != LR_EMEMORY) return 5;
    if (strncmp(err.message, "Cannot allocate 0.20 GB. Available memory: ", 43) != 0) return 6;
    if (!strstr(err.message, "(work: 209,715,200 bytes; ulimit -d allows no more: raise it)")) return 10;
    if (a.used != used || a.size != size) return 7;
    if (arena_alloc(&a, 50 * MB, "test", &p, &err) != LR_OK) return 8;
    arena_destroy(&a);
    return 0;
}

static void limits_of_the_process_are_clean_errors(void **state) {
    (void)state;
    SUPPORT_NOT_EMULATED(SUPPORT_LIMITS);
    assert_int_equal(support_in_child(addresses_are_limited), 0);
    assert_int_equal(support_in_child(data_is_limited), 0);
}

#endif

#ifdef SUPPORT_ASAN
static void space_between_blocks_is_poisoned(void **state) {
    (void)state;
    struct arena a;
    struct lr_error err;
    void *p, *q;
    assert_int_equal(arena_init(&a, MB, NULL, NULL, &err), LR_OK);
    assert_int_equal(arena_alloc(&a, 100, "test", &p, &err), LR_OK);
    assert_int_equal(arena_alloc(&a, 100, "test", &q, &err), LR_OK);
    assert_null(__asan_region_is_poisoned(p, 100));
    assert_true(__asan_address_is_poisoned((char *)p + 100));
    assert_true(__asan_address_is_poisoned((char *)q - 1));
    assert_null(__asan_region_is_poisoned(q, 100));
    assert_true(__asan_address_is_poisoned((char *)q + 100));
    arena_destroy(&a);
    assert_int_equal(arena_init(&a, MB, NULL, NULL, &err), LR_OK); /* the same addresses, as a rule */
    assert_int_equal(arena_alloc(&a, 900, "test", &p, &err), LR_OK);
    memset(p, 1, 900);
    arena_destroy(&a);
}
#endif

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_are_zeroed_aligned_and_apart),
        cmocka_unit_test(measured_is_what_the_real_one_uses),
        cmocka_unit_test(size_follows_the_policy),
        cmocka_unit_test(size_stays_within_the_reservation),
        cmocka_unit_test(refusal_tells_both_numbers),
        cmocka_unit_test(single_block_has_a_limit),
        cmocka_unit_test(sealed_arena_refuses),
        cmocka_unit_test(empty_block_takes_no_space),
        cmocka_unit_test(untouched_memory_costs_nothing),
#ifndef SUPPORT_SHADOWED
        cmocka_unit_test(limits_of_the_process_are_clean_errors),
#endif
#ifdef SUPPORT_ASAN
        cmocka_unit_test(space_between_blocks_is_poisoned),
#endif
    };
    return cmocka_run_group_tests_name("arena", tests, NULL, NULL);
}
