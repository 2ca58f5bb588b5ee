/* words.h - the vector words of NEON, as every aarch64 has it, that the kernels in kernel/simd/ are written
 * in: 8 f32 in two registers, since a register of 16-bit weights widens to just these. The lanes, and so the
 * bits of all sums, are those of AVX2. */
#ifndef LR_KERNEL_NEON_WORDS_H
#define LR_KERNEL_NEON_WORDS_H

#include <arm_neon.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define KERNEL_NAME(name) name##_neon

typedef float32x4_t quad;
typedef struct {
    quad low, high;
} vec;
enum {
    VEC = 8,
    /* Tiles of weight rows times activations, two of the 32 registers for each: the largest for which GCC 12
     * keeps nearly all in registers (3 times 4 would be just 32, and it stores half of them in each turn). */
    TILE_ROWS = 2,
    TILE_X = 5,
    /* One activation: rows at once, as one row's sums would wait for each other, and how far ahead lines are
     * fetched. */
    DECODE_ROWS = 2,
    DECODE_AHEAD = 4096,
    /* Attention: queries that two vectors of keys or values are taken for at once. */
    QUERIES = 4
};

/* ---- 4 f32, where sums end */

static inline quad quad_add(quad a, quad b) {
    return vaddq_f32(a, b);
}
/* {a0, b0, a1, b1} and {a2, b2, a3, b3} */
static inline quad quad_zip_low(quad a, quad b) {
    return vzip1q_f32(a, b);
}
static inline quad quad_zip_high(quad a, quad b) {
    return vzip2q_f32(a, b);
}
/* {a0, a1, b0, b1} and {a2, a3, b2, b3} */
static inline quad quad_lows(quad a, quad b) {
    return vcombine_f32(vget_low_f32(a), vget_low_f32(b));
}
static inline quad quad_highs(quad a, quad b) {
    return vcombine_f32(vget_high_f32(a), vget_high_f32(b));
}
static inline float quad_first(quad a) {
    return vgetq_lane_f32(a, 0);
}
static inline void quad_store(float *p, quad a) {
    memcpy(p, &a, sizeof a);
}
static inline quad quad_max(quad a, quad b) {
    return vbslq_f32(vcgtq_f32(a, b), a, b);
}
static inline quad quad_min(quad a, quad b) {
    return vbslq_f32(vcltq_f32(a, b), a, b);
}
/* 2^n for -127 < n < 128. */
static inline quad quad_power(int32x4_t n) {
    return vreinterpretq_f32_s32(vshlq_n_s32(vaddq_s32(n, vdupq_n_s32(127)), 23));
}

/* Asks for the cache line `bytes` after p, which may lie past the end of the matrix. */
static inline __attribute__((always_inline)) void fetch_ahead(const char *p, size_t bytes) {
    __asm__ volatile("prfm pldl1keep, [%0, %1]"
                     :
                     : "r"(p), "r"(bytes)); /* no pointer past the end is formed in C */
}

/* ---- memory: any address */

static inline vec vec_all(float x) {
    return (vec){vdupq_n_f32(x), vdupq_n_f32(x)};
}
static inline vec vec_zero(void) {
    return vec_all(0);
}
static inline vec vec_load(const void *p) {
    vec a;
    memcpy(&a.low, p, sizeof a.low);
    memcpy(&a.high, (const char *)p + sizeof a.low, sizeof a.high);
    return a;
}
/* The first n < VEC lanes, then zeros. */
static inline vec vec_load_part(const void *p, size_t n) {
    float first[VEC] = {0};
    memcpy(first, p, n * sizeof *first);
    return vec_load(first);
}
static inline void vec_store(float *p, vec a) {
    vst1q_f32(p, a.low);
    vst1q_f32(p + 4, a.high);
}
static inline void vec_store_part(float *p, vec a, size_t n) {
    float all[VEC];
    vec_store(all, a);
    memcpy(p, all, n * sizeof *p);
}

