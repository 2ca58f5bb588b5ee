/* How fast this machine's threads read memory: bench_read [THREADS [MIB]]. Prints bytes per second, best of
 * five. The measure of decoding: a token cannot come faster than its weights are read. */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAX_THREADS 256

struct part {
    const uint64_t *data; /* [n] */
    size_t n;             /* a multiple of 8 */
    uint64_t sum;
};

/* Eight sums, so that the loads and not the additions are what it waits for. */
static void *read_part(void *ctx) {
    struct part *p = ctx;
    uint64_t sums[8] = {0};
    for (size_t i = 0; i < p->n; i += 8)
        for (size_t j = 0; j < 8; j++) sums[j] += p->data[i + j];
    for (size_t j = 0; j < 8; j++) p->sum += sums[j];
    return NULL;
}

static double seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double read_once(const uint64_t *data, size_t n, int threads, uint64_t *sum) {
    struct part parts[MAX_THREADS];
    pthread_t ids[MAX_THREADS];
    size_t each = n / (size_t)threads & ~(size_t)7;
    double begin = seconds();
    for (int i = 0; i < threads; i++) {
        parts[i] = (struct part){data + (size_t)i * each, each, 0};
        if (pthread_create(&ids[i], NULL, read_part, &parts[i])) exit(1);
    }
    for (int i = 0; i < threads; i++) {
        pthread_join(ids[i], NULL);
        *sum += parts[i].sum;
    }
    return (double)each * (double)threads * sizeof *data / (seconds() - begin);
}

int main(int argc, char **argv) {
    int threads = argc > 1 ? atoi(argv[1]) : 2;
    size_t mib = argc > 2 ? (size_t)atol(argv[2]) : 1024;
    if (threads < 1 || threads > MAX_THREADS || mib < 1) return 2;
    size_t bytes = mib << 20;
    uint64_t *data = malloc(bytes), sum = 0;
    if (!data) return 1;
    memset(data, 1, bytes);
    double best = 0;
    for (int run = 0; run < 5; run++) {
        double rate = read_once(data, bytes / sizeof *data, threads, &sum);
        if (rate > best) best = rate;
    }
    free(data);
    printf("%.0f\n", best);
    return sum == 0; /* so that the reading is not left out */
}
