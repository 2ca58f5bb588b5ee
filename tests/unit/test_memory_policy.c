/* The mission's memory rules, each row just below, at and just above its boundary.
 *
 * One table feeds both readers: cmocka, a test for each rule, and people: `test_memory_policy --table` prints
 * every row with what was expected and what was seen (`make test-memory`). */
#include "support/support.h"
#include "support/safetensors.h"
#include "support/system.h"

#include "base/arena.h"
#include "base/memory_policy.h"
#include "llm_run.h"
#include "run/engine.h"
#include "sys/memory.h"
#include "weights/pins.h"
#include "weights/plan.h"
#include "weights/units.h"

#include <ctype.h>
#include <stdatomic.h>

#define KB  (UINT64_C(1) << 10)
#define MB  (UINT64_C(1) << 20)
#define GB  (UINT64_C(1) << 30)
#define ALL UINT64_MAX /* available: no limit */

enum { TEXT = 200, LINES = 64 };

/* "12.25 GB + 2 B", exact; in four places, so that one line may show four sizes. */
static const char *size_text(uint64_t bytes) {
    static char texts[4][48];
    static int next;
    char *out = texts[next++ % 4];
    if (bytes > UINT64_MAX - KB) {
        snprintf(out, sizeof texts[0], "2^64 - %llu B", (unsigned long long)(UINT64_MAX - bytes + 1));
        return out;
    }
    uint64_t mb = bytes / MB + (bytes % MB > MB / 2);
    int64_t rest = (int64_t)(bytes - mb * MB);
    int n = 0;
    if (!mb) {
        snprintf(out, sizeof texts[0], "%llu B", (unsigned long long)bytes);
        return out;
    }
    if (mb >= 1024 && mb % 256 == 0)
        n = snprintf(out, sizeof texts[0], "%.10g GB", (double)mb / 1024);
    else
        n = snprintf(out, sizeof texts[0], "%llu MB", (unsigned long long)mb);
    if (rest) snprintf(out + n, sizeof texts[0] - (size_t)n, " %c %lld B", rest < 0 ? '-' : '+', llabs(rest));
    return out;
}

/* Figures become '#', so that the form alone is left. */
static void form_of(const char *line, char *out, size_t size) {
    size_t n = 0;
    while (*line && n + 1 < size) {
        if (!isdigit((unsigned char)*line)) {
            out[n++] = *line++;
            continue;
        }
        out[n++] = '#';
        while (isdigit((unsigned char)*line) || (*line == '.' && isdigit((unsigned char)line[1]))) line++;
    }
    out[n] = '\0';
}

/* ---- what a row is: numbers, or text, and how to see what the code makes of them */

struct row {
    uint64_t a, b, c, d, number; /* what goes in; the number that is expected where `expected` is NULL */
    const char *expected, *boundary;
};

struct rule {
    const char *name;
    void (*see)(const struct row *row, char *seen);
    void (*tell)(const struct row *row, char *boundary); /* where the rows do not say it themselves */
    const struct row *rows;                              /* [n_rows] */
    size_t n_rows;
};

/* ---- first size */

static void see_first_size(const struct row *r, char *seen) {
    struct memory_mode mode = policy_mode(r->a);
    snprintf(seen, TEXT, "%s, %s", size_text(mode.first_size), mode.name);
}
static void tell_first_size(const struct row *r, char *out) {
    snprintf(out, TEXT, "%s available", size_text(r->a));
}
static const struct row first_sizes[] = {
    {0, .expected = "512 MB, conservative"},
    {8 * GB - 1, .expected = "512 MB, conservative"},
    {8 * GB, .expected = "1 GB, standard"},
    {8 * GB + 1, .expected = "1 GB, standard"},
    {16 * GB - 1, .expected = "1 GB, standard"},
    {16 * GB, .expected = "2 GB, high performance"},
    {16 * GB + 1, .expected = "2 GB, high performance"},
    {32 * GB - 1, .expected = "2 GB, high performance"},
    {32 * GB, .expected = "2 GB, high performance"},
    {32 * GB + 1, .expected = "4 GB, maximum performance"},
    {UINT64_MAX, .expected = "4 GB, maximum performance"},
};

