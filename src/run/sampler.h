/* sampler.h - from logits to one id. The filters act in the order and by the rules of transformers: penalties
 * and bias, temperature, top-k, top-p, min-p, typical; each on the distribution that the one before left. */
#ifndef LR_RUN_SAMPLER_H
#define LR_RUN_SAMPLER_H

#include "base/arena.h"
#include "run/rng.h"

struct sampler_candidate {
    uint32_t id;
    float logit;
    double p;
    double rank; /* sort key of the typical filter */
};

struct sampler {
    struct lr_sampling options; /* logit_bias points to a copy */
    struct lr_logit_bias *bias; /* owned: lr_free */
    uint32_t vocab;
    struct rng rng;
    uint64_t seed;
    struct sampler_candidate *candidates; /* [vocab], in the session's arena */
    uint32_t *seen, *generated; /* [vocab] how often each id is in the text, and in its generated part */
};

/* Checks the options (LR_EUSAGE names the one out of range), copies them, and draws a seed when none is
 * given. To be freed also after a failure. */
enum lr_status sampler_init(const struct lr_sampling *options, uint32_t vocab, struct sampler *out,
                            struct lr_error *err);
/* Its arrays over the vocabulary, in `arena` (which may be measuring). */
enum lr_status sampler_allocate(struct arena *arena, uint32_t vocab, struct sampler *s, struct lr_error *err);
void sampler_free(struct sampler *s);
/* Back to an empty text and to the seed's first number. */
void sampler_reset(struct sampler *s);
/* Tells it of a token of the text, for the penalties. */
void sampler_note(struct sampler *s, uint32_t id, bool generated);

/* The candidates that survive, best first (by logit, then by id), with their probabilities:
 * s->candidates[0..n). */
uint32_t sampler_distribution(struct sampler *s, const float *logits);
/* Draws an id. Greedy takes the first of the greatest. logits [vocab]. */
uint32_t sampler_draw(struct sampler *s, const float *logits);

/* log(sum(exp(logits))) of logits that come in pieces. They are added one by one in their order, so that the
 * result does not depend on the pieces. */
struct log_sum {
    double sum; /* of exp(logit - greatest) */
    float greatest;
};
struct log_sum log_sum_begin(void);
void log_sum_add(struct log_sum *s, const float *logits, size_t n);
double log_sum_value(const struct log_sum *s);

/* Natural logarithm of the probability of `id` under logits [vocab], with nothing applied. */
float sampler_logprob(const float *logits, uint32_t vocab, uint32_t id);
/* The `n` most probable ids, best first; returns how many (fewer when the vocabulary is smaller). */
uint32_t sampler_top(const float *logits, uint32_t vocab, uint32_t n, struct lr_token_logprob *out);

#endif
