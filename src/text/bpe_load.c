#include "base/mem.h"
#include "text/bpe_tables.h"

#include <stdio.h>

/* ---- vocabulary */

struct vocab_size {
    size_t bytes;
    uint32_t ids; /* greatest id + 1 */
};

static enum lr_status measure_vocab(struct json vocab, struct vocab_size *out, struct lr_error *err) {
    *out = (struct vocab_size){0};
    for (struct json v = json_first(vocab); json_kind(v); v = json_next(v)) {
        uint64_t id;
        struct lr_str piece = json_key(v), shown = lr_str_cut(piece, 60);
        if (!json_u64(v, &id) || id > VOCAB_MAX_ID)
            return lr_fail(err, LR_EMODEL, "%s: vocab: the id of '%.*s' must be a whole number up to %u",
                           json_name(vocab.doc), LR_STR_ARGS(shown), VOCAB_MAX_ID);
        if (id >= out->ids) out->ids = (uint32_t)id + 1;
        out->bytes += piece.len;
    }
    return LR_OK;
}

static enum lr_status load_vocab(struct json vocab, struct vocab *out, struct lr_error *err) {
    const char *name = json_name(vocab.doc);
    struct vocab_size size;
    if (json_kind(vocab) != JSON_OBJECT || json_count(vocab) == 0)
        return json_fail(vocab, "vocab", "an object that is not empty", err);
    LR_TRY(measure_vocab(vocab, &size, err));
    LR_TRY(vocab_init(out, json_count(vocab), size.bytes, size.ids, name, "vocab", err));
    for (struct json v = json_first(vocab); json_kind(v); v = json_next(v)) {
        uint64_t id = 0;
        struct lr_str piece = json_key(v), shown = lr_str_cut(piece, 60);
        json_u64(v, &id);
        if (vocab_add(out, (uint32_t)id, piece) != VOCAB_OK)
            return lr_fail(err, LR_EMODEL, "%s: vocab: '%.*s' has the id %u, which another piece has", name,
                           LR_STR_ARGS(shown), (uint32_t)id);
    }
    return LR_OK;
}

/* ---- merges */

/* A merge that was read: `left` and `right` become left + right without its continuing prefix. */
struct merge_text {
    struct lr_str left, right;
    size_t joined, joined_len; /* in merge_reader.joined */
    uint64_t asked[3];         /* of vocab_ask: left, right, joined */
};

/* Merges are resolved in batches, so that the look-ups of many wait for memory together. */
#define BATCH 32
struct merge_reader {
    struct bpe *b;
    const char *name;
    uint32_t rank; /* of the first in the batch */
    uint32_t count;
    struct merge_text batch[BATCH];
    struct lr_buf joined;
};

static enum lr_status find_piece(const struct merge_reader *r, uint32_t i, uint64_t asked,
                                 struct lr_str piece, uint32_t *id, struct lr_error *err) {
    *id = vocab_answer(&r->b->vocab, asked, piece);
    if (*id != VOCAB_NONE) return LR_OK;
    struct lr_str shown = lr_str_cut(piece, 100);
    return lr_fail(err, LR_EMODEL,
                   "%s: merges: number %u needs the piece '%.*s', which is not in the vocabulary", r->name,
                   r->rank + i, LR_STR_ARGS(shown));
}

/* Puts the batch into the table. A pair that comes twice has its later rank. */
static enum lr_status flush_merges(struct merge_reader *r, struct lr_error *err) {
    struct bpe_merge found[BATCH];
    for (uint32_t i = 0; i < r->count; i++) {
        const struct merge_text *m = &r->batch[i];
        uint32_t left, right, id;
        struct lr_str joined = {r->joined.data + m->joined, m->joined_len};
        LR_TRY(find_piece(r, i, m->asked[0], m->left, &left, err));
        LR_TRY(find_piece(r, i, m->asked[1], m->right, &right, err));
        LR_TRY(find_piece(r, i, m->asked[2], joined, &id, err));
        found[i] = (struct bpe_merge){bpe_pair(left, right), r->rank + i, id};
        __builtin_prefetch(&r->b->merges[bpe_merge_place(r->b, found[i].pair)]);
    }
    for (uint32_t i = 0; i < r->count; i++) *bpe_merge_slot(r->b, found[i].pair) = found[i];
    r->rank += r->count;
    r->count = 0;
    r->joined.len = 0;
    return LR_OK;
}

static enum lr_status add_merge(struct merge_reader *r, struct lr_str left, struct lr_str right,
                                struct lr_error *err) {
    size_t begin = r->joined.len;
    if (lr_buf_append_str(&r->joined, left) ||
        lr_buf_append_str(&r->joined, lr_str_from(right, r->b->prefix.len)))
        return lr_fail_memory(err, "merges", left.len + right.len);
    struct lr_str joined = {r->joined.data + begin, r->joined.len - begin};
    const struct vocab *v = &r->b->vocab;
    r->batch[r->count++] = (struct merge_text){
        left, right, begin, joined.len, {vocab_ask(v, left), vocab_ask(v, right), vocab_ask(v, joined)}};
    return r->count == BATCH ? flush_merges(r, err) : LR_OK;
}

