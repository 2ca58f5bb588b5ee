/* The plan: what fits, what is refused with which advice, and what must hold of every plan whatever the model
 * and the memory are. */
#include "support/support.h"

#include "weights/place.h"
#include "weights/units.h"

#include <math.h>

#define MB (UINT64_C(1) << 20)
#define GB (UINT64_C(1) << 30)

/* 1 MB a position of KV cache, 10 MB of work space. */
static enum lr_status simple_session(const void *ctx, uint32_t context, uint32_t chunk, uint64_t *kv,
                                     uint64_t *work, struct lr_error *err) {
    (void)ctx;
    (void)chunk;
    *kv = (uint64_t)context << 20;
    (void)err;
    *work = 10 * MB;
    return LR_OK;
}

static struct plan_facts simple_facts(uint64_t budget) {
    return (struct plan_facts){.budget = budget,
                               .ours = budget,
                               .address = UINT64_MAX,
                               .lock = UINT64_MAX,
                               .load = LR_LOAD_MAP,
                               .limit = 512,
                               .maximum = 8192,
                               .session = simple_session};
}

static void plan_finds_the_context_that_fits(void **state) {
    (void)state;
    struct plan_facts f = simple_facts(4 * GB);
    struct lr_plan p;
    struct lr_error err;
    plan_make(&f, NULL, &p);
    assert_true(p.fits);
    assert_int_equal(p.context, 512);
    assert_int_equal(p.context_that_fits, 4086); /* what the work space leaves */
    f.wanted = 4086;
    plan_make(&f, NULL, &p);
    assert_true(p.fits);
    f.wanted = 4087;
    plan_make(&f, NULL, &p);
    assert_false(p.fits);
    assert_int_equal(plan_refuse(&f, &p, &err), LR_EMEMORY);
    assert_non_null(strstr(err.message, "Available memory: 4.00 GB"));
    assert_non_null(strstr(err.message, "-c 4086"));
    f.wanted = 0;
    f.fixed = 4 * GB - 12 * MB;
    plan_make(&f, NULL, &p);
    assert_true(p.fits);
    assert_int_equal(p.context, 2);
    f.fixed = 5 * GB;
    plan_make(&f, NULL, &p);
    assert_false(p.fits);
    assert_int_equal(p.context_that_fits, 0);
    assert_int_equal(plan_refuse(&f, &p, &err), LR_EMEMORY);
    assert_non_null(strstr(err.message, "more free: close other programs"));
}

static uint64_t budget_of(uint64_t ours) {
    uint64_t reserve = ours / 100 > 16 * MB ? ours / 100 : 16 * MB;
    return ours > reserve ? ours - reserve : 0;
}

/* Who follows the advice gets what was asked for, and one who gives much less does not. */
static void the_limit_that_is_named_suffices(void **state) {
    (void)state;
    static const uint64_t limits[] = {1 * MB, 15 * MB, 30 * MB, 900 * MB, 3 * GB};
    static const uint32_t contexts[] = {1, 40, 3000, 8000};
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        for (size_t k = 0; k < sizeof contexts / sizeof *contexts; k++) {
            struct plan_facts f = simple_facts(budget_of(limits[i]));
            struct lr_plan p;
            struct lr_error err;
            f.ours = limits[i];
            f.bound = MEMORY_BY_USER;
            f.fixed = 5 * MB;
            f.wanted = contexts[k];
            plan_make(&f, NULL, &p);
            if (p.fits) continue;
            assert_int_equal(plan_refuse(&f, &p, &err), LR_EMEMORY);
            const char *advice = strstr(err.message, "--mem-limit ");
            assert_non_null(advice);
            uint64_t named = strtoull(advice + strlen("--mem-limit "), NULL, 10);
            f.budget = budget_of(f.ours = named << 20);
            plan_make(&f, NULL, &p);
            assert_true(p.fits);
            f.budget = budget_of(f.ours = (named - 4) << 20);
            plan_make(&f, NULL, &p);
            assert_false(p.fits);
        }
    }
}

