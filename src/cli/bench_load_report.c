#include "cli/bench_load.h"

#include "base/mem.h"
#include "base/json_write.h"

#include <stdio.h>
#include <stdlib.h>

#define MIB   1048576.0
#define GIB   1073741824.0
#define SMALL (UINT64_C(64) << 20) /* bytes in which a disk does not show its rate (sys/probe.c) */

/* ---- JSON */

static int write_number(struct lr_buf *b, const char *before, double x) {
    return lr_buf_append_str(b, lr_str_of(before)) | json_write_number(b, x, 6);
}

static int write_run(struct lr_buf *b, const struct load_trial *r) {
    int bad = lr_buf_printf(b, "{\"cache\":\"%s\",\"phases\":{",
                            !r->cache.shown ? "unknown"
                            : r->warm       ? "warm"
                                            : "cold");
    for (int i = 0; i < LOAD_PHASES; i++)
        bad |= lr_buf_printf(b, "%s\"%s\":", i ? "," : "", load_phase_keys[i]) |
               json_write_number(b, r->phases[i], 6);
    bad |= write_number(b, "},\"total_s\":", r->total_s);
    bad |=
        lr_buf_printf(b, ",\"bytes_read\":%llu,\"bytes_per_s\":%.0f,\"disk_bytes\":%llu",
                      (unsigned long long)r->bytes_read, r->bytes_per_s, (unsigned long long)r->disk_bytes);
    return bad | write_number(b, ",\"resident\":", r->cache.resident) | lr_buf_append_char(b, '}');
}

int load_report_json(struct lr_buf *b, const struct load_report *r) {
    int bad = lr_buf_printf(b, "{\"file_bytes\":%llu,\"runs\":[", (unsigned long long)r->file_bytes);
    for (size_t i = 0; i < r->n_runs; i++) {
        if (i) bad |= lr_buf_append_char(b, ',');
        bad |= write_run(b, &r->runs[i]);
    }
    bad |= lr_buf_append_str(b, LR_STR("],\"disk_bytes_per_s\":"));
    if (r->disk_bytes_per_s > 0) return bad | lr_buf_printf(b, "%.0f}", r->disk_bytes_per_s);
    return bad | lr_buf_append_str(b, LR_STR("null}"));
}

/* ---- the table */

enum { CELL_TOTAL = LOAD_PHASES, CELL_DISK, CELL_RATE, CELLS };

static const struct {
    const char *name;
    int width, digits;
} columns[CELLS] = {
    [LOAD_CONFIG] = {"config", 7, 3},   [LOAD_TOKENIZER] = {"tokenizer", 10, 3},
    [LOAD_CATALOG] = {"catalog", 8, 3}, [LOAD_PLAN] = {"plan", 7, 3},
    [LOAD_WEIGHTS] = {"weights", 8, 3}, [LOAD_FIRST_TOKEN] = {"first", 8, 3},
    [CELL_TOTAL] = {"total", 8, 3},     [CELL_DISK] = {"disk MB", 8, 0},
    [CELL_RATE] = {"MB/s", 6, 0},
};
#define NAME_WIDTH 10

static void fill_cells(const struct load_trial *r, double cells[CELLS]) {
    for (int i = 0; i < LOAD_PHASES; i++) cells[i] = r->phases[i];
    cells[CELL_TOTAL] = r->total_s;
    cells[CELL_DISK] = (double)r->disk_bytes / MIB;
    cells[CELL_RATE] = r->bytes_per_s / MIB;
}

static int write_cells(struct lr_buf *b, const char *name, const double cells[CELLS]) {
    int bad = lr_buf_printf(b, "%-*s", NAME_WIDTH, name);
    for (int i = 0; i < CELLS; i++)
        bad |= lr_buf_printf(b, "%*.*f", columns[i].width, columns[i].digits, cells[i]);
    return bad | lr_buf_append_char(b, '\n');
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Of one column over the runs of one kind. */
static double median(const struct load_report *r, bool warm, int column, double *values /* [n_runs] */) {
    double cells[CELLS];
    size_t n = 0;
    for (size_t i = 0; i < r->n_runs; i++) {
        if (r->runs[i].warm != warm) continue;
        fill_cells(&r->runs[i], cells);
        values[n++] = cells[column];
    }
    if (!n) return 0;
    qsort(values, n, sizeof *values, compare);
    return (values[(n - 1) / 2] + values[n / 2]) / 2;
}

static int write_medians(struct lr_buf *b, const struct load_report *r) {
    double cells[CELLS], *values = lr_calloc(r->n_runs, sizeof *values);
    int bad = values ? 0 : -1;
    for (int warm = 0; warm < 2 && !bad; warm++) {
        for (int i = 0; i < CELLS; i++) cells[i] = median(r, warm, i, values);
        bad = write_cells(b, warm ? "warm med." : "cold med.", cells);
    }
    lr_free(values);
    return bad;
}

static int write_runs(struct lr_buf *b, const struct load_report *r) {
    double cells[CELLS];
    char name[32];
    int bad = lr_buf_printf(b, "%-*s", NAME_WIDTH, "seconds");
    for (int i = 0; i < CELLS; i++) bad |= lr_buf_printf(b, "%*s", columns[i].width, columns[i].name);
    bad |= lr_buf_append_char(b, '\n');
    for (size_t i = 0; i < r->n_runs; i++) {
        const struct load_trial *run = &r->runs[i];
        snprintf(name, sizeof name, "%s%s %zu", run->warm ? "warm" : "cold", run->cache.shown ? "" : "?",
                 i / 2 + 1);
        fill_cells(run, cells);
        bad |= write_cells(b, name, cells);
    }
    return r->n_runs > 2 ? bad | write_medians(b, r) : bad;
}

/* What a reader has to know of the figures, each thing once. */
static const char foot[] = "\nfirst: the first pass, in which mapped weights come in; total: to the first\n"
                           "token. disk MB: read from disks. MB/s: bytes of weights / total.\n"
                           "cold: written back, dropped, and under 1 % in the page cache as mincore tells;\n"
                           "the host of a virtual disk may still hold it. warm: 99 % in the page cache.\n";
static const char foot_unknown[] =
    "?: not seen to be so: pages that stay, a system that does not tell, or files\n"
    "that memory does not hold.\n";

static int write_foot(struct lr_buf *b, const struct load_report *r) {
    bool unknown = false;
    for (size_t i = 0; i < r->n_runs; i++) unknown |= !r->runs[i].cache.shown;
    int bad = lr_buf_append_str(b, LR_STR(foot));
    if (unknown) bad |= lr_buf_append_str(b, LR_STR(foot_unknown));
    if (r->disk_bytes_per_s <= 0) return bad | lr_buf_append_str(b, LR_STR("The disk alone: not known."));
    return bad | lr_buf_printf(b, "The disk alone: %.0f MB/s%s.", r->disk_bytes_per_s / MIB,
                               r->file_bytes < SMALL ? " or more: too few bytes to measure it"
                                                     : ", the best of probes and cold runs");
}

int load_report_table(struct lr_buf *b, const struct load_report *r) {
    double bytes = (double)r->file_bytes;
    int bad = lr_buf_printf(b, "Weights: %.2f %s in %zu file%s\n\n", bytes / (bytes >= GIB ? GIB : MIB),
                            bytes >= GIB ? "GB" : "MB", r->n_files, r->n_files == 1 ? "" : "s");
    return bad | write_runs(b, r) | write_foot(b, r);
}