/* 8 16-bit elements, or the first n < VEC, then zeros. */
static inline uint16x8_t vec_half(const void *p) {
    uint16x8_t half;
    memcpy(&half, p, sizeof half);
    return half;
}
static inline uint16x8_t vec_half_part(const void *p, size_t n) {
    uint16_t first[VEC] = {0};
    memcpy(first, p, n * sizeof *first);
    return vec_half(first);
}
static inline vec vec_widen_f16(uint16x8_t half) {
    float16x8_t h = vreinterpretq_f16_u16(half);
    return (vec){vcvt_f32_f16(vget_low_f16(h)), vcvt_high_f32_f16(h)};
}
static inline vec vec_f16(const void *p) {
    return vec_widen_f16(vec_half(p));
}
static inline vec vec_f16_part(const void *p, size_t n) {
    return vec_widen_f16(vec_half_part(p, n));
}
static inline vec vec_widen_bf16(uint16x8_t half) {
    return (vec){vreinterpretq_f32_u32(vshll_n_u16(vget_low_u16(half), 16)),
                 vreinterpretq_f32_u32(vshll_high_n_u16(half, 16))};
}
static inline vec vec_bf16(const void *p) {
    return vec_widen_bf16(vec_half(p));
}
static inline vec vec_bf16_part(const void *p, size_t n) {
    return vec_widen_bf16(vec_half_part(p, n));
}
/* fp8 elements through the f16 that kernel/half.h describes; e4m3 smaller by E4M3_FOLD. */
#define E4M3_FOLD 256.0f
enum { E4M3_KEEPS_NAN = 1 };
typedef unsigned char vec_most; /* not looked at */
static inline vec_most vec_most_of(vec_most most, const void *p) {
    (void)p;
    return most;
}
static inline bool vec_most_is_nan(vec_most most) {
    return most > 0;
}
static inline vec vec_e4m3(const void *p) {
    int8x8_t bytes;
    memcpy(&bytes, p, sizeof bytes);
    uint16x8_t half = vreinterpretq_u16_s16(vshll_n_s8(bytes, 7)); /* bit 14: the sign again */
    uint16x8_t next = vaddq_u16(half, vdupq_n_u16(0x80));
    return vec_widen_f16(veorq_u16(half, vandq_u16(next, vdupq_n_u16(0x4000))));
}
static inline vec vec_e5m2(const void *p) {
    uint8x8_t bytes;
    memcpy(&bytes, p, sizeof bytes);
    return vec_widen_f16(vshll_n_u8(bytes, 8));
}
/* int8 elements. */
static inline vec vec_i8(const void *p) {
    int8x8_t bytes;
    memcpy(&bytes, p, sizeof bytes);
    int16x8_t wide = vmovl_s8(bytes);
    return (vec){vcvtq_f32_s32(vmovl_s16(vget_low_s16(wide))), vcvtq_f32_s32(vmovl_high_s16(wide))};
}
/* Rounds to nearest, ties to even, as a process begins with. */
static inline void vec_store_f16_part(void *p, vec a, size_t n) {
    float16x8_t half = vcvt_high_f16_f32(vcvt_f16_f32(a.low), a.high);
    memcpy(p, &half, n * 2);
}
static inline void vec_store_f16(void *p, vec a) {
    vec_store_f16_part(p, a, VEC);
}

/* ---- arithmetic */

static inline vec vec_add(vec a, vec b) {
    return (vec){vaddq_f32(a.low, b.low), vaddq_f32(a.high, b.high)};
}
static inline vec vec_sub(vec a, vec b) {
    return (vec){vsubq_f32(a.low, b.low), vsubq_f32(a.high, b.high)};
}
static inline vec vec_mul(vec a, vec b) {
    return (vec){vmulq_f32(a.low, b.low), vmulq_f32(a.high, b.high)};
}
static inline vec vec_div(vec a, vec b) {
    return (vec){vdivq_f32(a.low, b.low), vdivq_f32(a.high, b.high)};
}
/* a * b + c */
static inline vec vec_fma(vec a, vec b, vec c) {
    return (vec){vfmaq_f32(c.low, a.low, b.low), vfmaq_f32(c.high, a.high, b.high)};
}
/* c - a * b */
static inline vec vec_fnma(vec a, vec b, vec c) {
    return (vec){vfmsq_f32(c.low, a.low, b.low), vfmsq_f32(c.high, a.high, b.high)};
}
/* The greater and the lesser; b where either is NaN. */
static inline vec vec_max(vec a, vec b) {
    return (vec){quad_max(a.low, b.low), quad_max(a.high, b.high)};
}
static inline vec vec_min(vec a, vec b) {
    return (vec){quad_min(a.low, b.low), quad_min(a.high, b.high)};
}
static inline vec vec_abs(vec a) {
    return (vec){vabsq_f32(a.low), vabsq_f32(a.high)};
}
/* yes where a < 0, else no */
static inline vec vec_if_negative(vec a, vec yes, vec no) {
    return (vec){vbslq_f32(vcltzq_f32(a.low), yes.low, no.low),
                 vbslq_f32(vcltzq_f32(a.high), yes.high, no.high)};
}
/* y * 2^n for whole n, where `shifted` is n + EXP_ROUND: in two halves, as n may lie outside what one
 * exponent holds. */
static inline quad quad_scale(quad y, quad shifted) {
    int32x4_t n = vsubq_s32(vreinterpretq_s32_f32(shifted), vdupq_n_s32(0x4B400000));
    int32x4_t half = vshrq_n_s32(n, 1);
    return vmulq_f32(vmulq_f32(y, quad_power(half)), quad_power(vsubq_s32(n, half)));
}
static inline vec vec_scale(vec y, vec n, vec shifted) {
    (void)n;
    return (vec){quad_scale(y.low, shifted.low), quad_scale(y.high, shifted.high)};
}

/* Lanes 0-3 + 4-7: the upper level of the tree of vec_total4(). */
static inline quad vec_fold(vec a) {
    return vaddq_f32(a.low, a.high);
}

static inline float vec_greatest(vec a) {
    return vmaxvq_f32(vmaxq_f32(a.low, a.high));
}

#endif
