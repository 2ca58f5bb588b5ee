/* Log-probabilities of a given text: one pass, the logits of every position. */
#include "run/session.h"

#include <math.h>

struct scoring {
    struct lr_session *session;
    const uint32_t *ids; /* [n] */
    float *logprobs;     /* [n] */
};

struct scoring_block {
    const struct scoring *scoring;
    const struct logits_block *logits;
};

/* One token's logits of a block: they foretell the id after it, whose own waits in `logprobs` for the sum
 * over all ids. */
static void score_token(void *ctx, uint32_t row, uint32_t thread) {
    const struct scoring_block *block = ctx;
    const struct scoring *sc = block->scoring;
    const struct logits_block *b = block->logits;
    const float *logits = b->logits + (size_t)row * b->n_ids;
    size_t next = (size_t)b->position + row + 1;
    (void)thread;
    struct log_sum *sum = &sc->session->sums[row];
    uint32_t id = sc->ids[next];
    if (b->first_id == 0) *sum = log_sum_begin();
    log_sum_add(sum, logits, b->n_ids);
    if (id >= b->first_id && id - b->first_id < b->n_ids) sc->logprobs[next] = logits[id - b->first_id];
    if (b->first_id + b->n_ids == sc->session->engine->spec.vocab)
        sc->logprobs[next] = (float)((double)sc->logprobs[next] - log_sum_value(sum));
}

static void score_block(void *ctx, const struct logits_block *logits) {
    const struct scoring *sc = ctx;
    struct scoring_block block = {sc, logits};
    threads_run(sc->session->engine->threads, logits->n_tokens, score_token, &block);
}

enum lr_status lr_session_score(struct lr_session *session, const uint32_t *ids, size_t n_ids,
                                float *logprobs, struct lr_error *err) {
    struct scoring sc = {session, ids, logprobs};
    lr_session_reset(session);
    for (size_t i = 0; i < n_ids; i++) logprobs[i] = NAN;
    LR_TRY(session_check(session, ids, n_ids, err));
    if (n_ids > 1) LR_TRY(session_read(session, ids, n_ids - 1, n_ids, FORWARD_ALL, score_block, &sc, err));
    lr_session_reset(session); /* without its last token it is no text to go on with */
    for (size_t i = 1; i < n_ids; i++)
        if (isnan(logprobs[i]))
            return lr_fail(
                err, LR_EMODEL,
                "%s: the logits before token %zu are not numbers (damaged weights, or values beyond f32?)",
                session->engine->path, i);
    return LR_OK;
}
