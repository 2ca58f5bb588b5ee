#include "text/bpe.h"

#include "base/mem.h"
#include "text/bpe_tables.h"
#include "text/interrupt.h"
#include "text/utf8.h"

#include <xxhash.h>

#define END UINT32_MAX

/* Part of a piece, in a list linked by index; one that was merged into its left neighbour has id VOCAB_NONE.
 */
struct bpe_symbol {
    uint32_t id, prev, next;
};
/* A merge that may be done: rank << 32 | index of its left symbol, and what it gives. */
struct bpe_candidate {
    uint64_t order;
    uint32_t id;
};
/* A word met before: where it and its ids stand in the scratch. hash 0: free. */
struct bpe_word {
    uint64_t hash;
    uint32_t text, text_len, ids, id_count;
};

/* ---- words met before: one slot for a hash, the later word stays */

#define WORD_LONGEST 256u
#define WORDS_MOST   (UINT64_C(1) << 15)
#define WORD_TEXT    (UINT32_C(4) << 20)

static enum lr_status init_words(struct bpe_scratch *s, struct lr_error *err) {
    uint64_t n = 64;
    while (n < WORDS_MOST && n < s->text_len / 4) n *= 2;
    s->words = lr_calloc(n, sizeof *s->words);
    if (!s->words) return lr_fail_memory(err, "the word table", n * sizeof *s->words);
    s->word_mask = n - 1;
    return LR_OK;
}

static uint64_t hash_word(const struct bpe_scratch *s, struct lr_str piece) {
    return XXH3_64bits_withSeed(piece.data, piece.len, (uintptr_t)s->words) | 1;
}

static const struct bpe_word *find_word(const struct bpe_scratch *s, uint64_t hash, struct lr_str piece) {
    const struct bpe_word *w = &s->words[(hash >> 1) & s->word_mask];
    if (w->hash != hash || w->text_len != piece.len) return NULL;
    return memcmp(s->word_text.data + w->text, piece.data, piece.len) == 0 ? w : NULL;
}

static int push_ids(struct token_list *out, const uint32_t *ids, size_t n) {
    if (lr_grow(&out->ids, &out->cap, out->count + n, sizeof *out->ids)) return -1;
    memcpy(out->ids + out->count, ids, n * sizeof *ids);
    out->count += n;
    return 0;
}

static int keep_word(struct bpe_scratch *s, uint64_t hash, struct lr_str piece, const uint32_t *ids,
                     size_t n) {
    if (s->word_text.len > WORD_TEXT) {
        memset(s->words, 0, (s->word_mask + 1) * sizeof *s->words);
        s->word_text.len = s->word_ids.count = 0;
    }
    struct bpe_word w = {hash, (uint32_t)s->word_text.len, (uint32_t)piece.len, (uint32_t)s->word_ids.count,
                         (uint32_t)n};
    if (lr_buf_append_str(&s->word_text, piece) || push_ids(&s->word_ids, ids, n)) return -1;
    s->words[(hash >> 1) & s->word_mask] = w;
    return 0;
}

void bpe_scratch_free(struct bpe_scratch *s) {
    lr_free(s->symbols);
    lr_free(s->heap);
    lr_free(s->words);
    lr_buf_free(&s->word_text);
    token_list_free(&s->word_ids);
    *s = (struct bpe_scratch){0};
}

/* ---- characters to symbols */

static int push_symbol(struct bpe_scratch *s, uint32_t id) {
    if (s->symbol_count == s->symbol_cap &&
        lr_grow(&s->symbols, &s->symbol_cap, s->symbol_count + 1, sizeof *s->symbols))
        return -1;
    uint32_t i = (uint32_t)s->symbol_count++;
    s->symbols[i] = (struct bpe_symbol){id, i - 1, i + 1};
    return 0;
}

/* The bytes of a character that is not in the vocabulary; false when one of them has no piece. */
static bool has_bytes(const struct bpe *b, struct lr_str c) {
    for (size_t i = 0; i < c.len; i++)
        if (b->byte_ids[(uint8_t)c.data[i]] == VOCAB_NONE) return false;
    return true;
}

static enum lr_status fail_unk(const struct bpe *b, struct lr_error *err) {
    struct lr_str shown = lr_str_cut(lr_buf_str(&b->unk), 60);
    return lr_fail(err, LR_EMODEL, "%s: unk_token '%.*s' is needed and is not in the vocabulary", b->name,
                   LR_STR_ARGS(shown));
}

