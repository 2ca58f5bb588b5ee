/* tokenizer_parts.h - what load.c puts together and tokenizer.c and encode.c use; nobody else includes it. */
#ifndef LR_TEXT_TOKENIZER_PARTS_H
#define LR_TEXT_TOKENIZER_PARTS_H

#include "text/added.h"
#include "text/bpe.h"
#include "text/decode.h"
#include "text/normalize.h"
#include "text/post.h"
#include "text/pretokenize.h"
#include "text/tokenizer.h"
#include "text/unigram.h"

struct tokenizer {
    struct normalizer *normalizer;     /* or NULL */
    struct pretokenizer *pretokenizer; /* or NULL */
    struct decoder *decoder;           /* or NULL */
    struct bpe *bpe;                   /* this or `unigram` */
    struct unigram *unigram;
    struct vocab pieces; /* of `unigram` */
    struct added added;
    struct post post;
};

/* The model's vocabulary. */
static inline const struct vocab *tokenizer_vocab(const struct tokenizer *t) {
    return t->bpe ? bpe_vocab(t->bpe) : &t->pieces;
}

#endif
