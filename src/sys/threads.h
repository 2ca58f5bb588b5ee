/* threads.h - a pool of threads that the caller passes around. The calling thread is one of them.
 *
 * Work is a function over task numbers 0..n-1; tasks are handed out one by one (an atomic counter), so a slow
 * core holds up nobody, and which thread does a task must not matter to the result. A thread whose processor
 * another program has taken in the middle of a task is brought to one where a thread has nothing left to do.
 * Owned by the engine, called by the kernels about a hundred times for each token: a thread with nothing to
 * do spins for a moment, so that the next call costs about a microsecond, and then sleeps, so that an idle
 * pool costs nothing. */
#ifndef LR_SYS_THREADS_H
#define LR_SYS_THREADS_H

#include <pthread.h>

#include "base/error.h"

#define THREADS_MAX 1024u

struct threads;

/* `task` in [0, n_tasks), `thread` in [0, threads_count()), 0 for the caller: no two calls at one time have
 * the same, so it may index work space. Must not call threads_run on the same pool. */
typedef void threads_fn(void *ctx, uint32_t task, uint32_t thread);

/* A pool of `count` threads, the caller included (count - 1 are started, named llm-run-1 and so on, with
 * THREADS_STACK bytes of stack and all signals blocked but those that a fault raises). LR_EUSAGE unless count
 * is in [1, THREADS_MAX]; LR_EFAILED when the system starts no more of them, LR_EMEMORY when it has no memory
 * for their stacks. */
enum lr_status threads_create(uint32_t count, struct threads **out, struct lr_error *err);
#define THREADS_STACK (2u << 20) /* OpenBLAS is called on it */

/* Stops and joins. NULL is allowed. Nobody may be inside threads_run. */
void threads_destroy(struct threads *pool);
uint32_t threads_count(const struct threads *pool);

/* Runs all tasks and returns when the last is done; what they wrote is then visible to the caller. Several
 * threads may call it on one pool: they take turns. With one thread, or one task, it runs on the caller
 * alone. */
void threads_run(struct threads *pool, uint32_t n_tasks, threads_fn *fn, void *ctx);

/* Starts a thread of one's own, with at least `stack` bytes of stack and all signals blocked but those that a
 * fault raises (their handlers must run), so that what asks the program for something is the main thread's.
 * 0, or the code of the failure: ENOMEM where there is no memory or no addresses for its stack. */
int threads_start(pthread_t *id, const char *name, size_t stack, void *(*fn)(void *), void *arg);

#endif
