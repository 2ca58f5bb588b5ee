/* Parts of large files: every boundary, each way, faults at every read, files that change underneath; and the
 * measurement of the disk's rate. */
#include "support/support.h"
#include "support/system.h"

#include "support/folder.h"

#include "sys/clock.h"
#include "sys/disk.h"
#include "sys/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static struct lr_error err;

static int remove_folder(void **state) {
    system_on_read(NULL, NULL);
    return folder_teardown(state);
}

/* ---- files whose every byte is known */

static uint8_t byte_at(uint64_t i) {
    return (uint8_t)((i * UINT64_C(2654435761)) >> 13);
}

/* Written through to the disk, so that its pages can be dropped. */
static void write_pattern(const char *path, uint64_t size) {
    uint8_t *data = malloc(size + 1);
    assert_non_null(data);
    for (uint64_t i = 0; i < size; i++) data[i] = byte_at(i);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, data, size), size);
    assert_int_equal(fsync(fd), 0);
    close(fd);
    free(data);
}

static bool is_pattern(const uint8_t *data, uint64_t begin, uint64_t end) {
    for (uint64_t i = begin; i < end; i++)
        if (data[i - begin] != byte_at(i)) return false;
    return true;
}

static struct disk_file open_pattern(const char *path, uint64_t size) {
    struct disk_file f;
    write_pattern(path, size);
    assert_int_equal(disk_open(path, &f, &err), LR_OK);
    assert_int_equal(f.identity.size, size);
    return f;
}

static void drop(const struct disk_file *f) {
    assert_int_equal(posix_fadvise(f->buffered, 0, 0, POSIX_FADV_DONTNEED), 0);
}

/* The pages of the file that are in the cache, counted without the help of what is tested. */
static uint64_t pages_there(const struct disk_file *f) {
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), n = (f->identity.size + page - 1) / page, there = 0;
    unsigned char *seen = malloc(n);
    void *map = mmap(NULL, n * page, PROT_READ, MAP_SHARED, f->buffered, 0);
    assert_true(seen && map != MAP_FAILED);
    assert_int_equal(mincore(map, n * page, seen), 0);
    for (uint64_t i = 0; i < n; i++) there += seen[i] & 1;
    munmap(map, n * page);
    free(seen);
    return there;
}

/* Whether pages can be dropped and seen to be gone: not so in a file system that lives in memory. */
static bool can_be_cold(const struct disk_file *f) {
    drop(f);
    if (f->look != DISK_LOOK_NONE && pages_there(f) == 0) return true;
    printf("the file system of %s keeps its pages: nothing is read cold\n", f->path);
    return false;
}

/* A pattern that is not in the cache; the test is skipped where there are none. */
static struct disk_file open_cold(const char *name, uint64_t size) {
    struct disk_file f = open_pattern(at(name), size);
    if (!can_be_cold(&f)) {
        disk_close(&f);
        skip();
    }
    return f;
}

/* Aligned memory for a superset, with a border behind it that nobody may touch. */
enum { BORDER = 64 };
static uint8_t *make_room(const struct disk_file *f, uint64_t bytes) {
    void *room = NULL;
    assert_int_equal(posix_memalign(&room, f->align > 64 ? f->align : 64, bytes + BORDER), 0);
    memset(room, 0xEE, bytes + BORDER);
    return room;
}

static bool border_whole(const uint8_t *room, uint64_t bytes) {
    for (int i = 0; i < BORDER; i++)
        if (room[bytes + (unsigned)i] != 0xEE) return false;
    return true;
}

static enum lr_status read_and_look(const struct disk_file *f, uint64_t begin, uint64_t end,
                                    enum disk_way way, bool *right) {
    uint64_t bytes = disk_superset_bytes(f, begin, end);
    uint8_t *room = make_room(f, bytes);
    enum lr_status status = disk_read(f, begin, end, way, room, &err);
    *right = border_whole(room, bytes) && is_pattern(room + begin % f->align, begin, end);
    free(room);
    return status;
}

static void read_is_right(const struct disk_file *f, uint64_t begin, uint64_t end, enum disk_way way) {
    bool right = false;
    assert_int_equal(read_and_look(f, begin, end, way, &right), LR_OK);
    if (!right) fail_msg("bytes %ld to %ld of %ld are wrong", (long)begin, (long)end, (long)f->identity.size);
}

static void copy_is_right(const struct disk_file *f, uint64_t begin, uint64_t end) {
    uint8_t *to = malloc(end - begin + BORDER);
    assert_non_null(to);
    memset(to, 0xEE, end - begin + BORDER);
    assert_int_equal(disk_copy(f, begin, end, to, &err), LR_OK);
    assert_true(is_pattern(to, begin, end) && border_whole(to, end - begin));
    free(to);
}

