/* model_dir.h - finds the files of a model in a folder as people have them: plain, a hub cache
 * (models--ORG--NAME, whose refs/main is followed), symbolic links; one file, an indexed set of shards, or a
 * complete set without index.
 *
 * Refused by name, each with the way out: pytorch_model.bin, GGUF, adapter-only folders, only
 * tokenizer.model, Git LFS pointers, missing or .incomplete shards (which, how many of how many), an empty
 * folder. */
#ifndef LR_FORMAT_MODEL_DIR_H
#define LR_FORMAT_MODEL_DIR_H

#include "base/error.h"
#include "base/str.h"

struct model_dir {
    char *path;             /* the folder that holds config.json, after refs/main was followed */
    char *config;           /* config.json */
    char *generation;       /* generation_config.json, or NULL */
    char *tokenizer;        /* tokenizer.json, or NULL */
    char *vocab, *merges;   /* vocab.json and merges.txt where there is no tokenizer.json, or NULL */
    char *tokenizer_config; /* or NULL */
    char *chat_template;    /* chat_template.jinja or chat_template.json, or NULL */
    char *index;            /* model.safetensors.index.json, or NULL */
    char **shards;          /* [n_shards] full paths, in the order of their names */
    size_t n_shards;
};

enum model_dir_need {
    MODEL_DIR_WEIGHTS = 1, /* config.json and weights must be there */
    MODEL_DIR_TOKENIZER = 2,
    MODEL_DIR_CONFIG = 4 /* config.json must be there */
};
/* Looks `path` up. What `need` asks for and is not there is LR_EMODEL; the rest may be NULL or empty. */
enum lr_status model_dir_open(const char *path, unsigned need, struct model_dir *out, struct lr_error *err);
void model_dir_close(struct model_dir *d);
/* Bytes of all weights, as the index says (metadata.total_size); 0 where there is no index or it does not
 * say. */
uint64_t model_dir_total_size(const struct model_dir *d);

#endif
