/* Attention against what this machine can do, in one run: one token against the rate at which all threads
 * read memory, 128 tokens of a prompt against products of f32 weights.
 *
 * usage: bench_attention [threads] [decode|prefill|both] [isa] [f32|f16|q8|all] (2 threads, both, the best,
 * all). The caches of all layers together are far larger than a processor's cache. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "bench/reading.h"
#include "model/blocks/blocks.h"
#include "sys/clock.h"
#include "sys/cpu.h"

#define POOL_BYTES       (512ull << 20)
#define CACHE_BYTES      (384ull << 20)
#define WINDOW_BYTES     (64ull << 20)
#define LEAST_OPERATIONS 8e9
enum { KV_HEADS = 8, CHUNK = 128, WINDOWS = 24, PREFILLS = 8 };

static const char *const type_names[] = {[KV_F32] = "f32", [KV_F16] = "f16", [KV_Q8] = "q8"};

struct bench {
    struct matmul matmul;
    char *pool; /* [POOL_BYTES] */
    float *x, *out;
    struct model_spec spec;
    struct arena arena;
    struct kv_pool cache;
    struct kv_sequence sequence;
    struct forward_work work;
};

static void ensure(bool good, const char *what) {
    if (good) return;
    fprintf(stderr, "bench_attention: %s\n", what);
    exit(1);
}

/* ---- what it is measured against */

/* Seconds to read a window that begins at `from`. */
static double read_window(struct bench *b, size_t from) {
    double start = clock_now();
    read_memory(b->matmul.threads, b->pool + from, WINDOW_BYTES);
    return clock_now() - start;
}

/* Operations a second of a core: `operations` on all threads since `start`. */
static double core_rate(const struct bench *b, double operations, double start) {
    return operations / (clock_now() - start) / threads_count(b->matmul.threads);
}

/* Of 128 activations times f32 weights. */
static double product_rate(struct bench *b) {
    double best = 0;
    for (int i = 0; i < PREFILLS; i++) {
        double start = clock_now();
        for (size_t j = 0; j < 8; j++) {
            struct tensor_view w = {
                .data = b->pool + j * 2048 * 2048 * 4, .dtype = LR_F32, .rows = 2048, .cols = 2048};
            matmul_run(&b->matmul, &w, NULL, &(struct matmul_input){.x = b->x, .n_x = CHUNK}, b->out, w.rows);
        }
        best = fmax(best, core_rate(b, 8 * 2.0 * 2048 * 2048 * CHUNK, start));
    }
    return best;
}

/* ---- a model of attention alone */

static void make(struct bench *b, uint32_t head_dim, uint32_t group, enum kv_type type, uint32_t positions) {
    struct arena measured;
    struct lr_error err;
    b->spec = (struct model_spec){.kv_heads = KV_HEADS, .heads = KV_HEADS * group, .head_dim = head_dim};
    uint64_t layer = 2ull * positions * KV_HEADS * head_dim * (type == KV_F32 ? 4 : type == KV_F16 ? 2 : 1);
    b->spec.layers = (uint32_t)(CACHE_BYTES / layer) + 1;
    for (int real = 0; real < 2; real++) {
        struct arena *a = real ? &b->arena : &measured;
        if (real)
            ensure(arena_init(a, measured.used, NULL, NULL, &err) == LR_OK, "no addresses");
        else
            arena_init_measuring(a);
        bool good = kv_pool_init(a, &b->spec, type, positions, &b->cache, &err) == LR_OK &&
                    kv_sequence_init(a, &b->cache, &b->sequence, &err) == LR_OK &&
                    forward_work_init(a, &b->spec, CHUNK, positions, threads_count(b->matmul.threads),
                                      &b->work, &err) == LR_OK;
        ensure(good, "no memory");
    }
    ensure(kv_sequence_reserve(&b->sequence, positions, &err) == LR_OK, "no room");
    for (uint32_t i = 0; i < b->cache.n_slabs; i++) /* small normal numbers in each type */
        memset(b->cache.slabs[i], 0x3C,
               (i + 1 < b->cache.n_slabs ? b->cache.per_slab : b->cache.n_blocks - i * b->cache.per_slab) *
                   b->cache.block_bytes);
    for (size_t i = 0; i < (size_t)CHUNK * spec_q_dim(&b->spec); i++) b->work.q[i] = (float)(i % 7) - 3;
}

