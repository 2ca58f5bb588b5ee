/* The store: whatever the mode, the pins, the span and the ring, a pass is lent every byte of every matrix
 * once and in order; and a read or an allocation that fails, whichever it is, is an error and not a wrong
 * byte. */
#include "support/support.h"

#include "support/folder.h"
#include "support/safetensors.h"
#include "support/system.h"

#include "base/mem.h"
#include "weights/store.h"
#include "weights/units.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

#define MB (UINT64_C(1) << 20)

/* ---- a model of two shards, its matrices of one unit to twenty */

struct shape {
    const char *name;
    uint64_t rows, cols; /* cols 0: a vector */
    enum weight_kind kind;
    uint32_t layer;
};
/* In the order of use; every other one in the second shard. A row longer than a unit, rows of odd lengths. */
static const struct shape shapes[] = {
    {"embed", 1500, 700, WEIGHT_ROWS, 2}, {"0.norm", 700, 0, WEIGHT_VECTOR, 0},
    {"0.q", 900, 1500, WEIGHT_LAYER, 0},  {"0.k", 5, 7, WEIGHT_LAYER, 0},
    {"0.up", 3000, 700, WEIGHT_LAYER, 0}, {"1.norm", 700, 0, WEIGHT_VECTOR, 1},
    {"1.q", 3, 600000, WEIGHT_LAYER, 1},  {"1.up", 2500, 701, WEIGHT_LAYER, 1},
    {"norm", 700, 0, WEIGHT_VECTOR, 2},   {"head", 12000, 700, WEIGHT_ESSENTIAL, 2},
};
enum { N = sizeof shapes / sizeof *shapes, HEAD = N - 1 };

static uint8_t *bytes_of[N];
static struct catalog catalog;
static struct plan_tensor tensors[N];
static struct lr_error err;

static uint64_t draw(uint64_t *state, uint64_t most) {
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return most ? (*state >> 33) % most : 0;
}

static uint64_t size_of(size_t i) {
    return shapes[i].rows * (shapes[i].cols ? shapes[i].cols : 1) * 2;
}

static void write_shard(const char *name, size_t first, unsigned mod8) {
    struct support_tensor list[N];
    size_t n = 0;
    for (size_t i = first; i < N; i += 2)
        list[n++] = (struct support_tensor){
            shapes[i].name, "BF16",    shapes[i].cols ? 2 : 1, {shapes[i].rows, shapes[i].cols},
            bytes_of[i],    size_of(i)};
    support_write_safetensors(folder, name, list, n, mod8);
}

static void open_model(unsigned mod8) {
    struct model_dir dir;
    catalog_close(&catalog);
    write_shard("model-00001-of-00002.safetensors", 0, mod8);
    write_shard("model-00002-of-00002.safetensors", 1, (mod8 + 5) % 8);
    assert_int_equal(model_dir_open(folder, MODEL_DIR_WEIGHTS, &dir, &err), LR_OK);
    assert_int_equal(catalog_open(&dir, &catalog, &err), LR_OK);
    model_dir_close(&dir);
    for (size_t i = 0; i < N; i++) {
        const struct tensor_record *t = catalog_find(&catalog, lr_str_of(shapes[i].name));
        assert_non_null(t);
        tensors[i] = (struct plan_tensor){t, shapes[i].kind, shapes[i].layer, shapes[i].layer == 2};
    }
}

static int make_model(void **state) {
    folder_setup(state);
    support_write_file(folder, "config.json", "{}", 2);
    uint64_t seed = 1;
    for (size_t i = 0; i < N; i++) {
        bytes_of[i] = malloc(size_of(i));
        for (size_t k = 0; k < size_of(i); k++) bytes_of[i][k] = (uint8_t)draw(&seed, 256);
    }
    open_model(3);
    return 0;
}

static int remove_model(void **state) {
    catalog_close(&catalog);
    for (size_t i = 0; i < N; i++) free(bytes_of[i]);
    return folder_teardown(state);
}

/* ---- a store of it */

struct how {
    enum lr_load mode;
    uint32_t span, slots;
    enum disk_way way;
};

static bool read_whole(size_t i) {
    return shapes[i].kind == WEIGHT_LAYER || shapes[i].kind == WEIGHT_ESSENTIAL;
}

static void all_units(enum lr_load mode, uint64_t *units) {
    for (size_t i = 0; i < N; i++)
        units[i] = shapes[i].kind != WEIGHT_VECTOR && (mode == LR_LOAD_RESIDENT || read_whole(i))
                       ? units_count(tensors[i].record)
                       : 0;
}

