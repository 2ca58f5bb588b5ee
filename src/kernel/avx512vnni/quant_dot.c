#if defined(__x86_64__)
#include "kernel/avx512vnni/words.h"

#include "kernel/simd/quant_dot.h"
#endif
