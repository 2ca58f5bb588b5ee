/* half.h - one f16, bf16 or fp8 element to f32, and f16 back, in plain integer arithmetic: for the scalar
 * kernels and for the tails of the others. No branches, so that compilers turn loops over them into vector
 * code. */
#ifndef LR_KERNEL_HALF_H
#define LR_KERNEL_HALF_H

#include <stdint.h>
#include <string.h>

static inline float float_of_bits(uint32_t bits) {
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

static inline uint32_t bits_of_float(float f) {
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    return bits;
}

static inline float float_of_bf16(uint16_t h) {
    return float_of_bits((uint32_t)h << 16);
}

/* Exact for every f16. A subnormal one is the difference to the smallest normal one with its fraction. */
static inline float float_of_f16(uint16_t h) {
    uint32_t magnitude = (uint32_t)(h & 0x7FFF) << 13, sign = (uint32_t)(h & 0x8000) << 16;
    float subnormal = float_of_bits(magnitude + (113u << 23)) - float_of_bits(113u << 23);
    uint32_t bits = magnitude + (112u << 23);
    if (magnitude < 1u << 23) bits = bits_of_float(subnormal);
    if (magnitude >= 31u << 23) bits = magnitude | 0x7F800000; /* infinity or NaN */
    return float_of_bits(bits | sign);
}

/* Exact. The element's bits stand in an f16 of the same sign and fraction, whose exponent counts from 8
 * lower; adding one to the last place of what is all ones carries into the f16's exponent, which makes it
 * NaN. */
static inline float float_of_e4m3(uint8_t b) {
    uint32_t magnitude = (uint32_t)(b & 0x7F) << 7, carry = (magnitude + 0x80) & 0x4000;
    return float_of_f16((uint16_t)((uint32_t)(b & 0x80) << 8 | magnitude | carry)) * 256.0f;
}

/* The upper half of an f16. */
static inline float float_of_e5m2(uint8_t b) {
    return float_of_f16((uint16_t)(b << 8));
}

/* Rounds to nearest, ties to even; what is too large becomes infinity, a NaN stays one. */
static inline uint16_t f16_of_float(float f) {
    uint32_t bits = bits_of_float(f), sign = bits >> 16 & 0x8000, magnitude = bits & 0x7FFFFFFF;
    uint32_t rounded = magnitude + 0xFFF + (magnitude >> 13 & 1);
    uint32_t normal = (rounded >> 13) - (112u << 10);
    /* Below the normal range the sum with 1/2 leaves the f16's last place as the f32's last place. */
    uint32_t subnormal = bits_of_float(float_of_bits(magnitude) + 0.5f) - bits_of_float(0.5f);
    uint32_t out = magnitude < 0x38800000 ? subnormal : normal;
    if (magnitude >= 0x477FF000) out = 0x7C00;
    if (magnitude > 0x7F800000) out = 0x7E00;
    return (uint16_t)(sign | out);
}

#endif
