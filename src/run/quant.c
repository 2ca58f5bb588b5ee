#include "run/quant.h"

#include "base/log.h"
#include "base/mem.h"
#include "run/entries.h"
#include "run/planning.h"
#include "run/rates.h"
#include "sys/clock.h"
#include "sys/lock.h"
#include "weights/quantise.h"

#include <stdio.h>
#include <xxhash.h>

#define BLOCKS_MEMORY (UINT64_C(64) << 20)
#define PREFIX        "quantised-"
#define GIB           1073741824.0

/* ---- the entry's name: what it was made from, by which layout */

static uint64_t hash_source(const struct lr_engine *e, struct quantise_kind kind) {
    const uint64_t first[] = {QUANTISE_VERSION, kind.format, kind.head_q8};
    uint64_t h = XXH3_64bits(first, sizeof first);
    for (size_t i = 0; i < e->catalog.n_files; i++) {
        const struct disk_identity *d = &e->store.files[i].identity;
        const uint64_t facts[] = {d->size, (uint64_t)d->mtime_ns};
        const char *name = strrchr(e->catalog.files[i].path, '/');
        h = XXH3_64bits_withSeed(facts, sizeof facts, h);
        h = XXH3_64bits_withSeed(name ? name : "", name ? strlen(name) : 0, h);
    }
    for (size_t i = 0; i < e->n_tensors; i++) {
        const struct tensor_record *r = e->tensors[i].record;
        const uint64_t facts[] = {r->dtype, r->file, r->offset, r->bytes, r->shape[0], r->shape[1]};
        h = XXH3_64bits_withSeed(facts, sizeof facts, h);
        h = XXH3_64bits_withSeed(r->name.data, r->name.len, h);
    }
    return h;
}

static bool entry_path(const struct lr_engine *e, struct quantise_kind kind, const char *ending, char *out,
                       size_t size) {
    if (!e->options.cache_dir) return false;
    int n = snprintf(out, size, "%s/" PREFIX "%s-%016llx%s", e->options.cache_dir, quantise_name(kind),
                     (unsigned long long)hash_source(e, kind), ending);
    return n > 0 && (size_t)n < size;
}

/* ---- taking it */

/* The engine's weights are now those of `c`, which it takes over. */
static enum lr_status exchange(struct lr_engine *e, struct catalog *c, struct quantise_kind kind,
                               const char *path, struct lr_error *err) {
    engine_close_weights(e);
    e->catalog = *c;
    e->quantised = true;
    e->quant_kind = kind;
    e->quant_path = path ? lr_str_dup(lr_str_of(path)) : NULL;
    return engine_bind_weights(e, err);
}

static enum lr_status take_file(struct lr_engine *e, const char *path, struct quantise_kind kind,
                                struct lr_error *err) {
    struct catalog c;
    LR_TRY(quantise_open(path, e->tensors, e->n_tensors, kind, &c, err));
    return exchange(e, &c, kind, e->held ? NULL : path, err);
}

/* An entry that is there and whole; *taken tells. One that is not as it should be is made again. */
static enum lr_status take_entry(struct lr_engine *e, const char *path, struct quantise_kind kind,
                                 bool *taken, struct lr_error *err) {
    struct lr_error why;
    struct catalog c;
    *taken = false;
    if (file_kind(path) != FILE_REGULAR) return LR_OK;
    if (quantise_open(path, e->tensors, e->n_tensors, kind, &c, &why) != LR_OK) {
        lr_log(LR_LOG_WARN, "%s: made again", why.message);
        return LR_OK;
    }
    *taken = true;
    return exchange(e, &c, kind, path, err);
}

/* ---- making it */

static void show_progress(void *ctx, uint64_t done, uint64_t all) {
    engine_tell_loading(ctx, done, all);
}

static enum lr_status make(struct lr_engine *e, int fd, const char *name, struct quantise_kind kind,
                           struct lr_error *err) {
    uint64_t memory = planning_available(e) / 4;
    LR_TRY(rates_measure_disk(e, err)); /* the faster way of each file */
    char *origin = file_absolute(e->dir.path);
    struct quantise_job job = {
        .source = &e->catalog,
        .files = e->store.files,
        .tensors = e->tensors,
        .n_tensors = e->n_tensors,
        .kind = kind,
        .kernels = e->matmul.kernels,
        .threads = e->threads,
        .memory = memory < BLOCKS_MEMORY ? memory : BLOCKS_MEMORY,
        .origin = origin ? origin : "",
        .interrupt = e->options.interrupt,
        .progress = show_progress,
        .ctx = e,
    };
    enum lr_status status = quantise_write(&job, fd, name, err);
    lr_free(origin);
    return status;
}

