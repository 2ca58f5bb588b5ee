/* compiled.h - the compiled form of a tokenizer, beneath tokenizer.h's functions: a safetensors file whose
 * tensors are the tables as they lie in memory, and as "rest" the document without what became tables. Its
 * reader trusts nothing: the header is safetensors', checked as any, a hash covers what the tables hold, and
 * each is looked at whole before it is used. Used by compiled.c and by tests, which make hostile ones. */
#ifndef LR_TEXT_COMPILED_H
#define LR_TEXT_COMPILED_H

#include "text/tokenizer_parts.h"

/* Another layout of vocab.h's or bpe_tables.h's tables, or another hash in them, is another version. */
#define COMPILED_VERSION 1

enum compiled_part {
    COMPILED_FACTS,
    COMPILED_SLOTS,
    COMPILED_MERGES,
    COMPILED_ENTRIES,
    COMPILED_TEXT,
    COMPILED_REST,
    COMPILED_PARTS
};

/* The tensor "facts". */
struct compiled_facts {
    uint64_t version, vocab_seed, merge_seed, hash; /* compiled_hash() */
    struct tokenizer_id source;
};

/* Of all parts [COMPILED_PARTS], but for facts->hash itself. */
uint64_t compiled_hash(const struct compiled_facts *facts, const struct lr_str *parts);
/* Where the parts [COMPILED_PARTS] lie in a file; none is empty, and tables are aligned. LR_EMODEL. */
enum lr_status compiled_find(struct lr_str file, const char *path, struct lr_str *parts,
                             struct lr_error *err);

#endif
