/* quantise.h - units of 16 rows quantised, a lane for each row; included once by each instruction set, which
 * defines LANES (a divisor of 16), floats, ints, and the words load, store, greater, look_up_8 and
 * look_up_16. Every lane does the same additions in the same order everywhere, so all sets give the same
 * bytes.
 *
 * A row's part of a unit is first multiplied by a power of two that brings its greatest magnitude to [2, 4):
 * squared errors of weights of 1e-30 or 1e38 are then numbers, too. */
#include <string.h>

#include "kernel/simd/inline.h"
#include "kernel/tables.h"

#define ROUND_BITS                                                                                           \
    0x4B400000 /* 1.5 * 2^23: added to a float, leaves the nearest whole number in its bits                  \
                */

enum {
    ROWS = QUANT_ROWS,
    TINY_BITS = (127 - 100) << 23, /* 2^-100: a unit of less is zeros */
    SCALE_SHIFT = 15,              /* a quant scale is the f32 without its sign, shifted by this */
    CODES = 16,
    ZERO_CODE = 7 /* the codebook's 0 */
};

static ALWAYS_INLINE floats all(float x) {
    return (floats){0} + x;
}
static ALWAYS_INLINE floats pick(ints mask, floats yes, floats no) {
    return (floats)((mask & (ints)yes) | (~mask & (ints)no));
}
static ALWAYS_INLINE ints pick_int(ints mask, ints yes, ints no) {
    return (mask & yes) | (~mask & no);
}
static ALWAYS_INLINE floats magnitude(floats x) {
    return (floats)((ints)x & 0x7FFFFFFF);
}
/* The nearest whole number, halves to even, for |x| < 2^22. */
static ALWAYS_INLINE floats nearest(floats x) {
    const floats round = (floats)((ints){0} + ROUND_BITS);
    return (x + round) - round;
}
static ALWAYS_INLINE ints whole(floats x) {
    const floats round = (floats)((ints){0} + ROUND_BITS);
    return (ints)(x + round) - ROUND_BITS;
}
/* Rows' elements brought to [2, 4), and what their exponents were. */
struct scaled {
    ints zero;     /* all ones where there is nothing but zeros */
    ints exponent; /* true value = y * 2^exponent */
    floats most;   /* greatest magnitude of y */
};

/* y [n] = x [n][ROWS]'s lanes, scaled. */
static ALWAYS_INLINE struct scaled scale_up(const float *x, const int n, floats *y) {
    floats most = all(0);
    for (int k = 0; k < n; k++) {
        y[k] = load(x + k * ROWS);
        most = greater(magnitude(y[k]), most);
    }
    struct scaled s = {.zero = (ints)most < TINY_BITS, .exponent = ((ints)most >> 23) - 128};
    floats factor = (floats)(((127 - s.exponent) << 23) & ~s.zero);
    for (int k = 0; k < n; k++) y[k] *= factor;
    s.most = most * factor;
    return s;
}

/* The quant scale `u` of y as that of the true values; 0 where there is nothing. */
static ALWAYS_INLINE void store_scales(const struct scaled *s, ints u, uint16_t *out) {
    int32_t lanes[LANES];
    u = (u + (s->exponent << (23 - SCALE_SHIFT))) & ~s->zero;
    memcpy(lanes, &u, sizeof lanes);
    for (int i = 0; i < LANES; i++) out[i] = (uint16_t)lanes[i];
}

/* ---- q8 */

enum { Q8_SCALES = 10 /* scales that are tried, one after the other from the least that holds all */ };

static ALWAYS_INLINE floats q8_error(const floats *y, floats scale) {
    floats inverse = 1 / scale, even = all(0), odd = all(0);
    for (int k = 0; k < QUANT_Q8_UNIT; k += 2) {
        floats a = y[k] * inverse, b = y[k + 1] * inverse;
        a -= nearest(a);
        b -= nearest(b);
        even += a * a;
        odd += b * b;
    }
    return (even + odd) * scale * scale;
}

/* The quant scale of least error. The least one tried lets the greatest magnitude come to 127.5, never quite
 * (a test goes through every fraction): it is rounded to 127, and all others gain by the finer steps. */
