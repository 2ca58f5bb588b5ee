/* Memory that changes while models run: what others take and give back, sessions and engines that come and
 * go, limits on addresses, mapped weights that the kernel drops. On a model of 34 MB whose answer never
 * changes. */
#include "support/support.h"

#include "support/folder.h"
#include "support/llama.h"
#include "support/system.h"

#include "run/monitor.h"
#include "run/planning.h"
#include "run/rates.h"
#include "sys/clock.h"
#include "sys/file.h"
#include "weights/place.h"
#include "weights/units.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define MB (UINT64_C(1) << 20)

#ifdef SUPPORT_SHADOWED
#define NEEDS_TRUE_MEMORY() skip() /* a sanitizer's own memory comes and goes */
#else
#define NEEDS_TRUE_MEMORY() SUPPORT_NOT_EMULATED("its own memory is counted too")
#endif

static void file_of(const char *model, char *path, size_t size) {
    snprintf(path, size, "%s/model.safetensors", model);
}

/* On the disk, and not in the page cache. */
static void make_cold_model(const char *model) {
    char path[4200];
    support_make_llama(model, 1, NULL);
    file_of(model, path, sizeof path);
    assert_int_equal(file_drop(path, NULL), LR_OK);
}

static int make_model(void **state) {
    folder_setup(state);
    make_cold_model(folder);
    return 0;
}

/* ---- engines, sessions, answers */

static struct lr_engine_options engine_options(enum lr_load load, uint64_t limit) {
    struct lr_engine_options o = lr_engine_defaults();
    o.threads = 2;
    o.matmul = LR_MATMUL_NATIVE;
    o.load = load;
    o.mem_limit = limit;
    return o;
}

static struct lr_engine *open_engine(enum lr_load load, uint64_t limit) {
    struct lr_engine *e;
    struct lr_error err;
    struct lr_engine_options o = engine_options(load, limit);
    if (lr_engine_open(folder, &o, &e, &err)) fail_msg("%s", err.message);
    return e;
}

/* A chunk of the whole context has the most work space: 9 MB. */
static struct lr_session_options session_options(const struct lr_engine *e, uint32_t chunk) {
    struct lr_session_options o = lr_session_defaults(e);
    o.context = LLAMA_CONTEXT;
    o.prefill_chunk = chunk;
    o.sampling.temperature = 0;
    return o;
}

static struct lr_session *open_session(struct lr_engine *e, uint32_t chunk) {
    struct lr_session *s;
    struct lr_error err;
    struct lr_session_options o = session_options(e, chunk);
    if (lr_session_open(e, &o, &s, &err)) fail_msg("%s", err.message);
    return s;
}

enum { ANSWER = 6 };
static const uint32_t prompt[] = {5, 170, 4200, 6999, 3};

static enum lr_status try_answer(struct lr_session *s, uint32_t *ids, struct lr_error *err) {
    bool end;
    lr_session_reset(s);
    LR_TRY(lr_session_feed_ids(s, prompt, sizeof prompt / sizeof *prompt, err));
    for (int i = 0; i < ANSWER; i++) LR_TRY(lr_session_next(s, &ids[i], &end, err));
    return LR_OK;
}

static void check_answer(struct lr_session *s) {
    static uint32_t wanted[ANSWER];
    static bool known;
    struct lr_error err;
    uint32_t ids[ANSWER];
    if (try_answer(s, ids, &err)) fail_msg("%s", err.message);
    if (!known) memcpy(wanted, ids, sizeof ids);
    known = true;
    assert_memory_equal(ids, wanted, sizeof ids);
}

/* What the process owns with an engine and a session of it, and memory for a share of what passes read. */
static uint64_t limit_for(unsigned percent, uint32_t chunk) {
    struct lr_engine *e = open_engine(LR_LOAD_STREAM, 0);
    struct lr_session_options o = session_options(e, chunk);
    struct lr_plan p;
    struct lr_error err;
    if (lr_plan(e, &o, false, &p, &err)) fail_msg("%s", err.message);
    lr_engine_close(e);
    return p.kv + p.work + p.fixed + 20 * MB + p.pinned * percent / 100;
}

static void set_limit(struct lr_engine *e, uint64_t limit) {
    e->options.mem_limit = limit;
    monitor_close(e);
    assert_int_equal(watch_open("", limit, &e->monitor.watch, NULL), LR_OK);
}

static void look_again(struct lr_engine *e, int times) {
    for (int i = 0; i < times; i++) {
        struct lr_error err;
        e->monitor.looked = 0;
        store_begin(&e->store, true);
        if (monitor_boundary(e, &err)) fail_msg("%s", err.message);
        store_end(&e->store);
    }
}

