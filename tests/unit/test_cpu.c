/* What the processor can do and how much of it is ours, from fixture trees (tests/data/sys) and this machine.
 */
#include "support/support.h"

#include "base/mem.h"
#include "sys/cpu.h"

#include <sched.h>

static struct cpu_info read_case(const char *name) {
    char root[256];
    struct cpu_info info;
    struct lr_error err;
    snprintf(root, sizeof root, "tests/data/sys/%s", name);
    assert_int_equal(cpu_read(root, &info, &err), LR_OK);
    return info;
}

static void processors_cores_and_quotas(void **state) {
    (void)state;
    static const struct {
        const char *name;
        uint32_t affinity, physical, usable;
        double quota;
    } rows[] = {
        {"no-cgroup", 2, 2, 2, 0},     /* no topology: each processor is a core */
        {"v1-two-up", 4, 4, 2, 1.5},   /* the own group allows 2, its parent 1.5 */
        {"v2-systemd", 4, 2, 2, 2.5},  /* two threads a core; the slice allows 2.5 */
        {"v1-docker", 2, 2, 1, 0.5},   /* half a processor is one thread */
        {"v2-container", 2, 2, 1, 1},  /* exactly one */
        {"unlimited", 2, 2, 2, 0},     /* -1 and max */
        {"hybrid", 2, 2, 2, 0},        /* cpu.max on the v2 side */
        {"files-missing", 2, 2, 2, 0}, /* groups without files */
        {"smt", 6, 4, 4, 0},           /* 0 with 64, 1 with 65, 2 alone of its core, 128 likewise */
        {"garbage", 1, 1, 1, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct cpu_info c = read_case(rows[i].name);
        if (c.affinity != rows[i].affinity || c.physical != rows[i].physical || c.usable != rows[i].usable)
            fail_msg("%s: affinity %u, physical %u, usable %u", rows[i].name, c.affinity, c.physical,
                     c.usable);
        assert_true(c.quota == rows[i].quota);
    }
}

static void model_is_named(void **state) {
    (void)state;
    assert_string_equal(read_case("no-cgroup").model, "Example CPU @ 2.00GHz");
    assert_string_equal(read_case("limits").model, "Raspberry Pi 4 Model B Rev 1.4");
    assert_string_equal(read_case("hybrid").model, "unknown");
    assert_string_equal(read_case("garbage").model, "unknown");
    assert_int_equal(strlen(read_case("smt").model), 63);
}

/* What a processor with everything says, and an operating system that saves all its state. */
static const struct cpu_id everything = {.leaf1_ecx = UINT32_MAX,
                                         .leaf7_ebx = UINT32_MAX,
                                         .leaf7_ecx = UINT32_MAX,
                                         .leaf7_1_eax = UINT32_MAX,
                                         .xcr0 = 0xe7};
enum { ALL = CPU_AVX2 | CPU_AVX512 | CPU_AVX512_BF16 | CPU_AVX512_VNNI | CPU_AVX_VNNI };

static void features_need_all_their_parts(void **state) {
    (void)state;
    assert_int_equal(cpu_features_from(&everything), ALL);
    static const uint32_t avx2_parts[] = {12, 27, 28, 29};
    for (size_t i = 0; i < 4; i++) {
        struct cpu_id id = everything;
        id.leaf1_ecx &= ~(1u << avx2_parts[i]); /* FMA, OSXSAVE, AVX, F16C */
        assert_int_equal(cpu_features_from(&id), 0);
    }
    struct cpu_id id = everything;
    id.leaf7_ebx &= ~(1u << 5);
    assert_int_equal(cpu_features_from(&id), 0);
    static const uint32_t avx512_parts[] = {16, 17, 30, 31};
    for (size_t i = 0; i < 4; i++) {
        id = everything;
        id.leaf7_ebx &= ~(1u << avx512_parts[i]); /* F, DQ, BW, VL */
        assert_int_equal(cpu_features_from(&id), CPU_AVX2 | CPU_AVX_VNNI);
    }
    id = everything;
    id.leaf7_ecx &= ~(1u << 11);
    assert_int_equal(cpu_features_from(&id), ALL & ~CPU_AVX512_VNNI);
    id = everything;
    id.leaf7_1_eax = 1u << 4;
    assert_int_equal(cpu_features_from(&id), ALL & ~CPU_AVX512_BF16);
    id.leaf7_1_eax = 1u << 5;
    assert_int_equal(cpu_features_from(&id), ALL & ~CPU_AVX_VNNI);
}

static void features_need_the_operating_system(void **state) {
    (void)state;
    static const struct {
        uint32_t xcr0, features;
    } rows[] = {
        {0xe7, ALL},
        {0xe6, ALL},
        {0x67, CPU_AVX2 | CPU_AVX_VNNI}, /* without the upper 16 registers */
        {0xa7, CPU_AVX2 | CPU_AVX_VNNI},
        {0xc7, CPU_AVX2 | CPU_AVX_VNNI}, /* without the mask registers */
        {0x07, CPU_AVX2 | CPU_AVX_VNNI},
        {0xe3, 0}, /* without the upper halves of ymm */
        {0xe5, 0},
        {0x01, 0},
        {0, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct cpu_id id = everything;
        id.xcr0 = rows[i].xcr0;
        assert_int_equal(cpu_features_from(&id), rows[i].features);
    }
}

static void this_machine_makes_sense(void **state) {
    (void)state;
    struct cpu_info c;
    struct lr_error err;
    assert_int_equal(cpu_read("", &c, &err), LR_OK);
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0) assert_int_equal(c.affinity, CPU_COUNT(&set));
    assert_in_range(c.physical, 1, c.affinity);
    assert_in_range(c.usable, 1, c.physical);
    assert_true(c.quota >= 0);
    assert_true(c.model[0] != '\0');
    assert_int_equal(c.features, cpu_features());
#ifdef __x86_64__
    /* the compiler's run-time, which reads the same register */
    __builtin_cpu_init();
    assert_int_equal(!!(c.features & CPU_AVX2),
                     __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"));
    assert_int_equal(!!(c.features & CPU_AVX512),
                     __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"));
#elif defined(__aarch64__)
    assert_true(c.features & CPU_NEON); /* as every Linux on it asks for */
#else
    assert_int_equal(c.features, 0);
#endif
}

static void features_of_aarch64(void **state) {
    (void)state;
    const uint64_t neon = 1u << 1, dot_product = 1u << 20, i8mm = 1u << 13;
    assert_int_equal(cpu_features_from_arm(neon, 0), CPU_NEON);
    assert_int_equal(cpu_features_from_arm(neon | dot_product, 0), CPU_NEON | CPU_DOTPROD);
    assert_int_equal(cpu_features_from_arm(neon, i8mm), CPU_NEON | CPU_I8MM);
    assert_int_equal(cpu_features_from_arm(UINT64_MAX, UINT64_MAX), CPU_NEON | CPU_DOTPROD | CPU_I8MM);
    assert_int_equal(cpu_features_from_arm(~neon, UINT64_MAX), 0);
    assert_int_equal(cpu_features_from_arm(neon | i8mm, neon | dot_product), CPU_NEON);
}

static void affinity_of_the_process_counts(void **state) {
    (void)state;
    cpu_set_t before, one;
    if (sched_getaffinity(0, sizeof before, &before)) skip();
    CPU_ZERO(&one);
    for (size_t i = 0; i < CPU_SETSIZE && !CPU_COUNT(&one); i++)
        if (CPU_ISSET(i, &before)) CPU_SET(i, &one);
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    struct cpu_info c;
    struct lr_error err;
    enum lr_status status = cpu_read("", &c, &err);
    sched_setaffinity(0, sizeof before, &before);
    assert_int_equal(status, LR_OK);
    assert_int_equal(c.affinity, 1);
    assert_int_equal(c.physical, 1);
    assert_int_equal(c.usable, 1);
}

static void refused_memory_is_an_error(void **state) {
    (void)state;
    enum lr_status status = LR_EMEMORY;
    long n = 0;
    while (status != LR_OK) {
        struct cpu_info c;
        struct lr_error err;
        lr_mem_fail_after(++n, 0);
        status = cpu_read("tests/data/sys/v1-two-up", &c, &err);
        lr_mem_fail_after(0, 0);
        if (status != LR_OK) assert_int_equal(status, LR_EMEMORY);
    }
    assert_true(n > 10);
}

static void the_largest_cache_is_the_last(void **state) {
    (void)state;
    assert_int_equal(read_case("smt").cache, 32768 << 10);
    assert_int_equal(read_case("garbage").cache, 0);
    assert_int_equal(read_case("no-cgroup").cache, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(processors_cores_and_quotas),
        cmocka_unit_test(the_largest_cache_is_the_last),
        cmocka_unit_test(model_is_named),
        cmocka_unit_test(features_need_all_their_parts),
        cmocka_unit_test(features_need_the_operating_system),
        cmocka_unit_test(features_of_aarch64),
        cmocka_unit_test(this_machine_makes_sense),
        cmocka_unit_test(affinity_of_the_process_counts),
        cmocka_unit_test(refused_memory_is_an_error),
    };
    return cmocka_run_group_tests_name("cpu", tests, NULL, NULL);
}
