/* rng.h - the random numbers of sampling: xoshiro256++ (Blackman and Vigna 2019), its state filled by
 * splitmix64 from the seed. Same seed, same numbers, everywhere. */
#ifndef LR_RUN_RNG_H
#define LR_RUN_RNG_H

#include <stdint.h>

struct rng {
    uint64_t state[4];
};

struct rng rng_seeded(uint64_t seed);
uint64_t rng_next(struct rng *r);
/* Uniform in [0, 1), 53 bits. */
double rng_uniform(struct rng *r);

#endif
