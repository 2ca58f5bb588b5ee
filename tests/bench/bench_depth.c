/* How fast a prompt is read and text is written far into a sequence.
 *
 * usage: bench_depth [MODEL [DEPTH [PROMPT [TOKENS [THREADS [ISA]]]]]]       (without: models/demo after 128)
 * Reads DEPTH tokens, untimed, then PROMPT tokens, then makes TOKENS of them: passes and seconds as JSON. */
#include "llm_run.h"

#include "sys/clock.h"

#include <stdio.h>
#include <stdlib.h>

#define IDS 1000 /* those that are read */

static struct lr_error err;

static void need(enum lr_status status) {
    if (status == LR_OK) return;
    fprintf(stderr, "%s\n", err.message);
    exit(status);
}

static void open_session(const char **words, uint32_t context, struct lr_engine **engine,
                         struct lr_session **session) {
    struct lr_engine_options eo = lr_engine_defaults();
    eo.threads = atoi(words[4]);
    eo.isa = words[5];
    need(lr_engine_open(words[0], &eo, engine, &err));
    struct lr_session_options so = lr_session_defaults(*engine);
    so.context = context;
    so.sampling = (struct lr_sampling){.top_p = 1, .typical = 1, .repeat_penalty = 1};
    need(lr_session_open(*engine, &so, session, &err));
}

/* Seconds for n more tokens. */
static double feed(struct lr_session *s, uint32_t n) {
    uint32_t *ids = malloc((n ? n : 1) * sizeof *ids);
    if (!ids) exit(LR_EMEMORY);
    for (uint32_t i = 0; i < n; i++) ids[i] = i % IDS + 1;
    double begin = clock_now();
    if (n) need(lr_session_feed_ids(s, ids, n, &err));
    double took = clock_now() - begin;
    free(ids);
    return took;
}

int main(int argc, char **argv) {
    const char *words[] = {"models/demo", "128", "32", "32", "0", NULL};
    for (int i = 1; i < argc && i <= 6; i++) words[i - 1] = argv[i];
    uint32_t sizes[3];
    for (int i = 0; i < 3; i++) sizes[i] = (uint32_t)strtoul(words[i + 1], NULL, 10);
    struct lr_engine *engine;
    struct lr_session *session;
    struct lr_generate_result done;
    struct lr_generate_options options = lr_generate_defaults();
    open_session(words, sizes[0] + sizes[1] + sizes[2] + 1, &engine, &session);
    feed(session, sizes[0]);
    double prefill = feed(session, sizes[1]);
    options.max_tokens = sizes[2] + 1; /* the last one is not read */
    options.ignore_eos = true;
    need(lr_session_generate(session, &options, NULL, NULL, &done, &err));
    printf("{\"tokens\": %u, \"prefill_s\": %.6f, \"passes\": %u, \"decode_s\": %.6f}\n", sizes[1], prefill,
           done.passes, done.decode_s);
    lr_session_close(session);
    lr_engine_close(engine);
    return 0;
}
