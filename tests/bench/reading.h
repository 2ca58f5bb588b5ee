/* reading.h - plain reads of memory by a pool's threads: what the benches of products and attention are
 * measured against. */
#ifndef LR_BENCH_READING_H
#define LR_BENCH_READING_H

#include "sys/threads.h"

enum { READ_BYTES = 256 << 10 }; /* of a task */
typedef long long quad __attribute__((vector_size(32)));
static volatile long long sink;

/* ctx: where the first task begins. */
static void read_task(void *ctx, uint32_t task, uint32_t thread) {
    (void)thread;
    size_t n = READ_BYTES / sizeof(quad);
    const quad *p = (const quad *)ctx + task * n;
    quad a = {0}, b = a, c = a, d = a;
    for (size_t i = 0; i < n; i += 4) {
        a += p[i];
        b += p[i + 1];
        c += p[i + 2];
        d += p[i + 3];
    }
    a += b + c + d;
    sink = a[0];
}

/* `bytes`: a multiple of READ_BYTES. */
static inline void read_memory(struct threads *pool, char *from, size_t bytes) {
    threads_run(pool, (uint32_t)(bytes / READ_BYTES), read_task, from);
}

#endif
