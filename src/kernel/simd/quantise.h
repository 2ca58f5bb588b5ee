/* quantise.h - units of 16 rows quantised, a lane for each row; included once by each instruction set, which
 * defines LANES (a divisor of 16), vectors of as many 32-bit lanes (floats, ints, uints; shorts and bytes of
 * the same size) and these words. "Quarters" are the parts of 128 bits that a vector is made of.
 *   load_rows(x, ld)        quarter i: the four floats at x + 4 i ld
 *   low_floats, high_floats the lower or higher halves of two vectors' quarters, interleaved by floats;
 *   low_pairs, high_pairs   ... by pairs of floats
 *   greatest(a, b)          of ints
 *   high_product(a, b)      of shorts, shifted right by 16
 *   narrow(a, b)            shorts as bytes, cut off at -128 and 127: each quarter a's, then b's
 *   spread_low, spread_high the lower or higher halves of a vector's quarters, as shorts times 256
 *   add_products(a, b, sum) to each lane the products of its two shorts
 *   look_up(table, at)      table[at] of 16 bytes, at < 16; BYTES_LOOKED_UP is defined where there is that
 *   count_above(a, b, c)    of bytes: a, and 1 more where b > c
 *   in_order(bytes)         each quarter's bytes 0 1 8 9 2 3 10 11 4 5 12 13 6 7 14 15
 *   store(p, ints)
 * Floats are added in the same order everywhere, and all else is whole numbers: all sets give the same bytes.
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
    TINY_BITS = (127 - 100) << 23,  /* 2^-100: a unit of less is zeros */
    LARGE_BITS = (127 + 127) << 23, /* 2^127: a unit with so much, or no number, is refused */
    SCALE_SHIFT = 15                /* a quant scale is the f32 without its sign, shifted by this */
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

/* y [4] = four columns of LANES rows. */
static ALWAYS_INLINE void turn(const float *x, size_t ld, floats *y) {
    floats a = load_rows(x, ld), b = load_rows(x + ld, ld), c = load_rows(x + 2 * ld, ld);
    floats d = load_rows(x + 3 * ld, ld);
    floats ab = low_floats(a, b), cd = low_floats(c, d);
    y[0] = low_pairs(ab, cd);
    y[1] = high_pairs(ab, cd);
    ab = high_floats(a, b);
    cd = high_floats(c, d);
    y[2] = low_pairs(ab, cd);
    y[3] = high_pairs(ab, cd);
}

static ALWAYS_INLINE bool any(ints mask) {
    int64_t parts[LANES / 2], all = 0;
    memcpy(parts, &mask, sizeof parts);
    for (int i = 0; i < LANES / 2; i++) all |= parts[i];
    return all != 0;
}

