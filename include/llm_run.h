/* llm_run.h - the public interface of llm-run: run a Hugging Face model directory on a CPU.
 *
 *     struct lr_engine *engine;  struct lr_session *session;  struct lr_error err;
 *     lr_engine_open("model_dir", NULL, &engine, &err);      a loaded model, read-only, shared by sessions
 *     lr_session_open(engine, NULL, &session, &err);         one sequence: KV cache, position, sampler
 *     lr_session_feed_text(session, prompt, strlen(prompt), &err);
 *     lr_session_generate(session, NULL, on_text, NULL, NULL, &err);
 *
 * Every fallible function returns LR_OK or the kind of failure and writes one line into `err` (may be NULL).
 * Nothing here prints, exits or reads the environment. An engine may be used by several threads at once, a
 * session by one at a time. Structs of options start from their `*_defaults()`, which NULL stands for. */
#ifndef LLM_RUN_H
#define LLM_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define LR_VERSION "0.1.0"

/* The kind of a failure; the value is the command line's exit status. */
enum lr_status {
    LR_OK = 0,
    LR_EFAILED = 1, /* failed while running: I/O error, a system call refused */
    LR_EUSAGE = 2,  /* an argument out of range, a prompt longer than the context */
    LR_EMODEL = 3,  /* the model directory or an input file is missing, damaged or not supported */
    LR_EMEMORY = 4, /* not enough memory */
    LR_EINTERRUPTED = 130
};

struct lr_error {
    enum lr_status status;
    char message[1024]; /* one line, UTF-8 */
};

enum lr_log_level { LR_LOG_WARN, LR_LOG_NOTE, LR_LOG_INFO, LR_LOG_DEBUG };
typedef void lr_log_fn(void *ctx, enum lr_log_level level, const char *line);
/* Where the library's remarks go; nowhere until set. Process-wide: to be set before opening an engine. */
void lr_set_log(lr_log_fn *sink, void *ctx);

/* ---- engine -------------------------------------------------------------------------------------------- */
struct lr_engine;
enum lr_matmul { LR_MATMUL_AUTO, LR_MATMUL_NATIVE, LR_MATMUL_BLAS };
enum lr_kv { LR_KV_F16, LR_KV_F32, LR_KV_Q8 }; /* q8: int8, and a scale for each 32 of a head */
/* How weights are had: mapped where they fit, else streamed; or always that way; resident: all copied. */
enum lr_load { LR_LOAD_AUTO, LR_LOAD_MAP, LR_LOAD_STREAM, LR_LOAD_RESIDENT };
/* Weights as they are, or quantised first to 8.5 or 4.6 bits each; auto: the best that fits in memory. */
enum lr_quant { LR_QUANT_NONE, LR_QUANT_Q8, LR_QUANT_Q4, LR_QUANT_AUTO };
enum lr_phase { LR_PHASE_LOAD, LR_PHASE_PREFILL };
/* Called now and then: work done and the whole, in bytes of weights or tokens times layers of a prompt. */
typedef void lr_progress_fn(void *ctx, enum lr_phase phase, uint64_t done, uint64_t total);

struct lr_engine_options {
    int threads;           /* 0: the cores that this process may use */
    enum lr_matmul matmul; /* which products read a prompt; decoding one token is always native unless blas */
    const char *isa; /* no kernels above this instruction set ("generic", "avx2", "avx512"); NULL: the best */
    bool precise;    /* no reduced-precision products; the KV cache is f32 unless said otherwise */
    uint64_t mem_limit; /* bytes that may be used at most; 0: what the system has */
    enum lr_load load;
    bool mlock; /* what is copied is locked in memory */
    bool guard; /* a handler for SIGBUS: a mapped file that is cut short is an error, not a crash */
    enum lr_quant quant;
    bool quant_head_q8;    /* with 4.6 bits: the head, and an embedding that is the head too, have 8.5 */
    const char *cache_dir; /* where measurements and quantised weights are kept; NULL: nowhere */
    bool tokenizer_only;   /* the tokenizer's files alone: for lr_tokenize, lr_detokenize, lr_token_piece */
    bool quantise_only;    /* fills the cache of quantised weights; no session can be opened */
    bool plan_only;        /* for lr_plan and lr_engine_info: shards may be absent, nothing is loaded */
    const struct lr_session_options *expect; /* the first session's: refused at once if too large; or NULL */
    lr_progress_fn *progress;
    void *progress_ctx;
    const volatile int *interrupt; /* nonzero stops loading, reading, scoring: LR_EINTERRUPTED; or NULL */
};
struct lr_engine_options lr_engine_defaults(void);

/* Opens a model directory or a hub cache folder (models--ORG--NAME). To be closed after its sessions. */
enum lr_status lr_engine_open(const char *model_dir, const struct lr_engine_options *options,
                              struct lr_engine **out, struct lr_error *err);
