#include "text/tokenizer.h"

#include "base/mem.h"
#include "text/internal.h"
#include "text/tokenizer_parts.h"

int token_list_push(struct token_list *l, uint32_t id) {
    if (l->count == l->cap && lr_grow(&l->ids, &l->cap, l->count + 1, sizeof *l->ids)) return -1;
    l->ids[l->count++] = id;
    return 0;
}

void token_list_free(struct token_list *l) {
    lr_free(l->ids);
    *l = (struct token_list){0};
}

void tokenizer_close(struct tokenizer *t) {
    if (!t) return;
    normalizer_free(t->normalizer);
    pretokenizer_free(t->pretokenizer);
    decoder_free(t->decoder);
    bpe_free(t->bpe);
    unigram_free(t->unigram);
    vocab_free(&t->pieces);
    added_free(&t->added);
    post_free(&t->post);
    lr_free(t);
}

uint32_t tokenizer_size(const struct tokenizer *t) {
    uint32_t size = tokenizer_vocab(t)->size;
    return t->added.size > size ? t->added.size : size;
}

struct lr_str tokenizer_piece(const struct tokenizer *t, uint32_t id) {
    struct lr_str content;
    return added_by_id(&t->added, id, &content) ? content : vocab_piece(tokenizer_vocab(t), id);
}

uint32_t tokenizer_find(const struct tokenizer *t, struct lr_str piece) {
    uint32_t id = added_find(&t->added, piece);
    return id != VOCAB_NONE ? id : vocab_find(tokenizer_vocab(t), piece);
}

bool tokenizer_is_special(const struct tokenizer *t, uint32_t id) {
    const struct added_token *token = added_by_id(&t->added, id, NULL);
    return token && token->special;
}

size_t tokenizer_memory(const struct tokenizer *t) {
    size_t model = t->bpe ? bpe_memory(t->bpe) : unigram_memory(t->unigram) + vocab_memory(&t->pieces);
    return sizeof *t + model + added_memory(&t->added);
}

const struct decoder *tokenizer_decoder(const struct tokenizer *t) {
    return t->decoder;
}

bool tokenizer_has(const struct tokenizer *t, uint32_t id) {
    return vocab_has(tokenizer_vocab(t), id) || added_by_id(&t->added, id, NULL);
}

enum lr_status tokenizer_decode(const struct tokenizer *t, const uint32_t *ids, size_t n, bool skip_special,
                                struct lr_buf *out, struct lr_error *err) {
    struct lr_str *pieces = lr_calloc(n + 1, sizeof *pieces);
    size_t count = 0;
    if (!pieces) return lr_fail_memory(err, "the pieces of a text", (n + 1) * sizeof *pieces);
    for (size_t i = 0; i < n; i++) {
        if (!tokenizer_has(t, ids[i]) || (skip_special && tokenizer_is_special(t, ids[i]))) continue;
        pieces[count++] = tokenizer_piece(t, ids[i]);
    }
    enum lr_status status = decoder_apply(t->decoder, pieces, count, out, err);
    lr_free(pieces);
    return status;
}
