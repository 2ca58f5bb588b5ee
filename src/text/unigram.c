#include "text/unigram.h"

#include "base/mem.h"
#include "text/interrupt.h"
#include "text/unicode.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define UNKNOWN_PENALTY 10.0
#define MAX_PIECES      (1u << 24)
#define NO_ID           UINT32_MAX

/* Pieces are searched in an array sorted by bytes, narrowed byte by byte: no trie to build, and a search goes
 * no deeper than the longest piece. */
struct entry {
    struct lr_str text; /* in the pool */
    double score;
    uint32_t id;
};

struct unigram {
    char *name; /* of the file, for messages */
    struct lr_buf pool;
    struct entry *sorted; /* [count] */
    double *scores;       /* [count] by id */
    uint32_t count, unknown;
    double unknown_score;
    bool byte_fallback;
    uint32_t bytes[256]; /* ids of <0x00> to <0xFF> */
    uint32_t first[257]; /* entries that begin with byte b: first[b]..first[b + 1] */
};

static int by_text(const void *a, const void *b) {
    const struct entry *x = a, *y = b;
    int c = lr_str_cmp(x->text, y->text);
    return c ? c : (x->id > y->id) - (x->id < y->id);
}

/* ---- parsing --------------------------------------------------------------------------------------------------- */

static enum lr_status bad(struct json spec, uint32_t i, const char *what, struct lr_error *err) {
    return lr_fail(err, LR_EMODEL, "%s: model Unigram: vocab[%u] %s", json_name(spec.doc), i, what);
}

static enum lr_status read_pieces(struct json spec, struct json vocab, struct unigram *u,
                                  struct lr_error *err) {
    uint32_t i = 0;
    double least = INFINITY;
    for (struct json v = json_first(vocab); json_kind(v); v = json_next(v), i++) {
        struct lr_str text;
        double score;
        if (!json_str(json_at(v, 0), &text)) return bad(spec, i, "does not begin with a text", err);
        if (!json_double(json_at(v, 1), &score)) return bad(spec, i, "has no number as its score", err);
        /* the pool may still move: an offset stands in for the pointer until it is whole */
        u->sorted[i] = (struct entry){{NULL, text.len}, score, i};
        u->scores[i] = score;
        least = score < least ? score : least;
        if (lr_buf_append_str(&u->pool, text)) return lr_fail_memory(err, "the vocabulary", text.len);
    }
    u->unknown_score = least - UNKNOWN_PENALTY;
    return LR_OK;
}

/* Where a later piece has the same text as an earlier one, the later id counts, as in the reference's map. */
static void index_pieces(struct unigram *u) {
    size_t at = 0;
    for (uint32_t i = 0; i < u->count; i++) {
        u->sorted[i].text.data = u->pool.data + at;
        at += u->sorted[i].text.len;
    }
    qsort(u->sorted, u->count, sizeof *u->sorted, by_text);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < u->count; i++) {
        bool again = kept && lr_str_eq(u->sorted[kept - 1].text, u->sorted[i].text);
        if (u->sorted[i].text.len) u->sorted[again ? kept - 1 : kept++] = u->sorted[i];
    }
    u->count = kept;
    for (uint32_t b = 0, i = 0; b <= 256; b++) {
        while (i < kept && (unsigned char)u->sorted[i].text.data[0] < b) i++;
        u->first[b] = i;
    }
}

/* The entries in [*low, *high) that have `c` at byte `depth`; all share the bytes before it. */
static void narrow(const struct unigram *u, size_t depth, unsigned char c, uint32_t *low, uint32_t *high) {
    for (int side = 0; side < 2; side++) {
        uint32_t a = *low, b = *high;
        while (a < b) {
            uint32_t m = a + (b - a) / 2;
            struct lr_str t = u->sorted[m].text;
            int at = t.len > depth ? (unsigned char)t.data[depth] : -1;
            if (side ? at <= c : at < c)
                a = m + 1;
            else
                b = m;
        }
        *(side ? high : low) = a;
    }
}

static uint32_t find_exact(const struct unigram *u, struct lr_str text) {
    struct entry key = {.text = text};
    uint32_t low = 0, high = u->count;
    while (low < high) {
        uint32_t m = low + (high - low) / 2;
        int c = lr_str_cmp(u->sorted[m].text, key.text);
        if (!c) return u->sorted[m].id;
        if (c < 0)
            low = m + 1;
        else
            high = m;
    }
    return NO_ID;
}

static enum lr_status read_settings(struct json spec, struct unigram *u, struct lr_error *err) {
    u->unknown = NO_ID;
    LR_TRY(json_read_u32(spec, "unk_id", 0, (uint32_t)json_count(json_get(spec, "vocab")) - 1, &u->unknown,
                         err));
    LR_TRY(json_read_bool(spec, "byte_fallback", &u->byte_fallback, err));
    for (int b = 0; b < 256; b++) {
        char name[8];
        snprintf(name, sizeof name, "<0x%02X>", b);
        u->bytes[b] = find_exact(u, lr_str_of(name));
    }
    return LR_OK;
}

