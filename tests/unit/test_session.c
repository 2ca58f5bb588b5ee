/* The public interface over a tiny model: what a session promises, what it refuses, and that nothing leaks
 * when memory is refused at any point. */
#include "support/support.h"
#include "support/system.h"

#include "base/mem.h"
#include "run/monitor.h"
#include "run/planning.h"
#include "run/session.h"
#include "sys/clock.h"

#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>

#define MODEL "tests/golden/models/llama_gqa"
static const uint32_t prompt[] = {5, 17, 42, 99, 3, 64, 7};
#define N_PROMPT (sizeof prompt / sizeof *prompt)

static struct lr_engine *open_loaded(const char *folder, enum lr_load load) {
    struct lr_engine *e;
    struct lr_error err;
    struct lr_engine_options o = lr_engine_defaults();
    o.threads = 2;
    o.matmul = LR_MATMUL_NATIVE;
    o.load = load;
    if (lr_engine_open(folder, &o, &e, &err)) fail_msg("%s", err.message);
    return e;
}

static struct lr_engine *open_engine(void) {
    return open_loaded(MODEL, LR_LOAD_AUTO);
}

static struct lr_session *open_session(struct lr_engine *e, float temperature, uint64_t seed,
                                       uint32_t context) {
    struct lr_session *s;
    struct lr_error err;
    struct lr_session_options o = lr_session_defaults(e);
    o.context = context;
    o.sampling.temperature = temperature;
    o.sampling.seed = seed;
    o.sampling.has_seed = true;
    if (lr_session_open(e, &o, &s, &err)) fail_msg("%s", err.message);
    return s;
}

struct ids {
    uint32_t list[256];
    size_t count, stop_at;
};

static bool collect(void *ctx, const struct lr_token_event *event) {
    struct ids *c = ctx;
    c->list[c->count++] = event->id;
    return c->count != c->stop_at;
}

static struct ids generate(struct lr_session *s, uint32_t most, size_t stop_at,
                           struct lr_generate_result *result) {
    struct lr_generate_options o = lr_generate_defaults();
    struct lr_error err;
    struct ids got = {.stop_at = stop_at};
    o.max_tokens = most;
    o.ignore_eos = true;
    if (lr_session_generate(s, &o, collect, &got, result, &err)) fail_msg("%s", err.message);
    return got;
}

static void feeding_in_pieces_is_feeding_at_once(void **state) {
    (void)state;
    struct lr_engine *e = open_engine();
    struct lr_session *a = open_session(e, 0, 1, 64), *b = open_session(e, 0, 1, 64);
    uint32_t vocab = lr_engine_info(e).vocab;
    assert_null(lr_session_logits(a));
    assert_int_equal(lr_session_feed_ids(a, prompt, N_PROMPT, NULL), LR_OK);
    for (size_t i = 0; i < N_PROMPT; i++)
        assert_int_equal(lr_session_feed_ids(b, prompt + i, 1, NULL), LR_OK);
    assert_int_equal(lr_session_position(b), N_PROMPT);
    assert_memory_equal(lr_session_logits(a), lr_session_logits(b), vocab * sizeof(float));
    lr_session_close(a);
    lr_session_close(b);
    lr_engine_close(e);
}

static void one_by_one_is_generate(void **state) {
    (void)state;
    struct lr_engine *e = open_engine();
    struct lr_session *s = open_session(e, 1, 7, 64);
    lr_session_feed_ids(s, prompt, N_PROMPT, NULL);
    struct ids all = generate(s, 20, 0, NULL);
    assert_int_equal(all.count, 20);
    lr_session_reset(s);
    lr_session_feed_ids(s, prompt, N_PROMPT, NULL);
    for (int i = 0; i < 20; i++) {
        uint32_t id;
        bool end;
        assert_int_equal(lr_session_next(s, &id, &end, NULL), LR_OK);
        assert_int_equal(id, all.list[i]);
        if (end) break;
    }
    lr_session_close(s);
    lr_engine_close(e);
}

