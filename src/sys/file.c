#include "sys/file.h"

#include "base/checked.h"
#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* The failure of a system call with `code`, which errno is afterwards: a path that is not as it should be is
 * the user's matter, the rest is the machine's. */
static enum lr_status fail_errno(struct lr_error *err, const char *path, const char *what, int code) {
    enum lr_status status = LR_EFAILED;
    if (code == ENOMEM) status = LR_EMEMORY;
    if (code == ENOENT || code == ENOTDIR || code == EACCES || code == EPERM || code == ELOOP ||
        code == ENAMETOOLONG || code == ENXIO)
        status = LR_EMODEL;
    errno = code;
    lr_fail(err, status, "%s: %s: %m", path, what);
    errno = code;
    return status;
}

enum file_kind file_kind(const char *path) {
    struct stat st;
    if (stat(path, &st) == 0)
        return S_ISREG(st.st_mode) ? FILE_REGULAR : S_ISDIR(st.st_mode) ? FILE_FOLDER : FILE_OTHER;
    if (errno != ENOENT && errno != ENOTDIR) return FILE_UNKNOWN;
    return lstat(path, &st) == 0 ? FILE_DANGLING : FILE_ABSENT;
}

bool file_size(const char *path, uint64_t *out) {
    struct stat st;
    if (stat(path, &st) != 0 || !S_ISREG(st.st_mode)) return false;
    *out = (uint64_t)st.st_size;
    return true;
}

bool file_device(const char *path, uint64_t *out) {
    struct stat st;
    if (stat(path, &st) != 0) return false;
    *out = st.st_dev;
    return true;
}

enum lr_status file_refuse_unknown(const char *path, struct lr_error *err) {
    struct stat st;
    int code = stat(path, &st) == 0 ? EAGAIN : errno; /* 0: it is there by now */
    return fail_errno(err, path, "cannot be examined", code);
}

enum lr_status file_refuse_open(const char *path, int code, struct lr_error *err) {
    return fail_errno(err, path, "cannot be opened", code);
}

/* Opens for reading; folders, which open() accepts, are refused here. */
static enum lr_status open_file(const char *path, int *fd, struct stat *st, struct lr_error *err) {
    *fd = open(path, O_RDONLY | O_CLOEXEC);
    if (*fd < 0) return file_refuse_open(path, errno, err);
    enum lr_status status = LR_OK;
    if (fstat(*fd, st) != 0)
        status = fail_errno(err, path, "cannot be examined", errno);
    else if (S_ISDIR(st->st_mode))
        status = lr_fail(err, LR_EMODEL, "%s is a folder, a file is needed", path);
    if (status != LR_OK) close(*fd);
    return status;
}

/* read() that goes on after a signal. */
static ssize_t read_some(int fd, char *to, size_t len) {
    ssize_t n;
    do n = read(fd, to, len);
    while (n < 0 && errno == EINTR);
    return n;
}

/* Reads until the end, or until `max` bytes are there and the end is not. */
static enum lr_status read_to_end(int fd, const char *path, uint64_t max, uint64_t expected,
                                  struct lr_buf *text, struct lr_error *err) {
    size_t want = expected < max ? (size_t)expected + 2 : 4096;
    text->len = 0;
    for (;;) {
        if (lr_grow(&text->data, &text->cap, want, 1)) return lr_fail_memory(err, path, want);
        if (text->len == 0) lr_want_large(text->data, want);
        ssize_t n = read_some(fd, text->data + text->len, text->cap - text->len - 1);
        if (n < 0) return fail_errno(err, path, "cannot be read", errno);
        if (n == 0) break;
        text->len += (size_t)n;
        if (text->len > max)
            return lr_fail(err, LR_EMODEL, "%s is larger than %s bytes, the most that is read", path,
                           lr_commas(max).text);
        if (text->len + 1 == text->cap) want = text->cap + 1;
    }
    text->data[text->len] = '\0';
    return LR_OK;
}

