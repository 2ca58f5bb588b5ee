#include "sys/disk.h"

#include "base/pages.h"
#include "base/str.h"
#include "sys/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define DEFAULT_ALIGN 4096u
#define LEAST_ALIGN   512u

/* ---- the system's reads */

enum source { FROM_CACHE, FROM_DISK, FROM_BOTH };

/* One read of the system's; bytes read, 0 at the end of the file, -1 with errno. */
static int64_t read_once(const struct disk_file *f, enum source from, uint64_t at, uint64_t bytes, void *to) {
    struct iovec part = {to, bytes};
    if (from == FROM_CACHE) return preadv2(f->buffered, &part, 1, (off_t)at, RWF_NOWAIT);
    return pread(from == FROM_DISK ? f->direct : f->buffered, to, bytes, (off_t)at);
}

static int64_t read_some(const struct disk_file *f, enum source from, uint64_t at, uint64_t bytes, void *to) {
    int64_t n;
    do n = read_once(f, from, at, bytes, to);
    while (n < 0 && errno == EINTR);
    return n;
}

/* ---- the page cache */

/* Not in every libc's headers: cachestat(2), Linux 6.5; its number is the same on all machines but one. */
#ifdef __alpha__
#define CACHESTAT_CALL 561
#else
#define CACHESTAT_CALL 451
#endif
struct cachestat_part {
    uint64_t begin, bytes;
};
struct cachestat_pages {
    uint64_t cached, dirty, writeback, evicted, recently_evicted;
};

/* Counts the pages of a range of whole pages that are in the cache; false where the kernel does not tell. */
static bool count_by_cachestat(int fd, uint64_t begin, uint64_t bytes, uint64_t *pages) {
    struct cachestat_part part = {begin, bytes};
    struct cachestat_pages found = {0};
    if (syscall(CACHESTAT_CALL, fd, &part, &found, 0)) return false;
    *pages = found.cached;
    return true;
}

static bool count_by_mincore(int fd, uint64_t begin, uint64_t bytes, uint64_t *pages) {
    enum { STEP = 512 };
    unsigned char there[STEP];
    uint64_t page = pages_size();
    uint8_t *map = mmap(NULL, bytes, PROT_READ, MAP_SHARED, fd, (off_t)begin);
    if (map == MAP_FAILED) return false;
    bool told = true;
    *pages = 0;
    for (uint64_t at = 0; at < bytes && told; at += STEP * page) {
        uint64_t step = bytes - at < STEP * page ? bytes - at : STEP * page;
        told = mincore(map + at, step, there) == 0;
        for (uint64_t i = 0; told && i < step / page; i++) *pages += there[i] & 1;
    }
    munmap(map, bytes);
    return told;
}

static uint64_t page_below(uint64_t at) {
    return at & ~(pages_size() - 1);
}
static uint64_t page_above(uint64_t at) {
    return page_below(at + pages_size() - 1);
}

/* Each way of asking is tried where the answer is known: the first page, just read, is there; a page behind
 * the end of the file is not, and whoever may not know is told that it is. */
static enum disk_look find_look(const struct disk_file *f) {
    uint64_t pages = 0;
    char byte;
    if (read_some(f, FROM_BOTH, 0, 1, &byte) == 1 &&
        count_by_cachestat(f->buffered, 0, pages_size(), &pages) && pages)
        return DISK_LOOK_CACHESTAT;
    if (count_by_mincore(f->buffered, page_above(f->identity.size), pages_size(), &pages) && !pages)
        return DISK_LOOK_MINCORE;
    return DISK_LOOK_NONE;
}

enum disk_cached disk_cached(const struct disk_file *f, uint64_t begin, uint64_t end) {
    uint64_t from = page_below(begin), bytes = page_above(end) - from, pages = 0;
    bool told = false;
    if (begin >= end) return DISK_CACHED_WHOLE;
    if (f->look == DISK_LOOK_CACHESTAT) told = count_by_cachestat(f->buffered, from, bytes, &pages);
    if (f->look == DISK_LOOK_MINCORE) told = count_by_mincore(f->buffered, from, bytes, &pages);
    if (!told) return DISK_CACHED_UNTOLD;
    if (pages == 0) return DISK_CACHED_NONE;
    return pages >= bytes / pages_size() ? DISK_CACHED_WHOLE : DISK_CACHED_PART;
}

static void drop_cached(const struct disk_file *f, uint64_t begin, uint64_t end) {
    uint64_t from = page_below(begin);
    posix_fadvise(f->buffered, (off_t)from, (off_t)(page_above(end) - from), POSIX_FADV_DONTNEED);
}

/* ---- identity */

