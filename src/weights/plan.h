/* plan.h - decides, from facts alone, where every weight lives and what a session may have. Pure: reads
 * nothing, allocates nothing but through its caller's arrays. run/ gathers the facts and prints the plan, the
 * store carries it out; when facts change while running, the same function decides again and the store
 * carries out the difference.
 *
 * Three modes. Map: everything that a pass reads fits beside what the process owns, and the files are used in
 * place. Stream: as many bytes as the budget holds are pinned, the others are read again in each pass through
 * a ring of buffers. Resident: all is copied. A pass reads everything but an embedding that is not the head
 * too, of which it needs single rows: that is never pinned while something else is streamed. */
#ifndef LR_WEIGHTS_PLAN_H
#define LR_WEIGHTS_PLAN_H

#include "sys/memory.h"
#include "weights/catalog.h"

/* How a pass uses a tensor. */
enum weight_kind {
    WEIGHT_ESSENTIAL, /* the head, tied or not: read whole by each pass that asks for logits */
    WEIGHT_LAYER,     /* a matrix of a layer: read whole by each pass */
    WEIGHT_ROWS,      /* an embedding that is not the head: single rows */
    WEIGHT_VECTOR     /* norms and biases: widened to f32 once, when the model is opened */
};

struct plan_tensor {
    const struct tensor_record *record;
    enum weight_kind kind;
    uint32_t layer; /* of a WEIGHT_LAYER */
    bool essential; /* loaded first: embedding, final norm, head */
};

static inline bool weight_read_whole(const struct plan_tensor *t) {
    return t->kind == WEIGHT_ESSENTIAL || t->kind == WEIGHT_LAYER;
}

/* Bytes that a session of `context` positions takes, split in KV cache and work space, when prompts are read
 * in passes of `chunk` tokens. Must not fall as context or chunk grow. LR_EMEMORY, and UINT64_MAX bytes,
 * where one of its arrays is above what the policy allows. */
typedef enum lr_status plan_session_fn(const void *ctx, uint32_t context, uint32_t chunk, uint64_t *kv,
                                       uint64_t *work, struct lr_error *err);

/* What the machine does in a second; 0 where it is not known. */
struct plan_rates {
    double disk;           /* bytes that the files' disk gives */
    double product;        /* bytes of weights that products with one activation pass over */
    double prefill;        /* multiply-adds of products with many activations */
    uint32_t block, depth; /* how the disk likes to be read: bytes at a time (whole units), reads at a time */
};

struct plan_facts {
    const struct plan_tensor *tensors; /* [n_tensors] in the order in which a pass uses them */
    size_t n_tensors;
    uint32_t layers;
    uint64_t budget;         /* bytes the process may own */
    uint64_t ours;           /* bytes that the budget was made of, before its reserve */
    uint64_t machine;        /* bytes of memory that the machine has in all; 0: not known */
    enum memory_bound bound; /* what limits them */
    uint64_t tokenizer;      /* held by the tokenizer; before it is opened: a bound from its files' sizes */
    uint64_t opening;        /* at once while the tokenizer is read; 0: that is over */
    uint64_t address;        /* address space that is left (RLIMIT_AS); UINT64_MAX */
    uint64_t files;          /* bytes of the files, which mapping takes of it */
    uint64_t lock;           /* bytes of copies that may be locked, and have to be; UINT64_MAX */
    uint64_t fixed;          /* taken already, or soon: product buffers, stacks, tables, other sessions */
    uint64_t unfilled;       /* of it, what the other sessions' KV caches will use later */
    uint64_t cold;           /* bytes of the files that are not in the page cache */
    enum lr_load load;
    uint64_t page;    /* bytes that memory is taken by; 0: PLACE_PAGE */
    uint64_t ring;    /* bytes of the ring that is there already, and stays if it is about right; 0: none */
    bool open;        /* the session is: pins take what it leaves, even if its whole context fits no more */
    uint32_t wanted;  /* positions asked for; 0: the most that fits, up to `limit` */
    uint32_t limit;   /* the most positions when none are asked for */
    uint32_t maximum; /* the model's own */
    uint32_t chunk;   /* tokens in one pass asked for; 0: chosen */
    uint32_t filled;  /* positions of the KV cache that may be written to before the next plan; 0: all */
    plan_session_fn *session;
    plan_session_fn *session_f16, *session_q8; /* with a narrower KV cache; NULL where it would not be */
    const void *session_ctx;
    struct plan_rates rates;
};

/* Decides. `pinned` [n_tensors] takes the units (weights/units.h) of each tensor that are pinned. Sets
 * everything of `out` but tensors and advice. `out->fits` says whether it can be run. */
void plan_make(const struct plan_facts *facts, uint64_t *pinned, struct lr_plan *out);

/* The first half of that: everything but where the weights live. */
void plan_judge(const struct plan_facts *facts, struct lr_plan *out);

/* Fills plan->advice: what would work for a plan that does not fit, what would help one that does. */
void plan_advise(const struct plan_facts *facts, struct lr_plan *plan);
/* LR_EMEMORY: what a plan that does not fit is refused with, advice included. */
enum lr_status plan_refuse(const struct plan_facts *facts, const struct lr_plan *plan, struct lr_error *err);

/* Whether more of the weights would be copied if they had not to be locked. */
bool plan_lock_short(const struct plan_facts *facts, const struct lr_plan *plan);

/* Addresses that a plan would take: above facts->address it does not fit. */
uint64_t plan_addresses(const struct plan_facts *facts, const struct lr_plan *plan);

/* A ring for these rates and this model in `room` bytes: as many slots as help, two at least. In as many
 * bytes as it takes itself it is the same. */
struct ring_size {
    uint64_t slot; /* bytes of one: the largest block with its alignment */
    uint32_t slots;
    uint32_t span; /* units that are read at a time */
};
struct ring_size plan_ring(const struct plan_facts *facts, uint64_t room);

#endif
