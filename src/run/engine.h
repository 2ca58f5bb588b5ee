/* engine.h - a loaded model: config, spec, tokenizer, weights, threads. Read-only after opening; sessions
 * share it. The inside of the public struct lr_engine, for run/ alone. */
#ifndef LR_RUN_ENGINE_H
#define LR_RUN_ENGINE_H

#include "format/config.h"
#include "format/model_dir.h"
#include "model/model.h"
#include "model/order.h"
#include "sys/file.h"
#include "sys/memory.h"
#include "sys/watch.h"
#include "text/tokenizer.h"
#include "weights/quantise.h"

/* The most that is used where memory is needed though it counts as free. */
struct ceiling {
    uint64_t bytes, floor; /* 0: there is none; what it does not fall below */
    double moved, wait;    /* when it was, and the time after which it is raised again */
    bool raised;           /* the last time that it was moved */
};

/* Looks while working: run/monitor.c's. */
struct monitor {
    struct watch *watch;
    double looked, asked; /* when: memory, and the kernel for signs of strain */
    uint64_t ours;        /* what the process owned or could have, at the last look */
    uint64_t swapped;     /* of ours, at the last look */
    bool falling;         /* `ours` was less than before */
    bool less;            /* while weights were read: the plan's need was more than ... */
    uint64_t left;        /* ... what was left */
    bool limit_met;       /* by a group of ours, when the kernel was asked last */
    bool high;            /* memory usage was above the alarm at the last look */
    double stalled;       /* share of about the last second in which somebody waited for memory */
    struct ceiling ceiling;
    bool refused;        /* some pins, at least once: that was told */
    bool changing;       /* pins were given back or taken again, and that was not told yet */
    uint64_t kept;       /* bytes of them before that */
    double began, last;  /* when the first and the last step of that was */
    const char *why;     /* fewer are kept, by the last step that gave some back */
    uint32_t roomy;      /* looks in a row that saw memory to spare */
    uint64_t in_vain;    /* with less than this no more weights could be kept; 0: not known */
    uint64_t faults;     /* for which this process waited for a disk, when that was asked last */
    double asked_faults; /* after which look that was asked */
    uint32_t passes;     /* since the weights were mapped, while that counts */
    uint32_t evictions;  /* times in a row that mapped weights were missing */
};

/* The plan for those who ask while a pass, which may change it, goes on. */
struct plan_shown {
    pthread_mutex_t lock;
    struct lr_plan plan;
};

/* What a session is priced by. */
struct session_shape {
    const struct lr_engine *engine;
    struct lr_session_options options;
};

struct lr_engine {
    struct lr_engine_options options;
    struct model_dir dir;
    struct model_config config;
    struct generation_config generation;
    struct model_spec spec;
    struct catalog catalog;
    struct binding binding;
    struct store store;
    struct plan_tensor *tensors; /* [n_tensors] in the order of use */
    size_t n_tensors;
    struct plan_rates rates;
    uint64_t with_products; /* bytes owned once the products' buffers are in use */
    uint64_t vectors;       /* bytes of norms and biases, widened */
    uint64_t rest, soon;    /* bytes that the process owns and the engine does not hold; of them, those that
                             * were yet to come when it was opened */
    struct lr_session *sessions; /* open, the last one first */
    bool fewer_sessions;         /* than the plan was made for */
    struct session_shape shape;  /* of the session planned last */
    struct plan_facts facts;     /* what the plan went by */
    struct lr_plan plan;         /* what the store follows, once `loaded` */
    struct plan_shown *shown;    /* as of its last change */
    uint64_t *target;            /* [n_tensors] units that it pins */
    bool loaded;
    uint64_t loaded_bytes;      /* until then */
    struct lr_load_times times; /* likewise */
    struct monitor monitor;
    struct threads *threads;
    struct matmul matmul;
    struct model model;
    struct tokenizer *tokenizer; /* NULL where the folder has none */
    char *compiled;              /* its tables, where they were kept; else NULL */
    size_t compiled_size;
    bool has_template;
    bool quantised; /* the weights; into: */
    struct quantise_kind quant_kind;
    char *quant_path; /* the file that keeps them; NULL: none */
    struct {
        char *path;
        const char *quant;
        uint64_t bytes;
    } kept[QUANTISE_KINDS]; /* [n_kept] files of quantised weights, for --info */
    size_t n_kept;
    int held_fd;    /* quantised weights that are in memory; -1: none */
    uint64_t held;  /* bytes of them: they count as the system's, not as ours */
    bool cold;      /* much of the weights was on disk alone when they were mapped: a first pass loads them */
    char path[256]; /* the folder, for messages */
};

/* The tokenizer, or LR_EMODEL with the reason why there is none. */
enum lr_status engine_tokenizer(const struct lr_engine *e, const struct tokenizer **out,
                                struct lr_error *err);
/* Takes e->catalog into use: binding, order, store. The other: all of it, catalog too, is given back. */
enum lr_status engine_bind_weights(struct lr_engine *e, struct lr_error *err);
void engine_close_weights(struct lr_engine *e);
/* Tells that `done` of `all` bytes of weights are in memory. */
void engine_tell_loading(const struct lr_engine *e, uint64_t done, uint64_t all);
/* Adds the seconds since `*since`, which becomes now, to one of e->times. */
void engine_lap(double *time, double *since);
/* The ids that end the text, owned by the engine, and how many: generation_config's, else the config's. */
uint32_t engine_eos_ids(const struct lr_engine *e, const uint32_t **ids);
/* The dtype that holds most bytes of what is used. */
enum lr_dtype engine_main_dtype(const struct lr_engine *e);
/* Whether `id` is one of them. */
bool engine_is_eos(const struct lr_engine *e, uint32_t id);

#endif