static bool has_room(const struct lr_engine *e, uint64_t bytes) {
    return entries_have_room(e->options.cache_dir, "the quantised weights are", bytes, LR_LOG_WARN);
}

/* Aside, then renamed: the entry is whole or not there. */
static enum lr_status make_entry(struct lr_engine *e, const char *path, struct quantise_kind kind,
                                 struct lr_error *err) {
    struct file_aside aside;
    LR_TRY(file_aside_open(path, &aside, err));
    enum lr_status status = make(e, aside.fd, path, kind, err);
    if (status != LR_OK) {
        file_aside_drop(&aside);
        return status;
    }
    return file_aside_keep(&aside, true, err);
}

/* Those of the engine's folder in this kind, of which none is what it is now, were made from weights that
 * are gone; and all whose folder is. */
static void remove_orphans(const struct lr_engine *e, struct quantise_kind kind) {
    char same[32], *ours = file_absolute(e->dir.path);
    snprintf(same, sizeof same, PREFIX "%s-", quantise_name(kind));
    entries_remove_orphans(e->options.cache_dir, PREFIX, same, ours);
    lr_free(ours);
}

/* Makes the entry while the lock is held. A disk that is full is a warning: then *kept is false. */
static enum lr_status make_and_take(struct lr_engine *e, const char *path, struct quantise_kind kind,
                                    bool *kept, struct lr_error *err) {
    uint64_t bytes = quantise_bytes(e->tensors, e->n_tensors, kind);
    double since = clock_now();
    struct lr_error why;
    LR_TRY(take_entry(e, path, kind, kept, err)); /* another process may have made it meanwhile */
    if (*kept || !has_room(e, bytes)) return LR_OK;
    remove_orphans(e, kind);
    enum lr_status status = make_entry(e, path, kind, &why);
    if (status == LR_EFAILED) {
        lr_log(LR_LOG_WARN, "the quantised weights are not kept: %s", why.message);
        return LR_OK;
    }
    if (status != LR_OK) return lr_fail(err, status, "%s", why.message);
    lr_log(LR_LOG_NOTE, "quantised to %s in %.1f s, kept in %s (%s)", quantise_name(kind),
           clock_now() - since, path, lr_gb(bytes, 2).text);
    *kept = true;
    return take_file(e, path, kind, err);
}

/* In the cache folder. *kept: it is there now, or was already; else the reason was told. */
static enum lr_status keep_entry(struct lr_engine *e, struct quantise_kind kind, bool *kept,
                                 struct lr_error *err) {
    char path[4096], lock[4096];
    struct file_lock held;
    struct lr_error why;
    *kept = false;
    if (!entry_path(e, kind, ENTRY_SUFFIX, path, sizeof path) ||
        !entry_path(e, kind, ".lock", lock, sizeof lock))
        return LR_OK;
    LR_TRY(take_entry(e, path, kind, kept, err));
    if (*kept) return LR_OK;
    enum lr_status status = file_lock_take(lock, e->options.interrupt, &held, &why);
    if (status == LR_EINTERRUPTED) return lr_fail(err, status, "%s", why.message);
    if (status != LR_OK) {
        lr_log(LR_LOG_WARN, "the quantised weights are not kept: %s", why.message);
        return LR_OK;
    }
    status = make_and_take(e, path, kind, kept, err);
    file_lock_give(&held, lock);
    return status;
}

/* Whether memory holds them all, where no folder does. */
static enum lr_status may_hold(struct lr_engine *e, uint64_t bytes, struct lr_error *err) {
    uint64_t there = planning_available(e);
    if (bytes <= there) return LR_OK;
    return lr_fail(err, LR_EMEMORY,
                   "Cannot allocate %.2f GB. Available memory: %.2f GB. For the quantised weights, which are "
                   "not kept in a folder: --cache-dir on a disk with room, or needs %.2f GB more: close "
                   "other programs, or raise the limit",
                   (double)bytes / GIB, (double)there / GIB, (double)(bytes - there) / GIB);
}

