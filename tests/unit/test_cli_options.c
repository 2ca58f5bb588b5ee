/* The command line: words to struct options, and what is said of wrong ones. */
#include "support/support.h"

#include "base/mem.h"
#include "cli/options.h"
#include "cli/values.h"
#include "cli/words.h"

#define WORDS 16

struct parsed {
    struct options o;
    struct lr_error err;
    enum lr_status status;
    char *argv[WORDS + 2];
};

/* Parses up to WORDS words that end with NULL. */
static void parse(struct parsed *p, const char *const *words) {
    int argc = 1;
    memset(p, 0, sizeof *p);
    p->argv[0] = strdup("llm-run");
    for (; words[argc - 1]; argc++) p->argv[argc] = strdup(words[argc - 1]);
    p->status = options_parse(argc, p->argv, &p->o, &p->err);
}
#define PARSE(p, ...) parse(p, (const char *const[]){__VA_ARGS__, NULL})

static void drop(struct parsed *p) {
    options_free(&p->o);
    for (int i = 0; p->argv[i]; i++) free(p->argv[i]);
}

static void expect_refusal(const char *word, const char *value, const char *part) {
    struct parsed p;
    PARSE(&p, word, value ? value : "dir", value ? "dir" : NULL);
    if (p.status != LR_EUSAGE || !strstr(p.err.message, part))
        print_message("%s %s: %d '%s', not '%s'\n", word, value ? value : "", (int)p.status, p.err.message,
                      part);
    assert_int_equal(p.status, LR_EUSAGE);
    assert_non_null(strstr(p.err.message, part));
    drop(&p);
}

static void table_is_complete_and_without_doubles(void **state) {
    (void)state;
    for (int i = 0; i < OPT_COUNT; i++) {
        const struct option_row *row = &option_table[i];
        assert_non_null(row->name);
        assert_non_null(row->help);
        bool wants = row->kind != KIND_MODE && row->kind != KIND_FLAG && row->kind != KIND_COUNT;
        assert_int_equal(wants, row->argument != NULL);
        assert_int_equal(row->kind == KIND_CHOICE, row->choices != NULL);
        if (row->kind == KIND_INT || row->kind == KIND_REAL) assert_true(row->max > row->min);
        if (row->kind != KIND_MODE) assert_true(row->offset > 0);
        for (int j = 0; j < i; j++) {
            assert_string_not_equal(row->name, option_table[j].name);
            assert_false(row->letter && row->letter == option_table[j].letter);
        }
    }
}

static void options_stand_anywhere_and_in_both_forms(void **state) {
    (void)state;
    struct parsed p;
    PARSE(&p, "-n", "5", "dir", "--temp=0.5", "a prompt", "--top-k", "7", "-vv", "--stop", "a", "--stop=b",
          "--ids");
    assert_int_equal(p.status, LR_OK);
    assert_int_equal(p.o.mode, MODE_GENERATE);
    assert_string_equal(p.o.model_dir, "dir");
    assert_string_equal(p.o.prompt, "a prompt");
    assert_int_equal(p.o.max_tokens, 5);
    assert_true(p.o.temperature == 0.5);
    assert_int_equal(p.o.top_k, 7);
    assert_int_equal(p.o.verbose, 2);
    assert_int_equal(p.o.stop.count, 2);
    assert_string_equal(p.o.stop.items[1], "b");
    assert_true(p.o.ids && !p.o.echo && p.o.given[OPT_TEMP] && !p.o.given[OPT_TOP_P]);
    drop(&p);
}

static void after_two_dashes_all_is_words(void **state) {
    (void)state;
    struct parsed p;
    PARSE(&p, "--json", "--", "dir", "--temp");
    assert_int_equal(p.status, LR_OK);
    assert_string_equal(p.o.prompt, "--temp");
    drop(&p);
}