/* ---- boundaries */

/* Offsets next to which something may go wrong, each with its neighbours, within the file. */
static size_t edges(const struct disk_file *f, uint64_t *out /* [32] */) {
    uint64_t size = f->identity.size, align = f->align;
    const uint64_t near[] = {0, align, 2 * align, 4096, 8192, size / align * align, size / 4096 * 4096, size};
    size_t n = 0;
    for (size_t i = 0; i < sizeof near / sizeof *near; i++)
        for (int d = -1; d <= 1; d++) {
            uint64_t edge = near[i] + (uint64_t)(int64_t)d;
            bool known = edge > size;
            for (size_t k = 0; k < n; k++) known |= out[k] == edge;
            if (!known) out[n++] = edge;
        }
    return n;
}

static void every_part_is_right(const struct disk_file *f, bool cold) {
    uint64_t edge[32];
    size_t n = edges(f, edge);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < n; k++) {
            if (edge[i] > edge[k]) continue;
            for (int way = DISK_DIRECT; way <= DISK_BUFFERED; way++) {
                if (cold) drop(f);
                read_is_right(f, edge[i], edge[k], (enum disk_way)way);
            }
            copy_is_right(f, edge[i], edge[k]);
        }
}

static const uint64_t sizes[] = {1, 511, 512, 513, 4095, 4096, 4097, 12293, 65536, 70000};
enum { N_SIZES = sizeof sizes / sizeof *sizes };

static void reads_every_part(void **state) {
    (void)state;
    for (size_t i = 0; i < N_SIZES; i++) {
        struct disk_file f = open_pattern(at("part"), sizes[i]);
        bool has_direct = f.direct >= 0;
        assert_true(f.align >= 512 && f.align <= DISK_MOST_ALIGN && (f.align & (f.align - 1)) == 0);
        every_part_is_right(&f, false);
        every_part_is_right(&f, true);
        f.align = 4096; /* coarser than it need be: another shape of the same */
        every_part_is_right(&f, true);
        if (has_direct) close(f.direct);
        f.direct = -1;
        every_part_is_right(&f, true);
        disk_close(&f);
    }
}

static void reads_where_there_may_be_no_direct(void **state) {
    (void)state;
    if (access("/dev/shm", W_OK)) {
        printf("/dev/shm cannot be written to\n");
        skip();
    }
    char *shm = support_make_folder_below("/dev/shm"), path[256];
    snprintf(path, sizeof path, "%s/part", shm);
    for (size_t i = 0; i < N_SIZES; i++) {
        struct disk_file f = open_pattern(path, sizes[i]);
        every_part_is_right(&f, false);
        disk_close(&f);
    }
    support_remove_folder(shm);
}

static void superset_is_whole_blocks(void **state) {
    (void)state;
    struct disk_file f = {.align = 512};
    assert_int_equal(disk_superset_begin(&f, 511), 0);
    assert_int_equal(disk_superset_begin(&f, 512), 512);
    assert_int_equal(disk_superset_bytes(&f, 511, 512), 512);
    assert_int_equal(disk_superset_bytes(&f, 511, 513), 1024);
    assert_int_equal(disk_superset_bytes(&f, 512, 1024), 512);
    assert_int_equal(disk_superset_bytes(&f, 700, 700), 512);
}

/* ---- opening */

static void refuse(const char *path, const char *reason) {
    struct disk_file f;
    assert_int_equal(disk_open(path, &f, &err), LR_EMODEL);
    assert_non_null(strstr(err.message, path));
    assert_non_null(strstr(err.message, reason));
    assert_true(f.buffered == -1 && f.direct == -1);
    disk_close(&f);
}

static void opens_regular_files_alone(void **state) {
    (void)state;
    assert_int_equal(mkfifo(at("pipe"), 0600), 0);
    refuse(folder, "is not a regular file");
    refuse(at("pipe"), "is not a regular file");
    refuse(at("none"), "cannot be opened: No such file or directory");
    if (geteuid() != 0) {
        write_pattern(at("closed"), 10);
        assert_int_equal(chmod(at("closed"), 0), 0);
        refuse(at("closed"), "cannot be opened: Permission denied");
    }
    struct disk_file f = open_pattern(at("twice"), 10);
    disk_close(&f);
    disk_close(&f);
    assert_true(f.buffered == -1 && f.direct == -1);
    f = open_pattern(at("empty"), 0);
    read_is_right(&f, 0, 0, DISK_DIRECT);
    copy_is_right(&f, 0, 0);
    disk_close(&f);
}

