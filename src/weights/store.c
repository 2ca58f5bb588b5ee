#include "weights/store.h"

#include "base/mem.h"
#include "base/pages.h"
#include "sys/fault.h"
#include "weights/units.h"

#include <stdio.h>

#define NO_PLACE UINT32_MAX

/* ---- opening */

static enum lr_status open_files(struct store *s, struct lr_error *err) {
    const struct catalog *c = s->catalog;
    for (size_t i = 0; i < c->n_files; i++) {
        LR_TRY(disk_open(c->files[i].path, &s->files[i], err));
        uint64_t size = s->files[i].identity.size;
        if (size != c->files[i].size)
            return lr_fail(err, LR_EMODEL,
                           "%s: %llu bytes when its header was read, %llu now (is it still being written?)",
                           c->files[i].path, (unsigned long long)c->files[i].size, (unsigned long long)size);
    }
    return LR_OK;
}

static void find_order(struct store *s) {
    for (size_t i = 0; i < s->catalog->count; i++) s->order[i] = NO_PLACE;
    for (size_t i = 0; i < s->n_tensors; i++)
        s->order[s->tensors[i].record - s->catalog->tensors] = (uint32_t)i;
}

enum lr_status store_open(const struct catalog *catalog, const struct plan_tensor *tensors, size_t n_tensors,
                          struct store *out, struct lr_error *err) {
    *out = (struct store){.catalog = catalog, .tensors = tensors, .n_tensors = n_tensors};
    lr_fail(&out->refusal, LR_EFAILED, "the weights were not set up");
    pthread_mutex_init(&out->turn, NULL);
    out->order = lr_calloc(catalog->count, sizeof *out->order);
    out->files = lr_calloc(catalog->n_files, sizeof *out->files);
    out->maps = lr_calloc(catalog->n_files, sizeof *out->maps);
    out->pinned = lr_calloc(n_tensors, sizeof *out->pinned);
    for (size_t i = 0; out->files && i < catalog->n_files; i++)
        out->files[i].buffered = out->files[i].direct = -1;
    enum lr_status status;
    if (!out->order || !out->files || !out->maps || !out->pinned) {
        status = lr_fail_memory(err, "the table of weights", n_tensors * sizeof *out->pinned);
    } else {
        find_order(out);
        status = open_files(out, err);
    }
    if (status != LR_OK) store_close(out);
    return status;
}

void store_clear(struct store *s) {
    stream_close(&s->stream);
    readers_destroy(s->readers);
    s->readers = NULL;
    ahead_close(&s->ahead);
    ring_close(&s->ring);
    pins_close(&s->pins);
    for (size_t i = 0; s->maps && i < s->catalog->n_files; i++) {
        if (s->maps[i].base && s->setup.guard) fault_release(s->maps[i].base);
        file_map_close(&s->maps[i]);
    }
    for (size_t i = 0; s->pinned && i < s->n_tensors; i++) s->pinned[i] = 0;
    s->mode = LR_LOAD_AUTO;
}

void store_close(struct store *s) {
    if (!s->catalog) return;
    store_clear(s);
    for (size_t i = 0; s->files && i < s->catalog->n_files; i++) disk_close(&s->files[i]);
    lr_free(s->files);
    lr_free(s->maps);
    lr_free(s->order);
    lr_free(s->pinned);
    pthread_mutex_destroy(&s->turn);
    *s = (struct store){0};
}

/* ---- setting up a mode */

static enum lr_status map_files(struct store *s, struct lr_error *err) {
    for (size_t i = 0; i < s->catalog->n_files; i++) {
        struct file_map *map = &s->maps[i];
        LR_TRY(file_map_open(s->catalog->files[i].path, map, err));
        if (map->size != s->catalog->files[i].size)
            return lr_fail(err, LR_EMODEL, "%s: %llu bytes when it was opened, %llu now",
                           s->catalog->files[i].path, (unsigned long long)s->catalog->files[i].size,
                           (unsigned long long)map->size);
        if (map->base && s->setup.guard) LR_TRY(fault_guard(map->base, map->size, &s->torn, err));
        if (map->base) pages_want_large(map->base, map->size);
    }
    return LR_OK;
}

