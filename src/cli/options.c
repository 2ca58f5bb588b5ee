#include "cli/options.h"

#include "base/mem.h"
#include "cli/values.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

/* Long options come back from getopt_long as FIRST_LONG + their place in the table. */
#define FIRST_LONG 256

#define BEHIND_DASHES "a prompt that begins with '-' goes after '--'"

struct getopt_feed {
    struct option longs[OPT_COUNT + 1];
    char shorts[2 * OPT_COUNT + 2];
};

static void fill_feed(struct getopt_feed *feed) {
    char *s = feed->shorts;
    *s++ = ':'; /* a missing argument is told from an unknown option */
    for (int i = 0; i < OPT_COUNT; i++) {
        const struct option_row *row = &option_table[i];
        feed->longs[i] =
            (struct option){row->name, row->argument ? required_argument : no_argument, NULL, FIRST_LONG + i};
        if (!row->letter) continue;
        *s++ = row->letter;
        if (row->argument) *s++ = ':';
    }
}

static int id_of(int code) {
    if (code >= FIRST_LONG) return code - FIRST_LONG;
    for (int i = 0; i < OPT_COUNT; i++)
        if (option_table[i].letter && option_table[i].letter == code) return i;
    return -1;
}

static size_t least(size_t a, size_t b) {
    return a < b ? a : b;
}

/* Insertions, deletions, changes and swaps of neighbours that lead from one word to the other (optimal string
 * alignment). */
