/* Under native products logits and scores are the same bits wherever the weights live: mapped, copied, or
 * streamed with more or less of them pinned, by 1 to 3 threads, in passes of any length. */
#include "support/support.h"

#include "support/folder.h"
#include "support/llama.h"
#include "support/system.h"

#include "run/session.h"
#include "weights/units.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <unistd.h>

#define MB (UINT64_C(1) << 20)

enum { VOCAB = LLAMA_VOCAB };

static int make_model(void **state) {
    folder_setup(state);
    support_make_llama(folder, 1, NULL);
    return 0;
}

/* ---- runs */

struct how {
    enum lr_load load;
    int threads;
    uint32_t chunk;
    unsigned percent; /* of the weights that memory is there for; 0: no limit */
};

static struct lr_engine *open_engine(const struct how *how, uint64_t limit) {
    struct lr_engine *e;
    struct lr_error err;
    struct lr_engine_options o = lr_engine_defaults();
    o.threads = how->threads;
    o.matmul = LR_MATMUL_NATIVE;
    o.load = how->load;
    o.mem_limit = limit;
    if (lr_engine_open(folder, &o, &e, &err)) fail_msg("%s", err.message);
    return e;
}

static struct lr_session_options session_options(const struct lr_engine *e, const struct how *how) {
    struct lr_session_options o = lr_session_defaults(e);
    o.context = 64;
    o.prefill_chunk = how->chunk;
    return o;
}

#ifdef SUPPORT_SHADOWED
#define TRUE_MEMORY false
#else
#define TRUE_MEMORY true
#endif

/* A sanitizer's own memory comes and goes, so that no limit can be set to the megabyte: there pins are given
 * back by hand. */
static void unpin(struct lr_engine *e, unsigned percent) {
    for (size_t i = 0; i < e->n_tensors; i++) e->target[i] = e->store.pinned[i] * percent / 100;
    store_unpin(&e->store, e->target);
}

/* What the process owns without weights, the reserve, and memory for a share of them. */
static uint64_t limit_for(const struct how *how) {
    struct lr_engine *e = open_engine(how, 0);
    struct lr_session_options o = session_options(e, how);
    struct lr_plan p;
    struct lr_error err;
    if (lr_plan(e, &o, false, &p, &err)) fail_msg("%s", err.message);
    lr_engine_close(e);
    return p.kv + p.work + p.tokenizer + p.fixed + 20 * MB + p.weights * how->percent / 100;
}

enum { PROMPT = 37, STEPS = 3 };

struct rows {
    float logits[(PROMPT + STEPS) * VOCAB];
    float scores[PROMPT + STEPS];
    size_t taken;
};

static void keep_block(void *ctx, const struct logits_block *b) {
    struct rows *r = ctx;
    for (size_t i = 0; i < b->n_tokens; i++)
        memcpy(r->logits + (b->position + i) * VOCAB + b->first_id, b->logits + i * b->n_ids,
               b->n_ids * sizeof *b->logits);
    r->taken += (size_t)b->n_tokens * b->n_ids;
}

static void keep_last(struct rows *r, const struct lr_session *s) {
    struct logits_block all = {lr_session_logits(s), lr_session_position(s) - 1, 1, 0, VOCAB};
    keep_block(r, &all);
}

/* All logits of a prompt, then those of single tokens, then the scores of the whole. */
static void run(const struct how *how, struct rows *out) {
    struct lr_error err;
    struct lr_session *s;
    struct lr_engine *e = open_engine(how, how->percent && TRUE_MEMORY ? limit_for(how) : 0);
    struct lr_session_options o = session_options(e, how);
    uint32_t ids[PROMPT + STEPS];
    for (uint32_t i = 0; i < PROMPT + STEPS; i++) ids[i] = (i * 977 + 5) % VOCAB;
    if (lr_session_open(e, &o, &s, &err)) fail_msg("%s", err.message);
    out->taken = 0;
    if (!TRUE_MEMORY && how->percent) unpin(e, how->percent);
    if (session_read(s, ids, PROMPT, PROMPT, FORWARD_ALL, keep_block, out, &err)) fail_msg("%s", err.message);
    for (size_t i = PROMPT; i < PROMPT + STEPS; i++) {
        if (lr_session_feed_ids(s, ids + i, 1, &err)) fail_msg("%s", err.message);
        keep_last(out, s);
    }
    if (lr_session_score(s, ids, PROMPT + STEPS, out->scores, &err)) fail_msg("%s", err.message);
    struct lr_plan p = lr_plan_current(e);
    if (how->load) assert_int_equal(p.mode, how->load);
    if (TRUE_MEMORY) assert_true(how->percent ? p.streamed > 0 : p.streamed == 0);
    if (TRUE_MEMORY && how->percent > 20) assert_true(p.pinned > 0);
    lr_session_close(s);
    lr_engine_close(e);
}

