#if defined(__aarch64__)
#include "kernel/neon/words.h"

#include "kernel/simd/dot.h"

#include "kernel/simd/fp8.h"
#endif
