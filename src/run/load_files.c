#include "run/load_files.h"

#include "base/mem.h"
#include "format/model_dir.h"
#include "sys/file.h"
#include "sys/memory.h"
#include "sys/probe.h"

#include <unistd.h>

#define COLD_SHARE    0.01 /* resident below this: shown to be cold */
#define WARM_SHARE    0.99
#define DROP_TRIES    5
#define DROP_WAIT_US  50000
#define PROBE_SECONDS 0.3
#define PROBE_MEMORY  (UINT64_C(64) << 20)

struct load_files {
    struct model_dir dir;
    const char **paths; /* [count] those of weights first; owned by `dir` */
    size_t count;
    uint64_t bytes, weight_bytes; /* of all, of those of weights */
};

/* ---- which they are */

static enum lr_status list(struct load_files *f, struct lr_error *err) {
    const struct model_dir *d = &f->dir;
    const char *const others[] = {d->config, d->generation,       d->tokenizer,     d->vocab,
                                  d->merges, d->tokenizer_config, d->chat_template, d->index};
    const size_t n_others = sizeof others / sizeof *others;
    f->paths = lr_calloc(d->n_shards + n_others, sizeof *f->paths);
    if (!f->paths) return lr_fail_memory(err, "the list of files", d->n_shards * sizeof *f->paths);
    for (size_t i = 0; i < d->n_shards; i++) f->paths[f->count++] = d->shards[i];
    for (size_t i = 0; i < n_others; i++)
        if (others[i]) f->paths[f->count++] = others[i];
    for (size_t i = 0; i < f->count; i++) {
        uint64_t size = 0;
        file_size(f->paths[i], &size);
        f->bytes += size;
        if (i < d->n_shards) f->weight_bytes += size;
    }
    return LR_OK;
}

enum lr_status load_files_open(const char *model_dir, struct load_files **out, struct lr_error *err) {
    struct load_files *f = *out = lr_calloc(1, sizeof *f);
    if (!f) return lr_fail_memory(err, "the list of files", sizeof *f);
    enum lr_status status = model_dir_open(model_dir, MODEL_DIR_WEIGHTS, &f->dir, err);
    if (status == LR_OK) status = list(f, err);
    if (status == LR_OK) return LR_OK;
    load_files_close(f);
    *out = NULL;
    return status;
}

void load_files_close(struct load_files *f) {
    if (!f) return;
    lr_free(f->paths);
    model_dir_close(&f->dir);
    lr_free(f);
}

size_t load_files_weights(const struct load_files *f, uint64_t *bytes) {
    *bytes = f->weight_bytes;
    return f->dir.n_shards;
}

/* ---- the page cache */

static bool raised(const volatile int *interrupt) {
    return interrupt && *interrupt;
}

static enum lr_status for_all(const struct load_files *f, const volatile int *interrupt,
                              enum lr_status (*act)(const char *, struct lr_error *), struct lr_error *err) {
    for (size_t i = 0; i < f->count && !raised(interrupt); i++) LR_TRY(act(f->paths[i], err));
    return LR_OK;
}

static enum lr_status look(const struct load_files *f, double *share, struct lr_error *err) {
    uint64_t sum = 0, bytes;
    for (size_t i = 0; i < f->count; i++) {
        LR_TRY(file_resident(f->paths[i], &bytes, err));
        sum += bytes;
    }
    *share = f->bytes ? (double)sum / (double)f->bytes : 1;
    return LR_OK;
}

enum lr_status load_files_cool(const struct load_files *f, const volatile int *interrupt,
                               struct load_cache *out, struct lr_error *err) {
    *out = (struct load_cache){0};
    for (int i = 0; i < DROP_TRIES && !raised(interrupt); i++) {
        if (i) usleep(DROP_WAIT_US);
        LR_TRY(for_all(f, interrupt, file_drop, err));
        LR_TRY(look(f, &out->resident, err));
        if (out->resident < COLD_SHARE) break;
    }
    out->shown = out->resident < COLD_SHARE;
    return LR_OK;
}

enum lr_status load_files_warm(const struct load_files *f, const volatile int *interrupt,
                               struct load_cache *out, struct lr_error *err) {
    struct memory_info memory;
    *out = (struct load_cache){0};
    LR_TRY(memory_read("", 0, &memory, err));
    if (f->bytes < memory.room) LR_TRY(for_all(f, interrupt, file_warm, err));
    LR_TRY(look(f, &out->resident, err));
    out->shown = f->bytes < memory.room && out->resident >= WARM_SHARE;
    return LR_OK;
}

/* ---- the disk */

static const char *largest_shard(const struct load_files *f) {
    const char *best = NULL;
    uint64_t most = 0, size;
    for (size_t i = 0; i < f->dir.n_shards; i++) {
        if (!file_size(f->dir.shards[i], &size) || size < most) continue;
        best = f->dir.shards[i];
        most = size;
    }
    return best;
}

enum lr_status load_files_probe(const struct load_files *f, const volatile int *interrupt,
                                double *bytes_per_s, struct lr_error *err) {
    const char *path = largest_shard(f);
    struct disk_file file;
    struct disk_rate rate = {0};
    uint64_t memory = lr_memory_total() / 8;
    *bytes_per_s = 0;
    LR_TRY(for_all(f, interrupt, file_drop, err));
    if (!path) return LR_OK;
    LR_TRY(disk_open(path, &file, err));
    enum lr_status status =
        probe_disk(&file, PROBE_SECONDS, memory < PROBE_MEMORY ? memory : PROBE_MEMORY, &rate, err);
    disk_close(&file);
    *bytes_per_s = rate.bytes_per_s;
    return status;
}
