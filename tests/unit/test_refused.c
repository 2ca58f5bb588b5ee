/* The system refuses: the Nth call of a kind to it, or all from the Nth on, for every N until a run needs no
 * more; and of the heap the same. In each way of having the weights the outcome is the right ids or a clean
 * error, and behind an error the engine runs as ever. LR_TEST_SWEEP=full takes every N, else some of many. */
#include "support/support.h"
#include "support/system.h"

#include "base/mem.h"
#include "run/session.h"
#include "weights/place.h"

#include <errno.h>
#include <limits.h>
#include <sys/resource.h>
#include <unistd.h>

#define TINY "tests/golden/models/llama_gqa"
#define DEMO "models/demo"
static const uint32_t prompt[] = {5, 17, 42, 99, 3, 64, 7};
#define N_PROMPT   (sizeof prompt / sizeof *prompt)
#define TOKENS     9
#define TIME_LIMIT 60 /* of one run, in seconds: then SIGALRM ends the test */

struct way {
    const char *name, *model;
    enum lr_load load;
    enum lr_matmul matmul;
    bool mlock, cold;
};
static const struct way ways[] = {
    {"map", TINY, LR_LOAD_MAP, LR_MATMUL_NATIVE, .cold = true},
    {"stream", TINY, LR_LOAD_STREAM, LR_MATMUL_NATIVE, .cold = true},
    {"resident", TINY, LR_LOAD_RESIDENT, LR_MATMUL_NATIVE, .cold = false},
    {"demo", DEMO, LR_LOAD_AUTO, LR_MATMUL_AUTO, .cold = false},
    {"stream, locked", TINY, LR_LOAD_STREAM, LR_MATMUL_NATIVE, .mlock = true},
    {"resident, locked", TINY, LR_LOAD_RESIDENT, LR_MATMUL_NATIVE, .mlock = true},
};
enum { N_LOCKED = 2, N_WAYS = sizeof ways / sizeof *ways };

/* ---- one run: two sessions of an engine, and weights that move meanwhile */

struct ids {
    struct lr_engine *engine;
    size_t count;
    uint32_t list[TOKENS];
};
static const uint32_t *wanted; /* [TOKENS]; NULL: any */

struct run {
    struct lr_engine *engine;
    struct lr_session *first, *second;
    struct ids ids[2];
};

/* As if other programs had taken the memory of the pins and given it back: from here on all is streamed,
 * until some looks have seen that there is room. */
static void take_pins(struct lr_engine *e) {
    if (e->store.mode != LR_LOAD_STREAM) return;
    memset(e->target, 0, e->n_tensors * sizeof *e->target);
    store_unpin(&e->store, e->target);
    place_sum(&e->facts, e->store.pinned, &e->plan.pinned, &e->plan.pins, &e->plan.streamed);
}

static bool collect(void *ctx, const struct lr_token_event *event) {
    struct ids *c = ctx;
    if (event->id == UINT32_MAX) return true; /* text held back to the end */
    assert_true(c->count < TOKENS);
    if (wanted) assert_int_equal(event->id, wanted[c->count]);
    c->list[c->count++] = event->id;
    c->engine->monitor.looked = 0; /* a look at memory and files in each pass */
    if (c->count == 2) take_pins(c->engine);
    return true;
}

static enum lr_status answer(struct lr_session *s, struct ids *ids, struct lr_error *err) {
    struct lr_generate_options o = lr_generate_defaults();
    o.max_tokens = TOKENS;
    o.ignore_eos = true;
    *ids = (struct ids){.engine = s->engine};
    LR_TRY(lr_session_feed_ids(s, prompt, N_PROMPT, err));
    LR_TRY(lr_session_generate(s, &o, collect, ids, NULL, err));
    assert_int_equal(ids->count, TOKENS);
    return LR_OK;
}

static enum lr_status open_session(struct lr_engine *e, struct lr_session **out, struct lr_error *err) {
    struct lr_session_options o = lr_session_defaults(e);
    o.context = 64;
    o.sampling.temperature = 0;
    o.sampling.repeat_penalty = 1;
    return lr_session_open(e, &o, out, err);
}

static enum lr_status work(const struct way *way, struct run *r, struct lr_error *err) {
    struct lr_engine_options o = lr_engine_defaults();
    *r = (struct run){0};
    o.threads = 2;
    o.matmul = way->matmul;
    o.load = way->load;
    o.mlock = way->mlock;
    o.guard = true;
    LR_TRY(lr_engine_open(way->model, &o, &r->engine, err));
    LR_TRY(open_session(r->engine, &r->first, err));
    LR_TRY(answer(r->first, &r->ids[0], err));
    LR_TRY(open_session(r->engine, &r->second, err));
    return answer(r->second, &r->ids[1], err);
}

