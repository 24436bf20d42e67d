/* fake_int.h - private to the fake machine: its rows, and the operations that live in fake_disk.c. */
#ifndef STOWAGE_SYS_FAKE_INT_H
#define STOWAGE_SYS_FAKE_INT_H

#include "sys/machine.h"

#include <pthread.h>

struct pool;

enum fake_kind { FAKE_NODE, FAKE_DISK, FAKE_SHARE, FAKE_MOUNT, FAKE_DIR, FAKE_FILE, FAKE_SANDBOX, FAKE_CONTAINER };

struct fake_row {
    struct fake_row *next;
    enum fake_kind kind;
    char *node;    /* owned; of a disk: where attached, or "" */
    char *name;    /* owned; id or path */
    char *extra;   /* owned; of a disk, or a share (a disk's next node): its device there; of a mount: its source */
    int64_t bytes; /* of a disk, node or mount */
    int fd;        /* of a file: its memory */
    mode_t mode;
    pid_t pid;        /* of a container: 0 once it ended */
    bool starved;     /* of a disk */
    unsigned content; /* of a disk: what was formatted on it, and copied with it; 0: blank */
};

struct fake {
    struct machine machine; /* first: see fake_of */
    char why[256];
    pthread_mutex_t mu; /* guards all below */
    struct fake_row *rows;
    unsigned calls, fail_in, last_pid, last_content;
    enum err_code fail_code;
    void (*on_exit)(void *arg, const struct exit_info *info);
    void *on_exit_arg;
    bool telling;            /* a callback runs */
    unsigned untold, told;   /* ends on their way; ends that arrived */
    pthread_cond_t told_one; /* told went up */
    struct pool *exits;
};

struct fake *fake_of(struct machine *m);
int fake_enter(struct fake *f, struct err *e);
int fake_leave(struct fake *f, int result);
struct fake_row *fake_find(struct fake *f, enum fake_kind kind, const char *node /* NULL = any */, const char *name);
struct fake_row *fake_add(struct fake *f, enum fake_kind kind, const char *node, const char *name);
void fake_drop(struct fake *f, struct fake_row *row);
/* Where a disk is attached; node "": nowhere. */
void fake_place(struct fake_row *disk, const char *node, const char *device);
int fake_need_node(struct fake *f, const char *node, struct err *e);

int fake_disk_create(struct machine *m, const char *id, int64_t bytes, struct err *e);
int fake_disk_grow(struct machine *m, const char *id, int64_t bytes, struct err *e);
int fake_disk_delete(struct machine *m, const char *id, struct err *e);
int fake_disk_copy(struct machine *m, const char *from, const char *to, int64_t bytes, struct err *e);
int fake_node_copy(struct machine *m, const char *node, const char *to, struct err *e);
int fake_disk_info(struct machine *m, const char *id, struct disk_info *out, struct err *e);
int fake_disk_attach(struct machine *m, const char *id, const char *node, const char *device, unsigned how,
                     struct err *e);
int fake_disk_detach(struct machine *m, const char *id, const char *node, struct err *e);
int fake_fs_mount(struct machine *m, const struct fs_mount *spec, struct err *e);
int fake_fs_grow(struct machine *m, const char *node, const char *device, const char *target, struct err *e);
int fake_bind(struct machine *m, const char *node, const char *source, const char *target, bool read_only,
              struct err *e);
int fake_bind_beneath(struct machine *m, const char *node, const char *root, const char *path, const char *target,
                      struct err *e);
int fake_tmpfs(struct machine *m, const char *node, const char *target, int64_t bytes, mode_t mode, struct err *e);
int fake_unmount(struct machine *m, const char *node, const char *target, struct err *e);
bool fake_is_mounted(struct machine *m, const char *node, const char *target);
int fake_fs_stat(struct machine *m, const char *node, const char *path, struct fs_stat *out, struct err *e);
int fake_mkdir_p(struct machine *m, const char *node, const char *path, mode_t mode, struct err *e);
int fake_remove_all(struct machine *m, const char *node, const char *path, struct err *e);
int fake_stat(struct machine *m, const char *node, const char *path, struct stat *out, struct err *e);
int fake_open(struct machine *m, const char *node, const char *path, int flags, mode_t mode, int *out_fd,
              struct err *e);
int fake_chown_tree(struct machine *m, const char *node, const char *path, uint32_t gid, bool read_only, struct err *e);
int fake_write_volume(struct machine *m, const char *node, const char *dir, const struct file_spec *files, size_t count,
                      int64_t gid, bool *out_changed, struct err *e);
int fake_disk_usage(struct machine *m, const char *node, const char *const *paths, size_t count, struct path_use *out,
                    struct err *e);

#endif
