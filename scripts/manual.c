/* Writes the man page or a shell's completions from the option table: manual man|bash|zsh|fish. Run by
 * `make install`; not part of the program. */
#include "cli/options.h"

#include <stdio.h>

static const char description[] =
    "runs a Hugging Face model directory as downloaded, on the CPU.\n"
    "Text goes to standard output, byte for byte what the model says; "
    "everything else goes to standard error.\n"
    "PROMPT missing or \\-: read from standard input.\n"
    "After \\-\\- nothing is an option, so that a prompt may begin with a dash.\n";

static const struct {
    const char *status, *meaning;
} exits[] = {
    {"0", "done (a closed pipe included)"},
    {"1", "failed while running"},
    {"2", "wrong usage; a prompt too long for the context; a token id out of range"},
    {"3", "the model directory or an input file is missing, damaged or not supported"},
    {"4", "not enough memory"},
    {"129, 130, 143", "interrupted (SIGHUP, SIGINT, SIGTERM); what was generated is on standard output"},
};

/* Text with the characters that roff or a quoted shell word take for their own made harmless. */
static void put_roff(const char *text) {
    for (const char *s = text; *s; s++) {
        if (*s == '\\')
            fputs("\\e", stdout);
        else if (*s == '-')
            fputs("\\-", stdout);
        else
            putchar(*s);
    }
}

static void put_quoted(const char *text, const char *special, const char *escape) {
    for (; *text; text++) {
        if (strchr(special, *text)) fputs(escape, stdout);
        putchar(*text);
    }
}

static void man_option(const struct option_row *row) {
    fputs(".TP\n", stdout);
    if (row->letter) printf("\\fB\\-%c\\fR, ", row->letter);
    fputs("\\fB\\-\\-", stdout);
    put_roff(row->name);
    fputs("\\fR", stdout);
    if (row->argument) printf(" \\fI%s\\fR", row->choices ? row->choices : row->argument);
    putchar('\n');
    put_roff(row->help);
    putchar('\n');
}

static void write_man(void) {
    printf(".TH LLM\\-RUN 1 \"\" \"llm-run %s\" \"User Commands\"\n", LR_VERSION);
    printf(".SH NAME\nllm\\-run \\- run a language model on the CPU\n");
    printf(".SH SYNOPSIS\n\\fBllm\\-run\\fR [\\fIOPTIONS\\fR] \\fIMODEL_DIR\\fR [\\fIPROMPT\\fR]\n");
    printf(".SH DESCRIPTION\n\\fBllm\\-run\\fR %s", description);
    printf(".SH OPTIONS\n");
    for (int group = 0; group < GROUP_COUNT; group++) {
        printf(".SS ");
        put_roff(option_group_names[group]);
        putchar('\n');
        for (int i = 0; i < OPT_COUNT; i++)
            if ((int)option_table[i].group == group) man_option(&option_table[i]);
    }
    printf(".SH EXIT STATUS\n");
    for (size_t i = 0; i < sizeof exits / sizeof exits[0]; i++) {
        printf(".TP\n\\fB%s\\fR\n", exits[i].status);
        put_roff(exits[i].meaning);
        putchar('\n');
    }
    printf(
        ".SH ENVIRONMENT\n.TP\n\\fBNO_COLOR\\fR\nno colour on standard error, unless \\-\\-color always.\n");
}

/* "auto|native|blas" with another character between. */
static void put_choices(const char *choices, char between) {
    for (; *choices; choices++) putchar(*choices == '|' ? between : *choices);
}

static void write_bash(void) {
    printf("# bash completion for llm-run\n_llm_run() {\n    local cur=${COMP_WORDS[COMP_CWORD]} "
           "prev=${COMP_WORDS[COMP_CWORD-1]}\n    COMPREPLY=()\n    case $prev in\n");
    for (int i = 0; i < OPT_COUNT; i++) {
        const struct option_row *row = &option_table[i];
        if (!row->argument) continue;
        if (row->letter)
            printf("    -%c|--%s) ", row->letter, row->name);
        else
            printf("    --%s) ", row->name);
        if (row->choices) {
            printf("COMPREPLY=($(compgen -W \"");
            put_choices(row->choices, ' ');
            printf("\" -- \"$cur\")); return ;;\n");
        } else if (i == OPT_FILE) {
            printf("COMPREPLY=($(compgen -f -- \"$cur\")); return ;;\n");
        } else {
            printf("return ;;\n");
        }
    }
    printf("    esac\n    if [[ $cur == -* ]]; then\n        COMPREPLY=($(compgen -W \"");
    for (int i = 0; i < OPT_COUNT; i++) {
        if (option_table[i].letter) printf("-%c ", option_table[i].letter);
        printf("--%s%s", option_table[i].name, i + 1 < OPT_COUNT ? " " : "");
    }
    printf("\" -- \"$cur\"))\n    else\n        COMPREPLY=($(compgen -d -- \"$cur\"))\n    fi\n}\n"
           "complete -o filenames -F _llm_run llm-run\n");
}

static void zsh_option(const struct option_row *row) {
    printf("    ");
    bool again = row->kind == KIND_LIST || row->kind == KIND_BIAS || row->kind == KIND_COUNT;
    if (row->letter && again)
        printf("'*'{-%c,--%s}", row->letter, row->name);
    else if (row->letter)
        printf("'(-%c --%s)'{-%c,--%s%s}", row->letter, row->name, row->letter, row->name,
               row->argument ? "=" : "");
    else
        printf("'%s--%s%s'", again ? "*" : "", row->name, row->argument ? "=" : "");
    printf("'[");
    /* inside '...': a single quote ends the word, brackets end the text */
    for (const char *s = row->help; *s; s++) {
        if (*s == '\'')
            fputs("'\\''", stdout);
        else if (strchr("[]:", *s))
            printf("\\%c", *s);
        else
            putchar(*s);
    }
    putchar(']');
    if (row->choices) {
        printf(":%s:(", row->argument);
        put_choices(row->choices, ' ');
        putchar(')');
    } else if (row->argument) {
        printf(":%s:%s", row->argument, row - option_table == OPT_FILE ? "_files" : "");
    }
    printf("' \\\n");
}

static void write_zsh(void) {
    printf("#compdef llm-run\n_arguments -s \\\n");
    for (int i = 0; i < OPT_COUNT; i++) zsh_option(&option_table[i]);
    printf("    '1:model directory:_files -/' '2:prompt:'\n");
}

static void write_fish(void) {
    printf("# fish completion for llm-run\ncomplete -c llm-run -f -a '(__fish_complete_directories)'\n");
    for (int i = 0; i < OPT_COUNT; i++) {
        const struct option_row *row = &option_table[i];
        printf("complete -c llm-run -l %s", row->name);
        if (row->letter) printf(" -s %c", row->letter);
        if (row->argument) printf(i == OPT_FILE ? " -r -F" : " -x");
        if (row->choices) {
            printf(" -a '");
            put_choices(row->choices, ' ');
            printf("'");
        }
        printf(" -d '");
        put_quoted(row->help, "\\'", "\\");
        printf("'\n");
    }
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        void (*write)(void);
    } forms[] = {{"man", write_man}, {"bash", write_bash}, {"zsh", write_zsh}, {"fish", write_fish}};
    for (size_t i = 0; argc == 2 && i < sizeof forms / sizeof forms[0]; i++) {
        if (strcmp(argv[1], forms[i].name) != 0) continue;
        forms[i].write();
        return fflush(stdout) || ferror(stdout);
    }
    fprintf(stderr, "usage: manual man|bash|zsh|fish\n");
    return 2;
}