/* With nothing refused any more: what is open goes on, and one more session opens. */
static void go_on(struct run *r) {
    struct lr_error err;
    lr_session_close(r->second);
    r->second = NULL;
    if (r->first) lr_session_reset(r->first);
    enum lr_status status = r->first ? answer(r->first, &r->ids[0], &err) : LR_OK;
    if (status == LR_OK) status = open_session(r->engine, &r->second, &err);
    if (status == LR_OK) status = answer(r->second, &r->ids[1], &err);
    if (status != LR_OK) fail_msg("afterwards: %s", err.message);
}

static void end(struct run *r) {
    lr_session_close(r->first);
    lr_session_close(r->second);
    lr_engine_close(r->engine);
}

/* ---- sweeps */

/* What is refused, and what may come of it. */
struct refusal {
    const char *name;
    int kind; /* SYSTEM_KINDS: allocations */
    int code;
    bool sticky;
    unsigned allowed; /* a bit for each status */
    const char *said; /* in each message; or NULL */
};
#define OK_OR(status) (1U << LR_OK | 1U << (status))

static void start_refusing(const struct refusal *r, long n) {
    if (r->kind == SYSTEM_KINDS)
        lr_mem_fail_after(n, r->sticky);
    else
        system_refuse((enum system_calls)r->kind, r->code, n, r->sticky);
}

/* How many calls there were. */
static long stop_refusing(const struct refusal *r) {
    long asked = r->kind == SYSTEM_KINDS ? lr_mem_count() : system_asked();
    lr_mem_fail_after(0, 0);
    system_refuse(SYSTEM_KINDS, 0, 0, false);
    return asked;
}

/* Refuses nothing; how many calls there are. */
static long count_calls(const struct way *way, const struct refusal *what, struct ids *ids) {
    struct run r;
    struct lr_error err;
    wanted = NULL;
    alarm(TIME_LIMIT);
    start_refusing(what, 0);
    if (work(way, &r, &err)) fail_msg("%s: %s", way->name, err.message);
    long calls = stop_refusing(what);
    *ids = r.ids[0];
    assert_memory_equal(r.ids[1].list, ids->list, sizeof ids->list);
    end(&r);
    return calls;
}

static void check_outcome(const struct way *way, const struct refusal *what, long n, enum lr_status status,
                          const struct lr_error *err) {
    bool right = status <= LR_EMEMORY && (1U << status & what->allowed) != 0;
    if (status != LR_OK)
        right = right && err->status == status && strlen(err->message) > 5 &&
                (!what->said || strstr(err->message, what->said));
    if (!right)
        fail_msg("%s, %s, call %ld: status %d, %s", way->name, what->name, n, (int)status, err->message);
}

/* The Nth is refused; false where the run asked for fewer. */
static bool refuse_one(const struct way *way, const struct refusal *what, long n, unsigned *seen) {
    struct support_held before = support_held_now();
    int64_t mapped = system_mapped();
    struct lr_error err = {0};
    struct run r;
    if (way->cold) file_drop(TINY "/model.safetensors", NULL);
    alarm(TIME_LIMIT);
    start_refusing(what, n);
    enum lr_status status = work(way, &r, &err);
    bool reached = stop_refusing(what) >= n;
    check_outcome(way, what, n, status, &err);
    if (!reached) assert_int_equal(status, LR_OK);
    *seen |= 1U << status;
    if (status != LR_OK && r.engine) go_on(&r);
    end(&r);
    alarm(0);
    assert_int_equal(system_mapped(), mapped);
    support_nothing_more_than(before);
    return reached;
}

/* How many are refused in turn, of many. */
static long most_refused(void) {
    const char *sweep = getenv("LR_TEST_SWEEP");
    if (support_emulated()) return 2; /* what follows is the same code on every processor */
    if (!sweep || strcmp(sweep, "full") != 0) return 16;
#ifdef LR_SANITIZED
    return 200;
#else
    return LONG_MAX;
#endif
}

static void sweep(const struct refusal *what, size_t n_ways) {
    for (const struct way *way = ways; way < ways + n_ways; way++) {
        struct ids ids;
        unsigned seen = 0;
        long calls = count_calls(way, what, &ids), step = (calls - 1) / most_refused() + 1, n = 1;
        wanted = ids.list;
        while (refuse_one(way, what, n, &seen)) n += step;
        printf("%s, %s%s: %ld calls, statuses %#x\n", way->name, what->name,
               what->sticky ? " and the rest" : "", calls, seen);
        assert_true(calls > 2);
        if (what->sticky) assert_int_equal(seen, what->allowed);
    }
}

static void allocations(void **state) {
    (void)state;
    for (int sticky = 0; sticky < 2; sticky++)
        sweep(&(struct refusal){"allocations", SYSTEM_KINDS, 0, sticky, OK_OR(LR_EMEMORY), NULL},
              N_WAYS - N_LOCKED);
}

