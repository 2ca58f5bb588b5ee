#if defined(__x86_64__)
#include "kernel/avx512bf16/words.h"

#include "kernel/simd/dot.h"
#endif
