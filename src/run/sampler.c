#include "run/sampler.h"

#include "base/mem.h"

#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

static enum lr_status check(const struct lr_sampling *o, uint32_t vocab, struct lr_error *err) {
    if (!(o->temperature >= 0) || isinf(o->temperature))
        return lr_fail(err, LR_EUSAGE, "temperature %g is out of range: 0 or more", (double)o->temperature);
    if (o->top_k < 0) return lr_fail(err, LR_EUSAGE, "top-k %d is out of range: 0 (off) or more", o->top_k);
    if (!(o->top_p >= 0 && o->top_p <= 1))
        return lr_fail(err, LR_EUSAGE, "top-p %g is out of range: 0 to 1", (double)o->top_p);
    if (!(o->min_p >= 0 && o->min_p <= 1))
        return lr_fail(err, LR_EUSAGE, "min-p %g is out of range: 0 to 1", (double)o->min_p);
    if (!(o->typical > 0 && o->typical <= 1))
        return lr_fail(err, LR_EUSAGE, "typical %g is out of range: above 0, to 1", (double)o->typical);
    if (!(o->repeat_penalty > 0) || isinf(o->repeat_penalty))
        return lr_fail(err, LR_EUSAGE, "repeat penalty %g is out of range: above 0",
                       (double)o->repeat_penalty);
    if (!isfinite(o->presence_penalty) || !isfinite(o->frequency_penalty))
        return lr_fail(err, LR_EUSAGE, "presence and frequency penalties must be finite");
    for (size_t i = 0; i < o->n_logit_bias; i++) {
        if (o->logit_bias[i].id >= vocab)
            return lr_fail(err, LR_EUSAGE, "logit bias for id %u is out of range: the model has %u",
                           o->logit_bias[i].id, vocab);
        if (isnan(o->logit_bias[i].bias))
            return lr_fail(err, LR_EUSAGE, "logit bias for id %u is not a number", o->logit_bias[i].id);
    }
    return LR_OK;
}

static enum lr_status draw_seed(uint64_t *seed, struct lr_error *err) {
    if (getrandom(seed, sizeof *seed, 0) != (ssize_t)sizeof *seed)
        return lr_fail(err, LR_EFAILED, "no random seed from the system: %s (give one)", strerror(errno));
    *seed &= (UINT64_C(1) << 53) - 1; /* so that a JSON reader keeps it */
    return LR_OK;
}

enum lr_status sampler_init(const struct lr_sampling *options, uint32_t vocab, struct sampler *out,
                            struct lr_error *err) {
    *out = (struct sampler){.options = *options, .vocab = vocab, .seed = options->seed};
    LR_TRY(check(options, vocab, err));
    if (!options->has_seed) LR_TRY(draw_seed(&out->seed, err));
    if (options->n_logit_bias) {
        size_t bytes = options->n_logit_bias * sizeof *out->bias;
        out->bias = lr_malloc(bytes);
        if (!out->bias) return lr_fail_memory(err, "logit biases", bytes);
        memcpy(out->bias, options->logit_bias, bytes);
    }
    out->options.logit_bias = out->bias;
    out->rng = rng_seeded(out->seed);
    return LR_OK;
}

enum lr_status sampler_allocate(struct arena *arena, uint32_t vocab, struct sampler *s,
                                struct lr_error *err) {
    void *p;
    LR_TRY(arena_alloc(arena, (uint64_t)vocab * sizeof *s->candidates, "the sampler's candidates", &p, err));
    s->candidates = p;
    LR_TRY(arena_alloc(arena, (uint64_t)vocab * sizeof *s->seen, "counts of tokens", &p, err));
    s->seen = p;
    LR_TRY(arena_alloc(arena, (uint64_t)vocab * sizeof *s->generated, "counts of generated tokens", &p, err));
    s->generated = p;
    return LR_OK;
}

void sampler_free(struct sampler *s) {
    lr_free(s->bias);
    *s = (struct sampler){0};
}

void sampler_reset(struct sampler *s) {
    memset(s->seen, 0, (size_t)s->vocab * sizeof *s->seen);
    memset(s->generated, 0, (size_t)s->vocab * sizeof *s->generated);
    s->rng = rng_seeded(s->seed);
}

