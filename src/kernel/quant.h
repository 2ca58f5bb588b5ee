/* quant.h - weights of 8.5 and 4.5625 bits: how they lie in memory, what their products are to the last bit,
 * and the way into them and out again. Used by the kernels of every instruction set, which must all give the
 * bits of the twins in generic/quant.c, and by whoever quantises a tensor while it is loaded.
 *
 * A matrix [rows, k] is cut in groups of QUANT_ROWS rows, each quant_group_bytes() long, one behind the
 * other; row r is row r % 16 of group r / 16. Rows beyond the last one have scales of 0 and elements of
 * value 0. A group is a run of units along K, the last one filled up as if there were zeros:
 *
 * q8, a unit of 32 elements, 544 bytes:
 *   uint16 scale[16]          a quant scale, one a row
 *   uint8  line[8][64]        line j, byte 4r + e: element 4j + e of row r, q + 128, q in [-127, 127]
 *   value = scale * q
 * q4, a unit of 256 elements (16 blocks of 16), 2336 bytes:
 *   uint16 super[16]          a quant scale, one a row
 *   int8   scale[16][16]      [block][row], in [-127, 127]
 *   uint8  line[16][2][64]    block b, line i, byte 4r + e: element 16b + 8i + e of row r in the low nibble,
 *                             element 16b + 8i + 4 + e in the high one
 *   value = super * scale * quant_codebook[nibble]
 *
 * A quant scale is the upper half of a positive f32 below its sign: 8 bits of exponent and 8 of fraction,
 * value = the float with the bits (uint32_t)u << 15. It has the whole range of f32, which f16 has not, and
 * one bit more of precision than bf16.
 *
 * Elements past the end of K have the value 0.
 *
 * Products. Activations are quantised for themselves (struct quant_x), in blocks of 32, q in [-127, 127].
 * Sums within a block are exact integers. For each output one f32 `acc` begins at 0 and takes the units in
 * the order of K. An (float) and an fmaf() round once, to nearest even, and so does scale * x_scale.
 *
 *   q8, each unit:
 *       acc = fmaf(scale * x_scale, (float)isum, acc)        isum: of the 32 products q * q
 *   q4, each unit: part = 0, then for each 32 of its elements, which share an x_scale,
 *       s = (float)(isum0 * scale0 + isum1 * scale1)         isum0, isum1: of the products of codebook
 *       part = fmaf(x_scale, s, part)                        value and q, over the two blocks of 16
 *     and at the end
 *       acc = fmaf(super, part, acc)
 *
 * The sum in s is an exact int32, rounded once; each of the two products is below 2^24, so that an f32
 * product and an fmaf() give the same s. Nothing else depends on order: a lane for each row needs no tree of
 * additions. */
#ifndef LR_KERNEL_QUANT_H
#define LR_KERNEL_QUANT_H

#include "base/dtype.h"
#include "base/error.h"

enum quant_format { QUANT_Q8, QUANT_Q4, QUANT_FORMATS };

enum {
    QUANT_ROWS = 16,    /* rows of a group */
    QUANT_X_BLOCK = 32, /* activations that share a scale */
    QUANT_Q8_UNIT = 32, /* elements of K */
    QUANT_Q4_UNIT = 256,
    QUANT_Q4_BLOCK = 16,
    QUANT_Q8_OFFSET = 128, /* added to q in a byte of q8 */
    /* Where a kernel looks up codebook value + 64 instead (1 ... 127): two products with int8 then fit the
     * 16 bits of vpmaddubsw. */
    QUANT_Q4_OFFSET = 64
};

struct quant_q8_unit {
    uint16_t scale[QUANT_ROWS];
    uint8_t line[8][64];
};
struct quant_q4_unit {
    uint16_t super[QUANT_ROWS];
    int8_t scale[QUANT_Q4_UNIT / QUANT_Q4_BLOCK][QUANT_ROWS];
    uint8_t line[QUANT_Q4_UNIT / QUANT_Q4_BLOCK][2][64];
};

/* Ascending, in [-63, 63]; number 7 is 0, so that weights that were pruned stay 0 (this costs 1 % of error).
 * Found by Lloyd's method, with whole numbers and that 0 held fixed, over blocks of Gaussian, Laplace,
 * Student-t and uniform weights, such with outlier channels and those of trained models, each kind weighed by
 * Q4_K's error on it, and the uniform ones by more until they were below that, too. The longer end takes the
 * greatest element, of either sign, as a block's scale has a sign. */