static const char *refusal_of(const struct plan_facts *f) {
    static struct lr_error err;
    struct lr_plan p;
    plan_make(f, NULL, &p);
    assert_false(p.fits);
    assert_int_equal(plan_refuse(f, &p, &err), LR_EMEMORY);
    return err.message;
}

/* What there is too little of, and so what is to be changed. */
static void a_refusal_names_what_is_short(void **state) {
    (void)state;
    static const char *const ways[] = {
        [MEMORY_BY_SYSTEM] = "; needs 1.03 GB more free: close other programs)",
        [MEMORY_BY_GROUP] =
            "; needs 1.03 GB more free: close other programs of the control group, or raise its limit)",
        [MEMORY_BY_DATA_LIMIT] = "; needs 1.03 GB more: ulimit -d sets the limit, raise it)",
        [MEMORY_BY_USER] =
            "; needs 1.03 GB more free: close other programs if need be, and give --mem-limit 2081M)"};
    struct plan_facts f = simple_facts(1 * GB);
    f.fixed = 2 * GB;
    f.wanted = 1;
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        f.bound = (enum memory_bound)i;
        const char *told = refusal_of(&f), *way = strchr(told, ';');
        assert_int_equal(
            strncmp(told, "Cannot allocate 2.01 GB. Available memory: 1.00 GB (mapped weights and ",
                    strlen("Cannot allocate 2.01 GB. Available memory: 1.00 GB (mapped weights and ")),
            0);
        assert_string_equal(way, ways[i]);
    }
    f.fixed = 20 * MB;
    f.opening = 3 * GB;
    assert_non_null(strstr(refusal_of(&f),
                           "Cannot allocate 3.02 GB. Available memory: 1.00 GB (reading the tokenizer: "));
    f.opening = 0;
    f.address = 25 * MB;
    assert_string_equal(refusal_of(&f),
                        "Cannot allocate 0.030 GB. Available memory: 0.024 GB (addresses: 32,505,856 bytes; "
                        "needs 0.0059 GB more of addresses: raise ulimit -v)");
    f.wanted = 100;
    f.address = 100 * MB; /* 1 MB a position, 30 for the rest */
    assert_string_equal(
        refusal_of(&f),
        "Cannot allocate 0.13 GB. Available memory: 0.098 GB (addresses: 136,314,880 bytes; a "
        "context of 70 positions would fit: -c 70 needs 0.098 GB; or needs 0.029 GB more of "
        "addresses: raise ulimit -v)");
}

/* 1 KB of KV cache a position, and `*ctx` bytes of work space a token of a chunk. */
static enum lr_status wide_session(const void *ctx, uint32_t context, uint32_t chunk, uint64_t *kv,
                                   uint64_t *work, struct lr_error *err) {
    (void)err;
    *kv = (uint64_t)context << 10;
    *work = *(const uint64_t *)ctx * chunk;
    return LR_OK;
}

/* A pass over streamed weights serves more tokens where the disk is slow, as far as work space is cheap. */
static void slow_disks_have_wide_chunks(void **state) {
    (void)state;
    struct tensor_record record = {
        .dtype = LR_BF16, .rank = 2, .shape = {UINT64_C(1) << 19, 2048}, .bytes = 2 * GB};
    struct plan_tensor tensor = {&record, WEIGHT_LAYER, 0, false};
    static const struct {
        uint64_t budget;
        double disk;
        uint32_t chunk;
    } rows[] = {
        {1 * GB, 0, 512}, {1 * GB, 3e9, 512}, {1 * GB, 3e8, 1024}, {1 * GB, 1e8, 4096}, {3 * GB, 1e8, 512}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct plan_facts f = simple_facts(rows[i].budget);
        struct lr_plan p;
        uint64_t pinned;
        uint64_t per_token = 1024;
        f.session = wide_session;
        f.session_ctx = &per_token;
        f.load = LR_LOAD_STREAM;
        f.tensors = &tensor;
        f.n_tensors = f.layers = 1;
        f.wanted = f.maximum = 8192;
        f.rates = (struct plan_rates){.disk = rows[i].disk, .prefill = 3e11, .product = 3e10};
        plan_make(&f, &pinned, &p);
        assert_int_equal(p.chunk, rows[i].chunk);
        per_token = 100 * 1024; /* 1,024 of them are more than a sixteenth of 1 GB */
        plan_make(&f, &pinned, &p);
        assert_int_equal(p.chunk, 512);
    }
}

