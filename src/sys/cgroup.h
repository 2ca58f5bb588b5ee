/* cgroup.h - which control groups we are in, and where their files stand: v1 and v2, from our own group up to
 * the topmost that is mounted. Used by memory (limits) and cpu (quotas). */
#ifndef LR_SYS_CGROUP_H
#define LR_SYS_CGROUP_H

#include "base/error.h"
#include "base/str.h"

/* A hierarchy that we are in: the folder it is mounted on and our own group's path below that ("" or "/..."),
 * both without the fixture's root. */
struct cgroup_place {
    struct lr_buf mount, below;
};

/* Finds the place from the texts of /proc/self/cgroup and /proc/self/mountinfo; `controller` is that of a v1
 * hierarchy ("memory"), NULL means v2. What is not mounted, or where we have no group, leaves both empty. A
 * group outside of what is mounted (a container's own view, paths with "..") is placed at the mount itself,
 * which is then the nearest that can be seen. LR_EMEMORY only. */
enum lr_status cgroup_locate(struct lr_str groups, struct lr_str mounts, const char *controller,
                             struct cgroup_place *out, struct lr_error *err);
void cgroup_place_free(struct cgroup_place *place);

/* Looks at one group, whose files stand in `folder`. */
typedef enum lr_status cgroup_fn(void *ctx, const char *folder, struct lr_error *err);
/* Calls `fn` for our own group and each of its ancestors, bottom up, in the hierarchy of `controller` (NULL:
 * v2) as found below `root` ("" for the machine itself). Folders that are not there are handed out too. The
 * first failure of `fn` ends it. */
enum lr_status cgroup_walk(const char *root, const char *controller, cgroup_fn *fn, void *ctx,
                           struct lr_error *err);

#endif
