/* ahead.h - mapped files brought into memory ahead of their first use, cell by cell: a cell is some megabytes
 * of a file, which the disk gives at once and one large page or more takes. */
#ifndef LR_WEIGHTS_AHEAD_H
#define LR_WEIGHTS_AHEAD_H

#include "sys/file.h"
#include "weights/readers.h"

/* {0} has nothing to bring. */
struct ahead {
    const struct disk_file *files; /* [n_files], both outlive it */
    const struct file_map *maps;
    size_t n_files;
    struct readers *readers;
    uint64_t cell;                /* bytes */
    struct read_request *request; /* [cells of the first file, then of the next, ...] */
    size_t n_requests;
};

/* `files` are mapped by `maps`. Starts its readers. */
enum lr_status ahead_open(const struct disk_file *files, const struct file_map *maps, size_t n_files,
                          struct ahead *out, struct lr_error *err);
/* Waits for what is being read; what was not begun is dropped. */
void ahead_close(struct ahead *a);
/* Has bytes [begin, end) of a file brought in, behind what was asked for before. A cell is read once. */
void ahead_want(struct ahead *a, size_t file, uint64_t begin, uint64_t end);

#endif