/* Speeds lie between what the rates allow at best and what they give one after the other; a larger chunk is
 * not slower; pins in many small pages take longer to load than as many bytes in one. */
static void speeds_follow_the_rates(void **state) {
    (void)state;
    enum { TENSORS = 64 };
    const double product = 30e9, prefill = 300e9, disk = 3e9;
    struct tensor_record records[TENSORS];
    struct plan_tensor tensors[TENSORS];
    uint64_t pinned[TENSORS];
    for (int i = 0; i < TENSORS; i++) {
        records[i] = (struct tensor_record){.dtype = LR_BF16, .rank = 2, .shape = {512, 1024}, .bytes = MB};
        tensors[i] = (struct plan_tensor){&records[i], WEIGHT_LAYER, 0, false};
    }
    struct plan_facts f = simple_facts(8 * GB);
    struct lr_plan p;
    f.tensors = tensors;
    f.n_tensors = TENSORS;
    f.layers = 1;
    f.page = 4096;
    f.rates = (struct plan_rates){.disk = disk, .prefill = prefill, .product = product};
    double token = 64.0 * MB / product, weights = 32.0 * MB, before = 0;
    for (f.chunk = 1; f.chunk <= 256; f.chunk *= 2) {
        plan_make(&f, pinned, &p);
        double seconds = f.chunk / p.prefill_tok_s, many = weights * f.chunk / prefill;
        assert_true(seconds > fmax(token, many) && seconds < 1.15 * (token + many) + 1e-4);
        assert_true(p.prefill_tok_s > before);
        assert_true(p.decode_tok_s < 1 / token && p.decode_tok_s > 0.8 / token);
        before = p.prefill_tok_s;
    }
    f.load = LR_LOAD_STREAM;
    plan_make(&f, pinned, &p);
    double small = p.load_s;
    records[0].shape[0] *= TENSORS;
    records[0].bytes *= TENSORS;
    f.n_tensors = 1;
    plan_make(&f, pinned, &p);
    assert_true(p.load_s > 64.0 * MB / disk && p.load_s < small);
}

/* What has to be locked is kept in memory as far as that is allowed; a forced copy is refused beforehand. */
static void locks_bound_what_is_kept(void **state) {
    (void)state;
    struct tensor_record record = {
        .dtype = LR_BF16, .rank = 2, .shape = {UINT64_C(1) << 19, 2048}, .bytes = 2 * GB};
    struct plan_tensor tensor = {&record, WEIGHT_LAYER, 0, false};
    struct plan_facts f = simple_facts(8 * GB);
    struct lr_plan p;
    uint64_t pinned;
    f.load = LR_LOAD_STREAM;
    f.tensors = &tensor;
    f.n_tensors = f.layers = 1;
    f.files = 2 * GB;
    f.wanted = 118;
    plan_make(&f, &pinned, &p);
    assert_true(p.fits && !p.streamed && !plan_lock_short(&f, &p));
    f.lock = 64 * MB;
    plan_make(&f, &pinned, &p);
    assert_true(p.fits && p.pinned > 60 * MB && p.pins <= 64 * MB && p.pinned + p.streamed == 2 * GB);
    assert_true(plan_lock_short(&f, &p));
    plan_advise(&f, &p);
    assert_int_equal(p.n_advice, 1);
    assert_string_equal(p.advice[0],
                        "ulimit -l lets 0.062 GB be locked, and --mlock keeps no more in memory: "
                        "raise it, or leave out --mlock");
    f.load = LR_LOAD_RESIDENT;
    struct lr_error err;
    plan_make(&f, &pinned, &p);
    assert_false(p.fits);
    assert_int_equal(plan_refuse(&f, &p, &err), LR_EMEMORY);
    assert_string_equal(err.message, "Cannot allocate 2.00 GB. Available memory: 0.062 GB (locked memory: "
                                     "2,147,487,744 bytes; without --load it would be mapped: needs 2.12 GB; "
                                     "or leave out --mlock; or raise ulimit -l)");
}