enum lr_status file_read_all(const char *path, uint64_t max, char **data, size_t *len, struct lr_error *err) {
    int fd = -1;
    struct stat st = {0};
    struct lr_buf text = {0};
    *data = NULL;
    *len = 0;
    LR_TRY(open_file(path, &fd, &st, err));
    uint64_t size = S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
    enum lr_status status;
    if (size > max)
        status = lr_fail(err, LR_EMODEL, "%s has %s bytes, at most %s are read", path, lr_commas(size).text,
                         lr_commas(max).text);
    else
        status = read_to_end(fd, path, max, size, &text, err);
    close(fd);
    if (status != LR_OK) {
        lr_buf_free(&text);
        return status;
    }
    *data = text.data;
    *len = text.len;
    return LR_OK;
}

enum lr_status file_keep(const char *path, int *fd, struct lr_error *err) {
    struct stat st;
    enum lr_status status = open_file(path, fd, &st, err);
    if (status != LR_OK) *fd = -1;
    return status;
}

enum lr_status file_read_again(int fd, const char *path, uint64_t max, struct lr_buf *text,
                               struct lr_error *err) {
    enum lr_status status = LR_OK;
    if (lseek(fd, 0, SEEK_SET) != 0)
        status = fail_errno(err, path, "cannot be read again", errno);
    else
        status = read_to_end(fd, path, max, UINT64_MAX, text, err);
    if (status != LR_OK) text->len = 0;
    return status;
}

void file_let_go(int *fd) {
    if (*fd >= 0) close(*fd);
    *fd = -1;
}

/* Reads up to `want` bytes into a new buffer. */
static enum lr_status read_up_to(int fd, const char *path, size_t want, char **data, size_t *len,
                                 struct lr_error *err) {
    char *buffer = lr_malloc(want + 1);
    *data = buffer;
    *len = 0;
    if (!buffer) return lr_fail_memory(err, path, want + 1);
    while (*len < want) {
        ssize_t n = read_some(fd, buffer + *len, want - *len);
        if (n < 0) return fail_errno(err, path, "cannot be read", errno);
        if (n == 0) break;
        *len += (size_t)n;
    }
    buffer[*len] = '\0';
    return LR_OK;
}

enum lr_status file_read_head(const char *path, uint64_t want, char **data, size_t *len, uint64_t *file_size,
                              struct lr_error *err) {
    int fd = -1;
    struct stat st = {0};
    *data = NULL;
    LR_TRY(open_file(path, &fd, &st, err));
    *file_size = (uint64_t)st.st_size;
    if (want > *file_size) want = *file_size;
    enum lr_status status = read_up_to(fd, path, (size_t)want, data, len, err);
    close(fd);
    if (status == LR_OK) return LR_OK;
    lr_free(*data);
    *data = NULL;
    return status;
}

static bool write_all(int fd, const char *data, size_t len) {
    while (len) {
        ssize_t n = write(fd, data, len);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        data += n;
        len -= (size_t)n;
    }
    return true;
}

enum lr_status file_write_at(int fd, const char *name, const void *data, uint64_t len, uint64_t at,
                             struct lr_error *err) {
    const char *from = data;
    while (len) {
        ssize_t n = pwrite(fd, from, (size_t)len, (off_t)at);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return fail_errno(err, name, "cannot be written", n ? errno : ENOSPC);
        from += n;
        at += (uint64_t)n;
        len -= (uint64_t)n;
    }
    return LR_OK;
}

/* The folders above `path`, made where they are missing: a failure shows when the file is opened. */
static void make_folders(const char *path) {
    char folder[512];
    for (const char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        if ((size_t)(slash - path) >= sizeof folder) return;
        snprintf(folder, sizeof folder, "%.*s", (int)(slash - path), path);
        mkdir(folder, 0777);
    }
}

int file_make(const char *path, int flags, struct lr_error *err) {
    make_folders(path);
    int fd = open(path, flags | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0) fail_errno(err, path, "cannot be written", errno);
    return fd;
}