static uint64_t pinned_now(const struct lr_engine *e) {
    uint64_t sum = 0;
    for (size_t i = 0; i < e->n_tensors; i++) sum += units_bytes(e->tensors[i].record, e->store.pinned[i]);
    return sum;
}

/* ---- what the ring takes */

static void all_pinned_there_is_no_ring(void **state) {
    (void)state;
    NEEDS_TRUE_MEMORY();
    uint64_t limit = limit_for(60, 0);
    struct lr_engine *e = open_engine(LR_LOAD_STREAM, limit);
    struct lr_session *s = open_session(e, 0);
    check_answer(s);
    assert_true(e->plan.streamed > 0 && e->store.ring.growth.taken > 0);
    set_limit(e, limit + 64 * MB);
    look_again(e, 4);
    assert_int_equal(e->plan.streamed, 0);
    assert_int_equal(e->plan.ring, 0);
    assert_int_equal(e->store.ring.growth.taken, 0);
    assert_true(memory_own_anonymous() <= e->plan.need);
    check_answer(s);
    set_limit(e, limit - 8 * MB); /* and again there is */
    look_again(e, 2);
    assert_true(e->plan.streamed > 0 && e->store.ring.growth.taken == e->plan.ring);
    check_answer(s);
    lr_session_close(s);
    lr_engine_close(e);
}

static void the_ring_shrinks_with_the_budget(void **state) {
    (void)state;
    NEEDS_TRUE_MEMORY();
    uint64_t limit = limit_for(70, 256);
    struct lr_engine *e = open_engine(LR_LOAD_STREAM, limit);
    struct lr_session *s = open_session(e, 256);
    check_answer(s);
    uint64_t large = e->store.ring.growth.taken;
    set_limit(e, limit - 16 * MB);
    look_again(e, 2);
    assert_true(e->plan.ring < large);
    assert_int_equal(e->store.ring.growth.taken, e->plan.ring);
    check_answer(s);
    assert_true(memory_own_anonymous() <= e->plan.need);
    lr_session_close(s);
    lr_engine_close(e);
}

/* Where not even the least fits it goes on, with the least ring. */
static void with_nothing_at_all_it_goes_on(void **state) {
    (void)state;
    struct lr_engine *e = open_engine(LR_LOAD_STREAM, 0);
    struct lr_session *s = open_session(e, 0);
    check_answer(s);
    set_limit(e, MB);
    look_again(e, 2);
    assert_false(e->plan.fits);
    assert_int_equal(pinned_now(e), 0);
    check_answer(s);
    set_limit(e, 0);
    look_again(e, 4);
    assert_int_equal(e->plan.streamed, 0);
    check_answer(s);
    lr_session_close(s);
    lr_engine_close(e);
}

static int64_t count_reads(void *ctx, uint64_t offset, uint64_t bytes) {
    (void)offset;
    (void)bytes;
    atomic_fetch_add((atomic_int *)ctx, 1);
    return INT64_MAX;
}

/* Memory that others take is given back at once: nothing is read meanwhile. */
static void giving_back_reads_nothing(void **state) {
    (void)state;
    NEEDS_TRUE_MEMORY();
    uint64_t limit = limit_for(95, 0);
    struct lr_engine *e = open_engine(LR_LOAD_STREAM, limit);
    struct lr_session *s = open_session(e, 0);
    atomic_int reads = 0;
    stream_reset(&e->store.stream);
    system_on_read(count_reads, &reads);
    for (int i = 1; i <= 20; i++) {
        uint64_t before = pinned_now(e);
        set_limit(e, limit - (uint64_t)i * MB);
        e->monitor.limit_met = true; /* to the byte */
        look_again(e, 1);
        assert_true(pinned_now(e) <= before);
    }
    assert_int_equal(reads, 0);
    system_on_read(NULL, NULL);
    check_answer(s);
    lr_session_close(s);
    lr_engine_close(e);
}

/* ---- others in the same process */

static void what_the_host_program_takes_is_given_back(void **state) {
    (void)state;
    NEEDS_TRUE_MEMORY();
    uint64_t limit = limit_for(60, 0);
    struct lr_engine *e = open_engine(LR_LOAD_STREAM, limit);
    struct lr_session *s = open_session(e, 0);
    check_answer(s);
    look_again(e, 2);
    uint64_t before = pinned_now(e), bytes = 16 * MB;
    void *taken = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(taken != MAP_FAILED);
    memset(taken, 1, bytes);
    look_again(e, 2);
    assert_true(pinned_now(e) + bytes / 2 < before);
    assert_true(memory_own_anonymous() <= limit);
    check_answer(s);
    munmap(taken, bytes);
    look_again(e, 5);
    assert_true(pinned_now(e) + 2 * MB >= before);
    check_answer(s);
    lr_session_close(s);
    lr_engine_close(e);
}