void sampler_note(struct sampler *s, uint32_t id, bool generated) {
    s->seen[id]++;
    if (generated) s->generated[id]++;
}

/* Presence and frequency count the generated text (as OpenAI's interface says), repetition the whole text
 * (CTRL, arXiv 1909.05858). */
static float penalised(const struct sampler *s, uint32_t id, float logit) {
    const struct lr_sampling *o = &s->options;
    if (s->seen[id]) logit = logit < 0 ? logit * o->repeat_penalty : logit / o->repeat_penalty;
    if (s->generated[id]) logit -= o->presence_penalty + o->frequency_penalty * (float)s->generated[id];
    return logit;
}

static void fill_candidates(struct sampler *s, const float *logits) {
    const struct lr_sampling *o = &s->options;
    bool penalties = o->repeat_penalty != 1 || o->presence_penalty != 0 || o->frequency_penalty != 0;
    for (uint32_t i = 0; i < s->vocab; i++)
        s->candidates[i] =
            (struct sampler_candidate){.id = i, .logit = penalties ? penalised(s, i, logits[i]) : logits[i]};
    for (size_t i = 0; i < o->n_logit_bias; i++) s->candidates[s->bias[i].id].logit += s->bias[i].bias;
}

static bool better(const struct sampler_candidate *a, const struct sampler_candidate *b) {
    return a->logit > b->logit || (a->logit == b->logit && a->id < b->id);
}

static int by_logit(const void *a, const void *b) {
    const struct sampler_candidate *x = a, *y = b;
    return better(x, y) ? -1 : better(y, x);
}

static int by_rank(const void *a, const void *b) {
    const struct sampler_candidate *x = a, *y = b;
    if (x->rank != y->rank) return x->rank < y->rank ? -1 : 1;
    return by_logit(a, b);
}

static void swap(struct sampler_candidate *a, struct sampler_candidate *b) {
    struct sampler_candidate t = *a;
    *a = *b;
    *b = t;
}

/* Restores the heap below `i`, whose root is the worst of the `n` kept. */
static void sift_down(struct sampler_candidate *heap, uint32_t n, uint32_t i) {
    for (;;) {
        uint32_t worst = i, left = 2 * i + 1, right = left + 1;
        if (left < n && better(&heap[worst], &heap[left])) worst = left;
        if (right < n && better(&heap[worst], &heap[right])) worst = right;
        if (worst == i) return;
        swap(&heap[i], &heap[worst]);
        i = worst;
    }
}

/* Keeps the k best, and those equal to the last of them (transformers drops only what is below it), best
 * first. */
static uint32_t keep_top_k(struct sampler_candidate *c, uint32_t n, uint32_t k) {
    if (k && k < n) {
        for (uint32_t i = k / 2; i-- > 0;) sift_down(c, k, i);
        for (uint32_t i = k; i < n; i++) {
            if (!better(&c[i], &c[0])) continue;
            swap(&c[i], &c[0]);
            sift_down(c, k, 0);
        }
        uint32_t kept = k;
        float last = c[0].logit;
        for (uint32_t i = k; i < n; i++)
            if (c[i].logit == last) swap(&c[i], &c[kept++]);
        n = kept;
    }
    qsort(c, n, sizeof *c, by_logit);
    return n;
}

/* Probabilities of candidates sorted best first. */
static void softmax(struct sampler_candidate *c, uint32_t n) {
    double sum = 0;
    for (uint32_t i = 0; i < n; i++) sum += c[i].p = exp((double)c[i].logit - (double)c[0].logit);
    for (uint32_t i = 0; i < n; i++) c[i].p /= sum;
}

/* The smallest set of the best whose probabilities reach p: a candidate goes when it and all worse ones sum
 * to 1 - p or less. */
static uint32_t keep_top_p(struct sampler_candidate *c, uint32_t n, double p) {
    if (p >= 1) return n;
    double tail = 0;
    while (n > 1 && (tail += c[n - 1].p) <= 1 - p) n--;
    softmax(c, n);
    return n;
}

static uint32_t keep_min_p(struct sampler_candidate *c, uint32_t n, double p) {
    if (p <= 0) return n;
    while (n > 1 && c[n - 1].p < p * c[0].p) n--;
    softmax(c, n);
    return n;
}