/* ---- the page cache */

enum { MIB = 1 << 20 };

/* What the system was asked for. */
struct asked {
    int calls;
    uint64_t offset, bytes;
    int64_t first_answer; /* 0: all is passed on */
};
static int64_t note(void *ctx, uint64_t offset, uint64_t bytes) {
    struct asked *a = ctx;
    a->calls++;
    a->offset = offset;
    a->bytes = bytes;
    return a->calls == 1 && a->first_answer ? a->first_answer : INT64_MAX;
}

static void leaves_the_page_cache_as_it_was(void **state) {
    (void)state;
    struct disk_file f = open_cold("cache", 4 * MIB);
    for (int way = DISK_DIRECT; way <= DISK_BUFFERED; way++) {
        read_is_right(&f, MIB + 100, 2 * MIB + 100, (enum disk_way)way);
        usleep(50000); /* what is read ahead comes later */
        assert_int_equal(pages_there(&f), 0);
    }
    copy_is_right(&f, 3 * MIB, 3 * MIB + 5000);
    assert_int_equal(pages_there(&f), (5000 + 4095) / sysconf(_SC_PAGESIZE));
    /* A part of which one page is missing is read from the disk, and the others stay. */
    copy_is_right(&f, 0, 256 * 4096);
    assert_int_equal(posix_fadvise(f.buffered, 100 * 4096, 4096, POSIX_FADV_DONTNEED), 0);
    uint64_t before = pages_there(&f);
    assert_int_equal(disk_cached(&f, 0, MIB), DISK_CACHED_PART);
    read_is_right(&f, 0, MIB, DISK_DIRECT);
    if (f.direct >= 0) assert_int_equal(pages_there(&f), before);
    disk_close(&f);
}

static void takes_what_is_cached(void **state) {
    (void)state;
    SUPPORT_NOT_EMULATED("it has no preadv2");
    struct disk_file f = open_cold("warm", 4 * MIB);
    for (int way = DISK_DIRECT; way <= DISK_BUFFERED; way++) {
        struct asked a = {0};
        copy_is_right(&f, MIB, 2 * MIB);
        uint64_t before = pages_there(&f);
        system_on_read(note, &a);
        read_is_right(&f, MIB + 100, 2 * MIB - 100, (enum disk_way)way);
        system_on_read(NULL, NULL);
        assert_true(a.calls == 1 && a.offset == MIB + 100 && a.bytes == MIB - 200); /* no whole blocks */
        assert_int_equal(pages_there(&f), before);
    }
    /* disk_fetch() does not look, and reads whole blocks where there are direct reads. */
    struct asked a = {0};
    uint8_t *room = make_room(&f, MIB);
    system_on_read(note, &a);
    assert_int_equal(disk_fetch(&f, MIB + 100, 2 * MIB - 100, DISK_DIRECT, room, &err), LR_OK);
    system_on_read(NULL, NULL);
    assert_true(is_pattern(room + 100, MIB + 100, 2 * MIB - 100));
    if (f.direct >= 0) assert_true(a.calls == 1 && a.offset == MIB && a.bytes == MIB);
    free(room);
    disk_close(&f);
}

static void tells_what_is_cached(void **state) {
    (void)state;
    struct disk_file f = open_cold("told", 4 * MIB);
    enum disk_look found = f.look;
    for (int look = (int)found; look <= DISK_LOOK_MINCORE; look++) {
        f.look = (enum disk_look)look;
        drop(&f);
        assert_int_equal(disk_cached(&f, 0, 4 * MIB), DISK_CACHED_NONE);
        copy_is_right(&f, 3 * MIB - 1, 3 * MIB + 4097);
        assert_int_equal(disk_cached(&f, 3 * MIB - 1, 3 * MIB + 4097), DISK_CACHED_WHOLE);
        assert_int_equal(disk_cached(&f, 3 * MIB - 4097, 3 * MIB), DISK_CACHED_PART);
        assert_int_equal(disk_cached(&f, 0, 4 * MIB), DISK_CACHED_PART);
        assert_int_equal(disk_cached(&f, 3 * MIB - 8192, 3 * MIB - 4096), DISK_CACHED_NONE);
        assert_int_equal(disk_cached(&f, 5, 5), DISK_CACHED_WHOLE);
    }
    f.look = DISK_LOOK_NONE;
    assert_int_equal(disk_cached(&f, 0, MIB), DISK_CACHED_UNTOLD);
    read_is_right(&f, 3 * MIB, 3 * MIB + 4096, DISK_DIRECT);
    disk_close(&f);
}