/* ---- growth: a current size, b in use, c new block, d available */

static void see_growth(const struct row *r, char *seen) {
    uint64_t next;
    bool granted = policy_grow(r->a, r->b, r->c, r->d, &next);
    snprintf(seen, TEXT, "%s", granted ? size_text(next) : "refused");
}
static void tell_growth(const struct row *r, char *out) {
    int n = r->a ? snprintf(out, TEXT, "%s, ", size_text(r->a)) : snprintf(out, TEXT, "begins, ");
    if (r->a != r->b) n += snprintf(out + n, TEXT - (size_t)n, "%s in use, ", size_text(r->b));
    n += snprintf(out + n, TEXT - (size_t)n, "%s more", size_text(r->c));
    if (r->d != ALL) snprintf(out + n, TEXT - (size_t)n, ", %s available", size_text(r->d));
}
static const struct row beginnings[] = {
    {0, 0, 100, 4 * GB, .number = 512 * MB},
    {0, 0, 100, 9 * GB, .number = 1 * GB},
    {0, 0, 700 * MB, 4 * GB, .number = 768 * MB}, /* from there it grows, by half */
    {0, 0, 512 * MB, 0,
     .number = 512 * MB}, /* the first size is no growth step: no half of what is available */
    {0, 0, 512 * MB + 1, 1, .expected = "refused"},
    {0, 0, 512 * MB + 1, 2, .number = 512 * MB + 1},
    {0, 0, 0, ALL, .number = 4 * GB},
};
static const struct row no_growth[] = {
    {1 * GB, 0, 1 * GB, 0, .number = 1 * GB},
    {1 * GB, 1 * GB - 64, 64, ALL, .number = 1 * GB},
    {1 * GB, 1 * GB - 64, 65, ALL, .number = 1 * GB + 512 * MB},
};
static const struct row small_growth[] = {
    {1 * GB, 1 * GB, 1, ALL, .number = 1 * GB + 512 * MB},
    {1 * GB, 1 * GB, 512 * MB - 1, ALL, .number = 1 * GB + 512 * MB},
    {1 * GB, 1 * GB, 512 * MB, ALL, .number = 1 * GB + 512 * MB},
    {1 * GB, 1 * GB, 512 * MB + 1, ALL, .number = 1 * GB + 512 * MB + 1},
    {1 * GB, 100, 3 * GB, ALL, .number = 3 * GB + 100},
    {3, 3, 1, ALL, .number = 4},
    {4 * GB - 2, 4 * GB - 2, 1, ALL, .number = 6 * GB - 3},
    {4 * GB, 4 * GB, 1, ALL, .number = 6 * GB},
};
static const struct row middle_growth[] = {
    {4 * GB + 4, 4 * GB + 4, 1, ALL, .number = 5 * GB + 5},
    {8 * GB, 8 * GB, 5, ALL, .number = 9 * GB + 5}, /* needed + 1 GB is the smaller */
    {8 * GB, 8 * GB, 1 * GB - 1, ALL, .number = 10 * GB - 1},
    {8 * GB, 8 * GB, 1 * GB, ALL, .number = 10 * GB},
    {8 * GB, 8 * GB, 1 * GB + 1, ALL, .number = 10 * GB}, /* the quarter is */
    {8 * GB, 8 * GB, 2 * GB, ALL, .number = 10 * GB},
    {8 * GB, 8 * GB, 2 * GB + 1, ALL, .number = 10 * GB + 1}, /* never less than needed */
    {8 * GB, 8 * GB, 3 * GB, ALL, .number = 11 * GB},
    {12 * GB - 1, 12 * GB - 1, 1, ALL, .number = 13 * GB},
    {12 * GB, 12 * GB, 1, ALL, .number = 13 * GB + 1},
};
static const struct row large_growth[] = {
    {12 * GB + 1, 12 * GB + 1, 1, ALL, .number = 12 * GB + 2 + 256 * MB},
    {100 * GB, 100 * GB, 8 * GB, ALL, .number = 108 * GB + 256 * MB},
    {UINT64_MAX - 5, UINT64_MAX - 5, 5, ALL, .number = UINT64_MAX},
    {UINT64_MAX - 5, UINT64_MAX - 5, 6, ALL, .expected = "refused"},
};
static const struct row half_steps[] = {
    {1 * GB, 1 * GB, 100, 1 * GB + 1, .number = 1 * GB + 512 * MB}, /* the wish is 512 MB more */
    {1 * GB, 1 * GB, 100, 1 * GB, .number = 1 * GB + 512 * MB},
    {1 * GB, 1 * GB, 100, 1 * GB - 1, .number = 1 * GB + 100}, /* shrunk to what is needed */
    {1 * GB, 1 * GB, 99, 200, .number = 1 * GB + 99},
    {1 * GB, 1 * GB, 100, 200, .number = 1 * GB + 100},
    {1 * GB, 1 * GB, 101, 200, .expected = "refused"},
    {1 * GB, 1 * GB - 50, 150, 200,
     .number = 1 * GB + 100}, /* what is free in the arena is not taken again */
    {1, 1, 1, 0, .expected = "refused"},
};

