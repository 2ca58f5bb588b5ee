/* stream.h - the weights that are read again in each pass: a ring of buffers (its memory is ring.h's) that is
 * filled from the disk ahead of use. Order is the order of use and goes round: behind the last matrix comes
 * the first of the next pass, so the disk never waits for the end of a token. What is to be streamed is asked
 * anew for each block (pins change while running); a consumer that wants something else than what comes next
 * gets it: what is in between is dropped. One consumer at a time. */
#ifndef LR_WEIGHTS_STREAM_H
#define LR_WEIGHTS_STREAM_H

#include "weights/plan.h"
#include "weights/readers.h"

struct stream_slot {
    struct read_request request;
    uint8_t *memory; /* [slot bytes], aligned */
    size_t tensor;   /* index in the order of use */
    uint64_t unit;   /* the block begins with */
};

/* What a stream follows, owned by the store. */
struct stream_source {
    const struct plan_tensor *tensors; /* [count] in the order of use */
    size_t count;
    const uint64_t *pinned;        /* [count] units that are not streamed */
    const struct disk_file *files; /* by tensor_record.file */
};

struct stream {
    struct stream_source source;
    struct readers *readers;
    struct ring_size size;
    struct stream_slot *slots; /* [size.slots], NULL while there is no ring */
    uint32_t head, queued;     /* the oldest slot in use, and how many are */
    uint32_t touched;          /* slots that were read into so far: memory is taken with use */
    size_t tensor;             /* what is read next */
    uint64_t unit;
    bool skip_head; /* the pass under way asks for no logits */
};

/* Without a ring at first. */
void stream_open(const struct stream_source *source, struct readers *readers, struct stream *out);
/* Waits for reads under way. Safe on {0}. */
void stream_close(struct stream *s);
/* Has the ring be that from now on, in `memory` [size.slots x size.slot]; no slots: none. Between two blocks;
 * what was read ahead must have been dropped. LR_EMEMORY leaves none. */
enum lr_status stream_use(struct stream *s, struct ring_size size, uint8_t *memory, struct lr_error *err);

/* Block `unit` of tensor `tensor`: waits for it; one that could not be read ahead is read again. There must
 * be a ring. `*data`: its first byte, until stream_release. After a failure nothing is taken, and it can be
 * asked for again. */
enum lr_status stream_take(struct stream *s, size_t tensor, uint64_t unit, const void **data,
                           struct lr_error *err);
/* Gives the block that was taken last back, and fills the ring. */
void stream_release(struct stream *s);
/* Drops everything that was read ahead. */
void stream_reset(struct stream *s);

#endif
