#include "weights/readers.h"

#include "base/mem.h"
#include "sys/threads.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#define STACK (128u << 10)

struct readers {
    pthread_mutex_t lock;
    pthread_cond_t work, done;
    struct read_request *first, *last; /* not begun */
    uint32_t count;
    bool stop;
    pthread_t threads[];
};

/* Brings pages into the cache and the map at once (measured: asking the kernel to read ahead first is half as
 * fast); before Linux 5.14 into the cache alone. A failure shows at the first use, where it is told. */
static void bring(const struct read_request *q) {
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), skew = q->begin % page;
    size_t bytes = (size_t)(q->end - q->begin + skew);
#ifdef MADV_POPULATE_READ
    char *at = q->mapped;
    if (madvise(at - skew, bytes, MADV_POPULATE_READ) == 0) return;
#endif
    readahead(q->file->buffered, (off64_t)(q->begin - skew), bytes);
}

static struct read_request *next_request(struct readers *r) {
    while (!r->first && !r->stop) pthread_cond_wait(&r->work, &r->lock);
    struct read_request *q = r->stop ? NULL : r->first;
    if (q) r->first = q->next;
    return q;
}

static void *reader_main(void *arg) {
    struct readers *r = arg;
    pthread_mutex_lock(&r->lock);
    for (struct read_request *q; (q = next_request(r)) != NULL;) {
        pthread_mutex_unlock(&r->lock);
        if (q->to)
            q->status = disk_read(q->file, q->begin, q->end, q->file->way, q->to, &q->err);
        else
            bring(q);
        pthread_mutex_lock(&r->lock);
        q->done = true;
        pthread_cond_broadcast(&r->done);
    }
    pthread_mutex_unlock(&r->lock);
    return NULL;
}

static int start_threads(struct readers *r, uint32_t count) {
    int rc = 0;
    while (!rc && r->count < count) {
        rc = threads_start(&r->threads[r->count], "llm-run-read", STACK, reader_main, r);
        if (!rc) r->count++;
    }
    return r->count ? 0 : rc;
}

enum lr_status readers_create(uint32_t count, struct readers **out, struct lr_error *err) {
    *out = NULL;
    struct readers *r = lr_calloc(1, sizeof *r + count * sizeof *r->threads);
    if (!r) return lr_fail_memory(err, "the readers", sizeof *r + count * sizeof *r->threads);
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->work, NULL);
    pthread_cond_init(&r->done, NULL);
    int rc = start_threads(r, count);
    if (rc) {
        readers_destroy(r);
        if (rc == ENOMEM) return lr_fail_memory(err, "the stack of a thread that reads weights", STACK);
        errno = rc;
        return lr_fail(err, LR_EFAILED,
                       "a thread that reads the weights could not be started: %m (ulimit -u?)");
    }
    *out = r;
    return LR_OK;
}

void readers_destroy(struct readers *r) {
    if (!r) return;
    pthread_mutex_lock(&r->lock);
    r->stop = true;
    pthread_cond_broadcast(&r->work);
    pthread_mutex_unlock(&r->lock);
    for (uint32_t i = 0; i < r->count; i++) pthread_join(r->threads[i], NULL);
    pthread_cond_destroy(&r->work);
    pthread_cond_destroy(&r->done);
    pthread_mutex_destroy(&r->lock);
    lr_free(r);
}

void readers_submit(struct readers *r, struct read_request *request) {
    request->next = NULL;
    request->done = false;
    request->status = LR_OK;
    pthread_mutex_lock(&r->lock);
    if (r->first)
        r->last->next = request;
    else
        r->first = request;
    r->last = request;
    pthread_cond_signal(&r->work);
    pthread_mutex_unlock(&r->lock);
}

enum lr_status readers_wait(struct readers *r, struct read_request *request, struct lr_error *err) {
    pthread_mutex_lock(&r->lock);
    while (!request->done) pthread_cond_wait(&r->done, &r->lock);
    pthread_mutex_unlock(&r->lock);
    if (request->status != LR_OK && err) *err = request->err;
    return request->status;
}

void readers_drop(struct readers *r) {
    pthread_mutex_lock(&r->lock);
    for (struct read_request *q = r->first; q; q = q->next) {
        q->status = LR_EINTERRUPTED;
        q->done = true;
    }
    r->first = NULL;
    pthread_mutex_unlock(&r->lock);
}
