/* options.h - the command line: one table of options, and what a command line said as a plain struct.
 *
 * The table feeds getopt_long, the help, the man page and the completions (scripts/manual.c); an option
 * stands in it once, and only when it works. Called by main.c; the modes read `struct options`. */
#ifndef LR_CLI_OPTIONS_H
#define LR_CLI_OPTIONS_H

#include "base/error.h"
#include "base/str.h"

enum cli_mode {
    MODE_GENERATE,
    MODE_SCORE,
    MODE_TOKENIZE,
    MODE_INFO,
    MODE_PLAN,
    MODE_BENCH,
    MODE_BENCH_LOAD,
    MODE_QUANTIZE,
    MODE_HELP,
    MODE_HELP_ALL,
    MODE_VERSION
};

/* Sets of modes. */
#define IN_GENERATE   (1u << MODE_GENERATE)
#define IN_SCORE      (1u << MODE_SCORE)
#define IN_TOKENIZE   (1u << MODE_TOKENIZE)
#define IN_PLAN       (1u << MODE_PLAN)
#define IN_BENCH      (1u << MODE_BENCH)
#define IN_BENCH_LOAD (1u << MODE_BENCH_LOAD)
#define IN_QUANTIZE   (1u << MODE_QUANTIZE)
/* Wherever a session is opened, or priced. */
#define IN_SESSION (IN_GENERATE | IN_SCORE | IN_PLAN | IN_BENCH | IN_BENCH_LOAD)

enum option_id {
    OPT_SCORE,
    OPT_TOKENIZE,
    OPT_INFO,
    OPT_PLAN,
    OPT_BENCH,
    OPT_BENCH_LOAD,
    OPT_QUANTIZE_ONLY,
    OPT_MAX_TOKENS,
    OPT_FILE,
    OPT_RAW,
    OPT_STOP,
    OPT_IGNORE_EOS,
    OPT_IDS,
    OPT_ECHO,
    OPT_TEMP,
    OPT_TOP_K,
    OPT_TOP_P,
    OPT_MIN_P,
    OPT_TYPICAL,
    OPT_REPEAT_PENALTY,
    OPT_PRESENCE_PENALTY,
    OPT_FREQUENCY_PENALTY,
    OPT_LOGIT_BIAS,
    OPT_GREEDY,
    OPT_SEED,
    OPT_LOGPROBS,
    OPT_CTX,
    OPT_KV,
    OPT_PREFILL_CHUNK,
    OPT_MEM_LIMIT,
    OPT_LOAD,
    OPT_QUANT,
    OPT_EMBED,
    OPT_MLOCK,
    OPT_CACHE_DIR,
    OPT_NO_CACHE,
    OPT_PRECISE,
    OPT_THREADS,
    OPT_MATMUL,
    OPT_ISA,
    OPT_JSON,
    OPT_QUIET,
    OPT_VERBOSE,
    OPT_PROGRESS,
    OPT_COLOR,
    OPT_PROMPT_SIZES,
    OPT_GEN_SIZES,
    OPT_REPEAT,
    OPT_HELP,
    OPT_HELP_ALL,
    OPT_VERSION,
    OPT_COUNT
};

enum option_group {
    GROUP_MODES,
    GROUP_TEXT,
    GROUP_SAMPLING,
    GROUP_CONTEXT,
    GROUP_MEMORY,
    GROUP_MACHINE,
    GROUP_OUTPUT,
    GROUP_BENCH,
    GROUP_ABOUT,
    GROUP_COUNT
};

/* How the argument is read, and what stands at `offset` in struct options. */
enum option_kind {
    KIND_MODE,   /* no argument; `mode` is taken */
    KIND_FLAG,   /* no argument; bool */
    KIND_COUNT,  /* no argument; int, one more each time */
    KIND_INT,    /* int64_t in [min, max] */
    KIND_SEED,   /* uint64_t */
    KIND_REAL,   /* double in [min, max], or above min where `above_min` */
    KIND_CHOICE, /* int, the place in `choices` */
    KIND_SIZE,   /* struct option_size */
    KIND_TEXT,   /* const char *, not empty */
    KIND_LIST,   /* struct option_list, one more each time */
    KIND_BIAS,   /* struct option_biases, one more each time */
    KIND_NUMBERS /* struct option_numbers, each in [min, max], separated by commas */
};

struct option_row {
    const char *name; /* long, without the dashes */
    char letter;      /* short, or 0 */
    enum option_group group;
    enum option_kind kind;
    size_t offset;        /* in struct options */
    const char *argument; /* its name in the help; NULL: none */
    const char *choices;  /* "auto|native|blas" */
    double min, max;
    bool above_min;
    bool common; /* in --help as well as in --help-all */
    enum cli_mode mode;
    unsigned modes; /* IN_...: where it has a meaning; elsewhere it is refused, not passed over. 0: anywhere,
                     * as what says how a run goes about it (threads, memory, output) */
    const char *help;
};

extern const struct option_row option_table[OPT_COUNT];
extern const char *const option_group_names[GROUP_COUNT];

enum embed { EMBED_Q4, EMBED_Q8 };
enum when { WHEN_AUTO, WHEN_ALWAYS, WHEN_NEVER };

/* A number of bytes, or a share of the memory there is. */
struct option_size {
    uint64_t bytes; /* 0: a share */
    double percent;
};

#define OPTION_NUMBERS 16
struct option_numbers {
    int64_t items[OPTION_NUMBERS];
    size_t count;
};

struct option_list {
    const char **items; /* [count], the words of argv themselves */
    size_t count, cap;
};

struct option_biases {
    struct lr_logit_bias *items; /* [count] */
    size_t count, cap;
};

struct options {
    enum cli_mode mode;
    const char *model_dir;
    const char *prompt; /* NULL: not given */

    int64_t max_tokens;
    const char *prompt_file;
    bool raw, ignore_eos, ids, echo;
    struct option_list stop;

    double temperature, top_p, min_p, typical, repeat_penalty, presence_penalty, frequency_penalty;
    int64_t top_k, logprobs;
    uint64_t seed;
    bool greedy;
    struct option_biases logit_bias;

    int64_t context, prefill_chunk;
    int kv; /* enum lr_kv */

    struct option_size mem_limit;
    int load;  /* enum lr_load */
    int quant; /* enum lr_quant */
    int embed; /* enum embed */
    bool mlock, no_cache;
    const char *cache_dir;
    bool precise;

    int64_t threads;
    int matmul; /* enum lr_matmul */
    const char *isa;

    bool json, quiet;
    int verbose;
    int progress, color; /* enum when */

    struct option_numbers prompt_sizes, gen_sizes;
    int64_t repeat;

    bool given[OPT_COUNT]; /* which options stood on the command line: only their values count */
};

/* Reads a command line; `out` points into argv and is to be freed with options_free, whatever is returned.
 * LR_EUSAGE names the option and what it takes. argv is reordered, as getopt_long does. */
enum lr_status options_parse(int argc, char **argv, struct options *out, struct lr_error *err);
void options_free(struct options *o);

/* Whether the words ask for JSON: known before they are parsed, as a wrong word is an error in JSON too. */
bool options_want_json(int argc, char **argv);

#endif
