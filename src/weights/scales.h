/* scales.h - the scales of fp8 weights: found beside each matrix, brought to one form and kept in f32, as the
 * kernels want them. They are a small share of the weights (one for 16,384 weights, or one a row). */
#ifndef LR_WEIGHTS_SCALES_H
#define LR_WEIGHTS_SCALES_H

#include "format/config.h"
#include "weights/catalog.h"

/* For every fp8 matrix W of the catalog's files: its scales are `W_scale_inv` or `W_scale`, which both are
 * what its elements are multiplied with: one value, one a row ([rows] or [rows, 1]), or one a block of the
 * configuration's; in F32, BF16, F16 or F8_E8M0. A matrix without stays without. LR_EMODEL names a tensor of
 * scales that is none of these, or holds one that is not finite or too large. */
enum lr_status scales_read(struct catalog *c, const struct fp8_config *config, struct lr_error *err);

#endif
