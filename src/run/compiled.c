#include "run/compiled.h"

#include "base/log.h"
#include "base/mem.h"
#include "run/entries.h"

#include <stdio.h>

#define WORTH_KEEPING (UINT64_C(1) << 20) /* a smaller tokenizer.json is parsed in a few milliseconds */
#define LARGEST       (UINT64_C(512) << 20)
#define PREFIX        "tokenizer-"

/* ---- the entry's name: where the tokenizer.json lies, and its whole text; its size and time say no more */

static bool entry_path(const struct lr_engine *e, const char *origin, struct tokenizer_id id, char *out,
                       size_t size) {
    struct tokenizer_id place = tokenizer_identify(lr_str_of(origin));
    int n = snprintf(out, size, "%s/" PREFIX "%016llx-%016llx" ENTRY_SUFFIX, e->options.cache_dir,
                     (unsigned long long)place.low, (unsigned long long)id.low);
    return n > 0 && (size_t)n < size;
}

/* ---- taking it */

/* Leaves e->tokenizer NULL where the entry is not there, or not as it should be: it is made again. It is
 * read, not mapped: what was checked stays as it was, whatever becomes of the file. */
static void take_entry(struct lr_engine *e, const char *path, struct tokenizer_id id) {
    struct lr_error why;
    if (file_kind(path) != FILE_REGULAR) return;
    enum lr_status status = file_read_all(path, LARGEST, &e->compiled, &e->compiled_size, &why);
    struct lr_str file = {e->compiled, e->compiled_size};
    if (status == LR_OK)
        status = tokenizer_open_compiled(file, path, id, e->dir.tokenizer, &e->tokenizer, &why);
    if (status == LR_OK) return;
    lr_free(e->compiled);
    e->compiled = NULL;
    e->compiled_size = 0;
    lr_log(LR_LOG_INFO, "%s: made again", why.message);
}

/* ---- making it */

struct writing {
    struct file_aside file;
    uint64_t at;
};

static enum lr_status write_piece(void *ctx, struct lr_str piece, struct lr_error *err) {
    struct writing *w = ctx;
    uint64_t at = w->at;
    w->at += piece.len;
    return file_write_at(w->file.fd, w->file.path, piece.data, piece.len, at, err);
}

static enum lr_status write_entry(const struct lr_engine *e, const char *path, const char *origin,
                                  struct tokenizer_id id, struct lr_str rest, struct lr_error *err) {
    struct writing w = {0};
    LR_TRY(file_aside_open(path, &w.file, err));
    enum lr_status status = tokenizer_compile(e->tokenizer, rest, id, origin, write_piece, &w, err);
    if (status == LR_OK) return file_aside_keep(&w.file, false, err);
    file_aside_drop(&w.file);
    return status;
}

/* As rates are: a folder that cannot be written is no failure. An entry is mostly smaller than the text. */
static void keep_entry(const struct lr_engine *e, const char *origin, struct tokenizer_id id,
                       struct lr_str rest, uint64_t text_bytes) {
    char path[512];
    struct lr_error why;
    if (!entry_path(e, origin, id, path, sizeof path) ||
        !entries_have_room(e->options.cache_dir, "the compiled tokenizer is", text_bytes, LR_LOG_INFO))
        return;
    entries_remove_orphans(e->options.cache_dir, PREFIX, PREFIX, origin);
    if (write_entry(e, path, origin, id, rest, &why) != LR_OK)
        lr_log(LR_LOG_INFO, "the compiled tokenizer is not kept: %s", why.message);
}

static enum lr_status parse_and_keep(struct lr_engine *e, const char *origin, uint64_t size,
                                     struct lr_error *err) {
    struct lr_buf rest = {0};
    struct tokenizer_id id;
    enum lr_status status = tokenizer_open_rest(e->dir.tokenizer, &id, &rest, &e->tokenizer, err);
    if (status == LR_OK && rest.len) keep_entry(e, origin, id, lr_buf_str(&rest), size);
    lr_buf_free(&rest);
    return status;
}

/* ---- which */

static enum lr_status open_kept(struct lr_engine *e, const char *origin, uint64_t size,
                                struct lr_error *err) {
    char path[512];
    struct tokenizer_id id;
    if (tokenizer_identify_file(e->dir.tokenizer, &id, NULL) == LR_OK &&
        entry_path(e, origin, id, path, sizeof path))
        take_entry(e, path, id);
    return e->tokenizer ? LR_OK : parse_and_keep(e, origin, size, err);
}

static enum lr_status parse(struct lr_engine *e, struct lr_error *err) {
    struct tokenizer_files files = {e->dir.tokenizer, e->dir.vocab, e->dir.merges, e->dir.tokenizer_config};
    return tokenizer_open(&files, &e->tokenizer, err);
}

enum lr_status compiled_take(struct lr_engine *e, struct lr_error *err) {
    uint64_t size = 0;
    if (!e->dir.tokenizer && !(e->dir.vocab && e->dir.merges)) return LR_OK;
    bool large = e->dir.tokenizer && file_size(e->dir.tokenizer, &size) && size >= WORTH_KEEPING;
    char *origin = large && e->options.cache_dir ? file_absolute(e->dir.tokenizer) : NULL;
    enum lr_status status = origin ? open_kept(e, origin, size, err) : parse(e, err);
    lr_free(origin);
    return status;
}
