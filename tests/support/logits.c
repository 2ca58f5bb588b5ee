#include "support/logits.h"

#include <math.h>

uint32_t logits_greatest(const float *row, size_t n) {
    uint32_t best = 0;
    for (uint32_t i = 1; i < n; i++)
        if (row[i] > row[best]) best = i;
    return best;
}

double logits_divergence(const float *a, const float *reference, size_t n) {
    double kl = 0, sum_a = 0, sum_r = 0, top_a = a[logits_greatest(a, n)],
           top_r = reference[logits_greatest(reference, n)];
    for (size_t i = 0; i < n; i++) {
        sum_a += exp((double)a[i] - top_a);
        sum_r += exp((double)reference[i] - top_r);
    }
    for (size_t i = 0; i < n; i++) {
        double log_a = (double)a[i] - top_a - log(sum_a), log_r = (double)reference[i] - top_r - log(sum_r);
        kl += exp(log_r) * (log_r - log_a);
    }
    return kl;
}