static struct store_setup setup_for(const struct how *how, const uint64_t *most) {
    struct plan_facts f = {.tensors = tensors, .n_tensors = N, .budget = 1024 * MB, .lock = UINT64_MAX};
    f.rates.block = how->span * (uint32_t)MB;
    f.rates.depth = 1;
    struct store_setup s = {.mode = how->mode, .most = most};
    if (how->mode == LR_LOAD_STREAM) s.ring = plan_ring(&f, UINT64_MAX);
    if (how->mode == LR_LOAD_STREAM) assert_int_equal(s.ring.span, how->span);
    s.ring.slots = how->mode == LR_LOAD_STREAM ? how->slots : 0;
    s.least = plan_ring(&f, 0);
    s.ring_most = 100 * MB > s.ring.slot * s.ring.slots ? 100 * MB : s.ring.slot * s.ring.slots;
    s.rates.block = f.rates.block;
    s.rates.depth = 4;
    return s;
}

static void go(struct store *s, enum disk_way way) {
    for (size_t i = 0; i < catalog.n_files; i++) s->files[i].way = way;
}

static enum lr_status try_open(struct store *s, const struct how *how) {
    uint64_t most[N];
    all_units(how->mode, most);
    LR_TRY(store_open(&catalog, tensors, N, s, &err));
    go(s, how->way);
    struct store_setup setup = setup_for(how, most);
    enum lr_status status = store_set_up(s, &setup, &err);
    s->setup.most = NULL;
    if (status == LR_OK && how->mode == LR_LOAD_RESIDENT) status = store_pin(s, 0, N, most, &err);
    if (status != LR_OK) store_close(s);
    return status;
}

static void open_store(struct store *s, const struct how *how) {
    if (try_open(s, how) != LR_OK) fail_msg("%s", err.message);
}

/* Rows of tensor i one piece after the other: each where the last one ended, with the file's bytes. Pieces in
 * memory are whole units, no more than it takes for `most` rows. */
static enum lr_status read_pieces(struct store *s, size_t i, uint64_t most) {
    const struct tensor_record *t = tensors[i].record;
    struct loan loan = store_lend(t);
    enum lr_status status;
    loan.most_rows = most;
    uint64_t rows = 0, row = units_row_bytes(t);
    while (store_next(s, &loan, &status, &err)) {
        assert_int_equal(loan.first, rows);
        assert_int_equal(loan.view.cols, shapes[i].cols);
        if (!loan.streamed) assert_true(loan.view.rows < most + units_rows(t) || most == UINT64_MAX);
        if (memcmp(loan.view.data, bytes_of[i] + rows * row, loan.view.rows * row) != 0)
            fail_msg("%s: rows from %lu on are not the file's", shapes[i].name, (unsigned long)rows);
        rows += loan.view.rows;
    }
    if (status == LR_OK) assert_int_equal(rows, shapes[i].rows);
    return status;
}

static enum lr_status read_tensor(struct store *s, size_t i) {
    return read_pieces(s, i, UINT64_MAX);
}

static enum lr_status try_pass(struct store *s, bool head) {
    enum lr_status status = LR_OK;
    store_begin(s, head);
    for (size_t i = 0; i < N && status == LR_OK; i++)
        if (shapes[i].kind == WEIGHT_LAYER || (head && i == HEAD)) status = read_tensor(s, i);
    store_end(s);
    return status;
}

static void pass(struct store *s, bool head) {
    if (try_pass(s, head) != LR_OK) fail_msg("%s", err.message);
}

/* Rows anywhere, as an embedding and the norms are read. */
static void copy_rows(struct store *s) {
    for (size_t i = 0; i < N; i++) {
        uint64_t row = units_row_bytes(tensors[i].record), rows = shapes[i].rows;
        uint64_t first = rows / 3, n = rows - first < 40 ? rows - first : 40;
        uint8_t *out = malloc(n * row);
        assert_int_equal(store_copy(s, tensors[i].record, first, n, out, &err), LR_OK);
        assert_memory_equal(out, bytes_of[i] + first * row, n * row);
        free(out);
    }
}

/* ---- the same bytes in every mode */

static void pin_share(struct store *s, unsigned of_four) {
    uint64_t units[N];
    all_units(LR_LOAD_STREAM, units);
    for (size_t i = 0; i < N; i++) units[i] = units[i] * of_four / 4;
    store_unpin(s, units);
    if (store_pin(s, 0, N, units, &err) != LR_OK) fail_msg("%s", err.message);
    for (size_t i = 0; i < N; i++) assert_int_equal(s->pinned[i], units[i]);
}

static void mapped_and_resident(void **state) {
    (void)state;
    for (unsigned mod8 = 0; mod8 < 8; mod8++) {
        static const struct how map = {.mode = LR_LOAD_MAP}, resident = {.mode = LR_LOAD_RESIDENT, .span = 1};
        struct store s;
        open_model(mod8);
        open_store(&s, &map);
        store_want(&s, 0, N);
        pass(&s, true);
        copy_rows(&s);
        store_close(&s);
        open_store(&s, &resident);
        pass(&s, true);
        copy_rows(&s);
        store_close(&s);
    }
}

