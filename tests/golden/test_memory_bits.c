/* Under native products the logits are the same bits wherever the weights live: mapped, copied, or streamed
 * with more or less of them pinned, by 1 to 3 threads, in passes of any length. */
#include "support/support.h"

#include "support/llama.h"

#include "run/session.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <unistd.h>

#define MB (UINT64_C(1) << 20)

enum { VOCAB = LLAMA_VOCAB };

static char *folder;

static int make_model(void **state) {
    (void)state;
    folder = support_make_llama(1, NULL);
    return 0;
}

static int remove_model(void **state) {
    (void)state;
    support_remove_folder(folder);
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
    size_t next;
};

static void keep_row(void *ctx, uint32_t index, const float *logits) {
    struct rows *r = ctx;
    (void)index;
    memcpy(r->logits + r->next++ * VOCAB, logits, VOCAB * sizeof *logits);
}

/* All logits of a prompt, then those of single tokens. */
static void run(const struct how *how, struct rows *out) {
    struct lr_error err;
    struct lr_session *s;
    struct lr_engine *e = open_engine(how, how->percent && TRUE_MEMORY ? limit_for(how) : 0);
    struct lr_session_options o = session_options(e, how);
    uint32_t ids[PROMPT + STEPS];
    for (uint32_t i = 0; i < PROMPT + STEPS; i++) ids[i] = (i * 977 + 5) % VOCAB;
    if (lr_session_open(e, &o, &s, &err)) fail_msg("%s", err.message);
    out->next = 0;
    if (!TRUE_MEMORY && how->percent) unpin(e, how->percent);
    if (session_read(s, ids, PROMPT, PROMPT, FORWARD_ALL, keep_row, out, &err)) fail_msg("%s", err.message);
    for (size_t i = PROMPT; i < PROMPT + STEPS; i++) {
        if (lr_session_feed_ids(s, ids + i, 1, &err)) fail_msg("%s", err.message);
        keep_row(out, 0, lr_session_logits(s));
    }
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
    if (!first.next) run(&reference, &first);
    run(&how, &other);
    assert_int_equal(other.next, first.next);
    assert_memory_equal(other.logits, first.logits, first.next * VOCAB * sizeof(float));
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

/* Writes the file's last byte, as it was, at the first read. */
static int64_t write_at_first(void *ctx, uint64_t offset, uint64_t bytes) {
    char path[4096], byte;
    (void)offset;
    (void)bytes;
    if (atomic_exchange((atomic_int *)ctx, 1)) return INT64_MAX;
    snprintf(path, sizeof path, "%s/model.safetensors", folder);
    int fd = open(path, O_RDWR);
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
    disk_inject(write_at_first, &done);
    enum lr_status status = lr_session_open(e, &o, &s, &err);
    disk_inject(NULL, NULL);
    lr_session_close(s);
    lr_engine_close(e);
    assert_int_equal(status, LR_EMODEL);
    assert_non_null(strstr(err.message, "written to while in use"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mapped),   cmocka_unit_test(resident), cmocka_unit_test(all_pinned),
        cmocka_unit_test(streamed), cmocka_unit_test(chosen),   cmocka_unit_test(written_to_while_copied),
    };
    return cmocka_run_group_tests_name("memory bits", tests, make_model, remove_model);
}
