#include "support/support.h"

#include "support/folder.h"

#include "base/mem.h"
#include "sys/clock.h"
#include "sys/file.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static struct lr_error err;

static void kinds(void **state) {
    (void)state;
    support_write_file(folder, "f", "x", 1);
    assert_int_equal(symlink("f", at("link")), 0);
    assert_int_equal(symlink("nowhere", at("broken")), 0);
    assert_int_equal(mkfifo(at("fifo"), 0600), 0);
    assert_int_equal(file_kind(at("f")), FILE_REGULAR);
    assert_int_equal(file_kind(at("link")), FILE_REGULAR);
    assert_int_equal(file_kind(folder), FILE_FOLDER);
    assert_int_equal(file_kind(at("broken")), FILE_DANGLING);
    assert_int_equal(file_kind(at("none")), FILE_ABSENT);
    assert_int_equal(file_kind(at("fifo")), FILE_OTHER);
    char target[5];
    file_link_target(at("link"), target, sizeof target);
    assert_string_equal(target, "f");
    file_link_target(at("broken"), target, sizeof target);
    assert_string_equal(target, "nowh");
    file_link_target(at("f"), target, sizeof target);
    assert_string_equal(target, "");
    assert_int_equal(symlink("circle", at("circle")), 0);
    assert_int_equal(file_kind(at("circle")), FILE_UNKNOWN);
    assert_int_equal(file_refuse_unknown(at("circle"), &err), LR_EMODEL);
    assert_non_null(strstr(err.message, "/circle: cannot be examined: Too many levels of symbolic links"));
}

static void reads_whole_files(void **state) {
    (void)state;
    static const size_t sizes[] = {0, 1, 2, 4094, 4095, 4096, 4097, 100000};
    char *content = malloc(100000), *data;
    assert_non_null(content);
    for (size_t i = 0; i < 100000; i++) content[i] = (char)(i * 7);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        size_t len = 99, n = sizes[i];
        support_write_file(folder, "whole", content, n);
        assert_int_equal(file_read_all(at("whole"), n, &data, &len, &err), LR_OK);
        assert_int_equal(len, n);
        assert_memory_equal(data, content, n);
        assert_int_equal(data[n], 0);
        lr_free(data);
        if (n == 0) continue;
        assert_int_equal(file_read_all(at("whole"), n - 1, &data, &len, &err), LR_EMODEL);
        assert_null(data);
    }
    assert_non_null(strstr(err.message, "whole has 100,000 bytes, at most 99,999 are read"));
    free(content);
}

static void reads_files_whose_size_is_given_as_0(void **state) {
    (void)state;
    char *data;
    size_t len;
    assert_int_equal(file_read_all("/proc/self/status", 1u << 20, &data, &len, &err), LR_OK);
    assert_non_null(strstr(data, "VmRSS"));
    assert_int_equal(strlen(data), len);
    lr_free(data);
    assert_int_equal(file_read_all("/proc/self/status", len / 2, &data, &len, &err), LR_EMODEL);
    assert_non_null(strstr(err.message, "/proc/self/status is larger than"));
    assert_null(data);
}

static void names_the_reason(void **state) {
    (void)state;
    char *data;
    size_t len;
    assert_int_equal(file_read_all(at("none"), 9, &data, &len, &err), LR_EMODEL);
    assert_non_null(strstr(err.message, "none: cannot be opened: No such file or directory"));
    assert_int_equal(file_read_all(folder, 9, &data, &len, &err), LR_EMODEL);
    assert_non_null(strstr(err.message, "is a folder, a file is needed"));
    support_write_file(folder, "plain", "x", 1);
    assert_int_equal(file_read_all(at("plain/under"), 9, &data, &len, &err), LR_EMODEL);
    if (geteuid() == 0) {
        printf("running as root: the unreadable file is not tried\n");
    } else {
        assert_int_equal(chmod(at("plain"), 0), 0);
        assert_int_equal(file_read_all(at("plain"), 9, &data, &len, &err), LR_EMODEL);
        assert_non_null(strstr(err.message, "plain: cannot be opened: Permission denied"));
    }
    /* Too many open files is the machine's matter, not the path's. */
    struct rlimit old, none = {0};
    getrlimit(RLIMIT_NOFILE, &old);
    none.rlim_max = old.rlim_max;
    setrlimit(RLIMIT_NOFILE, &none);
    enum lr_status status = file_read_all(at("plain"), 9, &data, &len, &err);
    setrlimit(RLIMIT_NOFILE, &old);
    assert_int_equal(status, LR_EFAILED);
}