static void negative_values_are_values(void **state) {
    (void)state;
    struct parsed p;
    PARSE(&p, "dir", "--presence-penalty", "-1.5", "--logit-bias", "42=-100", "--logit-bias", "0=3");
    assert_int_equal(p.status, LR_OK);
    assert_true(p.o.presence_penalty == -1.5);
    assert_int_equal(p.o.logit_bias.count, 2);
    assert_int_equal(p.o.logit_bias.items[0].id, 42);
    assert_true(p.o.logit_bias.items[0].bias == -100.0f);
    drop(&p);
}

static void every_numeric_option_holds_its_range_on_both_sides(void **state) {
    (void)state;
    for (int i = 0; i < OPT_COUNT; i++) {
        const struct option_row *row = &option_table[i];
        if (row->kind != KIND_INT && row->kind != KIND_REAL) continue;
        char name[64], word[64];
        double step = row->kind == KIND_INT ? 1 : 0.001;
        snprintf(name, sizeof name, "--%s", row->name);
        for (int side = 0; side < 2; side++) {
            double edge = side ? row->max : row->min, out = side ? row->max + step : row->min - step;
            struct parsed p;
            snprintf(word, sizeof word, "%.15g", edge);
            PARSE(&p, name, word, "dir", "--json",
                  row->modes && row->modes & IN_BENCH_LOAD && !(row->modes & IN_GENERATE) ? "--bench-load"
                                                                                          : NULL);
            assert_int_equal(p.status == LR_OK, !(side == 0 && row->above_min));
            drop(&p);
            snprintf(word, sizeof word, "%.15g", out);
            expect_refusal(name, word, name + 2);
            expect_refusal(name, word, word);
        }
    }
}

static void words_that_are_no_numbers_are_refused(void **state) {
    (void)state;
    static const char *const whole[] = {"",    "x",    "1x",  " 1", "1 ",
                                        "1.0", "0x10", "1e3", "--", "99999999999999999999"};
    static const char *const real[] = {"", "x", "nan", "inf", "-inf", "0x1p-1", "1..2", "1e", "1e999", "0,5"};
    for (size_t i = 0; i < sizeof whole / sizeof whole[0]; i++) {
        expect_refusal("--max-tokens", whole[i], "whole number");
        expect_refusal("--seed", whole[i], "whole number");
    }
    for (size_t i = 0; i < sizeof real / sizeof real[0]; i++)
        expect_refusal("--min-p", real[i], "a number from 0 to 1");
    expect_refusal("--seed", "-1", "18446744073709551615");
    expect_refusal("--seed", "18446744073709551616", "18446744073709551615");
    expect_refusal("--typical", "0", "above 0");
    expect_refusal("--kv", "q3", "f16|f32|q8");
    expect_refusal("--matmul", "native2", "auto|native|blas");
    expect_refusal("--matmul", "auto|native", "auto|native|blas");
    expect_refusal("--stop", "", "one character or more");
    static const char *const biases[] = {"5",      "=1",    "5=",           "x=1", "-1=1",
                                         "5=1001", "5=nan", "4294967295=1", "5==1"};
    for (size_t i = 0; i < sizeof biases / sizeof biases[0]; i++)
        expect_refusal("--logit-bias", biases[i], "token id");
}

static void greatest_seed_is_taken(void **state) {
    (void)state;
    struct parsed p;
    PARSE(&p, "dir", "--seed", "18446744073709551615");
    assert_int_equal(p.status, LR_OK);
    assert_true(p.o.seed == UINT64_MAX && p.o.given[OPT_SEED]);
    drop(&p);
}

