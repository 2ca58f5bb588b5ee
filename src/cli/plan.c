/* --plan: where every byte would live, and the speed to expect, as a table or as JSON. */
#include "cli/modes.h"

#include "base/json_write.h"

#include <stdio.h>

#define MIB       1048576.0
#define GIB       1073741824.0
#define BAR_WIDTH 56
#define WIDTH     80
#define SLOW      0.1 /* tokens a second: below, seconds for one say more */

static const char *const mode_names[] = {[LR_LOAD_AUTO] = "auto",
                                         [LR_LOAD_MAP] = "map",
                                         [LR_LOAD_STREAM] = "stream",
                                         [LR_LOAD_RESIDENT] = "resident"};
static const char *const where_names[] = {
    [LR_MAPPED] = "mapped",     [LR_PINNED] = "pinned",           [LR_PARTLY] = "partly",
    [LR_STREAMED] = "streamed", [LR_SINGLE_ROWS] = "single rows", [LR_WIDENED] = "widened"};

struct planning {
    const struct options *o;
    struct lr_engine *engine;
    struct lr_model_info info;
    struct lr_plan plan;
};

/* ---- JSON */

/* What the process owns, by part, as the plan begins or once the context is full. */
static int write_need(struct lr_buf *b, const char *key, const struct lr_plan *p, bool full) {
    const struct {
        const char *name;
        uint64_t bytes;
    } rows[] = {
        {"weights", full ? p->pins_full : p->pins},
        {"kv", full ? p->kv : p->kv_now},
        {"work", p->work},
        {"ring", full ? p->ring_full : p->ring},
        {"tokenizer", p->tokenizer},
        {"fixed", p->fixed},
        {"opening", full ? p->opening_full : p->opening},
        {"total", full ? p->need_full : p->need},
    };
    int bad = lr_buf_printf(b, ",\"%s\":", key);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        bad |=
            lr_buf_printf(b, "%c\"%s\":%llu", i ? ',' : '{', rows[i].name, (unsigned long long)rows[i].bytes);
    return bad | lr_buf_append_char(b, '}');
}

static int write_sizes(struct lr_buf *b, const struct lr_plan *p, const char *quant) {
    int bad = lr_buf_printf(b, "{\"fits\":%s,\"mode\":\"%s\",\"budget\":%llu", p->fits ? "true" : "false",
                            mode_names[p->mode], (unsigned long long)p->budget);
    bad |= write_need(b, "need", p, true) | write_need(b, "start", p, false);
    return bad | lr_buf_printf(b,
                               ",\"weights\":%llu,\"pinned\":%llu,\"mapped\":%llu,\"streamed\":%llu,"
                               "\"quant\":\"%s\",\"context\":%u,\"context_that_fits\":%u,"
                               "\"prefill_chunk\":%u,\"least_budget\":%llu",
                               (unsigned long long)p->weights, (unsigned long long)p->pinned,
                               (unsigned long long)p->mapped, (unsigned long long)p->streamed, quant,
                               p->context, p->context_that_fits, p->chunk, (unsigned long long)p->least);
}

static int write_predicted(struct lr_buf *b, const struct lr_plan *p) {
    int bad = lr_buf_append_str(b, LR_STR(",\"predicted\":{\"load_s\":"));
    bad |= json_write_number(b, p->load_s, 6) | lr_buf_append_str(b, LR_STR(",\"decode_tok_s\":"));
    bad |= json_write_number(b, p->decode_tok_s, 6) | lr_buf_append_str(b, LR_STR(",\"prefill_tok_s\":"));
    return bad | json_write_number(b, p->prefill_tok_s, 6) | lr_buf_append_char(b, '}');
}

static int write_tensor(struct lr_buf *b, const struct lr_plan_tensor *t) {
    int bad = lr_buf_append_str(b, LR_STR("{\"name\":"));
    bad |= json_write_string(b, (struct lr_str){t->name, t->name_len});
    bad |= lr_buf_printf(b, ",\"dtype\":\"%s\",\"shape\":[", t->dtype);
    for (uint32_t i = 0; i < t->rank; i++)
        bad |= lr_buf_printf(b, "%s%llu", i ? "," : "", (unsigned long long)t->shape[i]);
    return bad | lr_buf_printf(b, "],\"bytes\":%llu,\"pinned\":%llu,\"where\":\"%s\"}",
                               (unsigned long long)t->bytes, (unsigned long long)t->pinned,
                               where_names[t->where]);
}

