/* store.h - holds the weights as a plan says and lends them to the forward pass, a tensor at a time and of
 * that a piece of rows at a time: mapped whole, pinned, or streamed blocks. Nothing above this door knows
 * which. A tensor that a pass does not ask for costs nothing but what was read ahead of it.
 *
 * One pass at a time (store_begin to store_end); between two pieces the store calls its owner, which may have
 * it pin more or less (store_pin, store_unpin). */
#ifndef LR_WEIGHTS_STORE_H
#define LR_WEIGHTS_STORE_H

#include <pthread.h>

#include "kernel/kernel.h"
#include "sys/file.h"
#include "weights/ahead.h"
#include "weights/pins.h"
#include "weights/place.h"
#include "weights/plan.h"
#include "weights/ring.h"
#include "weights/stream.h"

/* Called between two pieces; an error ends the pass. */
typedef enum lr_status store_boundary_fn(void *ctx, struct lr_error *err);
/* Called when so many bytes of weights have been read to be pinned. False: enough for now, and store_pin()
 * ends when what is under way has come. */
typedef bool store_loaded_fn(void *ctx, uint64_t bytes);

/* How weights are to be had, from a plan. */
struct store_setup {
    enum lr_load mode;       /* LR_LOAD_MAP, STREAM or RESIDENT */
    const uint64_t *most;    /* [n_tensors] units of each tensor that may ever be pinned */
    struct ring_size ring;   /* to begin with; slots 0: nothing is streamed */
    struct ring_size least;  /* for what has to be streamed though no plan said so */
    uint64_t ring_most;      /* bytes of addresses for any ring that may follow */
    struct plan_rates rates; /* how the disk likes to be read */
    bool lock, guard;
    const volatile int *interrupt; /* nonzero ends pinning with LR_EINTERRUPTED; or NULL */
    arena_available_fn *available;
    void *available_ctx;
};

struct store {
    const struct catalog *catalog;
    const struct plan_tensor *tensors; /* [n_tensors] in the order of use */
    size_t n_tensors;
    uint32_t *order;         /* [catalog->count]: a record's place in `tensors`, UINT32_MAX for none */
    struct disk_file *files; /* [catalog->n_files] */
    struct file_map *maps;   /* [catalog->n_files], {0} where not mapped */
    enum lr_load mode;       /* LR_LOAD_AUTO: not set up yet */
    struct store_setup setup;
    struct lr_error refusal; /* of the last set-up, if it failed */
    uint64_t *pinned;        /* [n_tensors] units that are in memory */
    struct pins pins;
    struct ring ring;
    struct readers *readers;
    struct stream stream;
    struct ahead ahead;
    pthread_mutex_t turn;
    store_boundary_fn *on_boundary;
    store_loaded_fn *on_loaded;
    void *owner;        /* both's ctx */
    volatile int torn;  /* a mapped file lost its end */
    uint32_t samplings; /* of what is missing */
    uint64_t lent;      /* bytes of streamed weights so far */
};

/* Opens the catalog's files, which must be as their headers said (else LR_EMODEL). Arguments outlive the
 * store. */
enum lr_status store_open(const struct catalog *catalog, const struct plan_tensor *tensors, size_t n_tensors,
                          struct store *out, struct lr_error *err);
void store_close(struct store *s);

/* Maps, or reserves memory and starts readers. May be called again to change the mode between two passes.
 * After a failure there is no mode: passes fail with the same error until another call succeeds. */
enum lr_status store_set_up(struct store *s, const struct store_setup *setup, struct lr_error *err);
/* Back to no mode: all memory and addresses are the system's again. */
void store_clear(struct store *s);
/* Makes the ring of streamed weights larger or smaller; no slots: gives its memory back. Between two pieces;
 * what was read ahead is dropped. Where that much is refused it is smaller. LR_EMEMORY where nothing is to be
 * had. */
enum lr_status store_ring(struct store *s, struct ring_size size, struct lr_error *err);
/* Pins tensors [begin, end) up to `pinned[i]` units each, reading many parts at a time. Where memory is
 * refused, or on_loaded wants no more, the rest stays streamed; refused in resident mode it is LR_EMEMORY. A
 * failure leaves what was pinned before. */
enum lr_status store_pin(struct store *s, size_t begin, size_t end, const uint64_t *pinned,
                         struct lr_error *err);
/* Gives back what is beyond `pinned[i]` units. */
void store_unpin(struct store *s, const uint64_t *pinned);
/* Mapped files: has tensors [begin, end) brought into memory, in this order, while others go on. Where there
 * is no thread or no memory for that they come when they are used. */
void store_want(struct store *s, size_t begin, size_t end);

/* Begins and ends a pass; `head`: it will ask for the essential matrices too. */
void store_begin(struct store *s, bool head);
void store_end(struct store *s);

/* A tensor on loan. `view`: rows [first, first + view.rows) of it, valid until the next call. `most_rows` is
 * the borrower's to set: a piece that is in memory is then no longer than that, rounded up to whole units. */
struct loan {
    const struct tensor_record *record;
    struct tensor_view view;
    uint64_t first;
    uint64_t next; /* unit */
    uint64_t most_rows;
    bool streamed; /* the view is a block of the ring */
};
struct loan store_lend(const struct tensor_record *t);
/* Gives the piece back and lends the next: false behind the last one, and on failure (`*status`). */
bool store_next(struct store *s, struct loan *loan, enum lr_status *status, struct lr_error *err);
/* Gives a loan back before its end. */
void store_give_back(struct store *s, struct loan *loan);
/* Has rows [first, first + n) begin to come into memory, where they are not copied there: store_copy() will
 * be asked for them. */
void store_ahead(const struct store *s, const struct tensor_record *t, uint64_t first, uint64_t n);
/* Copies rows [first, first + n) as they are in the file. */
enum lr_status store_copy(struct store *s, const struct tensor_record *t, uint64_t first, uint64_t n,
                          void *out, struct lr_error *err);

/* Whether all files are still what was opened: LR_EMODEL, LR_EFAILED. Cheap where nothing was torn and `look`
 * is false. */
enum lr_status store_check(struct store *s, bool look, struct lr_error *err);

uint64_t store_file_bytes(const struct store *s);
/* The share of what passes read of the mapped files that is not in memory, from some hundred pages spread
 * over it, others each time; false where the kernel does not tell (it does so to those alone who own the
 * files or may write them). Some 100 us. */
bool store_missing(struct store *s, double *share);
/* Addresses that mapping, or pins and ring, have reserved. */
uint64_t store_addresses(const struct store *s);
/* Bytes of the files that are not in the page cache (estimated). */
uint64_t store_cold_bytes(const struct store *s);

#endif