/* Every span, the smallest rings too, nothing pinned to everything, directly and through the cache, over data
 * that begins at any byte. */
static void streamed(void **state) {
    (void)state;
    static const uint32_t spans[] = {1, 4, 16}, slots[] = {2, 3, 9};
    for (unsigned k = 0; k < 9; k++) {
        struct how how = {LR_LOAD_STREAM, spans[k % 3], slots[k / 3], k % 2 ? DISK_DIRECT : DISK_BUFFERED};
        struct store s;
        open_model(k % 8);
        open_store(&s, &how);
        for (unsigned share = 0; share <= 4; share++) {
            pin_share(&s, share);
            pass(&s, true);
            copy_rows(&s);
            pass(&s, share % 2);
        }
        pin_share(&s, 0);
        pass(&s, true);
        assert_int_equal(s.pins.growth.taken, 0);
        store_close(&s);
    }
}

/* What is read ahead for a head that is not asked for is dropped, and what is asked for is not. */
static void passes_that_skip_the_head(void **state) {
    (void)state;
    static const struct how how = {LR_LOAD_STREAM, 1, 40, DISK_DIRECT}; /* a ring for more than one pass */
    static const bool heads[] = {false, false, true, false, true, true, false};
    struct store s;
    open_store(&s, &how);
    for (size_t i = 0; i < sizeof heads; i++) pass(&s, heads[i]);
    store_close(&s);
}

/* A caller need not ask for everything, nor in the order of use, nor take the last piece of anything. */
static void any_order_and_loans_given_back_early(void **state) {
    (void)state;
    static const struct how how = {LR_LOAD_STREAM, 1, 3, DISK_BUFFERED};
    struct store s;
    uint64_t seed = 5;
    open_store(&s, &how);
    pin_share(&s, 1);
    store_begin(&s, true);
    for (int k = 0; k < 60; k++) {
        size_t i = draw(&seed, N);
        enum lr_status status;
        if (!read_whole(i)) continue;
        if (k % 3) {
            assert_int_equal(read_tensor(&s, i), LR_OK);
            continue;
        }
        struct loan loan = store_lend(tensors[i].record);
        for (uint64_t pieces = 1 + draw(&seed, 3); pieces; pieces--)
            if (!store_next(&s, &loan, &status, &err)) break;
        store_give_back(&s, &loan);
        store_give_back(&s, &loan); /* nothing any more */
    }
    store_end(&s);
    store_close(&s);
}

/* Who says how long pieces may be gets no longer ones, and whole matrices where they may be so long. */
static void pieces_as_long_as_is_liked(void **state) {
    (void)state;
    static const struct how how[] = {{.mode = LR_LOAD_MAP}, {LR_LOAD_STREAM, 4, 2, DISK_BUFFERED}};
    for (size_t k = 0; k < 2; k++) {
        struct store s;
        open_store(&s, &how[k]);
        if (k) pin_share(&s, 3);
        store_begin(&s, true);
        for (size_t i = 0; i < N; i++)
            for (uint64_t most = 1; read_whole(i) && most < 2 * shapes[i].rows; most += 1 + most / 3)
                assert_int_equal(read_pieces(&s, i, most), LR_OK);
        struct loan loan = store_lend(tensors[HEAD].record);
        enum lr_status status;
        loan.most_rows = shapes[HEAD].rows;
        assert_true(store_next(&s, &loan, &status, &err));
        if (k == 0) assert_int_equal(loan.view.rows, shapes[HEAD].rows);
        store_give_back(&s, &loan);
        store_end(&s);
        store_close(&s);
    }
}

struct shaker {
    struct store *store;
    uint64_t seed;
    unsigned changes;
};

/* As the monitor does: between two pieces some pins are given back and others taken. */
static enum lr_status shake(void *ctx, struct lr_error *e) {
    struct shaker *k = ctx;
    uint64_t units[N];
    if (draw(&k->seed, 3)) return LR_OK;
    all_units(LR_LOAD_STREAM, units);
    for (size_t i = 0; i < N; i++) units[i] = draw(&k->seed, units[i] + 1);
    k->changes++;
    store_unpin(k->store, units);
    return store_pin(k->store, 0, N, units, e);
}

static void pins_change_in_mid_pass(void **state) {
    (void)state;
    static const uint32_t spans[] = {1, 4, 16};
    for (size_t k = 0; k < 3; k++) {
        struct how how = {LR_LOAD_STREAM, spans[k], 2 + (uint32_t)k, DISK_DIRECT};
        struct store s;
        struct shaker shaker = {&s, k, 0};
        open_store(&s, &how);
        s.on_boundary = shake;
        s.owner = &shaker;
        for (int n = 0; n < 6; n++) pass(&s, n % 3);
        assert_true(shaker.changes > 20);
        s.on_boundary = NULL;
        copy_rows(&s);
        store_close(&s);
    }
}