/* Somebody else's file: the kernel answers "all of it" to mincore, or nothing. */
static int look_at_a_file_of_roots(void) {
    struct disk_file f;
    if (setgid(65534) || setuid(65534)) return 2;
    if (disk_open("/etc/passwd", &f, &err) != LR_OK) return 3;
    if (f.look == DISK_LOOK_MINCORE) return 4;
    if (f.look == DISK_LOOK_NONE && disk_cached(&f, 0, 1) != DISK_CACHED_UNTOLD) return 5;
    char *whole = support_read_file("/etc/passwd", NULL);
    uint8_t *room = make_room(&f, disk_superset_bytes(&f, 0, f.identity.size));
    int rc = disk_read(&f, 0, f.identity.size, DISK_DIRECT, room, &err) != LR_OK ? 6
             : memcmp(room, whole, f.identity.size)                              ? 7
                                                                                 : 0;
    free(whole);
    free(room);
    disk_close(&f);
    return rc;
}

/* Parts that were asked for ahead come by themselves, and little else. */
static void brings_parts_ahead(void **state) {
    (void)state;
    struct disk_file f = open_pattern(at("parts-ahead"), 4 * MIB);
    enum { PARTS = 60, STEP = 65536, BYTES = 5000 };
    uint64_t pages = 2 * 4096 / (uint64_t)sysconf(_SC_PAGESIZE), wanted = PARTS * (pages ? pages : 1);
    if (can_be_cold(&f)) {
        for (uint64_t i = 0; i < PARTS; i++) disk_ahead(&f, i * STEP, i * STEP + BYTES);
        for (double end = clock_now() + 10; clock_now() < end && pages_there(&f) < wanted;) usleep(1000);
        assert_in_range(pages_there(&f), wanted, 2 * wanted);
        for (uint64_t i = 0; i < PARTS; i++)
            assert_int_equal(disk_cached(&f, i * STEP, i * STEP + BYTES), DISK_CACHED_WHOLE);
        copy_is_right(&f, 7 * STEP, 7 * STEP + BYTES);
    }
    disk_ahead(&f, 4 * MIB - 5, 4 * MIB + 5000); /* behind the end: nothing happens */
    disk_close(&f);
}

static void believes_no_answer_that_is_none(void **state) {
    (void)state;
    if (geteuid() != 0 || access("/etc/passwd", R_OK)) {
        printf("only root can become somebody who may not know\n");
        skip();
    }
    assert_int_equal(support_in_child(look_at_a_file_of_roots), 0);
}

static void looking_costs_little(void **state) {
    (void)state;
    struct disk_file f = open_pattern(at("cost"), 16 * MIB);
    enum disk_look found = f.look;
    for (int look = (int)found; look != DISK_LOOK_NONE && look <= DISK_LOOK_MINCORE; look++) {
        f.look = (enum disk_look)look;
        for (int cold = 0; cold <= 1; cold++) {
            double least = 1;
            if (cold) drop(&f);
            for (int i = 0; i < 160; i++) {
                uint64_t begin = (uint64_t)(i % 16) * MIB;
                double start = clock_now();
                disk_cached(&f, begin, begin + MIB);
                double took = clock_now() - start;
                if (took < least) least = took;
            }
            printf("%s, %s: %.1f us for 1 MiB\n", look == DISK_LOOK_MINCORE ? "mincore" : "cachestat",
                   cold ? "cold" : "cached", least * 1e6);
            assert_true(least < 1e-3);
        }
    }
    disk_close(&f);
}

/* ---- faults */

/* From the `first`th read on (the `first`th alone, unless sticky) what is passed on is `answer`. */
struct fault {
    int first, calls;
    bool sticky;
    int64_t answer;
};
static int64_t give_fault(void *ctx, uint64_t offset, uint64_t bytes) {
    struct fault *f = ctx;
    (void)offset;
    int n = ++f->calls;
    return n == f->first || (f->sticky && n > f->first) ? f->answer : (int64_t)bytes;
}

/* A read whose Nth call is answered so, for every N until none is reached; the result each time is either
 * `expected`, or right. How many came out as expected. */
static int with_fault(const struct disk_file *f, enum disk_way way, bool cold, int64_t answer, bool sticky,
                      enum lr_status expected) {
    int seen = 0;
    for (int n = 1;; n++) {
        struct fault fault = {.first = n, .sticky = sticky, .answer = answer};
        bool right = false;
        if (cold) drop(f);
        system_on_read(give_fault, &fault);
        enum lr_status status = read_and_look(f, 100, f->identity.size - 1, way, &right);
        system_on_read(NULL, NULL);
        assert_true(status == LR_OK || status == expected);
        if (status == LR_OK) assert_true(right);
        seen += status == expected;
        if (fault.calls < n) return seen;
    }
}

