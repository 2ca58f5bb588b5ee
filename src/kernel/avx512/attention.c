#if defined(__x86_64__)
#include "kernel/avx512/words.h"

#include "kernel/simd/attention.h"
#endif