/* One has what the other leaves, and gets the rest when that ends. */
static void two_engines_share_what_there_is(void **state) {
    (void)state;
    NEEDS_TRUE_MEMORY();
    uint64_t limit = limit_for(90, 0);
    struct lr_engine *a = open_engine(LR_LOAD_STREAM, limit), *b;
    struct lr_session *s = open_session(a, 0), *t;
    check_answer(s);
    uint64_t alone = pinned_now(a);
    limit += 24 * MB;
    b = open_engine(LR_LOAD_STREAM, limit);
    t = open_session(b, 0);
    check_answer(t);
    uint64_t beside = pinned_now(b);
    assert_true(beside + 8 * MB < alone);
    set_limit(a, limit);
    look_again(a, 5); /* the other's is not spare memory */
    assert_true(pinned_now(a) <= alone + 2 * MB);
    check_answer(s);
    assert_true(memory_own_anonymous() <= limit);
    lr_session_close(s);
    lr_engine_close(a);
    look_again(b, 5);
    assert_int_equal(b->plan.streamed, 0);
    check_answer(t);
    lr_session_close(t);
    lr_engine_close(b);
}

/* ---- sessions that come and go */

/* Whichever of two is closed, its memory is the pins' again at the next pass. */
static void a_closed_session_counts_no_more(void **state) {
    (void)state;
    NEEDS_TRUE_MEMORY();
    uint64_t limit = limit_for(80, 256);
    for (int older = 0; older < 2; older++) {
        struct lr_engine *e = open_engine(LR_LOAD_STREAM, limit);
        struct lr_session *first = open_session(e, 256);
        check_answer(first);
        uint64_t alone = pinned_now(e);
        struct lr_session *second = open_session(e, 256);
        check_answer(first);
        check_answer(second);
        assert_true(pinned_now(e) + 4 * MB < alone);
        lr_session_close(older ? first : second);
        check_answer(older ? second : first);
        assert_true(pinned_now(e) + 2 * MB >= alone);
        lr_session_close(older ? second : first);
        lr_engine_close(e);
    }
}

static uint32_t filled_by(uint32_t positions) {
    return positions + positions / 4;
}

/* Each session's cache counts as far as it is used, by itself. */
static void caches_count_as_they_fill(void **state) {
    (void)state;
    struct lr_engine *e = open_engine(LR_LOAD_STREAM, 0);
    struct lr_session *a = open_session(e, 32), *b = open_session(e, 32);
    uint64_t kv, work;
    a->filled = b->filled = 16; /* as if a longer context had been asked for */
    struct lr_error err;
    uint32_t ids[48] = {0};
    assert_int_equal(lr_session_feed_ids(a, ids, 48, &err), LR_OK);
    assert_int_equal(a->filled, filled_by(48));
    assert_int_equal(b->filled, 16);
    session_measure(&a->shape, a->filled, 32, &kv, &work, NULL);
    assert_int_equal(e->facts.unfilled, a->kv - kv);
    assert_int_equal(e->facts.filled, 16);
    lr_session_close(a);
    lr_session_close(b);
    lr_engine_close(e);
}

/* ---- limits on addresses */

static void limit_addresses(uint64_t more, struct rlimit *before) {
    struct memory_info m;
    getrlimit(RLIMIT_AS, before);
    struct rlimit limit = *before;
    memory_read("", 0, &m, NULL);
    limit.rlim_cur = m.own_address + more;
    setrlimit(RLIMIT_AS, &limit);
}

/* The second session has room beside pins that have taken all addresses that they could get: so many as there
 * were at first, and, where that is not 0, so few as are left when it comes. */
static int second_session(enum lr_load load, uint64_t more, uint64_t left) {
    struct lr_engine *e = open_engine(load, 0);
    struct lr_session *a, *b;
    struct lr_session_options o = session_options(e, 256);
    struct rlimit before, meanwhile;
    uint32_t one[ANSWER], two[ANSWER];
    limit_addresses(more, &before);
    if (lr_session_open(e, &o, &a, NULL) || try_answer(a, one, NULL)) return 1;
    enum lr_load mode = e->store.mode;
    uint64_t pinned = pinned_now(e);
    if (left) limit_addresses(left, &meanwhile);
    if (lr_session_open(e, &o, &b, NULL)) return 2;
    if (try_answer(b, two, NULL) || memcmp(one, two, sizeof one) != 0) return 3;
    if (try_answer(a, two, NULL) || memcmp(one, two, sizeof one) != 0) return 4;
    if (e->store.mode != mode) return 5;
    if (load == LR_LOAD_STREAM && !left && pinned_now(e) < pinned / 4) return 6;
    setrlimit(RLIMIT_AS, &before);
    lr_session_close(a);
    lr_session_close(b);
    lr_engine_close(e);
    return 0;
}