static size_t edit_distance(const char *a, size_t n_a, const char *b) {
    enum { MAX = 40 };
    size_t d[MAX + 1][MAX + 1], n_b = strlen(b);
    n_a = least(n_a, MAX);
    n_b = least(n_b, MAX);
    for (size_t i = 0; i <= n_a; i++) d[i][0] = i;
    for (size_t j = 0; j <= n_b; j++) d[0][j] = j;
    for (size_t i = 1; i <= n_a; i++) {
        for (size_t j = 1; j <= n_b; j++) {
            size_t change = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            d[i][j] = least(change, least(d[i - 1][j], d[i][j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                d[i][j] = least(d[i][j], d[i - 2][j - 2] + 1);
        }
    }
    return d[n_a][n_b];
}

/* The known option that is near enough to `word` to be what was meant: one letter in three may be wrong, or
 * one of a shorter word. NULL: there is none. */
static const char *option_like(const char *word, size_t len) {
    const char *best = NULL;
    size_t most = len < 3 ? 1 : len / 3, best_distance = most + 1;
    for (int i = 0; i < OPT_COUNT; i++) {
        size_t distance = edit_distance(word, len, option_table[i].name);
        if (distance >= best_distance) continue;
        best_distance = distance;
        best = option_table[i].name;
    }
    return best;
}

/* The options that begin with `word`, separated by commas; how many there are. */
static size_t options_from(const char *word, size_t len, char *out, size_t size) {
    size_t n = 0, used = 0;
    out[0] = '\0';
    for (int i = 0; i < OPT_COUNT && len && used < size; i++) {
        if (strncmp(option_table[i].name, word, len) != 0) continue;
        used += (size_t)snprintf(out + used, size - used, "%s'--%s'", n++ ? ", " : "", option_table[i].name);
    }
    return n;
}

/* The message for a long option that there is not: mistyped, cut short, or not of this program. */
static enum lr_status refuse_long(const char *word, struct lr_error *err) {
    const char *name = word + strspn(word, "-");
    size_t len = strcspn(name, "=");
    char begin_so[256];
    const char *like = option_like(name, len);
    if (options_from(name, len, begin_so, sizeof begin_so))
        return lr_fail(err, LR_EUSAGE, "unknown option '--%.*s': did you mean %s?", (int)len, name, begin_so);
    if (like)
        return lr_fail(err, LR_EUSAGE, "unknown option '--%.*s': did you mean '--%s'?", (int)len, name, like);
    return lr_fail(err, LR_EUSAGE, "unknown option '--%.*s' (--help-all lists them; " BEHIND_DASHES ")",
                   (int)len, name);
}

/* The message for a word that getopt_long did not take: unknown, ambiguous, or a value it does not have. */
static enum lr_status refuse_word(const char *word, struct lr_error *err) {
    if (optopt && optopt < FIRST_LONG)
        return lr_fail(err, LR_EUSAGE, "unknown option '-%c' (--help-all lists them; " BEHIND_DASHES ")",
                       optopt);
    if (optopt)
        return lr_fail(err, LR_EUSAGE, "option '--%s' takes no value", option_table[id_of(optopt)].name);
    return refuse_long(word, err);
}

/* Whether getopt_long took the beginning of a name for the name. It would mean something else as soon as
 * another option begins so. */
static bool is_cut_short(const char *word, const char *name) {
    if (strncmp(word, "--", 2) != 0) return false;
    return strcspn(word + 2, "=") != strlen(name);
}

/* What the option takes, for the message that says its value is not that. */
static void describe(const struct option_row *row, char *out, size_t size) {
    switch (row->kind) {
    case KIND_INT:
        snprintf(out, size, "a whole number from %.0f to %.0f", row->min, row->max);
        break;
    case KIND_SEED:
        snprintf(out, size, "a whole number from 0 to %llu", (unsigned long long)UINT64_MAX);
        break;
    case KIND_REAL:
        snprintf(out, size, row->above_min ? "a number above %g and up to %g" : "a number from %g to %g",
                 row->min, row->max);
        break;
    case KIND_CHOICE:
        snprintf(out, size, "one of %s", row->choices);
        break;
    case KIND_SIZE:
        snprintf(out, size, "a size such as 8G, 1.5GiB or 60%%");
        break;
    case KIND_NUMBERS:
        snprintf(out, size, "up to %d whole numbers from %.0f to %.0f, separated by commas", OPTION_NUMBERS,
                 row->min, row->max);
        break;
    case KIND_BIAS:
        snprintf(out, size, "a token id, '=' and a number from %g to %g", row->min, row->max);
        break;
    default:
        snprintf(out, size, "a text of one character or more");
        break;
    }
}

static bool in_range(const struct option_row *row, double x) {
    return x <= row->max && (row->above_min ? x > row->min : x >= row->min);
}

static bool take_choice(const struct option_row *row, const char *word, int *out) {
    *out = value_choice(word, row->choices);
    return *out >= 0;
}

static enum lr_status list_push(struct option_list *list, const char *word, struct lr_error *err) {
    if (lr_grow(&list->items, &list->cap, list->count + 1, sizeof *list->items))
        return lr_fail_memory(err, "options", list->count * sizeof *list->items);
    list->items[list->count++] = word;
    return LR_OK;
}

static enum lr_status bias_push(struct option_biases *list, struct lr_logit_bias bias, struct lr_error *err) {
    if (lr_grow(&list->items, &list->cap, list->count + 1, sizeof *list->items))
        return lr_fail_memory(err, "options", list->count * sizeof *list->items);
    list->items[list->count++] = bias;
    return LR_OK;
}

/* The option that is this mode; generation has none. */
static const char *mode_name(enum cli_mode mode) {
    for (int i = 0; i < OPT_COUNT; i++)
        if (option_table[i].kind == KIND_MODE && option_table[i].mode == mode) return option_table[i].name;
    return "";
}

static enum lr_status set_mode(const struct option_row *row, struct options *o, struct lr_error *err) {
    if (o->mode != MODE_GENERATE && o->mode != row->mode && row->mode < MODE_HELP)
        return lr_fail(err, LR_EUSAGE, "--%s and --%s exclude each other", mode_name(o->mode), row->name);
    o->mode = row->mode;
    return LR_OK;
}

/* Reads `word` (NULL for options without an argument) into the option's place. */
static enum lr_status take_value(const struct option_row *row, const char *word, struct options *o,
                                 struct lr_error *err) {
    void *at = (char *)o + row->offset;
    struct lr_logit_bias bias;
    bool ok = true;
    switch (row->kind) {
    case KIND_MODE:
        return set_mode(row, o, err);
    case KIND_FLAG:
        *(bool *)at = true;
        return LR_OK;
    case KIND_COUNT:
        ++*(int *)at;
        return LR_OK;
    case KIND_INT:
        ok = value_int(word, (int64_t)row->min, (int64_t)row->max, at);
        break;
    case KIND_SEED:
        ok = value_u64(word, at);
        break;
    case KIND_REAL:
        ok = value_real(word, at) && in_range(row, *(double *)at);
        break;
    case KIND_CHOICE:
        ok = take_choice(row, word, at);
        break;
    case KIND_SIZE:
        ok = value_size(word, at);
        break;
    case KIND_TEXT:
        ok = word[0] != '\0';
        *(const char **)at = word;
        break;
    case KIND_LIST:
        if (word[0]) return list_push(at, word, err);
        ok = false;
        break;
    case KIND_NUMBERS:
        ok = value_numbers(word, (int64_t)row->min, (int64_t)row->max, at);
        break;
    case KIND_BIAS:
        ok = value_bias(word, &bias) && in_range(row, (double)bias.bias);
        if (ok) return bias_push(at, bias, err);
        break;
    }
    if (ok) return LR_OK;
    char wanted[128], shown[4] = "";
    describe(row, wanted, sizeof wanted);
    if (row->letter) snprintf(shown, sizeof shown, "-%c,", row->letter);
    return lr_fail(err, LR_EUSAGE, "option '%s--%s': '%s' is not %s", shown, row->name, word, wanted);
}

/* What would do nothing is refused: who gave it expects something of it. */
static enum lr_status check_modes(const struct options *o, struct lr_error *err) {
    for (int i = 0; i < OPT_COUNT; i++) {
        unsigned modes = option_table[i].modes;
        if (o->given[i] && modes && !(modes & 1u << o->mode))
            return lr_fail(err, LR_EUSAGE, "--%s means nothing %s%s", option_table[i].name,
                           o->mode == MODE_GENERATE ? "when generating" : "with --", mode_name(o->mode));
    }
    return LR_OK;
}

/* Words that are no options: the model directory, then the prompt. */
static enum lr_status take_words(int n, char **words, struct options *o, struct lr_error *err) {
    if (n < 1)
        return lr_fail(err, LR_EUSAGE,
                       "no model directory given (usage: llm-run [OPTIONS] MODEL_DIR [PROMPT])");
    o->model_dir = words[0];
    o->prompt = n > 1 ? words[1] : NULL;
    if (n > 2)
        return lr_fail(err, LR_EUSAGE, "unexpected '%s' after the prompt (quote a prompt of several words)",
                       words[2]);
    if (o->prompt && o->prompt_file)
        return lr_fail(err, LR_EUSAGE, "a prompt and --file %s: give one of them", o->prompt_file);
    LR_TRY(check_modes(o, err));
    if (o->given[OPT_LOGPROBS] && !o->json) return lr_fail(err, LR_EUSAGE, "--logprobs needs --json");
    return LR_OK;
}

enum lr_status options_parse(int argc, char **argv, struct options *out, struct lr_error *err) {
    struct getopt_feed feed = {0};
    fill_feed(&feed);
    *out = (struct options){0};
    opterr = 0;
    optind = 0; /* glibc and musl: start anew */
    for (;;) {
        int code = getopt_long(argc, argv, feed.shorts, feed.longs, NULL);
        if (code == -1) break;
        if (code == '?') return refuse_word(argv[optind - 1], err);
        bool apart = optarg == argv[optind - 1]; /* the value is a word of its own */
        const char *word = argv[apart ? optind - 2 : optind - 1];
        int id = id_of(code == ':' ? optopt : code);
        const struct option_row *row = &option_table[id];
        if (code >= FIRST_LONG && is_cut_short(word, row->name)) return refuse_long(word, err);
        if (code == ':')
            return lr_fail(err, LR_EUSAGE, "option '--%s' needs a value: %s", row->name, row->argument);
        LR_TRY(take_value(row, optarg, out, err));
        out->given[id] = true;
        if (out->mode >= MODE_HELP) return LR_OK;
    }
    return take_words(argc - optind, argv + optind, out, err);
}

void options_free(struct options *o) {
    lr_free(o->stop.items);
    lr_free(o->logit_bias.items);
    *o = (struct options){0};
}

bool options_want_json(int argc, char **argv) {
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--json") == 0) return true;
    return false;
}
