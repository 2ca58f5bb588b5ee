/* bpe.h - byte-pair encoding (Sennrich et al. 2016) as the `tokenizers` package does it: the characters of a
 * piece, then again and again the merge of lowest rank, leftmost first. Read-only after parsing. */
#ifndef LR_TEXT_BPE_H
#define LR_TEXT_BPE_H

#include "format/json.h"
#include "text/tokenizer.h"
#include "text/vocab.h"

struct bpe;

/* `spec` is the value of "model" in tokenizer.json. */
enum lr_status bpe_parse(struct json spec, struct bpe **out, struct lr_error *err);
/* From vocab.json (its root) and the text of merges.txt; `name` is the latter's in messages. */
enum lr_status bpe_parse_files(struct json vocab, struct lr_str merges, const char *name, struct bpe **out,
                               struct lr_error *err);
/* The large tables of a model, as they lie in memory: compiled.c keeps them in a file. */
struct bpe_merge;
struct bpe_image {
    struct vocab vocab;
    struct bpe_merge *merges; /* [merge_mask + 1] */
    uint64_t merge_mask, merge_seed;
};
#define BPE_MERGE_BYTES 16u
struct bpe_image bpe_image(const struct bpe *b);
/* With the tables of an image, which stay its owner's and must outlive the model; `spec` is "model" without
 * "vocab" and "merges". LR_EMODEL where they are damaged: each is looked at whole. */
enum lr_status bpe_borrow(struct json spec, const struct bpe_image *image, struct bpe **out,
                          struct lr_error *err);
void bpe_free(struct bpe *b);
const struct vocab *bpe_vocab(const struct bpe *b);
size_t bpe_memory(const struct bpe *b);

/* What one call of tokenizer_encode carries from piece to piece: work space, and the ids of words met before.
 * Starts as {0} with `text_len` set to the length of the whole text, which sizes the word table. */
struct bpe_scratch {
    size_t text_len;
    struct bpe_symbol *symbols;
    struct bpe_candidate *heap;
    size_t symbol_count, symbol_cap, heap_count, heap_cap;
    struct bpe_word *words; /* [word_mask + 1] */
    uint64_t word_mask;
    struct lr_buf word_text;
    struct token_list word_ids;
};
void bpe_scratch_free(struct bpe_scratch *s);

/* Appends the ids of one piece (valid UTF-8) to `out`. O(n log n) in its length. */
enum lr_status bpe_encode(const struct bpe *b, struct lr_str piece, struct bpe_scratch *s,
                          struct token_list *out, struct lr_error *err);

#endif