/* Where addresses alone keep a model from being mapped, the advice is to raise their limit. */
static void short_addresses_are_named_where_it_streams(void **state) {
    (void)state;
    struct tensor_record record = {
        .dtype = LR_BF16, .rank = 2, .shape = {UINT64_C(1) << 20, 2048}, .bytes = 4 * GB};
    struct plan_tensor tensor = {&record, WEIGHT_LAYER, 0, false};
    struct plan_facts f = simple_facts(8 * GB);
    struct lr_plan p;
    uint64_t pinned;
    f.load = LR_LOAD_AUTO;
    f.tensors = &tensor;
    f.n_tensors = f.layers = 1;
    f.files = 4 * GB;
    f.address = 1 * GB;
    f.wanted = 118;
    plan_make(&f, &pinned, &p);
    plan_advise(&f, &p);
    assert_true(p.fits && p.mode == LR_LOAD_STREAM && p.streamed);
    assert_int_equal(p.n_advice, 1);
    assert_string_equal(p.advice[0],
                        "with 3.12 GB more of addresses no token would wait for the disk: raise ulimit -v");
    f.budget = 2 * GB; /* then memory is what is short */
    plan_make(&f, &pinned, &p);
    plan_advise(&f, &p);
    assert_non_null(strstr(p.advice[0], "more free memory no token would wait"));
}

/* ---- models drawn at random */

enum { LAYERS_MOST = 6, TENSORS_MOST = 2 + LAYERS_MOST * 9 };

struct drawn {
    struct tensor_record records[TENSORS_MOST];
    struct plan_tensor tensors[TENSORS_MOST];
    uint64_t pinned[TENSORS_MOST];
    struct plan_facts facts;
};

static uint64_t draw(uint64_t *state, uint64_t most) {
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return most ? (*state >> 33) % most : 0;
}

static void add_tensor(struct drawn *d, enum weight_kind kind, uint32_t layer, uint64_t rows, uint64_t cols) {
    size_t i = d->facts.n_tensors++;
    struct tensor_record *r = &d->records[i];
    *r = (struct tensor_record){.dtype = LR_BF16, .rank = cols ? 2 : 1, .shape = {rows, cols}};
    r->bytes = rows * (cols ? cols : 1) * 2;
    r->offset = i * 12345;
    d->tensors[i] = (struct plan_tensor){r, kind, layer, kind == WEIGHT_ESSENTIAL || kind == WEIGHT_ROWS};
}

static enum lr_status chunk_session(const void *ctx, uint32_t context, uint32_t chunk, uint64_t *kv,
                                    uint64_t *work, struct lr_error *err) {
    uint64_t per = *(const uint64_t *)ctx;
    *kv = context * per;
    (void)err;
    *work = chunk * per * 2 + 1000;
    return LR_OK;
}

static void draw_model(struct drawn *d, uint64_t *state, const uint64_t *per) {
    *d = (struct drawn){0};
    uint32_t layers = 1 + (uint32_t)draw(state, LAYERS_MOST);
    uint64_t dim = 64 + draw(state, 4000), vocab = 100 + draw(state, 40000);
    if (draw(state, 2)) add_tensor(d, WEIGHT_ROWS, layers, vocab, dim);
    for (uint32_t l = 0; l < layers; l++) {
        add_tensor(d, WEIGHT_VECTOR, l, dim, 0);
        for (int k = 0; k < 7; k++) add_tensor(d, WEIGHT_LAYER, l, 1 + draw(state, 9000), dim);
    }
    add_tensor(d, WEIGHT_ESSENTIAL, layers, vocab, dim);
    uint64_t sum = 0;
    for (size_t i = 0; i < d->facts.n_tensors; i++) sum += d->records[i].bytes;
    d->facts.tensors = d->tensors;
    d->facts.layers = layers;
    d->facts.budget = draw(state, sum * 2 / 1000) * 1000;
    d->facts.ours = d->facts.budget + 16 * MB;
    d->facts.address = d->facts.lock = UINT64_MAX;
    d->facts.files = sum;
    d->facts.fixed = draw(state, 5 * MB);
    d->facts.tokenizer = draw(state, 5 * MB);
    d->facts.load = (enum lr_load)draw(state, 4);
    d->facts.wanted = draw(state, 2) ? 1 + (uint32_t)draw(state, 2000) : 0;
    d->facts.limit = 1024;
    d->facts.maximum = 4096;
    d->facts.session = chunk_session;
    d->facts.session_ctx = per;
    d->facts.rates = (struct plan_rates){1e9, 2e10, 1e11, (uint32_t)MB << 2 * draw(state, 3), 8};
}