static ALWAYS_INLINE ints q8_search(const floats *y, const struct scaled *s) {
    ints first = ((ints)(pick(s->zero, all(1), s->most) * (1 / 127.5f)) >> SCALE_SHIFT) + 1, best = first;
    floats least = q8_error(y, (floats)(first << SCALE_SHIFT));
    for (int i = 1; i < Q8_SCALES; i++) {
        floats error = q8_error(y, (floats)((first + i) << SCALE_SHIFT));
        best = pick_int(error < least, first + i, best);
        least = pick(error < least, error, least);
    }
    return best;
}

static ALWAYS_INLINE void q8_lanes(const float *x, int lane, struct quant_q8_unit *out) {
    floats y[QUANT_Q8_UNIT];
    struct scaled s = scale_up(x + lane, QUANT_Q8_UNIT, y);
    ints u = q8_search(y, &s);
    floats inverse = 1 / (floats)(u << SCALE_SHIFT);
    store_scales(&s, u, out->scale + lane);
    for (int j = 0; j < QUANT_Q8_UNIT / 4; j++) {
        ints word = {0};
        for (int e = 0; e < 4; e++) word |= (whole(y[4 * j + e] * inverse) + QUANT_Q8_OFFSET) << (8 * e);
        store(out->line[j] + 4 * lane, word);
    }
}

void KERNEL_NAME(quantise_q8)(const float *x, void *out) {
    for (int lane = 0; lane < ROWS; lane += LANES) q8_lanes(x, lane, out);
}

/* ---- q4 */

/* The codebook as floats and, for the search of the nearest value, what lies half way between two: in the
 * order in which a search by halves asks. */
struct codes {
    float value[CODES];
    float middle;                         /* of codes 7 and 8 */
    float quarter[8], eighth[8], last[8]; /* the first 2, 4, 8 count */
};

static ALWAYS_INLINE struct codes codes_make(void) {
    struct codes c = {0};
    float half[CODES - 1];
    for (int i = 0; i < CODES; i++) c.value[i] = quant_codebook[i];
    for (int i = 0; i < CODES - 1; i++) half[i] = (c.value[i] + c.value[i + 1]) / 2;
    c.middle = half[7];
    for (int i = 0; i < 2; i++) c.quarter[i] = half[3 + 8 * i];
    for (int i = 0; i < 4; i++) c.eighth[i] = half[1 + 4 * i];
    for (int i = 0; i < 8; i++) c.last[i] = half[2 * i];
    return c;
}

/* The code of the value nearest to x; the lesser where two are as near. A comparison that holds is -1. */
static ALWAYS_INLINE ints code_of(const struct codes *c, floats x) {
    ints code = -(x > c->middle);
    code = 2 * code - (x > look_up_8(c->quarter, code));
    code = 2 * code - (x > look_up_8(c->eighth, code));
    return 2 * code - (x > look_up_8(c->last, code));
}
static ALWAYS_INLINE floats value_of(const struct codes *c, floats x) {
    return look_up_16(c->value, code_of(c, x));
}

/* Where the element of greatest magnitude is tried to come to, in units of the codebook: with both signs, as
 * its two ends differ. */
static const float q4_targets[] = {41, 43, 45, 47, 49, 51, 53, 55, 57, 59, 61, 63, 65, 67, 69, 71};
enum { Q4_TARGETS = sizeof q4_targets / sizeof *q4_targets };

struct q4_best {
    floats scale, gain; /* gain: by how much the sum of squares gets less */
};

/* Tries the codes nearest to y * factor. With v their values, the scale of least error is y.v / v.v, and it
 * takes (y.v)^2 / v.v from the squares. */
static ALWAYS_INLINE void q4_try(const struct codes *c, const floats *y, floats factor,
                                 struct q4_best *best) {
    floats yv = all(0), vv = all(0);
    for (int k = 0; k < QUANT_Q4_BLOCK; k++) {
        floats v = value_of(c, y[k] * factor);
        yv += y[k] * v;
        vv += v * v;
    }
    floats scale = yv / vv, gain = yv * scale;
    best->scale = pick(gain > best->gain, scale, best->scale);
    best->gain = pick(gain > best->gain, gain, best->gain);
}

/* The scale of one block, as if scales were not rounded. Below 2^-20 of the unit's greatest element it would
 * be rounded to 0. */
