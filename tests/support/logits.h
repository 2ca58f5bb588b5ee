/* logits.h - rows of logits compared. */
#ifndef LR_TESTS_SUPPORT_LOGITS_H
#define LR_TESTS_SUPPORT_LOGITS_H

#include <stddef.h>
#include <stdint.h>

/* The id of the greatest of row [n]; the first of equals. */
uint32_t logits_greatest(const float *row, size_t n);
/* The Kullback-Leibler divergence of the distribution of a [n] from that of reference [n], in nats. */
double logits_divergence(const float *a, const float *reference, size_t n);

#endif