static void reads_heads(void **state) {
    (void)state;
    char *data;
    size_t len;
    uint64_t size;
    support_write_file(folder, "head", "0123456789", 10);
    for (uint64_t want = 0; want <= 12; want++) {
        assert_int_equal(file_read_head(at("head"), want, &data, &len, &size, &err), LR_OK);
        assert_int_equal(len, want < 10 ? want : 10);
        assert_int_equal(size, 10);
        assert_int_equal(strncmp(data, "0123456789", len), 0);
        assert_int_equal(data[len], 0);
        lr_free(data);
    }
    assert_int_equal(file_read_head(at("none"), 4, &data, &len, &size, &err), LR_EMODEL);
    assert_int_equal(file_read_head(folder, 4, &data, &len, &size, &err), LR_EMODEL);
}

static void maps(void **state) {
    (void)state;
    struct file_map map;
    support_write_file(folder, "map", "0123456789", 10);
    assert_int_equal(file_map_open(at("map"), &map, &err), LR_OK);
    assert_int_equal(map.size, 10);
    assert_memory_equal(map.data, "0123456789", 10);
    assert_true(file_map_cached(&map) == 1);
    file_map_close(&map);
    assert_null(map.data);
    file_map_close(&map);
    support_write_file(folder, "empty", "", 0);
    assert_int_equal(file_map_open(at("empty"), &map, &err), LR_OK);
    assert_int_equal(map.size, 0);
    assert_true(file_map_cached(&map) == 1);
    file_map_close(&map);
    assert_int_equal(file_map_open(folder, &map, &err), LR_EMODEL);
    assert_int_equal(file_map_open("/dev/null", &map, &err), LR_EMODEL);
    assert_non_null(strstr(err.message, "/dev/null is not a regular file"));
}

/* A file that was dropped from the page cache, and its first half read again. */
static void tells_what_is_cached(void **state) {
    (void)state;
    enum { SIZE = 1 << 20 };
    char *content = calloc(1, SIZE);
    struct file_map map;
    assert_non_null(content);
    support_write_file(folder, "cold", content, SIZE);
    int fd = open(at("cold"), O_RDWR);
    assert_true(fd >= 0 && fsync(fd) == 0);
    assert_int_equal(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
    assert_int_equal(file_map_open(at("cold"), &map, &err), LR_OK);
    double share = file_map_cached(&map);
    if (share < 1) { /* a file system in memory keeps all */
        assert_true(share < 0.1);
        posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
        assert_int_equal(pread(fd, content, SIZE / 2, 0), SIZE / 2);
        assert_true(file_map_cached(&map) > 0.45 && file_map_cached(&map) < 0.6);
    }
    file_map_close(&map);
    close(fd);
    free(content);
}

/* Dropped, looked at, read again: as a measured start has it. */
static void drops_and_warms(void **state) {
    (void)state;
    enum { SIZE = (5 << 20) + 123 };
    char *content = calloc(1, SIZE);
    uint64_t bytes;
    assert_non_null(content);
    support_write_file(folder, "dropped", content, SIZE);
    free(content);
    assert_int_equal(file_resident(at("dropped"), &bytes, &err), LR_OK);
    assert_int_equal(bytes, SIZE);
    assert_int_equal(file_drop(at("dropped"), &err), LR_OK);
    assert_int_equal(file_resident(at("dropped"), &bytes, &err), LR_OK);
    if (bytes < SIZE) /* a file system in memory keeps all */
        assert_true(bytes < SIZE / 100);
    assert_int_equal(file_warm(at("dropped"), &err), LR_OK);
    assert_int_equal(file_resident(at("dropped"), &bytes, &err), LR_OK);
    assert_int_equal(bytes, SIZE);
    support_write_file(folder, "empty", "", 0);
    assert_int_equal(file_drop(at("empty"), &err), LR_OK);
    assert_int_equal(file_warm(at("empty"), &err), LR_OK);
    assert_int_equal(file_resident(at("empty"), &bytes, &err), LR_OK);
    assert_int_equal(bytes, 0);
}

static void what_cannot_be_dropped_is_named(void **state) {
    (void)state;
    uint64_t bytes;
    enum lr_status (*const calls[])(const char *, struct lr_error *) = {file_drop, file_warm};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(calls[i](at("none"), &err), LR_EMODEL);
        assert_non_null(strstr(err.message, "/none: cannot be opened"));
        assert_int_equal(calls[i](folder, &err), LR_EMODEL);
    }
    assert_int_equal(file_resident(at("none"), &bytes, &err), LR_EMODEL);
    support_write_file(folder, "f", "x", 1);
    lr_mem_fail_after(1, 0);
    assert_int_equal(file_warm(at("f"), &err), LR_EMEMORY);
    lr_mem_fail_after(0, 0);
}

