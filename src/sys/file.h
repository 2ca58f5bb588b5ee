/* file.h - files and folders: whole small files, read-only maps, listings. The one place that opens files,
 * but for disk.h, which reads large ones in parts.
 *
 * Used by format (JSON, safetensors headers), text (tokenizer files), weights (maps), sys (proc and cgroup).
 */
#ifndef LR_SYS_FILE_H
#define LR_SYS_FILE_H

#include "base/error.h"
#include "base/str.h"

enum file_kind { FILE_ABSENT, FILE_REGULAR, FILE_FOLDER, FILE_OTHER, FILE_DANGLING, FILE_UNKNOWN };

/* What stands at `path`, symbolic links followed. FILE_DANGLING: a link to nothing. FILE_UNKNOWN: the system
 * does not tell, because a folder on the way may not be searched or links go in a circle. */
enum file_kind file_kind(const char *path);
/* The failure of a path that is FILE_UNKNOWN, with the system's reason. */
enum lr_status file_refuse_unknown(const char *path, struct lr_error *err);
/* The failure of open() with `code`. */
enum lr_status file_refuse_open(const char *path, int code, struct lr_error *err);

/* The size of a regular file; false where there is none. */
bool file_size(const char *path, uint64_t *out);
/* The device that a file or folder is on; false where there is none. */
bool file_device(const char *path, uint64_t *out);

/* Writes a file whole or not at all: beside it, then renamed over it. Folders above it are made where they
 * are missing. LR_EFAILED with the system's reason. */
enum lr_status file_replace(const char *path, const char *data, size_t len, struct lr_error *err);

/* Opens a file for reading and writing with `flags`, and makes it, with the folders above it, where it is
 * missing; -1 with the system's reason. */
int file_make(const char *path, int flags, struct lr_error *err);
/* A file that is written aside and takes its name only when it is whole. */
struct file_aside {
    char aside[544], path[512];
    int fd;
};
enum lr_status file_aside_open(const char *path, struct file_aside *out, struct lr_error *err);
/* Renames it over `path`; `sync`: when it is on the disk. */
enum lr_status file_aside_keep(struct file_aside *f, bool sync, struct lr_error *err);
void file_aside_drop(struct file_aside *f);
/* A file in memory, without a name in any folder: it is gone with the last descriptor and map of it. */
enum lr_status file_unnamed(const char *what, int *fd, struct lr_error *err);
/* Writes bytes [at, at + len) of a file: LR_EFAILED where the disk is full, for one. `name` stands in
 * messages. Thread-safe. */
enum lr_status file_write_at(int fd, const char *name, const void *data, uint64_t len, uint64_t at,
                             struct lr_error *err);
/* Bytes of the disk that a folder, or the nearest one above it that is there, is on: free for us, and in all.
 */
bool file_disk_space(const char *folder, uint64_t *free_bytes, uint64_t *all);
/* The whole file, NUL-terminated (the NUL not counted), to be freed with lr_free. Refused above `max` bytes,
 * for folders, and for anything that cannot be read; the message names the path and the reason. Works for
 * /proc files, whose size is given as 0. */
enum lr_status file_read_all(const char *path, uint64_t max, char **data, size_t *len, struct lr_error *err);

/* Keeps a file open to be read again and again; *fd is -1 where it cannot be, and errno tells why. */
enum lr_status file_keep(const char *path, int *fd, struct lr_error *err);
/* The whole of it as it is now, into `text`, whose memory is used again; empty when it fails. Else as above.
 */
enum lr_status file_read_again(int fd, const char *path, uint64_t max, struct lr_buf *text,
                               struct lr_error *err);
/* Closes it and makes it -1. */
void file_let_go(int *fd);

/* The first `want` bytes of a file (fewer where it is shorter: *len says how many), NUL-terminated, to be
 * freed with lr_free, and the file's whole size. */
enum lr_status file_read_head(const char *path, uint64_t want, char **data, size_t *len, uint64_t *file_size,
                              struct lr_error *err);

/* A file mapped read-only and shared. {0} is "no map". */
struct file_map {
    const uint8_t *data; /* [size] */
    uint64_t size;
    void *base; /* the same address, for the system calls */
};
/* Maps the whole file. An empty file maps to size 0 (data is NULL). */
enum lr_status file_map_open(const char *path, struct file_map *out, struct lr_error *err);
void file_map_close(struct file_map *map);
/* Whether the page that holds byte `at` is in the page cache; true also where the kernel does not tell. */
bool file_map_holds(const struct file_map *map, uint64_t at);
/* The share of the file that is in the page cache, in [0, 1], from 64 pages spread over it; 1 where the
 * kernel does not tell (it does so to those alone who may write the file). */
double file_map_cached(const struct file_map *map);

/* Reads a file from its beginning to its end, and hands each block to `take` (may be NULL). */
typedef void file_pass_fn(void *ctx, const char *data, size_t len);
enum lr_status file_pass(const char *path, file_pass_fn *take, void *ctx, struct lr_error *err);

/* For measuring a start. Writes back what is in memory alone and drops the file from the page cache; pages
 * that somebody maps stay, and so does what a host below a virtual disk keeps. */
enum lr_status file_drop(const char *path, struct lr_error *err);
/* Reads the whole file once, so that it is in the page cache as far as that holds it. */
enum lr_status file_warm(const char *path, struct lr_error *err);
/* Bytes of the file that are in the page cache, by mincore over all its pages: all of them where the kernel
 * does not tell (as above). */
enum lr_status file_resident(const char *path, uint64_t *bytes, struct lr_error *err);

/* The names in a folder, sorted by bytes, without "." and "..". */
struct file_list {
    char **names; /* [count] */
    size_t count;
};
enum lr_status file_list_open(const char *folder, struct file_list *out, struct lr_error *err);
void file_list_close(struct file_list *list);

/* Where the symbolic link at `path` leads, as it stands in the link, cut to `size` - 1 bytes; empty where
 * there is no link. */
void file_link_target(const char *path, char *out, size_t size);

/* The whole path, without links, to be freed with lr_free; NULL where there is nothing at `path`. */
char *file_absolute(const char *path);
/* "folder/name" (no double slash), to be freed with lr_free; NULL when memory is refused. */
char *file_join(const char *folder, const char *name);

#endif