/* In memory, if it is there: a file that has no name. */
static enum lr_status hold(struct lr_engine *e, struct quantise_kind kind, struct lr_error *err) {
    char path[64];
    uint64_t bytes = quantise_bytes(e->tensors, e->n_tensors, kind);
    LR_TRY(may_hold(e, bytes, err));
    double since = clock_now();
    LR_TRY(file_unnamed("quantised weights", &e->held_fd, err));
    LR_TRY(make(e, e->held_fd, "memory for quantised weights", kind, err));
    lr_log(LR_LOG_INFO, "quantised to %s in %.1f s, held in memory (%s)", quantise_name(kind),
           clock_now() - since, lr_gb(bytes, 2).text);
    snprintf(path, sizeof path, "/proc/self/fd/%d", e->held_fd);
    e->held = bytes;
    return take_file(e, path, kind, err);
}

/* ---- which */

/* The best that fits beside what a session is expected to take. */
static enum lr_status choose(struct lr_engine *e, bool *quantise, struct quantise_kind *kind,
                             struct lr_error *err) {
    const struct quantise_kind q4 = {QUANT_Q4, e->options.quant_head_q8}, q8 = {QUANT_Q8, false};
    *quantise = e->options.quant != LR_QUANT_NONE;
    *kind = e->options.quant == LR_QUANT_Q4 ? q4 : q8;
    if (e->options.quant != LR_QUANT_AUTO) return LR_OK;
    struct session_shape shape;
    struct plan_facts facts;
    bool later;
    LR_TRY(planning_expect(e, &shape, &facts, &later, err));
    uint64_t own = later ? 0 : e->plan.need - e->plan.pins - e->plan.ring, whole = 0;
    uint64_t budget = later ? planning_available(e) : facts.budget;
    for (size_t i = 0; i < e->n_tensors; i++) whole += e->tensors[i].record->bytes;
    uint64_t room = budget > own ? budget - own : 0, bytes = quantise_bytes(e->tensors, e->n_tensors, q8);
    *quantise = whole > room;
    if (bytes > room) *kind = q4;
    lr_log(LR_LOG_NOTE, "--quant auto: %s (%.2f GB for weights; as they are %.2f, q8 %.2f, %s %.2f GB)",
           *quantise ? quantise_name(*kind) : "none", (double)room / GIB, (double)whole / GIB,
           (double)bytes / GIB, quantise_name(q4),
           (double)quantise_bytes(e->tensors, e->n_tensors, q4) / GIB);
    return LR_OK;
}

static enum lr_status plan_without(struct lr_engine *e, struct quantise_kind kind, struct lr_error *err) {
    char path[4096];
    struct catalog c;
    bool taken = false;
    if (e->catalog.n_files && entry_path(e, kind, ENTRY_SUFFIX, path, sizeof path))
        LR_TRY(take_entry(e, path, kind, &taken, err));
    if (taken) return LR_OK;
    uint64_t bytes = quantise_bytes(e->tensors, e->n_tensors, kind);
    if (e->catalog.n_files && (!e->options.cache_dir || !has_room(e, bytes))) LR_TRY(may_hold(e, bytes, err));
    LR_TRY(quantise_expect(e->tensors, e->n_tensors, kind, &c, err));
    return exchange(e, &c, kind, NULL, err);
}

/* Notes which entries of these weights there are. */
static void find_kept(struct lr_engine *e) {
    char path[4096];
    uint64_t bytes;
    for (size_t i = 0; i < QUANTISE_KINDS && e->catalog.n_files; i++) {
        if (!entry_path(e, quantise_kinds[i], ENTRY_SUFFIX, path, sizeof path) || !file_size(path, &bytes))
            continue;
        e->kept[e->n_kept].quant = quantise_name(quantise_kinds[i]);
        e->kept[e->n_kept].bytes = bytes;
        e->kept[e->n_kept].path = lr_str_dup(lr_str_of(path));
        if (e->kept[e->n_kept].path) e->n_kept++;
    }
}

enum lr_status quant_take(struct lr_engine *e, struct lr_error *err) {
    bool quantise, kept;
    if (e->options.plan_only) find_kept(e);
    struct quantise_kind kind;
    LR_TRY(choose(e, &quantise, &kind, err));
    if (!quantise) return LR_OK;
    if (e->options.plan_only) return plan_without(e, kind, err);
    LR_TRY(keep_entry(e, kind, &kept, err));
    if (kept) return LR_OK;
    if (e->options.quantise_only)
        return lr_fail(err, LR_EFAILED, "the quantised weights were not kept: there is no folder for them%s",
                       e->options.cache_dir ? " with room" : " (--cache-dir)");
    return hold(e, kind, err);
}

void quant_close(struct lr_engine *e) {
    file_let_go(&e->held_fd);
    lr_free(e->quant_path);
    for (size_t i = 0; i < e->n_kept; i++) lr_free(e->kept[i].path);
}
