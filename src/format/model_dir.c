#include "format/model_dir.h"

#include "base/mem.h"
#include "format/lfs.h"
#include "format/model_dir_parts.h"

#include <stdlib.h>

#define MAX_REF 256u /* bytes of refs/main, a commit's hash */

/* ---- listings */

static int compare_name(const void *key, const void *item) {
    return strcmp(key, *(char *const *)item);
}

bool listing_has(const struct listing *l, const char *name) {
    return l->files.count &&
           bsearch(name, l->files.names, l->files.count, sizeof *l->files.names, compare_name);
}

long listing_find(const struct listing *l, size_t from, const char *head, const char *tail) {
    for (size_t i = from; i < l->files.count; i++) {
        struct lr_str name = lr_str_of(l->files.names[i]);
        if (lr_str_starts(name, lr_str_of(head)) && lr_str_ends(name, lr_str_of(tail))) return (long)i;
    }
    return -1;
}

static enum lr_status join(const char *folder, const char *name, char **out, struct lr_error *err) {
    *out = file_join(folder, name);
    return *out ? LR_OK : lr_fail_memory(err, folder, strlen(folder) + strlen(name) + 2);
}

enum lr_status listing_path(const struct listing *l, const char *name, char **out, struct lr_error *err) {
    *out = NULL;
    if (!listing_has(l, name)) return LR_OK;
    LR_TRY(join(l->path, name, out, err));
    enum file_kind kind = file_kind(*out);
    if (kind == FILE_REGULAR) return LR_OK;
    enum lr_status status = model_dir_refuse_file(*out, kind, err);
    lr_free(*out);
    *out = NULL;
    return status;
}

/* ---- the hub's cache: models--ORG--NAME/{blobs,refs,snapshots} */

/* The snapshot that refs/main names; where there is no such file, the only one there is. */
static enum lr_status read_revision(const char *cache, const char *snapshots, char **revision,
                                    struct lr_error *err) {
    char *ref;
    size_t len;
    LR_TRY(join(cache, "refs/main", &ref, err));
    bool there = file_kind(ref) == FILE_REGULAR;
    enum lr_status status = there ? file_read_all(ref, MAX_REF, revision, &len, err) : LR_OK;
    lr_free(ref);
    if (status != LR_OK) return status;
    if (there) {
        (*revision)[strcspn(*revision, "\r\n")] = '\0';
        return LR_OK;
    }
    struct file_list list;
    LR_TRY(file_list_open(snapshots, &list, err));
    if (!list.count)
        status = lr_fail(err, LR_EMODEL,
                         "%s holds no snapshot (an unfinished download?): fetch the model again", snapshots);
    else if (list.count != 1)
        status =
            lr_fail(err, LR_EMODEL, "%s holds %zu snapshots and no refs/main: give the folder of one of them",
                    snapshots, list.count);
    else if (!(*revision = lr_str_dup(lr_str_of(list.names[0]))))
        status = lr_fail_memory(err, snapshots, strlen(list.names[0]) + 1);
    file_list_close(&list);
    return status;
}

static enum lr_status follow_revision(const char *cache, const char *snapshots, const char *revision,
                                      char **out, struct lr_error *err) {
    if (!*revision || *revision == '.' || strchr(revision, '/'))
        return lr_fail(err, LR_EMODEL, "%s: refs/main does not name a snapshot", cache);
    LR_TRY(join(snapshots, revision, out, err));
    if (file_kind(*out) == FILE_FOLDER) return LR_OK;
    lr_free(*out);
    *out = NULL;
    return lr_fail(err, LR_EMODEL,
                   "%s: refs/main names snapshot %s, which is not there (an unfinished download?)", cache,
                   revision);
}

/* The snapshot's folder where `cache` is one of the hub's; else *out stays NULL. */
static enum lr_status find_snapshot(const char *cache, char **out, struct lr_error *err) {
    char *snapshots, *revision = NULL;
    LR_TRY(join(cache, "snapshots", &snapshots, err));
    enum lr_status status = LR_OK;
    if (file_kind(snapshots) == FILE_FOLDER) {
        status = read_revision(cache, snapshots, &revision, err);
        if (status == LR_OK && revision) status = follow_revision(cache, snapshots, revision, out, err);
    }
    lr_free(revision);
    lr_free(snapshots);
    return status;
}

