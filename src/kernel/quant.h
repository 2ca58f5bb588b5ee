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
 * value = the float with the bits (uint32_t)u << 15. It has the whole range of f32, which f16 has not, and one
 * bit more of precision than bf16.
 *
 * Elements past the end of K have q = 0 in q8; in q4 their nibble may be any, and the activations there must be
 * zeros (quant_x sees to that).
 *
 * Products. Activations are quantised for themselves (struct quant_x), blocks of 32, q in [-127, 127]. All sums
 * of q products within a block are exact integers. For each output one f32 `acc` begins at 0 and takes the
 * units in the order of K; each operation named here rounds once, to nearest even, fmaf() included:
 *   q8, each unit:   acc = fmaf(scale * x_scale, (float)isum, acc)      isum over the 32 elements
 *   q4, each unit:   part = 0
 *       each 32 elements of it, with x_scale:
 *           s = (float)isum0 * (float)scale0                            isum0, isum1: the sums of
 *           s = fmaf((float)isum1, (float)scale1, s)                    codebook value * q over the two
 *           part = fmaf(x_scale, s, part)                               blocks of 16
 *       acc = fmaf(super, part, acc)
 * Nothing else depends on order, so a lane for each row needs no tree of additions. */
#ifndef LR_KERNEL_QUANT_H
#define LR_KERNEL_QUANT_H

#include "base/dtype.h"
#include "base/error.h"

struct tensor_view;
struct kernel_table;

enum quant_format { QUANT_Q8, QUANT_Q4, QUANT_FORMATS };

enum {
    QUANT_ROWS = 16, /* rows of a group */
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

/* Ascending, in [-63, 63]. */
extern const int8_t quant_codebook[16];

/* The activations of a product, quantised: padded with zeros to quant_x_padded(k) elements. A block's scale is
 * amax / 127 and its q the nearest to x * (127 / amax), halves to even. A block whose greatest magnitude is
 * below 2^-100 is zeros with scale 0; one with a NaN or an infinity is zeros with scale NaN, so that outputs
 * are NaN. `bias` is what a kernel begins its integer sums with where it multiplies weights with their offset
 * added: minus offset times the sum of q; q8: one for 32 elements, q4: one for 16. */
struct quant_x {
    int8_t *q;      /* [n_x, padded] */
    float *scale;   /* [n_x, padded / 32] */
    int32_t *bias;  /* [n_x, padded / 32 (q8) or padded / 16 (q4)] */
};

/* k rounded up to 256, for both formats. */
static inline size_t quant_x_padded(size_t k) {
    return (k + 255) / 256 * 256;
}

#endif
