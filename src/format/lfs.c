#include "format/lfs.h"

#include "base/mem.h"
#include "sys/file.h"

#include <stdio.h>

enum lr_status lfs_check(struct lr_str head, const char *path, struct lr_error *err) {
    if (!lr_str_starts(head, LR_STR("version https://git-lfs.github.com/spec/"))) return LR_OK;
    const char *slash = strrchr(path, '/');
    int folder = slash ? (int)(slash - path) : 1;
    return lr_fail(err, LR_EMODEL,
                   "%s is a Git LFS pointer, not the file itself; fetch it with: git -C '%.*s' lfs pull",
                   path, folder, slash ? path : ".");
}

enum lr_status lfs_check_file(const char *path, struct lr_error *err) {
    char *data;
    size_t len;
    uint64_t size;
    LR_TRY(file_read_head(path, LFS_MAX_POINTER, &data, &len, &size, err));
    enum lr_status status = size > LFS_MAX_POINTER ? LR_OK : lfs_check((struct lr_str){data, len}, path, err);
    lr_free(data);
    return status;
}