/* Of every layer the same share, but for a unit here and there. */
static void check_shares(const struct drawn *d) {
    double least = 1, most = 0;
    for (uint32_t l = 0; l < d->facts.layers; l++) {
        uint64_t pins = 0, all = 0;
        for (size_t i = 0; i < d->facts.n_tensors; i++) {
            if (d->tensors[i].kind != WEIGHT_LAYER || d->tensors[i].layer != l) continue;
            pins += units_bytes(&d->records[i], d->pinned[i]);
            all += d->records[i].bytes;
        }
        double slack = 3.0 * MB;
        least = fmin(least, ((double)pins + slack) / (double)all);
        most = fmax(most, ((double)pins - slack) / (double)all);
    }
    assert_true(most <= least);
}

static void check_plan(const struct drawn *d, const struct lr_plan *p) {
    bool head_streamed = false, layer_pinned = false;
    uint64_t pinned = 0, streamed = 0;
    for (size_t i = 0; i < d->facts.n_tensors; i++) {
        const struct plan_tensor *t = &d->tensors[i];
        uint64_t all = units_count(t->record), bytes = units_bytes(t->record, d->pinned[i]);
        assert_true(d->pinned[i] <= all);
        pinned += bytes;
        if (t->kind == WEIGHT_ESSENTIAL || t->kind == WEIGHT_LAYER) streamed += t->record->bytes - bytes;
        if (t->kind == WEIGHT_ESSENTIAL) head_streamed |= d->pinned[i] + 1 < all;
        if (t->kind == WEIGHT_LAYER) layer_pinned |= bytes > 2 * MB;
        if (t->kind == WEIGHT_VECTOR || (t->kind == WEIGHT_ROWS && p->mode != LR_LOAD_RESIDENT))
            assert_int_equal(d->pinned[i], 0);
    }
    if (!p->fits || p->mode == LR_LOAD_MAP) return;
    assert_true(p->need <= d->facts.budget); /* never over budget */
    assert_int_equal(p->pinned, pinned);     /* everything is placed once */
    assert_int_equal(p->streamed, streamed);
    assert_true(p->pins >= pinned);
    assert_false(head_streamed && layer_pinned); /* essentials first */
    if (p->mode == LR_LOAD_RESIDENT) assert_int_equal(streamed, 0);
    if (p->mode == LR_LOAD_STREAM) check_shares(d);
    if (p->mode == LR_LOAD_STREAM && streamed) /* to the budget's last block */
        assert_true(d->facts.budget - p->need < 2 * MB + p->kv);
}

static void every_plan_keeps_its_promises(void **state) {
    (void)state;
    static struct drawn d;
    uint64_t seed = 7, fit = 0, modes[4] = {0};
    for (int i = 0; i < 4000; i++) {
        uint64_t per = 1 + draw(&seed, 20000);
        struct lr_plan p;
        draw_model(&d, &seed, &per);
        plan_make(&d.facts, d.pinned, &p);
        check_plan(&d, &p);
        fit += p.fits;
        if (p.fits) modes[p.mode]++;
        if (d.facts.wanted) assert_int_equal(p.context, d.facts.wanted);
        if (d.facts.load) assert_int_equal(p.mode, d.facts.load);
    }
    assert_true(fit > 1000 && modes[LR_LOAD_MAP] > 100 && modes[LR_LOAD_STREAM] > 100 &&
                modes[LR_LOAD_RESIDENT] > 100);
}