/* ---- one tensor, and exit 4 */

static uint64_t tell_available(void *ctx) {
    return *(const uint64_t *)ctx;
}

/* "exit 4: " and the message up to where it goes into detail; with `detail` what comes then. */
static void show_refusal(enum lr_status status, const char *message, bool detail, char *seen) {
    const char *cut = strstr(message, "large: ");
    cut = cut ? cut + 5 : strstr(message, " (");
    int head = cut ? (int)(cut - message) : (int)strlen(message);
    if (detail)
        snprintf(seen, TEXT, "%s", cut ? cut + 2 : "");
    else
        snprintf(seen, TEXT, "exit %d: %.*s", (int)status, head, message);
}

/* A block of a bytes in a new arena, b bytes being available, in one that only adds up where there is no
 * limit; c: the message's detail. */
static void see_block(const struct row *r, char *seen) {
    struct arena arena;
    struct lr_error err;
    uint64_t available = r->b;
    void *p;
    enum lr_status status = LR_OK;
    if (available == ALL)
        arena_init_measuring(&arena);
    else
        status = arena_init(&arena, 2 * GB, tell_available, &available, &err);
    if (status == LR_OK) status = arena_alloc(&arena, r->a, "lm_head", &p, &err);
    arena_destroy(&arena);
    if (status == LR_OK)
        snprintf(seen, TEXT, "granted");
    else
        show_refusal(status, err.message, r->c, seen);
}
static void tell_block(const struct row *r, char *out) {
    if (r->b == ALL)
        snprintf(out, TEXT, "a block of %s", size_text(r->a));
    else
        snprintf(out, TEXT, "a block of %s, %s available", size_text(r->a), size_text(r->b));
}
static const struct row blocks[] = {
    {8 * GB - 1, ALL, .expected = "granted"},
    {8 * GB, ALL, .expected = "granted"},
    {8 * GB + 1, ALL, .expected = "exit 4: Single tensor allocation too large"},
    {8 * GB + 1, ALL, 1,
     .expected = "lm_head: 8,589,934,593 bytes (8.00 GB), 8.00 GB at most (close other programs)"},
};
#ifdef SUPPORT_ASAN
#define HALF (512 * MB + 512) /* each block is followed by a red zone */
#else
#define HALF (512 * MB)
#endif
static const struct row refused_blocks[] = {
    {768 * MB, HALF + 1, .expected = "granted"}, /* 256 MB beyond the first size: half */
    {768 * MB, HALF, .expected = "granted"},
    {768 * MB, HALF - 1, .expected = "exit 4: Cannot allocate 0.75 GB. Available memory: 0.50 GB"},
    {768 * MB, 256 * MB, 1,
     .expected =
         "lm_head: 805,306,368 bytes; needs 0.25 GB more free, as one step may take half: close other "
         "programs)"},
};

