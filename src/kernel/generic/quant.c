/* Products of quantised weights, as kernel/quant.h defines them. */
#include <math.h>

#include "kernel/half.h"
#include "kernel/tables.h"

static float scale_of(uint16_t u) {
    return float_of_bits((uint32_t)u << 15);
}

/* ---- activations */

/* Up to 32 elements; the rest of q is zeros. Returns the scale. */
static float quantise_block(const float *x, size_t n, int8_t q[QUANT_X_BLOCK]) {
    uint32_t most = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t bits = bits_of_float(x[i]) & 0x7FFFFFFF;
        most = bits > most ? bits : most;
    }
    memset(q, 0, QUANT_X_BLOCK);
    float amax = float_of_bits(most);
    if (most >= 0x7F800000) return NAN;
    if (amax < 0x1p-100f) return 0;
    const float inverse = 127 / amax, round = 0x1.8p23f;
    for (size_t i = 0; i < n; i++) q[i] = (int8_t)(x[i] * inverse + round - round);
    return amax / 127;
}

static int32_t sum_of(const int8_t *q, size_t n) {
    int32_t sum = 0;
    for (size_t i = 0; i < n; i++) sum += q[i];
    return sum;
}

void quant_x_generic(enum quant_format format, const float *x, size_t k, size_t ld_x, size_t n_x,
                     const struct quant_x *out) {
    const size_t padded = quant_x_padded(k), step = format == QUANT_Q8 ? QUANT_Q8_UNIT : QUANT_Q4_BLOCK;
    const int32_t offset = format == QUANT_Q8 ? QUANT_Q8_OFFSET : QUANT_Q4_OFFSET;
    for (size_t m = 0; m < n_x; m++) {
        int8_t *q = out->q + m * padded;
        for (size_t at = 0; at < padded; at += QUANT_X_BLOCK) {
            size_t n = at >= k ? 0 : k - at < QUANT_X_BLOCK ? k - at : QUANT_X_BLOCK;
            out->scale[(m * padded + at) / QUANT_X_BLOCK] =
                quantise_block(x + m * ld_x + (n ? at : 0), n, q + at);
        }
        for (size_t at = 0; at < padded; at += step)
            out->bias[(m * padded + at) / step] = -offset * sum_of(q + at, step);
    }
}

/* ---- products */

/* The scales and the values of elements of one activation, from element `at` on. */
struct row {
    const int8_t *q;
    const float *scale;
};

static struct row row_of(const struct quant_x *x, size_t padded, size_t m) {
    return (struct row){x->q + m * padded, x->scale + m * padded / QUANT_X_BLOCK};
}

static float dot_q8(const struct quant_q8_unit *w, size_t units, size_t r, struct row x) {
    float acc = 0;
    for (size_t u = 0; u < units; u++) {
        int32_t sum = 0;
        for (size_t k = 0; k < QUANT_Q8_UNIT; k++)
            sum += (w[u].line[k / 4][4 * r + k % 4] - QUANT_Q8_OFFSET) * x.q[u * QUANT_Q8_UNIT + k];
        acc = fmaf(scale_of(w[u].scale[r]) * x.scale[u], (float)sum, acc);
    }
    return acc;
}

/* The exact sum over one block of 16. */
static int32_t sum_q4(const uint8_t line[2][64], size_t r, const int8_t *q) {
    int32_t sum = 0;
    for (size_t i = 0; i < 2; i++) {
        for (size_t e = 0; e < 4; e++) {
            unsigned pair = line[i][4 * r + e];
            sum += quant_codebook[pair & 15] * q[8 * i + e] + quant_codebook[pair >> 4] * q[8 * i + 4 + e];
        }
    }
    return sum;
}

static float part_q4(const struct quant_q4_unit *w, size_t r, struct row x) {
    float part = 0;
    for (size_t b = 0; b < QUANT_Q4_UNIT / QUANT_Q4_BLOCK; b += 2) {
        const int8_t *q = x.q + b * QUANT_Q4_BLOCK;
        int32_t first = sum_q4(w->line[b], r, q), second = sum_q4(w->line[b + 1], r, q + QUANT_Q4_BLOCK);
        float s = (float)(first * w->scale[b][r] + second * w->scale[b + 1][r]);
        part = fmaf(x.scale[b / 2], s, part);
    }
    return part;
}

static float dot_q4(const struct quant_q4_unit *w, size_t units, size_t r, struct row x) {
    float acc = 0;
    for (size_t u = 0; u < units; u++) {
        float part = part_q4(w + u, r, (struct row){x.q + u * QUANT_Q4_UNIT, x.scale + u * 8});
        acc = fmaf(scale_of(w[u].super[r]), part, acc);
    }
    return acc;
}

void quant_dot_q8_generic(const void *w, size_t rows, size_t k, const struct quant_x *x, size_t n_x,
                          float *out, size_t ld_out) {
    const struct quant_q8_unit *unit = w;
    const size_t units = (k + QUANT_Q8_UNIT - 1) / QUANT_Q8_UNIT, padded = quant_x_padded(k);
    for (size_t r = 0; r < rows; r++)
        for (size_t m = 0; m < n_x; m++)
            out[m * ld_out + r] =
                dot_q8(unit + r / QUANT_ROWS * units, units, r % QUANT_ROWS, row_of(x, padded, m));
}

void quant_dot_q4_generic(const void *w, size_t rows, size_t k, const struct quant_x *x, size_t n_x,
                          float *out, size_t ld_out) {
    const struct quant_q4_unit *unit = w;
    const size_t units = (k + QUANT_Q4_UNIT - 1) / QUANT_Q4_UNIT, padded = quant_x_padded(k);
    for (size_t r = 0; r < rows; r++)
        for (size_t m = 0; m < n_x; m++)
            out[m * ld_out + r] =
                dot_q4(unit + r / QUANT_ROWS * units, units, r % QUANT_ROWS, row_of(x, padded, m));
}

/* ---- of f32 activations */

void quant_precise_generic(enum quant_format format, const void *w, size_t rows, size_t k, const float *x,
                           size_t ld_x, size_t n_x, float *out, size_t ld_out) {
    enum { PART = QUANT_Q4_UNIT };
    float weight[PART];
    uint64_t group = 0, part = 0;
    if (quant_group_bytes(format, k, &group) || quant_group_bytes(format, PART, &part)) return;
    for (size_t r = 0; r < rows; r++) {
        const char *at = (const char *)w + r / QUANT_ROWS * group;
        for (size_t m = 0; m < n_x; m++) out[m * ld_out + r] = 0;
        for (size_t from = 0; from < k; from += PART, at += part) {
            size_t n = k - from < PART ? k - from : PART;
            quant_widen(format, at, r % QUANT_ROWS, n, weight);
            for (size_t m = 0; m < n_x; m++)
                for (size_t i = 0; i < n; i++)
                    out[m * ld_out + r] = fmaf(weight[i], x[m * ld_x + from + i], out[m * ld_out + r]);
        }
    }
}
