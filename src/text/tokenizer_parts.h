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

/* From a document, which is closed; of a BPE model with the tables of `image`, unless it is NULL. `rest`, if
 * it is not NULL, becomes what tokenizer_compile() wants. */
enum lr_status tokenizer_load(struct json_doc *doc, const struct bpe_image *image, struct lr_buf *rest,
                              struct tokenizer **out, struct lr_error *err);

#endif
