/* How far the next-token distributions of a model's default mode, and of its quantised weights, are from
 * those of --precise --kv f32, for scripts/quant_kl.py.
 *
 * usage: bench_kl [MODEL [ISA]] <texts        (models/demo) a text a line, ids separated by commas; as JSON
 */
#include "support/logits.h"

#include "run/session.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXTS = 1000, LINE = 1 << 16 };

static const struct way {
    const char *name;
    enum lr_quant quant;
    bool precise, head_q8;
} ways[] = {{"reference", LR_QUANT_NONE, true, false},
            {"as it is", LR_QUANT_NONE, false, false},
            {"q8", LR_QUANT_Q8, false, false},
            {"q4", LR_QUANT_Q4, false, false},
            {"q4 --embed q8", LR_QUANT_Q4, false, true}};

struct text {
    uint32_t *ids;
    size_t n;
    float *reference; /* [n, vocab] */
};

static struct text texts[TEXTS];
static size_t n_texts;
static struct lr_error err;

static void need(enum lr_status status) {
    if (status == LR_OK) return;
    fprintf(stderr, "bench_kl: %s\n", err.message);
    exit(status);
}

static void *room(size_t bytes) {
    void *p = malloc(bytes ? bytes : 1);
    if (!p) exit(LR_EMEMORY);
    return p;
}

static void read_texts(void) {
    static char line[LINE];
    for (; n_texts < TEXTS && fgets(line, sizeof line, stdin); n_texts++) {
        struct text *t = &texts[n_texts];
        t->ids = room(sizeof line / 2 * sizeof *t->ids);
        for (char *p = strtok(line, ",\n"); p; p = strtok(NULL, ",\n"))
            t->ids[t->n++] = (uint32_t)strtoul(p, NULL, 10);
    }
}

struct rows {
    float *logits; /* [n, vocab] */
    size_t vocab;
};

static void keep(void *ctx, const struct logits_block *b) {
    const struct rows *r = ctx;
    for (size_t i = 0; i < b->n_tokens; i++)
        memcpy(r->logits + (b->position + i) * r->vocab + b->first_id, b->logits + i * b->n_ids,
               b->n_ids * sizeof *b->logits);
}

static float *logits_of(struct lr_session *s, const struct text *t, size_t vocab) {
    struct rows r = {room(t->n * vocab * sizeof(float)), vocab};
    lr_session_reset(s);
    need(session_read(s, t->ids, t->n, t->n, FORWARD_ALL, keep, &r, &err));
    return r.logits;
}

struct sums {
    double kl, most;
    size_t n, same;
};

static void compare(const struct text *t, const float *logits, size_t vocab, struct sums *to) {
    for (size_t i = 0; i < t->n; i++, to->n++) {
        const float *row = logits + i * vocab, *reference = t->reference + i * vocab;
        double kl = logits_divergence(row, reference, vocab);
        to->kl += kl;
        to->most = fmax(to->most, kl);
        to->same += logits_greatest(row, vocab) == logits_greatest(reference, vocab);
    }
}

static void run(const char *model, const char *isa, const struct way *way) {
    struct lr_engine_options eo = lr_engine_defaults();
    struct lr_engine *engine;
    struct lr_session *session;
    struct sums sums = {0};
    eo.isa = isa;
    eo.quant = way->quant;
    eo.quant_head_q8 = way->head_q8;
    eo.precise = way->precise;
    eo.matmul = LR_MATMUL_NATIVE;
    need(lr_engine_open(model, &eo, &engine, &err));
    struct lr_session_options so = lr_session_defaults(engine);
    so.kv = way->precise ? LR_KV_F32 : LR_KV_F16;
    need(lr_session_open(engine, &so, &session, &err));
    size_t vocab = lr_engine_info(engine).vocab;
    for (size_t i = 0; i < n_texts; i++) {
        float *logits = logits_of(session, &texts[i], vocab);
        if (!texts[i].reference) {
            texts[i].reference = logits;
            continue;
        }
        compare(&texts[i], logits, vocab, &sums);
        free(logits);
    }
    if (sums.n)
        printf("{\"way\": \"%s\", \"positions\": %zu, \"mean\": %.3e, \"most\": %.3e, \"same\": %.5f}\n",
               way->name, sums.n, sums.kl / (double)sums.n, sums.most, (double)sums.same / (double)sums.n);
    lr_session_close(session);
    lr_engine_close(engine);
}

int main(int argc, char **argv) {
    const char *model = argc > 1 ? argv[1] : "models/demo", *isa = argc > 2 ? argv[2] : NULL;
    read_texts();
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) run(model, isa, &ways[i]);
    return 0;
}
