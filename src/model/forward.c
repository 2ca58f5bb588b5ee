#include "model/forward.h"

#include "model/blocks/blocks.h"
#include "model/rope.h"
#include "weights/units.h"

static enum lr_status take(struct arena *arena, uint64_t rows, uint64_t cols, const char *what, float **out,
                           struct lr_error *err) {
    void *p;
    LR_TRY(arena_alloc(arena, rows * cols * sizeof(float), what, &p, err));
    *out = p;
    return LR_OK;
}

/* Room for all logits of one token, and for those of a chunk for some ids. */
static enum lr_status take_logits(struct arena *arena, uint32_t vocab, uint32_t threads,
                                  struct forward_work *w, struct lr_error *err) {
    uint32_t ids = threads * FORWARD_LOGIT_IDS_PER_THREAD;
    if (ids < FORWARD_LOGIT_IDS) ids = FORWARD_LOGIT_IDS;
    if (ids > vocab) ids = vocab;
    w->n_logits = (uint64_t)w->chunk * ids > vocab ? (uint64_t)w->chunk * ids : vocab;
    return take(arena, 1, w->n_logits, "logits", &w->logits, err);
}

/* Floats of an array of `own` that also prepared activations of `a` or of `b` elements lie in. */
static uint64_t room_for(uint64_t own, uint64_t a, uint64_t b) {
    uint64_t most = (KERNEL_PREPARED_BYTES(a > b ? a : b) + sizeof(float) - 1) / sizeof(float);
    return own > most ? own : most;
}

