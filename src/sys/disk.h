/* disk.h - reading parts of large files again and again: what weights that are not mapped need.
 *
 * A file is opened twice: buffered, and with O_DIRECT where its file system has that. Reads are made in whole
 * blocks of `align` bytes: of a part the aligned superset is read, so that nothing has to be moved afterwards
 * and byte `begin` of the file lies at `to + begin % align`. Used by weights/ (pins, stream) and by probe.h.
 */
#ifndef LR_SYS_DISK_H
#define LR_SYS_DISK_H

#include "base/error.h"

/* What a file was when it was opened; see disk_check(). */
struct disk_identity {
    uint64_t size, inode, device;
    int64_t mtime_ns, ctime_ns;
    uint64_t links;
    uint64_t name; /* a hash of where it stands, as /proc/self/fd has it; 0: not known */
    uint32_t mode, owner, group;
};

/* How the kernel can be asked what of a file is in the page cache. Found out when the file is opened: it
 * tells those alone who own the file or may write it, and a file system that stands on another may know
 * nothing of what that one has cached. */
enum disk_look { DISK_LOOK_NONE, DISK_LOOK_CACHESTAT, DISK_LOOK_MINCORE };

enum disk_way { DISK_DIRECT, DISK_BUFFERED };

/* Greater alignments than this, which rings and pins allow for, are not taken: such files are read buffered.
 */
#define DISK_MOST_ALIGN 4096u

struct disk_file {
    const char *path; /* the caller's, for messages */
    int buffered;     /* file descriptors; -1: none */
    int direct;       /* -1 where the file system has no direct reads */
    uint32_t align;   /* of offsets, lengths and memory: a power of two, 512 to 4096; STATX_DIOALIGN's
                         greater value, else 4096 */
    enum disk_look look;
    enum disk_way way; /* in which its disk is faster: the caller's to find out; DISK_DIRECT at first */
    struct disk_identity identity;
};

/* {0} with both descriptors -1 is "not open"; closing that, or twice, is safe. LR_EMODEL where the path is no
 * regular file or cannot be read. `path` must outlive the file. */
enum lr_status disk_open(const char *path, struct disk_file *out, struct lr_error *err);
void disk_close(struct disk_file *f);

/* The superset of bytes [begin, end) of the file: its beginning, and the memory that it takes. */
static inline uint64_t disk_superset_begin(const struct disk_file *f, uint64_t begin) {
    return begin & ~((uint64_t)f->align - 1);
}
static inline uint64_t disk_superset_bytes(const struct disk_file *f, uint64_t begin, uint64_t end) {
    return ((end + f->align - 1) & ~((uint64_t)f->align - 1)) - disk_superset_begin(f, begin);
}

/* Reads bytes [begin, end), end <= identity.size, so that byte `begin` is at `to + begin % align`; `to` is
 * aligned to `align` and has room for the superset, all of which may be written. What the page cache holds
 * whole is taken from there (preadv2 with RWF_NOWAIT, after the kernel said so: asking alone would make it
 * read ahead). Otherwise DISK_DIRECT reads past the cache, the part behind the file's last whole block
 * buffered, and DISK_BUFFERED reads through it; what was read buffered the kernel is asked to drop afterwards
 * (POSIX_FADV_DONTNEED). DISK_DIRECT on a file without it reads buffered. Goes on after short reads and
 * EINTR; where a direct read gives EINVAL it falls back to buffered for that read. LR_EFAILED (an I/O error)
 * or LR_EMODEL (the file is shorter than it was), with the path, the offset and the system's reason.
 * Thread-safe. */
enum lr_status disk_read(const struct disk_file *f, uint64_t begin, uint64_t end, enum disk_way way, void *to,
                         struct lr_error *err);

/* As disk_read(), but takes nothing from the page cache unasked: for measuring. */
enum lr_status disk_fetch(const struct disk_file *f, uint64_t begin, uint64_t end, enum disk_way way,
                          void *to, struct lr_error *err);

/* Copies bytes [begin, end) to `to`, any alignment, through the page cache: for small parts (rows of an
 * embedding, norms). Errors as above. Thread-safe. */
enum lr_status disk_copy(const struct disk_file *f, uint64_t begin, uint64_t end, void *to,
                         struct lr_error *err);

/* Has the kernel begin to read bytes [begin, end) into the page cache and does not wait: many small parts
 * that disk_copy() will ask for come together then, not one after the other. Thread-safe. */
void disk_ahead(const struct disk_file *f, uint64_t begin, uint64_t end);

/* How much of the pages that hold bytes [begin, end) is in the page cache. Thread-safe. */
enum disk_cached { DISK_CACHED_NONE, DISK_CACHED_PART, DISK_CACHED_WHOLE, DISK_CACHED_UNTOLD };
enum disk_cached disk_cached(const struct disk_file *f, uint64_t begin, uint64_t end);

/* Whether the file is still what was opened. A file that another was renamed over, that was renamed, linked,
 * or whose owner or permissions changed is (its bytes are the same); one whose size or mtime changed, or
 * whose ctime changed for none of these reasons, was written: LR_EMODEL says so. Takes over the new ctime.
 * What it cannot tell: a write whose mtime was set back, if one of the harmless changes came between the same
 * two checks; and a chmod that changed nothing, which counts as written. */
enum lr_status disk_check(struct disk_file *f, struct lr_error *err);

#endif
