/* rope.h - rotary position embedding: inverse frequencies of each kind, and the cosines and sines of
 * positions.
 *
 * The arithmetic is float32 in the reference's order (transformers, modeling_rope_utils), so that angles
 * agree with it. */
#ifndef LR_MODEL_ROPE_H
#define LR_MODEL_ROPE_H

#include "base/error.h"
#include "model/spec.h"

/* Positions that are rotated in each head: a pair is (i, i + rope_pairs). */
static inline uint32_t rope_pairs(const struct model_spec *s) {
    return (uint32_t)(s->head_dim * s->rope.partial) / 2;
}

/* Refuses parameters that no formula can take: LR_EMODEL names the key. */
enum lr_status rope_check(const struct model_spec *s, struct lr_error *err);

/* inv_freq [rope_pairs] for a sequence of `length` positions (only `dynamic` depends on it), and the factor
 * on cosines and sines (1 but for yarn). */
void rope_frequencies(const struct model_spec *s, uint64_t length, float *inv_freq, float *scaling);

/* cos, sin [pairs] of one position. */
void rope_angles(const float *inv_freq, uint32_t pairs, float scaling, uint32_t position, float *cos_out,
                 float *sin_out);

#endif
