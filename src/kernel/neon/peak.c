#if defined(__aarch64__)
#include "kernel/neon/words.h"

#include "kernel/simd/peak.h"
#endif