void lr_engine_close(struct lr_engine *engine);

struct lr_model_info {
    const char *family, *architecture, *dtype; /* owned by the engine; dtype: of most weights, "bf16" */
    const char *quant, *quant_path; /* "none", "q8", "q4", "q4+q8"; the file that keeps them, NULL: none */
    uint64_t parameters, weight_bytes;
    uint32_t layers, dim, heads, kv_heads, head_dim, ffn_dim, vocab, max_context;
    bool tied_head, has_template, has_tokenizer;
};
struct lr_model_info lr_engine_info(const struct lr_engine *engine);
/* With plan_only: file `i` of those that keep its weights quantised, how, its size; NULL: there is none. */
const char *lr_engine_kept(const struct lr_engine *engine, size_t i, const char **quant, uint64_t *bytes);
/* Where the time of opening it and its first session went; mapped weights come in the first pass. */
struct lr_load_times {
    double config_s, catalog_s, tokenizer_s, plan_s, weights_s;
};
struct lr_load_times lr_engine_load_times(const struct lr_engine *engine);
/* ---- text and ids -------------------------------------------------------------------------------------- */
/* Ids of `len` bytes of text, invalid UTF-8 as U+FFFD; `specials`: with BOS and kin. For lr_ids_free. */
enum lr_status lr_tokenize(const struct lr_engine *engine, const char *text, size_t len, bool specials,
                           uint32_t **ids, size_t *n_ids, struct lr_error *err);
void lr_ids_free(uint32_t *ids);
/* The text of ids, NUL-terminated, special tokens left out; for lr_text_free. */
enum lr_status lr_detokenize(const struct lr_engine *engine, const uint32_t *ids, size_t n_ids, char **text,
                             size_t *len, struct lr_error *err);
void lr_text_free(char *text);
/* The piece of one id as it stands in the vocabulary, `*len` bytes owned by the engine; NULL when unknown. */
const char *lr_token_piece(const struct lr_engine *engine, uint32_t id, size_t *len);

/* ---- session ------------------------------------------------------------------------------------------- */
struct lr_session;
struct lr_sampling {
    float temperature;             /* 0: greedy */
    int top_k;                     /* 0: off */
    float top_p, min_p;            /* 1 and 0: off */
    float typical, repeat_penalty; /* 1: off */
    float presence_penalty, frequency_penalty;
    const struct lr_logit_bias {
        uint32_t id;
        float bias;
    } * logit_bias; /* [n_logit_bias], copied */
    size_t n_logit_bias;
    uint64_t seed; /* counts when has_seed; otherwise one is drawn and reported */
    bool has_seed;
};
struct lr_session_options {
    uint32_t context; /* positions; 0: the smaller of the model's maximum, 8192 and what fits */
    enum lr_kv kv;
    uint32_t prefill_chunk; /* tokens read in one pass; 0: chosen */
    struct lr_sampling sampling;
    const uint32_t *ids; /* [n_ids] fed first, if known: refused before weights are loaded; or NULL */
    size_t n_ids;
};
/* What generation_config.json says, else temperature 0.8, top-p 0.95, top-k 40. */
struct lr_session_options lr_session_defaults(const struct lr_engine *engine);
/* Where drawing is asked for: generation_config.json's, even beside do_sample false; else 0.8. */
float lr_sampling_temperature(const struct lr_engine *engine);

enum lr_status lr_session_open(struct lr_engine *engine, const struct lr_session_options *options,
                               struct lr_session **out, struct lr_error *err);
void lr_session_close(struct lr_session *session);

/* Appends to the sequence and reads it (prefill). Text gets special tokens added only at position 0. */
enum lr_status lr_session_feed_text(struct lr_session *session, const char *text, size_t len,
                                    struct lr_error *err);
enum lr_status lr_session_feed_ids(struct lr_session *session, const uint32_t *ids, size_t n_ids,
                                   struct lr_error *err);
/* Back to an empty sequence; the sampler starts from its seed again. */
void lr_session_reset(struct lr_session *session);

uint32_t lr_session_position(const struct lr_session *session); /* tokens in the sequence */
uint32_t lr_session_context(const struct lr_session *session);  /* positions there are */
uint64_t lr_session_seed(const struct lr_session *session);
/* The logits after the last token fed, [vocab]; valid until used again. NULL before the first. */
const float *lr_session_logits(const struct lr_session *session);

/* Draws the next token, appends and reads it. `*end`: it ends the text, and was drawn but not read. */
enum lr_status lr_session_next(struct lr_session *session, uint32_t *id, bool *end, struct lr_error *err);
/* ---- generation ---------------------------------------------------------------------------------------- */
enum lr_finish { LR_FINISH_EOS, LR_FINISH_STOP, LR_FINISH_LENGTH, LR_FINISH_INTERRUPTED };

