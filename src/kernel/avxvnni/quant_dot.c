#if defined(__x86_64__)
#include "kernel/avx2/quant_words.h"

#undef KERNEL_NAME
#define KERNEL_NAME(name) name##_avxvnni

#include "kernel/simd/quant_dot.h"
#endif