/* More memory never makes a plan read more. */
static void more_memory_reads_less(void **state) {
    (void)state;
    static struct drawn d;
    uint64_t seed = 11, per = 500;
    for (int k = 0; k < 40; k++) {
        draw_model(&d, &seed, &per);
        d.facts.load = LR_LOAD_STREAM;
        d.facts.wanted = 64;
        d.facts.fixed = d.facts.tokenizer = 0;
        uint64_t before = UINT64_MAX;
        for (uint64_t budget = 8 * MB; budget < 400 * MB; budget += 24 * MB) {
            struct lr_plan p;
            d.facts.budget = budget;
            plan_make(&d.facts, d.pinned, &p);
            if (!p.fits) continue;
            assert_true(p.streamed <= before);
            before = p.streamed;
        }
    }
}

/* What no program that is closed would give is not asked for: a byte decides. */
static void no_more_is_advised_than_the_machine_has(void **state) {
    (void)state;
    static struct drawn d;
    struct lr_plan mapped, p;
    uint64_t seed = 5, per = 500;
    do draw_model(&d, &seed, &per);
    while (place_pass_bytes(&d.facts) < 300 * MB);
    d.facts.wanted = 64;
    d.facts.budget = 140 * MB;
    d.facts.load = LR_LOAD_MAP;
    plan_judge(&d.facts, &mapped);
    const uint64_t all = memory_for_budget(mapped.least);
    d.facts.load = LR_LOAD_STREAM;
    for (int below = -1; below <= 1; below++) {
        d.facts.machine = all - (uint64_t)below;
        plan_make(&d.facts, d.pinned, &p);
        assert_true(p.fits && p.streamed > 0);
        plan_advise(&d.facts, &p);
        assert_int_equal(strstr(p.advice[0], "close other programs") != NULL, below <= 0);
        assert_int_equal(strstr(p.advice[0], "this machine has") != NULL, below > 0);
    }
}

/* A model of which 280 MB are a part, streamed. */
static void draw_streamed(struct drawn *d, const uint64_t *per) {
    uint64_t seed = 5;
    d->facts.n_tensors = 0;
    do draw_model(d, &seed, per);
    while (place_pass_bytes(&d->facts) < 300 * MB);
    d->facts.load = LR_LOAD_STREAM;
    d->facts.wanted = 64;
    d->facts.budget = 280 * MB;
}

/* The ring that is there is kept while it is about as large as one would be made now, and counts as it is;
 * with much less memory, or with all pinned, it is not. */
static void a_ring_follows_the_budget(void **state) {
    (void)state;
    static struct drawn d;
    struct lr_plan first, now;
    uint64_t per = 500;
    draw_streamed(&d, &per);
    plan_make(&d.facts, d.pinned, &first);
    assert_true(first.fits && first.ring > 0);
    d.facts.ring = first.ring;
    d.facts.budget = 250 * MB;
    plan_make(&d.facts, d.pinned, &now);
    assert_int_equal(now.ring, first.ring);
    check_plan(&d, &now);
    d.facts.budget = 140 * MB;
    plan_make(&d.facts, d.pinned, &now);
    assert_true(now.ring > 0 && now.ring < first.ring * 2 / 3);
    assert_true(now.pins > 0);
    check_plan(&d, &now);
    d.facts.budget = 3 * GB;
    plan_make(&d.facts, d.pinned, &now);
    assert_int_equal(now.streamed, 0);
    assert_int_equal(now.ring, 0);
    d.facts.budget = 280 * MB;
    plan_make(&d.facts, d.pinned, &now);
    assert_int_equal(plan_ring(&d.facts, now.ring).slot * plan_ring(&d.facts, now.ring).slots, now.ring);
}

/* What pins and ring take where memory is taken by larger pages than most have. */
static void large_pages_are_paid_for(void **state) {
    (void)state;
    static struct drawn d;
    struct lr_plan p;
    uint64_t per = 500, page = 65536, taken = 0;
    draw_streamed(&d, &per);
    d.facts.page = page;
    plan_make(&d.facts, d.pinned, &p);
    check_plan(&d, &p);
    for (size_t i = 0; i < d.facts.n_tensors; i++) {
        uint64_t bytes = units_bytes(&d.records[i], d.pinned[i]);
        if (bytes) taken += (d.records[i].offset % 4096 + bytes + page - 1) / page * page;
    }
    assert_true(p.pins >= taken);
    assert_int_equal(p.ring % page, 0);
}