/* One token and its natural logarithm of probability (before temperature and filters). */
struct lr_token_logprob {
    uint32_t id;
    float logprob;
};
struct lr_token_event {
    uint32_t id;
    const char *text; /* whole characters that are now certain, may be empty; [len] */
    size_t len;
    float logprob;                      /* valid when logprobs were asked for */
    const struct lr_token_logprob *top; /* [n_top], best first */
    size_t n_top;
};
/* Called per token, and with id UINT32_MAX for text held back to the end. False stops ("interrupted"). */
typedef bool lr_token_fn(void *ctx, const struct lr_token_event *event);

struct lr_generate_options {
    uint32_t max_tokens;     /* 0: to the end of the text or of the context */
    const char *const *stop; /* [n_stop] strings that end the text and are not part of it */
    size_t n_stop;
    bool ignore_eos;
    int logprobs; /* how many alternatives to report for each token; -1: none, and no logprob */
    const volatile int *interrupt; /* becomes nonzero to stop after the current token; may be NULL */
};
struct lr_generate_options lr_generate_defaults(void);

struct lr_generate_result {
    enum lr_finish finish;
    uint32_t tokens, passes; /* generated, the end-of-sequence token not counted; passes in decode_s */
    double prefill_s, decode_s, first_token_s; /* prefill: of all that was fed since the sequence began */
};
const char *lr_finish_name(enum lr_finish finish); /* "eos", "stop", "length", "interrupted" */

enum lr_status lr_session_generate(struct lr_session *session, const struct lr_generate_options *options,
                                   lr_token_fn *on_token, void *ctx, struct lr_generate_result *result,
                                   struct lr_error *err);

/* Log-probabilities of ids[1..n-1], each given all before it; logprobs[0] is NaN. Empties the session. */
enum lr_status lr_session_score(struct lr_session *session, const uint32_t *ids, size_t n_ids,
                                float *logprobs /* [n_ids] */, struct lr_error *err);
/* ---- planning ------------------------------------------------------------------------------------------ */
/* Where a tensor lives: in the mapped file; copied into memory, whole or in part; read again in each pass;
 * read row by row (an embedding); widened once (norms, biases). */
enum lr_where { LR_MAPPED, LR_PINNED, LR_PARTLY, LR_STREAMED, LR_SINGLE_ROWS, LR_WIDENED };
struct lr_plan_tensor {
    const char *name, *dtype; /* owned by the engine; the name has `name_len` bytes */
    size_t name_len;
    const uint64_t *shape; /* [rank] */
    uint32_t rank;
    uint64_t bytes, pinned; /* pinned: those of `bytes` that are copied */
    enum lr_where where;
};

/* Where every byte would live for a session, by headers and the system's facts; no weight is read. */
struct lr_plan {
    bool fits;
    enum lr_load mode;                 /* map, stream or resident */
    uint64_t budget, total, available; /* bytes: for this process; the machine or group has, has free */
    uint64_t weights;                  /* of the tensors that are used */
    uint64_t mapped, pinned, streamed; /* of them; streamed ones are read again in each pass */
    /* what the process owns, no mapped weights: kv_now: KV cache that this allows for, kv: of a full context;
     * pins: copied weights in pages; opening: what reading the tokenizer takes beyond that; need: the sum */
    uint64_t kv_now, kv, work, ring, tokenizer, fixed, pins, opening, need;
    uint64_t streamed_full, ring_full, pins_full, opening_full, need_full; /* once the context is full */
    uint64_t least; /* the smallest budget with which this mode could run, mapped weights included */
    uint32_t context, context_that_fits, chunk;
    double load_s, prefill_tok_s, decode_tok_s; /* expected; 0: not known */
    struct lr_plan_tensor *tensors;             /* [n_tensors], NULL where not asked for */
    size_t n_tensors, n_advice;
    char advice[5][200]; /* what would help */
};
/* `tensors`: list them too. To be freed with lr_plan_free. */
enum lr_status lr_plan(struct lr_engine *engine, const struct lr_session_options *options, bool tensors,
                       struct lr_plan *out, struct lr_error *err);
void lr_plan_free(struct lr_plan *plan);
/* The plan that the engine follows now, without its tensors: changed by memory and by the text's length. */
struct lr_plan lr_plan_current(const struct lr_engine *engine);
/* ---- the machine --------------------------------------------------------------------------------------- */
/* Bytes, 0: unknown. MemTotal or the smallest control group limit; this process's greatest resident set. */
uint64_t lr_memory_total(void);
uint64_t lr_memory_peak(void);
/* How the library was built and what it would run on, in one line: compiler, kernels, BLAS. */
void lr_build_info(char *line, size_t size);

#ifdef __cplusplus
}
#endif
#endif