static void goes_on_or_fails_at_every_read(void **state) {
    (void)state;
    struct disk_file f = open_pattern(at("faulty"), 70000);
    static const int64_t few[] = {1, 100, 511, 512, 513, 4096, 5000};
    for (int way = DISK_DIRECT; way <= DISK_BUFFERED; way++)
        for (int cold = 0; cold <= 1; cold++) {
            enum disk_way w = (enum disk_way)way;
            assert_true(with_fault(&f, w, cold, -EINTR, false, LR_OK) > 0);
            for (size_t i = 0; i < sizeof few / sizeof *few; i++) {
                assert_true(with_fault(&f, w, cold, few[i], false, LR_OK) > 0);
                if (few[i] >= 100) assert_true(with_fault(&f, w, cold, few[i], true, LR_OK) > 0);
            }
            assert_true(with_fault(&f, w, cold, -EAGAIN, false, LR_EFAILED) >= 0);
            with_fault(&f, w, cold, -EIO, false, LR_EFAILED);
            assert_true(with_fault(&f, w, cold, -EIO, true, LR_EFAILED) > 0);
            assert_non_null(strstr(err.message, "/faulty: cannot be read at byte "));
            assert_non_null(strstr(err.message, ": Input/output error ("));
            assert_true(with_fault(&f, w, cold, 0, true, LR_EMODEL) > 0);
            assert_non_null(strstr(err.message, "the file had 70,000 bytes when it was opened"));
        }
    disk_close(&f);
}

static void refused_direct_reads_are_read_buffered(void **state) {
    (void)state;
    struct disk_file f = open_pattern(at("refused"), 70000);
    struct fault fault = {.first = 1, .answer = -EINVAL};
    if (f.direct < 0) {
        printf("no direct reads here\n");
        disk_close(&f);
        skip();
    }
    drop(&f);
    system_on_read(give_fault, &fault);
    read_is_right(&f, 100, 69999, DISK_DIRECT);
    system_on_read(NULL, NULL);
    assert_true(fault.calls >= 2);
    disk_close(&f);
}

/* After a direct read that stops within a block the next begins with that block, or it would be refused. */
static void direct_reads_go_on_at_a_block(void **state) {
    (void)state;
    struct disk_file f = open_pattern(at("blocks"), 65536);
    if (f.direct < 0 || !can_be_cold(&f)) {
        printf("no direct reads here\n");
        disk_close(&f);
        skip();
    }
    struct asked a = {.first_answer = 5000};
    system_on_read(note, &a);
    read_is_right(&f, 100, 65000, DISK_DIRECT);
    system_on_read(NULL, NULL);
    assert_int_equal(a.calls, 2);
    assert_true(a.offset % f.align == 0 && a.offset <= 5000 && a.offset > 0);
    assert_int_equal(pages_there(&f), 0);
    disk_close(&f);
}

static void copies_go_on_or_fail_too(void **state) {
    (void)state;
    struct disk_file f = open_pattern(at("copied"), 1000);
    uint8_t to[1000];
    struct fault fault = {.first = 1, .answer = 7, .sticky = true};
    system_on_read(give_fault, &fault);
    copy_is_right(&f, 1, 999);
    fault = (struct fault){.first = 2, .answer = -EINTR};
    copy_is_right(&f, 1, 999);
    fault = (struct fault){.first = 1, .answer = -EIO};
    assert_int_equal(disk_copy(&f, 1, 999, to, &err), LR_EFAILED);
    assert_non_null(strstr(err.message, "cannot be read at byte 1: Input/output error"));
    system_on_read(NULL, NULL);
    disk_close(&f);
}

static void a_file_cut_short_is_told(void **state) {
    (void)state;
    static const uint64_t left[] = {0, 1, 511, 4096, 5000, 69631, 69632, 69999};
    for (size_t i = 0; i < sizeof left / sizeof *left; i++)
        for (int way = DISK_DIRECT; way <= DISK_BUFFERED; way++) {
            struct disk_file f = open_pattern(at("cut"), 70000);
            uint8_t byte;
            bool right;
            assert_int_equal(truncate(at("cut"), (off_t)left[i]), 0);
            assert_int_equal(read_and_look(&f, 0, 70000, (enum disk_way)way, &right), LR_EMODEL);
            assert_non_null(strstr(err.message, "cut: there is nothing to read at byte "));
            assert_int_equal(disk_copy(&f, 69999, 70000, &byte, &err), LR_EMODEL);
            if (left[i]) read_is_right(&f, 0, left[i], (enum disk_way)way);
            assert_int_equal(disk_check(&f, &err), LR_EMODEL);
            disk_close(&f);
        }
}

