/* limits.h - what this machine can do in a second at most, with an engine's threads: measured by loops that
 * do nothing else, so that a report can say how near an operation comes. For --bench. */
#ifndef LR_RUN_LIMITS_H
#define LR_RUN_LIMITS_H

#include "kernel/kernel.h"
#include "model/operations.h"

struct lr_engine;

/* 0: not known, or not there. */
struct machine_limits {
    double memory; /* bytes read, of a block larger than the caches; unknown where there is no room for one */
    double cache;  /* bytes read, of a block for each thread that its own cache holds */
    bool in_cache; /* a cache holds all weights: its rate counts for them, and not that of memory */
    double disk;   /* bytes of streamed weights; 0 where none are */
    double peak[PEAK_COUNT];                   /* multiply-adds */
    enum kernel_peak products[LR_DTYPE_COUNT]; /* which of them holds for weights of a dtype */
};

/* Before a session takes the memory that there is. At most about a second; disk is not set. LR_EINTERRUPTED.
 */
enum lr_status limits_measure(struct lr_engine *e, struct machine_limits *out, struct lr_error *err);

/* Reads once more, when the session is closed: where a machine's rate changes the best counts. */
enum lr_status limits_measure_again(struct lr_engine *e, struct machine_limits *out, struct lr_error *err);

/* The least time in which the limits let a cost be, and the limit that says so: "memory", "cache", "disk",
 * "f32", "bf16", "int8"; NULL where none is known or nothing is asked of it. */
struct limits_bound {
    double seconds;
    const char *name;
    uint64_t amount; /* that it counts of the cost: bytes, or where `arithmetic` is set multiply-adds */
    bool arithmetic;
};
struct limits_bound limits_bound(const struct machine_limits *l, const struct operation_cost *c);
const char *limits_peak_name(enum kernel_peak which);

#endif
