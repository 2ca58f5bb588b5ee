/* units.h - the grid that a matrix is cut into, so that a part of it can live elsewhere than the rest: units
 * of whole rows, about a mebibyte each. What is pinned of a matrix is always its first units; the rest is
 * read from the disk in blocks of neighbouring units. Pure arithmetic, shared by plan, pins and stream. */
#ifndef LR_WEIGHTS_UNITS_H
#define LR_WEIGHTS_UNITS_H

#include "kernel/quant.h"
#include "weights/catalog.h"

#define UNIT_BYTES (UINT64_C(1) << 20)
/* Rows of a unit are a multiple of this where there are so many: tiles of the products are then whole. */
#define UNIT_ROWS 48u

static inline uint64_t units_row_bytes(const struct tensor_record *t) {
    if (quant_rows(t->dtype) > 1) return quant_row_bytes(t->dtype, t->shape[1]);
    return t->rank && t->shape[0] ? t->bytes / t->shape[0] : 0;
}
/* Rows of one unit; all rows where the matrix is smaller than a unit. */
static inline uint64_t units_rows(const struct tensor_record *t) {
    uint64_t row = units_row_bytes(t), rows = row ? UNIT_BYTES / row : t->shape[0];
    if (rows > UNIT_ROWS)
        rows -= rows % UNIT_ROWS;
    else
        rows -= rows % quant_rows(t->dtype); /* groups stay whole */
    if (rows > t->shape[0]) rows = t->shape[0];
    return rows ? rows : quant_rows(t->dtype);
}
static inline uint64_t units_count(const struct tensor_record *t) {
    uint64_t rows = units_rows(t);
    return t->rank ? (t->shape[0] + rows - 1) / rows : 0;
}
/* Bytes of the first n units. */
static inline uint64_t units_bytes(const struct tensor_record *t, uint64_t n) {
    uint64_t rows = n * units_rows(t);
    return rows >= t->shape[0] ? t->bytes : rows * units_row_bytes(t);
}
/* The end of the block of at most `span` units that begins at unit `first`: blocks end at multiples of span.
 */
static inline uint64_t units_block_end(const struct tensor_record *t, uint64_t first, uint64_t span) {
    uint64_t end = (first / span + 1) * span, all = units_count(t);
    return end < all ? end : all;
}

#endif
