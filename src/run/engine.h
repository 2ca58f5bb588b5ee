/* engine.h - a loaded model: config, spec, tokenizer, weights, threads. Read-only after opening; sessions
 * share it. The inside of the public struct lr_engine, for run/ alone. */
#ifndef LR_RUN_ENGINE_H
#define LR_RUN_ENGINE_H

#include "format/config.h"
#include "format/model_dir.h"
#include "model/model.h"
#include "model/order.h"
#include "sys/memory.h"
#include "sys/watch.h"
#include "text/tokenizer.h"

/* Looks while working: run/monitor.c's. */
struct monitor {
    struct watch *watch;
    double looked;      /* when */
    uint64_t ours;      /* what the process owned or could have, at the last look */
    uint64_t swapped;   /* of ours, at the last look */
    bool falling;       /* which was less than before */
    bool high;          /* memory usage was above the alarm at the last look */
    bool refused;       /* some pins, at least once: that was told */
    bool changing;      /* pins were given back or taken again, and that was not told yet */
    uint64_t kept;      /* bytes of them before that */
    double began, last; /* when the first and the last step of that was */
    uint32_t roomy;     /* looks in a row that saw memory to spare */
    uint32_t passes;    /* since loading */
    uint64_t blocks;    /* read from disks by this process, at the last count */
    uint32_t evictions; /* counts in a row that saw mapped weights read again */
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
    enum disk_way way;
    uint64_t with_products;     /* bytes owned once the products' buffers are in use */
    uint64_t fixed;             /* bytes that the process owns whatever is loaded */
    uint64_t sessions_bytes;    /* that open sessions own */
    uint32_t sessions;          /* open */
    struct session_shape shape; /* of the session planned last */
    struct plan_facts facts;    /* what the plan went by */
    struct lr_plan plan;        /* what the store follows, once `loaded` */
    uint64_t *target;           /* [n_tensors] units that it pins */
    bool loaded;
    struct lr_load_times times; /* until then */
    struct monitor monitor;
    struct threads *threads;
    struct matmul matmul;
    struct model model;
    struct tokenizer *tokenizer; /* NULL where the folder has none */
    bool has_template;
    bool cold;      /* much of the weights was on disk alone when they were mapped: a first pass loads them */
    char path[256]; /* the folder, for messages */
};

/* The tokenizer, or LR_EMODEL with the reason why there is none. */
enum lr_status engine_tokenizer(const struct lr_engine *e, const struct tokenizer **out,
                                struct lr_error *err);
/* Tells that `share` of loading is done, in [0, 1]; bytes of the weights that are used stand for it. */
void engine_tell_loading(const struct lr_engine *e, double share);
/* Adds the seconds since `*since`, which becomes now, to one of e->times. */
void engine_lap(double *time, double *since);
/* The ids that end the text, owned by the engine, and how many: generation_config's, else the config's. */
uint32_t engine_eos_ids(const struct lr_engine *e, const uint32_t **ids);
/* The dtype that holds most bytes of what is used. */
enum lr_dtype engine_main_dtype(const struct lr_engine *e);
/* Whether `id` is one of them. */
bool engine_is_eos(const struct lr_engine *e, uint32_t id);

#endif