static void the_context_ends_the_text(void **state) {
    (void)state;
    struct lr_engine *e = open_engine();
    struct lr_session *s = open_session(e, 0, 1, 16);
    struct lr_generate_result r;
    struct lr_error err;
    lr_session_feed_ids(s, prompt, N_PROMPT, NULL);
    struct ids got = generate(s, 0, 0, &r);
    assert_int_equal(got.count, 16 - N_PROMPT);
    assert_int_equal(r.finish, LR_FINISH_LENGTH);
    lr_session_reset(s);
    uint32_t many[17] = {0};
    assert_int_equal(lr_session_feed_ids(s, many, 17, &err), LR_EUSAGE);
    assert_non_null(strstr(err.message, "17 tokens"));
    assert_int_equal(lr_session_position(s), 0);
    assert_int_equal(lr_session_feed_ids(s, many, 16, &err), LR_OK);
    got = generate(s, 0, 0, &r);
    assert_int_equal(got.count, 0);
    assert_int_equal(r.finish, LR_FINISH_LENGTH);
    lr_session_close(s);
    lr_engine_close(e);
}

static void what_is_refused_says_why(void **state) {
    (void)state;
    struct lr_engine *e = open_engine();
    struct lr_session *s = open_session(e, 0, 1, 32), *none;
    struct lr_error err;
    struct lr_session_options o = lr_session_defaults(e);
    uint32_t vocab = lr_engine_info(e).vocab, id;
    bool end;
    assert_int_equal(lr_session_next(s, &id, &end, &err), LR_EUSAGE);
    assert_int_equal(lr_session_feed_ids(s, &vocab, 1, &err), LR_EUSAGE);
    assert_non_null(strstr(err.message, "out of range"));
    o.context = lr_engine_info(e).max_context + 1;
    assert_int_equal(lr_session_open(e, &o, &none, &err), LR_EUSAGE);
    o = lr_session_defaults(e);
    o.sampling.logit_bias = &(struct lr_logit_bias){vocab, 1};
    o.sampling.n_logit_bias = 1;
    assert_int_equal(lr_session_open(e, &o, &none, &err), LR_EUSAGE);
    assert_non_null(strstr(err.message, "logit bias"));
    assert_int_equal(lr_session_feed_text(s, "text", 4, &err), LR_EMODEL);
    assert_non_null(strstr(err.message, "tokenizer"));
    assert_int_equal(arena_alloc(&s->arena, 1, "something in the token loop", &(void *){NULL}, &err),
                     LR_EFAILED);
    lr_session_close(s);
    lr_engine_close(e);
    struct lr_engine_options bad = lr_engine_defaults();
    bad.isa = "avx1024";
    assert_int_equal(lr_engine_open(MODEL, &bad, &e, &err), LR_EUSAGE);
    assert_non_null(strstr(err.message, "avx1024"));
    assert_int_equal(lr_engine_open("tests/golden/no_such_model", NULL, &e, &err), LR_EMODEL);
    assert_null(e);
}

static void a_callback_and_a_flag_stop_it(void **state) {
    (void)state;
    struct lr_engine *e = open_engine();
    struct lr_session *s = open_session(e, 0, 1, 64);
    struct lr_generate_result r;
    volatile int now = 1;
    lr_session_feed_ids(s, prompt, N_PROMPT, NULL);
    assert_int_equal(generate(s, 10, 3, &r).count, 3);
    assert_int_equal(r.finish, LR_FINISH_INTERRUPTED);
    struct lr_generate_options o = lr_generate_defaults();
    struct ids got = {.count = 0};
    o.interrupt = &now;
    assert_int_equal(lr_session_generate(s, &o, collect, &got, &r, NULL), LR_OK);
    assert_int_equal(got.count, 0);
    assert_int_equal(r.finish, LR_FINISH_INTERRUPTED);
    lr_session_close(s);
    lr_engine_close(e);
}