/* ---- whether it is still the file */

/* A clock of the file system's that stands still for a tick would hide a change. */
static void let_time_pass(void) {
    usleep(30000);
}

static void overwrite(const char *path) {
    int fd = open(path, O_WRONLY);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, "x", 1, 50), 1);
    close(fd);
}

/* Of a file opened before, changed by `change`. */
static enum lr_status check_after(void (*change)(const char *path)) {
    struct disk_file f = open_pattern(at("checked"), 1000);
    let_time_pass();
    change(at("checked"));
    enum lr_status status = disk_check(&f, &err);
    if (status == LR_OK) assert_int_equal(disk_check(&f, &err), LR_OK);
    if (status == LR_OK) {
        read_is_right(&f, 0, 1000, DISK_DIRECT);
        /* What came before does not excuse a write. */
        let_time_pass();
        char path[64];
        snprintf(path, sizeof path, "/proc/self/fd/%d", f.buffered);
        struct timespec times[2] = {{.tv_nsec = UTIME_OMIT},
                                    {f.identity.mtime_ns / 1000000000, f.identity.mtime_ns % 1000000000}};
        overwrite(path);
        assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
        assert_int_equal(disk_check(&f, &err), LR_EMODEL);
    }
    disk_close(&f);
    unlink(at("checked"));
    unlink(at("other"));
    return status;
}

static void change_nothing(const char *path) {
    (void)path;
}
static void change_by_copy_over(const char *path) {
    write_pattern(at("new"), 2000);
    assert_int_equal(rename(at("new"), path), 0);
}
static void change_name(const char *path) {
    assert_int_equal(rename(path, at("other")), 0);
}
static void change_links(const char *path) {
    assert_int_equal(link(path, at("other")), 0);
}
static void change_mode(const char *path) {
    assert_int_equal(chmod(path, 0600), 0);
}
static void change_to_nothing(const char *path) {
    assert_int_equal(unlink(path), 0);
}
static void change_bytes_and_set_back(const char *path) {
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    overwrite(path);
    struct timespec times[2] = {st.st_atim, st.st_mtim};
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}
static void change_size(const char *path) {
    assert_int_equal(truncate(path, 999), 0);
}
static void change_size_up(const char *path) {
    assert_int_equal(truncate(path, 1001), 0);
}

static void tells_writes_from_other_changes(void **state) {
    (void)state;
    assert_int_equal(check_after(change_nothing), LR_OK);
    assert_int_equal(check_after(change_by_copy_over), LR_OK);
    assert_int_equal(check_after(change_name), LR_OK);
    assert_int_equal(check_after(change_links), LR_OK);
    assert_int_equal(check_after(change_mode), LR_OK);
    assert_int_equal(check_after(change_to_nothing), LR_OK);
    assert_int_equal(check_after(overwrite), LR_EMODEL);
    assert_non_null(strstr(err.message, "checked was written to while in use"));
    assert_int_equal(check_after(change_bytes_and_set_back), LR_EMODEL);
    assert_int_equal(check_after(change_size), LR_EMODEL);
    assert_non_null(strstr(err.message, "checked has 999 bytes, it had 1,000 when it was opened"));
    assert_int_equal(check_after(change_size_up), LR_EMODEL);
}

/* ---- many at a time */

struct reader {
    const struct disk_file *f;
    unsigned seed;
    bool right;
};

static void *read_here_and_there(void *arg) {
    struct reader *r = arg;
    struct lr_error mine;
    void *memory = NULL;
    if (posix_memalign(&memory, r->f->align, 300000)) return NULL;
    uint8_t *room = memory;
    r->right = true;
    for (int i = 0; i < 200 && r->right; i++) {
        uint64_t begin = (uint64_t)rand_r(&r->seed) % (MIB - 200000), end = begin + 1 + (uint64_t)i * 999;
        enum disk_way way = i % 3 ? DISK_DIRECT : DISK_BUFFERED;
        r->right = disk_read(r->f, begin, end, way, room, &mine) == LR_OK &&
                   is_pattern(room + begin % r->f->align, begin, end) &&
                   disk_copy(r->f, end, end + 77, room, &mine) == LR_OK && is_pattern(room, end, end + 77);
    }
    free(room);
    return NULL;
}

static void many_may_read_at_a_time(void **state) {
    (void)state;
    enum { READERS = 6 };
    pthread_t id[READERS];
    struct reader readers[READERS];
    struct disk_file f = open_pattern(at("shared"), MIB);
    drop(&f);
    for (unsigned i = 0; i < READERS; i++) {
        readers[i] = (struct reader){.f = &f, .seed = i};
        assert_int_equal(pthread_create(&id[i], NULL, read_here_and_there, &readers[i]), 0);
    }
    for (unsigned i = 0; i < READERS; i++) {
        pthread_join(id[i], NULL);
        assert_true(readers[i].right);
    }
    disk_close(&f);
}

