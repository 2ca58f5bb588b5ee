#include "sys/cgroup.h"

#include "sys/facts.h"

/* The fields of a mountinfo line that matter here, still escaped. */
struct mount {
    struct lr_str root, point, type, options;
};

/* "id parent device root point options [optional ...] - type source super-options", proc(5). */
static bool parse_mount(struct lr_str line, struct mount *out) {
    struct lr_str word;
    for (int i = 0; i < 6; i++) {
        if (!facts_word(&line, &word)) return false;
        if (i == 3) out->root = word;
        if (i == 4) out->point = word;
    }
    do {
        if (!facts_word(&line, &word)) return false;
    } while (!lr_str_is(word, "-"));
    struct lr_str source;
    return lr_str_starts(out->point, LR_STR("/")) && facts_word(&line, &out->type) &&
           facts_word(&line, &source) && facts_word(&line, &out->options);
}

/* Whether `word` is one of the parts of a list "a,b,c". */
static bool list_has(struct lr_str list, const char *word) {
    struct lr_str part;
    while (facts_part(&list, ',', &part))
        if (lr_str_is(part, word)) return true;
    return false;
}

static bool mount_serves(const struct mount *m, const char *controller) {
    if (!controller) return lr_str_is(m->type, "cgroup2");
    return lr_str_is(m->type, "cgroup") && list_has(m->options, controller);
}

/* Our own group's path: the rest of the line "id:controllers:path" of the hierarchy; cgroups(7). */
static bool own_group(struct lr_str groups, const char *controller, struct lr_str *path) {
    struct lr_str line, id, controllers;
    while (facts_line(&groups, &line)) {
        if (!facts_part(&line, ':', &id) || !facts_part(&line, ':', &controllers)) continue;
        bool ours = controller ? list_has(controllers, controller) : lr_str_is(id, "0") && !controllers.len;
        if (!ours || !lr_str_starts(line, LR_STR("/"))) continue;
        *path = line;
        return true;
    }
    return false;
}

static bool is_octal(char c) {
    return c >= '0' && c <= '7';
}

/* Appends `s` with its \ooo resolved. */
static int append_unescaped(struct lr_buf *out, struct lr_str s) {
    for (size_t i = 0; i < s.len; i++) {
        char c = s.data[i];
        if (c == '\\' && i + 3 < s.len && is_octal(s.data[i + 1]) && is_octal(s.data[i + 2]) &&
            is_octal(s.data[i + 3])) {
            c = (char)((s.data[i + 1] - '0') * 64 + (s.data[i + 2] - '0') * 8 + (s.data[i + 3] - '0'));
            i += 3;
        }
        if (c && lr_buf_append_char(out, c)) return -1;
    }
    return 0;
}

/* The part of `path` below `root`: "" for root itself. False when it is not below, or leads out by "..". */
static bool path_below(struct lr_str path, struct lr_str root, struct lr_str *below) {
    if (lr_str_is(root, "/")) root.len = 0;
    if (!lr_str_starts(path, root)) return false;
    *below = lr_str_from(path, root.len);
    if (below->len && below->data[0] != '/') return false;
    if (lr_str_is(*below, "/")) below->len = 0;
    struct lr_str rest = *below, part;
    while (facts_part(&rest, '/', &part))
        if (lr_str_is(part, "..")) return false;
    return true;
}

/* Takes the mount as the place, if it is better than what `out` holds: it must show our group, and of those
 * that do, the one with the shortest root shows the most ancestors. `*shown` is the length of the root of the
 * mount taken so far, SIZE_MAX while our group has not been seen. Nonzero when memory is refused. */
static int consider_mount(const struct mount *m, struct lr_str group, size_t *shown,
                          struct cgroup_place *out) {
    struct lr_buf root = {0};
    struct lr_str below = {0};
    int rc = append_unescaped(&root, m->root);
    bool shows = !rc && path_below(group, lr_buf_str(&root), &below);
    size_t len = root.len;
    lr_buf_free(&root);
    if (rc || (shows ? len >= *shown : out->mount.len > 0)) return rc;
    cgroup_place_free(out);
    if (shows) *shown = len;
    if (append_unescaped(&out->mount, m->point)) return -1;
    return lr_buf_append_str(&out->below, shows ? below : LR_STR(""));
}

enum lr_status cgroup_locate(struct lr_str groups, struct lr_str mounts, const char *controller,
                             struct cgroup_place *out, struct lr_error *err) {
    *out = (struct cgroup_place){0};
    struct lr_str group, line;
    struct mount m;
    size_t shown = SIZE_MAX;
    if (!own_group(groups, controller, &group)) return LR_OK;
    while (facts_line(&mounts, &line)) {
        if (!parse_mount(line, &m) || !mount_serves(&m, controller)) continue;
        if (!consider_mount(&m, group, &shown, out)) continue;
        cgroup_place_free(out);
        return lr_fail_memory(err, "the control group's path", group.len);
    }
    return LR_OK;
}

void cgroup_place_free(struct cgroup_place *place) {
    lr_buf_free(&place->mount);
    lr_buf_free(&place->below);
}

static enum lr_status find_place(const char *root, const char *controller, struct cgroup_place *place,
                                 struct lr_error *err) {
    struct lr_buf groups, mounts = {0};
    *place = (struct cgroup_place){0};
    LR_TRY(facts_read(root, "proc/self/cgroup", &groups, err));
    enum lr_status status = facts_read(root, "proc/self/mountinfo", &mounts, err);
    if (status == LR_OK)
        status = cgroup_locate(lr_buf_str(&groups), lr_buf_str(&mounts), controller, place, err);
    lr_buf_free(&groups);
    lr_buf_free(&mounts);
    return status;
}

/* Calls `fn` for `path` and its parents, down to a length of `top`. */
static enum lr_status walk_up(struct lr_buf *path, size_t top, cgroup_fn *fn, void *ctx,
                              struct lr_error *err) {
    for (;;) {
        LR_TRY(fn(ctx, path->data, err));
        if (path->len <= top) return LR_OK;
        do path->len--;
        while (path->len > top && path->data[path->len] != '/');
        path->data[path->len] = '\0';
    }
}

enum lr_status cgroup_walk(const char *root, const char *controller, cgroup_fn *fn, void *ctx,
                           struct lr_error *err) {
    struct cgroup_place place;
    LR_TRY(find_place(root, controller, &place, err));
    enum lr_status status = LR_OK;
    if (place.mount.len) {
        struct lr_buf path = {0};
        if (lr_buf_printf(&path, "%s%s%s", root, place.mount.data, place.below.data))
            status = lr_fail_memory(err, "the control group's path", place.mount.len);
        else
            status = walk_up(&path, strlen(root) + place.mount.len, fn, ctx, err);
        lr_buf_free(&path);
    }
    cgroup_place_free(&place);
    return status;
}