static ALWAYS_INLINE floats q4_search(const struct codes *c, const floats *y) {
    floats most = all(0);
    for (int k = 0; k < QUANT_Q4_BLOCK; k++) most = greater(magnitude(y[k]), most);
    ints none = most < 0x1p-20f;
    floats inverse = 1 / pick(none, all(1), most);
    struct q4_best best = {all(0), all(0)};
    for (int i = 0; i < Q4_TARGETS; i++) {
        q4_try(c, y, inverse * q4_targets[i], &best);
        q4_try(c, y, inverse * -q4_targets[i], &best);
    }
    return pick(none, all(0), best.scale);
}

/* 1 / scale; 0 for a scale of 0, which so takes the code of 0. */
static ALWAYS_INLINE floats inverse_or_zero(floats scale) {
    ints none = scale == 0;
    return pick(none, all(0), 1 / pick(none, all(1), scale));
}

static ALWAYS_INLINE floats q4_error(const struct codes *c, const floats *y, floats scale) {
    floats inverse = inverse_or_zero(scale), error = all(0);
    for (int k = 0; k < QUANT_Q4_BLOCK; k++) {
        floats miss = y[k] - value_of(c, y[k] * inverse) * scale;
        error += miss * miss;
    }
    return error;
}

/* The whole scale of a block: the nearest to `wanted`, in units of `super`, or one of its neighbours. */
static ALWAYS_INLINE floats q4_round_scale(const struct codes *c, const floats *y, floats wanted,
                                           floats super) {
    floats middle = nearest(wanted), best = middle, least = q4_error(c, y, super * middle);
    for (int i = -1; i <= 1; i += 2) {
        floats scale = middle + (float)i, error = q4_error(c, y, super * scale);
        ints better = (error < least) & (magnitude(scale) <= 127);
        best = pick(better, scale, best);
        least = pick(better, error, least);
    }
    return best;
}

static ALWAYS_INLINE void q4_store_block(const struct codes *c, const floats *y, floats scale,
                                         uint8_t line[2][64], int lane) {
    floats inverse = inverse_or_zero(scale);
    for (int i = 0; i < 2; i++) {
        ints word = {0};
        for (int e = 0; e < 4; e++) {
            ints low = code_of(c, y[8 * i + e] * inverse), high = code_of(c, y[8 * i + 4 + e] * inverse);
            word |= (low | high << 4) << (8 * e);
        }
        store(line[i] + 4 * lane, word);
    }
}

static ALWAYS_INLINE void store_bytes(floats x, int8_t *out) {
    int32_t lanes[LANES];
    ints n = whole(x);
    memcpy(lanes, &n, sizeof lanes);
    for (int i = 0; i < LANES; i++) out[i] = (int8_t)lanes[i];
}

static ALWAYS_INLINE void q4_lanes(const struct codes *c, const float *x, int lane,
                                   struct quant_q4_unit *out) {
    enum { BLOCKS = QUANT_Q4_UNIT / QUANT_Q4_BLOCK };
    floats y[QUANT_Q4_UNIT], wanted[BLOCKS], most = all(0);
    struct scaled s = scale_up(x + lane, QUANT_Q4_UNIT, y);
    for (int b = 0; b < BLOCKS; b++) {
        wanted[b] = q4_search(c, y + b * QUANT_Q4_BLOCK);
        most = greater(magnitude(wanted[b]), most);
    }
    ints u = ((ints)(pick(s.zero, all(1), most) * (1 / 127.0f)) >> SCALE_SHIFT) + 1;
    floats super = (floats)(u << SCALE_SHIFT), inverse = 1 / super;
    store_scales(&s, u, out->super + lane);
    for (int b = 0; b < BLOCKS; b++) {
        const floats *block = y + b * QUANT_Q4_BLOCK;
        floats scale = q4_round_scale(c, block, wanted[b] * inverse, super);
        store_bytes(scale, out->scale[b] + lane);
        q4_store_block(c, block, super * scale, out->line[b], lane);
    }
}

void KERNEL_NAME(quantise_q4)(const float *x, void *out) {
    const struct codes c = codes_make();
    for (int lane = 0; lane < ROWS; lane += LANES) q4_lanes(&c, x, lane, out);
}