static volatile int flag;

static bool raise_flag(void *ctx, const struct lr_token_event *event) {
    (void)ctx;
    (void)event;
    flag = 1;
    return true;
}

/* Inside of a pass too, where reading one token is no prompt that was cut short. */
static void an_interruption_while_decoding_is_a_finish(void **state) {
    (void)state;
    struct lr_engine_options eo = lr_engine_defaults();
    struct lr_engine *e;
    struct lr_error err = {0};
    uint32_t id;
    bool end;
    eo.threads = 1;
    eo.interrupt = &flag;
    assert_int_equal(lr_engine_open(MODEL, &eo, &e, &err), LR_OK);
    struct lr_session *s = open_session(e, 0, 1, 64);
    struct lr_generate_result r;
    lr_session_feed_ids(s, prompt, N_PROMPT, &err);
    assert_int_equal(lr_session_generate(s, NULL, raise_flag, NULL, &r, &err), LR_OK);
    assert_int_equal(r.finish, LR_FINISH_INTERRUPTED);
    assert_int_equal(r.tokens, 1);
    assert_string_equal(err.message, "");
    flag = 0;
    lr_session_reset(s);
    lr_session_feed_ids(s, prompt, N_PROMPT, &err);
    for (int i = 0; i < 3; i++) assert_int_equal(lr_session_next(s, &id, &end, &err), LR_OK);
    flag = 1;
    assert_int_equal(lr_session_next(s, &id, &end, &err), LR_EINTERRUPTED);
    assert_string_equal(err.message, "interrupted after 3 tokens");
    lr_session_close(s);
    lr_engine_close(e);
}

/* A text's score is the sum of what the model said before each of its tokens. */
static double process_seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void a_token_takes_nothing_from_the_heap(void **state) {
    (void)state;
    struct lr_engine *e = open_engine();
    struct lr_session *s = open_session(e, 0.8f, 1, 128);
    struct lr_error err;
    assert_int_equal(lr_session_feed_ids(s, prompt, N_PROMPT, &err), LR_OK);
    generate(s, 4, 0, NULL);
    long asked[2];
    for (int i = 0; i < 2; i++) { /* what a call takes does not depend on how many tokens it gives */
        lr_mem_fail_after(0, 0);
        generate(s, i ? 64 : 8, 0, NULL);
        asked[i] = lr_mem_count();
    }
    assert_int_equal(asked[0], asked[1]);
    lr_session_close(s);
    lr_engine_close(e);
}

static void an_idle_session_takes_no_time(void **state) {
    (void)state;
    struct lr_engine *e = open_engine();
    struct lr_session *s = open_session(e, 0, 1, 128);
    struct lr_error err;
    assert_int_equal(lr_session_feed_ids(s, prompt, N_PROMPT, &err), LR_OK);
    generate(s, 8, 0, NULL);
    nanosleep(&(struct timespec){0, 10000000}, NULL);
    double before = process_seconds();
    nanosleep(&(struct timespec){1, 0}, NULL);
    assert_true(process_seconds() - before < 0.02);
    generate(s, 8, 0, NULL);
    lr_session_close(s);
    lr_engine_close(e);
}