static int second_streamed(void) {
    return second_session(LR_LOAD_STREAM, 190 * MB, 0);
}
static int second_streamed_tightly(void) {
    return second_session(LR_LOAD_STREAM, 112 * MB, 0);
}
static int second_instead_of_pins(void) {
    return second_session(LR_LOAD_STREAM, 190 * MB, 3 * MB);
}
static int second_mapped(void) {
    return second_session(LR_LOAD_AUTO, 70 * MB, 0);
}

static void a_second_session_where_addresses_are_short(void **state) {
    (void)state;
    NEEDS_TRUE_MEMORY();
    assert_int_equal(support_in_child(second_streamed), 0);
    assert_int_equal(support_in_child(second_streamed_tightly), 0);
    assert_int_equal(support_in_child(second_instead_of_pins), 0);
    assert_int_equal(support_in_child(second_mapped), 0);
}

/* ---- mapped weights that are dropped */

static void drop_mapped(struct lr_engine *e) {
    for (size_t i = 0; i < e->catalog.n_files && e->store.maps[i].base; i++)
        madvise(e->store.maps[i].base, e->store.maps[i].size, MADV_PAGEOUT);
}

static void next_token(struct lr_session *s) {
    uint32_t id;
    bool end;
    struct lr_error err;
    if (lr_session_next(s, &id, &end, &err)) fail_msg("%s", err.message);
}

/* How many tokens it takes to leave the map, at most 10. */
static int tokens_until_left(struct lr_engine *e, struct lr_session *s, void (*before)(struct lr_engine *e)) {
    assert_int_equal(e->store.mode, LR_LOAD_MAP);
    int n = 0;
    for (; n < 10 && e->store.mode == LR_LOAD_MAP; n++) {
        before(e);
        e->monitor.looked -= 1; /* it is time to look */
        next_token(s);
    }
    return n;
}

static void dropped_weights_are_pinned(void **state) {
    (void)state;
    for (int told = 1; told >= 0; told--) {
        struct lr_engine *e = open_engine(LR_LOAD_AUTO, 0);
        struct lr_session *s = open_session(e, 0);
        if (e->store.files[0].look == DISK_LOOK_NONE) {
            printf("the system does not tell what is in the page cache\n");
            skip();
        }
        if (!told) e->store.files[0].look = DISK_LOOK_NONE;
        check_answer(s);
        drop_mapped(e);
        double missing = 0;
        if (told && !store_missing(&e->store, &missing)) fail();
        if (told && missing < 0.5) {
            printf("mapped pages cannot be dropped here\n");
            skip();
        }
        int n = tokens_until_left(e, s, drop_mapped);
        assert_in_range(n, 2, 4);
        assert_int_equal(e->plan.streamed, 0); /* there is memory for all of it */
        check_answer(s);
        lr_session_close(s);
        lr_engine_close(e);
    }
}

static char *elsewhere;

/* As a host program does, or another engine: through the cache, past it, and by faults of its own. */
static void read_elsewhere(struct lr_engine *e) {
    char path[4200];
    file_of(elsewhere, path, sizeof path);
    assert_int_equal(file_drop(path, NULL), LR_OK);
    struct file_map map;
    assert_int_equal(file_map_open(path, &map, NULL), LR_OK);
    for (uint64_t at = 0; at < map.size; at += 4096) (void)*(const volatile uint8_t *)(map.data + at);
    file_map_close(&map);
    (void)e;
}

static void what_others_read_is_no_reason(void **state) {
    (void)state;
    struct lr_engine *e = open_engine(LR_LOAD_AUTO, 0);
    struct lr_session *s = open_session(e, 0);
    if (e->store.files[0].look == DISK_LOOK_NONE) skip();
    elsewhere = support_make_folder();
    make_cold_model(elsewhere);
    check_answer(s);
    assert_int_equal(tokens_until_left(e, s, read_elsewhere), 10);
    support_remove_folder(elsewhere);
    lr_session_close(s);
    lr_engine_close(e);
}

/* ---- what the kernel says of strain: a machine of 8 GB that is made up */

static char *machine;

