#if defined(__x86_64__)
#include "kernel/avx2/quant_words.h"

#include "kernel/simd/quant_dot.h"
#endif
