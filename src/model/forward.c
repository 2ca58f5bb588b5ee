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

static void embed(const struct model *m, struct forward_work *w, const struct forward_pass *pass) {
    struct tensor_view e = store_lend(m->store, m->binding->embed);
    size_t row_bytes = e.cols * lr_dtype_size(e.dtype);
    for (uint32_t i = 0; i < pass->n; i++)
        m->matmul->kernels->widen[e.dtype]((const char *)e.data + pass->ids[i] * row_bytes, w->x + i * e.cols,
                                           e.cols);
    store_give_back(m->store, m->binding->embed);
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
static void head(const struct model *m, struct forward_work *w, const struct forward_pass *pass,
                 uint32_t first) {
    uint32_t dim = m->spec->dim;
    struct tensor_view h = store_lend(m->store, m->binding->head);
    for (uint32_t at = first; at < pass->n;) {
        uint32_t rows = pass->n - at < FORWARD_LOGIT_ROWS ? pass->n - at : FORWARD_LOGIT_ROWS;
        for (uint32_t i = 0; i < rows; i++)
            m->matmul->kernels->rms_norm(w->x + (size_t)(at + i) * dim, m->final_norm, m->spec->norm_eps, dim,
                                         w->normed + (size_t)i * dim);
        matmul_run(m->matmul, &h, NULL, w->normed, rows, w->logits);
        for (uint32_t i = 0; i < rows; i++)
            pass->on_logits(pass->ctx, at + i, w->logits + (size_t)i * m->spec->vocab);
        at += rows;
    }
    store_give_back(m->store, m->binding->head);
}

enum lr_status forward_run(const struct model *m, struct forward_work *w, struct kv_sequence *seq,
                           const struct forward_pass *pass, struct lr_error *err) {
    LR_TRY(check_ids(m->spec, pass, err));
    embed(m, w, pass);
    rotate(m, w, pass);
    struct block_context c = {.model = m, .work = w, .seq = seq, .n = pass->n, .position = pass->position};
    for (c.layer = 0; c.layer < m->spec->layers; c.layer++) {
        block_attention(&c);
        block_mlp(&c);
        if (!pass->on_layer(pass->layer_ctx, c.layer))
            return lr_fail(err, LR_EINTERRUPTED, "interrupted at position %u", pass->position);
    }
    if (pass->want != FORWARD_NO_LOGITS) head(m, w, pass, pass->want == FORWARD_LAST ? pass->n - 1 : 0);
    return LR_OK;
}
