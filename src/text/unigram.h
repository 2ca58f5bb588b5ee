/* unigram.h - the Unigram model: the most probable segmentation of a piece (Kudo 2018), by Viterbi over a
 * trie. */
#ifndef LR_TEXT_UNIGRAM_H
#define LR_TEXT_UNIGRAM_H

#include "format/json.h"
#include "text/tokenizer.h"

struct unigram;

/* `spec` is the value of "model" in tokenizer.json. Its pieces get the ids 0..n-1 in file order. */
enum lr_status unigram_parse(struct json spec, struct unigram **out, struct lr_error *err);
void unigram_free(struct unigram *u);
/* Appends the ids of one piece (valid UTF-8) to `out`. Linear in its length. */
enum lr_status unigram_encode(const struct unigram *u, struct lr_str piece, struct token_list *out,
                              struct lr_error *err);
size_t unigram_memory(const struct unigram *u);

#endif
