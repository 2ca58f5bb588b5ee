#include "sys/probe.h"

#include "base/pages.h"
#include "sys/clock.h"
#include "sys/threads.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/mman.h>

#define MIB        (UINT64_C(1) << 20)
#define STRIPE     (16 * MIB) /* read on end: as weights are, and so that a seek does not count */
#define LEAST_FILE (64 * MIB)
#define MOST_DEPTH 32
#define STACK      (128u << 10)

/* By bytes in flight, the first least: more is taken unless it is clearly slower. Here the readers have the
 * processors to themselves; while products run they wait for their turn, and what is in flight keeps the disk
 * busy meanwhile (measured: 32 MiB gave 5 to 8 % more than 16, of equal rates here, and 3 to 5 % more than 8,
 * which are read 8 % faster here). Buffered reads take
 * several times the processor time of direct ones (0.4 against 0.06 s for a GB, measured), which the
 * arithmetic wants at the same time: they must be better by much. */
struct shape {
    uint32_t block, depth;
};
static const struct shape shapes[] = {{MIB, 8}, {MIB, 16}, {MIB, 32}, {4 * MIB, 8}, {2 * MIB, 16}};
enum { SHAPES = sizeof shapes / sizeof *shapes, DEFAULT_SHAPE = 1 };
#define CLEARLY_SLOWER    0.85
#define WORTH_ITS_COPYING 1.2

/* One way of reading, and what came of it. */
struct trial {
    struct shape shape;
    enum disk_way way;
    uint64_t bytes;
    double seconds;
};

struct probe {
    const struct disk_file *f;
    uint8_t *memory;
    uint64_t memory_bytes, touched;
    double begin, seconds;
    uint64_t stripes, stride;
    _Atomic uint64_t next; /* bytes of the file handed out, in the order of its stripes */
    struct trial best;
    double fastest; /* bytes a second, of the trials so far */
    /* The round under way. */
    struct shape shape;
    enum disk_way way;
    double deadline;
    _Atomic uint64_t bytes;
    atomic_bool failed;
    struct lr_error error; /* of the first that failed */
    enum lr_status status;
};

struct reader {
    struct probe *probe;
    uint8_t *to;
    pthread_t id;
};

static uint64_t flight(struct shape s) {
    return (uint64_t)s.block * s.depth;
}

static double rate(const struct trial *t) {
    return t->seconds > 0 ? (double)t->bytes / t->seconds : 0;
}

/* ---- which parts */