static void lists_in_order(void **state) {
    (void)state;
    struct file_list list;
    assert_int_equal(mkdir(at("list"), 0700), 0);
    assert_int_equal(file_list_open(at("list"), &list, &err), LR_OK);
    assert_int_equal(list.count, 0);
    file_list_close(&list);
    static const char *const names[] = {"list/b", "list/.hidden", "list/a", "list/B", "list/a2"};
    static const char *const sorted[] = {".hidden", "B", "a", "a2", "b"};
    for (int i = 0; i < 5; i++) support_write_file(folder, names[i], "", 0);
    assert_int_equal(file_list_open(at("list"), &list, &err), LR_OK);
    assert_int_equal(list.count, 5);
    for (int i = 0; i < 5; i++) assert_string_equal(list.names[i], sorted[i]);
    file_list_close(&list);
    assert_int_equal(file_list_open(at("none"), &list, &err), LR_EMODEL);
    assert_int_equal(file_list_open(at("list/a"), &list, &err), LR_EMODEL);
}

static void joins(void **state) {
    (void)state;
    static const char *const cases[][3] = {
        {"a", "b", "a/b"}, {"a/", "b", "a/b"}, {"/", "b", "/b"}, {"", "b", "b"}, {"a", "", "a/"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *path = file_join(cases[i][0], cases[i][1]);
        assert_string_equal(path, cases[i][2]);
        lr_free(path);
    }
}

static void every_allocation_may_fail(void **state) {
    (void)state;
    enum lr_status status;
    long n = 0;
    support_write_file(folder, "f", "x", 1);
    do {
        char *data = NULL;
        size_t len;
        lr_mem_fail_after(++n, 0);
        status = file_read_all("/proc/self/smaps", 1u << 24, &data, &len, &err);
        lr_mem_fail_after(0, 0);
        assert_true(status == LR_OK || (status == LR_EMEMORY && !data));
        lr_free(data);
    } while (status != LR_OK);
    assert_true(n > 2);
    n = 0;
    do {
        struct file_list list;
        lr_mem_fail_after(++n, 0);
        status = file_list_open(folder, &list, &err);
        lr_mem_fail_after(0, 0);
        assert_true(status == LR_OK || (status == LR_EMEMORY && !list.names));
        file_list_close(&list);
    } while (status != LR_OK);
    assert_true(n > 2);
}

static void the_clock_goes_forward(void **state) {
    (void)state;
    double a = clock_now();
    usleep(20000);
    double b = clock_now();
    assert_true(b - a >= 0.019 && b - a < 10);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kinds),
        cmocka_unit_test(reads_whole_files),
        cmocka_unit_test(reads_files_whose_size_is_given_as_0),
        cmocka_unit_test(names_the_reason),
        cmocka_unit_test(reads_heads),
        cmocka_unit_test(maps),
        cmocka_unit_test(tells_what_is_cached),
        cmocka_unit_test(drops_and_warms),
        cmocka_unit_test(what_cannot_be_dropped_is_named),
        cmocka_unit_test(lists_in_order),
        cmocka_unit_test(joins),
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(the_clock_goes_forward),
    };
    return cmocka_run_group_tests_name("file", tests, folder_setup, folder_teardown);
}