static uint64_t nothing_left(void *ctx) {
    (void)ctx;
    return 0;
}

/* Whether large pages are asked for at an address (the flag "hg" of proc/self/smaps); -1: not told. */
static int wants_large(const void *at) {
    FILE *f = fopen("/proc/self/smaps", "r");
    char line[512];
    unsigned long from, to, wanted = (unsigned long)(uintptr_t)at;
    int found = -1;
    for (bool inside = false; f && found < 0 && fgets(line, sizeof line, f);) {
        if (sscanf(line, "%lx-%lx ", &from, &to) == 2) inside = from <= wanted && wanted < to;
        if (inside && strncmp(line, "VmFlags:", 8) == 0) found = strstr(line, " hg") != NULL;
    }
    if (f) fclose(f);
    return found;
}

/* A disk fills large pages faster: also those of pins and of a ring that were given back and taken again. */
static void memory_that_returns_is_as_good_as_new(void **state) {
    (void)state;
    static const struct how how = {LR_LOAD_STREAM, 1, 3, DISK_DIRECT};
    struct store s;
    open_store(&s, &how);
    struct ring_size ring = s.setup.ring;
    pin_share(&s, 4);
    int pin = wants_large(pins_at(&s.pins, HEAD, 4 * MB)), slot = wants_large(s.ring.base);
    for (int i = 0; i < 2; i++) {
        pin_share(&s, 0);
        assert_int_equal(store_ring(&s, (struct ring_size){0}, &err), LR_OK);
        assert_int_equal(s.ring.growth.taken + s.pins.growth.taken, 0);
        assert_int_equal(store_ring(&s, ring, &err), LR_OK);
        pin_share(&s, 4);
        assert_int_equal(wants_large(pins_at(&s.pins, HEAD, 4 * MB)), pin);
        assert_int_equal(wants_large(s.ring.base), slot);
    }
    assert_int_equal(pin, slot);
    pin_share(&s, 1);
    pass(&s, true);
    store_close(&s);
}

/* Between any two pieces; what is in the ring is then lost and comes again. */
static enum lr_status reshape(void *ctx, struct lr_error *e) {
    struct shaker *k = ctx;
    struct plan_facts f = {.tensors = tensors, .n_tensors = N, .budget = 1024 * MB, .lock = UINT64_MAX};
    f.rates.block = (uint32_t)MB << draw(&k->seed, 5);
    f.rates.depth = 1;
    if (draw(&k->seed, 4)) return LR_OK;
    struct ring_size ring = plan_ring(&f, UINT64_MAX);
    ring.slots = (uint32_t)draw(&k->seed, 5);
    k->changes++;
    return store_ring(k->store, ring, e);
}

static void rings_change_in_mid_pass(void **state) {
    (void)state;
    static const struct how how = {LR_LOAD_STREAM, 4, 3, DISK_DIRECT};
    struct store s;
    struct shaker shaker = {&s, 3, 0};
    open_store(&s, &how);
    pin_share(&s, 1);
    s.on_boundary = reshape;
    s.owner = &shaker;
    for (int n = 0; n < 8; n++) pass(&s, n % 3);
    assert_true(shaker.changes > 20);
    store_close(&s);
}

/* Beyond the first two slots the policy is asked; without addresses for two there is the least ring. */
static void a_ring_that_is_refused_is_smaller(void **state) {
    (void)state;
    static const struct how how = {LR_LOAD_STREAM, 1, 3, DISK_DIRECT};
    struct store s;
    uint64_t most[N];
    open_store(&s, &how);
    struct ring_size ring = s.setup.ring;
    s.ring.growth.available = nothing_left;
    s.ring.growth.size = 1;
    ring.slots = 9;
    assert_int_equal(store_ring(&s, ring, &err), LR_OK);
    assert_int_equal(s.stream.size.slots, 3); /* those that it had */
    pass(&s, true);
    assert_int_equal(store_ring(&s, (struct ring_size){0}, &err), LR_OK);
    assert_int_equal(store_ring(&s, ring, &err), LR_OK);
    assert_int_equal(s.stream.size.slots, 2);
    pass(&s, true);
    all_units(LR_LOAD_STREAM, most);
    struct store_setup setup = setup_for(&how, most);
    setup.ring_most = setup.least.slots * setup.least.slot;
    setup.ring.slot = 64 * MB;
    assert_int_equal(store_set_up(&s, &setup, &err), LR_OK);
    assert_int_equal(s.stream.size.slot, setup.least.slot);
    pass(&s, true);
    store_close(&s);
}

