/* How fast tokenizers load, encode and decode.
 *
 * usage: bench_tokenizer [DIR TEXT_FILE]     (without: the shared tokenizers over this program's own sources,
 * repeated) Each figure is the best of five, in processor time (one thread works). DIR holds tokenizer.json
 * or vocab.json and merges.txt. */
#include "base/str.h"
#include "sys/file.h"
#include "text/tokenizer.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define TURNS 5

static struct lr_error err;

static void need(enum lr_status status) {
    if (status == LR_OK) return;
    fprintf(stderr, "%s\n", err.message);
    exit(1);
}

static double cpu_seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static double best_load(const struct tokenizer_files *files, struct tokenizer **t) {
    double best = 1e9;
    for (int i = 0; i < TURNS; i++) {
        if (i) tokenizer_close(*t);
        double begin = cpu_seconds();
        need(tokenizer_open(files, t, &err));
        double s = cpu_seconds() - begin;
        if (s < best) best = s;
    }
    return best;
}

static double best_encode(const struct tokenizer *t, struct lr_str text, struct token_list *ids) {
    double best = 1e9;
    for (int i = 0; i < TURNS; i++) {
        ids->count = 0;
        double begin = cpu_seconds();
        need(tokenizer_encode(t, text, false, ids, &err));
        double s = cpu_seconds() - begin;
        if (s < best) best = s;
    }
    return best;
}

static double best_decode(const struct tokenizer *t, const struct token_list *ids, size_t *len) {
    double best = 1e9;
    struct lr_buf out = {0};
    for (int i = 0; i < TURNS; i++) {
        out.len = 0;
        double begin = cpu_seconds();
        need(tokenizer_decode(t, ids->ids, ids->count, true, &out, &err));
        double s = cpu_seconds() - begin;
        if (s < best) best = s;
    }
    *len = out.len;
    lr_buf_free(&out);
    return best;
}

static void measure(const char *dir, struct lr_str text) {
    char json[4096], vocab[4096], merges[4096];
    snprintf(json, sizeof json, "%s/tokenizer.json", dir);
    snprintf(vocab, sizeof vocab, "%s/vocab.json", dir);
    snprintf(merges, sizeof merges, "%s/merges.txt", dir);
    struct tokenizer_files files = {.json = json};
    if (file_kind(json) != FILE_REGULAR) files = (struct tokenizer_files){.vocab = vocab, .merges = merges};
    struct tokenizer *t = NULL;
    struct token_list ids = {0};
    size_t len;
    double load = best_load(&files, &t), encode = best_encode(t, text, &ids),
           decode = best_decode(t, &ids, &len);
    printf("%-58s load %6.1f ms  %5.1f MB  encode %6.1f MB/s  decode %7.1f MB/s  %zu ids\n", dir, load * 1e3,
           (double)tokenizer_memory(t) / 1e6, (double)text.len / encode / 1e6, (double)len / decode / 1e6,
           ids.count);
    token_list_free(&ids);
    tokenizer_close(t);
}

static void measure_shared(void) {
    static const char *const names[] = {
        "llama3.2",  "qwen3", "gpt-oss", "gpt2", "falcon-tokenizer", "pythia-410m", "llama1-wizard-vicuna",
        "phi-3-mini"};
    static const char *const sources[] = {"src/text/regex_syntax.c", "src/run/generate.c", "README.md",
                                          "tests/golden/tokenizers/texts.bin"};
    struct lr_buf text = {0};
    for (size_t i = 0; text.len < 4u << 20; i++) {
        char *data;
        size_t len;
        need(file_read_all(sources[i % 4], 1 << 24, &data, &len, &err));
        if (lr_buf_append(&text, data, len)) exit(1);
        free(data);
    }
    const char *root = getenv("LR_TEST_DATA");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char dir[4096];
        snprintf(dir, sizeof dir, "%s/tokenizers/%s", root ? root : "../shared/data", names[i]);
        if (file_kind(dir) == FILE_FOLDER) measure(dir, lr_buf_str(&text));
    }
    lr_buf_free(&text);
}

int main(int argc, char **argv) {
    if (argc != 3) {
        measure_shared();
        return 0;
    }
    char *data;
    size_t len;
    need(file_read_all(argv[2], UINT64_C(1) << 32, &data, &len, &err));
    measure(argv[1], (struct lr_str){data, len});
    free(data);
    return 0;
}
