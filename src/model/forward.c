#include "model/forward.h"

#include "model/blocks/blocks.h"
#include "model/rope.h"

static enum lr_status take(struct arena *arena, uint64_t rows, uint64_t cols, const char *what, float **out,
                           struct lr_error *err) {
    void *p;
    LR_TRY(arena_alloc(arena, rows * cols * sizeof(float), what, &p, err));
    *out = p;
    return LR_OK;
}

enum lr_status forward_work_init(struct arena *arena, const struct model_spec *s, uint32_t chunk,
                                 uint32_t positions, uint32_t threads, struct forward_work *out,
                                 struct lr_error *err) {
    *out = (struct forward_work){.chunk = chunk, .slots_per_list = positions / KERNEL_KV_BLOCK + 1};
    LR_TRY(take(arena, chunk, s->dim, "the residual stream", &out->x, err));
    LR_TRY(take(arena, chunk, s->dim, "normed activations", &out->normed, err));
    LR_TRY(take(arena, chunk, spec_q_dim(s), "queries", &out->q, err));
    LR_TRY(take(arena, chunk, spec_q_dim(s), "attention output", &out->attended, err));
    LR_TRY(take(arena, chunk, spec_kv_dim(s), "keys", &out->k, err));
    LR_TRY(take(arena, chunk, spec_kv_dim(s), "values", &out->v, err));
    LR_TRY(take(arena, chunk, s->ffn_dim, "gate activations", &out->gate, err));
    LR_TRY(take(arena, chunk, s->ffn_dim, "up activations", &out->up, err));
    LR_TRY(take(arena, FORWARD_LOGIT_ROWS, s->vocab, "logits", &out->logits, err));
    LR_TRY(take(arena, 1, rope_pairs(s), "rotary frequencies", &out->inv_freq, err));
    LR_TRY(take(arena, chunk, rope_pairs(s), "rotary cosines", &out->cosines, err));
    LR_TRY(take(arena, chunk, rope_pairs(s), "rotary sines", &out->sines, err));
    void *p;
    LR_TRY(arena_alloc(arena, (uint64_t)threads * 2 * out->slots_per_list * sizeof *out->slots,
                       "lists of KV blocks", &p, err));
    out->slots = p;
    return LR_OK;
}

static enum lr_status check_ids(const struct model_spec *s, const struct forward_pass *pass,
                                struct lr_error *err) {
    for (uint32_t i = 0; i < pass->n; i++)
        if (pass->ids[i] >= s->vocab)
            return lr_fail(err, LR_EUSAGE, "token id %u is out of range: the embedding has %u rows",
                           pass->ids[i], s->vocab);
    return LR_OK;
}

/* The rows of the embedding. `normed` is free at this point: it takes a row as it is in the file. */
static enum lr_status embed(const struct model *m, struct forward_work *w, const struct forward_pass *pass,
                            struct lr_error *err) {
    const struct tensor_record *t = m->binding->embed;
    size_t dim = m->spec->dim;
    for (uint32_t i = 0; i < pass->n; i++) {
        LR_TRY(store_copy(m->store, t, pass->ids[i], 1, w->normed, err));
        m->matmul->kernels->widen[t->dtype](w->normed, w->x + i * dim, dim);
    }
    return LR_OK;
}

static void rotate(const struct model *m, struct forward_work *w, const struct forward_pass *pass) {
    uint32_t pairs = rope_pairs(m->spec);
    float scaling;
    rope_frequencies(m->spec, pass->rope_length, w->inv_freq, &scaling);
    for (uint32_t i = 0; i < pass->n; i++)
        rope_angles(w->inv_freq, pairs, scaling, pass->position + i, w->cosines + i * pairs,
                    w->sines + i * pairs);
}

/* Logits of tokens [first, pass->n), some rows at a time. */
static enum lr_status head(const struct model *m, struct forward_work *w, const struct forward_pass *pass,
                           uint32_t first, struct lr_error *err) {
    uint32_t dim = m->spec->dim;
    for (uint32_t at = first; at < pass->n;) {
        uint32_t rows = pass->n - at < FORWARD_LOGIT_ROWS ? pass->n - at : FORWARD_LOGIT_ROWS;
        for (uint32_t i = 0; i < rows; i++)
            m->matmul->kernels->rms_norm(w->x + (size_t)(at + i) * dim, m->final_norm, m->spec->norm_eps, dim,
                                         w->normed + (size_t)i * dim);
        LR_TRY(model_multiply(m, m->binding->head, NULL, w->normed, rows, w->logits, err));
        for (uint32_t i = 0; i < rows; i++)
            pass->on_logits(pass->ctx, at + i, w->logits + (size_t)i * m->spec->vocab);
        at += rows;
    }
    return LR_OK;
}

static enum lr_status run_pass(const struct model *m, struct forward_work *w, struct kv_sequence *seq,
                               const struct forward_pass *pass, struct lr_error *err) {
    LR_TRY(embed(m, w, pass, err));
    rotate(m, w, pass);
    struct block_context c = {.model = m, .work = w, .seq = seq, .n = pass->n, .position = pass->position};
    for (c.layer = 0; c.layer < m->spec->layers; c.layer++) {
        LR_TRY(block_attention(&c, err));
        LR_TRY(block_mlp(&c, err));
        LR_TRY(store_check(m->store, false, err));
        if (!pass->on_layer(pass->layer_ctx, c.layer))
            return lr_fail(err, LR_EINTERRUPTED, "interrupted at position %u", pass->position);
    }
    if (pass->want == FORWARD_NO_LOGITS) return LR_OK;
    LR_TRY(head(m, w, pass, pass->want == FORWARD_LAST ? pass->n - 1 : 0, err));
    return store_check(m->store, false, err);
}

enum lr_status forward_run(const struct model *m, struct forward_work *w, struct kv_sequence *seq,
                           const struct forward_pass *pass, struct lr_error *err) {
    LR_TRY(check_ids(m->spec, pass, err));
    store_begin(m->store, pass->want != FORWARD_NO_LOGITS);
    enum lr_status status = run_pass(m, w, seq, pass, err);
    store_end(m->store);
    return status;
}