/* Locally typical sampling (arXiv 2202.00666): nearest to the entropy first, until their mass reaches `mass`.
 */
static uint32_t keep_typical(struct sampler_candidate *c, uint32_t n, double mass) {
    if (mass >= 1) return n;
    double entropy = 0, sum = 0;
    for (uint32_t i = 0; i < n; i++) entropy -= c[i].p > 0 ? c[i].p * log(c[i].p) : 0;
    for (uint32_t i = 0; i < n; i++) c[i].rank = c[i].p > 0 ? fabs(-log(c[i].p) - entropy) : INFINITY;
    qsort(c, n, sizeof *c, by_rank);
    uint32_t last = 0;
    while (last < n - 1 && (sum += c[last].p) < mass) last++;
    double limit = c[last].rank;
    uint32_t kept = last + 1;
    while (kept < n && c[kept].rank <= limit) kept++;
    qsort(c, kept, sizeof *c, by_logit);
    softmax(c, kept);
    return kept;
}

uint32_t sampler_distribution(struct sampler *s, const float *logits) {
    const struct lr_sampling *o = &s->options;
    struct sampler_candidate *c = s->candidates;
    fill_candidates(s, logits);
    for (uint32_t i = 0; i < s->vocab; i++) c[i].logit /= o->temperature;
    uint32_t n = keep_top_k(c, s->vocab, (uint32_t)o->top_k);
    softmax(c, n);
    n = keep_top_p(c, n, o->top_p);
    n = keep_min_p(c, n, o->min_p);
    return keep_typical(c, n, o->typical);
}

static uint32_t draw_greedy(struct sampler *s, const float *logits) {
    fill_candidates(s, logits);
    uint32_t best = 0;
    for (uint32_t i = 1; i < s->vocab; i++)
        if (better(&s->candidates[i], &s->candidates[best])) best = i;
    return best;
}

uint32_t sampler_draw(struct sampler *s, const float *logits) {
    if (s->options.temperature == 0) return draw_greedy(s, logits);
    uint32_t n = sampler_distribution(s, logits);
    double u = rng_uniform(&s->rng), sum = 0;
    for (uint32_t i = 0; i < n; i++) {
        sum += s->candidates[i].p;
        if (u < sum) return s->candidates[i].id;
    }
    return s->candidates[n - 1].id;
}

/* No logit is below the lowest finite number but -inf, which adds nothing then. */
struct log_sum log_sum_begin(void) {
    return (struct log_sum){0, -FLT_MAX};
}

void log_sum_add(struct log_sum *s, const float *logits, size_t n) {
    double sum = s->sum, greatest = (double)s->greatest;
    for (size_t i = 0; i < n; i++) {
        double logit = (double)logits[i];
        if (logit > greatest) { /* the sum so far is for another greatest */
            sum *= exp(greatest - logit);
            greatest = logit;
        }
        sum += exp(logit - greatest);
    }
    *s = (struct log_sum){sum, (float)greatest};
}

double log_sum_value(const struct log_sum *s) {
    return (double)s->greatest + log(s->sum);
}

static double log_sum_exp(const float *logits, uint32_t vocab) {
    struct log_sum s = log_sum_begin();
    log_sum_add(&s, logits, vocab);
    return log_sum_value(&s);
}

float sampler_logprob(const float *logits, uint32_t vocab, uint32_t id) {
    return (float)((double)logits[id] - log_sum_exp(logits, vocab));
}

uint32_t sampler_top(const float *logits, uint32_t vocab, uint32_t n, struct lr_token_logprob *out) {
    double norm = log_sum_exp(logits, vocab);
    uint32_t count = 0;
    for (uint32_t id = 0; id < vocab && n; id++) {
        uint32_t at = count;
        while (at > 0 && logits[id] > logits[out[at - 1].id]) at--;
        if (at == n) continue;
        if (count < n) count++;
        memmove(out + at + 1, out + at, (count - 1 - at) * sizeof *out);
        out[at] = (struct lr_token_logprob){id, 0};
    }
    for (uint32_t i = 0; i < count; i++) out[i].logprob = (float)((double)logits[out[i].id] - norm);
    return count;
}