/* As find_snapshot, also where `path` is the folder "snapshots" inside of such a cache. */
static enum lr_status find_in_cache(const char *path, char **out, struct lr_error *err) {
    struct lr_str name = lr_str_of(path);
    while (name.len > 1 && name.data[name.len - 1] == '/') name.len--;
    bool inside = lr_str_is(name, "snapshots") || lr_str_ends(name, LR_STR("/snapshots"));
    if (!inside) return find_snapshot(path, out, err);
    char *cache;
    LR_TRY(join(path, "..", &cache, err));
    enum lr_status status = find_snapshot(cache, out, err);
    lr_free(cache);
    return status;
}

/* The folder that holds the model's files: `path` itself, or the snapshot of a hub cache folder. */
static enum lr_status find_folder(const char *path, char **out, struct lr_error *err) {
    char *config;
    *out = NULL;
    if (file_kind(path) != FILE_FOLDER) return model_dir_refuse_path(path, err);
    LR_TRY(join(path, "config.json", &config, err));
    bool plain = file_kind(config) == FILE_REGULAR;
    lr_free(config);
    if (!plain) LR_TRY(find_in_cache(path, out, err));
    if (!*out) *out = lr_str_dup(lr_str_of(path));
    return *out ? LR_OK : lr_fail_memory(err, path, strlen(path) + 1);
}

/* ---- the files */

static enum lr_status find_files(const struct listing *l, struct model_dir *d, struct lr_error *err) {
    const struct {
        const char *name;
        char **out;
    } files[] = {
        {"config.json", &d->config},
        {"generation_config.json", &d->generation},
        {"tokenizer.json", &d->tokenizer},
        {"tokenizer_config.json", &d->tokenizer_config},
        {"vocab.json", &d->vocab},
        {"merges.txt", &d->merges},
        {"chat_template.jinja", &d->chat_template},
        {"chat_template.json", &d->chat_template},
    };
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        if (*files[i].out) continue;
        if (d->tokenizer && (files[i].out == &d->vocab || files[i].out == &d->merges)) continue;
        LR_TRY(listing_path(l, files[i].name, files[i].out, err));
        if (*files[i].out) LR_TRY(lfs_check_file(*files[i].out, err));
    }
    return LR_OK;
}

static enum lr_status find_weights(const struct listing *l, struct model_dir *d, struct lr_error *err) {
    LR_TRY(model_dir_find_shards(l, d, err));
    if (!d->n_shards) return model_dir_refuse_weights(l, err);
    if (!d->config)
        return lr_fail(err, LR_EMODEL,
                       "%s has weights but no config.json, which describes them: fetch it from where the "
                       "model is from",
                       l->path);
    return LR_OK;
}

static enum lr_status find_config(const struct listing *l, struct model_dir *d, struct lr_error *err) {
    if (!d->config) return lr_fail(err, LR_EMODEL, "%s holds no config.json", l->path);
    return listing_path(l, INDEX_NAME, &d->index, err);
}

static enum lr_status fill(struct model_dir *d, unsigned need, struct lr_error *err) {
    struct listing l = {.path = d->path};
    LR_TRY(file_list_open(d->path, &l.files, err));
    enum lr_status status = model_dir_refuse_empty(&l, err);
    if (status == LR_OK) status = find_files(&l, d, err);
    if (status == LR_OK && (need & MODEL_DIR_WEIGHTS)) status = find_weights(&l, d, err);
    if (status == LR_OK && (need & MODEL_DIR_CONFIG)) status = find_config(&l, d, err);
    bool pair = d->vocab && d->merges;
    if (status == LR_OK && (need & MODEL_DIR_TOKENIZER) && !d->tokenizer && !pair)
        status = model_dir_refuse_tokenizer(&l, err);
    file_list_close(&l.files);
    return status;
}

enum lr_status model_dir_open(const char *path, unsigned need, struct model_dir *out, struct lr_error *err) {
    *out = (struct model_dir){0};
    LR_TRY(find_folder(path, &out->path, err));
    enum lr_status status = fill(out, need, err);
    if (status != LR_OK) model_dir_close(out);
    return status;
}

void model_dir_close(struct model_dir *d) {
    char *const owned[] = {d->path,   d->config,           d->generation,    d->tokenizer, d->vocab,
                           d->merges, d->tokenizer_config, d->chat_template, d->index};
    for (size_t i = 0; i < sizeof owned / sizeof owned[0]; i++) lr_free(owned[i]);
    for (size_t i = 0; i < d->n_shards; i++) lr_free(d->shards[i]);
    lr_free(d->shards);
    *d = (struct model_dir){0};
}
