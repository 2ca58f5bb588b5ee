/* lfs.h - recognises a Git LFS pointer: the note of some 130 bytes that a clone without LFS leaves where a
 * large file should be. */
#ifndef LR_FORMAT_LFS_H
#define LR_FORMAT_LFS_H

#include "base/error.h"
#include "base/str.h"

#define LFS_MAX_POINTER 1024u /* bytes that a pointer has at most, by its specification */

/* LR_EMODEL, with the command that fetches the file, where the `head` of the file at `path` is a pointer. */
enum lr_status lfs_check(struct lr_str head, const char *path, struct lr_error *err);
/* The same for the file itself; larger files are passed without being read. */
enum lr_status lfs_check_file(const char *path, struct lr_error *err);

#endif