/* Of other sessions what they use counts now, and all of it decides whether there is room for one more. */
static void what_other_sessions_do_not_use_is_pinned(void **state) {
    (void)state;
    static struct drawn d;
    struct lr_plan before, now;
    uint64_t per = 500;
    draw_streamed(&d, &per);
    d.facts.fixed = 100 * MB;
    plan_make(&d.facts, d.pinned, &before);
    d.facts.unfilled = 60 * MB;
    plan_make(&d.facts, d.pinned, &now);
    assert_true(now.pinned > before.pinned + 55 * MB);
    assert_true(now.fits && now.need <= d.facts.budget);
    d.facts.fixed = 285 * MB;
    d.facts.unfilled = 200 * MB;
    plan_make(&d.facts, d.pinned, &now);
    assert_false(now.fits);
}

/* Where the whole context of a session that is open does not fit any more, as a little of the memory it was
 * planned by was taken, what is left is pinned nevertheless. */
static void a_context_that_no_longer_fits_leaves_the_pins(void **state) {
    (void)state;
    static struct drawn d;
    struct lr_plan first, now;
    uint64_t seed = 5, per = 100000;
    do draw_model(&d, &seed, &per);
    while (place_pass_bytes(&d.facts) < 300 * MB);
    d.facts.load = LR_LOAD_STREAM;
    d.facts.wanted = 0;
    d.facts.budget = 150 * MB;
    d.facts.filled = 64;
    plan_make(&d.facts, d.pinned, &first);
    assert_true(first.fits && first.context > 64 && first.pinned > 0);
    d.facts.wanted = first.context;
    d.facts.chunk = first.chunk;
    d.facts.open = true;
    d.facts.budget = first.least - 1 * MB;
    plan_make(&d.facts, d.pinned, &now);
    assert_false(now.fits);
    assert_true(now.pinned > 0 && now.need <= d.facts.budget && now.ring > 0);
    d.facts.open = false; /* before it is, nothing is placed */
    plan_make(&d.facts, d.pinned, &now);
    assert_int_equal(now.pinned, 0);
}

/* A copy of one tensor may have 8 GB: beyond that a forced copy is refused by name, and pins end there. */
static void no_copy_of_a_tensor_is_above_the_policys_limit(void **state) {
    (void)state;
    static const uint64_t rows[] = {1 << 20, (1 << 20) + 1};
    for (size_t i = 0; i < 2; i++) {
        struct drawn d = {.facts = simple_facts(100 * GB)};
        struct lr_plan p;
        struct lr_error err;
        add_tensor(&d, WEIGHT_LAYER, 0, 1000, 1000);
        add_tensor(&d, WEIGHT_ESSENTIAL, 1, rows[i], 4096); /* 8 GB, and a row more */
        d.records[1].name = LR_STR("lm_head.weight");
        d.facts.tensors = d.tensors;
        d.facts.layers = 1;
        d.facts.load = LR_LOAD_RESIDENT;
        plan_make(&d.facts, d.pinned, &p);
        assert_int_equal(p.fits, i == 0);
        d.facts.load = LR_LOAD_STREAM;
        plan_make(&d.facts, d.pinned, &p);
        assert_true(p.fits);
        assert_true(units_bytes(&d.records[1], d.pinned[1]) <= 8 * GB);
        assert_int_equal(d.pinned[0], units_count(&d.records[0]));
        assert_int_equal(p.streamed > 0, i == 1);
        if (i == 0) continue;
        d.facts.load = LR_LOAD_RESIDENT;
        plan_make(&d.facts, d.pinned, &p);
        assert_int_equal(plan_refuse(&d.facts, &p, &err), LR_EMEMORY);
        assert_string_equal(err.message,
                            "Single tensor allocation too large: a copy of 'lm_head.weight': 8,589,942,784 "
                            "bytes (8.00 GB), 8.00 GB at most (without --load it would be mapped: needs "
                            "8.51 GB)");
    }
}