/* A weight of a bytes that is to be pinned, b being available: what is refused is streamed (test_store). */
static void see_weight(const struct row *r, char *seen) {
    const struct tensor_record weight = {
        .dtype = LR_BF16, .rank = 2, .shape = {r->a / KB, KB / 2}, .bytes = r->a};
    const struct tensor_record *const records[] = {&weight};
    uint64_t all = units_count(&weight), available = r->b;
    struct pins pins;
    struct lr_error err;
    if (pins_open(records, &all, 1, 4096, &pins, &err)) fail_msg("%s", err.message);
    pins.growth.available = tell_available;
    pins.growth.available_ctx = &available;
    snprintf(seen, TEXT, "%s", pins_grow(&pins, 0, all) ? "pinned" : "refused, and streamed");
    pins_close(&pins);
}
static void tell_weight(const struct row *r, char *out) {
    snprintf(out, TEXT, "a weight of %s, %s available", size_text(r->a), size_text(r->b));
}
static const struct row refused_weights[] = {
    {768 * MB, 512 * MB + 1, .expected = "pinned"},
    {768 * MB, 512 * MB, .expected = "pinned"},
    {768 * MB, 512 * MB - 1, .expected = "refused, and streamed"},
};

/* 256 MB of KV cache and 10 MB of work space. */
static enum lr_status session_of_266_mb(const void *ctx, uint32_t context, uint32_t chunk, uint64_t *kv,
                                        uint64_t *work, struct lr_error *err) {
    (void)ctx, (void)chunk, (void)err;
    *kv = (uint64_t)context << 20;
    *work = 10 * MB;
    return LR_OK;
}

/* A plan that needs a bytes, of b; c: the message's detail. */
static void see_plan(const struct row *r, char *seen) {
    struct plan_facts f = {.budget = r->b,
                           .ours = memory_for_budget(r->b),
                           .address = UINT64_MAX,
                           .lock = UINT64_MAX,
                           .load = LR_LOAD_MAP,
                           .wanted = 256,
                           .maximum = 256,
                           .fixed = r->a - 266 * MB,
                           .session = session_of_266_mb};
    struct lr_plan plan;
    struct lr_error err;
    plan_make(&f, NULL, &plan);
    if (plan.fits)
        snprintf(seen, TEXT, "fits");
    else
        show_refusal(plan_refuse(&f, &plan, &err), err.message, r->c, seen);
}
static void tell_plan(const struct row *r, char *out) {
    snprintf(out, TEXT, "a plan that needs %s of %s", size_text(r->a), size_text(r->b));
}
static const struct row refused_plans[] = {
    {3 * GB / 2, 3 * GB / 2 + 1, .expected = "fits"},
    {3 * GB / 2, 3 * GB / 2, .expected = "fits"},
    {3 * GB / 2, 3 * GB / 2 - 1, .expected = "exit 4: Cannot allocate 1.50 GB. Available memory: 1.50 GB"},
    {3 * GB / 2, 1 * GB, .expected = "exit 4: Cannot allocate 1.50 GB. Available memory: 1.00 GB"},
    {3 * GB / 2, 1 * GB, 1,
     .expected =
         "mapped weights and a context of 256: 1,610,612,736 bytes; needs 0.50 GB more free: close other "
         "programs)"},
};

/* ---- high usage */

