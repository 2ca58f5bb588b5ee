/* The parsers of the kernel's small files. The input is two texts with a NUL between them: one is also read
 * as /proc/self/cgroup, the other as /proc/self/mountinfo. */
#include "sys/cgroup.h"
#include "sys/facts.h"

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
    return 0;
}