/* In one piece and always as long: it may be read meanwhile. */
static void say(const char *name, const char *format, unsigned long long a, unsigned long long b) {
    char text[160], path[4200];
    memset(text, '\n', sizeof text);
    text[snprintf(text, sizeof text, format, a, b)] = '\n';
    snprintf(path, sizeof path, "%s/%s", machine, name);
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, text, sizeof text, 0), sizeof text);
    close(fd);
}

static void set_machine(unsigned long long available_kb, unsigned long long swapped_kb) {
    say("proc/meminfo", "MemTotal: %llu kB\nMemAvailable: %llu kB\n", 8 << 20, available_kb);
    say("proc/self/status", "RssAnon: %llu kB\nVmSwap: %llu kB\n", 64 << 10, swapped_kb);
}

static void set_stalls(unsigned long long us) {
    say("proc/pressure/memory", "some avg10=0.00 total=%llu\nfull avg10=0.00 total=%llu\n", us, us);
}

static void make_machine(struct lr_engine *e) {
    static const char *const folders[] = {"proc", "proc/self", "proc/pressure"};
    char path[4200];
    machine = support_make_folder();
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/%s", machine, folders[i]);
        assert_int_equal(mkdir(path, 0700), 0);
    }
    set_machine(1 << 19, 0); /* a sixteenth: short, but enough */
    set_stalls(0);
    monitor_close(e);
    assert_int_equal(watch_open(machine, 0, &e->monitor.watch, NULL), LR_OK);
    look_again(e, 1);
}

static char last_change[256];
static int changes;
static void keep_change(void *ctx, enum lr_log_level level, const char *line) {
    (void)ctx;
    (void)level;
    if (!strstr(line, "are kept in memory instead")) return;
    snprintf(last_change, sizeof last_change, "%s", line);
    changes++;
}

/* As if it had been `seconds` since the kernel was asked and memory looked at. */
static void boundary_after(struct lr_engine *e, double asked, double looked) {
    struct lr_error err;
    e->monitor.asked = clock_now() - asked;
    e->monitor.looked = clock_now() - looked;
    store_begin(&e->store, true);
    if (monitor_boundary(e, &err)) fail_msg("%s", err.message);
    store_end(&e->store);
}

/* A change is told when it is over. */
static void wait_until_told(struct lr_engine *e) {
    e->monitor.last = -1000;
    look_again(e, 1);
    assert_false(e->monitor.changing);
}

static void waiting_for_memory_gives_pins_back(void **state) {
    (void)state;
    struct lr_engine *e = open_engine(LR_LOAD_STREAM, 0);
    struct lr_session *s = open_session(e, 0);
    check_answer(s);
    make_machine(e);
    lr_set_log(keep_change, NULL);
    changes = 0;
    uint64_t all = pinned_now(e), stalls = 0;
    for (int i = 0; i < 10; i++) {
        set_stalls(stalls += 500); /* 0.5 % of the time: work as usual */
        boundary_after(e, 0.1, 0.1);
    }
    assert_int_equal(changes, 0);
    for (int i = 0; i < 4; i++) {
        set_stalls(stalls += 3300); /* 3.3 %: soon that is 1 % of the last second */
        boundary_after(e, 0.1, 0.01);
    }
    wait_until_told(e);
    assert_int_equal(changes, 1);
    assert_non_null(strstr(last_change, "memory is waited for"));
    uint64_t fewer = pinned_now(e);
    assert_true(fewer < all && fewer > all / 2); /* a sixteenth of them, and the ring */
    look_again(e, 8);                            /* not taken again at once */
    assert_int_equal(pinned_now(e), fewer);
    check_answer(s);
    for (int i = 0; i < 40; i++) { /* half is kept */
        set_stalls(stalls += 50000);
        e->monitor.ceiling.moved -= 1;
        boundary_after(e, 0.1, 0.1);
    }
    assert_true(e->plan.need >= e->monitor.ceiling.floor - 2 * MB && pinned_now(e) < fewer);
    for (int i = 0; i < 20; i++) { /* step by step */
        e->monitor.ceiling.moved = -1000;
        look_again(e, 4);
    }
    assert_int_equal(pinned_now(e), all);
    wait_until_told(e);
    assert_non_null(strstr(last_change, "memory is free again"));
    lr_set_log(NULL, NULL);
    lr_session_close(s);
    lr_engine_close(e);
    support_remove_folder(machine);
}