/* ---- the rate */

enum { LARGE = 512 };

/* A file of `mib` MiB that takes no space: what matters here is which parts are read, and when. */
static struct disk_file open_large(const char *path, unsigned mib) {
    struct disk_file f;
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, (off_t)mib * MIB), 0);
    close(fd);
    assert_int_equal(disk_open(path, &f, &err), LR_OK);
    return f;
}

/* How often each MiB was asked for. */
struct visits {
    atomic_uint of[LARGE], reads;
    atomic_int answer; /* 0: all is passed on */
    unsigned delay_us;
};
static int64_t visit(void *ctx, uint64_t offset, uint64_t bytes) {
    struct visits *v = ctx;
    for (uint64_t i = offset / MIB; i < (offset + bytes) / MIB; i++) atomic_fetch_add(&v->of[i], 1);
    unsigned n = atomic_fetch_add(&v->reads, 1);
    int answer = atomic_load(&v->answer);
    if (v->delay_us) usleep(v->delay_us);
    return answer && n >= 20 ? answer : INT64_MAX;
}

static void is_default(struct disk_rate r, const struct disk_file *f, uint32_t depth) {
    assert_true(r.bytes_per_s == 0 && r.block == MIB && r.depth == depth);
    assert_int_equal(r.way, f->direct >= 0 ? DISK_DIRECT : DISK_BUFFERED);
}

static void measures_without_reading_a_part_twice(void **state) {
    (void)state;
    static const unsigned most[] = {8, 17, 64, 1000};
    struct disk_file f = open_large(at("large"), LARGE);
    bool cold = can_be_cold(&f);
    for (size_t i = 0; i < sizeof most / sizeof *most; i++) {
        struct visits v = {.delay_us = i ? 0 : 20000}; /* a slow disk: little is read, and that far apart */
        struct disk_rate r;
        double begin = clock_now();
        system_on_read(visit, &v);
        assert_int_equal(probe_disk(&f, i ? 0.1 : 0.5, (uint64_t)most[i] * MIB, &r, &err), LR_OK);
        system_on_read(NULL, NULL);
        double took = clock_now() - begin;
        printf("%.0f MB/s %s, %u MiB x %u; %.3f s\n", r.bytes_per_s / 1e6,
               r.way == DISK_DIRECT ? "direct" : "buffered", r.block / MIB, r.depth, took);
        assert_true(took < 2);
        assert_true(r.bytes_per_s > 0);
        assert_true((uint64_t)r.block * r.depth <= (uint64_t)(most[i] < 64 ? most[i] : 64) * MIB);
        unsigned low = 0, high = 0;
        for (int k = 0; k < LARGE; k++) {
            assert_true(v.of[k] <= 1);
            *(k < LARGE / 2 ? &low : &high) += v.of[k];
        }
        if (i == 0) assert_true(low >= 8 && high >= 8 && low + high < LARGE / 2);
        if (cold) assert_int_equal(pages_there(&f), 0);
    }
    disk_close(&f);
}

static void measures_buffered_where_there_is_no_direct(void **state) {
    (void)state;
    struct disk_file f = open_large(at("buffered"), LARGE);
    struct disk_rate r;
    if (f.direct >= 0) close(f.direct);
    f.direct = -1;
    if (can_be_cold(&f)) {
        assert_int_equal(probe_disk(&f, 0.05, 64 * MIB, &r, &err), LR_OK);
        assert_true(r.bytes_per_s > 0 && r.way == DISK_BUFFERED);
        assert_int_equal(pages_there(&f), 0);
    }
    f.look = DISK_LOOK_NONE; /* it could all come from the cache */
    assert_int_equal(probe_disk(&f, 0.05, 64 * MIB, &r, &err), LR_OK);
    is_default(r, &f, 16);
    disk_close(&f);
}

static void measures_nothing_that_is_cached(void **state) {
    (void)state;
    struct disk_file f = open_large(at("all"), 64);
    struct disk_rate r;
    if (f.direct >= 0) close(f.direct);
    f.direct = -1;
    uint8_t *all = malloc(64 * MIB);
    assert_non_null(all);
    assert_int_equal(disk_copy(&f, 0, 64 * MIB, all, &err), LR_OK);
    free(all);
    assert_int_equal(probe_disk(&f, 0.05, 64 * MIB, &r, &err), LR_OK);
    is_default(r, &f, 16);
    disk_close(&f);
}