static void modes_follow_each_other(void **state) {
    (void)state;
    static const struct how how[] = {{LR_LOAD_MAP, 1, 0, DISK_DIRECT},
                                     {LR_LOAD_STREAM, 4, 2, DISK_DIRECT},
                                     {LR_LOAD_STREAM, 1, 5, DISK_BUFFERED},
                                     {LR_LOAD_RESIDENT, 1, 0, DISK_BUFFERED},
                                     {LR_LOAD_MAP, 1, 0, DISK_DIRECT}};
    struct store s;
    open_store(&s, &how[0]);
    for (size_t k = 0; k < sizeof how / sizeof *how; k++) {
        uint64_t most[N];
        all_units(how[k].mode, most);
        struct store_setup setup = setup_for(&how[k], most);
        store_clear(&s); /* no reader looks at the way meanwhile */
        go(&s, how[k].way);
        assert_int_equal(store_set_up(&s, &setup, &err), LR_OK);
        s.setup.most = NULL;
        if (how[k].mode == LR_LOAD_RESIDENT) assert_int_equal(store_pin(&s, 0, N, most, &err), LR_OK);
        pass(&s, true);
        pass(&s, false);
    }
    store_close(&s);
    store_close(&s);
}

/* ---- refused memory */

/* What the policy refuses is streamed; a forced copy is an error that names the tensor. */
static void refused_pins_are_streamed(void **state) {
    (void)state;
    struct how how = {LR_LOAD_STREAM, 1, 2, DISK_BUFFERED};
    struct store s;
    uint64_t units[N];
    open_store(&s, &how);
    all_units(LR_LOAD_STREAM, units);
    s.pins.growth.available = nothing_left;
    s.pins.growth.size = 1; /* its first size is used up */
    assert_int_equal(store_pin(&s, 0, N, units, &err), LR_OK);
    for (size_t i = 0; i < N; i++) assert_int_equal(s.pinned[i], 0);
    pass(&s, true);
    s.pins.growth.available = NULL;
    pin_share(&s, 4);
    pass(&s, true);
    store_close(&s);

    how.mode = LR_LOAD_RESIDENT;
    open_store(&s, &how);
    store_unpin(&s, (const uint64_t[N]){0});
    s.pins.growth.available = nothing_left;
    s.pins.growth.size = 1;
    all_units(LR_LOAD_RESIDENT, units);
    assert_int_equal(store_pin(&s, 0, N, units, &err), LR_EMEMORY);
    assert_int_equal(strncmp(err.message, "Cannot allocate ", 16), 0);
    assert_non_null(strstr(err.message, " Available memory: 0 GB (a copy of 'embed': "));
    assert_non_null(strstr(err.message, "leave out --load resident"));
    store_close(&s);
}

/* A change of mode that memory is refused for: passes say so too, until another one succeeds. */
static void a_refused_mode_is_told_again(void **state) {
    (void)state;
    struct how how = {.mode = LR_LOAD_MAP};
    struct store s;
    uint64_t most[N];
    struct lr_error refusal;
    open_store(&s, &how);
    how = (struct how){LR_LOAD_STREAM, 1, 2, DISK_BUFFERED};
    all_units(LR_LOAD_STREAM, most);
    struct store_setup setup = setup_for(&how, most);
    lr_mem_fail_after(1, 0);
    assert_int_equal(store_set_up(&s, &setup, &refusal), LR_EMEMORY);
    lr_mem_fail_after(0, 0);
    assert_int_equal(strncmp(refusal.message, "Cannot allocate ", 16), 0);
    assert_int_equal(try_pass(&s, true), LR_EMEMORY);
    assert_string_equal(err.message, refusal.message);
    assert_int_equal(store_set_up(&s, &setup, &err), LR_OK);
    s.setup.most = NULL;
    pass(&s, true);
    store_close(&s);
}

/* Where addresses are short they are reserved for what was planned at first; later plans may want more. */
static void no_more_is_pinned_than_is_reserved(void **state) {
    (void)state;
    struct how how = {LR_LOAD_STREAM, 1, 2, DISK_BUFFERED};
    struct store s;
    uint64_t units[N], most[N];
    all_units(LR_LOAD_STREAM, units);
    for (size_t i = 0; i < N; i++) most[i] = units[i] / 4;
    assert_int_equal(store_open(&catalog, tensors, N, &s, &err), LR_OK);
    struct store_setup setup = setup_for(&how, most);
    assert_int_equal(store_set_up(&s, &setup, &err), LR_OK);
    s.setup.most = NULL;
    assert_int_equal(store_pin(&s, 0, N, units, &err), LR_OK);
    pass(&s, true);
    for (size_t i = 0; i < N; i++) assert_int_equal(s.pinned[i], most[i]);
    assert_false(pins_grow(&s.pins, HEAD, most[HEAD] + 1));
    store_close(&s);
}