static void scores_are_the_logprobs_of_generation(void **state) {
    (void)state;
    struct lr_engine *e = open_engine();
    struct lr_session *s = open_session(e, 0, 1, 64);
    float scores[N_PROMPT];
    uint32_t vocab = lr_engine_info(e).vocab;
    assert_int_equal(lr_session_score(s, prompt, N_PROMPT, scores, NULL), LR_OK);
    assert_true(isnan(scores[0]));
    assert_int_equal(lr_session_position(s), 0);
    for (size_t i = 0; i + 1 < N_PROMPT; i++) {
        assert_int_equal(lr_session_feed_ids(s, prompt + i, 1, NULL), LR_OK);
        assert_true(scores[i + 1] == sampler_logprob(lr_session_logits(s), vocab, prompt[i + 1]));
    }
    assert_int_equal(lr_session_score(s, prompt, 1, scores, NULL), LR_OK);
    assert_true(isnan(scores[0]));
    assert_int_equal(lr_session_score(s, prompt, 0, scores, NULL), LR_OK);
    assert_int_equal(lr_session_score(s, (uint32_t[]){5, vocab}, 2, scores, NULL), LR_EUSAGE);
    lr_session_close(s);
    lr_engine_close(e);
}

static void several_sessions_share_an_engine(void **state) {
    (void)state;
    struct lr_engine *e = open_engine();
    struct lr_session *a = open_session(e, 1, 3, 64), *b = open_session(e, 1, 3, 64);
    lr_session_feed_ids(a, prompt, N_PROMPT, NULL);
    struct ids alone = generate(a, 12, 0, NULL);
    lr_session_reset(a);
    lr_session_feed_ids(a, prompt, N_PROMPT, NULL);
    lr_session_feed_ids(b, prompt, N_PROMPT, NULL);
    for (int i = 0; i < 12; i++) {
        uint32_t x, y;
        bool end;
        lr_session_next(a, &x, &end, NULL);
        lr_session_next(b, &y, &end, NULL);
        assert_int_equal(x, alone.list[i]);
        assert_int_equal(y, alone.list[i]);
        if (end) break;
    }
    lr_session_close(a);
    lr_session_close(b);
    lr_engine_close(e);
}

static void the_plan_adds_up(void **state) {
    (void)state;
    struct lr_engine *e = open_engine();
    struct lr_plan p;
    assert_int_equal(lr_plan(e, NULL, true, &p, NULL), LR_OK);
    assert_true(p.fits);
    uint64_t rest = p.work + p.tokenizer + p.fixed;
    assert_int_equal(p.need, p.kv_now + rest + p.ring + p.pins + p.opening);
    assert_int_equal(p.need_full, p.kv + rest + p.ring_full + p.pins_full + p.opening_full);
    uint64_t bytes = 0;
    for (size_t i = 0; i < p.n_tensors; i++) bytes += p.tensors[i].bytes;
    assert_int_equal(bytes, p.weights);
    lr_plan_free(&p);
    assert_int_equal(lr_plan(e, NULL, false, &p, NULL), LR_OK);
    struct lr_session *s;
    assert_int_equal(lr_session_open(e, NULL, &s, NULL), LR_OK);
    assert_int_equal(s->arena.used, p.kv + p.work);
    assert_int_equal(lr_session_context(s), p.context);
    lr_session_close(s);
    lr_engine_close(e);
}

/* Plans made while it is open are for the session as it is: with less memory a new one would be smaller, and
 * what this one owns would be counted too low. */
static void later_plans_are_for_the_open_session(void **state) {
    (void)state;
    struct lr_engine *e = open_engine();
    struct lr_session *s = open_session(e, 0, 1, 0);
    struct lr_plan first = lr_plan_current(e);
    for (int n = 0; n < 40; n++) {
        planning_with(e, first.need * (uint64_t)(50 - n) / 50);
        assert_int_equal(e->plan.context, lr_session_context(s));
        assert_int_equal(e->plan.chunk, first.chunk);
        assert_int_equal(e->plan.kv + e->plan.work, s->arena.used);
    }
    lr_session_close(s);
    lr_engine_close(e);
}

/* The Nth allocation fails, for every N until all succeed: always LR_EMEMORY with a message, and nothing is
 * leaked (the sanitizer's build sees that). */
