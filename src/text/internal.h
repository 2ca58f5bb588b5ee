/* internal.h - what the parts of the tokenizer know of each other beyond tokenizer.h. */
#ifndef LR_TEXT_INTERNAL_H
#define LR_TEXT_INTERNAL_H

#include "text/decode.h"
#include "text/tokenizer.h"

/* The decoder; NULL where tokenizer.json has none. */
const struct decoder *tokenizer_decoder(const struct tokenizer *t);
/* Whether the id stands for a piece or an added token. */
bool tokenizer_has(const struct tokenizer *t, uint32_t id);

#endif