/* Attention of layers [from, to) for `n` tokens from `position` on. */
static void attend(struct bench *b, uint32_t from, uint32_t to, uint32_t n, uint32_t position) {
    struct model m = {.spec = &b->spec, .matmul = &b->matmul};
    struct block_context c = {
        .model = &m, .work = &b->work, .seq = &b->sequence, .n = n, .position = position};
    for (c.layer = from; c.layer < to; c.layer++) block_attend(&c);
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Turn by turn over short windows, as memory is not equally fast from one second to the next: the medians. */
static void decode(struct bench *b, uint32_t head_dim, uint32_t group, enum kv_type type,
                   uint32_t positions) {
    double own[WINDOWS], read[WINDOWS];
    make(b, head_dim, group, type, positions);
    double layer = (double)b->cache.block_bytes * b->cache.n_blocks / b->spec.layers;
    uint32_t layers = (uint32_t)((double)WINDOW_BYTES / layer) + 1, from = 0;
    for (size_t i = 0; i < WINDOWS; i++) {
        if (from + layers > b->spec.layers) from = 0;
        double start = clock_now();
        attend(b, from, from + layers, 1, positions - 1);
        own[i] = layers * layer / (clock_now() - start);
        from += layers;
        read[i] = (double)WINDOW_BYTES / read_window(b, i % (POOL_BYTES / WINDOW_BYTES) * WINDOW_BYTES);
    }
    qsort(own, WINDOWS, sizeof *own, by_value);
    qsort(read, WINDOWS, sizeof *read, by_value);
    double mine = own[WINDOWS / 2], plain = read[WINDOWS / 2];
    printf("%-8s %s, heads of %3u, %u to a KV head, token at %5u: %5.1f of %5.1f GB/s, %3.0f %%\n",
           b->matmul.kernels->name, type_names[type], head_dim, group, positions, mine * 1e-9, plain * 1e-9,
           100 * mine / plain);
    arena_destroy(&b->arena);
}

static void prefill(struct bench *b, uint32_t head_dim, uint32_t group, enum kv_type type, uint32_t position,
                    double product) {
    double best = 0, layer = 0;
    make(b, head_dim, group, type, position + CHUNK);
    for (uint32_t i = 0; i < CHUNK; i++) layer += 4.0 * (position + i + 1) * spec_q_dim(&b->spec);
    if (b->spec.layers > LEAST_OPERATIONS / layer) b->spec.layers = (uint32_t)(LEAST_OPERATIONS / layer) + 1;
    for (int i = 0; i < PREFILLS; i++) {
        double start = clock_now();
        attend(b, 0, b->spec.layers, CHUNK, position);
        best = fmax(best, core_rate(b, layer * b->spec.layers, start));
    }
    printf("%-8s %s, heads of %3u, %u to a KV head, 128 tokens from %4u: %5.1f of %5.1f GFLOPS a core, "
           "%3.0f %%\n",
           b->matmul.kernels->name, type_names[type], head_dim, group, position, best * 1e-9, product * 1e-9,
           100 * best / product);
    arena_destroy(&b->arena);
}

static void run(struct bench *b, const char *what, enum kv_type type) {
    static const uint32_t dims[] = {64, 128}, groups[] = {1, 4, 8};
    double product = product_rate(b);
    for (int d = 0; d < 2; d++)
        for (int g = 0; g < 3; g++) {
            if (strcmp(what, "prefill") != 0) decode(b, dims[d], groups[g], type, 4096);
            if (strcmp(what, "prefill") != 0) decode(b, dims[d], groups[g], type, 32768);
            if (strcmp(what, "decode") != 0) prefill(b, dims[d], groups[g], type, 0, product);
            if (strcmp(what, "decode") != 0) prefill(b, dims[d], groups[g], type, 4096, product);
        }
}

int main(int argc, char **argv) {
    struct lr_error err;
    struct threads *threads;
    const struct kernel_table *kernels;
    struct bench b = {0};
    const char *only = argc > 4 ? argv[4] : "all";
    ensure(threads_create(argc > 1 ? (uint32_t)atoi(argv[1]) : 2, &threads, &err) == LR_OK, "no threads");
    ensure(kernel_select(cpu_features(), argc > 3 ? argv[3] : NULL, &kernels, &err) == LR_OK, "no such isa");
    ensure(matmul_open(kernels, threads, MATMUL_NATIVE, true, &b.matmul, &err) == LR_OK, "no products");
    b.pool = mmap(NULL, POOL_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    b.x = aligned_alloc(64, (size_t)CHUNK * 2048 * sizeof *b.x);
    b.out = aligned_alloc(64, (size_t)CHUNK * 2048 * sizeof *b.out);
    ensure(b.pool != MAP_FAILED && b.x && b.out, "no memory");
    memset(b.pool, 0x3C, POOL_BYTES);
    for (size_t i = 0; i < (size_t)CHUNK * 2048; i++) b.x[i] = (float)(i % 7) - 3;
    printf("%u threads\n", threads_count(threads));
    for (int type = KV_F32; type <= KV_Q8; type++)
        if (strcmp(only, "all") == 0 || strcmp(only, type_names[type]) == 0)
            run(&b, argc > 2 ? argv[2] : "both", (enum kv_type)type);
    matmul_close(&b.matmul);
    threads_destroy(threads);
    return 0;
}
