#include "run/limits.h"

#include "base/mem.h"
#include "base/pages.h"
#include "run/engine.h"
#include "run/planning.h"
#include "sys/clock.h"
#include "sys/cpu.h"

#include <string.h>

#define BLOCK_LEAST   (UINT64_C(256) << 20) /* read to measure memory, and more where caches are large ... */
#define BLOCK_MOST    (UINT64_C(2) << 30)
#define CACHES        4 /* ... so many times the last of them */
#define CACHE_UNKNOWN (UINT64_C(64) << 20)
#define OWN_BYTES     (UINT64_C(128) << 10) /* of a thread: more than the first level, less than the second */
#define OWN_TURNS     64
#define PIECE_BYTES   (UINT64_C(1) << 20)
#define PASSES        10 /* at least, and until so long has been read: */
#define READ_SECONDS  0.2
#define AHEAD         4096 /* bytes; every second pass fetches lines ahead, as the products do */
#define PEAK_SECONDS  0.01

const char *limits_peak_name(enum kernel_peak which) {
    static const char *const names[PEAK_COUNT] = {
        [PEAK_F32] = "f32", [PEAK_BF16] = "bf16", [PEAK_INT8] = "int8"};
    return names[which];
}

/* ---- memory */

struct reading {
    kernel_read_fn *read;
    char *block;
    uint64_t piece; /* bytes of a task */
    uint32_t turns; /* in which a task reads its piece */
    uint64_t ahead;
    float *sums; /* [threads] */
};

static void read_piece(void *ctx, uint32_t task, uint32_t thread) {
    const struct reading *r = ctx;
    for (uint32_t i = 0; i < r->turns; i++)
        r->sums[thread] += r->read(r->block + task * r->piece, r->piece, r->ahead);
}

/* Bytes per second, the best of some passes. */
static double read_rate(struct threads *threads, struct reading *r, uint32_t tasks) {
    double best = 0, bytes = (double)r->piece * r->turns * tasks, start = clock_now();
    for (int i = 0; i < PASSES || clock_now() - start < READ_SECONDS; i++) {
        r->ahead = i % 2 ? AHEAD : 0;
        double begin = clock_now();
        threads_run(threads, tasks, read_piece, r);
        double rate = bytes / (clock_now() - begin);
        if (rate > best) best = rate;
    }
    return best;
}

static enum lr_status last_cache(uint64_t *out, struct lr_error *err) {
    struct cpu_info cpu;
    LR_TRY(cpu_read("", &cpu, err));
    *out = cpu.cache ? cpu.cache : CACHE_UNKNOWN;
    return LR_OK;
}

/* What is read, of the memory that may be taken. */
static uint64_t block_size(struct lr_engine *e, uint64_t cache) {
    uint64_t bytes = CACHES * cache, most = planning_available(e) / 4;
    if (bytes < BLOCK_LEAST) bytes = BLOCK_LEAST;
    if (bytes > BLOCK_MOST) bytes = BLOCK_MOST;
    if (bytes > most) bytes = most;
    return bytes - bytes % PAGES_LARGE;
}

static void touch_piece(void *ctx, uint32_t task, uint32_t thread) {
    (void)thread;
    const struct reading *r = ctx;
    memset(r->block + task * r->piece, 1, r->piece);
}

static void raise_rate(double *rate, double found) {
    if (found > *rate) *rate = found;
}

static void read_block(struct threads *threads, uint64_t bytes, uint64_t cache, struct reading *r,
                       struct machine_limits *out) {
    r->piece = PIECE_BYTES;
    r->turns = 1;
    uint32_t tasks = (uint32_t)(bytes / PIECE_BYTES), own = threads_count(threads);
    threads_run(threads, tasks, touch_piece, r);
    if (bytes >= 2 * cache) raise_rate(&out->memory, read_rate(threads, r, tasks));
    r->piece = OWN_BYTES;
    r->turns = OWN_TURNS;
    if (bytes >= own * OWN_BYTES) raise_rate(&out->cache, read_rate(threads, r, own));
}

