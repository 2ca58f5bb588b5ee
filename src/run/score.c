/* Log-probabilities of a given text: one pass, the logits of every position. */
#include "run/session.h"

#include <math.h>

struct scoring {
    struct lr_session *session;
    const uint32_t *ids; /* [n] */
    size_t n;
    float *logprobs; /* [n] */
};

/* Logits of pass token `index` foretell the id after it. The session's position is that of the pass's first
 * token. */
static void score_token(void *ctx, uint32_t index, const float *logits) {
    struct scoring *sc = ctx;
    size_t next = (size_t)sc->session->position + index + 1;
    if (next < sc->n)
        sc->logprobs[next] = sampler_logprob(logits, sc->session->engine->spec.vocab, sc->ids[next]);
}

enum lr_status lr_session_score(struct lr_session *session, const uint32_t *ids, size_t n_ids,
                                float *logprobs, struct lr_error *err) {
    struct scoring sc = {session, ids, n_ids, logprobs};
    lr_session_reset(session);
    for (size_t i = 0; i < n_ids; i++) logprobs[i] = NAN;
    LR_TRY(session_read(session, ids, n_ids, n_ids, FORWARD_ALL, score_token, &sc, err));
    for (size_t i = 1; i < n_ids; i++)
        if (isnan(logprobs[i]))
            return lr_fail(
                err, LR_EMODEL,
                "%s: the logits before token %zu are not numbers (damaged weights, or values beyond f32?)",
                session->engine->path, i);
    return LR_OK;
}
