/* post.h - the `post_processor` of tokenizer.json, as far as it concerns one text: the ids that it puts
 * before and behind the text's. Used by the tokenizer alone. */
#ifndef LR_TEXT_POST_H
#define LR_TEXT_POST_H

#include "format/json.h"
#include "text/tokenizer.h"

struct post {
    struct token_list before, behind;
};

/* null or absent adds nothing. *out is to be freed in any case. */
enum lr_status post_parse(struct json spec, struct post *out, struct lr_error *err);
void post_free(struct post *p);

#endif