static uint64_t common_divisor(uint64_t a, uint64_t b) {
    while (b) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* A step that visits all of `n` stripes, far from each other: next to the golden section, and coprime. */
static uint64_t find_stride(uint64_t n) {
    uint64_t stride = n * 618 / 1000 + 1;
    while (common_divisor(stride, n) != 1) stride++;
    return stride;
}

/* The next part that is to be read; false when the file has been used up. */
static bool take_part(struct probe *p, uint64_t *at) {
    uint64_t turn = atomic_fetch_add(&p->next, p->shape.block);
    *at = turn / STRIPE * p->stride % p->stripes * STRIPE + turn % STRIPE;
    return turn < p->stripes * STRIPE;
}

/* Of a buffered round: the next that is not in the page cache. Gives up soon, because what is passed over is
 * lost to the rounds that follow. */
static bool take_absent_part(struct probe *p, uint64_t *at) {
    for (int i = 0; i < 8 && take_part(p, at); i++)
        if (disk_cached(p->f, *at, *at + p->shape.block) == DISK_CACHED_NONE) return true;
    return false;
}

/* ---- one round */

static void *reader_main(void *arg) {
    const struct reader *self = arg;
    struct probe *p = self->probe;
    struct lr_error err;
    uint64_t at;
    do {
        if (!(p->way == DISK_DIRECT ? take_part(p, &at) : take_absent_part(p, &at))) break;
        enum lr_status status = disk_fetch(p->f, at, at + p->shape.block, p->way, self->to, &err);
        if (status == LR_OK) {
            atomic_fetch_add(&p->bytes, p->shape.block);
        } else if (!atomic_exchange(&p->failed, true)) {
            p->status = status;
            p->error = err;
        }
    } while (clock_now() < p->deadline && !atomic_load(&p->failed));
    return NULL;
}

/* The memory of a round is the caller's before it begins: to be given it by the system takes as long as to
 * read into it. */
static void touch(struct probe *p, uint64_t bytes) {
    for (; p->touched < bytes; p->touched += 4096) p->memory[p->touched] = 0;
}

/* How many readers could be started. */
static uint32_t start_readers(struct probe *p, struct reader *readers) {
    uint32_t started = 0;
    for (; started < p->shape.depth; started++) {
        struct reader *r = &readers[started];
        r->probe = p;
        r->to = p->memory + (uint64_t)started * p->shape.block;
        if (threads_start(&r->id, "llm-run-probe", STACK, reader_main, r)) break;
    }
    return started;
}

/* Reads in the way of `t` for `seconds`, what is in flight at the end included as far as the rate so far
 * tells how long it takes; each reader reads once at least. Adds to the trial. */
static enum lr_status run_round(struct probe *p, struct trial *t, double seconds, struct lr_error *err) {
    struct reader readers[MOST_DEPTH];
    double best = rate(&p->best);
    touch(p, flight(t->shape));
    p->shape = t->shape;
    p->way = t->way;
    atomic_store(&p->next, (atomic_load(&p->next) + t->shape.block - 1) / t->shape.block * t->shape.block);
    atomic_store(&p->bytes, 0);
    double begin = clock_now();
    p->deadline = begin + seconds - (best > 0 ? (double)flight(t->shape) / best : 0);
    uint32_t started = start_readers(p, readers);
    for (uint32_t i = 0; i < started; i++) pthread_join(readers[i].id, NULL);
    if (atomic_load(&p->failed)) {
        if (err) *err = p->error;
        return p->status;
    }
    if (started < t->shape.depth) return LR_OK;
    t->bytes += atomic_load(&p->bytes);
    t->seconds += clock_now() - begin;
    return LR_OK;
}

/* ---- all rounds */

static enum lr_status try_shape(struct probe *p, enum disk_way way, struct shape shape,
                                struct lr_error *err) {
    const uint32_t rounds = SHAPES + 2;
    struct trial t = {.shape = shape, .way = way};
    double share = p->seconds / 2 / rounds, best = rate(&p->best);
    if (flight(shape) > p->memory_bytes) return LR_OK;
    if (best > 0 && (double)flight(shape) > 2 * share * best) return LR_OK;
    LR_TRY(run_round(p, &t, share, err));
    bool copies = way == DISK_BUFFERED && p->best.way == DISK_DIRECT;
    if (rate(&t) > (copies ? WORTH_ITS_COPYING : CLEARLY_SLOWER) * p->fastest) p->best = t;
    if (rate(&t) > p->fastest) p->fastest = rate(&t);
    return LR_OK;
}

static enum lr_status try_all(struct probe *p, struct lr_error *err) {
    enum disk_way first = p->f->direct >= 0 ? DISK_DIRECT : DISK_BUFFERED;
    for (int i = 0; i < SHAPES; i++) LR_TRY(try_shape(p, first, shapes[i], err));
    if (first == DISK_BUFFERED) return LR_OK;
    struct shape best = p->best.shape, other = shapes[DEFAULT_SHAPE];
    if (rate(&p->best) > 0) LR_TRY(try_shape(p, DISK_BUFFERED, best, err));
    return best.block == other.block && best.depth == other.depth ? LR_OK
                                                                  : try_shape(p, DISK_BUFFERED, other, err);
}

/* The rest of the time goes to the best. A read more is made only where it ends in time. */
static enum lr_status confirm_best(struct probe *p, struct lr_error *err) {
    double left = p->begin + p->seconds - clock_now(), best = rate(&p->best);
    if (best <= 0 || left < (double)flight(p->best.shape) / best) return LR_OK;
    struct trial longer = {.shape = p->best.shape, .way = p->best.way};
    LR_TRY(run_round(p, &longer, left, err));
    p->best.bytes += longer.bytes;
    p->best.seconds += longer.bytes ? longer.seconds : 0;
    return LR_OK;
}

/* The most that a shape takes of `max_memory`; 0 where none fits. */
static uint64_t memory_wanted(uint64_t max_memory) {
    uint64_t most = 0;
    for (int i = 0; i < SHAPES; i++)
        if (flight(shapes[i]) <= max_memory && flight(shapes[i]) > most) most = flight(shapes[i]);
    return most;
}

static struct disk_rate not_known(const struct disk_file *f, uint64_t max_memory) {
    struct shape s = shapes[flight(shapes[DEFAULT_SHAPE]) <= max_memory ? DEFAULT_SHAPE : 0];
    return (struct disk_rate){
        .way = f->direct >= 0 ? DISK_DIRECT : DISK_BUFFERED, .block = s.block, .depth = s.depth};
}

enum lr_status probe_disk(const struct disk_file *f, double seconds, uint64_t max_memory,
                          struct disk_rate *out, struct lr_error *err) {
    uint64_t bytes = memory_wanted(max_memory);
    *out = not_known(f, max_memory);
    if (f->identity.size < LEAST_FILE || bytes == 0) return LR_OK;
    uint64_t grain = f->align > PAGES_LARGE ? f->align : PAGES_LARGE, mapped = bytes + grain;
    uint8_t *map = mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED) return LR_OK;
    struct probe p = {.f = f,
                      .memory = map + (-(uintptr_t)map & (grain - 1)),
                      .memory_bytes = bytes,
                      .begin = clock_now(),
                      .seconds = seconds,
                      .stripes = f->identity.size / STRIPE,
                      .stride = find_stride(f->identity.size / STRIPE)};
    pages_want_large(p.memory, bytes); /* as the ring has them: a disk fills them faster */
    enum lr_status status = try_all(&p, err);
    if (status == LR_OK) status = confirm_best(&p, err);
    munmap(map, mapped);
    if (status == LR_OK && rate(&p.best) > 0)
        *out = (struct disk_rate){rate(&p.best), p.best.way, p.best.shape.block, p.best.shape.depth};
    return status;
}