/* A sign of the kernel's has memory looked at before it is time. */
static void signs_of_strain_are_followed_at_once(void **state) {
    (void)state;
    struct lr_engine *e = open_engine(LR_LOAD_STREAM, 0);
    struct lr_session *s = open_session(e, 0);
    make_machine(e);
    uint64_t all = pinned_now(e);
    assert_true(all > 0);
    set_machine(1024, 0);
    boundary_after(e, 0.05, 0.05);
    assert_int_equal(pinned_now(e), all);
    set_stalls(30000);
    boundary_after(e, 0.01, 0.05); /* it is not asked so often */
    assert_int_equal(pinned_now(e), all);
    boundary_after(e, 0.05, 0.05);
    assert_int_equal(pinned_now(e), 0);
    check_answer(s);
    lr_session_close(s);
    lr_engine_close(e);
    support_remove_folder(machine);
}

/* Even where there seems to be memory: as much as was swapped, once. */
static void what_is_swapped_out_is_given_back(void **state) {
    (void)state;
    struct lr_engine *e = open_engine(LR_LOAD_STREAM, 0);
    struct lr_session *s = open_session(e, 0);
    make_machine(e);
    lr_set_log(keep_change, NULL);
    changes = 0;
    uint64_t all = pinned_now(e);
    set_machine(4 << 20, 8192);
    look_again(e, 1);
    wait_until_told(e);
    assert_int_equal(changes, 1);
    assert_non_null(strstr(last_change, "memory is swapped out"));
    uint64_t fewer = pinned_now(e);
    assert_true(fewer + 7 * MB + e->plan.ring < all);
    assert_true(fewer + 11 * MB + e->plan.ring > all);
    look_again(e, 2); /* what stays there is no more of it */
    assert_int_equal(pinned_now(e), fewer);
    lr_set_log(NULL, NULL);
    check_answer(s);
    lr_session_close(s);
    lr_engine_close(e);
    support_remove_folder(machine);
}

/* ---- asking for the plan meanwhile */

struct talker {
    struct lr_session *session;
    atomic_bool stop;
};
static void *talk(void *arg) {
    struct talker *t = arg;
    uint32_t ids[ANSWER];
    while (!atomic_load(&t->stop))
        if (try_answer(t->session, ids, NULL)) return t;
    return NULL;
}

/* The thread sanitizer's build looks at that; a plan is also never half of one and half of another. */
static void the_plan_is_asked_for_while_it_changes(void **state) {
    (void)state;
    struct lr_engine *e = open_engine(LR_LOAD_STREAM, 0);
    struct talker t = {.session = open_session(e, 0)};
    pthread_t id;
    void *failed;
    int seen = 0;
    make_machine(e);
    uint64_t weights = e->plan.weights, last = 1, rows = e->tensors[0].record->bytes;
    assert_int_equal(pthread_create(&id, NULL, talk, &t), 0);
    for (int i = 0; i < 3000 && seen < 4; i++) {
        if (i % 60 == 0) set_machine(i % 120 ? 4 << 20 : 1024, 0);
        struct lr_plan p = lr_plan_current(e);
        assert_true(p.pinned + p.streamed <= weights);
        assert_true(p.pinned + p.streamed + rows + MB >= weights);
        seen += p.pinned != last;
        last = p.pinned;
        usleep(10000);
    }
    atomic_store(&t.stop, true);
    pthread_join(id, &failed);
    assert_null(failed);
    assert_true(seen >= 4);
    lr_session_close(t.session);
    lr_engine_close(e);
    support_remove_folder(machine);
}

/* ---- how far loading is */

struct progress {
    uint64_t done, total, largest;
    int calls;
};
static void note_progress(void *ctx, enum lr_phase phase, uint64_t done, uint64_t total) {
    struct progress *p = ctx;
    if (phase != LR_PHASE_LOAD) return;
    assert_true(done >= p->done && done <= total);
    if (done - p->done > p->largest) p->largest = done - p->done;
    p->done = done;
    p->total = total;
    p->calls++;
}

static struct lr_engine *open_with_progress(enum lr_load load, struct progress *p) {
    struct lr_engine *e;
    struct lr_engine_options o = engine_options(load, 0);
    *p = (struct progress){0};
    o.progress = note_progress;
    o.progress_ctx = p;
    assert_int_equal(lr_engine_open(folder, &o, &e, NULL), LR_OK);
    return e;
}