/* How the disk likes to be read is known late, and is a wish: it does not raise what is needed. */
static void large_blocks_are_no_need(void **state) {
    (void)state;
    static const uint32_t blocks[] = {0, 1 << 20, 4 << 20, 16 << 20};
    struct drawn d = {.facts = simple_facts(0)};
    struct lr_plan p;
    uint64_t least = 0;
    add_tensor(&d, WEIGHT_LAYER, 0, 20000, 1000);
    add_tensor(&d, WEIGHT_ESSENTIAL, 1, 50000, 1000);
    d.facts.tensors = d.tensors;
    d.facts.layers = 1;
    d.facts.load = LR_LOAD_STREAM;
    d.facts.wanted = 1;
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) {
        d.facts.rates.block = blocks[i];
        d.facts.rates.depth = 2;
        d.facts.budget = 20 * MB;
        plan_make(&d.facts, d.pinned, &p);
        assert_true(p.fits && p.streamed > 0 && p.need <= d.facts.budget);
        if (least) assert_int_equal(p.least, least);
        least = p.least;
        d.facts.budget = least;
        plan_make(&d.facts, d.pinned, &p);
        assert_true(p.fits && p.need <= least);
        d.facts.budget = 2000 * MB; /* with memory to spare they are met */
        assert_int_equal(plan_ring(&d.facts, UINT64_MAX).span, blocks[i] ? blocks[i] >> 20 : 1);
    }
}

/* A small model is not read several passes ahead. */
static void a_ring_holds_one_pass(void **state) {
    (void)state;
    static struct drawn d;
    for (uint32_t i = 0; i < 5; i++) add_tensor(&d, i < 4 ? WEIGHT_LAYER : WEIGHT_ESSENTIAL, i, 100, 1000);
    d.facts.tensors = d.tensors;
    d.facts.budget = 2000 * MB;
    assert_int_equal(plan_ring(&d.facts, UINT64_MAX).slots, 5);
    assert_int_equal(plan_ring(&d.facts, 0).slots, 2);
}

static void units_cover_a_matrix(void **state) {
    (void)state;
    static const uint64_t shapes[][2] = {{1, 1},       {5, 7},      {128256, 2048}, {8192, 2048},
                                         {3, 4000000}, {23, 20000}, {1000, 1}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        struct tensor_record t = {.rank = 2, .shape = {shapes[i][0], shapes[i][1]}};
        t.bytes = shapes[i][0] * shapes[i][1] * 2;
        uint64_t n = units_count(&t);
        assert_true(n >= 1 && units_rows(&t) >= 1);
        assert_int_equal(units_bytes(&t, n), t.bytes);
        assert_true(units_bytes(&t, n - 1) < t.bytes);
        assert_true(units_rows(&t) == 1 || units_rows(&t) * units_row_bytes(&t) <= UNIT_BYTES);
        assert_int_equal(units_block_end(&t, 0, 4), n < 4 ? n : 4);
        if (n > 6) assert_int_equal(units_block_end(&t, 5, 4), n < 8 ? n : 8);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plan_finds_the_context_that_fits),
        cmocka_unit_test(the_limit_that_is_named_suffices),
        cmocka_unit_test(a_refusal_names_what_is_short),
        cmocka_unit_test(short_addresses_are_named_where_it_streams),
        cmocka_unit_test(locks_bound_what_is_kept),
        cmocka_unit_test(slow_disks_have_wide_chunks),
        cmocka_unit_test(speeds_follow_the_rates),
        cmocka_unit_test(every_plan_keeps_its_promises),
        cmocka_unit_test(more_memory_reads_less),
        cmocka_unit_test(no_more_is_advised_than_the_machine_has),
        cmocka_unit_test(a_ring_follows_the_budget),
        cmocka_unit_test(large_pages_are_paid_for),
        cmocka_unit_test(what_other_sessions_do_not_use_is_pinned),
        cmocka_unit_test(a_context_that_no_longer_fits_leaves_the_pins),
        cmocka_unit_test(no_copy_of_a_tensor_is_above_the_policys_limit),
        cmocka_unit_test(large_blocks_are_no_need),
        cmocka_unit_test(a_ring_holds_one_pass),
        cmocka_unit_test(units_cover_a_matrix),
    };
    return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