/* What is left in the batch, unless reading failed. */
static enum lr_status end_merges(struct merge_reader *r, enum lr_status status, struct lr_error *err) {
    if (status == LR_OK) status = flush_merges(r, err);
    lr_buf_free(&r->joined);
    return status;
}

static enum lr_status init_merges(struct bpe *b, size_t count, struct lr_error *err) {
    uint64_t slots = 16;
    while (slots < 2 * (uint64_t)count - count / 4) slots *= 2;
    b->merges = lr_calloc(slots, sizeof *b->merges);
    if (!b->merges) return lr_fail_memory(err, "merges", slots * sizeof *b->merges);
    memset(b->merges, 0xFF, slots * sizeof *b->merges);
    b->merge_mask = slots - 1;
    b->merge_seed = (uintptr_t)b->merges; /* as vocab.c has it */
    return LR_OK;
}

/* "left right"; lines that begin with #version are none. */
static enum lr_status add_merge_line(struct merge_reader *r, struct lr_str line, struct lr_error *err) {
    if (lr_str_starts(line, LR_STR("#version"))) return LR_OK;
    const char *blank = line.len ? memchr(line.data, ' ', line.len) : NULL;
    size_t at = blank ? (size_t)(blank - line.data) : line.len;
    struct lr_str left = {line.data, at}, right = lr_str_from(line, at + 1), shown = lr_str_cut(line, 100);
    if (!blank || (right.len && memchr(right.data, ' ', right.len)))
        return lr_fail(err, LR_EMODEL, "%s: merges: number %u is '%.*s', not two pieces with a blank between",
                       r->name, r->rank + r->count, LR_STR_ARGS(shown));
    return add_merge(r, left, right, err);
}

static enum lr_status add_merge_json(struct merge_reader *r, struct json v, struct lr_error *err) {
    struct lr_str left, right;
    if (json_str(v, &left)) return add_merge_line(r, left, err);
    if (json_count(v) != 2 || !json_str(json_at(v, 0), &left) || !json_str(json_at(v, 1), &right)) {
        char which[32];
        snprintf(which, sizeof which, "merges[%u]", r->rank + r->count);
        return json_fail(v, which, "a text or a pair of texts", err);
    }
    return add_merge(r, left, right, err);
}

static enum lr_status load_merges_json(struct bpe *b, struct json merges, struct lr_error *err) {
    if (json_kind(merges) != JSON_ARRAY) return json_fail(merges, "merges", "a list", err);
    LR_TRY(init_merges(b, json_count(merges), err));
    struct merge_reader r = {.b = b, .name = json_name(merges.doc)};
    enum lr_status status = LR_OK;
    for (struct json v = json_first(merges); json_kind(v) && status == LR_OK; v = json_next(v))
        status = add_merge_json(&r, v, err);
    return end_merges(&r, status, err);
}

/* Cuts the first line off `text`; its end may be \r\n. */
static struct lr_str take_line(struct lr_str *text) {
    const char *end = memchr(text->data, '\n', text->len);
    struct lr_str line = {text->data, end ? (size_t)(end - text->data) : text->len};
    *text = lr_str_from(*text, line.len + 1);
    if (line.len && line.data[line.len - 1] == '\r') line.len--;
    return line;
}

static enum lr_status load_merges_text(struct bpe *b, struct lr_str text, const char *name,
                                       struct lr_error *err) {
    size_t lines = 1;
    for (size_t i = 0; i < text.len; i++) lines += text.data[i] == '\n';
    LR_TRY(init_merges(b, lines, err));
    struct merge_reader r = {.b = b, .name = name};
    enum lr_status status = LR_OK;
    while (text.len && status == LR_OK) {
        struct lr_str line = take_line(&text);
        if (line.len) status = add_merge_line(&r, line, err);
    }
    return end_merges(&r, status, err);
}

/* ---- the rest */

static void fill_tables(struct bpe *b) {
    char text[8];
    for (unsigned i = 0; i < 256; i++) {
        snprintf(text, sizeof text, "<0x%02X>", i);
        b->byte_ids[i] = vocab_find(&b->vocab, lr_str_of(text));
    }
    for (unsigned c = 0; c < BPE_DIRECT; c++) {
        char wide[2] = {(char)(0xC0 | c >> 6), (char)(0x80 | (c & 0x3F))}, narrow = (char)c;
        b->direct[c] =
            vocab_find(&b->vocab, c < 0x80 ? (struct lr_str){&narrow, 1} : (struct lr_str){wide, 2});
    }
    b->unk_id = b->has_unk ? vocab_find(&b->vocab, lr_buf_str(&b->unk)) : VOCAB_NONE;
}