enum lr_status forward_work_init(struct arena *arena, const struct model_spec *s, uint32_t chunk,
                                 uint32_t positions, uint32_t threads, struct forward_work *out,
                                 struct lr_error *err) {
    *out = (struct forward_work){.chunk = chunk, .attention_step = block_attend_work(s)};
    LR_TRY(take(arena, chunk, s->dim, "the residual stream", &out->x, err));
    LR_TRY(take(arena, chunk, s->dim, "normed activations", &out->normed, err));
    LR_TRY(take(arena, chunk, room_for(spec_q_dim(s), s->dim, 0), "queries", &out->q, err));
    LR_TRY(take(arena, chunk, spec_q_dim(s), "attention output", &out->attended, err));
    LR_TRY(take(arena, chunk, spec_kv_dim(s), "keys", &out->k, err));
    LR_TRY(take(arena, chunk, spec_kv_dim(s), "values", &out->v, err));
    LR_TRY(take(arena, chunk, s->ffn_dim, "gate activations", &out->gate, err));
    LR_TRY(take(arena, chunk, room_for(s->ffn_dim, s->dim, spec_q_dim(s)), "up activations", &out->up, err));
    LR_TRY(take_logits(arena, s->vocab, threads, out, err));
    LR_TRY(take(arena, 1, rope_pairs(s), "rotary frequencies", &out->inv_freq, err));
    LR_TRY(take(arena, chunk, rope_pairs(s), "rotary cosines", &out->cosines, err));
    LR_TRY(take(arena, chunk, rope_pairs(s), "rotary sines", &out->sines, err));
    LR_TRY(arena_alloc(arena, QUANT_ROWS * quant_row_bytes(LR_Q8, quant_x_padded(s->dim)),
                       "rows of a quantised embedding", &out->group, err));
    LR_TRY(take(arena, threads, out->attention_step, "work space of attention", &out->attention, err));
    LR_TRY(take(arena, (uint64_t)s->heads * (positions / KERNEL_KV_SPAN + 1),
                kernel_attention_state(s->head_dim), "spans of attention", &out->spans, err));
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

/* A row of a quantised embedding: its group is had whole. */
static enum lr_status embed_quantised(const struct model *m, struct forward_work *w, uint32_t id, float *out,
                                      enum quant_format format, struct lr_error *err) {
    const struct tensor_record *t = m->binding->embed;
    LR_TRY(store_copy(m->store, t, id - id % QUANT_ROWS, QUANT_ROWS, w->group, err));
    quant_widen(format, w->group, id % QUANT_ROWS, m->spec->dim, out);
    return LR_OK;
}

/* The rows of the embedding, whose reads from a disk all begin before the first is waited for. `normed` is
 * free at this point: it takes a row as it is in the file. */
static enum lr_status embed(const struct model *m, struct forward_work *w, const struct forward_pass *pass,
                            struct lr_error *err) {
    const struct tensor_record *t = m->binding->embed;
    size_t dim = m->spec->dim;
    uint32_t rows = (uint32_t)quant_rows(t->dtype);
    enum quant_format format;
    for (uint32_t i = 0; i < pass->n && pass->n > 1; i++)
        store_ahead(m->store, t, pass->ids[i] - pass->ids[i] % rows, rows);
    for (uint32_t i = 0; i < pass->n; i++) {
        if (quant_format_of(t->dtype, &format)) {
            LR_TRY(embed_quantised(m, w, pass->ids[i], w->x + i * dim, format, err));
            continue;
        }
        LR_TRY(store_copy(m->store, t, pass->ids[i], 1, w->normed, err));
        const struct tensor_view row = {w->normed, t->dtype, 1, dim, t->scales, pass->ids[i]};
        tensor_widen(m->matmul->kernels, &row, 0, 0, dim, w->x + i * dim);
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

/* Logits of the tokens of `in` for the rows on loan: in equal parts for which there is room. */
static void give_logits(const struct model *m, struct forward_work *w, const struct forward_pass *pass,
                        const struct loan *loan, const struct matmul_input *in) {
    uint32_t n = (uint32_t)in->n_x;
    uint64_t rows = loan->view.rows, row = units_row_bytes(loan->record), most = w->n_logits / n;
    if (most < rows) most -= most % UNIT_ROWS; /* whole groups, and tiles */
    uint64_t parts = (rows + most - 1) / most, each = (rows + parts - 1) / parts;
    if (each < rows) each = (each + UNIT_ROWS - 1) / UNIT_ROWS * UNIT_ROWS;
    struct tensor_view part = loan->view;
    for (uint64_t at = 0; at < rows; at += part.rows) {
        part.data = (const char *)loan->view.data + at * row;
        part.rows = rows - at < each ? rows - at : each;
        part.first = loan->view.first + at;
        matmul_run(m->matmul, &part, NULL, in, w->logits, part.rows);
        struct logits_block block = {w->logits, pass->position + pass->n - n, n, (uint32_t)(loan->first + at),
                                     (uint32_t)part.rows};
        pass->on_logits(pass->ctx, &block);
    }
}

/* Logits of the last `n` tokens: each piece of the head is had once for all of them. Pieces are not much
 * longer than what is multiplied at once: between two of them memory, files and interruptions are looked at.
 */
static enum lr_status head(const struct model *m, struct forward_work *w, const struct forward_pass *pass,
                           uint32_t n, struct lr_error *err) {
    uint32_t dim = m->spec->dim;
    enum lr_status status;
    for (uint32_t i = 0; i < n; i++)
        m->matmul->kernels->rms_norm(w->x + (size_t)(pass->n - n + i) * dim, m->final_norm, m->spec->norm_eps,
                                     dim, w->normed + (size_t)i * dim);
    struct matmul_input in;
    matmul_prepare(m->matmul, m->binding->head->dtype, w->normed, n, dim, w->up, &in);
    operation_done(pass->operations, OPERATION_NORM);
    struct loan loan = store_lend(m->binding->head);
    loan.most_rows = w->n_logits / n;
    while (store_next(m->store, &loan, &status, err)) give_logits(m, w, pass, &loan, &in);
    operation_done(pass->operations, OPERATION_HEAD);
    return status;
}

static enum lr_status run_pass(const struct model *m, struct forward_work *w, struct kv_sequence *seq,
                               const struct forward_pass *pass, struct lr_error *err) {
    LR_TRY(embed(m, w, pass, err));
    operation_done(pass->operations, OPERATION_EMBEDDING);
    rotate(m, w, pass);
    operation_done(pass->operations, OPERATION_ROPE);
    struct block_context c = {.model = m, .work = w, .seq = seq, .n = pass->n, .position = pass->position};
    c.operations = pass->operations;
    for (c.layer = 0; c.layer < m->spec->layers; c.layer++) {
        operation_none(pass->operations);
        LR_TRY(block_attention(&c, err));
        LR_TRY(block_mlp(&c, err));
        LR_TRY(store_check(m->store, false, err));
        if (!pass->on_layer(pass->layer_ctx, c.layer))
            return lr_fail(err, LR_EINTERRUPTED, "interrupted at position %u", pass->position);
    }
    operation_none(pass->operations);
    if (pass->want == FORWARD_NO_LOGITS) return LR_OK;
    LR_TRY(head(m, w, pass, pass->want == FORWARD_LAST ? 1 : pass->n, err));
    return store_check(m->store, false, err);
}

static void count(const struct model *m, const struct kv_sequence *seq, const struct forward_pass *pass) {
    uint32_t logits = pass->want == FORWARD_ALL ? pass->n : pass->want == FORWARD_LAST;
    operations_end(pass->operations);
    operations_count(pass->operations, m, seq->pool, pass->n, pass->position, logits);
}

enum lr_status forward_run(const struct model *m, struct forward_work *w, struct kv_sequence *seq,
                           const struct forward_pass *pass, struct lr_error *err) {
    LR_TRY(check_ids(m->spec, pass, err));
    store_begin(m->store, pass->want != FORWARD_NO_LOGITS);
    operations_begin(pass->operations, &m->store->lent);
    enum lr_status status = run_pass(m, w, seq, pass, err);
    if (pass->operations) count(m, seq, pass);
    store_end(m->store);
    return status;
}
