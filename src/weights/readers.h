/* readers.h - threads that wait for the disk, so that nobody else has to: many reads at a time, which is what
 * a disk needs to be fast. One set for a store; its ring and the loading of pins give them work. */
#ifndef LR_WEIGHTS_READERS_H
#define LR_WEIGHTS_READERS_H

#include "sys/disk.h"

struct readers;

/* One read. The caller keeps it, and does not touch it between readers_submit and the end of readers_wait. */
struct read_request {
    const struct disk_file *file;
    uint64_t begin, end;
    void *to;     /* as disk_read() wants it; NULL: only bring the bytes into the page cache and the map */
    void *mapped; /* then: where byte `begin` is mapped */
    struct read_request *next;
    bool done;
    enum lr_status status;
    struct lr_error err;
};

/* `count` threads; fewer where the system refuses more. Where it refuses the first: LR_EFAILED, or LR_EMEMORY
 * where there is no memory for its stack. */
enum lr_status readers_create(uint32_t count, struct readers **out, struct lr_error *err);
/* Waits for reads under way; those not begun are dropped. NULL is nothing. */
void readers_destroy(struct readers *r);

/* Hands a request in: it is begun in the order of submission. */
void readers_submit(struct readers *r, struct read_request *request);
/* Waits for it to be done and returns its status, with its message. */
enum lr_status readers_wait(struct readers *r, struct read_request *request, struct lr_error *err);
/* Takes back requests that were not begun; they are done, with LR_EINTERRUPTED. */
void readers_drop(struct readers *r);

#endif