/* Between two steps of one large matrix too, and what was read by then is given back. */
static void pinning_is_interrupted(void **state) {
    (void)state;
    struct how how = {LR_LOAD_STREAM, 1, 2, DISK_BUFFERED};
    struct store s;
    uint64_t units[N];
    volatile int stop = 1;
    open_store(&s, &how);
    all_units(LR_LOAD_STREAM, units);
    s.setup.interrupt = &stop;
    assert_int_equal(store_pin(&s, HEAD, N, units, &err), LR_EINTERRUPTED);
    assert_int_equal(s.pinned[HEAD], 0);
    assert_int_equal(s.pins.growth.taken, 0);
    stop = 0;
    pin_share(&s, 4);
    pass(&s, true);
    store_close(&s);
}

/* ---- failures */

enum trouble { TROUBLE_ONCE, TROUBLE_FROM_THERE };

struct fault {
    atomic_long calls;
    long at;
    enum trouble trouble;
    int64_t result; /* negative: -errno; else the bytes that are passed on at most */
};

static int64_t read_fault(void *ctx, uint64_t offset, uint64_t bytes) {
    struct fault *f = ctx;
    (void)offset;
    (void)bytes;
    long n = atomic_fetch_add(&f->calls, 1) + 1;
    bool strikes = f->trouble == TROUBLE_ONCE ? n == f->at : n >= f->at;
    return strikes ? f->result : INT64_MAX;
}

/* Out of the page cache, so that reads go to the disk. */
static void drop_files(void) {
    for (size_t i = 0; i < catalog.n_files; i++) {
        int fd = open(catalog.files[i].path, O_RDONLY);
        assert_true(fd >= 0);
        fsync(fd);
        posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
        close(fd);
    }
}

static enum lr_status work(struct store *s) {
    uint64_t units[N];
    char row[1400];
    all_units(LR_LOAD_STREAM, units);
    for (size_t i = 0; i < N; i++) units[i] /= 2;
    LR_TRY(store_pin(s, 0, N, units, &err));
    LR_TRY(store_copy(s, tensors[0].record, 7, 1, row, &err));
    LR_TRY(try_pass(s, true));
    return try_pass(s, false);
}

/* With the Nth read failing: an error that names a file, or the right bytes. When reads work again so does
 * the store, whatever was half done. True when the Nth was reached. */
static bool one_fault(const struct how *how, struct fault *f, bool may_fail) {
    struct support_held before = support_held_now();
    struct store s;
    if (may_fail || how->way == DISK_DIRECT) drop_files();
    err = (struct lr_error){0};
    system_on_read(read_fault, f);
    enum lr_status status = store_open(&catalog, tensors, N, &s, &err);
    if (status == LR_OK) {
        uint64_t most[N];
        go(&s, how->way);
        all_units(how->mode, most);
        struct store_setup setup = setup_for(how, most);
        status = store_set_up(&s, &setup, &err);
        s.setup.most = NULL;
        if (status == LR_OK) status = work(&s);
        system_on_read(NULL, NULL);
        pin_share(&s, 1);
        pass(&s, true);
        store_close(&s);
    }
    system_on_read(NULL, NULL);
    if (status != LR_OK) {
        assert_true(may_fail);
        assert_int_equal(status, LR_EFAILED);
        assert_non_null(strstr(err.message, ".safetensors: cannot be read at byte"));
    }
    support_nothing_more_than(before);
    return atomic_load(&f->calls) >= f->at;
}

static void every_read_fails(enum trouble trouble, int64_t result, bool may_fail) {
    static const struct how ways[] = {{LR_LOAD_STREAM, 4, 3, DISK_DIRECT},
                                      {LR_LOAD_STREAM, 16, 2, DISK_BUFFERED}};
    for (size_t w = 0; w < 2; w++) {
        long n = 1;
        for (bool reached = true; reached; n++) {
            struct fault f = {.at = n, .trouble = trouble, .result = result};
            reached = one_fault(&ways[w], &f, may_fail);
        }
        assert_true(n > 10);
    }
}

static void every_read_fails_with_eio(void **state) {
    (void)state;
    every_read_fails(TROUBLE_ONCE, -EIO, true);
}
static void every_read_fails_with_eio_from_there(void **state) {
    (void)state;
    every_read_fails(TROUBLE_FROM_THERE, -EIO, true);
}
static void every_read_is_interrupted(void **state) {
    (void)state;
    every_read_fails(TROUBLE_ONCE, -EINTR, false);
}
static void every_read_is_short(void **state) {
    (void)state;
    every_read_fails(TROUBLE_ONCE, 5000, false);
    every_read_fails(TROUBLE_ONCE, 100, false); /* less than a block */
}

