/* session.h - one sequence: its KV cache view, position and sampler. The inside of the public struct
 * lr_session, for run/ alone. */
#ifndef LR_RUN_SESSION_H
#define LR_RUN_SESSION_H

#include "base/arena.h"
#include "model/forward.h"
#include "run/engine.h"
#include "run/sampler.h"

#define SESSION_CONTEXT 8192u /* positions when none are asked for, where the model has them */
#define SESSION_FILLED                                                                                       \
    512u /* of them, those that a plan allows for at first: more take their memory when they come */
#define SESSION_RECENT 4u /* ids: four bytes at least, a whole character */

struct lr_session {
    struct lr_engine *engine;
    struct lr_session *next; /* of the engine's, opened before this one */
    struct session_shape shape;
    struct arena arena; /* KV cache, work space, logits, sampler: sealed after opening */
    struct kv_pool pool;
    struct kv_sequence sequence;
    struct forward_work work;
    struct sampler sampler;
    float *logits;        /* [vocab] after the last token */
    struct log_sum *sums; /* [work.chunk] of the tokens that are being scored */
    bool has_logits;
    uint32_t position, context;
    uint64_t bytes, kv;       /* of the arena; of its KV cache when that is full */
    uint32_t filled;          /* positions of it that plans allow for */
    uint32_t reached, widest; /* positions that were in use, tokens that were in one pass: the most so far */
    bool loading;             /* the pass under way is the first over weights that are on disk */
    struct operations *operations; /* watches the passes; or NULL */
    double prefill_s;              /* spent on what was fed since the sequence began */
    uint32_t prompt_tokens;
    uint32_t recent[SESSION_RECENT],
        n_recent; /* the last ids that are text: what a stream of text goes on from */
};

/* What it owns with as many positions in use as plans allow for. */
uint64_t session_owned(const struct lr_session *s);
/* What it has used so far. */
uint64_t session_touched(const struct lr_session *s);

/* plan_session_fn over a struct session_shape; f16 and q8: as if its KV cache were of that type. */
enum lr_status session_measure(const void *shape, uint32_t context, uint32_t chunk, uint64_t *kv,
                               uint64_t *work, struct lr_error *err);
enum lr_status session_measure_f16(const void *shape, uint32_t context, uint32_t chunk, uint64_t *kv,
                                   uint64_t *work, struct lr_error *err);
enum lr_status session_measure_q8(const void *shape, uint32_t context, uint32_t chunk, uint64_t *kv,
                                  uint64_t *work, struct lr_error *err);

/* LR_EUSAGE where there is no room for the ids, or one is not in the vocabulary. */
enum lr_status session_check(const struct lr_session *s, const uint32_t *ids, size_t n, struct lr_error *err);
/* Reads ids at the end of the sequence in chunks. `rope_length`: the length that rotary frequencies are for.
 * `on_logits` as in forward.h; LR_EUSAGE when the context is full. */
enum lr_status session_read(struct lr_session *s, const uint32_t *ids, size_t n, uint64_t rope_length,
                            enum forward_logits want, forward_logits_fn *on_logits, void *ctx,
                            struct lr_error *err);
/* Appends a token that was drawn, so that the logits are those after it. */
enum lr_status session_append(struct lr_session *s, uint32_t id, struct lr_error *err);

#endif