static void memory(void **state) {
    (void)state;
    for (int sticky = 0; sticky < 2; sticky++)
        sweep(&(struct refusal){"memory", SYSTEM_MEMORY, ENOMEM, sticky, OK_OR(LR_EMEMORY), NULL}, N_WAYS);
}

static void threads(void **state) {
    (void)state;
    for (int sticky = 0; sticky < 2; sticky++)
        sweep(&(struct refusal){"threads", SYSTEM_THREADS, EAGAIN, sticky, OK_OR(LR_EFAILED), NULL},
              N_WAYS - N_LOCKED);
}

static void opening(void **state) {
    (void)state;
    for (int sticky = 0; sticky < 2; sticky++) {
        struct refusal many = {"opening", SYSTEM_OPENS, EMFILE, sticky, OK_OR(LR_EFAILED), strerror(EMFILE)};
        struct refusal forbidden = {
            "opening: forbidden", SYSTEM_OPENS, EACCES, sticky, OK_OR(LR_EFAILED) | OK_OR(LR_EMODEL), NULL};
        sweep(&many, N_WAYS - N_LOCKED);
        sweep(&forbidden, N_WAYS - N_LOCKED);
    }
}

static void looking_at_files(void **state) {
    (void)state;
    for (int sticky = 0; sticky < 2; sticky++)
        sweep(&(struct refusal){"files", SYSTEM_FILES, EIO, sticky, OK_OR(LR_EFAILED), NULL},
              N_WAYS - N_LOCKED);
}

static void reading(void **state) {
    (void)state;
    for (int sticky = 0; sticky < 2; sticky++) {
        struct refusal failing = {"reading", SYSTEM_READS, EIO, sticky, OK_OR(LR_EFAILED), NULL};
        struct refusal few = {"short reads", SYSTEM_READS, SYSTEM_SHORT, sticky, 1U << LR_OK, NULL};
        sweep(&failing, N_WAYS - N_LOCKED);
        sweep(&few, N_WAYS - N_LOCKED);
    }
    sweep(&(struct refusal){"signals", SYSTEM_READS, EINTR, false, 1U << LR_OK, NULL}, N_WAYS - N_LOCKED);
}

/* ---- limits */

/* With few addresses, or little data, both sessions of an engine run, or one does, or none; with more of them
 * than ran one, one runs. */
static int run_limited(int which, const struct way *way) {
    bool ran = false;
    struct memory_info m;
    for (uint64_t mib = 1; mib < 256; mib += 1 + mib / 8) {
        struct rlimit before, limit;
        struct lr_error err;
        struct run r;
        if (memory_read("", 0, &m, NULL) || getrlimit(which, &before)) return 1;
        limit = before;
        limit.rlim_cur = (which == RLIMIT_AS ? m.own_address : m.own_data) + (mib << 20);
        setrlimit(which, &limit);
        alarm(TIME_LIMIT);
        enum lr_status status = work(way, &r, &err);
        int opened = (r.first != NULL) + (r.second != NULL);
        if (opened == 1) lr_session_reset(r.first);
        if (opened == 1 && answer(r.first, &r.ids[0], &err)) return 2; /* as if no other had been asked for */
        setrlimit(which, &before);
        end(&r);
        if ((opened == 2) != (status == LR_OK) || (status && status != LR_EMEMORY)) return 3;
        if (ran && !opened) return 4;
        ran |= opened > 0;
    }
    return ran ? 0 : 5;
}

static int with_few_addresses(void) {
    for (const struct way *way = ways; way < ways + N_WAYS - N_LOCKED; way++) {
        int failed = run_limited(RLIMIT_AS, way);
        if (failed) return failed + 10 * (int)(way - ways);
    }
    return 0;
}

static int with_little_data(void) {
    for (const struct way *way = ways; way < ways + N_WAYS - N_LOCKED; way++) {
        int failed = run_limited(RLIMIT_DATA, way);
        if (failed) return failed + 10 * (int)(way - ways);
    }
    return 0;
}

static void limits(void **state) {
    (void)state;
#ifdef SUPPORT_SHADOWED
    skip();
#endif
    SUPPORT_NOT_EMULATED(SUPPORT_LIMITS);
    wanted = NULL;
    assert_int_equal(support_in_child(with_few_addresses), 0);
    assert_int_equal(support_in_child(with_little_data), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(allocations), cmocka_unit_test(memory),           cmocka_unit_test(threads),
        cmocka_unit_test(opening),     cmocka_unit_test(looking_at_files), cmocka_unit_test(reading),
        cmocka_unit_test(limits),
    };
    return cmocka_run_group_tests_name("refused", tests, NULL, NULL);
}