static int write_json(struct lr_buf *b, const struct lr_plan *p, const char *quant) {
    int bad =
        write_sizes(b, p, quant) | write_predicted(b, p) | lr_buf_append_str(b, LR_STR(",\"advice\":["));
    for (size_t i = 0; i < p->n_advice; i++) {
        if (i) bad |= lr_buf_append_char(b, ',');
        bad |= json_write_string(b, lr_str_of(p->advice[i]));
    }
    bad |= lr_buf_append_str(b, LR_STR("],\"tensors\":["));
    for (size_t i = 0; i < p->n_tensors; i++) {
        if (i) bad |= lr_buf_append_char(b, ',');
        bad |= write_tensor(b, &p->tensors[i]);
    }
    return bad | lr_buf_append_str(b, LR_STR("]}"));
}

/* ---- the screen */

/* In the unit in which it is at least 0.1. */
static const char *size_text(uint64_t bytes, char out[24]) {
    double b = (double)bytes;
    if (b >= GIB)
        snprintf(out, 24, "%.2f GB", b / GIB);
    else if (b >= MIB / 10 || !bytes)
        snprintf(out, 24, bytes ? "%.1f MB" : "0 MB", b / MIB);
    else
        snprintf(out, 24, "%.1f KB", b / 1024);
    return out;
}

/* What is short where the sum of all would fit is told by the advice. */
static int write_refusal(struct lr_buf *b, const struct lr_plan *p) {
    char need[24], have[24];
    if (p->least == UINT64_MAX || p->least <= p->budget)
        return lr_buf_append_str(
            b, LR_STR("It does not fit, for the reason below: there is memory for the sum.\n\n"));
    return lr_buf_printf(b, "It does not fit: %s are needed, %s may be used.\n\n", size_text(p->least, need),
                         size_text(p->budget, have));
}

static int write_fit(struct lr_buf *b, const struct lr_plan *p) {
    char kept[24], again[24];
    if (p->mode == LR_LOAD_MAP)
        return lr_buf_append_str(b, LR_STR("It fits: the files are mapped and used in place.\n\n"));
    if (!p->streamed) return lr_buf_append_str(b, LR_STR("It fits: all weights are copied.\n\n"));
    int bad = lr_buf_printf(
        b, "It fits in part: %s of weights stay in memory, %s are read from\ndisk again for each token",
        size_text(p->pinned, kept), size_text(p->streamed, again));
    if (p->streamed_full > p->streamed)
        bad |= lr_buf_printf(b, " (%s once the context is full)", size_text(p->streamed_full, again));
    return bad | lr_buf_append_str(b, LR_STR(".\n\n"));
}

static int write_head(struct lr_buf *b, const struct planning *g) {
    const struct lr_plan *p = &g->plan;
    char total[24], free_now[24], budget[24];
    double n = (double)g->info.parameters;
    int bad = lr_buf_printf(b, "%s, %u layers, %.2f %s parameters in %s\n", g->info.family, g->info.layers,
                            n / (n < 1e9 ? 1e6 : 1e9), n < 1e9 ? "million" : "billion", g->info.dtype);
    bad |= lr_buf_printf(b, "Memory: %s in all, %s free; less a reserve, %s may be used\n\n",
                         size_text(p->total, total), size_text(p->available, free_now),
                         size_text(p->budget, budget));
    return bad | (p->fits ? write_fit(b, p) : write_refusal(b, p));
}

struct part {
    const char *name, *what;
    uint64_t bytes;
    char mark; /* in the bar; 0: not part of what the process owns */
};

/* `budget` 0: there is no bar that it is a share of. */
static int write_part(struct lr_buf *b, const struct part *part, uint64_t budget) {
    char size[24];
    if (!part->bytes) return 0;
    bool in_bar = part->mark && budget;
    int bad = lr_buf_printf(b, "  %c %-12s %10s", in_bar ? part->mark : ' ', part->name,
                            size_text(part->bytes, size));
    if (in_bar)
        bad |= lr_buf_printf(b, " %5.1f %%", 100 * (double)part->bytes / (double)budget);
    else
        bad |= lr_buf_append_str(b, LR_STR("        "));
    return bad | lr_buf_printf(b, "  %s\n", part->what);
}

/* One character for each 56th of the budget; what is left of it are dots. */
static int write_bar(struct lr_buf *b, const struct part *parts, size_t n, uint64_t budget) {
    char bar[BAR_WIDTH + 1];
    uint64_t sum = 0;
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        if (!parts[i].mark) continue;
        sum += parts[i].bytes;
        double end = budget ? (double)sum / (double)budget * BAR_WIDTH : BAR_WIDTH;
        while (at < BAR_WIDTH && (double)at + 0.5 < end) bar[at++] = parts[i].mark;
    }
    while (at < BAR_WIDTH) bar[at++] = '.';
    bar[at] = '\0';
    return lr_buf_printf(b, "\n  [%s] %.0f %% of it\n", bar,
                         budget ? 100 * (double)sum / (double)budget : 100.0);
}

