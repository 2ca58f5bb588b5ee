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

/* Leaves e->tokenizer NULL where the entry is not there, or not as it should be: it is made again. */
static void take_entry(struct lr_engine *e, const char *path, struct tokenizer_id id) {
    struct lr_error why;
    if (file_kind(path) != FILE_REGULAR) return;
    enum lr_status status = file_map_open(path, &e->compiled, &why);
    struct lr_str file = {(const char *)e->compiled.data, (size_t)e->compiled.size};
    if (status == LR_OK)
        status = tokenizer_open_compiled(file, path, id, e->dir.tokenizer, &e->tokenizer, &why);
    if (status == LR_OK) return;
    file_map_close(&e->compiled);
    lr_log(LR_LOG_INFO, "%s: made again", why.message);
}

/* ---- making it */

/* As rates are: a folder that cannot be written is no failure. */
static void keep_entry(const struct lr_engine *e, const char *origin, struct tokenizer_id id,
                       struct lr_str rest) {
    char path[512];
    struct lr_error why;
    struct lr_buf file = {0};
    enum lr_status status = tokenizer_compile(e->tokenizer, rest, id, origin, &file, &why);
    if (status == LR_OK && entry_path(e, origin, id, path, sizeof path) &&
        entries_have_room(e->options.cache_dir, "the compiled tokenizer is", file.len, LR_LOG_INFO)) {
        entries_remove_orphans(e->options.cache_dir, PREFIX, PREFIX, origin);
        status = file_replace(path, file.data, file.len, &why);
    }
    lr_buf_free(&file);
    if (status != LR_OK) lr_log(LR_LOG_INFO, "the compiled tokenizer is not kept: %s", why.message);
}

/* What is compiled and identified is the text that was parsed, whatever the file holds by then. */
static enum lr_status parse_and_keep(struct lr_engine *e, const char *origin, struct lr_error *err) {
    struct lr_buf rest = {0};
    struct lr_str text = {0};
    char *data;
    LR_TRY(file_read_all(e->dir.tokenizer, LARGEST, &data, &text.len, err));
    text.data = data;
    struct tokenizer_id id = tokenizer_identify(text);
    enum lr_status status = tokenizer_parse_rest(text, e->dir.tokenizer, &rest, &e->tokenizer, err);
    lr_free(data);
    if (status == LR_OK && rest.len) keep_entry(e, origin, id, lr_buf_str(&rest));
    lr_buf_free(&rest);
    return status;
}

/* ---- which */

static enum lr_status open_kept(struct lr_engine *e, const char *origin, struct lr_error *err) {
    char path[512];
    struct tokenizer_id id;
    if (tokenizer_identify_file(e->dir.tokenizer, &id, NULL) == LR_OK &&
        entry_path(e, origin, id, path, sizeof path))
        take_entry(e, path, id);
    return e->tokenizer ? LR_OK : parse_and_keep(e, origin, err);
}

static enum lr_status parse(struct lr_engine *e, struct lr_error *err) {
    struct tokenizer_files files = {e->dir.tokenizer, e->dir.vocab, e->dir.merges, e->dir.tokenizer_config};
    return tokenizer_open(&files, &e->tokenizer, err);
}

enum lr_status compiled_take(struct lr_engine *e, struct lr_error *err) {
    uint64_t size;
    if (!e->dir.tokenizer && !(e->dir.vocab && e->dir.merges)) return LR_OK;
    bool large = e->dir.tokenizer && file_size(e->dir.tokenizer, &size) && size >= WORTH_KEEPING;
    char *origin = large && e->options.cache_dir ? file_absolute(e->dir.tokenizer) : NULL;
    enum lr_status status = origin ? open_kept(e, origin, err) : parse(e, err);
    lr_free(origin);
    return status;
}