/* FNV-1a, 64 bits: http://www.isthe.com/chongo/tech/comp/fnv/ */
static uint64_t hash_name(const char *text, size_t len) {
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < len; i++) h = (h ^ (uint8_t)text[i]) * UINT64_C(0x100000001b3);
    return h;
}

static uint64_t current_name(int fd) {
    char link[32], name[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t len = readlink(link, name, sizeof name);
    return len > 0 ? hash_name(name, (size_t)len) : 0;
}

/* Years that do not fit wrap around: times are only compared. */
static int64_t nanoseconds(struct timespec t) {
    return (int64_t)((uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec);
}

static enum lr_status identify(const struct disk_file *f, struct disk_identity *out, struct lr_error *err) {
    struct stat st;
    if (fstat(f->buffered, &st)) return lr_fail(err, LR_EFAILED, "%s: cannot be examined: %m", f->path);
    *out = (struct disk_identity){.size = (uint64_t)st.st_size,
                                  .inode = st.st_ino,
                                  .device = st.st_dev,
                                  .mtime_ns = nanoseconds(st.st_mtim),
                                  .ctime_ns = nanoseconds(st.st_ctim),
                                  .links = st.st_nlink,
                                  .name = current_name(f->buffered),
                                  .mode = st.st_mode,
                                  .owner = st.st_uid,
                                  .group = st.st_gid};
    return LR_OK;
}

/* Whether something else than a write has changed the ctime. */
static bool changed_around(const struct disk_identity *was, const struct disk_identity *is) {
    return was->links != is->links || was->name != is->name || was->mode != is->mode ||
           was->owner != is->owner || was->group != is->group;
}

enum lr_status disk_check(struct disk_file *f, struct lr_error *err) {
    const struct disk_identity *was = &f->identity;
    struct disk_identity is = {0};
    LR_TRY(identify(f, &is, err));
    if (is.size != was->size)
        return lr_fail(err, LR_EMODEL,
                       "%s has %s bytes, it had %s when it was opened: it was written to while in use (start "
                       "again once it is whole)",
                       f->path, lr_commas(is.size).text, lr_commas(was->size).text);
    if (is.mtime_ns != was->mtime_ns || (is.ctime_ns != was->ctime_ns && !changed_around(was, &is)))
        return lr_fail(err, LR_EMODEL,
                       "%s was written to while in use: some of its %s bytes may be old and some new (start "
                       "again; a new file is best renamed over the old one)",
                       f->path, lr_commas(is.size).text);
    /* the size is as it was, and readers look at it meanwhile */
    f->identity.ctime_ns = is.ctime_ns;
    f->identity.links = is.links;
    f->identity.name = is.name;
    f->identity.mode = is.mode;
    f->identity.owner = is.owner;
    f->identity.group = is.group;
    return LR_OK;
}

/* ---- opening */

/* The alignment of direct reads; 0 where the file system says that it has none. */
static uint32_t direct_align(int fd) {
#ifdef STATX_DIOALIGN
    struct statx st;
    if (statx(fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &st) == 0 && (st.stx_mask & STATX_DIOALIGN)) {
        uint32_t memory = st.stx_dio_mem_align, offset = st.stx_dio_offset_align;
        uint32_t align = memory > offset ? memory : offset;
        if (!memory || !offset || align > DISK_MOST_ALIGN || (align & (align - 1))) return 0;
        return align > LEAST_ALIGN ? align : LEAST_ALIGN;
    }
#else
    (void)fd;
#endif
    return DEFAULT_ALIGN;
}

/* The path may have come to name another file by now: then there are no direct reads of this one. */
static void open_direct(struct disk_file *f) {
    uint32_t align = direct_align(f->buffered);
    int fd = align ? open(f->path, O_RDONLY | O_DIRECT | O_CLOEXEC) : -1;
    struct stat st;
    if (fd < 0) return;
    if (fstat(fd, &st) || st.st_ino != f->identity.inode || st.st_dev != f->identity.device) {
        close(fd);
        return;
    }
    f->direct = fd;
    f->align = align;
}

enum lr_status disk_open(const char *path, struct disk_file *out, struct lr_error *err) {
    *out = (struct disk_file){.path = path, .buffered = -1, .direct = -1, .align = DEFAULT_ALIGN};
    enum file_kind kind = file_kind(path); /* first: to open a pipe would wait for its writer */
    if (kind == FILE_FOLDER || kind == FILE_OTHER)
        return lr_fail(err, LR_EMODEL, "%s is not a regular file, parts of it cannot be read", path);
    out->buffered = open(path, O_RDONLY | O_CLOEXEC);
    if (out->buffered < 0) return file_refuse_open(path, errno, err);
    enum lr_status status = identify(out, &out->identity, err);
    if (status != LR_OK) {
        disk_close(out);
        return status;
    }
    /* Read ahead, whole blocks would come that nobody wants: what is wanted is asked for in large parts. */
    posix_fadvise(out->buffered, 0, 0, POSIX_FADV_RANDOM);
    open_direct(out);
    out->look = find_look(out);
    return LR_OK;
}

void disk_close(struct disk_file *f) {
    if (f->buffered >= 0) close(f->buffered);
    if (f->direct >= 0) close(f->direct);
    f->buffered = f->direct = -1;
}

/* ---- reading */

/* A part that is being read: byte `first` of the file goes to `to`, bytes [at, end) are still to come. */
struct part {
    const struct disk_file *f;
    uint8_t *to;
    uint64_t first, at, end;
};

static int64_t read_part(const struct part *p, enum source from, uint64_t end) {
    return read_some(p->f, from, p->at, end - p->at, p->to + (p->at - p->first));
}

static enum lr_status fail_read(const struct part *p, struct lr_error *err) {
    return lr_fail(err, LR_EFAILED,
                   "%s: cannot be read at byte %s: %m (is the disk or the connection to it failing? the "
                   "kernel's log, dmesg, may tell)",
                   p->f->path, lr_commas(p->at).text);
}

static enum lr_status fail_short(const struct part *p, struct lr_error *err) {
    return lr_fail(
        err, LR_EMODEL,
        "%s: there is nothing to read at byte %s, the file had %s bytes when it was opened: it was "
        "cut short while in use (start again once it is whole)",
        p->f->path, lr_commas(p->at).text, lr_commas(p->f->identity.size).text);
}

/* Takes what is there without waiting for the disk. Whatever goes wrong is left to the ways below. */
static void take_cached(struct part *p) {
    int64_t n;
    while (p->at < p->end && (n = read_part(p, FROM_CACHE, p->end)) > 0) p->at += (uint64_t)n;
}

/* Reads whole blocks, up to the file's last whole one. Ends early, without failure, where the buffered way
 * can go on: direct reads are refused here, or less than one block came. */
static enum lr_status read_direct(struct part *p, struct lr_error *err) {
    uint64_t inside = p->f->align - 1, last = p->f->identity.size & ~inside;
    if (((p->end + inside) & ~inside) < last) last = (p->end + inside) & ~inside;
    p->at &= ~inside;
    while (p->at < last) {
        int64_t n = read_part(p, FROM_DISK, last);
        if (n < 0) return errno == EINVAL ? LR_OK : fail_read(p, err);
        uint64_t blocks = (uint64_t)n & ~inside;
        if (blocks == 0) return LR_OK;
        p->at += blocks;
    }
    return LR_OK;
}

static enum lr_status read_buffered(struct part *p, struct lr_error *err) {
    while (p->at < p->end) {
        int64_t n = read_part(p, FROM_BOTH, p->end);
        if (n < 0) return fail_read(p, err);
        if (n == 0) return fail_short(p, err);
        p->at += (uint64_t)n;
    }
    return LR_OK;
}

static enum lr_status fetch(struct part *p, enum disk_way way, struct lr_error *err) {
    if (p->at < p->end && way == DISK_DIRECT && p->f->direct >= 0) LR_TRY(read_direct(p, err));
    if (p->at >= p->end) return LR_OK;
    uint64_t from = p->at;
    enum lr_status status = read_buffered(p, err);
    drop_cached(p->f, from, p->end);
    return status;
}

enum lr_status disk_fetch(const struct disk_file *f, uint64_t begin, uint64_t end, enum disk_way way,
                          void *to, struct lr_error *err) {
    struct part p = {f, to, disk_superset_begin(f, begin), begin, end};
    return fetch(&p, way, err);
}

enum lr_status disk_read(const struct disk_file *f, uint64_t begin, uint64_t end, enum disk_way way, void *to,
                         struct lr_error *err) {
    struct part p = {f, to, disk_superset_begin(f, begin), begin, end};
    if (disk_cached(f, begin, end) == DISK_CACHED_WHOLE) take_cached(&p);
    return fetch(&p, way, err);
}

enum lr_status disk_copy(const struct disk_file *f, uint64_t begin, uint64_t end, void *to,
                         struct lr_error *err) {
    struct part p = {f, to, begin, begin, end};
    return read_buffered(&p, err);
}

/* A failure costs nothing but time: the bytes are read when they are asked for. */
void disk_ahead(const struct disk_file *f, uint64_t begin, uint64_t end) {
    posix_fadvise(f->buffered, (off_t)begin, (off_t)(end - begin), POSIX_FADV_WILLNEED);
}