static enum lr_status reserve_pins(struct store *s, struct lr_error *err) {
    const struct tensor_record **records = lr_calloc(s->n_tensors, sizeof *records);
    uint32_t align = 0;
    if (!records) return lr_fail_memory(err, "the table of pinned weights", s->n_tensors * sizeof *records);
    for (size_t i = 0; i < s->n_tensors; i++) records[i] = s->tensors[i].record;
    for (size_t i = 0; i < s->catalog->n_files; i++)
        if (s->files[i].align > align) align = s->files[i].align;
    enum lr_status status = pins_open(records, s->setup.most, s->n_tensors, align, &s->pins, err);
    lr_free(records);
    s->pins.lock = s->setup.lock;
    s->pins.growth.available = s->setup.available;
    s->pins.growth.available_ctx = s->setup.available_ctx;
    return status;
}

static enum lr_status make_ring(struct store *s, struct ring_size size, struct lr_error *err) {
    stream_reset(&s->stream);
    uint32_t slots = ring_resize(&s->ring, size.slot, size.slots);
    if (!slots && size.slots) {
        size = s->setup.least;
        slots = ring_resize(&s->ring, size.slot, size.slots);
        if (!slots) return lr_fail_memory(err, "the ring for streamed weights", size.slots * size.slot);
    }
    size.slots = slots;
    s->setup.ring = size; /* smaller than it was to be: the next call tries again */
    return stream_use(&s->stream, size, s->ring.base, err);
}

static bool same_ring(struct ring_size a, struct ring_size b) {
    return a.slots == b.slots && a.slot == b.slot && a.span == b.span;
}

enum lr_status store_ring(struct store *s, struct ring_size size, struct lr_error *err) {
    bool there = size.slots ? s->stream.slots != NULL : s->ring.growth.taken == 0;
    if (there && same_ring(size, s->setup.ring)) return LR_OK;
    return make_ring(s, size, err);
}

static enum lr_status set_up(struct store *s, const struct store_setup *setup, struct lr_error *err) {
    if (s->mode == LR_LOAD_MAP) return map_files(s, err);
    uint32_t depth = setup->rates.depth ? setup->rates.depth : 16;
    LR_TRY(reserve_pins(s, err));
    LR_TRY(readers_create(depth, &s->readers, err));
    if (s->mode != LR_LOAD_STREAM) return LR_OK;
    struct stream_source source = {s->tensors, s->n_tensors, s->pinned, s->files};
    stream_open(&source, s->readers, &s->stream);
    LR_TRY(ring_open(setup->ring_most, setup->available, setup->available_ctx, &s->ring, err));
    return store_ring(s, setup->ring, err);
}

enum lr_status store_set_up(struct store *s, const struct store_setup *setup, struct lr_error *err) {
    store_clear(s);
    s->setup = *setup;
    s->mode = setup->mode;
    s->refusal.status = set_up(s, setup, &s->refusal);
    if (s->refusal.status == LR_OK) return LR_OK;
    store_clear(s);
    return lr_fail(err, s->refusal.status, "%s", s->refusal.message);
}

/* ---- pinning */

enum { WINDOW = 64 };

/* Reads handed in and not waited for. */
struct loader {
    struct store *store;
    struct read_request requests[WINDOW];
    size_t first, n;
    bool enough; /* on_loaded wants no more */
};

static enum lr_status finish_one(struct loader *l, struct lr_error *err) {
    struct read_request *q = &l->requests[l->first];
    l->first = (l->first + 1) % WINDOW;
    l->n--;
    LR_TRY(readers_wait(l->store->readers, q, err));
    if (l->store->on_loaded) l->enough |= !l->store->on_loaded(l->store->owner, q->end - q->begin);
    return LR_OK;
}

static enum lr_status finish_all(struct loader *l, struct lr_error *err) {
    enum lr_status status = LR_OK;
    while (l->n) {
        enum lr_status one = finish_one(l, status == LR_OK ? err : NULL);
        if (status == LR_OK) status = one;
    }
    return status;
}

/* Hands in reads for units [from, to) of tensor i, whose memory is there. Where more follows (not `last`)
 * they end where the next ones begin, before the disk's block that both have a part of. */