static void check(struct how how) {
    static struct rows first, other;
    static const struct how reference = {LR_LOAD_MAP, 1, PROMPT, 0};
    if (!first.taken) run(&reference, &first);
    run(&how, &other);
    assert_int_equal(other.taken, sizeof other.logits / sizeof(float));
    assert_memory_equal(other.logits, first.logits, sizeof first.logits);
    assert_memory_equal(other.scores + 1, first.scores + 1, sizeof first.scores - sizeof(float));
}

static void mapped(void **state) {
    (void)state;
    for (int threads = 1; threads <= 3; threads++) check((struct how){LR_LOAD_MAP, threads, 9, 0});
}
static void resident(void **state) {
    (void)state;
    for (int threads = 1; threads <= 3; threads++) check((struct how){LR_LOAD_RESIDENT, threads, 0, 0});
}
static void all_pinned(void **state) {
    (void)state;
    for (int threads = 1; threads <= 3; threads++) check((struct how){LR_LOAD_STREAM, threads, 16, 0});
}
static void streamed(void **state) {
    (void)state;
    static const uint32_t chunks[] = {1, 7, 0};
    for (int threads = 1; threads <= 3; threads++)
        for (size_t c = 0; c < 3; c++)
            check((struct how){LR_LOAD_STREAM, threads, chunks[c], 5 + 25 * (unsigned)c});
}
/* What the plan chooses by itself under a limit. */
static void chosen(void **state) {
    (void)state;
    if (!TRUE_MEMORY) skip();
    for (int threads = 1; threads <= 3; threads++) check((struct how){LR_LOAD_AUTO, threads, 0, 40});
}

/* ---- what is read for it */

enum { TEXT = 64, PASSES = 2 };

static int64_t count_bytes(void *ctx, uint64_t offset, uint64_t bytes) {
    (void)offset;
    atomic_fetch_add((atomic_ullong *)ctx, bytes);
    return INT64_MAX;
}

/* Nothing pinned, and the smallest ring: its bytes. */
static uint64_t stream_all(struct lr_engine *e) {
    uint64_t *most = calloc(e->n_tensors, sizeof *most);
    struct store_setup setup = e->store.setup;
    setup.most = most;
    setup.ring = setup.least;
    assert_int_equal(store_set_up(&e->store, &setup, NULL), LR_OK);
    e->store.setup.most = NULL;
    free(most);
    return 2 * UNIT_BYTES;
}

static uint64_t bytes_of(const struct lr_engine *e, enum weight_kind kind) {
    uint64_t sum = 0;
    for (size_t i = 0; i < e->n_tensors; i++)
        if (e->tensors[i].kind == kind) sum += e->tensors[i].record->bytes;
    return sum;
}

/* Two passes over the layers, and over the head as often as it has to be: in each when all positions are
 * scored, of which the last token is none; in the last when only its logits are wanted. Rows of the
 * embedding, and the rest of a disk's blocks, are less than a twentieth. */