static void all_reads_are_short(void **state) {
    (void)state;
    static const struct how how = {LR_LOAD_STREAM, 4, 3, DISK_DIRECT};
    struct fault f = {.at = 1, .trouble = TROUBLE_FROM_THERE, .result = 70001};
    one_fault(&how, &f, false);
}

/* Pins whose reading failed are not taken for read when the next ones are. */
static void failed_pins_are_not_pinned(void **state) {
    (void)state;
    static const struct how how = {LR_LOAD_STREAM, 1, 2, DISK_DIRECT};
    struct fault f = {.at = 1, .trouble = TROUBLE_FROM_THERE, .result = -EIO};
    struct store s;
    uint64_t units[N], none[N] = {0};
    open_store(&s, &how);
    all_units(LR_LOAD_STREAM, units);
    drop_files();
    system_on_read(read_fault, &f);
    assert_int_equal(store_pin(&s, 0, N, units, &err), LR_EFAILED);
    system_on_read(NULL, NULL);
    for (size_t i = 0; i < N; i++) assert_int_equal(s.pinned[i], 0);
    assert_int_equal(store_pin(&s, 0, N, none, &err), LR_OK);
    pass(&s, true);
    assert_int_equal(s.pins.growth.taken, 0); /* and their memory is not kept */
    store_close(&s);
}

/* Nor is a block of the ring that could not be read what the next pass finds there. */
static void a_failed_block_is_read_again(void **state) {
    (void)state;
    static const struct how how = {LR_LOAD_STREAM, 1, 3, DISK_DIRECT};
    struct fault f = {.at = 1, .trouble = TROUBLE_FROM_THERE, .result = -EIO};
    struct store s;
    open_store(&s, &how);
    drop_files();
    system_on_read(read_fault, &f);
    assert_int_equal(try_pass(&s, true), LR_EFAILED);
    assert_int_equal(try_pass(&s, true), LR_EFAILED);
    system_on_read(NULL, NULL);
    pass(&s, true);
    store_close(&s);
}

/* Where the read ahead failed and reading works by now, the pass does not notice. */
static void what_failed_ahead_is_read_at_its_turn(void **state) {
    (void)state;
    static const struct how how = {LR_LOAD_STREAM, 1, 3, DISK_BUFFERED};
    struct fault f = {.at = 20, .trouble = TROUBLE_ONCE, .result = -EIO};
    struct store s;
    open_store(&s, &how);
    drop_files();
    system_on_read(read_fault, &f);
    pass(&s, true);
    system_on_read(NULL, NULL);
    assert_true(f.calls > f.at);
    store_close(&s);
}

static int64_t count_bytes(void *ctx, uint64_t offset, uint64_t bytes) {
    (void)offset;
    atomic_fetch_add((atomic_ullong *)ctx, bytes);
    return INT64_MAX;
}

/* What is read ahead at a pass's end is the beginning of the next: nothing is read that is not used. */
static void count_passes(uint32_t span, bool head) {
    struct how how = {LR_LOAD_STREAM, span, 3, DISK_BUFFERED};
    struct store s;
    uint64_t in_a_pass = 0;
    atomic_ullong read = 0;
    open_store(&s, &how);
    pin_share(&s, 1);
    pass(&s, head);
    for (size_t i = 0; i < N; i++)
        if (shapes[i].kind == WEIGHT_LAYER || (head && i == HEAD))
            in_a_pass += size_of(i) - units_bytes(tensors[i].record, s.pinned[i]);
    system_on_read(count_bytes, &read);
    for (int n = 0; n < 4; n++) pass(&s, head);
    stream_reset(&s.stream);
    system_on_read(NULL, NULL);
    assert_true(read <= 4 * in_a_pass + 3 * s.setup.ring.slot);
    assert_true(read + 3 * s.setup.ring.slot >= 4 * in_a_pass);
    store_close(&s);
}

static void nothing_is_read_twice(void **state) {
    (void)state;
    static const uint32_t spans[] = {1, 4, 16};
    for (size_t k = 0; k < 6; k++) count_passes(spans[k / 2], k % 2);
}

static enum lr_status all_modes(void) {
    static const struct how how[] = {
        {.mode = LR_LOAD_MAP}, {LR_LOAD_STREAM, 4, 2, DISK_DIRECT}, {LR_LOAD_RESIDENT, 1, 0, DISK_BUFFERED}};
    for (size_t k = 0; k < 3; k++) {
        struct store s;
        LR_TRY(try_open(&s, &how[k]));
        if (how[k].mode == LR_LOAD_MAP) store_want(&s, 0, N);
        enum lr_status status = how[k].mode == LR_LOAD_STREAM ? work(&s) : try_pass(&s, true);
        store_close(&s);
        LR_TRY(status);
    }
    return LR_OK;
}

