#include "cli/options.h"

#define AT(field) offsetof(struct options, field)

const char *const option_group_names[GROUP_COUNT] = {
    [GROUP_MODES] = "Modes (generation when none is given)",
    [GROUP_TEXT] = "Text",
    [GROUP_SAMPLING] = "Sampling (defaults: the model's generation_config.json, else as shown)",
    [GROUP_CONTEXT] = "Context",
    [GROUP_MEMORY] = "Memory",
    [GROUP_MACHINE] = "Machine",
    [GROUP_OUTPUT] = "Output",
    [GROUP_BENCH] = "Measuring",
    [GROUP_ABOUT] = "About",
};

/* clang-format off: one option a paragraph reads better than one field a line */
const struct option_row option_table[OPT_COUNT] = {
    [OPT_SCORE] = {"score", 0, GROUP_MODES, KIND_MODE, .mode = MODE_SCORE, .common = true,
                   .help = "log-probability and perplexity of PROMPT"},
    [OPT_TOKENIZE] = {"tokenize", 0, GROUP_MODES, KIND_MODE, .mode = MODE_TOKENIZE, .common = true,
                      .help = "token ids of PROMPT; only the tokenizer's files need to be there"},
    [OPT_INFO] = {"info", 0, GROUP_MODES, KIND_MODE, .mode = MODE_INFO, .common = true,
                  .help = "what the model is: family, sizes, dtype, parameters, context, template"},
    [OPT_PLAN] = {"plan", 0, GROUP_MODES, KIND_MODE, .mode = MODE_PLAN, .common = true,
                  .help = "where every byte would live, and the speed to expect; loads nothing"},
    [OPT_BENCH] = {"bench", 0, GROUP_MODES, KIND_MODE, .mode = MODE_BENCH,
                   .help = "how fast prompts are read and text is generated; with -v: by operation, beside "
                           "what this machine could do at most"},
    [OPT_BENCH_LOAD] = {"bench-load", 0, GROUP_MODES, KIND_MODE, .mode = MODE_BENCH_LOAD,
                        .help = "how long it takes to the first token, by phase, from the disk and from the "
                                "page cache, each time in a process of its own"},
    [OPT_QUANTIZE_ONLY] = {"quantize-only", 0, GROUP_MODES, KIND_MODE, .mode = MODE_QUANTIZE,
                           .help = "fill the cache of quantised weights (--quant) and stop"},

    [OPT_MAX_TOKENS] = {"max-tokens", 'n', GROUP_TEXT, KIND_INT, AT(max_tokens), "N", .min = 1,
                        .max = INT32_MAX, .common = true, .modes = IN_GENERATE,
                        .help = "stop after N tokens (default: at the end of the text or of the context)"},
    [OPT_FILE] =
        {"file", 'f', GROUP_TEXT, KIND_TEXT, AT(prompt_file), "FILE", .common = true,
         .modes = IN_GENERATE | IN_SCORE | IN_TOKENIZE,
         .help = "read the prompt from FILE; one final newline is dropped, as from standard input, but not "
                 "with --tokenize and --score"},
    [OPT_RAW] = {"raw", 0, GROUP_TEXT, KIND_FLAG, AT(raw), .modes = IN_GENERATE | IN_SCORE | IN_TOKENIZE,
                 .help = "the prompt as it stands, no chat template; with --tokenize and --score: no special "
                         "tokens added"},
    [OPT_STOP] = {"stop", 0, GROUP_TEXT, KIND_LIST, AT(stop), "TEXT", .common = true, .modes = IN_GENERATE,
                  .help = "end before TEXT; may be given again for more"},
    [OPT_IGNORE_EOS] = {"ignore-eos", 0, GROUP_TEXT, KIND_FLAG, AT(ignore_eos), .modes = IN_GENERATE,
                        .help = "go on after the model ends its text"},
    [OPT_IDS] = {"ids", 0, GROUP_TEXT, KIND_FLAG, AT(ids), .modes = IN_GENERATE | IN_SCORE,
                 .help = "PROMPT is token ids, separated by commas or blanks; ids are printed"},
    [OPT_ECHO] = {"echo", 0, GROUP_TEXT, KIND_FLAG, AT(echo), .modes = IN_GENERATE,
                  .help = "print the prompt before the answer; with --json, \"text\" begins with it"},

    [OPT_TEMP] = {"temp", 't', GROUP_SAMPLING, KIND_REAL, AT(temperature), "X", .min = 0, .max = 100,
                  .common = true, .modes = IN_GENERATE,
                  .help = "temperature; 0 takes the likeliest token each time (0.8)"},
    [OPT_TOP_K] = {"top-k", 0, GROUP_SAMPLING, KIND_INT, AT(top_k), "N", .min = 0, .max = INT32_MAX,
                   .common = true, .modes = IN_GENERATE,
                   .help = "draw from the N likeliest tokens; 0: from all (40)"},
    [OPT_TOP_P] = {"top-p", 0, GROUP_SAMPLING, KIND_REAL, AT(top_p), "X", .min = 0, .max = 1, .common = true,
                   .modes = IN_GENERATE,
                   .help = "draw from the likeliest tokens that hold X of the probability; 1: all (0.95)"},
    [OPT_MIN_P] = {"min-p", 0, GROUP_SAMPLING, KIND_REAL, AT(min_p), "X", .min = 0, .max = 1,
                   .modes = IN_GENERATE,
                   .help = "leave out tokens below X times the likeliest one's probability (0)"},
    [OPT_TYPICAL] = {"typical", 0, GROUP_SAMPLING, KIND_REAL, AT(typical), "X", .min = 0, .max = 1,
                     .above_min = true, .modes = IN_GENERATE,
                     .help = "draw from the most typical tokens that hold X of the probability; 1: all (1)"},
    [OPT_REPEAT_PENALTY] = {"repeat-penalty", 0, GROUP_SAMPLING, KIND_REAL, AT(repeat_penalty), "X", .min = 0,
                            .max = 100, .above_min = true, .modes = IN_GENERATE,
                            .help = "divide the logits of tokens that were there by X; 1: off (1)"},
    [OPT_PRESENCE_PENALTY] = {"presence-penalty", 0, GROUP_SAMPLING, KIND_REAL, AT(presence_penalty), "X",
                              .min = -100, .max = 100, .modes = IN_GENERATE,
                              .help = "take X from the logits of tokens that were there (0)"},
    [OPT_FREQUENCY_PENALTY] = {"frequency-penalty", 0, GROUP_SAMPLING, KIND_REAL, AT(frequency_penalty), "X",
                               .min = -100, .max = 100, .modes = IN_GENERATE,
                               .help = "take X for each time that a token was there (0)"},
    [OPT_LOGIT_BIAS] = {"logit-bias", 0, GROUP_SAMPLING, KIND_BIAS, AT(logit_bias), "ID=X", .min = -1000,
                        .max = 1000, .modes = IN_GENERATE,
                        .help = "add X to the logit of token ID; may be given again for more"},
    [OPT_GREEDY] = {"greedy", 0, GROUP_SAMPLING, KIND_FLAG, AT(greedy), .common = true, .modes = IN_GENERATE,
                    .help = "the likeliest token each time, whatever the other sampling options (but for "
                            "--logit-bias) and the model's defaults say"},
    [OPT_SEED] = {"seed", 0, GROUP_SAMPLING, KIND_SEED, AT(seed), "N", .common = true, .modes = IN_GENERATE,
                  .help = "the same seed gives the same text (default: drawn, and reported)"},
    [OPT_LOGPROBS] = {"logprobs", 0, GROUP_SAMPLING, KIND_INT, AT(logprobs), "N", .min = 0, .max = 64,
                      .modes = IN_GENERATE,
                      .help = "with --json: each token's log-probability and those of the N likeliest"},

    [OPT_CTX] =
        {"ctx", 'c', GROUP_CONTEXT, KIND_INT, AT(context), "N", .min = 1, .max = INT32_MAX, .common = true,
         .modes = IN_SESSION,
         .help =
             "positions, prompt and answer together (default: the least of the model's, 8192 and what fits)"},
    [OPT_KV] = {"kv", 0, GROUP_CONTEXT, KIND_CHOICE, AT(kv), "TYPE", "f16|f32|q8", .modes = IN_SESSION,
                .help = "element type of the KV cache (default f16; f32 with --precise)"},
    [OPT_PREFILL_CHUNK] = {"prefill-chunk", 0, GROUP_CONTEXT, KIND_INT, AT(prefill_chunk), "N", .min = 1,
                           .max = 65536, .modes = IN_SESSION,
                           .help = "tokens of the prompt read in one pass"},

    [OPT_MEM_LIMIT] =
        {"mem-limit", 0, GROUP_MEMORY, KIND_SIZE, AT(mem_limit), "SIZE", .common = true,
         .help = "use no more memory than SIZE (bytes, or 8G, 1.5GiB) or N% of what there is; a model that "
                 "needs more is read from disk in part, again for each token"},
    [OPT_LOAD] = {"load", 0, GROUP_MEMORY, KIND_CHOICE, AT(load), "WAY", "auto|map|stream|resident",
                  .modes = IN_SESSION,
                  .help =
                      "weights used in the mapped files, read again in part for each token, or all copied "
                      "(default auto: mapped if they fit, else streamed)"},
    [OPT_QUANT] = {"quant", 0, GROUP_MEMORY, KIND_CHOICE, AT(quant), "KIND", "none|q8|q4|auto",
                   .modes = IN_SESSION | IN_QUANTIZE, .common = true,
                   .help =
                       "quantise the weights first: 8.5 or 4.6 bits each, kept for the next time; auto: the "
                       "best that fits in memory (default none)"},
    [OPT_EMBED] = {"embed", 0, GROUP_MEMORY, KIND_CHOICE, AT(embed), "KIND", "q4|q8",
                   .modes = IN_SESSION | IN_QUANTIZE,
                   .help =
                       "with --quant q4 or auto: what the head becomes under q4, and an embedding that is "
                       "the head too (default q4; one that is not is q8 always)"},
    [OPT_MLOCK] = {"mlock", 0, GROUP_MEMORY, KIND_FLAG, AT(mlock), .modes = IN_SESSION,
                   .help = "lock copied weights in memory (ulimit -l)"},
    [OPT_CACHE_DIR] =
        {"cache-dir", 0, GROUP_MEMORY, KIND_TEXT, AT(cache_dir), "DIR",
         .help = "where measurements and quantised weights are kept (default $XDG_CACHE_HOME/llm-run)"},
    [OPT_NO_CACHE] = {"no-cache", 0, GROUP_MEMORY, KIND_FLAG, AT(no_cache), .help = "keep nothing there"},
    [OPT_PRECISE] = {"precise", 0, GROUP_MEMORY, KIND_FLAG, AT(precise), .modes = IN_SESSION,
                     .help = "no reduced-precision arithmetic"},

    [OPT_THREADS] = {"threads", 'T', GROUP_MACHINE, KIND_INT, AT(threads), "N", .min = 1, .max = 1024,
                     .common = true, .help = "threads (default: the cores that this process may use)"},
    [OPT_MATMUL] = {"matmul", 0, GROUP_MACHINE, KIND_CHOICE, AT(matmul), "WAY", "auto|native|blas",
                    .help = "how a prompt's matrix products are done (default auto)"},
    [OPT_ISA] = {"isa", 0, GROUP_MACHINE, KIND_TEXT, AT(isa), "NAME",
                 .help = "no kernels above this instruction set: generic, neon, avx2, avxvnni, avx512, "
                         "avx512vnni, avx512bf16 (default: the best there is)"},

    [OPT_JSON] = {"json", 0, GROUP_OUTPUT, KIND_FLAG, AT(json), .common = true,
                  .help = "one JSON object on stdout, errors too"},
    [OPT_QUIET] = {"quiet", 'q', GROUP_OUTPUT, KIND_FLAG, AT(quiet), .common = true,
                   .help = "nothing on stderr but errors"},
    [OPT_VERBOSE] = {"verbose", 'v', GROUP_OUTPUT, KIND_COUNT, AT(verbose), .common = true,
                     .help = "more on stderr; -vv: yet more"},
    [OPT_PROGRESS] = {"progress", 0, GROUP_OUTPUT, KIND_CHOICE, AT(progress), "WHEN", "auto|always|never",
                      .help = "progress on stderr (auto: on a terminal, after half a second)"},
    [OPT_COLOR] = {"color", 0, GROUP_OUTPUT, KIND_CHOICE, AT(color), "WHEN", "auto|always|never",
                   .help = "colour on stderr (auto: on a terminal, unless NO_COLOR is set)"},

    [OPT_PROMPT_SIZES] = {"prompt-sizes", 0, GROUP_BENCH, KIND_NUMBERS, AT(prompt_sizes), "N,...", .min = 0,
                          .max = INT32_MAX, .modes = IN_BENCH,
                          .help = "with --bench: tokens of the prompts that are read (128,512); 0: none"},
    [OPT_GEN_SIZES] = {"gen-sizes", 0, GROUP_BENCH, KIND_NUMBERS, AT(gen_sizes), "N,...", .min = 0,
                       .max = INT32_MAX - 8, .modes = IN_BENCH,
                       .help = "with --bench: tokens that are generated, after a prompt of 8 (32); 0: none"},
    [OPT_REPEAT] = {"repeat", 0, GROUP_BENCH, KIND_INT, AT(repeat), "N", .min = 1, .max = 1000,
                    .modes = IN_BENCH | IN_BENCH_LOAD,
                    .help = "with --bench: N runs that count of each test (5); with --bench-load: N from the "
                            "disk and N from the page cache (3)"},

    [OPT_HELP] = {"help", 'h', GROUP_ABOUT, KIND_MODE, .mode = MODE_HELP, .common = true,
                  .help = "the options used most"},
    [OPT_HELP_ALL] = {"help-all", 0, GROUP_ABOUT, KIND_MODE, .mode = MODE_HELP_ALL, .common = true,
                      .help = "all options"},
    [OPT_VERSION] = {"version", 'V', GROUP_ABOUT, KIND_MODE, .mode = MODE_VERSION, .common = true,
                     .help = "version, build, instruction set, BLAS"},
};
/* clang-format on */