static enum lr_status load_units(struct loader *l, size_t i, uint64_t from, uint64_t to, bool last,
                                 struct lr_error *err) {
    struct store *s = l->store;
    const struct tensor_record *t = s->tensors[i].record;
    const struct disk_file *file = &s->files[t->file];
    uint64_t block = s->setup.rates.block ? s->setup.rates.block : UNIT_BYTES;
    uint64_t end = t->offset + units_bytes(t, to);
    if (!last) end = disk_superset_begin(file, end);
    uint64_t begin = disk_superset_begin(file, t->offset + units_bytes(t, from));
    if (begin < t->offset - t->offset % file->align) begin = t->offset - t->offset % file->align;
    while (begin < end) {
        uint64_t next = end - begin > block + block / 2 ? begin + block : end; /* no short rest */
        if (l->n == WINDOW) LR_TRY(finish_one(l, err));
        struct read_request *q = &l->requests[(l->first + l->n) % WINDOW];
        *q = (struct read_request){.file = file, .begin = begin, .end = next};
        q->to = pins_at(&s->pins, i, 0) + (int64_t)(begin - t->offset);
        readers_submit(s->readers, q);
        l->n++;
        begin = next;
    }
    return LR_OK;
}

/* Memory is asked for in steps of this many units: the policy judges each step. */
#define STEP 16u

static enum lr_status pin_tensor(struct loader *l, size_t i, uint64_t want, bool *refused,
                                 struct lr_error *err) {
    struct store *s = l->store;
    uint64_t first = s->pinned[i], have = first, most = s->pins.pins[i].most;
    if (want > most && s->mode == LR_LOAD_STREAM) want = most; /* the rest is streamed */
    while (have < want && !*refused && !l->enough) {
        uint64_t next = have + STEP < want ? have + STEP : want;
        if (s->setup.interrupt && *s->setup.interrupt)
            return lr_fail(err, LR_EINTERRUPTED, "interrupted while loading");
        *refused = !pins_grow(&s->pins, i, next);
        if (*refused) break;
        LR_TRY(load_units(l, i, have, next, next == want, err));
        have = next;
    }
    return have > first && have < want ? load_units(l, i, have, have, true, err) : LR_OK;
}

static enum lr_status refuse_resident(const struct store *s, size_t i, struct lr_error *err) {
    const struct tensor_record *t = s->tensors[i].record;
    char what[160];
    snprintf(what, sizeof what, "a copy of '%.*s'", LR_STR_ARGS(lr_str_cut(t->name, 120)));
    const struct growth *g = &s->pins.growth;
    uint64_t left = g->available ? g->available(g->available_ctx) : pages_left().bytes;
    if (s->pins.lock)
        return lr_refuse_memory(err, what, t->bytes, left, "leave out --mlock, or raise ulimit -l");
    return lr_refuse_memory(err, what, t->bytes, left,
                            "leave out --load resident; or needs %s more free: close other programs",
                            lr_gb(t->bytes > left ? t->bytes - left : t->bytes, 2).text);
}

enum lr_status store_pin(struct store *s, size_t begin, size_t end, const uint64_t *pinned,
                         struct lr_error *err) {
    size_t first = begin;
    while (first < end && pinned[first] <= s->pinned[first]) first++;
    if (first == end) return LR_OK; /* nothing to read: memory may be short */
    struct loader *l = lr_calloc(1, sizeof *l);
    if (!l) return lr_fail_memory(err, "the loader", sizeof *l);
    l->store = s;
    enum lr_status status = LR_OK;
    bool refused = false;
    for (size_t i = begin; i < end && status == LR_OK && !l->enough; i++) {
        status = pin_tensor(l, i, pinned[i], &refused, err);
        if (refused && s->mode == LR_LOAD_RESIDENT && status == LR_OK) status = refuse_resident(s, i, err);
    }
    enum lr_status rest = finish_all(l, status == LR_OK ? err : NULL);
    if (status == LR_OK) status = rest;
    lr_free(l);
    for (size_t i = begin; i < end; i++) {
        if (status == LR_OK) s->pinned[i] = s->pins.pins[i].units;
        pins_shrink(&s->pins, i, s->pinned[i]); /* what was not read is not kept */
    }
    return status;
}

