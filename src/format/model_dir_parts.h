/* model_dir_parts.h - what model_dir.c, model_dir_shards.c and model_dir_refuse.c share; used by them alone.
 */
#ifndef LR_FORMAT_MODEL_DIR_PARTS_H
#define LR_FORMAT_MODEL_DIR_PARTS_H

#include "format/model_dir.h"

#define INDEX_NAME "model.safetensors.index.json"
#include "sys/file.h"

/* A folder and what it holds. */
struct listing {
    const char *path;
    struct file_list files;
};

/* The number of the first name at or after `from` that begins with `head` and ends with `tail`, or -1. */
long listing_find(const struct listing *l, size_t from, const char *head, const char *tail);
bool listing_has(const struct listing *l, const char *name);

/* The full path of `name` where it stands in the listing, else NULL; a broken link or something that is no
 * regular file is LR_EMODEL. */
enum lr_status listing_path(const struct listing *l, const char *name, char **out, struct lr_error *err);

/* Fills d->index and d->shards; leaves them empty where there is nothing in a form that is read. */
enum lr_status model_dir_find_shards(const struct listing *l, struct model_dir *d, struct lr_error *err);

/* LR_EMODEL: the folder is empty, or a hub cache folder that no snapshot came to be in; LR_OK for others. */
enum lr_status model_dir_refuse_empty(const struct listing *l, struct lr_error *err);
/* LR_EMODEL: there are no weights (or none that are read), what there is instead, and the way out. */
enum lr_status model_dir_refuse_weights(const struct listing *l, struct lr_error *err);
/* LR_EMODEL: there is no tokenizer. */
enum lr_status model_dir_refuse_tokenizer(const struct listing *l, struct lr_error *err);
/* LR_EMODEL: of `total` shards `n` are not there; `missing` holds their names, as far as they are shown. */
#define MODEL_DIR_SHOWN 3u
enum lr_status model_dir_refuse_missing(const struct listing *l, const struct lr_str *missing, size_t n,
                                        size_t total, struct lr_error *err);
/* LR_EMODEL: what stands at `path`, which a listing named, is no file that can be read. */
enum lr_status model_dir_refuse_file(const char *path, enum file_kind kind, struct lr_error *err);
/* LR_EMODEL: `path` is not a folder. */
enum lr_status model_dir_refuse_path(const char *path, struct lr_error *err);

#endif