enum lr_status file_aside_open(const char *path, struct file_aside *out, struct lr_error *err) {
    *out = (struct file_aside){.fd = -1};
    int n = snprintf(out->path, sizeof out->path, "%s", path);
    if (n < 0 || (size_t)n >= sizeof out->path)
        return fail_errno(err, path, "cannot be written", ENAMETOOLONG);
    snprintf(out->aside, sizeof out->aside, "%s.%ld.new", path, (long)getpid());
    out->fd = file_make(out->aside, O_RDWR | O_TRUNC, err);
    return out->fd < 0 ? LR_EFAILED : LR_OK;
}

enum lr_status file_aside_keep(struct file_aside *f, bool sync, struct lr_error *err) {
    bool ok = (!sync || fdatasync(f->fd) == 0) && rename(f->aside, f->path) == 0;
    int code = errno;
    file_let_go(&f->fd);
    if (ok) return LR_OK;
    unlink(f->aside);
    return fail_errno(err, f->path, "cannot be written", code);
}

void file_aside_drop(struct file_aside *f) {
    file_let_go(&f->fd);
    unlink(f->aside);
}

enum lr_status file_replace(const char *path, const char *data, size_t len, struct lr_error *err) {
    struct file_aside aside;
    LR_TRY(file_aside_open(path, &aside, err));
    if (write_all(aside.fd, data, len)) return file_aside_keep(&aside, false, err);
    int code = errno;
    file_aside_drop(&aside);
    return fail_errno(err, path, "cannot be written", code);
}

char *file_absolute(const char *path) {
    char found[PATH_MAX];
    return realpath(path, found) ? lr_str_dup(lr_str_of(found)) : NULL;
}

enum lr_status file_unnamed(const char *what, int *fd, struct lr_error *err) {
    *fd = memfd_create(what, MFD_CLOEXEC);
    return *fd < 0 ? fail_errno(err, what, "cannot be held in memory", errno) : LR_OK;
}

bool file_disk_space(const char *folder, uint64_t *free_bytes, uint64_t *all) {
    char path[4096];
    struct statvfs s;
    snprintf(path, sizeof path, "%s", folder);
    while (statvfs(path, &s) != 0) {
        char *slash = strrchr(path, '/');
        if (!slash || slash == path) return false;
        *slash = 0;
    }
    *free_bytes = (uint64_t)s.f_bavail * s.f_frsize;
    *all = (uint64_t)s.f_blocks * s.f_frsize;
    return true;
}

enum lr_status file_map_open(const char *path, struct file_map *out, struct lr_error *err) {
    int fd = -1;
    struct stat st = {0};
    *out = (struct file_map){0};
    LR_TRY(open_file(path, &fd, &st, err));
    enum lr_status status = LR_OK;
    if (!S_ISREG(st.st_mode)) {
        status = lr_fail(err, LR_EMODEL, "%s is not a regular file and cannot be mapped", path);
    } else if (st.st_size > 0) {
        void *data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
        if (data == MAP_FAILED && errno == ENOMEM)
            status = lr_fail_memory(err, path, (uint64_t)st.st_size);
        else if (data == MAP_FAILED)
            status = fail_errno(err, path, "cannot be mapped", errno);
        else
            *out = (struct file_map){data, (uint64_t)st.st_size, data};
    }
    close(fd);
    return status;
}

void file_map_close(struct file_map *map) {
    if (map->base) munmap(map->base, (size_t)map->size);
    *map = (struct file_map){0};
}

bool file_map_holds(const struct file_map *map, uint64_t at) {
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    unsigned char in_memory;
    return mincore((char *)map->base + at / page * page, page, &in_memory) != 0 || (in_memory & 1);
}

double file_map_cached(const struct file_map *map) {
    enum { SAMPLES = 64 };
    unsigned cached = 0;
    for (uint64_t i = 0; i < SAMPLES && map->size; i++)
        cached += file_map_holds(map, map->size / SAMPLES * i + map->size % SAMPLES * i / SAMPLES);
    return map->size ? (double)cached / SAMPLES : 1;
}