static void see_usage(const struct row *r, char *seen) {
    snprintf(seen, TEXT, "%s", policy_high_usage(r->a, r->b) ? "high" : "not high");
}
static void tell_usage(const struct row *r, char *out) {
    if (r->b == ALL)
        snprintf(out, TEXT, "%s of all available", r->a ? "all" : "nothing");
    else
        snprintf(out, TEXT, "%llu of %llu bytes available", (unsigned long long)r->a,
                 (unsigned long long)r->b);
}
static const struct row usages[] = {
    {31, 100, .expected = "not high"},
    {30, 100, .expected = "not high"},
    {29, 100, .expected = "high"},
    {300000001, 1000000000, .expected = "not high"},
    {300000000, 1000000000, .expected = "not high"},
    {299999999, 1000000000, .expected = "high"},
    {0, UINT64_MAX, .expected = "high"},
    {UINT64_MAX, UINT64_MAX, .expected = "not high"},
    {5, 4, .expected = "not high"},
    {0, 0, .expected = "not high"},
};

/* ---- loading: a real, small model */

enum { DIM = 64, VOCAB = 4096, NAMES = 32 * 9 + 3 };

struct small_model {
    char *folder;
    uint64_t essential_at; /* in the file: layers stand before, what is essential behind */
};

static const char config[] =
    "{\"architectures\":[\"LlamaForCausalLM\"],\"model_type\":\"llama\",\"hidden_size\":64,"
    "\"num_hidden_layers\":%u,\"num_attention_heads\":4,\"num_key_value_heads\":4,\"intermediate_size\":64,"
    "\"vocab_size\":4096,\"max_position_embeddings\":64,\"rms_norm_eps\":1e-5,\"torch_dtype\":\"bfloat16\","
    "\"hidden_act\":\"silu\",\"tie_word_embeddings\":%s}";

static char names[NAMES][96];
static struct support_tensor tensors[NAMES];
static size_t n_tensors;

static void add_tensor(const char *prefix, const char *name, uint64_t rows) {
    struct support_tensor *t = &tensors[n_tensors];
    snprintf(names[n_tensors], sizeof names[0], "%s%s.weight", prefix, name);
    *t = (struct support_tensor){.name = names[n_tensors], .dtype = "BF16", .rank = rows ? 2 : 1};
    t->shape[0] = rows ? rows : DIM;
    t->shape[1] = rows ? DIM : 0;
    t->bytes = (rows ? rows : 1) * DIM * 2;
    n_tensors++;
}

static struct small_model make_model(const char *prefix, uint32_t layers, bool tied) {
    static const struct {
        const char *name;
        uint64_t rows;
    } in_layer[] = {{"input_layernorm", 0},    {"post_attention_layernorm", 0},
                    {"self_attn.q_proj", DIM}, {"self_attn.k_proj", DIM},
                    {"self_attn.v_proj", DIM}, {"self_attn.o_proj", DIM},
                    {"mlp.gate_proj", DIM},    {"mlp.up_proj", DIM},
                    {"mlp.down_proj", DIM}};
    struct small_model m = {.folder = support_make_folder()};
    char text[640], layer[64], path[512];
    size_t size;
    n_tensors = 0;
    for (uint32_t l = 0; l < layers; l++) {
        snprintf(layer, sizeof layer, "%slayers.%u.", prefix, l);
        for (size_t i = 0; i < sizeof in_layer / sizeof *in_layer; i++)
            add_tensor(layer, in_layer[i].name, in_layer[i].rows);
    }
    add_tensor(prefix, "embed_tokens", VOCAB);
    add_tensor(prefix, "norm", 0);
    if (!tied) add_tensor("", "lm_head", VOCAB);
    support_write_safetensors(m.folder, "model.safetensors", tensors, n_tensors, 0);
    int n = snprintf(text, sizeof text, config, layers, tied ? "true" : "false");
    support_write_file(m.folder, "config.json", text, (size_t)n);
    snprintf(path, sizeof path, "%s/model.safetensors", m.folder);
    free(support_read_file(path, &size));
    m.essential_at = size - (tied ? 1 : 2) * (uint64_t)VOCAB * DIM * 2 - (uint64_t)DIM * 2;
    return m;
}