/* One character, its affixes on it. The unknown ones stand in *pending until the next known one (bytes do not
 * count as that, as in the package), so that a row of them can be fused. */
static enum lr_status add_char(const struct bpe *b, struct bpe_scratch *s, struct lr_str c, bool *pending,
                               struct lr_error *err) {
    int rc = 0;
    uint32_t code = 0;
    size_t len = 0;
    if (c.len <= 2) code = utf8_read(c, &len);
    uint32_t id = len == c.len && code < BPE_DIRECT ? b->direct[code] : vocab_find(&b->vocab, c);
    if (id != VOCAB_NONE) {
        if (*pending) rc = push_symbol(s, b->unk_id);
        *pending = false;
        rc = rc || push_symbol(s, id);
    } else if (b->byte_fallback && has_bytes(b, c)) {
        for (size_t i = 0; i < c.len && !rc; i++) rc = push_symbol(s, b->byte_ids[(uint8_t)c.data[i]]);
    } else if (b->has_unk) {
        if (b->unk_id == VOCAB_NONE) return fail_unk(b, err);
        if (*pending && !b->fuse_unk) rc = push_symbol(s, b->unk_id);
        *pending = true;
    }
    return rc ? lr_fail_memory(err, "the symbols of a piece", s->symbol_cap * sizeof *s->symbols) : LR_OK;
}

/* A character with continuing_subword_prefix before it and end_of_word_suffix behind it where they belong. */
static enum lr_status add_affixed(const struct bpe *b, struct bpe_scratch *s, struct lr_str c, bool first,
                                  bool last, bool *pending, struct lr_error *err) {
    struct lr_buf whole = {0};
    struct lr_str prefix = first ? LR_STR("") : lr_buf_str(&b->prefix);
    struct lr_str suffix = last ? lr_buf_str(&b->suffix) : LR_STR("");
    enum lr_status status;
    if (lr_buf_append_str(&whole, prefix) || lr_buf_append_str(&whole, c) ||
        lr_buf_append_str(&whole, suffix))
        status = lr_fail_memory(err, "a character", c.len);
    else
        status = add_char(b, s, lr_buf_str(&whole), pending, err);
    lr_buf_free(&whole);
    return status;
}

static enum lr_status make_symbols(const struct bpe *b, struct bpe_scratch *s, struct lr_str piece,
                                   const volatile int *interrupt, struct lr_error *err) {
    bool pending = false, affixes = b->prefix.len || b->suffix.len;
    s->symbol_count = 0;
    for (size_t at = 0, len; at < piece.len; at += len) {
        LR_TRY(interrupt_check(interrupt, err));
        utf8_read(lr_str_from(piece, at), &len);
        struct lr_str c = {piece.data + at, len};
        LR_TRY(affixes ? add_affixed(b, s, c, at == 0, at + len == piece.len, &pending, err)
                       : add_char(b, s, c, &pending, err));
    }
    if (pending && push_symbol(s, b->unk_id))
        return lr_fail_memory(err, "the symbols of a piece", s->symbol_cap * sizeof *s->symbols);
    if (s->symbol_count) s->symbols[s->symbol_count - 1].next = END;
    return LR_OK;
}

/* ---- merging: a heap of candidates, the least order on top */

static void sift_up(struct bpe_candidate *heap, size_t i, struct bpe_candidate c) {
    for (; i > 0 && c.order < heap[(i - 1) / 2].order; i = (i - 1) / 2) heap[i] = heap[(i - 1) / 2];
    heap[i] = c;
}

static struct bpe_candidate pop(struct bpe_scratch *s) {
    struct bpe_candidate top = s->heap[0], last = s->heap[--s->heap_count];
    size_t i = 0, child;
    for (; (child = 2 * i + 1) < s->heap_count; i = child) {
        if (child + 1 < s->heap_count && s->heap[child + 1].order < s->heap[child].order) child++;
        if (last.order <= s->heap[child].order) break;
        s->heap[i] = s->heap[child];
    }
    s->heap[i] = last;
    return top;
}

