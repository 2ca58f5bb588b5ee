/* Four lanes in the compiler's own vectors. */
#include <stdint.h>
#include <string.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#define KERNEL_NAME(name) name##_generic

typedef float floats __attribute__((vector_size(16)));
typedef int32_t ints __attribute__((vector_size(16)));
typedef uint32_t uints __attribute__((vector_size(16)));
typedef int16_t shorts __attribute__((vector_size(16)));
typedef int8_t bytes __attribute__((vector_size(16)));
enum { LANES = 4 };

static inline floats load_rows(const float *x, size_t ld) {
    (void)ld;
    floats a;
    memcpy(&a, x, sizeof a);
    return a;
}
static inline void store(uint8_t *p, ints x) {
    memcpy(p, &x, sizeof x);
}
static inline floats low_floats(floats a, floats b) {
    return (floats){a[0], b[0], a[1], b[1]};
}
static inline floats high_floats(floats a, floats b) {
    return (floats){a[2], b[2], a[3], b[3]};
}
static inline floats low_pairs(floats a, floats b) {
    return (floats){a[0], a[1], b[0], b[1]};
}
static inline floats high_pairs(floats a, floats b) {
    return (floats){a[2], a[3], b[2], b[3]};
}
static inline ints greatest(ints a, ints b) {
    ints mask = a > b;
    return (mask & a) | (~mask & b);
}

#if defined(__SSE2__)
/* Every x86-64 has these, and compilers do not find them in loops (measured: q4 is 4 times as fast). */
static inline shorts high_product(shorts a, shorts b) {
    return (shorts)_mm_mulhi_epi16((__m128i)a, (__m128i)b);
}
static inline bytes narrow(shorts a, shorts b) {
    return (bytes)_mm_packs_epi16((__m128i)a, (__m128i)b);
}
static inline ints add_products(shorts a, shorts b, ints sum) {
    return (ints)_mm_add_epi32((__m128i)sum, _mm_madd_epi16((__m128i)a, (__m128i)b));
}
#else
static inline shorts high_product(shorts a, shorts b) {
    for (int i = 0; i < 8; i++) a[i] = (int16_t)(a[i] * b[i] >> 16);
    return a;
}
static inline bytes narrow(shorts a, shorts b) {
    bytes c = {0};
    for (int i = 0; i < 8; i++) {
        c[i] = (int8_t)(a[i] < -128 ? -128 : a[i] > 127 ? 127 : a[i]);
        c[i + 8] = (int8_t)(b[i] < -128 ? -128 : b[i] > 127 ? 127 : b[i]);
    }
    return c;
}
static inline ints add_products(shorts a, shorts b, ints sum) {
    uints c = (uints)sum;
    for (int i = 0; i < 4; i++) c[i] += (uint32_t)(a[2 * i] * b[2 * i] + a[2 * i + 1] * b[2 * i + 1]);
    return (ints)c;
}
#endif
static inline shorts spread_low(bytes a) {
    const bytes zero = {0};
    return (shorts)__builtin_shufflevector(zero, a, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
}
static inline shorts spread_high(bytes a) {
    const bytes zero = {0};
    return (shorts)__builtin_shufflevector(zero, a, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15,
                                           31);
}
static inline bytes in_order(bytes a) {
    return (bytes){a[0], a[1], a[8],  a[9],  a[2], a[3], a[10], a[11],
                   a[4], a[5], a[12], a[13], a[6], a[7], a[14], a[15]};
}
static inline bytes count_above(bytes a, bytes b, bytes c) {
    return a - (b > c);
}

#include "kernel/simd/quantise.h"