void store_unpin(struct store *s, const uint64_t *pinned) {
    for (size_t i = 0; i < s->n_tensors; i++) {
        if (pinned[i] >= s->pinned[i]) continue;
        s->pinned[i] = pinned[i];
        pins_shrink(&s->pins, i, pinned[i]);
    }
}

/* ---- bringing mapped files in */

void store_want(struct store *s, size_t begin, size_t end) {
    if (!s->ahead.request && ahead_open(s->files, s->maps, s->catalog->n_files, &s->ahead, NULL) != LR_OK)
        return;
    for (size_t i = begin; i < end; i++) {
        const struct tensor_record *t = s->tensors[i].record;
        if (s->tensors[i].kind != WEIGHT_ROWS)
            ahead_want(&s->ahead, t->file, t->offset, t->offset + t->bytes);
    }
}

/* ---- lending */

void store_begin(struct store *s, bool head) {
    pthread_mutex_lock(&s->turn);
    s->stream.skip_head = !head;
}

void store_end(struct store *s) {
    pthread_mutex_unlock(&s->turn);
}

static struct tensor_view view_of(const struct tensor_record *t, const void *data, uint64_t rows) {
    return (struct tensor_view){
        .data = data,
        .dtype = t->dtype,
        .rows = t->rank == 2 ? rows : 1,
        .cols = t->rank == 2 ? t->shape[1]
                : t->rank    ? t->shape[0]
                             : 1,
        .scales = t->scales,
    };
}

struct loan store_lend(const struct tensor_record *t) {
    return (struct loan){.record = t, .most_rows = UINT64_MAX};
}

void store_give_back(struct store *s, struct loan *loan) {
    if (loan->streamed) stream_release(&s->stream);
    loan->streamed = false;
}

/* Units [loan->next, end) of the tensor, where `data` is. */
static void show(struct loan *loan, const void *data, uint64_t end) {
    const struct tensor_record *t = loan->record;
    loan->first = loan->next * units_rows(t);
    uint64_t last = end * units_rows(t), rows = t->rank ? t->shape[0] : 1;
    loan->view = view_of(t, data, (last < rows ? last : rows) - loan->first);
    loan->view.first = loan->first;
    loan->next = end;
}

static enum lr_status show_streamed(struct store *s, struct loan *loan, size_t i, struct lr_error *err) {
    const void *data;
    if (!s->stream.slots) LR_TRY(store_ring(s, s->setup.least, err));
    uint64_t end = units_block_end(loan->record, loan->next, s->stream.size.span);
    LR_TRY(stream_take(&s->stream, i, loan->next, &data, err));
    show(loan, data, end);
    loan->streamed = true;
    s->lent += loan->view.rows * units_row_bytes(loan->record);
    return LR_OK;
}

/* A piece of what is pinned is no larger than this many units: between two pieces memory is looked at. */
#define PIECE 16u

/* The end of a piece of units that are in memory up to `end`. */
static uint64_t piece_end(const struct loan *loan, uint64_t end, uint64_t most) {
    uint64_t rows = units_rows(loan->record), liked = loan->most_rows / rows + (loan->most_rows % rows > 0);
    if (most > liked) most = liked;
    return end - loan->next > most ? loan->next + most : end;
}

bool store_next(struct store *s, struct loan *loan, enum lr_status *status, struct lr_error *err) {
    const struct tensor_record *t = loan->record;
    store_give_back(s, loan);
    *status = s->on_boundary ? s->on_boundary(s->owner, err) : LR_OK;
    if (*status == LR_OK && s->mode == LR_LOAD_AUTO)
        *status = s->refusal.status ? lr_fail(err, s->refusal.status, "%s", s->refusal.message)
                                    : lr_fail(err, LR_EFAILED, "the weights are not set up");
    uint64_t all = units_count(t);
    if (*status != LR_OK || loan->next >= all) return false;
    size_t i = s->order[t - s->catalog->tensors];
    if (s->mode == LR_LOAD_MAP)
        show(loan, s->maps[t->file].data + t->offset + units_bytes(t, loan->next), piece_end(loan, all, all));
    else if (loan->next < s->pinned[i])
        show(loan, pins_at(&s->pins, i, units_bytes(t, loan->next)), piece_end(loan, s->pinned[i], PIECE));
    else
        *status = show_streamed(s, loan, i, err);
    return *status == LR_OK;
}