static void every_refused_allocation_is_an_error(void **state) {
    (void)state;
    struct lr_engine_options o = lr_engine_defaults();
    o.threads = 2;
    o.matmul = LR_MATMUL_NATIVE;
    for (long n = 1;; n++) {
        struct lr_engine *e;
        struct lr_session *s = NULL;
        struct lr_error err = {0};
        lr_mem_fail_after(n, 0);
        enum lr_status status = lr_engine_open(MODEL, &o, &e, &err);
        if (status == LR_OK) status = lr_session_open(e, NULL, &s, &err);
        bool reached = lr_mem_count() >= n;
        lr_mem_fail_after(0, 0);
        lr_session_close(s);
        lr_engine_close(e);
        if (!reached) {
            assert_int_equal(status, LR_OK);
            assert_true(n > 10);
            return;
        }
        if (status != LR_OK) assert_int_equal(status, LR_EMEMORY);
        if (status != LR_OK) assert_int_equal(strncmp(err.message, "Cannot allocate ", 16), 0);
    }
}

/* ---- more than one session, and memory that changes ---- */

/* The model with a context of a million positions, of which none takes memory before it is used. */
static char *long_model(void) {
    static const char *const names[] = {"generation_config.json", "model.safetensors", "config.json"};
    char *folder = support_make_folder(), path[256], *text = NULL, *at;
    size_t len;
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/%s", MODEL, names[i]);
        text = support_read_file(path, &len);
        if (i < 2) support_write_file(folder, names[i], text, len);
        if (i < 2) free(text);
    }
    at = strstr(text, "\"max_position_embeddings\":");
    assert_non_null(at);
    at = strchr(at, ':') + 1;
    char *whole = malloc(len + 32);
    int n = sprintf(whole, "%.*s 1000000%s", (int)(at - text), text, at + strspn(at, " 0123456789"));
    support_write_file(folder, "config.json", whole, (size_t)n);
    free(whole);
    free(text);
    return folder;
}

static void check_answer(struct lr_session *s, const struct ids *wanted) {
    lr_session_reset(s);
    assert_int_equal(lr_session_feed_ids(s, prompt, N_PROMPT, NULL), LR_OK);
    struct ids got = generate(s, (uint32_t)wanted->count, 0, NULL);
    assert_int_equal(got.count, wanted->count);
    assert_memory_equal(got.list, wanted->list, wanted->count * sizeof *wanted->list);
}

static struct ids first_answer(struct lr_session *s) {
    assert_int_equal(lr_session_feed_ids(s, prompt, N_PROMPT, NULL), LR_OK);
    return generate(s, 12, 0, NULL);
}

/* A session that is refused, and a plan that somebody asks for, leave those that are open as they were. */
static void a_refused_session_leaves_the_others(void **state) {
    (void)state;
    static const enum lr_load loads[] = {LR_LOAD_STREAM, LR_LOAD_AUTO, LR_LOAD_RESIDENT};
    char *folder = long_model();
    for (int i = 0; i < 3; i++) {
        struct lr_engine *e = open_loaded(folder, loads[i]);
        struct lr_session *a = open_session(e, 0, 1, 64), *b;
        struct ids wanted = first_answer(a);
        struct lr_plan before = lr_plan_current(e), asked;
        struct lr_session_options o = lr_session_defaults(e);
        struct lr_error err;
        o.context = 1000000;
        o.kv = LR_KV_F32;
        e->options.mem_limit = memory_own_anonymous() + (100 << 20);
        assert_int_equal(lr_session_open(e, &o, &b, &err), LR_EMEMORY);
        assert_null(b);
        assert_int_equal(lr_plan(e, &o, false, &asked, &err), LR_OK);
        assert_false(asked.fits);
        struct lr_plan now = lr_plan_current(e);
        assert_true(now.fits);
        assert_int_equal(now.mode, before.mode);
        assert_int_equal(now.context, 64);
        assert_int_equal(now.pinned, before.pinned);
        assert_int_equal(e->shape.options.kv, LR_KV_F16);
        check_answer(a, &wanted);
        lr_session_close(a);
        lr_engine_close(e);
    }
    support_remove_folder(folder);
}