/* Puts the merge of symbol `left` with the next one on the heap, where there is one. */
static enum lr_status consider(const struct bpe *b, struct bpe_scratch *s, uint32_t left,
                               struct lr_error *err) {
    if (left == END || s->symbols[left].next == END) return LR_OK;
    uint64_t pair = bpe_pair(s->symbols[left].id, s->symbols[s->symbols[left].next].id);
    const struct bpe_merge *m = bpe_merge_slot(b, pair);
    if (m->pair == BPE_NO_PAIR) return LR_OK;
    if (lr_grow(&s->heap, &s->heap_cap, s->heap_count + 1, sizeof *s->heap))
        return lr_fail_memory(err, "the merges of a piece", s->heap_cap * sizeof *s->heap);
    sift_up(s->heap, s->heap_count++, (struct bpe_candidate){bpe_pair(m->rank, left), m->id});
    return LR_OK;
}

/* Whether the candidate's two symbols still give what it says. */
static bool still_stands(const struct bpe *b, const struct bpe_scratch *s, struct bpe_candidate c) {
    struct bpe_symbol left = s->symbols[(uint32_t)c.order];
    if (left.id == VOCAB_NONE || left.next == END) return false;
    const struct bpe_merge *m = bpe_merge_slot(b, bpe_pair(left.id, s->symbols[left.next].id));
    return m->pair != BPE_NO_PAIR && m->id == c.id;
}

static enum lr_status merge_symbols(const struct bpe *b, struct bpe_scratch *s, const volatile int *interrupt,
                                    struct lr_error *err) {
    s->heap_count = 0;
    for (uint32_t i = 0; i + 1 < s->symbol_count; i++) {
        LR_TRY(interrupt_check(interrupt, err));
        LR_TRY(consider(b, s, i, err));
    }
    while (s->heap_count) {
        LR_TRY(interrupt_check(interrupt, err));
        struct bpe_candidate c = pop(s);
        if (!still_stands(b, s, c)) continue;
        uint32_t at = (uint32_t)c.order;
        struct bpe_symbol *left = &s->symbols[at], *right = &s->symbols[left->next];
        left->id = c.id;
        left->next = right->next;
        right->id = VOCAB_NONE;
        if (left->next != END) s->symbols[left->next].prev = at;
        LR_TRY(consider(b, s, left->prev, err));
        LR_TRY(consider(b, s, at, err));
    }
    return LR_OK;
}

/* ---- pieces */

static enum lr_status merge_piece(const struct bpe *b, struct lr_str piece, struct bpe_scratch *s,
                                  struct token_list *out, struct lr_error *err) {
    LR_TRY(make_symbols(b, s, piece, out->interrupt, err));
    LR_TRY(merge_symbols(b, s, out->interrupt, err));
    if (!s->symbol_count) return LR_OK;
    for (uint32_t i = 0; i != END; i = s->symbols[i].next)
        if (token_list_push(out, s->symbols[i].id))
            return lr_fail_memory(err, "ids", out->cap * sizeof *out->ids);
    return LR_OK;
}

/* Longer pieces would need indexes of more than 32 bits (each byte can become a symbol, and each character
 * bring its affixes). */
static enum lr_status check_length(const struct bpe *b, struct lr_str piece, struct lr_error *err) {
    if (piece.len < (UINT64_C(1) << 31) / (1 + b->prefix.len + b->suffix.len)) return LR_OK;
    return lr_fail(err, LR_EUSAGE, "a piece of %s bytes without a place to split is too long to encode",
                   lr_commas(piece.len).text);
}

enum lr_status bpe_encode(const struct bpe *b, struct lr_str piece, struct bpe_scratch *s,
                          struct token_list *out, struct lr_error *err) {
    uint32_t id;
    if (!piece.len) return LR_OK;
    if (b->ignore_merges && (id = vocab_find(&b->vocab, piece)) != VOCAB_NONE)
        return token_list_push(out, id) ? lr_fail_memory(err, "ids", out->cap * sizeof id) : LR_OK;
    LR_TRY(check_length(b, piece, err));
    if (piece.len > WORD_LONGEST) return merge_piece(b, piece, s, out, err);
    if (!s->words) LR_TRY(init_words(s, err));
    uint64_t hash = hash_word(s, piece);
    const struct bpe_word *known = find_word(s, hash, piece);
    size_t before = out->count;
    int rc = 0;
    if (known) {
        if (known->id_count) rc = push_ids(out, s->word_ids.ids + known->ids, known->id_count);
    } else {
        LR_TRY(merge_piece(b, piece, s, out, err));
        if (out->count > before) rc = keep_word(s, hash, piece, out->ids + before, out->count - before);
    }
    return rc ? lr_fail_memory(err, "ids", (out->count + piece.len) * sizeof id) : LR_OK;
}
