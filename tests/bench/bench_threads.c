/* What a call of the thread pool costs beyond its work: two tasks on two threads, back to back and after
 * pauses. Medians; a machine that is busy otherwise shows in how often the tasks were shared. */
#include "sys/clock.h"
#include "sys/threads.h"

#include <stdio.h>
#include <stdlib.h>

enum { RUNS = 2000 };

struct job {
    uint32_t steps;   /* of work in each task */
    uint32_t by[2];   /* which thread did it */
    uint64_t sums[2]; /* kept, so that the work is done */
};

static void work(void *ctx, uint32_t task, uint32_t thread) {
    struct job *job = ctx;
    uint64_t x = task + 1;
    for (uint32_t i = 0; i < job->steps; i++) x = x * UINT64_C(6364136223846793005) + 1;
    job->sums[task] = x;
    job->by[task] = thread;
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void pause_for(double seconds) {
    double end = clock_now() + seconds;
    while (clock_now() < end) continue;
}

/* The median seconds of a run, alone (pool NULL) or in the pool; `*shared`: the part that two threads did. */
static double measure(struct threads *pool, struct job *job, double gap, double *shared) {
    static double seconds[RUNS];
    uint32_t both = 0;
    for (int i = 0; i < RUNS; i++) {
        pause_for(gap);
        double begin = clock_now();
        if (pool)
            threads_run(pool, 2, work, job);
        else
            for (uint32_t task = 0; task < 2; task++) work(job, task, 0);
        seconds[i] = clock_now() - begin;
        both += job->by[0] != job->by[1];
    }
    qsort(seconds, RUNS, sizeof *seconds, by_value);
    *shared = (double)both / RUNS;
    return seconds[RUNS / 2];
}

int main(void) {
    static const double gaps[] = {0, 10e-6, 40e-6, 200e-6};
    static const uint32_t steps[] = {0, 2000, 20000, 200000};
    struct threads *pool;
    struct lr_error err;
    if (threads_create(2, &pool, &err) != LR_OK) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    printf("pause us   alone us    pool us   over half us   shared\n");
    for (size_t g = 0; g < sizeof gaps / sizeof *gaps; g++)
        for (size_t s = 0; s < sizeof steps / sizeof *steps; s++) {
            struct job job = {.steps = steps[s]};
            double shared, alone = measure(NULL, &job, gaps[g], &shared);
            double pooled = measure(pool, &job, gaps[g], &shared);
            printf("%8.0f %10.2f %10.2f %14.2f %7.0f%%\n", gaps[g] * 1e6, alone * 1e6, pooled * 1e6,
                   (pooled - alone / 2) * 1e6, shared * 100);
        }
    threads_destroy(pool);
    return 0;
}
