/* grants_fs_int.h - what the kernel says of the filesystems that a node has mounted: those it can make hold back
 * blocks, ext4 and xfs. Private to grants.c. */
#ifndef STOWAGE_SYS_GRANTS_FS_INT_H
#define STOWAGE_SYS_GRANTS_FS_INT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum fs_kind { FS_EXT, FS_XFS };
struct fs_seen { /* a mount of an ext2, 3 or 4, or of an xfs */
    enum fs_kind kind;
    char name[32]; /* the kernel's name of its device: "loop7", "loop7p1" */
    dev_t dev;
    const char *target; /* on the node */
};
/* Each such mount that the process sees; a filesystem may come several times. */
void fs_mounts_each(pid_t pid, void (*fn)(void *arg, const struct fs_seen *m), void *arg);

/* A path as mountinfo writes it ("\\040" is a space), made right in place. */
char *fs_unescape(char *path);

struct fs_room {
    int64_t block;    /* bytes */
    int64_t free;     /* bytes nobody has, nor was promised */
    int64_t used;     /* bytes that files and directories have */
    int64_t dirty;    /* of them: written by programs, no block yet */
    int64_t reserved; /* blocks it holds back now */
};
/* path: where the helper reaches the mount. False if it is not (any more) this device, or for an xfs a single file of
 * it. */
bool fs_room_read(const struct fs_seen *m, const char *path, struct fs_room *out);
/* Makes it hold back `blocks`; does nothing if it does so already, or is no longer there. */
void fs_reserve(const struct fs_seen *m, const char *path, const struct fs_room *room, int64_t blocks);
/* Bytes it holds back more than it would by itself: what it is said to have and may not use now. On the node. */
struct statfs;
int64_t fs_held_for_others(const char *path, const struct statfs *fs);
/* Bytes of the journal that the image has no blocks for. 0: none, or not known. */
int64_t fs_log_unwritten(const char *image);
/* Did the kernel find its metadata wrong, or could not write it, when it was mounted last? */
bool fs_has_errors(const char *image);
/* Gives the journal its blocks in the image. What cannot be had is not. */
void fs_log_allocate(const char *image);

#endif
