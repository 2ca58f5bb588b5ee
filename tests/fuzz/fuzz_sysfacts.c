/* The parsers of the kernel's small files. The input is two texts with a NUL between them: one is also read
 * as /proc/self/cgroup, the other as /proc/self/mountinfo. With both a tree of files is written, changed and
 * written back while a watch looks at it, which must say what memory_read says each time. */
#include "sys/cgroup.h"
#include "sys/facts.h"
#include "sys/watch.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void locate(struct lr_str groups, struct lr_str mounts, const char *controller) {
    struct cgroup_place place;
    struct lr_error err;
    if (cgroup_locate(groups, mounts, controller, &place, &err) != LR_OK) __builtin_trap();
    /* a place is below its mount, and never leads out of it */
    if (!place.mount.len && place.below.len) __builtin_trap();
    if (place.below.len && place.below.data[0] != '/') __builtin_trap();
    struct lr_str rest = lr_buf_str(&place.below), part;
    while (facts_part(&rest, '/', &part))
        if (lr_str_is(part, "..")) __builtin_trap();
    cgroup_place_free(&place);
}

static void read_values(struct lr_str text) {
    static const char *const keys[] = {
        "MemTotal", "active_anon", "Max data size", "model name", "Cpus_allowed_list", "kernel", "cpu"};
    struct lr_str value;
    uint64_t n;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        if (facts_kb(text, keys[i]) % 1024) __builtin_trap();
        if (!facts_value(text, keys[i], &value)) continue;
        if (value.len && (value.data < text.data || value.data + value.len > text.data + text.len))
            __builtin_trap();
        if (facts_limit(value, &n) && n != FACTS_UNLIMITED && n >> 60) __builtin_trap();
    }
}

/* ---- a tree of files */

static const char *const folders[] = {"proc", "proc/self", "proc/pressure", "proc/sys",         "proc/sys/vm",
                                      "sys",  "sys/fs",    "sys/fs/cgroup", "sys/fs/cgroup/own"};
static const char *const files[] = {"proc/meminfo",
                                    "proc/self/status",
                                    "proc/self/limits",
                                    "proc/self/stat",
                                    "proc/sys/vm/overcommit_memory",
                                    "proc/pressure/memory",
                                    "sys/fs/cgroup/memory.max",
                                    "sys/fs/cgroup/own/memory.limit_in_bytes",
                                    "sys/fs/cgroup/own/memory.max",
                                    "sys/fs/cgroup/own/memory.stat",
                                    "sys/fs/cgroup/own/memory.events",
                                    "sys/fs/cgroup/own/memory.pressure"};
#define COUNT(array) (sizeof(array) / sizeof *(array))

static char root[256];

static void remove_tree(void) {
    char path[512];
    if (chdir(root)) return;
    for (size_t i = 0; i < COUNT(files); i++) unlink(files[i]);
    unlink("proc/self/cgroup");
    unlink("proc/self/mountinfo");
    for (size_t i = COUNT(folders); i-- > 0;) rmdir(folders[i]);
    if (chdir("/")) return;
    snprintf(path, sizeof path, "%s", root);
    rmdir(path);
}

static void make_tree(void) {
    const char *tmp = getenv("LR_TEST_TMP");
    snprintf(root, sizeof root, "%s/llm-run-fuzz-XXXXXX", tmp ? tmp : "/tmp");
    if (!mkdtemp(root)) __builtin_trap();
    for (size_t i = 0; i < COUNT(folders); i++) {
        char path[512];
        snprintf(path, sizeof path, "%s/%s", root, folders[i]);
        if (mkdir(path, 0700)) __builtin_trap();
    }
    atexit(remove_tree);
}

static void write_file(const char *name, struct lr_str text) {
    char path[512];
    snprintf(path, sizeof path, "%s/%s", root, name);
    int fd =
        open(path, O_WRONLY | O_CREAT, 0600); /* cut afterwards: ext4 syncs what is cut to nothing first */
    if (fd < 0 || write(fd, text.data, text.len) != (ssize_t)text.len || ftruncate(fd, (off_t)text.len) ||
        close(fd))
        __builtin_trap();
}

/* The files take turns with the two texts; `turn` says who begins. The groups are always in the one. */
static void write_tree(struct lr_str groups, struct lr_str mounts, size_t turn) {
    write_file("proc/self/cgroup", turn < 2 ? groups : mounts);
    write_file("proc/self/mountinfo", mounts);
    for (size_t i = 0; i < COUNT(files); i++) write_file(files[i], (i + turn) % 2 ? groups : mounts);
    if (turn) write_file("proc/meminfo", LR_STR("MemTotal: 8388608 kB\nMemAvailable: 4194304 kB\n"));
}

static void look(struct watch *w) {
    struct watch_look seen;
    struct memory_info m;
    struct lr_error err;
    enum lr_status status = memory_read(root, UINT64_C(1) << 30, &m, &err);
    if (watch_look(w, &seen, &err) != status) __builtin_trap();
    if (status != LR_OK) return;
    if (seen.room != m.room || seen.budget != m.budget || seen.total != m.total ||
        seen.own_anonymous != m.own_anonymous || seen.swap_used_by_us != m.swap_used_by_us)
        __builtin_trap();
    if (m.total > m.mem_total || m.room > m.mem_available || m.room > UINT64_C(1) << 30) __builtin_trap();
    struct watch_strain strain;
    if (watch_look(w, &seen, &err) != LR_OK) __builtin_trap();
    if (watch_strain(w, &strain, &err) != LR_OK || strain.stalled > 0 || strain.limit_met)
        __builtin_trap(); /* nothing has changed */
}

static void watch_tree(struct lr_str groups, struct lr_str mounts) {
    struct watch *w;
    struct lr_error err;
    if (!root[0]) make_tree();
    write_tree(groups, mounts, 1);
    if (watch_open(root, UINT64_C(1) << 30, &w, &err) != LR_OK) __builtin_trap();
    for (size_t turn = 4; turn-- > 0;) {
        look(w);
        write_tree(groups, mounts, turn);
    }
    look(w);
    watch_close(w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct lr_str mounts = {(const char *)data, size}, groups, word;
    struct facts_cpus cpus;
    read_values(mounts);
    if (facts_cpus_parse(mounts, &cpus) != (facts_cpus_count(&cpus) > 0)) __builtin_trap();
    struct lr_str rest = mounts;
    while (facts_word(&rest, &word))
        if (!word.len) __builtin_trap();
    if (!facts_part(&mounts, '\0', &groups)) return 0;
    locate(groups, mounts, "memory");
    locate(groups, mounts, "cpu");
    locate(groups, mounts, NULL);
    watch_tree(groups, mounts);
    return 0;
}