static void every_allocation_fails(void **state) {
    (void)state;
    struct support_held before = support_held_now();
    for (int sticky = 0; sticky < 2; sticky++)
        for (long n = 1;; n++) {
            err = (struct lr_error){0};
            lr_mem_fail_after(n, sticky);
            enum lr_status status = all_modes();
            bool reached = lr_mem_count() >= n;
            lr_mem_fail_after(0, 0);
            support_nothing_more_than(before);
            if (!reached) {
                assert_int_equal(status, LR_OK);
                assert_true(n > 10);
                break;
            }
            if (status == LR_OK) continue; /* what is not read ahead comes all the same */
            assert_int_equal(status, LR_EMEMORY);
            assert_int_equal(strncmp(err.message, "Cannot allocate ", 16), 0);
        }
}

/* ---- files that change */

static void append_byte(const char *path) {
    FILE *f = fopen(path, "ab");
    assert_non_null(f);
    fputc(0, f);
    assert_int_equal(fclose(f), 0);
}

static void a_file_that_is_not_what_its_header_said(void **state) {
    (void)state;
    struct store s;
    append_byte(catalog.files[1].path);
    assert_int_equal(store_open(&catalog, tensors, N, &s, &err), LR_EMODEL);
    assert_non_null(strstr(err.message, catalog.files[1].path));
    assert_non_null(strstr(err.message, "still being written"));
    open_model(3);
    static const struct how how = {.mode = LR_LOAD_MAP};
    open_store(&s, &how);
    assert_int_equal(store_check(&s, true, &err), LR_OK);
    append_byte(catalog.files[1].path);
    assert_int_equal(store_check(&s, false, &err), LR_OK); /* does not look */
    assert_int_equal(store_check(&s, true, &err), LR_EMODEL);
    store_close(&s);
    open_model(3);
}

/* Cut short while mapped: zeros instead of a crash, and the flag makes it an error. */
static void a_mapped_file_that_is_cut_short(void **state) {
    (void)state;
    static const struct how how = {.mode = LR_LOAD_MAP};
    struct store s;
    uint64_t most[N];
    open_store(&s, &how);
    all_units(LR_LOAD_MAP, most);
    struct store_setup setup = setup_for(&how, most);
    setup.guard = true;
    assert_int_equal(store_set_up(&s, &setup, &err), LR_OK);
    s.setup.most = NULL;
    const struct tensor_record *t = tensors[HEAD].record;
    assert_int_equal(truncate(catalog.files[t->file].path, (off_t)(t->offset + 4096)), 0);
    struct loan loan = store_lend(t);
    enum lr_status status;
    store_begin(&s, true);
    assert_true(store_next(&s, &loan, &status, &err));
    assert_int_equal(((const volatile uint8_t *)loan.view.data)[t->bytes - 1], 0);
    store_give_back(&s, &loan);
    store_end(&s);
    assert_int_equal(store_check(&s, false, &err), LR_EMODEL);
    assert_non_null(strstr(err.message, catalog.files[t->file].path));
    store_close(&s);
    open_model(3);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mapped_and_resident),
        cmocka_unit_test(streamed),
        cmocka_unit_test(passes_that_skip_the_head),
        cmocka_unit_test(any_order_and_loans_given_back_early),
        cmocka_unit_test(pieces_as_long_as_is_liked),
        cmocka_unit_test(pins_change_in_mid_pass),
        cmocka_unit_test(memory_that_returns_is_as_good_as_new),
        cmocka_unit_test(rings_change_in_mid_pass),
        cmocka_unit_test(a_ring_that_is_refused_is_smaller),
        cmocka_unit_test(modes_follow_each_other),
        cmocka_unit_test(refused_pins_are_streamed),
        cmocka_unit_test(a_refused_mode_is_told_again),
        cmocka_unit_test(no_more_is_pinned_than_is_reserved),
        cmocka_unit_test(pinning_is_interrupted),
        cmocka_unit_test(every_read_fails_with_eio),
        cmocka_unit_test(every_read_fails_with_eio_from_there),
        cmocka_unit_test(every_read_is_interrupted),
        cmocka_unit_test(every_read_is_short),
        cmocka_unit_test(all_reads_are_short),
        cmocka_unit_test(failed_pins_are_not_pinned),
        cmocka_unit_test(a_failed_block_is_read_again),
        cmocka_unit_test(what_failed_ahead_is_read_at_its_turn),
        cmocka_unit_test(nothing_is_read_twice),
        cmocka_unit_test(every_allocation_fails),
        cmocka_unit_test(a_file_that_is_not_what_its_header_said),
        cmocka_unit_test(a_mapped_file_that_is_cut_short),
    };
    return cmocka_run_group_tests_name("store", tests, make_model, remove_model);
}