static void sizes_are_1024_based_or_shares(void **state) {
    (void)state;
    static const struct {
        const char *word;
        uint64_t bytes;
        double percent;
    } good[] = {{"8G", UINT64_C(8) << 30, 0},
                {"1.5GiB", UINT64_C(3) << 29, 0},
                {"512m", 512 << 20, 0},
                {"4kb", 4096, 0},
                {"1000000", 1000000, 0},
                {"7B", 7, 0},
                {"2T", UINT64_C(2) << 40, 0},
                {"60%", 0, 60},
                {"0.5%", 0, 0.5},
                {"100%", 0, 100}};
    static const char *const bad[] = {"",     "G",  "8GG",  "8 G", "8Gi",      "-1G",   "0", "0G", "8X",
                                      "101%", "0%", "60%%", "1e9", "8388608T", "1..5G", "%", "."};
    struct option_size s;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_true(value_size(good[i].word, &s));
        assert_int_equal(s.bytes, good[i].bytes);
        assert_true(s.percent == good[i].percent);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (value_size(bad[i], &s)) print_message("'%s' was taken\n", bad[i]);
        assert_false(value_size(bad[i], &s));
        expect_refusal("--mem-limit", bad[i], "8G, 1.5GiB or 60%");
    }
}

static void expect_no_suggestion(const char *word) {
    struct parsed p;
    PARSE(&p, word, "dir");
    assert_int_equal(p.status, LR_EUSAGE);
    if (strstr(p.err.message, "did you mean")) print_message("%s\n", p.err.message);
    assert_null(strstr(p.err.message, "did you mean"));
    assert_non_null(strstr(p.err.message, "--help-all"));
    drop(&p);
}

static void unknown_options_name_one_that_is_near(void **state) {
    (void)state;
    expect_refusal("--tempp", NULL, "'--temp'");
    expect_refusal("--tmep=3", NULL, "unknown option '--tmep': did you mean '--temp'?");
    expect_refusal("--max-token-s", NULL, "'--max-tokens'");
    expect_refusal("--max-new-tokens", NULL, "'--max-tokens'");
    expect_refusal("--sedd", NULL, "'--seed'");
    expect_refusal("--jsno", NULL, "'--json'");
    expect_refusal("--prompt", NULL, "'--prompt-sizes'");
    expect_refusal("-Z", NULL, "'-Z'");
    expect_refusal("-qZ", NULL, "'-Z'");
    expect_refusal("--json=yes", NULL, "'--json' takes no value");
    expect_refusal(
        "--bogus", NULL,
        "unknown option '--bogus' (--help-all lists them; a prompt that begins with '-' goes after "
        "'--')");
    /* names of other programs, and of this one's plans */
    static const char *const far[] = {"--bogus",    "--xyzzyplugh",   "--question", "--chat",     "--system",
                                      "--template", "--batch",        "--render",   "--stop-now", "--on-full",
                                      "--ssl",      "--output",       "--parallel", "--resume",   "--shard",
                                      "--dry-run",  "--retry-failed", "--=",        "--model"};
    for (size_t i = 0; i < sizeof far / sizeof far[0]; i++) expect_no_suggestion(far[i]);
    expect_no_suggestion("--thread-count-that-is-far-too-long-for-any-table-of-distances");
    struct parsed p;
    PARSE(&p, "dir", "--temp");
    assert_string_equal(p.err.message, "option '--temp' needs a value: X");
    drop(&p);
    PARSE(&p, "dir", "-qn");
    assert_string_equal(p.err.message, "option '--max-tokens' needs a value: N");
    drop(&p);
}

/* A part of a name would be another option as soon as there is one of that name. */
static void a_name_is_not_cut_short(void **state) {
    (void)state;
    struct parsed p;
    expect_refusal("--presence", "3", "unknown option '--presence': did you mean '--presence-penalty'?");
    expect_refusal("--presence=3", NULL, "unknown option '--presence': did you mean '--presence-penalty'?");
    expect_refusal("--repeat=3", NULL, "--repeat means nothing when generating");
    expect_refusal("--ech", NULL, "unknown option '--ech': did you mean '--echo'?");
    expect_refusal("--top", NULL, "unknown option '--top': did you mean '--top-k', '--top-p'?");
    PARSE(&p, "dir", "-n5", "--temp", "--seed", "--top-k=3", "word", "-t", "1");
    assert_int_equal(p.status, LR_EUSAGE);
    assert_string_equal(p.err.message, "option '-t,--temp': '--seed' is not a number from 0 to 100");
    drop(&p);
}

