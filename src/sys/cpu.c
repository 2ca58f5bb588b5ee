#include "sys/cpu.h"

#include "sys/cgroup.h"
#include "sys/facts.h"

#include <sched.h>
#include <stdio.h>

#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__)
#include <sys/auxv.h>
#endif

/* ---- features */

#define BIT(n)      (1u << (n))
#define CACHES_MOST 8u

/* All of `bits` are set in `word`. */
static bool all(uint32_t word, uint32_t bits) {
    return (word & bits) == bits;
}

/* Bit numbers: Intel SDM vol. 2A, CPUID, and vol. 1, 13.3 (XCR0). */
uint32_t cpu_features_from(const struct cpu_id *id) {
    const uint32_t fma = BIT(12), osxsave = BIT(27), avx = BIT(28), f16c = BIT(29), avx2 = BIT(5);
    const uint32_t avx512 = BIT(16) | BIT(17) | BIT(30) | BIT(31); /* F, DQ, BW, VL */
    const uint32_t ymm_state = BIT(1) | BIT(2), zmm_state = ymm_state | BIT(5) | BIT(6) | BIT(7);
    uint32_t features = 0;
    if (!all(id->leaf1_ecx, osxsave | avx | fma | f16c) || !all(id->xcr0, ymm_state) ||
        !all(id->leaf7_ebx, avx2))
        return 0;
    features |= CPU_AVX2;
    if (all(id->leaf7_1_eax, BIT(4))) features |= CPU_AVX_VNNI;
    if (!all(id->leaf7_ebx, avx512) || !all(id->xcr0, zmm_state)) return features;
    features |= CPU_AVX512;
    if (all(id->leaf7_ecx, BIT(11))) features |= CPU_AVX512_VNNI;
    if (all(id->leaf7_1_eax, BIT(5))) features |= CPU_AVX512_BF16;
    return features;
}

/* Bit numbers: Linux, arch/arm64, the ABI of the ELF hwcaps. */
uint32_t cpu_features_from_arm(uint64_t hwcap, uint64_t hwcap2) {
    const uint64_t neon = BIT(1), dot_product = BIT(20), i8mm = BIT(13);
    if (!(hwcap & neon)) return 0;
    return CPU_NEON | (hwcap & dot_product ? CPU_DOTPROD : 0u) | (hwcap2 & i8mm ? CPU_I8MM : 0u);
}

uint32_t cpu_features(void) {
#if defined(__x86_64__)
    struct cpu_id id = {0};
    uint32_t eax, ebx, ecx, edx, subleaves;
    if (__get_cpuid(1, &eax, &ebx, &id.leaf1_ecx, &edx) && all(id.leaf1_ecx, BIT(27)))
        __asm__ __volatile__("xgetbv" : "=a"(id.xcr0), "=d"(edx) : "c"(0));
    if (__get_cpuid_count(7, 0, &subleaves, &id.leaf7_ebx, &id.leaf7_ecx, &edx) && subleaves >= 1)
        __get_cpuid_count(7, 1, &id.leaf7_1_eax, &ebx, &ecx, &edx);
    return cpu_features_from(&id);
#elif defined(__aarch64__)
    return cpu_features_from_arm(getauxval(AT_HWCAP), getauxval(AT_HWCAP2));
#else
    return 0;
#endif
}

/* ---- processors */

/* The processors that the process may run on. */
static enum lr_status read_affinity(const char *root, struct facts_cpus *out, struct lr_error *err) {
    *out = (struct facts_cpus){0};
    if (!*root) {
        cpu_set_t *set = (cpu_set_t *)(void *)out->bits;
        if (sched_getaffinity(0, sizeof out->bits, set)) out->bits[0] = 1;
        return LR_OK;
    }
    struct lr_buf text;
    struct lr_str list;
    LR_TRY(facts_read(root, "proc/self/status", &text, err));
    if (!facts_value(lr_buf_str(&text), "Cpus_allowed_list", &list) || !facts_cpus_parse(list, out))
        out->bits[0] = 1;
    lr_buf_free(&text);
    return LR_OK;
}

/* Whether `cpu` is the first of its core among `ours`; a processor whose siblings are not told is a core. */
static enum lr_status is_first_of_core(const char *root, uint32_t cpu, const struct facts_cpus *ours,
                                       bool *first, struct lr_error *err) {
    char name[96];
    struct lr_buf text;
    struct facts_cpus siblings;
    snprintf(name, sizeof name, "sys/devices/system/cpu/cpu%u/topology/thread_siblings_list", cpu);
    LR_TRY(facts_read(root, name, &text, err));
    *first = true;
    if (facts_cpus_parse(lr_buf_str(&text), &siblings) && facts_cpus_has(&siblings, cpu))
        for (uint32_t i = 0; i < cpu && *first; i++)
            *first = !(facts_cpus_has(&siblings, i) && facts_cpus_has(ours, i));
    lr_buf_free(&text);
    return LR_OK;
}

