/* inline.h - for functions whose counts are to be constants where they are called. */
#ifndef LR_KERNEL_SIMD_INLINE_H
#define LR_KERNEL_SIMD_INLINE_H

/* A sanitizer's checks in every inlined copy take a compiler minutes: its builds call these functions. */
#ifdef LR_SANITIZED
#define ALWAYS_INLINE inline
#else
#define ALWAYS_INLINE inline __attribute__((always_inline))
#endif

#endif