/* Bytes that were read, in pieces of a few MB; of the mapped ones layer after layer. */
static void loading_is_told_in_bytes(void **state) {
    (void)state;
    static const enum lr_load loads[] = {LR_LOAD_STREAM, LR_LOAD_RESIDENT, LR_LOAD_MAP};
    char path[4200];
    file_of(folder, path, sizeof path);
    for (int i = 0; i < 3; i++) {
        struct progress p;
        assert_int_equal(file_drop(path, NULL), LR_OK);
        struct lr_engine *e = open_with_progress(loads[i], &p);
        struct lr_session *s = open_session(e, 0);
        uint64_t pass = place_pass_bytes(&e->facts), head = e->tensors[e->n_tensors - 1].record->bytes;
        check_answer(s);
        assert_int_equal(p.done, p.total);
        assert_int_equal(p.total, loads[i] == LR_LOAD_MAP ? pass : e->plan.pinned);
        if (loads[i] == LR_LOAD_MAP)
            assert_int_equal(p.largest, head);
        else
            assert_true(p.largest <= 2 * MB && p.calls > 10);
        lr_session_close(s);
        lr_engine_close(e);
    }
}

/* A prompt that is known when the session is opened is refused before any weight is read. */
static void a_prompt_that_cannot_be_read_loads_nothing(void **state) {
    (void)state;
    static const uint32_t no_token[] = {5, 1 << 30};
    static uint32_t too_long[LLAMA_CONTEXT + 1];
    static const struct {
        const uint32_t *ids;
        size_t n;
        const char *said;
    } rows[] = {{no_token, 2, "token id 1073741824 is out of range"},
                {too_long, LLAMA_CONTEXT + 1, "the context has room for"}};
    struct lr_engine *e = open_engine(LR_LOAD_STREAM, 0);
    for (int i = 0; i < 2; i++) {
        struct lr_session_options o = session_options(e, 0);
        struct lr_session *s;
        struct lr_error err;
        o.ids = rows[i].ids;
        o.n_ids = rows[i].n;
        assert_int_equal(lr_session_open(e, &o, &s, &err), LR_EUSAGE);
        assert_non_null(strstr(err.message, rows[i].said));
        assert_false(e->loaded);
        assert_int_equal(e->store.pins.growth.taken, 0);
    }
    lr_engine_close(e);
}

/* ---- memory that is taken while weights are loaded */

/* Leaves the engine a limit of `then` bytes at the `at`th piece of progress, or at the line that begins so.
 */
struct taker {
    struct lr_engine *engine;
    uint64_t then, most; /* most: bytes that were pinned at once afterwards */
    const char *line;
    int at, seen;
    bool taken;
};

static void take(struct taker *t) {
    set_limit(t->engine, t->then);
    t->taken = true;
}

static void take_at_piece(void *ctx, enum lr_phase phase, uint64_t done, uint64_t total) {
    struct taker *t = ctx;
    (void)done;
    (void)total;
    if (phase != LR_PHASE_LOAD || !t->engine) return;
    uint64_t pinned = t->engine->store.pins.growth.taken;
    if (t->taken && pinned > t->most) t->most = pinned;
    if (++t->seen == t->at) take(t);
    t->engine->monitor.looked = -1; /* it is time to look */
    if (!t->taken) t->engine->monitor.ours = 0;
}

static void what_is_taken_while_loading_is_given_back(void **state) {
    (void)state;
    NEEDS_TRUE_MEMORY();
    uint64_t limit = limit_for(90, 0);
    struct taker t = {.then = limit_for(50, 0), .at = 1000};
    struct lr_engine_options o = engine_options(LR_LOAD_STREAM, limit);
    o.progress = take_at_piece;
    o.progress_ctx = &t;
    for (int i = 0; i < 2; i++) { /* first to count the pieces */
        assert_int_equal(lr_engine_open(folder, &o, &t.engine, NULL), LR_OK);
        struct lr_session *s = open_session(t.engine, 0);
        assert_int_equal(t.taken, i == 1);
        if (t.taken) assert_true(t.engine->plan.need <= t.then && pinned_now(t.engine) > 0);
        if (t.taken) assert_true(t.most < (limit + t.then) / 2);
        check_answer(s);
        lr_session_close(s);
        lr_engine_close(t.engine);
        t.at = t.seen * 2 / 3;
        t.seen = 0;
        t.engine = NULL;
    }
}

static void take_at_line(void *ctx, enum lr_log_level level, const char *line) {
    struct taker *t = ctx;
    (void)level;
    if (strstr(line, "kept in memory")) snprintf(last_change, sizeof last_change, "%s", line);
    if (!t->taken && strstr(line, t->line)) take(t);
}

