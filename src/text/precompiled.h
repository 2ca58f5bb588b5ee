/* precompiled.h - SentencePiece's character map (`precompiled_charsmap`): a double-array trie from byte
 * sequences to replacements, applied grapheme by grapheme as the `tokenizers` package does it. */
#ifndef LR_TEXT_PRECOMPILED_H
#define LR_TEXT_PRECOMPILED_H

#include "base/error.h"
#include "base/str.h"

struct precompiled;

/* From base64 text; `file` stands in messages. */
enum lr_status precompiled_parse(struct lr_str base64, const char *file, struct precompiled **out,
                                 struct lr_error *err);
void precompiled_free(struct precompiled *p);
/* Appends `text` (valid UTF-8) mapped; 0, or -1 when memory is refused. */
int precompiled_apply(const struct precompiled *p, struct lr_str text, struct lr_buf *out);

#endif