/* Whether the first `bytes` of the tensor are all pinned. */
static bool is_pinned(const struct store *s, const struct tensor_record *t, uint64_t bytes) {
    uint32_t i = s->order[t - s->catalog->tensors];
    return i != NO_PLACE && s->pins.count && bytes <= units_bytes(t, s->pinned[i]);
}

void store_ahead(const struct store *s, const struct tensor_record *t, uint64_t first, uint64_t n) {
    uint64_t row = units_row_bytes(t), from = first * row, end = from + n * row;
    if (!is_pinned(s, t, end)) disk_ahead(&s->files[t->file], t->offset + from, t->offset + end);
}

enum lr_status store_copy(struct store *s, const struct tensor_record *t, uint64_t first, uint64_t n,
                          void *out, struct lr_error *err) {
    uint64_t row = units_row_bytes(t), from = first * row, bytes = n * row;
    if (s->mode == LR_LOAD_MAP)
        memcpy(out, s->maps[t->file].data + t->offset + from, bytes);
    else if (is_pinned(s, t, from + bytes))
        memcpy(out, pins_at(&s->pins, s->order[t - s->catalog->tensors], from), bytes);
    else
        return disk_copy(&s->files[t->file], t->offset + from, t->offset + from + bytes, out, err);
    return LR_OK;
}

/* ---- what may happen to the files */

enum lr_status store_check(struct store *s, bool look, struct lr_error *err) {
    if (!look && !s->torn) return LR_OK;
    for (size_t i = 0; i < s->catalog->n_files; i++) LR_TRY(disk_check(&s->files[i], err));
    if (s->torn)
        return lr_fail(err, LR_EFAILED, "a mapped file of weights could not be read (an error of the disk?)");
    return LR_OK;
}

uint64_t store_file_bytes(const struct store *s) {
    uint64_t sum = 0;
    for (size_t i = 0; i < s->catalog->n_files; i++) sum += s->catalog->files[i].size;
    return sum;
}

/* Samples stand evenly over all bytes that a pass reads, a different part of a step further each time. */
bool store_missing(struct store *s, double *share) {
    enum { SAMPLES = 256 };
    uint64_t all = 0, before = 0;
    unsigned n = 0, missing = 0;
    for (size_t i = 0; i < s->n_tensors; i++)
        if (weight_read_whole(&s->tensors[i])) all += s->tensors[i].record->bytes;
    double step = (double)all / SAMPLES, part = 0.618034 * s->samplings++;
    part -= (double)(uint64_t)part;
    for (size_t i = 0; i < s->n_tensors && n < SAMPLES; i++) {
        const struct tensor_record *t = s->tensors[i].record;
        if (!weight_read_whole(&s->tensors[i])) continue;
        if (s->files[t->file].look == DISK_LOOK_NONE) return false;
        for (uint64_t at; n < SAMPLES && (at = (uint64_t)((n + part) * step)) < before + t->bytes; n++)
            missing += !file_map_holds(&s->maps[t->file], t->offset + at - before);
        before += t->bytes;
    }
    *share = (double)missing / SAMPLES;
    return true;
}

uint64_t store_addresses(const struct store *s) {
    uint64_t sum = s->pins.reserved + s->ring.reserved;
    for (size_t i = 0; i < s->catalog->n_files; i++) sum += s->maps[i].size;
    return sum;
}

uint64_t store_cold_bytes(const struct store *s) {
    double sum = 0;
    for (size_t i = 0; i < s->catalog->n_files; i++) {
        struct file_map map = s->maps[i];
        if (!map.base && file_map_open(s->catalog->files[i].path, &map, NULL) != LR_OK) continue;
        sum += (double)map.size * (1 - file_map_cached(&map));
        if (!s->maps[i].base) file_map_close(&map);
    }
    return (uint64_t)sum;
}