static void an_option_that_a_mode_does_not_know_is_refused(void **state) {
    (void)state;
    static const struct {
        enum option_id option;
        unsigned in;
    } samples[] = {{OPT_STOP, 1u << MODE_GENERATE},
                   {OPT_TEMP, 1u << MODE_GENERATE},
                   {OPT_LOGPROBS, 1u << MODE_GENERATE},
                   {OPT_IDS, 1u << MODE_GENERATE | 1u << MODE_SCORE},
                   {OPT_CTX, 1u << MODE_GENERATE | 1u << MODE_SCORE | 1u << MODE_PLAN | 1u << MODE_BENCH |
                                 1u << MODE_BENCH_LOAD},
                   {OPT_REPEAT, 1u << MODE_BENCH | 1u << MODE_BENCH_LOAD},
                   {OPT_PROMPT_SIZES, 1u << MODE_BENCH},
                   {OPT_GEN_SIZES, 1u << MODE_BENCH},
                   {OPT_FILE, 1u << MODE_GENERATE | 1u << MODE_SCORE | 1u << MODE_TOKENIZE},
                   {OPT_THREADS, 0},
                   {OPT_JSON, 0}};
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++)
        assert_int_equal(option_table[samples[i].option].modes, samples[i].in);
    static const char *const values[] = {
        [KIND_INT] = "1",  [KIND_SEED] = "1", [KIND_REAL] = "0.5", [KIND_SIZE] = "1G",
        [KIND_TEXT] = "x", [KIND_LIST] = "x", [KIND_BIAS] = "1=1", [KIND_NUMBERS] = "1,2"};
    for (int m = 0; m < OPT_COUNT; m++) {
        for (int i = 0; i < OPT_COUNT; i++) {
            const struct option_row *mode = &option_table[m], *row = &option_table[i];
            if (mode->kind != KIND_MODE || mode->mode >= MODE_HELP || row->kind == KIND_MODE) continue;
            char mode_word[32], word[64];
            snprintf(mode_word, sizeof mode_word, "--%s", mode->name);
            const char *value = row->kind == KIND_CHOICE ? strrchr(row->choices, '|') + 1 : values[row->kind];
            snprintf(word, sizeof word, row->argument ? "--%s=%s" : "--%s", row->name, value);
            struct parsed p;
            PARSE(&p, mode_word, word, "dir");
            bool fits = !row->modes || row->modes & 1u << mode->mode;
            assert_int_equal(p.status, fits ? LR_OK : LR_EUSAGE);
            if (!fits) assert_non_null(strstr(p.err.message, mode_word));
            if (!fits) assert_non_null(strstr(p.err.message, row->name));
            drop(&p);
        }
    }
}

static void words_that_do_not_go_together_are_refused(void **state) {
    (void)state;
    struct parsed p;
    expect_refusal("--score", "--info", "--score and --info exclude each other");
    expect_refusal("--logprobs=2", NULL, "--logprobs needs --json");
    expect_refusal("--score", "--stop=a", "--stop means nothing with --score");
    PARSE(&p, "dir", "a", "prompt");
    assert_int_equal(p.status, LR_EUSAGE);
    assert_non_null(strstr(p.err.message, "'prompt'"));
    drop(&p);
    PARSE(&p, "dir", "prompt", "-f", "file");
    assert_int_equal(p.status, LR_EUSAGE);
    drop(&p);
    PARSE(&p, NULL);
    assert_int_equal(p.status, LR_EUSAGE);
    assert_non_null(strstr(p.err.message, "no model directory"));
    drop(&p);
}