static void check_bytes(bool score) {
    static const struct how how = {LR_LOAD_STREAM, 2, TEXT, 0};
    struct lr_engine *e = open_engine(&how, 0);
    struct lr_session_options o = session_options(e, &how);
    struct lr_session *s;
    struct lr_error err = {0};
    uint32_t ids[PASSES * TEXT + 1];
    float scores[PASSES * TEXT + 1];
    atomic_ullong read = 0;
    for (uint32_t i = 0; i <= PASSES * TEXT; i++) ids[i] = (i * 977 + 5) % VOCAB;
    o.context = PASSES * TEXT + 1;
    if (lr_session_open(e, &o, &s, &err)) fail_msg("%s", err.message);
    uint64_t ring = stream_all(e);
    uint64_t wanted =
        PASSES * bytes_of(e, WEIGHT_LAYER) + (score ? PASSES : 1) * bytes_of(e, WEIGHT_ESSENTIAL);
    system_on_read(count_bytes, &read);
    enum lr_status status = score ? lr_session_score(s, ids, PASSES * TEXT + 1, scores, &err)
                                  : lr_session_feed_ids(s, ids, PASSES * TEXT, &err);
    lr_session_close(s);
    lr_engine_close(e); /* ends what is read ahead */
    system_on_read(NULL, NULL);
    if (status) fail_msg("%s", err.message);
    if (read < wanted || read > wanted * 21 / 20 + ring)
        fail_msg("%llu bytes were read where the passes have %llu", (unsigned long long)read,
                 (unsigned long long)wanted);
}

static void a_pass_reads_each_weight_once(void **state) {
    (void)state;
    SUPPORT_NOT_EMULATED("it has no preadv2");
    check_bytes(false);
    check_bytes(true);
}

static enum lr_status count_boundary(void *ctx, struct lr_error *err) {
    (void)err;
    ++*(unsigned *)ctx;
    return LR_OK;
}

/* A mapped head is multiplied with many positions for seconds where it is large: between its units memory,
 * files and interruptions are looked at. */
static void boundaries_within_a_mapped_head(void **state) {
    (void)state;
    static const struct how how = {LR_LOAD_MAP, 1, PROMPT, 0};
    struct lr_engine *e = open_engine(&how, 0);
    struct lr_session_options o = session_options(e, &how);
    struct lr_session *s;
    struct lr_error err;
    uint32_t ids[PROMPT];
    unsigned with_last = 0, with_all = 0;
    for (uint32_t i = 0; i < PROMPT; i++) ids[i] = i;
    if (lr_session_open(e, &o, &s, &err)) fail_msg("%s", err.message);
    e->store.on_boundary = count_boundary;
    e->store.owner = &with_last;
    assert_int_equal(lr_session_feed_ids(s, ids, PROMPT, &err), LR_OK);
    e->store.owner = &with_all;
    float scores[PROMPT];
    assert_int_equal(lr_session_score(s, ids, PROMPT, scores, &err), LR_OK);
    uint64_t units = units_count(e->tensors[e->n_tensors - 1].record);
    assert_true(units > 5);
    assert_int_equal(with_all, with_last + units - 1);
    lr_session_close(s);
    lr_engine_close(e);
}

/* Writes the file's last byte, as it was, at the first read. */
static int64_t write_at_first(void *ctx, uint64_t offset, uint64_t bytes) {
    char byte;
    (void)offset;
    (void)bytes;
    if (atomic_exchange((atomic_int *)ctx, 1)) return INT64_MAX;
    int fd = open(at("model.safetensors"), O_RDWR);
    off_t last = lseek(fd, -1, SEEK_END);
    assert_true(fd >= 0 && pread(fd, &byte, 1, last) == 1 && pwrite(fd, &byte, 1, last) == 1);
    close(fd);
    return INT64_MAX;
}

/* Copies are of one file, not half of one that came after: they are not looked at again later. */
static void written_to_while_copied(void **state) {
    (void)state;
    static const struct how how = {LR_LOAD_RESIDENT, 1, 0, 0};
    struct lr_engine *e = open_engine(&how, 0);
    struct lr_session_options o = session_options(e, &how);
    struct lr_session *s = NULL;
    struct lr_error err;
    atomic_int done = 0;
    system_on_read(write_at_first, &done);
    enum lr_status status = lr_session_open(e, &o, &s, &err);
    system_on_read(NULL, NULL);
    lr_session_close(s);
    lr_engine_close(e);
    assert_int_equal(status, LR_EMODEL);
    assert_non_null(strstr(err.message, "written to while in use"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mapped),
        cmocka_unit_test(resident),
        cmocka_unit_test(all_pinned),
        cmocka_unit_test(streamed),
        cmocka_unit_test(chosen),
        cmocka_unit_test(a_pass_reads_each_weight_once),
        cmocka_unit_test(boundaries_within_a_mapped_head),
        cmocka_unit_test(written_to_while_copied),
    };
    return cmocka_run_group_tests_name("memory bits", tests, make_model, folder_teardown);
}