extern const int8_t quant_codebook[16];

/* The activations of a product, quantised: padded with zeros to quant_x_padded(k) elements. A block's scale
 * is amax / 127 and its q the nearest to x * (127 / amax), halves to even. A block whose greatest magnitude
 * is below 2^-100 is zeros with scale 0; one with a NaN or an infinity is zeros with scale NaN, so that
 * outputs are NaN. `bias` is what a kernel begins its integer sums with where it multiplies weights with
 * their offset added: minus offset times the sum of q; q8: one for 32 elements, q4: one for 16. */
struct quant_x {
    int8_t *q;     /* [n_x, padded] */
    float *scale;  /* [n_x, padded / 32] */
    int32_t *bias; /* [n_x, padded / 32 (q8) or padded / 16 (q4)] */
};

/* k rounded up to 256, for both formats. */
static inline size_t quant_x_padded(size_t k) {
    return (k + 255) / 256 * 256;
}

/* Kernels, one of each in struct kernel_table. */

/* One unit of 16 rows: x [QUANT_ROWS][QUANT_Q8_UNIT or QUANT_Q4_UNIT] with row stride ld. Scales are searched
 * for the least sum of squared errors of each row; every instruction set finds the same. False at a magnitude
 * of 2^127 or more and at what is no number: then `out` is not to be used. */
typedef bool kernel_quantise_fn(const float *x, size_t ld, void *out);
/* x [n_x, k] with row stride ld_x, to be multiplied with weights of `format`. */
typedef void kernel_quant_x_fn(enum quant_format format, const float *x, size_t k, size_t ld_x, size_t n_x,
                               const struct quant_x *out);
/* out[m * ld_out + r] for the first `rows` rows of the groups at `w`, as defined above. */
typedef void kernel_quant_dot_fn(const void *w, size_t rows, size_t k, const struct quant_x *x, size_t n_x,
                                 float *out, size_t ld_out);
/* The same of f32 activations x [n_x, k] with row stride ld_x: no reduced precision. Each weight is the f32
 * that quant_widen() gives, and acc = fmaf(weight, x, acc) in the order of K. */
typedef void kernel_quant_precise_fn(enum quant_format format, const void *w, size_t rows, size_t k,
                                     const float *x, size_t ld_x, size_t n_x, float *out, size_t ld_out);

/* For loaders. */

/* A dtype's format; false where it is none of the two. */
static inline bool quant_format_of(enum lr_dtype dtype, enum quant_format *out) {
    *out = dtype == LR_Q4 ? QUANT_Q4 : QUANT_Q8;
    return dtype == LR_Q8 || dtype == LR_Q4;
}
/* Bytes of one row of `cols` elements, quantised or not: a sixteenth of a group's, and those of a matrix are
 * rows rounded up to whole groups times this. */
uint64_t quant_row_bytes(enum lr_dtype dtype, uint64_t cols);
/* Rows beside which a matrix may be cut: 16, or 1. */
static inline uint64_t quant_rows(enum lr_dtype dtype) {
    return dtype == LR_Q8 || dtype == LR_Q4 ? QUANT_ROWS : 1;
}

const char *quant_name(enum quant_format format); /* "q8", "q4" */
/* Bytes of one group of 16 rows, and of all groups; true on overflow. */
bool quant_group_bytes(enum quant_format format, uint64_t cols, uint64_t *out);
bool quant_bytes(enum quant_format format, uint64_t rows, uint64_t cols, uint64_t *out);

/* Quantises groups [first, first + count) of `w` (f32, f16, bf16 or fp8) to `out`, where group `first`
 * begins; the bytes do not depend on how groups are dealt out to calls. LR_EMODEL, with row and column, at an
 * element that is not finite or too large (2^127): the caller puts the tensor's name before it. */
struct tensor_view;
struct kernel_table;
enum lr_status quant_groups(const struct kernel_table *kernels, enum quant_format format,
                            const struct tensor_view *w, uint64_t first, uint64_t count, void *out,
                            struct lr_error *err);

/* Row `row` (an embedding's) of the groups at `data`, widened: out [cols]. Each value is rounded to f32 once,
 * at most where it is subnormal. */
void quant_widen(enum quant_format format, const void *data, uint64_t row, size_t cols, float *out);

#endif