struct talker {
    struct lr_session *session;
    struct ids wanted;
    atomic_bool stop;
    int rounds;
};
static void *talk(void *arg) {
    struct talker *t = arg;
    do {
        lr_session_reset(t->session);
        if (lr_session_feed_ids(t->session, prompt, N_PROMPT, NULL) != LR_OK) return t;
        for (size_t i = 0; i < t->wanted.count; i++) {
            uint32_t id;
            bool end;
            if (lr_session_next(t->session, &id, &end, NULL) != LR_OK || id != t->wanted.list[i]) return t;
            if (end) break;
        }
        t->rounds++;
    } while (!atomic_load(&t->stop) || t->rounds < 3);
    return NULL;
}

/* One thread writes while others open, plan and close: the thread sanitizer's build looks at that. */
static void sessions_come_and_go_while_one_writes(void **state) {
    (void)state;
    static const enum lr_load loads[] = {LR_LOAD_STREAM, LR_LOAD_MAP};
    char *folder = long_model();
    for (int i = 0; i < 2; i++) {
        struct lr_engine *e = open_loaded(folder, loads[i]);
        struct talker t = {.session = open_session(e, 0, 1, 64)};
        pthread_t id;
        void *failed;
        t.wanted = first_answer(t.session);
        assert_int_equal(pthread_create(&id, NULL, talk, &t), 0);
        for (int n = 0; n < 10; n++) {
            struct lr_plan plan;
            struct lr_session *other = open_session(e, 0, 1, n % 2 ? 64 : 200000);
            assert_int_equal(lr_plan(e, NULL, true, &plan, NULL), LR_OK);
            lr_plan_free(&plan);
            lr_session_close(other);
        }
        atomic_store(&t.stop, true);
        pthread_join(id, &failed);
        assert_null(failed);
        lr_session_close(t.session);
        lr_engine_close(e);
    }
    support_remove_folder(folder);
}

/* More addresses never make a refusal of what ran with fewer: the ring of a plan that pins everything is
 * spare.
 */
static int with_fewer_and_more_addresses(void) {
    struct lr_engine *e = open_loaded(MODEL, LR_LOAD_STREAM);
    bool ran = false;
    for (uint64_t mib = 2; mib < 260; mib += 6) {
        struct memory_info m;
        struct rlimit before, limit;
        struct lr_session *s;
        struct lr_session_options o = lr_session_defaults(e);
        o.context = 64;
        if (memory_read("", 0, &m, NULL) || getrlimit(RLIMIT_AS, &before)) return 1;
        limit = before;
        limit.rlim_cur = m.own_address + (mib << 20);
        setrlimit(RLIMIT_AS, &limit);
        enum lr_status status = lr_session_open(e, &o, &s, NULL);
        setrlimit(RLIMIT_AS, &before);
        lr_session_close(s);
        e->loaded = false; /* the next one loads anew, from nothing */
        store_close(&e->store);
        if (store_open(&e->catalog, e->tensors, e->n_tensors, &e->store, NULL)) return 2;
        if (status != LR_OK && status != LR_EMEMORY) return 3;
        if (ran && status != LR_OK) return 4;
        ran |= status == LR_OK;
    }
    lr_engine_close(e);
    return ran ? 0 : 5;
}

static void addresses_that_are_short(void **state) {
    (void)state;
#ifdef SUPPORT_SHADOWED
    skip();
#endif
    SUPPORT_NOT_EMULATED(SUPPORT_LIMITS);
    assert_int_equal(support_in_child(with_fewer_and_more_addresses), 0);
}