static enum lr_status read_affix(struct json spec, const char *key, struct lr_buf *out, bool *present,
                                 struct lr_error *err) {
    struct lr_str text = {0};
    LR_TRY(json_read_str(spec, key, &text, err));
    *present = text.data != NULL;
    if (lr_buf_append(out, text.len ? text.data : "", text.len)) return lr_fail_memory(err, key, text.len);
    return LR_OK;
}

static enum lr_status read_options(struct bpe *b, struct json spec, struct lr_error *err) {
    double dropout = 0;
    bool present;
    LR_TRY(json_read_double(spec, "dropout", 0, 1, &dropout, err));
    if (dropout > 0)
        return lr_fail(err, LR_EMODEL,
                       "%s: dropout is %g: ids drawn at random are for training; set it to null",
                       json_name(spec.doc), dropout);
    LR_TRY(json_read_bool(spec, "fuse_unk", &b->fuse_unk, err));
    LR_TRY(json_read_bool(spec, "byte_fallback", &b->byte_fallback, err));
    LR_TRY(json_read_bool(spec, "ignore_merges", &b->ignore_merges, err));
    LR_TRY(read_affix(spec, "continuing_subword_prefix", &b->prefix, &present, err));
    LR_TRY(read_affix(spec, "end_of_word_suffix", &b->suffix, &present, err));
    return read_affix(spec, "unk_token", &b->unk, &b->has_unk, err);
}

/* An empty model whose messages name the document; NULL when memory is refused. */
static struct bpe *make_bpe(struct json_doc const *doc, struct lr_error *err) {
    struct bpe *b = lr_calloc(1, sizeof *b);
    if (b && lr_buf_append_str(&b->name_text, lr_str_of(json_name(doc))) == 0) {
        b->name = b->name_text.data;
        return b;
    }
    bpe_free(b);
    lr_fail_memory(err, "the tokenizer", sizeof *b);
    return NULL;
}

static enum lr_status finish(struct bpe *b, enum lr_status status, struct bpe **out) {
    if (status != LR_OK) {
        bpe_free(b);
        return status;
    }
    fill_tables(b);
    *out = b;
    return LR_OK;
}

enum lr_status bpe_parse(struct json spec, struct bpe **out, struct lr_error *err) {
    struct bpe *b = make_bpe(spec.doc, err);
    *out = NULL;
    if (!b) return LR_EMEMORY;
    enum lr_status status = read_options(b, spec, err);
    if (status == LR_OK) status = load_vocab(json_get(spec, "vocab"), &b->vocab, err);
    if (status == LR_OK) status = load_merges_json(b, json_get(spec, "merges"), err);
    return finish(b, status, out);
}

enum lr_status bpe_parse_files(struct json vocab, struct lr_str merges, const char *name, struct bpe **out,
                               struct lr_error *err) {
    struct bpe *b = make_bpe(vocab.doc, err);
    *out = NULL;
    if (!b) return LR_EMEMORY;
    enum lr_status status = load_vocab(vocab, &b->vocab, err);
    if (status == LR_OK) status = load_merges_text(b, merges, name, err);
    return finish(b, status, out);
}

struct bpe_image bpe_image(const struct bpe *b) {
    return (struct bpe_image){b->vocab, b->merges, b->merge_mask, b->merge_seed};
}

/* Whether a search among the merges ends, and what it finds are ids. */
static bool merges_hold(const struct bpe *b) {
    uint64_t wrong = 0, free_slots = 0;
    if (b->merge_mask & (b->merge_mask + 1)) return false;
    for (uint64_t i = 0; i <= b->merge_mask; i++) {
        bool none = b->merges[i].pair == BPE_NO_PAIR;
        free_slots += none;
        wrong += !none && b->merges[i].id >= b->vocab.size;
    }
    return !wrong && free_slots;
}

enum lr_status bpe_borrow(struct json spec, const struct bpe_image *image, struct bpe **out,
                          struct lr_error *err) {
    struct bpe *b = make_bpe(spec.doc, err);
    *out = NULL;
    if (!b) return LR_EMEMORY;
    b->vocab = image->vocab;
    b->merges = image->merges;
    b->merge_mask = image->merge_mask;
    b->merge_seed = image->merge_seed;
    bool sound = vocab_borrow(&b->vocab) && merges_hold(b);
    enum lr_status status = sound ? read_options(b, spec, err)
                                  : lr_fail(err, LR_EMODEL, "%s: compiled tables are damaged", b->name);
    return finish(b, status, out);
}

void bpe_free(struct bpe *b) {
    if (!b) return;
    if (!b->vocab.borrowed) lr_free(b->merges);
    vocab_free(&b->vocab);
    lr_buf_free(&b->prefix);
    lr_buf_free(&b->suffix);
    lr_buf_free(&b->unk);
    lr_buf_free(&b->name_text);
    lr_free(b);
}

const struct vocab *bpe_vocab(const struct bpe *b) {
    return &b->vocab;
}

size_t bpe_memory(const struct bpe *b) {
    size_t merges = b->vocab.borrowed ? 0 : (b->merge_mask + 1) * sizeof *b->merges;
    return sizeof *b + vocab_memory(&b->vocab) + merges;
}
