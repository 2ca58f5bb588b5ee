/* bpe_tables.h - what bpe_load.c builds and bpe.c reads; nobody else includes it. */
#ifndef LR_TEXT_BPE_TABLES_H
#define LR_TEXT_BPE_TABLES_H

#include "text/bpe.h"

/* Characters below this have their ids in a table (the byte alphabet ends at U+0143). */
#define BPE_DIRECT 0x180u

/* A slot of the merge table: the pair left << 32 | right (BPE_NO_PAIR: free) becomes `id`. */
#define BPE_NO_PAIR UINT64_MAX
struct bpe_merge {
    uint64_t pair;
    uint32_t rank, id;
};

_Static_assert(sizeof(struct bpe_merge) == BPE_MERGE_BYTES, "compiled.c counts merges by their bytes");

struct bpe {
    struct vocab vocab;
    struct bpe_merge *merges; /* [merge_mask + 1] */
    uint64_t merge_mask, merge_seed;
    struct lr_buf prefix, suffix, unk; /* continuing_subword_prefix, end_of_word_suffix, unk_token's text */
    uint32_t unk_id;                   /* VOCAB_NONE: unk_token is not in the vocabulary */
    bool has_unk, fuse_unk, byte_fallback, ignore_merges;
    uint32_t byte_ids[256];      /* of <0x00> ... <0xFF>, or VOCAB_NONE */
    uint32_t direct[BPE_DIRECT]; /* ids of single characters, or VOCAB_NONE */
    const char *name;            /* of the vocabulary's file; in name_text */
    struct lr_buf name_text;
};

static inline uint64_t bpe_pair(uint32_t left, uint32_t right) {
    return (uint64_t)left << 32 | right;
}

/* Where the search for a pair begins. */
static inline uint64_t bpe_merge_place(const struct bpe *b, uint64_t pair) {
    uint64_t h = (pair ^ b->merge_seed) * UINT64_C(0x9E3779B97F4A7C15);
    h = (h ^ h >> 32) * UINT64_C(0xD6E8FEB86659FD93);
    return (h ^ h >> 32) & b->merge_mask;
}

/* The pair's slot, or the free one where it would stand. */
static inline struct bpe_merge *bpe_merge_slot(const struct bpe *b, uint64_t pair) {
    uint64_t i = bpe_merge_place(b, pair);
    while (b->merges[i].pair != pair && b->merges[i].pair != BPE_NO_PAIR) i = (i + 1) & b->merge_mask;
    return &b->merges[i];
}

#endif
