/* forward.h - one pass of the decoder over a chunk of tokens: ids in, logits out. Called by run/session. */
#ifndef LR_MODEL_FORWARD_H
#define LR_MODEL_FORWARD_H

#include "model/kvcache.h"
#include "model/model.h"
#include "model/operations.h"

/* Ids whose logits are made together where those of a whole chunk are wanted: at least so many, and work for
 * each thread. Both are whole tiles of the products. */
#define FORWARD_LOGIT_IDS            960u
#define FORWARD_LOGIT_IDS_PER_THREAD 96u

/* Work space for passes of at most `chunk` tokens; all arrays are f32 and live in an arena. */
struct forward_work {
    uint32_t chunk;
    float *x;               /* [chunk, dim] the residual stream */
    float *normed;          /* [chunk, dim] */
    float *q, *attended;    /* [chunk, heads x head_dim]; q: also what gate and up are prepared in */
    float *k, *v;           /* [chunk, kv_heads x head_dim] */
    float *gate, *up;       /* [chunk, ffn_dim]; up: also what all other products are prepared in */
    void *group;            /* the embedding's rows that hold one, where it is quantised */
    float *logits;          /* [n_logits]: of one token all, of a chunk some ids at a time */
    uint64_t n_logits;      /* at least vocab, and chunk */
    float *inv_freq;        /* [pairs] */
    float *cosines, *sines; /* [chunk, pairs] */
    float *attention;       /* [threads, attention_step]: of each thread, what blocks/attend.c divides */
    uint64_t attention_step;
    float *spans; /* [spans of the longest sequence, heads, kernel_attention_state()]: of one token */
};

/* In `arena`, which may be measuring. `positions`: the longest sequence. */
enum lr_status forward_work_init(struct arena *arena, const struct model_spec *s, uint32_t chunk,
                                 uint32_t positions, uint32_t threads, struct forward_work *out,
                                 struct lr_error *err);

enum forward_logits { FORWARD_NO_LOGITS, FORWARD_LAST, FORWARD_ALL };
/* Logits of neighbouring tokens for neighbouring ids. */
struct logits_block {
    const float *logits;         /* [n_tokens, n_ids] */
    uint32_t position, n_tokens; /* of the first token in the sequence */
    uint32_t first_id, n_ids;
};
/* Called with block after block of all the tokens wanted, from id 0 on to the last; valid during the call
 * only. So one reading of the head serves them all, and nobody keeps whole rows. */
typedef void forward_logits_fn(void *ctx, const struct logits_block *block);

/* Called after each layer; false stops the pass (LR_EINTERRUPTED). */
typedef bool forward_layer_fn(void *ctx, uint32_t layer);

struct forward_pass {
    const uint32_t *ids;  /* [n], below the vocabulary's size */
    uint32_t n;           /* at most work->chunk */
    uint32_t position;    /* of ids[0] */
    uint64_t rope_length; /* length of the sequence that the frequencies are for: the whole prompt's */
    enum forward_logits want;
    forward_logits_fn *on_logits;
    void *ctx;
    forward_layer_fn *on_layer;
    void *layer_ctx;
    struct operations *operations; /* takes the times, and what was asked for; or NULL */
};

/* Reads the tokens into the sequence, whose blocks must have been reserved. LR_EUSAGE for an id beyond the
 * embedding: nothing is changed then. */
enum lr_status forward_run(const struct model *m, struct forward_work *w, struct kv_sequence *seq,
                           const struct forward_pass *pass, struct lr_error *err);

#endif
