#include "weights/ahead.h"

#include "base/mem.h"

/* Measured into large pages, cold, a disk of 3.4 GB/s: 8 reads of 4 MiB gave 3.1 to 3.4 GB/s in each of four
 * runs; into small pages, or of 1 to 2 MiB, 1.6 to 3.3. Of a large model more at a time, so that the requests
 * stay few. */
#define CELL       (UINT64_C(4) << 20)
#define CELLS_MOST 4096u
#define READERS    8u

static uint64_t cells_of(const struct ahead *a, size_t file) {
    return (a->maps[file].size + a->cell - 1) / a->cell;
}

enum lr_status ahead_open(const struct disk_file *files, const struct file_map *maps, size_t n_files,
                          struct ahead *out, struct lr_error *err) {
    *out = (struct ahead){.files = files, .maps = maps, .n_files = n_files};
    uint64_t bytes = 0;
    for (size_t i = 0; i < n_files; i++) bytes += maps[i].size;
    out->cell = (bytes / CELLS_MOST + CELL - 1) / CELL * CELL;
    if (!out->cell) out->cell = CELL;
    for (size_t i = 0; i < n_files; i++) out->n_requests += cells_of(out, i);
    out->request = lr_calloc(out->n_requests, sizeof *out->request);
    if (!out->request)
        return lr_fail_memory(err, "requests to read ahead", out->n_requests * sizeof *out->request);
    enum lr_status status = readers_create(READERS, &out->readers, err);
    if (status != LR_OK) ahead_close(out);
    return status;
}

void ahead_close(struct ahead *a) {
    readers_destroy(a->readers);
    lr_free(a->request);
    *a = (struct ahead){0};
}

void ahead_want(struct ahead *a, size_t file, uint64_t begin, uint64_t end) {
    size_t first = 0;
    for (size_t i = 0; i < file; i++) first += cells_of(a, i);
    for (uint64_t at = begin / a->cell * a->cell; at < end; at += a->cell) {
        struct read_request *q = &a->request[first + at / a->cell];
        if (q->file) continue;
        uint64_t left = a->maps[file].size - at;
        *q = (struct read_request){
            .file = &a->files[file], .begin = at, .end = at + (left < a->cell ? left : a->cell)};
        q->mapped = (char *)a->maps[file].base + at;
        readers_submit(a->readers, q);
    }
}