static void help_wins_over_what_follows(void **state) {
    (void)state;
    struct parsed p;
    PARSE(&p, "--help", "--nonsense");
    assert_int_equal(p.status, LR_OK);
    assert_int_equal(p.o.mode, MODE_HELP);
    drop(&p);
    PARSE(&p, "--score", "-V");
    assert_int_equal(p.o.mode, MODE_VERSION);
    drop(&p);
}

static void json_is_known_before_parsing(void **state) {
    (void)state;
    char *with[] = {(char[]){"x"}, (char[]){"--nonsense"}, (char[]){"--json"}, NULL};
    char *behind[] = {(char[]){"x"}, (char[]){"--"}, (char[]){"--json"}, NULL};
    assert_true(options_want_json(3, with));
    assert_false(options_want_json(2, with));
    assert_false(options_want_json(3, behind));
}

/* ---- options said again, for a process that is to do the same */

/* Whether what was given in the groups that go to another process is the same in both. */
static void same_options(const struct options *a, const struct options *b) {
    assert_memory_equal(&a->mem_limit, &b->mem_limit, sizeof a->mem_limit);
    assert_true(a->context == b->context && a->prefill_chunk == b->prefill_chunk && a->kv == b->kv);
    assert_true(a->threads == b->threads && a->matmul == b->matmul && a->load == b->load);
    assert_true(a->mlock == b->mlock && a->no_cache == b->no_cache && a->precise == b->precise);
    const char *const texts[][2] = {{a->isa, b->isa}, {a->cache_dir, b->cache_dir}};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(!texts[i][0], !texts[i][1]);
        if (texts[i][0]) assert_string_equal(texts[i][0], texts[i][1]);
    }
}

static void say_again(const struct options *o, struct words *w) {
    static const enum option_group groups[] = {GROUP_CONTEXT, GROUP_MEMORY, GROUP_MACHINE};
    assert_int_equal(words_add(w, "llm-run"), 0);
    for (int i = 0; i < 3; i++) assert_int_equal(words_add_group(w, o, groups[i]), 0);
    assert_int_equal(words_add(w, "dir"), 0);
    assert_null(w->items[w->count]);
}

static void options_said_again_mean_the_same(void **state) {
    (void)state;
    static const char *const lines[][WORDS] = {
        {"dir"},
        {"-c", "77", "dir", "--kv=f32", "--prefill-chunk", "5", "-n", "3"},
        {"dir", "--mem-limit", "1.5GiB", "--load", "stream", "--mlock", "--cache-dir", "a b=c"},
        {"dir", "--mem-limit", "33.3%", "--load=resident", "--no-cache", "--precise"},
        {"dir", "-T", "3", "--matmul", "blas", "--isa", "generic", "--temp", "0.5", "--json", "-v"},
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        struct parsed p, q;
        struct words w = {0};
        parse(&p, lines[i]);
        assert_int_equal(p.status, LR_OK);
        say_again(&p.o, &w);
        parse(&q, (const char *const *)w.items + 1);
        assert_int_equal(q.status, LR_OK);
        same_options(&p.o, &q.o);
        assert_false(q.o.json || q.o.given[OPT_TEMP] || q.o.given[OPT_MAX_TOKENS]);
        words_free(&w);
        drop(&p);
        drop(&q);
    }
}

/* A kind of value that words_add_group does not know would be lost without a word. */
static void what_is_said_again_can_be(void **state) {
    (void)state;
    for (int i = 0; i < OPT_COUNT; i++) {
        const struct option_row *row = &option_table[i];
        if (row->group != GROUP_CONTEXT && row->group != GROUP_MEMORY && row->group != GROUP_MACHINE)
            continue;
        assert_true(row->kind == KIND_FLAG || row->kind == KIND_INT || row->kind == KIND_CHOICE ||
                    row->kind == KIND_SIZE || row->kind == KIND_TEXT || row->kind == KIND_REAL);
    }
}

