#include "run/entries.h"

#include "base/mem.h"
#include "format/json.h"
#include "sys/file.h"

#include <unistd.h>

#define FREE_SHARE 10u /* of a disk one part in so many is left free */
#define MAX_HEADER (UINT64_C(100) << 20)
#define GIB        1073741824.0

bool entries_have_room(const char *folder, const char *what, uint64_t bytes, int level) {
    uint64_t free_bytes, all;
    if (!file_disk_space(folder, &free_bytes, &all)) return true; /* opening the file will tell */
    if (free_bytes > bytes && free_bytes - bytes >= all / FREE_SHARE) return true;
    lr_log(level, "%s not kept: %.3g GB would leave less than a tenth of %s free (%.1f of %.1f GB)", what,
           (double)bytes / GIB, folder, (double)free_bytes / GIB, (double)all / GIB);
    return false;
}

/* The header of an entry, without the length before it; NULL where it cannot be read. */
static char *read_header(const char *path, size_t *len) {
    char *head;
    uint64_t size, n = 0;
    if (file_read_head(path, 8, &head, len, &size, NULL) != LR_OK) return NULL;
    for (size_t i = 0; i < 8 && *len == 8; i++) n |= (uint64_t)(uint8_t)head[i] << (8 * i);
    lr_free(head);
    if (n == 0 || n > MAX_HEADER || file_read_head(path, n + 8, &head, len, &size, NULL) != LR_OK)
        return NULL;
    *len = *len > 8 ? *len - 8 : 0;
    memmove(head, head + 8, *len);
    return head;
}

/* The folder that an entry's metadata says it was made from, to be freed; NULL where it does not say. */
static char *read_origin(const char *path) {
    size_t len;
    struct json_doc *doc;
    struct lr_str origin = LR_STR("");
    char *own = NULL, *header = read_header(path, &len);
    if (header && json_parse(header, len, path, &doc, NULL) == LR_OK) {
        json_str(json_get(json_get(json_root(doc), "__metadata__"), "origin"), &origin);
        own = origin.len ? lr_str_dup(origin) : NULL;
        json_close(doc);
    }
    lr_free(header);
    return own;
}

/* Removes an entry whose origin is gone, or is `ours`. */
static void remove_if_orphan(const char *path, const char *ours) {
    char *origin = read_origin(path);
    bool changed = origin && ours && strcmp(origin, ours) == 0;
    if (origin && (changed || file_kind(origin) == FILE_ABSENT) && unlink(path) == 0)
        lr_log(LR_LOG_NOTE, "%s: removed, as %s %s", path, origin, changed ? "has changed" : "is gone");
    lr_free(origin);
}

void entries_remove_orphans(const char *folder, const char *prefix, const char *same, const char *origin) {
    struct file_list list;
    if (file_list_open(folder, &list, NULL) != LR_OK) return;
    for (size_t i = 0; i < list.count; i++) {
        struct lr_str name = lr_str_of(list.names[i]);
        bool entry = lr_str_starts(name, lr_str_of(prefix)) && lr_str_ends(name, LR_STR(ENTRY_SUFFIX));
        char *path = entry ? file_join(folder, list.names[i]) : NULL;
        if (path) remove_if_orphan(path, lr_str_starts(name, lr_str_of(same)) ? origin : NULL);
        lr_free(path);
    }
    file_list_close(&list);
}
