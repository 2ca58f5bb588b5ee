/* Four lanes in the compiler's own vectors. */
#include <stdint.h>
#include <string.h>

#define KERNEL_NAME(name) name##_generic

typedef float floats __attribute__((vector_size(16)));
typedef int32_t ints __attribute__((vector_size(16)));
enum { LANES = 4 };

static inline floats load(const float *p) {
    floats x;
    memcpy(&x, p, sizeof x);
    return x;
}
static inline void store(uint8_t *p, ints x) {
    memcpy(p, &x, sizeof x);
}
static inline floats greater(floats a, floats b) {
    ints mask = a > b;
    return (floats)((mask & (ints)a) | (~mask & (ints)b));
}

static inline floats look_up_16(const float *table, ints at) {
    return (floats){table[at[0]], table[at[1]], table[at[2]], table[at[3]]};
}
static inline floats look_up_8(const float *table, ints at) {
    return look_up_16(table, at);
}

#include "kernel/simd/quantise.h"
