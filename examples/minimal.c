/* The least program that runs a model: minimal MODEL_DIR PROMPT. Needs include/llm_run.h and libllm-run.a. */
#include "llm_run.h"

#include <stdio.h>
#include <string.h>

/* Called for each token with the text that has become certain. */
static bool print_text(void *ctx, const struct lr_token_event *event) {
    (void)ctx;
    fwrite(event->text, 1, event->len, stdout);
    fflush(stdout);
    return true;
}

int main(int argc, char **argv) {
    struct lr_engine *engine = NULL;
    struct lr_session *session = NULL;
    struct lr_generate_options options = lr_generate_defaults();
    struct lr_error err = {0};
    if (argc != 3) {
        fprintf(stderr, "usage: minimal MODEL_DIR PROMPT\n");
        return LR_EUSAGE;
    }
    options.max_tokens = 50;

    enum lr_status status = lr_engine_open(argv[1], NULL, &engine, &err);
    if (status == LR_OK) status = lr_session_open(engine, NULL, &session, &err);
    if (status == LR_OK) status = lr_session_feed_text(session, argv[2], strlen(argv[2]), &err);
    if (status == LR_OK) status = lr_session_generate(session, &options, print_text, NULL, NULL, &err);

    if (status == LR_OK)
        putchar('\n');
    else
        fprintf(stderr, "minimal: %s\n", err.message);
    lr_session_close(session);
    lr_engine_close(engine);
    return (int)status;
}
