/* threads.h - a pool of threads that the caller passes around. The calling thread is one of them.
 *
 * Work is a function over task numbers 0..n-1; tasks are handed out one by one (an atomic counter), so a slow
 * core holds up nobody, and which thread does a task must not matter to the result. */
#ifndef LR_SYS_THREADS_H
#define LR_SYS_THREADS_H

#include "base/error.h"

struct threads;

/* `task` in [0, n_tasks), `thread` in [0, threads_count()). */
typedef void threads_fn(void *ctx, uint32_t task, uint32_t thread);

/* A pool of `count` threads, the caller included (count - 1 are started). */
enum lr_status threads_create(uint32_t count, struct threads **out, struct lr_error *err);
/* Stops and joins. NULL is allowed. */
void threads_destroy(struct threads *pool);
uint32_t threads_count(const struct threads *pool);
/* Runs all tasks and returns when the last is done. Not reentrant; one caller at a time (sessions that share
 * an engine take turns: it locks). With one thread, or one task, it runs on the caller alone. */
void threads_run(struct threads *pool, uint32_t n_tasks, threads_fn *fn, void *ctx);

#endif