static enum lr_status parse(struct json spec, struct unigram *u, struct lr_error *err) {
    struct json vocab = json_get(spec, "vocab");
    size_t n = json_kind(vocab) == JSON_ARRAY ? json_count(vocab) : 0;
    if (n == 0 || n > MAX_PIECES)
        return lr_fail(err, LR_EMODEL, "%s: model Unigram: 'vocab' must be a list of 1 to %u pieces",
                       json_name(spec.doc), MAX_PIECES);
    u->count = (uint32_t)n;
    u->name = lr_str_dup(lr_str_of(json_name(spec.doc)));
    if (!u->name) return lr_fail_memory(err, "the tokenizer", strlen(json_name(spec.doc)) + 1);
    u->sorted = lr_calloc(n, sizeof *u->sorted);
    u->scores = lr_calloc(n, sizeof *u->scores);
    if (!u->sorted || !u->scores) return lr_fail_memory(err, "the vocabulary", n * sizeof *u->sorted);
    LR_TRY(read_pieces(spec, vocab, u, err));
    index_pieces(u);
    return read_settings(spec, u, err);
}

enum lr_status unigram_parse(struct json spec, struct unigram **out, struct lr_error *err) {
    *out = NULL;
    struct unigram *u = lr_calloc(1, sizeof *u);
    if (!u) return lr_fail_memory(err, "a Unigram model", sizeof *u);
    enum lr_status status = parse(spec, u, err);
    if (status != LR_OK)
        unigram_free(u);
    else
        *out = u;
    return status;
}

void unigram_free(struct unigram *u) {
    if (!u) return;
    lr_free(u->name);
    lr_buf_free(&u->pool);
    lr_free(u->sorted);
    lr_free(u->scores);
    lr_free(u);
}

size_t unigram_memory(const struct unigram *u) {
    return sizeof *u + u->pool.cap + (size_t)u->count * (sizeof *u->sorted + sizeof *u->scores);
}

/* ---- encoding -------------------------------------------------------------------------------------------------- */

/* The best way to reach a byte of the piece: its score, where its last part begins, and that part's id. */
struct node {
    double score;
    size_t begin;
    uint32_t id;
    bool reached;
};

static void reach(struct node *n, size_t begin, uint32_t id, double score) {
    if (n->reached && score <= n->score) return;
    *n = (struct node){score, begin, id, true};
}

/* All parts that begin at `at`; an unknown character where none is exactly one character long. */
static enum lr_status extend(const struct unigram *u, struct lr_str piece, size_t at, size_t next,
                             struct node *nodes, struct lr_error *err) {
    unsigned char c = (unsigned char)piece.data[at];
    uint32_t low = u->first[c], high = u->first[c + 1];
    bool single = false;
    for (size_t depth = 1; low < high; depth++) {
        const struct entry *e = &u->sorted[low];
        if (e->text.len == depth) {
            reach(&nodes[at + depth], at, e->id, nodes[at].score + u->scores[e->id]);
            single = single || at + depth == next;
        }
        if (at + depth == piece.len) break;
        narrow(u, depth, (unsigned char)piece.data[at + depth], &low, &high);
    }
    if (single) return LR_OK;
    if (u->unknown == NO_ID)
        return lr_fail(err, LR_EMODEL,
                       "%s: the Unigram model has no piece for '%.*s' and no unknown token (unk_id)", u->name,
                       (int)(next - at), piece.data + at);
    reach(&nodes[next], at, u->unknown, nodes[at].score + u->unknown_score);
    return LR_OK;
}

/* A part's ids: itself, its bytes, or the unknown token. */
static int push_part(const struct unigram *u, struct lr_str part, struct token_list *out) {
    uint32_t id = find_exact(u, part);
    if (id != NO_ID) return token_list_push(out, id);
    bool bytes = u->byte_fallback;
    for (size_t i = 0; i < part.len && bytes; i++) bytes = u->bytes[(unsigned char)part.data[i]] != NO_ID;
    if (!bytes) return token_list_push(out, u->unknown);
    for (size_t i = 0; i < part.len; i++)
        if (token_list_push(out, u->bytes[(unsigned char)part.data[i]])) return -1;
    return 0;
}

/* Walks back over the best path, leaving in nodes[begin].begin where the part that begins there ends; unknown
 * neighbours become one part. */
static void turn_around(const struct unigram *u, struct node *nodes, size_t len) {
    for (size_t end = len; end > 0;) {
        size_t begin = nodes[end].begin;
        while (nodes[end].id == u->unknown && begin > 0 && nodes[begin].id == u->unknown)
            begin = nodes[begin].begin;
        nodes[begin].score = (double)end; /* exact: far below 2^53 */
        end = begin;
    }
}

static enum lr_status encode(const struct unigram *u, struct lr_str piece, struct node *nodes,
                             struct token_list *out, struct lr_error *err) {
    nodes[0] = (struct node){.reached = true, .id = NO_ID};
    for (size_t at = 0; at < piece.len;) {
        size_t next = at;
        LR_TRY(interrupt_check(out->interrupt, err));
        unicode_next(piece, &next);
        LR_TRY(extend(u, piece, at, next, nodes, err));
        at = next;
    }
    turn_around(u, nodes, piece.len);
    for (size_t at = 0; at < piece.len;) {
        size_t end = (size_t)nodes[at].score;
        if (push_part(u, (struct lr_str){piece.data + at, end - at}, out))
            return lr_fail_memory(err, "ids", sizeof(uint32_t));
        at = end;
    }
    return LR_OK;
}

enum lr_status unigram_encode(const struct unigram *u, struct lr_str piece, struct token_list *out,
                              struct lr_error *err) {
    if (!piece.len) return LR_OK;
    struct node *nodes = lr_calloc(piece.len + 1, sizeof *nodes);
    if (!nodes) return lr_fail_memory(err, "the paths through a piece", (piece.len + 1) * sizeof *nodes);
    enum lr_status status = encode(u, piece, nodes, out, err);
    lr_free(nodes);
    return status;
}