/* A machine of 8 GB as the monitor sees it, with so much available and so much of ours in swap. */
static void set_machine(const char *root, unsigned long available_kb, unsigned long swapped_kb) {
    char text[200];
    int n = snprintf(text, sizeof text, "MemTotal: 8388608 kB\nMemAvailable: %lu kB\n", available_kb);
    support_write_file(root, "proc/meminfo", text, (size_t)n);
    n = snprintf(text, sizeof text, "RssAnon: 4096 kB\nVmSwap: %lu kB\n", swapped_kb);
    support_write_file(root, "proc/self/status", text, (size_t)n);
}

static void look_again(struct lr_engine *e, int times) {
    for (int i = 0; i < times; i++) {
        e->monitor.looked = 0;
        store_begin(&e->store, true);
        assert_int_equal(monitor_boundary(e, NULL), LR_OK);
        store_end(&e->store);
        e->monitor.last = e->monitor.began = clock_now() + 100; /* looks follow at once, however slow it is */
    }
}

static uint64_t pinned_now(const struct lr_engine *e) {
    uint64_t n = 0;
    for (size_t i = 0; i < e->n_tensors; i++) n += e->store.pinned[i];
    return n;
}

static char last_change[256];
static int changes, alarms;
static void keep_change(void *ctx, enum lr_log_level level, const char *line) {
    (void)ctx;
    (void)level;
    alarms += strstr(line, "High memory usage detected") != NULL;
    if (!strstr(line, "are kept in memory")) return;
    snprintf(last_change, sizeof last_change, "%s", line);
    changes++;
}

/* As if there had been no change for a while. */
static void settle(struct lr_engine *e) {
    e->monitor.last = 0;
    look_again(e, 1);
}

/* Also where some of ours was swapped out meanwhile, and stays there. */
static void pins_return_with_memory(void **state) {
    (void)state;
    char *folder = long_model(), *root = support_make_folder(), path[256];
    static const char *const folders[] = {"proc", "proc/self"};
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s", root, folders[i]);
        assert_int_equal(mkdir(path, 0700), 0);
    }
    set_machine(root, 4 << 20, 0);
    struct lr_engine *e = open_loaded(folder, LR_LOAD_STREAM);
    struct lr_session *s = open_session(e, 0, 1, 64);
    struct ids wanted = first_answer(s);
    uint64_t all = pinned_now(e);
    assert_true(all > 0);
    monitor_close(e);
    assert_int_equal(watch_open(root, 0, &e->monitor.watch, NULL), LR_OK);
    look_again(e, 1);
    assert_int_equal(pinned_now(e), all);
    set_machine(root, 1024, 100);
    changes = alarms = 0;
    lr_set_log(keep_change, NULL);
    look_again(e, 3);
    assert_int_equal(pinned_now(e), 0);
    assert_int_equal(changes, 0); /* more may follow at once */
    settle(e);
    assert_non_null(strstr(last_change, "taken by other programs: 0 MB of"));
    check_answer(s, &wanted);
    set_machine(root, 4 << 20, 100);
    e->monitor.ceiling.moved = -1000; /* after seconds: what was swapped out is not taken again at once */
    look_again(e, 5);
    assert_int_equal(pinned_now(e), all);
    settle(e);
    assert_non_null(strstr(last_change, "free again"));
    assert_int_equal(changes, 2); /* each once, and the alarm once for each crossing */
    assert_int_equal(alarms, 1);
    set_machine(root, 1024, 100);
    look_again(e, 3);
    assert_int_equal(alarms, 2);
    set_machine(root, 4 << 20, 100);
    look_again(e, 5);
    settle(e);
    assert_int_equal(changes, 2); /* what came and went was none */
    set_machine(root, 1024, 100);
    look_again(e, 1);
    monitor_close(e); /* what was not told yet is told at last */
    assert_int_equal(changes, 3);
    lr_set_log(NULL, NULL);
    assert_int_equal(watch_open("", 0, &e->monitor.watch, NULL), LR_OK);
    check_answer(s, &wanted);
    lr_session_close(s);
    lr_engine_close(e);
    support_remove_folder(folder);
    support_remove_folder(root);
}

