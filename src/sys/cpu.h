/* cpu.h - what the processor can do and how much of it is ours. Read by the kernel table (features), the
 * engine (threads) and reports. */
#ifndef LR_SYS_CPU_H
#define LR_SYS_CPU_H

#include "base/error.h"

/* Instruction sets that kernels exist for. */
enum cpu_feature {
    CPU_AVX2 = 1u << 0,   /* with FMA and F16C, and enabled by the operating system */
    CPU_AVX512 = 1u << 1, /* F, BW, DQ, VL */
    CPU_AVX512_BF16 = 1u << 2,
    CPU_AVX512_VNNI = 1u << 3,
    CPU_AVX_VNNI = 1u << 4,
    CPU_NEON = 1u << 5,
    CPU_DOTPROD = 1u << 6, /* int8 products of NEON, by fours */
    CPU_I8MM = 1u << 7     /* and by matrices of 2 x 8 */
};

struct cpu_info {
    uint32_t features; /* of enum cpu_feature */
    uint32_t affinity; /* logical processors this process may run on */
    uint32_t physical; /* distinct cores among them */
    double quota;      /* processors' worth of time that the control groups allow (own and every ancestor); 0:
                        * no limit */
    uint32_t usable;   /* threads to take: min(physical, ceil(quota)), at least 1 */
    uint64_t cache;    /* bytes of processor 0's largest cache; 0 where the system does not tell */
    char model[64];    /* the model name, for reports; "unknown" where the system does not tell */
};

/* Reads the facts; topology, quota and name below `root` ("" for the machine itself, else a fixture tree);
 * features come from the processor, affinity from the process, or where root is not "" from the fixture's
 * proc/self/status (`Cpus_allowed_list`). What is missing or damaged counts as not limited, one processor
 * where even their number is not told. LR_EMEMORY only. */
enum lr_status cpu_read(const char *root, struct cpu_info *out, struct lr_error *err);

/* The features of this processor alone: from cpuid on x86-64, as the system tells them on aarch64, 0 on
 * others. */
uint32_t cpu_features(void);

/* The words of cpuid that the features are in, and the pure function over them. */
struct cpu_id {
    uint32_t leaf1_ecx, leaf7_ebx, leaf7_ecx, leaf7_1_eax;
    uint32_t xcr0; /* the register states that the operating system saves; 0 where xgetbv is not there */
};
uint32_t cpu_features_from(const struct cpu_id *id);
/* The same of aarch64's two words, AT_HWCAP and AT_HWCAP2. */
uint32_t cpu_features_from_arm(uint64_t hwcap, uint64_t hwcap2);

#endif