/* What a loading run left: its lines, and whether a layer was read before the last essential weight. */
struct loading_seen {
    char lines[LINES][TEXT];
    size_t n_lines;
    uint64_t essential_at;
    atomic_uint essential, layers, late; /* reads; late: essential ones behind the first of a layer */
    struct lr_engine *engine;
    unsigned short_from; /* the layer whose batch is told when memory goes; 0: it stays */
    bool kept;           /* some weight is pinned in the end */
};

static void keep_line(void *ctx, enum lr_log_level level, const char *line) {
    struct loading_seen *s = ctx;
    unsigned first;
    (void)level;
    if (s->short_from && sscanf(line, "[MemOpt] Layers %u to", &first) == 1 && first == s->short_from)
        s->engine->options.mem_limit = 1;
    if (s->n_lines < LINES) snprintf(s->lines[s->n_lines++], TEXT, "%s", line);
}

/* Reads are supersets in whole pages: their middle tells whose they are. */
static int64_t note_read(void *ctx, uint64_t offset, uint64_t bytes) {
    struct loading_seen *s = ctx;
    if (offset + bytes / 2 < s->essential_at) {
        atomic_fetch_add(&s->layers, 1);
    } else {
        atomic_fetch_add(&s->essential, 1);
        if (atomic_load(&s->layers)) atomic_fetch_add(&s->late, 1);
    }
    return INT64_MAX;
}

/* Opens engine and session, which loads; from the batch of layer `short_from` on (0: never) no memory may be
 * used. */
static struct loading_seen *load_until(const struct small_model *m, enum lr_load way, uint64_t limit,
                                       unsigned short_from) {
    static struct loading_seen seen;
    memset(&seen, 0, sizeof seen);
    seen.essential_at = m->essential_at;
    seen.short_from = short_from;
    struct lr_engine_options o = lr_engine_defaults();
    struct lr_engine *e = NULL;
    struct lr_session *s = NULL;
    struct lr_error err;
    o.threads = 1;
    o.matmul = LR_MATMUL_NATIVE;
    o.load = way;
    o.mem_limit = limit;
    if (lr_engine_open(m->folder, &o, &e, &err)) fail_msg("%s", err.message);
    struct lr_session_options so = lr_session_defaults(e);
    so.context = 16;
    seen.engine = e;
    lr_set_log(keep_line, &seen);
    system_on_read(note_read, &seen);
    enum lr_status status = lr_session_open(e, &so, &s, &err);
    system_on_read(NULL, NULL);
    lr_set_log(NULL, NULL);
    seen.kept = lr_plan_current(e).pinned > 0;
    lr_session_close(s);
    lr_engine_close(e);
    if (status) fail_msg("%s", err.message);
    return &seen;
}
static struct loading_seen *load(const struct small_model *m, enum lr_load way, uint64_t limit) {
    return load_until(m, way, limit, 0);
}

/* A limit under which what a small model needs leaves less than 30 % of it: little beside what we have. */
static uint64_t narrow_limit(void) {
    uint64_t own = memory_own_anonymous();
    return own + 16 * MB + 6 * MB + own / 5;
}
static uint64_t wide_limit(void) {
    return 3 * memory_own_anonymous() + 512 * MB;
}

