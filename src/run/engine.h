/* engine.h - a loaded model: config, spec, tokenizer, weights, threads. Read-only after opening; sessions
 * share it. The inside of the public struct lr_engine, for run/ alone. */
#ifndef LR_RUN_ENGINE_H
#define LR_RUN_ENGINE_H

#include "format/config.h"
#include "format/model_dir.h"
#include "model/model.h"
#include "sys/memory.h"
#include "text/tokenizer.h"

struct lr_engine {
    struct lr_engine_options options;
    struct model_dir dir;
    struct model_config config;
    struct generation_config generation;
    struct model_spec spec;
    struct catalog catalog;
    struct binding binding;
    struct store store;
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
/* The ids that end the text, owned by the engine, and how many: generation_config's, else the config's. */
uint32_t engine_eos_ids(const struct lr_engine *e, const uint32_t **ids);
/* Whether `id` is one of them. */
bool engine_is_eos(const struct lr_engine *e, uint32_t id);

#endif