/* y [n] = n columns of LANES rows of x, scaled; false where one is refused. */
static ALWAYS_INLINE bool scale_up(const float *x, size_t ld, const int n, floats *y, struct scaled *out) {
    ints most = {0};
    for (int k = 0; k < n; k += 4) {
        turn(x + k, ld, y + k);
        for (int i = 0; i < 4; i++) most = greatest((ints)magnitude(y[k + i]), most);
    }
    out->zero = most < TINY_BITS;
    out->exponent = (most >> 23) - 128;
    floats factor = (floats)(((127 - out->exponent) << 23) & ~out->zero);
    for (int k = 0; k < n; k++) y[k] *= factor;
    out->most = (floats)most * factor;
    return !any(most >= LARGE_BITS);
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

static ALWAYS_INLINE bool q8_lanes(const float *x, size_t ld, int lane, struct quant_q8_unit *out) {
    floats y[QUANT_Q8_UNIT];
    struct scaled s;
    if (!scale_up(x + (size_t)lane * ld, ld, QUANT_Q8_UNIT, y, &s)) return false;
    ints u = q8_search(y, &s);
    floats inverse = 1 / (floats)(u << SCALE_SHIFT);
    store_scales(&s, u, out->scale + lane);
    for (int j = 0; j < QUANT_Q8_UNIT / 4; j++) {
        ints word = {0};
        for (int e = 0; e < 4; e++) word |= (whole(y[4 * j + e] * inverse) + QUANT_Q8_OFFSET) << (8 * e);
        store(out->line[j] + 4 * lane, word);
    }
    return true;
}

bool KERNEL_NAME(quantise_q8)(const float *x, size_t ld, void *out) {
    for (int lane = 0; lane < ROWS; lane += LANES)
        if (!q8_lanes(x, ld, lane, out)) return false;
    return true;
}

/* ---- q4 */

enum {
    CODES = 16,
    Q4_BLOCKS = QUANT_Q4_UNIT / QUANT_Q4_BLOCK,
    Q4_PAIRS = QUANT_Q4_BLOCK / 2,
    Q4_WHOLE = 4096,      /* a block's greatest magnitude, when its elements are brought to whole numbers */
    Q4_TWICE = 2 * 65536, /* high_product() with this / s: from s for a unit of the codebook to 2, so that */
                          /* the middle of two values is a whole number */
    Q4_SPREAD = 256       /* what spread_low() and spread_high() multiply by */
};

/* The codes of twice the codebook's units, rounded down and cut off at -128 and 127. A code's bound is the
 * last of these numbers that is no nearer to the next code's value. */
static ALWAYS_INLINE int code_bound(int code) {
    return quant_codebook[code] + quant_codebook[code + 1] - 1;
}

#ifdef BYTES_LOOKED_UP
/* By the upper four bits: the code of the least number that has these, and one more for each of the bounds,
 * two at most, that are among those that have them. */
struct codes {
    int8_t first[16], bound[2][16], value[16];
};

static inline struct codes codes_make(void) {
    struct codes c;
    memcpy(c.value, quant_codebook, sizeof c.value);
    for (int i = 0; i < 16; i++) {
        int from = i < 8 ? 16 * i : 16 * i - 256, code = 0;
        while (code < CODES - 1 && from > code_bound(code)) code++;
        c.first[i] = (int8_t)code;
        for (int j = 0; j < 2; j++, code++) {
            bool here = code < CODES - 1 && code_bound(code) < from + 15;
            c.bound[j][i] = (int8_t)(here ? code_bound(code) : 127);
        }
    }
    return c;
}

static ALWAYS_INLINE bytes codes_of(const struct codes *c, bytes twice) {
    bytes upper = (bytes)((uints)twice >> 4 & 0x0F0F0F0F), code = look_up(c->first, upper);
    code = count_above(code, twice, look_up(c->bound[0], upper));
    return count_above(code, twice, look_up(c->bound[1], upper));
}
static ALWAYS_INLINE bytes values_of(const struct codes *c, bytes twice) {
    return look_up(c->value, codes_of(c, twice));
}
#else
/* By comparing with each bound. */
struct codes {
    int8_t bound[CODES - 1], gap[CODES - 1];
};

static inline struct codes codes_make(void) {
    struct codes c;
    for (int i = 0; i < CODES - 1; i++) {
        c.bound[i] = (int8_t)code_bound(i);
        c.gap[i] = (int8_t)(quant_codebook[i + 1] - quant_codebook[i]);
    }
    return c;
}

static ALWAYS_INLINE bytes codes_of(const struct codes *c, bytes twice) {
    const bytes zero = {0};
    bytes code = zero;
    for (int i = 0; i < CODES - 1; i++) code = count_above(code, twice, zero + c->bound[i]);
    return code;
}
static ALWAYS_INLINE bytes values_of(const struct codes *c, bytes twice) {
    const bytes zero = {0};
    bytes value = zero + quant_codebook[0];
    for (int i = 0; i < CODES - 1; i++) value += (twice > c->bound[i]) & c->gap[i];
    return value;
}
#endif

/* Where the element of greatest magnitude is tried to come to, in units of the codebook: at both of its ends,
 * as they differ. Each of these, found one by one, is what makes errors of Gaussian, Student's t and uniform
 * weights least beside the others. */
static const int8_t q4_targets[] = {-59, -55, -47, 45, 52, 55, 60, 63, 66};
enum { Q4_TARGETS = sizeof q4_targets / sizeof *q4_targets };

/* The elements of a block as whole numbers: pairs[p] has elements 2p and 2p + 1 of each row. */
static ALWAYS_INLINE void q4_whole(const floats *y, floats factor, shorts *pairs) {
    const floats round = (floats)((ints){0} + ROUND_BITS); /* its lower half is 0 */
    for (int p = 0; p < Q4_PAIRS; p++) {
        uints low = (uints)(y[2 * p] * factor + round), high = (uints)(y[2 * p + 1] * factor + round);
        pairs[p] = (shorts)((low & 0xFFFF) | high << 16);
    }
}

/* What high_product() takes to bring the elements to twice the codebook's units, where they are `scale` for
 * each unit; a scale of 0 takes all to 0. */
static ALWAYS_INLINE shorts q4_factor(floats scale) {
    ints none = scale == 0;
    floats factor = pick(none, all(0), Q4_TWICE / pick(none, all(1), scale));
    uints whole_one = (uints)whole(factor);
    return (shorts)((whole_one & 0xFFFF) | whole_one << 16);
}

/* The elements 4q to 4q + 3 of a block, as codes_of() wants them. */
static ALWAYS_INLINE bytes q4_quad(const shorts *pairs, int q, shorts factor) {
    return narrow(high_product(pairs[2 * q], factor), high_product(pairs[2 * q + 1], factor));
}

/* Sums over a block: of element times value, times Q4_SPREAD, and of squared values. */
struct q4_sums {
    floats yv, vv;
};

static ALWAYS_INLINE struct q4_sums q4_sum(const struct codes *c, const shorts *pairs, shorts factor) {
    ints yv = {0}, vv = {0};
    for (int q = 0; q < QUANT_Q4_BLOCK / 4; q++) {
        bytes v = values_of(c, q4_quad(pairs, q, factor));
        shorts low = spread_low(v), high = spread_high(v);
        yv = add_products(pairs[2 * q], low, yv);
        yv = add_products(pairs[2 * q + 1], high, yv);
        vv = add_products(low, low, vv);
        vv = add_products(high, high, vv);
    }
    vv = (ints)((uints)vv >> 16);
    return (struct q4_sums){__builtin_convertvector(yv, floats), __builtin_convertvector(vv, floats)};
}

/* Takes the codes nearest to the elements times `factor`, if they are better. With v their values, the scale
 * of least error is y.v / v.v, and it takes (y.v)^2 / v.v from the sum of squares. */
static ALWAYS_INLINE void q4_try(const struct codes *c, const shorts *pairs, shorts factor,
                                 struct q4_sums *best) {
    struct q4_sums s = q4_sum(c, pairs, factor);
    ints better = s.yv * s.yv * best->vv > best->yv * best->yv * s.vv;
    best->yv = pick(better, s.yv, best->yv);
    best->vv = pick(better, s.vv, best->vv);
}

/* The scale of one block of whole numbers, as if scales were not rounded. */
static ALWAYS_INLINE floats q4_search(const struct codes *c, const shorts *pairs) {
    struct q4_sums best = {all(0), all(1)};
    for (int i = 0; i < Q4_TARGETS; i++) {
        const shorts factor = (shorts){0} + (int16_t)(q4_targets[i] * (Q4_TWICE / Q4_WHOLE));
        q4_try(c, pairs, factor, &best);
    }
    return best.yv / (best.vv * Q4_SPREAD);
}

/* What a scale adds to the sum of squares: the squared error less the sum of squared elements. */
static ALWAYS_INLINE floats q4_error(const struct codes *c, const shorts *pairs, floats scale) {
    struct q4_sums s = q4_sum(c, pairs, q4_factor(scale));
    return scale * (scale * s.vv - s.yv * (2.0f / Q4_SPREAD));
}

/* The whole scale of a block: the nearest to `wanted` / `super`, or one of its neighbours. */
static ALWAYS_INLINE floats q4_round_scale(const struct codes *c, const shorts *pairs, floats wanted,
                                           floats super) {
    floats middle = nearest(wanted), best = middle, least = q4_error(c, pairs, super * middle);
    for (int i = -1; i <= 1; i += 2) {
        floats scale = middle + (float)i, error = q4_error(c, pairs, super * scale);
        ints better = (error < least) & (magnitude(scale) <= 127);
        best = pick(better, scale, best);
        least = pick(better, error, least);
    }
    return best;
}

static ALWAYS_INLINE void q4_store_block(const struct codes *c, const shorts *pairs, floats scale,
                                         uint8_t line[2][64], int lane) {
    shorts factor = q4_factor(scale);
    for (int i = 0; i < 2; i++) {
        bytes low = codes_of(c, q4_quad(pairs, 2 * i, factor));
        bytes high = codes_of(c, q4_quad(pairs, 2 * i + 1, factor));
        store(line[i] + 4 * lane, (ints)in_order((bytes)((uints)low | (uints)high << 4)));
    }
}

static ALWAYS_INLINE void store_bytes(floats x, int8_t *out) {
    int32_t lanes[LANES];
    ints n = whole(x);
    memcpy(lanes, &n, sizeof lanes);
    for (int i = 0; i < LANES; i++) out[i] = (int8_t)lanes[i];
}

/* A block's elements as whole numbers, the one of greatest magnitude positive, and how many of them a y of 1
 * is. Below 2^-20 of the unit's greatest element its scale would be rounded to 0: they are zeros. */
static ALWAYS_INLINE floats q4_block(const floats *y, shorts *pairs) {
    ints most = {0}, least = {0}; /* of positive elements and of the others */
    for (int k = 0; k < QUANT_Q4_BLOCK; k++) {
        most = greatest((ints)y[k], most);
        least = greatest((ints)-y[k], least);
    }
    floats greatest_one = (floats)greatest(most, least);
    ints none = greatest_one < 0x1p-20f;
    floats whole_ones = pick(most >= least, all(Q4_WHOLE), all(-Q4_WHOLE));
    floats factor = pick(none, all(0), whole_ones / pick(none, all(1), greatest_one));
    q4_whole(y, factor, pairs);
    return factor;
}

static ALWAYS_INLINE bool q4_lanes(const struct codes *c, const float *x, size_t ld, int lane,
                                   struct quant_q4_unit *out) {
    floats y[QUANT_Q4_UNIT], factor[Q4_BLOCKS], wanted[Q4_BLOCKS], most = all(0);
    shorts pairs[Q4_BLOCKS][Q4_PAIRS];
    struct scaled s;
    if (!scale_up(x + (size_t)lane * ld, ld, QUANT_Q4_UNIT, y, &s)) return false;
    for (int b = 0; b < Q4_BLOCKS; b++) {
        factor[b] = q4_block(y + b * QUANT_Q4_BLOCK, pairs[b]);
        ints none = factor[b] == 0;
        wanted[b] = q4_search(c, pairs[b]) / pick(none, all(1), factor[b]);
        most = (floats)greatest((ints)magnitude(wanted[b]), (ints)most);
    }
    ints u = ((ints)(pick(s.zero, all(1), most) * (1 / 127.0f)) >> SCALE_SHIFT) + 1;
    floats super = (floats)(u << SCALE_SHIFT), inverse = 1 / super;
    store_scales(&s, u, out->super + lane);
    for (int b = 0; b < Q4_BLOCKS; b++) {
        floats step = super * factor[b], scale = q4_round_scale(c, pairs[b], wanted[b] * inverse, step);
        store_bytes(scale, out->scale[b] + lane);
        q4_store_block(c, pairs[b], step * scale, out->line[b], lane);
    }
    return true;
}

bool KERNEL_NAME(quantise_q4)(const float *x, size_t ld, void *out) {
    const struct codes c = codes_make();
    for (int lane = 0; lane < ROWS; lane += LANES)
        if (!q4_lanes(&c, x, ld, lane, out)) return false;
    return true;
}
