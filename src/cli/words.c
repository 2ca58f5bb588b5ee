#include "cli/words.h"

#include "base/mem.h"

int words_add(struct words *w, const char *word) {
    if (lr_grow(&w->items, &w->cap, w->count + 2, sizeof *w->items)) return -1;
    char *copy = lr_str_dup(lr_str_of(word));
    w->items[w->count] = copy;
    if (!copy) return -1;
    w->items[++w->count] = NULL;
    return 0;
}

/* The `place`th word of "a|b|c". */
static struct lr_str choice_at(const char *choices, int place) {
    while (place-- > 0) choices += strcspn(choices, "|") + 1;
    return (struct lr_str){choices, strcspn(choices, "|")};
}

static int append_size(struct lr_buf *b, const struct option_size *size) {
    if (size->bytes) return lr_buf_printf(b, "%llu", (unsigned long long)size->bytes);
    return lr_buf_printf(b, "%.12f%%", size->percent);
}

/* "=VALUE" for the options that have one. */
static int append_value(struct lr_buf *b, const struct option_row *row, const struct options *o) {
    const void *at = (const char *)o + row->offset;
    if (!row->argument) return 0;
    int bad = lr_buf_append_char(b, '=');
    if (row->kind == KIND_INT) return bad | lr_buf_printf(b, "%lld", (long long)*(const int64_t *)at);
    if (row->kind == KIND_CHOICE)
        return bad | lr_buf_append_str(b, choice_at(row->choices, *(const int *)at));
    if (row->kind == KIND_SIZE) return bad | append_size(b, at);
    if (row->kind == KIND_REAL) return bad | lr_buf_printf(b, "%.17g", *(const double *)at);
    return bad | lr_buf_append_str(b, lr_str_of(*(const char *const *)at));
}

int words_add_group(struct words *w, const struct options *o, enum option_group group) {
    int bad = 0;
    for (int i = 0; i < OPT_COUNT && !bad; i++) {
        const struct option_row *row = &option_table[i];
        struct lr_buf word = {0};
        if (row->group != group || !o->given[i]) continue;
        bad = lr_buf_printf(&word, "--%s", row->name);
        if (!bad) bad = append_value(&word, row, o);
        if (!bad) bad = words_add(w, word.data);
        lr_buf_free(&word);
    }
    return bad;
}

void words_free(struct words *w) {
    for (size_t i = 0; i < w->count; i++) lr_free(w->items[i]);
    lr_free(w->items);
    *w = (struct words){0};
}