static enum lr_status read_processors(const char *root, struct cpu_info *out, struct lr_error *err) {
    struct facts_cpus ours;
    LR_TRY(read_affinity(root, &ours, err));
    out->affinity = facts_cpus_count(&ours);
    for (uint32_t cpu = 0; cpu < FACTS_MAX_CPUS; cpu++) {
        bool first = false;
        if (facts_cpus_has(&ours, cpu)) LR_TRY(is_first_of_core(root, cpu, &ours, &first, err));
        out->physical += first;
    }
    return LR_OK;
}

/* ---- quotas */

static void take_quota(struct cpu_info *out, uint64_t quota, uint64_t period) {
    if (!quota || !period) return;
    double cpus = (double)quota / (double)period;
    if (out->quota == 0 || cpus < out->quota) out->quota = cpus;
}

/* v1: two files, where a quota of -1 is none. */
static enum lr_status read_quota_v1(void *ctx, const char *folder, struct lr_error *err) {
    struct lr_buf quota, period;
    uint64_t q, p;
    LR_TRY(facts_read(folder, "cpu.cfs_quota_us", &quota, err));
    enum lr_status status = facts_read(folder, "cpu.cfs_period_us", &period, err);
    if (facts_number(lr_buf_str(&quota), &q) && facts_number(lr_buf_str(&period), &p)) take_quota(ctx, q, p);
    lr_buf_free(&quota);
    lr_buf_free(&period);
    return status;
}

/* v2: "quota period" in one file, where "max" is none. */
static enum lr_status read_quota_v2(void *ctx, const char *folder, struct lr_error *err) {
    struct lr_buf text;
    LR_TRY(facts_read(folder, "cpu.max", &text, err));
    struct lr_str rest = lr_buf_str(&text), quota;
    uint64_t q, p;
    if (facts_word(&rest, &quota) && facts_number(quota, &q) && facts_number(rest, &p)) take_quota(ctx, q, p);
    lr_buf_free(&text);
    return LR_OK;
}

/* Threads to take: one for each core that the quota pays for, also for a part of one. */
static uint32_t usable(const struct cpu_info *info) {
    uint32_t most = info->physical ? info->physical : 1;
    if (info->quota == 0 || info->quota >= most) return most;
    uint32_t whole = (uint32_t)info->quota;
    return whole + (info->quota > whole);
}

/* ---- caches and name */

/* "32768K" of each cache that there is. */
static enum lr_status read_caches(const char *root, struct cpu_info *out, struct lr_error *err) {
    for (unsigned i = 0; i < CACHES_MOST; i++) {
        char name[96];
        struct lr_buf text;
        struct lr_str kilobytes;
        uint64_t n;
        snprintf(name, sizeof name, "sys/devices/system/cpu/cpu0/cache/index%u/size", i);
        LR_TRY(facts_read(root, name, &text, err));
        struct lr_str rest = lr_buf_str(&text);
        if (facts_part(&rest, 'K', &kilobytes) && facts_number(kilobytes, &n) && n < UINT64_MAX >> 10 &&
            n << 10 > out->cache)
            out->cache = n << 10;
        lr_buf_free(&text);
    }
    return LR_OK;
}

static enum lr_status read_model(const char *root, struct cpu_info *out, struct lr_error *err) {
    static const char *const keys[] = {"model name", "Model", "Hardware", "cpu model", "uarch", "cpu"};
    struct lr_buf text;
    LR_TRY(facts_read(root, "proc/cpuinfo", &text, err));
    struct lr_str name = LR_STR("unknown");
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (facts_value(lr_buf_str(&text), keys[i], &name) && name.len) break;
    snprintf(out->model, sizeof out->model, "%.*s", LR_STR_ARGS(name));
    lr_buf_free(&text);
    return LR_OK;
}

enum lr_status cpu_read(const char *root, struct cpu_info *out, struct lr_error *err) {
    *out = (struct cpu_info){.features = cpu_features()};
    LR_TRY(read_processors(root, out, err));
    LR_TRY(cgroup_walk(root, "cpu", read_quota_v1, out, err));
    LR_TRY(cgroup_walk(root, NULL, read_quota_v2, out, err));
    out->usable = usable(out);
    LR_TRY(read_caches(root, out, err));
    return read_model(root, out, err);
}