static void says_when_it_cannot_measure(void **state) {
    (void)state;
    struct visits v = {.reads = 0};
    struct disk_rate r;
    struct disk_file f = open_large(at("small"), 63);
    system_on_read(visit, &v);
    assert_int_equal(probe_disk(&f, 0.25, 64 * MIB, &r, &err), LR_OK);
    is_default(r, &f, 16);
    disk_close(&f);
    f = open_large(at("large"), LARGE);
    v.reads = 0;
    assert_int_equal(probe_disk(&f, 0.25, 8 * MIB - 1, &r, &err), LR_OK);
    is_default(r, &f, 8);
    assert_int_equal(v.reads, 0);
    system_on_read(NULL, NULL);
    disk_close(&f);
}

static void tells_of_a_read_that_fails(void **state) {
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct visits v = {.reads = 0};
        struct disk_rate r;
        struct disk_file f = open_large(at("failing"), LARGE);
        if (i == 0) v.answer = -EIO;
        if (i == 1) assert_int_equal(truncate(at("failing"), 0), 0);
        system_on_read(visit, &v);
        assert_int_equal(probe_disk(&f, 0.25, 64 * MIB, &r, &err), i ? LR_EMODEL : LR_EFAILED);
        assert_non_null(strstr(err.message, i ? "cut short" : "failing: cannot be read at byte "));
        v.reads = 0;
        assert_int_equal(probe_disk(&f, 0.25, 64 * MIB, &r, NULL), i ? LR_EMODEL : LR_EFAILED);
        system_on_read(NULL, NULL);
        is_default(r, &f, 16);
        disk_close(&f);
    }
}

/* No addresses to be had: the rate is not known, which is no failure. */
static int probe_without_addresses(void) {
    struct disk_file f = open_large(at("large"), LARGE);
    struct disk_rate r = {.bytes_per_s = 1};
    struct rlimit none = {1, 1};
    if (setrlimit(RLIMIT_AS, &none)) return 2;
    return probe_disk(&f, 0.1, 64 * MIB, &r, &err) != LR_OK || r.bytes_per_s != 0;
}

static void does_without_memory(void **state) {
    (void)state;
#ifdef SUPPORT_SHADOWED
    printf("limits on addresses do not go with a sanitizer\n");
    skip();
#endif
    SUPPORT_NOT_EMULATED(SUPPORT_LIMITS);
    assert_int_equal(support_in_child(probe_without_addresses), 0);
}

/* Nor are threads that do not start. */
static void does_without_threads(void **state) {
    (void)state;
    struct disk_file f = open_large(at("large"), LARGE);
    struct disk_rate r;
    for (long n = 1; n < 40; n += 3) {
        system_refuse(SYSTEM_THREADS, EAGAIN, n, true);
        assert_int_equal(probe_disk(&f, 0.05, 64 * MIB, &r, &err), LR_OK);
        if (n == 1) is_default(r, &f, 16);
    }
    system_refuse(SYSTEM_KINDS, 0, 0, false);
    disk_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(superset_is_whole_blocks),
        cmocka_unit_test(opens_regular_files_alone),
        cmocka_unit_test(reads_every_part),
        cmocka_unit_test(reads_where_there_may_be_no_direct),
        cmocka_unit_test(leaves_the_page_cache_as_it_was),
        cmocka_unit_test(takes_what_is_cached),
        cmocka_unit_test(tells_what_is_cached),
        cmocka_unit_test(brings_parts_ahead),
        cmocka_unit_test(believes_no_answer_that_is_none),
        cmocka_unit_test(looking_costs_little),
        cmocka_unit_test(goes_on_or_fails_at_every_read),
        cmocka_unit_test(refused_direct_reads_are_read_buffered),
        cmocka_unit_test(direct_reads_go_on_at_a_block),
        cmocka_unit_test(copies_go_on_or_fail_too),
        cmocka_unit_test(a_file_cut_short_is_told),
        cmocka_unit_test(tells_writes_from_other_changes),
        cmocka_unit_test(many_may_read_at_a_time),
        cmocka_unit_test(measures_without_reading_a_part_twice),
        cmocka_unit_test(measures_buffered_where_there_is_no_direct),
        cmocka_unit_test(measures_nothing_that_is_cached),
        cmocka_unit_test(says_when_it_cannot_measure),
        cmocka_unit_test(tells_of_a_read_that_fails),
        cmocka_unit_test(does_without_memory),
        cmocka_unit_test(does_without_threads),
    };
    return cmocka_run_group_tests_name("disk", tests, folder_setup, remove_folder);
}
