#include "model/rope.h"

#include <math.h>

#define PI 3.14159265358979323846

static double or_default(double value, double fallback) {
    return isnan(value) ? fallback : value;
}

static uint32_t original_positions(const struct model_spec *s) {
    return s->rope.original_max_position == CONFIG_UNSET ? s->max_position : s->rope.original_max_position;
}

/* The parameters that a kind of rope cannot do without. */
static enum lr_status check_scaling(const struct model_spec *s, struct lr_error *err) {
    const struct rope_config *r = &s->rope;
    const struct {
        const char *key;
        double value;
    } needed[] = {{"factor", r->factor},
                  {"low_freq_factor", r->kind == ROPE_LLAMA3 ? r->low_freq_factor : 1},
                  {"high_freq_factor", r->kind == ROPE_LLAMA3 ? r->high_freq_factor : 1}};
    for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++) {
        if (isnan(needed[i].value))
            return lr_fail(err, LR_EMODEL, "%s: the rope kind needs '%s', which is not there", s->source,
                           needed[i].key);
        if (!(needed[i].value > 0))
            return lr_fail(err, LR_EMODEL, "%s: the rope's '%s' is %g, it must be above 0", s->source,
                           needed[i].key, needed[i].value);
    }
    if (r->kind == ROPE_LLAMA3 && !(r->high_freq_factor > r->low_freq_factor))
        return lr_fail(err, LR_EMODEL, "%s: high_freq_factor %g must be above low_freq_factor %g", s->source,
                       r->high_freq_factor, r->low_freq_factor);
    return LR_OK;
}

enum lr_status rope_check(const struct model_spec *s, struct lr_error *err) {
    const struct rope_config *r = &s->rope;
    if (!(r->theta > 0))
        return lr_fail(err, LR_EMODEL, "%s: rope_theta %g must be above 0", s->source, r->theta);
    if (rope_pairs(s) == 0)
        return lr_fail(err, LR_EMODEL, "%s: partial_rotary_factor %g rotates nothing", s->source, r->partial);
    if (r->kind == ROPE_DEFAULT) return LR_OK;
    LR_TRY(check_scaling(s, err));
    if (original_positions(s) == 0)
        return lr_fail(err, LR_EMODEL, "%s: original_max_position_embeddings is 0", s->source);
    if (r->kind == ROPE_DYNAMIC && rope_pairs(s) < 2)
        return lr_fail(err, LR_EMODEL, "%s: dynamic rope needs at least 4 rotated values in a head",
                       s->source);
    return LR_OK;
}

static void plain(double theta, uint32_t pairs, float *inv_freq) {
    for (uint32_t i = 0; i < pairs; i++)
        inv_freq[i] = 1.0f / powf((float)theta, (float)(2 * i) / (float)(2 * pairs));
}

/* NTK scaling whose base grows with the sequence. */
static void dynamic(const struct model_spec *s, uint64_t length, uint32_t pairs, float *inv_freq) {
    double original = original_positions(s), n = length > original ? (double)length : original;
    double dim = 2.0 * pairs, factor = s->rope.factor;
    plain(s->rope.theta * pow(factor * n / original - (factor - 1), dim / (dim - 2)), pairs, inv_freq);
}

/* Llama 3.1: long wavelengths divided by the factor, short ones kept, a ramp between. */
static void llama3(const struct model_spec *s, uint32_t pairs, float *inv_freq) {
    const struct rope_config *r = &s->rope;
    float factor = (float)r->factor, low = (float)r->low_freq_factor, high = (float)r->high_freq_factor;
    float original = (float)original_positions(s);
    for (uint32_t i = 0; i < pairs; i++) {
        float wavelength = (float)(2 * PI) / inv_freq[i];
        if (wavelength < original / high) continue;
        if (wavelength > original / low) {
            inv_freq[i] /= factor;
            continue;
        }
        float smooth = (original / wavelength - low) / (high - low);
        inv_freq[i] = (1 - smooth) * inv_freq[i] / factor + smooth * inv_freq[i];
    }
}

/* The pair at which a wave turns `turns` times over the original context (YaRN, arXiv 2309.00071). */
static double yarn_pair(double turns, double dim, double theta, double original) {
    return dim * log(original / (turns * 2 * PI)) / (2 * log(theta));
}

static double yarn_mscale(double factor, double mscale) {
    return factor <= 1 ? 1 : 0.1 * mscale * log(factor) + 1;
}

static float yarn_scaling(const struct rope_config *r) {
    if (!isnan(r->attention_factor)) return (float)r->attention_factor;
    double mscale = or_default(r->mscale, 0), all = or_default(r->mscale_all_dim, 0);
    if (mscale != 0 && all != 0) return (float)(yarn_mscale(r->factor, mscale) / yarn_mscale(r->factor, all));
    return (float)yarn_mscale(r->factor, 1);
}

static void yarn(const struct model_spec *s, uint32_t pairs, float *inv_freq) {
    const struct rope_config *r = &s->rope;
    double dim = 2.0 * pairs, original = original_positions(s);
    double low = yarn_pair(or_default(r->beta_fast, 32), dim, r->theta, original);
    double high = yarn_pair(or_default(r->beta_slow, 1), dim, r->theta, original);
    if (r->truncate) {
        low = floor(low);
        high = ceil(high);
    }
    low = fmax(low, 0);
    high = fmin(high, dim - 1);
    if (low == high) high += 0.001;
    for (uint32_t i = 0; i < pairs; i++) {
        float ramp = (float)(fmin(fmax(((float)i - low) / (high - low), 0), 1));
        float keep = 1 - ramp;
        inv_freq[i] = inv_freq[i] / (float)r->factor * (1 - keep) + inv_freq[i] * keep;
    }
}

void rope_frequencies(const struct model_spec *s, uint64_t length, float *inv_freq, float *scaling) {
    uint32_t pairs = rope_pairs(s);
    *scaling = 1;
    plain(s->rope.theta, pairs, inv_freq);
    switch (s->rope.kind) {
    case ROPE_DEFAULT:
        break;
    case ROPE_LINEAR:
        for (uint32_t i = 0; i < pairs; i++) inv_freq[i] /= (float)s->rope.factor;
        break;
    case ROPE_DYNAMIC:
        dynamic(s, length, pairs, inv_freq);
        break;
    case ROPE_LLAMA3:
        llama3(s, pairs, inv_freq);
        break;
    case ROPE_YARN:
        yarn(s, pairs, inv_freq);
        *scaling = yarn_scaling(&s->rope);
        break;
    }
}

void rope_angles(const float *inv_freq, uint32_t pairs, float scaling, uint32_t position, float *cos_out,
                 float *sin_out) {
    for (uint32_t i = 0; i < pairs; i++) {
        float angle = inv_freq[i] * (float)position;
        cos_out[i] = cosf(angle) * scaling;
        sin_out[i] = sinf(angle) * scaling;
    }
}