enum lr_status file_drop(const char *path, struct lr_error *err) {
    int fd = -1;
    struct stat st;
    LR_TRY(open_file(path, &fd, &st, err));
    enum lr_status status = LR_OK;
    if (fsync(fd) != 0) status = fail_errno(err, path, "cannot be written back", errno);
    int code = status == LR_OK ? posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) : 0;
    if (code) status = fail_errno(err, path, "cannot be dropped from the page cache", code);
    close(fd);
    return status;
}

enum lr_status file_pass(const char *path, file_pass_fn *take, void *ctx, struct lr_error *err) {
    enum { BLOCK = 256 << 10 }; /* stays in a processor's cache */
    int fd = -1;
    struct stat st;
    LR_TRY(open_file(path, &fd, &st, err));
    char *block = lr_malloc(BLOCK);
    enum lr_status status = block ? LR_OK : lr_fail_memory(err, path, BLOCK);
    ssize_t n = block ? BLOCK : 0;
    while (n > 0) {
        n = read_some(fd, block, BLOCK);
        if (n > 0 && take) take(ctx, block, (size_t)n);
    }
    if (n < 0) status = fail_errno(err, path, "cannot be read", errno);
    close(fd);
    lr_free(block);
    return status;
}

enum lr_status file_warm(const char *path, struct lr_error *err) {
    return file_pass(path, NULL, NULL, err);
}

enum lr_status file_resident(const char *path, uint64_t *bytes, struct lr_error *err) {
    enum { STEP = 4096 };
    unsigned char there[STEP];
    struct file_map map;
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), pages = 0;
    LR_TRY(file_map_open(path, &map, err));
    enum lr_status status = LR_OK;
    for (uint64_t at = 0; at < map.size && status == LR_OK; at += STEP * page) {
        uint64_t step = map.size - at < STEP * page ? map.size - at : STEP * page;
        if (mincore((char *)map.base + at, step, there) != 0)
            status = fail_errno(err, path, "its pages cannot be looked at", errno);
        for (uint64_t i = 0; status == LR_OK && i * page < step; i++) pages += there[i] & 1;
    }
    *bytes = pages * page < map.size ? pages * page : map.size;
    file_map_close(&map);
    return status;
}

static int compare_names(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static enum lr_status list_names(DIR *folder, const char *path, struct file_list *out, struct lr_error *err) {
    size_t cap = 0;
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(folder);
        if (!entry && errno) return fail_errno(err, path, "cannot be listed", errno);
        if (!entry) break;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        char *name = NULL;
        if (lr_grow(&out->names, &cap, out->count + 1, sizeof *out->names) ||
            !(name = lr_str_dup(lr_str_of(entry->d_name))))
            return lr_fail_memory(err, path, cap * sizeof *out->names);
        out->names[out->count++] = name;
    }
    if (out->count) qsort(out->names, out->count, sizeof *out->names, compare_names);
    return LR_OK;
}

enum lr_status file_list_open(const char *folder, struct file_list *out, struct lr_error *err) {
    *out = (struct file_list){0};
    DIR *open_folder = opendir(folder);
    if (!open_folder) return fail_errno(err, folder, "cannot be listed", errno);
    enum lr_status status = list_names(open_folder, folder, out, err);
    closedir(open_folder);
    if (status != LR_OK) file_list_close(out);
    return status;
}

void file_list_close(struct file_list *list) {
    for (size_t i = 0; i < list->count; i++) lr_free(list->names[i]);
    lr_free(list->names);
    *list = (struct file_list){0};
}

void file_link_target(const char *path, char *out, size_t size) {
    ssize_t n = readlink(path, out, size - 1);
    out[n > 0 ? n : 0] = '\0';
}

char *file_join(const char *folder, const char *name) {
    size_t len = strlen(folder), total;
    const char *slash = len > 0 && folder[len - 1] != '/' ? "/" : "";
    if (lr_add_size(len, strlen(name), &total) || lr_add_size(total, 2, &total)) return NULL;
    char *path = lr_malloc(total);
    if (path) snprintf(path, total, "%s%s%s", folder, slash, name);
    return path;
}