/* Mapped weights that the system drops, where streaming would not fit either. */
static void mapped_it_goes_on_where_nothing_else_fits(void **state) {
    (void)state;
    struct lr_engine *e = open_engine();
    struct lr_session *s = open_session(e, 0, 1, 64);
    struct ids wanted = first_answer(s);
    assert_int_equal(e->store.mode, LR_LOAD_MAP);
    e->store.files[0].look = DISK_LOOK_NONE; /* nothing is missing in truth */
    e->options.mem_limit = 1;
    for (int i = 0; i < 5; i++) {
        e->monitor.passes = 2;
        e->monitor.asked_faults = -1; /* as if there had been a look since, */
        e->monitor.faults -= 1 << 20; /* and so many more of them */
        check_answer(s, &wanted);
        assert_int_equal(e->store.mode, LR_LOAD_MAP);
        assert_int_equal(lr_plan_current(e).mode, LR_LOAD_MAP);
    }
    lr_session_close(s);
    lr_engine_close(e);
}

static int64_t touch_once(void *ctx, uint64_t offset, uint64_t bytes) {
    (void)offset;
    (void)bytes;
    const char *path = atomic_exchange((const char *_Atomic *)ctx, NULL); /* of the readers the first one */
    if (path) utimensat(AT_FDCWD, path, NULL, 0);
    return INT64_MAX;
}

/* Copies may be old in part and new in part; afterwards the files may change as they like. */
static void files_that_change_while_they_are_copied(void **state) {
    (void)state;
    char *folder = long_model(), name[256];
    const char *_Atomic path;
    snprintf(name, sizeof name, "%s/model.safetensors", folder);
    struct lr_session *s;
    struct lr_error err;
    struct lr_engine *e = open_loaded(folder, LR_LOAD_RESIDENT);
    struct lr_session_options o = lr_session_defaults(e);
    o.context = 64;
    path = name;
    system_on_read(touch_once, &path);
    assert_int_equal(lr_session_open(e, &o, &s, &err), LR_EMODEL);
    system_on_read(NULL, NULL);
    assert_null(path);
    assert_non_null(strstr(err.message, "written to while in use"));
    lr_engine_close(e);
    e = open_loaded(folder, LR_LOAD_RESIDENT);
    s = open_session(e, 0, 1, 64);
    path = name;
    touch_once(&path, 0, 0);
    first_answer(s);
    look_again(e, 2);
    lr_session_close(s);
    lr_engine_close(e);
    support_remove_folder(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(feeding_in_pieces_is_feeding_at_once),
        cmocka_unit_test(one_by_one_is_generate),
        cmocka_unit_test(the_context_ends_the_text),
        cmocka_unit_test(what_is_refused_says_why),
        cmocka_unit_test(a_callback_and_a_flag_stop_it),
        cmocka_unit_test(an_interruption_while_decoding_is_a_finish),
        cmocka_unit_test(a_token_takes_nothing_from_the_heap),
        cmocka_unit_test(an_idle_session_takes_no_time),
        cmocka_unit_test(scores_are_the_logprobs_of_generation),
        cmocka_unit_test(several_sessions_share_an_engine),
        cmocka_unit_test(the_plan_adds_up),
        cmocka_unit_test(later_plans_are_for_the_open_session),
        cmocka_unit_test(every_refused_allocation_is_an_error),
        cmocka_unit_test(a_refused_session_leaves_the_others),
        cmocka_unit_test(sessions_come_and_go_while_one_writes),
        cmocka_unit_test(addresses_that_are_short),
        cmocka_unit_test(pins_return_with_memory),
        cmocka_unit_test(mapped_it_goes_on_where_nothing_else_fits),
        cmocka_unit_test(files_that_change_while_they_are_copied),
    };
    return cmocka_run_group_tests_name("session", tests, NULL, NULL);
}