/* a layers; b: memory is short. "0-9 10-10" */
static void see_batches(const struct row *r, char *seen) {
    struct small_model m = make_model("model.", (uint32_t)r->a, true);
    const struct loading_seen *s = load(&m, LR_LOAD_MAP, r->b ? narrow_limit() : wide_limit());
    unsigned first, last, n = 0, alarms = 0;
    for (size_t i = 0; i < s->n_lines; i++) {
        alarms += strncmp(s->lines[i], "High memory usage detected", 26) == 0;
        if (sscanf(s->lines[i], "[MemOpt] Layers %u to %u", &first, &last) == 2)
            n += (unsigned)snprintf(seen + n, TEXT - n, "%s%u-%u", n ? " " : "", first, last);
    }
    snprintf(seen + n, TEXT - n, "; %u alarm%s", alarms, alarms == 1 ? "" : "s");
    support_remove_folder(m.folder);
}
static void tell_batches(const struct row *r, char *out) {
    snprintf(out, TEXT, "%llu layers, usage %s 70 %%", (unsigned long long)r->a, r->b ? "above" : "below");
}
static const struct row batches[] = {
    {9, 0, .expected = "0-8; 0 alarms"},        {10, 0, .expected = "0-9; 0 alarms"},
    {11, 0, .expected = "0-9 10-10; 0 alarms"}, {25, 0, .expected = "0-9 10-19 20-24; 0 alarms"},
    {3, 1, .expected = "0-0 1-1 2-2; 1 alarm"},
};

/* 25 layers; a: the first layer of the batch before which memory goes */
static void see_planned_again(const struct row *r, char *seen) {
    struct small_model m = make_model("model.", 25, true);
    const struct loading_seen *s = load_until(&m, LR_LOAD_STREAM, wide_limit(), (unsigned)r->a);
    snprintf(seen, TEXT, "%s", s->kept ? "pinned" : "all is streamed");
    support_remove_folder(m.folder);
}
static void tell_planned_again(const struct row *r, char *out) {
    if (r->a)
        snprintf(out, TEXT, "memory goes as layers %llu and on are loaded", (unsigned long long)r->a);
    else
        snprintf(out, TEXT, "memory stays");
}
static const struct row planned_again[] = {
    {0, .expected = "pinned"},
    {10, .expected = "all is streamed"},
    {20, .expected = "pinned"}, /* no batch follows: that is the monitor's */
};

/* a: the head is the embedding; boundary: what the names begin with */
static void see_order(const struct row *r, char *seen) {
    struct small_model m = make_model(r->boundary, 3, r->a);
    const struct loading_seen *s = load(&m, LR_LOAD_RESIDENT, wide_limit());
    unsigned essential = 0, layers = 0;
    for (size_t i = 0; i < s->n_lines; i++) {
        unsigned *count = strstr(s->lines[i], "essential weights...") ? &essential : &layers;
        sscanf(s->lines[i], "[MemOpt] Loading %u", count);
    }
    const char *order = s->late ? "mixed" : !s->essential || !s->layers ? "nothing read" : "essential first";
    snprintf(seen, TEXT, "%u, then %u: %s", essential, layers, order);
    support_remove_folder(m.folder);
}
static void tell_order(const struct row *r, char *out) {
    snprintf(out, TEXT, "names below '%s', %s", r->boundary, r->a ? "tied head" : "lm_head.weight");
}
static const struct row orders[] = {
    {1, .boundary = "model.", .expected = "2, then 27: essential first"},
    {0, .boundary = "model.", .expected = "3, then 27: essential first"},
    {0, .boundary = "model.language_model.", .expected = "3, then 27: essential first"},
    {0, .boundary = "language_model.model.", .expected = "3, then 27: essential first"},
    {0, .boundary = "", .expected = "3, then 27: essential first"},
};

/* The a-th line that begins with [. */
static void see_line(const struct row *r, char *seen) {
    struct small_model m = make_model("model.", 2, true);
    const struct loading_seen *s = load(&m, LR_LOAD_RESIDENT, r->b ? narrow_limit() : wide_limit());
    uint64_t n = 0;
    snprintf(seen, TEXT, "none");
    for (size_t i = 0; i < s->n_lines; i++) {
        const char *line = s->lines[i];
        bool wanted = r->b ? *line == 'H' : *line == '[' && !strstr(line, "mode") && !strstr(line, " to ");
        if (wanted && n++ == r->a) form_of(line, seen, TEXT);
    }
    support_remove_folder(m.folder);
}
static void tell_line(const struct row *r, char *out) {
    snprintf(out, TEXT, r->b ? "usage above 70 %%" : "line %llu", (unsigned long long)r->a + 1);
}
static const struct row log_lines[] = {
    {0, .expected = "[Memory] Initial: Total: # GB, Used: # GB, Available: # GB"},
    {1, .expected = "[MemOpt] Loading # essential weights..."},
    {2, .expected = "[Memory] After essential weights: Available: # GB"},
    {3, .expected = "[MemOpt] Loading # layer weights in batches..."},
    {4, .expected = "[Memory] Final: Available: # GB"},
    {5, .expected = "none"},
    {0, 1, .expected = "High memory usage detected: # GB of # GB are in use"},
};