/* Nothing is known where memory is refused. */
static void measure_reading(struct lr_engine *e, uint64_t cache, struct machine_limits *out) {
    uint64_t bytes = block_size(e, cache);
    struct reading r = {.read = e->matmul.kernels->read,
                        .sums = lr_calloc(threads_count(e->threads), sizeof *r.sums)};
    r.block = bytes && r.sums ? pages_reserve(bytes) : NULL;
    if (r.block && pages_use(r.block, bytes)) {
        pages_want_large(r.block, bytes);
        read_block(e->threads, bytes, cache, &r, out);
    }
    if (r.block) pages_release(r.block, bytes);
    lr_free(r.sums);
}

/* ---- arithmetic */

struct peak {
    kernel_peak_fn *run;
    uint64_t rounds, done; /* done: in one task, alike in all */
};

static void run_peak(void *ctx, uint32_t task, uint32_t thread) {
    struct peak *p = ctx;
    float io = 1;
    uint64_t done = p->run(p->rounds, &io);
    if (thread == 0 && io > 0) p->done = done;
    (void)task;
}

/* One task for each thread: seconds that they took together. */
static double time_peak(struct threads *threads, struct peak *p) {
    double begin = clock_now();
    threads_run(threads, threads_count(threads), run_peak, p);
    return clock_now() - begin;
}

static double measure_peak(struct threads *threads, kernel_peak_fn *run) {
    struct peak p = {run, 1000, 0};
    double best = 0, seconds = 0;
    while ((seconds = time_peak(threads, &p)) < PEAK_SECONDS / 2 && p.rounds < UINT64_C(1) << 40)
        p.rounds *= 2;
    for (int i = 0; i < PASSES; i++) {
        double rate = (double)p.done * threads_count(threads) / seconds;
        if (rate > best) best = rate;
        seconds = time_peak(threads, &p);
    }
    return best;
}

enum lr_status limits_measure(struct lr_engine *e, struct machine_limits *out, struct lr_error *err) {
    const struct kernel_table *kernels = e->matmul.kernels;
    uint32_t features = cpu_features();
    uint64_t cache;
    LR_TRY(last_cache(&cache, err));
    *out = (struct machine_limits){.in_cache = e->binding.used_bytes <= cache / 2};
    for (int i = 0; i < LR_DTYPE_COUNT; i++) out->products[i] = kernel_peak_of(kernels, (enum lr_dtype)i);
    measure_reading(e, cache, out);
    for (int i = 0; i < PEAK_COUNT; i++) {
        if (e->options.interrupt && *e->options.interrupt)
            return lr_fail(err, LR_EINTERRUPTED, "interrupted while the machine was measured");
        kernel_peak_fn *run = kernel_peak(kernels, features, (enum kernel_peak)i);
        if (run) out->peak[i] = measure_peak(e->threads, run);
    }
    return LR_OK;
}

enum lr_status limits_measure_again(struct lr_engine *e, struct machine_limits *out, struct lr_error *err) {
    uint64_t cache;
    LR_TRY(last_cache(&cache, err));
    measure_reading(e, cache, out);
    return LR_OK;
}

/* ---- what they say of an operation */

static void take_longer(struct limits_bound *b, uint64_t amount, double rate, const char *name) {
    if (rate <= 0 || (double)amount / rate <= b->seconds) return;
    *b = (struct limits_bound){(double)amount / rate, name, amount, false};
}

struct limits_bound limits_bound(const struct machine_limits *l, const struct operation_cost *c) {
    struct limits_bound b = {0};
    enum kernel_peak peak = l->products[c->dtype];
    if (!l->in_cache) take_longer(&b, c->memory, l->memory, "memory");
    take_longer(&b, l->in_cache ? c->memory + c->cached : c->cached, l->cache, "cache");
    take_longer(&b, c->streamed, l->disk, "disk");
    take_longer(&b, c->multiply_adds, l->peak[peak], limits_peak_name(peak));
    b.arithmetic = b.name == limits_peak_name(peak);
    return b;
}
