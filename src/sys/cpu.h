/* cpu.h - what the processor can do and how much of it is ours. */
#ifndef LR_SYS_CPU_H
#define LR_SYS_CPU_H

#include "base/error.h"

/* Instruction sets that kernels exist for. */
enum cpu_feature {
    CPU_AVX2 = 1u << 0,   /* with FMA and F16C, and enabled by the operating system */
    CPU_AVX512 = 1u << 1, /* F, BW, DQ, VL */
    CPU_AVX512_BF16 = 1u << 2,
    CPU_AVX512_VNNI = 1u << 3,
    CPU_AVX_VNNI = 1u << 4
};

struct cpu_info {
    uint32_t features; /* of enum cpu_feature */
    uint32_t affinity; /* logical processors this process may run on */
    uint32_t physical; /* distinct cores among them */
    double
        quota; /* processors' worth of time that the control groups allow (own and every ancestor); 0: none */
    uint32_t usable; /* threads to take: min(physical, ceil(quota)), at least 1 */
    char model[64];  /* the model name, for reports */
};

/* Reads the facts; topology, quota and name below `root` ("" for the machine itself, else a fixture tree);
 * features come from cpuid, affinity from the process (a fixture's proc/self/status `Cpus_allowed_list` wins
 * where root is not ""). */
enum lr_status cpu_read(const char *root, struct cpu_info *out, struct lr_error *err);

/* The features of this processor alone, straight from cpuid. */
uint32_t cpu_features(void);

#endif