/* Planned to be mapped; when the batches begin that fits no more. */
static void the_map_is_left_while_loading(void **state) {
    (void)state;
    NEEDS_TRUE_MEMORY();
    struct taker t = {.then = limit_for(60, 0), .line = "layer weights in batches"};
    struct lr_engine_options o = engine_options(LR_LOAD_AUTO, 0);
    assert_int_equal(lr_engine_open(folder, &o, &t.engine, NULL), LR_OK);
    last_change[0] = 0;
    lr_set_log(take_at_line, &t);
    struct lr_session *s = open_session(t.engine, 0);
    assert_true(t.taken);
    assert_int_equal(t.engine->store.mode, LR_LOAD_STREAM);
    assert_non_null(strstr(last_change, "memory is taken by other programs: from now on"));
    assert_true(t.engine->plan.fits && t.engine->plan.need <= t.then && pinned_now(t.engine) > 0);
    check_answer(s);
    lr_session_close(s);
    lr_engine_close(t.engine);
    lr_set_log(NULL, NULL);
    assert_non_null(strstr(last_change, "from now on")); /* and nothing more was told of it */
}

/* ---- shards on two disks */

static void keep_rate(const char *cache, uint64_t device, double rate, int buffered) {
    char name[64], text[256];
    snprintf(name, sizeof name, "disk-%llx.json", (unsigned long long)device);
    int n = snprintf(text, sizeof text,
                     "{\"taken\":%.0f,\"bytes_per_s\":%.0f,\"block\":%d,\"depth\":%d,\"buffered\":%d}",
                     clock_wall() - 60, rate, buffered ? 4 << 20 : 1 << 20, buffered ? 8 : 16, buffered);
    support_write_file(cache, name, text, (size_t)n);
}

static void each_disk_has_its_rate(void **state) {
    (void)state;
    if (access("/dev/shm", W_OK) != 0) skip();
    char *second = support_make_folder_below("/dev/shm");
    char *model = support_make_folder(), *cache = support_make_folder();
    struct lr_engine *e;
    struct lr_session *s;
    struct lr_engine_options o = engine_options(LR_LOAD_STREAM, 0);
    o.cache_dir = cache;
    support_make_llama(model, 2, second);
    assert_int_equal(lr_engine_open(model, &o, &e, NULL), LR_OK);
    const struct disk_file *f = e->store.files;
    bool apart = f[0].identity.device != f[1].identity.device;
    if (apart) {
        keep_rate(cache, f[0].identity.device, 1e9, 0);
        keep_rate(cache, f[1].identity.device, 4e9, 1);
        assert_int_equal(rates_measure_disk(e, NULL), LR_OK);
        double a = (double)f[0].identity.size, b = (double)f[1].identity.size;
        double seconds = a / 1e9 + b / 4e9;
        assert_true(e->rates.disk > 0.999 * (a + b) / seconds && e->rates.disk < 1.001 * (a + b) / seconds);
        assert_int_equal(f[0].way, DISK_DIRECT);
        assert_int_equal(f[1].way, DISK_BUFFERED);
        assert_int_equal(e->rates.depth, b > a ? 8 : 16);
        e->store.files[1].align = 512; /* as on a disk with smaller blocks */
        s = open_session(e, 0);
        check_answer(s);
        set_limit(e, MB); /* nothing is pinned: all is streamed */
        look_again(e, 2);
        check_answer(s);
        lr_session_close(s);
    }
    lr_engine_close(e);
    support_remove_folder(model);
    support_remove_folder(cache);
    support_remove_folder(second);
    if (!apart) skip();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_pinned_there_is_no_ring),
        cmocka_unit_test(the_ring_shrinks_with_the_budget),
        cmocka_unit_test(with_nothing_at_all_it_goes_on),
        cmocka_unit_test(giving_back_reads_nothing),
        cmocka_unit_test(what_the_host_program_takes_is_given_back),
        cmocka_unit_test(two_engines_share_what_there_is),
        cmocka_unit_test(a_closed_session_counts_no_more),
        cmocka_unit_test(caches_count_as_they_fill),
        cmocka_unit_test(a_second_session_where_addresses_are_short),
        cmocka_unit_test(dropped_weights_are_pinned),
        cmocka_unit_test(what_others_read_is_no_reason),
        cmocka_unit_test(waiting_for_memory_gives_pins_back),
        cmocka_unit_test(signs_of_strain_are_followed_at_once),
        cmocka_unit_test(what_is_swapped_out_is_given_back),
        cmocka_unit_test(the_plan_is_asked_for_while_it_changes),
        cmocka_unit_test(loading_is_told_in_bytes),
        cmocka_unit_test(a_prompt_that_cannot_be_read_loads_nothing),
        cmocka_unit_test(what_is_taken_while_loading_is_given_back),
        cmocka_unit_test(the_map_is_left_while_loading),
        cmocka_unit_test(each_disk_has_its_rate),
    };
    return cmocka_run_group_tests_name("run memory", tests, make_model, folder_teardown);
}