static void words_that_memory_refuses(void **state) {
    (void)state;
    struct parsed p;
    struct words w;
    int bad;
    long n = 0;
    PARSE(&p, "dir", "-c", "77", "--mem-limit", "50%", "--isa", "generic");
    do {
        w = (struct words){0};
        lr_mem_fail_after(++n, 0);
        bad = words_add(&w, "llm-run") | words_add_group(&w, &p.o, GROUP_CONTEXT) |
              words_add_group(&w, &p.o, GROUP_MEMORY);
        lr_mem_fail_after(0, 0);
        words_free(&w);
    } while (bad);
    assert_true(n > 3);
    drop(&p);
}

static void loading_is_measured_a_number_of_times(void **state) {
    (void)state;
    struct parsed p;
    PARSE(&p, "--bench-load", "dir", "--repeat", "5");
    assert_int_equal(p.status, LR_OK);
    assert_int_equal(p.o.mode, MODE_BENCH_LOAD);
    assert_int_equal(p.o.repeat, 5);
    drop(&p);
    PARSE(&p, "--bench-load", "--plan", "dir");
    assert_int_equal(p.status, LR_EUSAGE);
    assert_string_equal(p.err.message, "--bench-load and --plan exclude each other");
    drop(&p);
}

static void sizes_are_lists_of_whole_numbers(void **state) {
    (void)state;
    struct parsed p;
    PARSE(&p, "--bench", "dir", "--prompt-sizes", "1,2147483647", "--gen-sizes=0");
    assert_int_equal(p.status, LR_OK);
    assert_int_equal(p.o.mode, MODE_BENCH);
    assert_int_equal(p.o.prompt_sizes.count, 2);
    assert_int_equal(p.o.prompt_sizes.items[0], 1);
    assert_int_equal(p.o.prompt_sizes.items[1], INT32_MAX);
    assert_int_equal(p.o.gen_sizes.count, 1);
    assert_int_equal(p.o.gen_sizes.items[0], 0);
    drop(&p);
    PARSE(&p, "--bench", "dir", "--gen-sizes", "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16");
    assert_int_equal(p.status, LR_OK);
    assert_int_equal(p.o.gen_sizes.count, 16);
    drop(&p);
    static const char *const bad[] = {"",
                                      ",",
                                      "1,",
                                      ",1",
                                      "1,,2",
                                      "1;2",
                                      "1, 2",
                                      "1.5",
                                      "1,-2",
                                      "all",
                                      "2147483648",
                                      "99999999999999999999999999999",
                                      "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        expect_refusal("--prompt-sizes", bad[i], "separated by commas");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table_is_complete_and_without_doubles),
        cmocka_unit_test(options_stand_anywhere_and_in_both_forms),
        cmocka_unit_test(after_two_dashes_all_is_words),
        cmocka_unit_test(negative_values_are_values),
        cmocka_unit_test(every_numeric_option_holds_its_range_on_both_sides),
        cmocka_unit_test(words_that_are_no_numbers_are_refused),
        cmocka_unit_test(greatest_seed_is_taken),
        cmocka_unit_test(sizes_are_1024_based_or_shares),
        cmocka_unit_test(unknown_options_name_one_that_is_near),
        cmocka_unit_test(a_name_is_not_cut_short),
        cmocka_unit_test(an_option_that_a_mode_does_not_know_is_refused),
        cmocka_unit_test(words_that_do_not_go_together_are_refused),
        cmocka_unit_test(help_wins_over_what_follows),
        cmocka_unit_test(json_is_known_before_parsing),
        cmocka_unit_test(options_said_again_mean_the_same),
        cmocka_unit_test(what_is_said_again_can_be),
        cmocka_unit_test(words_that_memory_refuses),
        cmocka_unit_test(loading_is_measured_a_number_of_times),
        cmocka_unit_test(sizes_are_lists_of_whole_numbers),
    };
    return cmocka_run_group_tests_name("cli_options", tests, NULL, NULL);
}