/* ---- the table */

#define ROWS(list) list, sizeof(list) / sizeof *(list)
static const struct rule rules[] = {
    {"first size", see_first_size, tell_first_size, ROWS(first_sizes)},
    {"arena begins", see_growth, tell_growth, ROWS(beginnings)},
    {"no growth", see_growth, tell_growth, ROWS(no_growth)},
    {"growth to 4 GB", see_growth, tell_growth, ROWS(small_growth)},
    {"growth above 4 GB", see_growth, tell_growth, ROWS(middle_growth)},
    {"growth above 12 GB", see_growth, tell_growth, ROWS(large_growth)},
    {"50 % step", see_growth, tell_growth, ROWS(half_steps)},
    {"one tensor", see_block, tell_block, ROWS(blocks)},
    {"exit 4, a step", see_block, tell_block, ROWS(refused_blocks)},
    {"a weight refused", see_weight, tell_weight, ROWS(refused_weights)},
    {"exit 4, a plan", see_plan, tell_plan, ROWS(refused_plans)},
    {"usage above 70 %", see_usage, tell_usage, ROWS(usages)},
    {"batches of 10 and 1", see_batches, tell_batches, ROWS(batches)},
    {"planned again", see_planned_again, tell_planned_again, ROWS(planned_again)},
    {"order of loading", see_order, tell_order, ROWS(orders)},
    {"log", see_line, tell_line, ROWS(log_lines)},
};
enum { N_RULES = sizeof rules / sizeof *rules };

static bool judge(const struct rule *rule, const struct row *row, char boundary[TEXT], char expected[TEXT],
                  char seen[TEXT]) {
    rule->tell(row, boundary);
    snprintf(expected, TEXT, "%s", row->expected ? row->expected : size_text(row->number));
    rule->see(row, seen);
    return strcmp(expected, seen) == 0;
}

static void every_row_holds(void **state) {
    const struct rule *rule = *state;
    char boundary[TEXT], expected[TEXT], seen[TEXT];
    for (size_t i = 0; i < rule->n_rows; i++)
        if (!judge(rule, &rule->rows[i], boundary, expected, seen))
            fail_msg("%s: %s: expected %s, seen %s", rule->name, boundary, expected, seen);
}

static int print_table(void) {
    static const char form[] = "%-19s | %-53s | %-62s | %-62s | %s\n";
    char boundary[TEXT], expected[TEXT], seen[TEXT];
    unsigned rows = 0, wrong = 0;
    printf(form, "rule", "boundary", "expected", "seen", "ok");
    for (size_t k = 0; k < N_RULES; k++) {
        for (size_t i = 0; i < rules[k].n_rows; i++, rows++) {
            bool ok = judge(&rules[k], &rules[k].rows[i], boundary, expected, seen);
            printf(form, rules[k].name, boundary, expected, seen, ok ? "ok" : "NO");
            wrong += !ok;
        }
    }
    printf("%u rows, %u wrong\n", rows, wrong);
    return wrong || !rows;
}

int main(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "--table") == 0) return print_table();
    struct CMUnitTest tests[N_RULES];
    for (size_t k = 0; k < N_RULES; k++)
        tests[k] =
            (struct CMUnitTest){rules[k].name, every_row_holds, NULL, NULL, (void *)(uintptr_t)&rules[k]};
    return cmocka_run_group_tests_name("memory policy", tests, NULL, NULL);
}