/* As it begins; where it does not fit, what it would need with the whole context. */
static int write_parts(struct lr_buf *b, const struct lr_plan *p) {
    char kv[80], size[24];
    uint64_t opening = p->fits ? p->opening : p->opening_full;
    if (p->kv_now < p->kv && p->fits)
        snprintf(kv, sizeof kv, "of %s for %u positions, as they fill", size_text(p->kv, size), p->context);
    else
        snprintf(kv, sizeof kv, "for %u position%s", p->context, p->context == 1 ? "" : "s");
    const struct part parts[] = {
        {"weights", p->fits ? "kept in memory" : "copied", p->pins, 'W'},
        {"weights", "mapped: the system's page cache", p->mapped, 'M'},
        {"weights", "read again for each token", p->streamed, 0},
        {"ring", "buffers for what is read", p->ring, 'R'},
        {"KV cache", kv, p->fits ? p->kv_now : p->kv, 'K'},
        {"work space", "activations, logits", p->work, 'A'},
        {"tokenizer", "tables", p->tokenizer, 'T'},
        {"fixed", "program, threads, norms", p->fixed, 'F'},
        {"opening", "beyond all this, while the tokenizer is read",
         opening > p->mapped ? opening - p->mapped : 0, 'O'},
    };
    int bad = 0;
    size_t n = sizeof parts / sizeof *parts;
    if (p->least == UINT64_MAX) return 0;
    for (size_t i = 0; i < n; i++) bad |= write_part(b, &parts[i], p->fits ? p->budget : 0);
    return p->fits ? bad | write_bar(b, parts, n, p->budget) : bad;
}

/* Enough digits to tell two speeds apart. */
static const char *speed_text(double per_second, char out[24]) {
    snprintf(out, 24, "%.*f", per_second < 10 ? 2 : per_second < 1000 ? 1 : 0, per_second);
    return out;
}

static int write_speed(struct lr_buf *b, const struct lr_plan *p) {
    char prompt[24], answer[24];
    int bad = lr_buf_append_char(b, '\n');
    if (!p->fits) return bad;
    if (p->decode_tok_s <= 0)
        return bad | lr_buf_append_str(b, LR_STR("Expected speed: not known (the disk can be measured once "
                                                 "there are 64 MB of weights)\n"));
    bad |= lr_buf_append_str(b, LR_STR("Expected: "));
    if (p->load_s > 0) bad |= lr_buf_printf(b, "loaded in %.1f s; ", p->load_s);
    if (p->decode_tok_s < SLOW)
        return bad | lr_buf_printf(b, "reads a prompt at %s tokens/s, writes one in %.0f s\n",
                                   speed_text(p->prefill_tok_s, prompt), 1 / p->decode_tok_s);
    return bad | lr_buf_printf(b, "reads a prompt at %s, writes %s tokens/s\n",
                               speed_text(p->prefill_tok_s, prompt), speed_text(p->decode_tok_s, answer));
}

/* One piece of advice, broken between words. */
static int write_advice(struct lr_buf *b, const char *text) {
    int bad = 0;
    for (const char *lead = "* "; *text; lead = "  ") {
        size_t len = strlen(text), take = len;
        if (take > WIDTH - 2)
            for (take = WIDTH - 2; take > 1 && text[take] != ' ';) take--;
        bad |= lr_buf_printf(b, "%s%.*s\n", lead, (int)take, text);
        text += take + (text[take] == ' ');
    }
    return bad;
}

static int write_table(struct lr_buf *b, const struct planning *g) {
    int bad = write_head(b, g) | write_parts(b, &g->plan) | write_speed(b, &g->plan);
    for (size_t i = 0; i < g->plan.n_advice; i++) bad |= write_advice(b, g->plan.advice[i]);
    if (!bad && b->len) b->len--; /* the newline is console_answer's */
    return bad;
}

static enum lr_status plan_model(struct planning *g, struct console *c, struct lr_error *err) {
    struct lr_engine_options eo;
    struct lr_buf b = {0};
    LR_TRY(engine_options_from(g->o, c, &eo, err));
    eo.plan_only = true;
    LR_TRY(lr_engine_open(g->o->model_dir, &eo, &g->engine, err));
    g->info = lr_engine_info(g->engine);
    struct lr_session_options so = session_options_from(g->o, g->engine);
    LR_TRY(lr_plan(g->engine, &so, g->o->json, &g->plan, err));
    enum lr_status status =
        console_answer(c, &b, g->o->json ? write_json(&b, &g->plan, g->info.quant) : write_table(&b, g), err);
    lr_buf_free(&b);
    return status;
}

enum lr_status plan_run(const struct options *o, struct console *c, struct lr_error *err) {
    struct planning g = {.o = o};
    enum lr_status status = plan_model(&g, c, err);
    lr_plan_free(&g.plan);
    lr_engine_close(g.engine);
    return status;
}
