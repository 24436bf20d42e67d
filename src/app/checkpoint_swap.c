/* checkpoint_swap.c - the files' half of a restore, and what a kill in its midst leaves.
 *
 * A restore touches a journal, disk files and the cloud's records, which no file system changes at once. So:
 *
 *     1 stage    copies of the checkpoint's bytes beside the disks ("restoring-<disk>"), nothing is replaced
 *     2 begin    restoring.json: a token, which disks there shall be, the cloud's records
 *     3 commit   the journal gets all objects and the token, in one transaction          <-- before or after: here
 *     4 swap     staged files are renamed over disks, disks that shall not be are renamed to the trash, records
 * replaced 5 end      restoring.json goes; then the trash
 *
 * After a kill the journal's mark tells: it is the token, then 4 is done (again: each rename is done or not, and what
 * was renamed has left its old name); it is not, then what was staged is removed and all is as it was before. Copying
 * is over before the commit, so after it nothing can fail for want of room.
 *
 * THREADS: one restore at a time; checkpoint_recover() before there are any. */
#include "app/checkpoint_int.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char *pending_path(const char *dir)
{
    return xasprintf("%s/restoring.json", dir);
}

int swap_begin(const char *dir, const json_t *pending, struct err *e)
{
    _auto_free_ char *path = pending_path(dir), *fresh = xasprintf("%s.new", path);
    if (json_dump_file(pending, fresh, JSON_COMPACT) == 0 && rename(fresh, path) == 0)
        return 0;
    err_sys(e, errno, "write %s", path);
    unlink(fresh);
    return -1;
}

void swap_end(const char *dir)
{
    _auto_free_ char *path = pending_path(dir);
    unlink(path);
}

/* ---- one disk: its file, and where there are no loop devices perhaps a directory beside it ---- */

static int move(const char *from, const char *to, struct err *e)
{
    return rename(from, to) < 0 && errno != ENOENT ? err_sys(e, errno, "rename %s", from) : 0;
}

static bool there(const char *path)
{
    return access(path, F_OK) == 0;
}

/* The trash has a file for each directory: a disk is known by it. What it has already stays. */
static int trash(const char *disks, const char *id, const char *file, const char *dir, struct err *e)
{
    _auto_free_ char *trash_file = xasprintf("%s/" TRASH_DISK "%s.img", disks, id);
    _auto_free_ char *trash_dir = xasprintf("%s/" TRASH_DISK "%s.d", disks, id);
    if (there(trash_file))
        return 0;
    if (there(dir) && move(dir, trash_dir, e) < 0)
        return -1;
    if (there(file))
        return move(file, trash_file, e);
    if (!there(trash_dir))
        return 0;
    _auto_close_ int fd = open(trash_file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    return fd < 0 ? err_sys(e, errno, "make %s", trash_file) : 0;
}

/* What is staged as `id` becomes `file` and `dir`. */
static int put_in_place(const char *disks, const char *id, const char *file, const char *dir, struct err *e)
{
    _auto_free_ char *staged = xasprintf("%s/" STAGED_DISK "%s.img", disks, id);
    _auto_free_ char *staged_dir = xasprintf("%s/" STAGED_DISK "%s.d", disks, id);
    const bool has_dir = there(staged_dir);
    /* Not renamed over: the kernel would write the new one out first. */
    if ((has_dir || there(staged)) && trash(disks, id, file, dir, e) < 0)
        return -1;
    if (has_dir && move(staged_dir, dir, e) < 0)
        return -1;
    return move(staged, file, e);
}

static int swap_disk(const char *disks, const char *id, struct err *e)
{
    _auto_free_ char *file = xasprintf("%s/%s.img", disks, id), *dir = xasprintf("%s/%s.d", disks, id);
    _auto_free_ char *mark = xasprintf("%s/%s.formatting", disks, id);
    unlink(mark);
    return put_in_place(disks, id, file, dir, e);
}

static int swap_node(const char *data_dir, const char *disks, const char *id, struct err *e)
{
    const char *node = id + strlen(NODE_DISK);
    _auto_free_ char *file = xasprintf("%s/nodes/%s/nodefs.img", data_dir, node);
    _auto_free_ char *dir = xasprintf("%s/nodes/%s/root", data_dir, node);
    _auto_free_ char *staged_dir = xasprintf("%s/" STAGED_DISK "%s.d", disks, id);
    _auto_free_ char *staged = xasprintf("%s/" STAGED_DISK "%s.img", disks, id);
    struct stat st;
    if (there(staged_dir)) { /* an ordinary user's */
        if (trash(disks, id, "", dir, e) < 0 || move(staged_dir, dir, e) < 0)
            return -1;
    } else if (stat(staged, &st) == 0 && st.st_size > 0) {
        return trash(disks, id, file, "", e) < 0 ? -1 : move(staged, file, e);
    }
    unlink(staged);
    return 0;
}

static int drop_others(const char *disks, const json_t *pending, struct err *e)
{
    _auto_strlist_ struct strlist all = {0};
    disks_in(disks, "", &all);
    for (size_t i = 0; i < all.len; i++) {
        const char *id = all.items[i];
        _auto_free_ char *file = xasprintf("%s/%s.img", disks, id), *dir = xasprintf("%s/%s.d", disks, id);
        if (is_cluster_disk(id) && !jarr_has(pending, "disks", id) && trash(disks, id, file, dir, e) < 0)
            return -1;
    }
    return 0;
}

int swap_files(const char *data_dir, const json_t *pending, struct err *e)
{
    _auto_free_ char *disks = xasprintf("%s/disks", data_dir);
    _auto_strlist_ struct strlist staged = {0};
    disks_in(disks, STAGED_DISK, &staged);
    for (size_t i = 0; i < staged.len; i++) {
        const char *id = staged.items[i] + strlen(STAGED_DISK);
        const bool node = str_starts(id, NODE_DISK);
        if ((node ? swap_node(data_dir, disks, id, e) : swap_disk(disks, id, e)) < 0)
            return -1;
    }
    return drop_others(disks, pending, e);
}

/* ---- after a kill ---- */

static int finish(const char *data_dir, const json_t *pending, struct err *e)
{
    _auto_free_ char *cloud = xasprintf("%s/cloud", data_dir);
    if (swap_files(data_dir, pending, e) < 0)
        return -1;
    return cloud_replace_files(cloud, json_object_get(pending, "cloud"), e);
}

int checkpoint_recover(const char *data_dir, bool ephemeral, struct err *e)
{
    _auto_free_ char *dir = xasprintf("%s/checkpoints", data_dir), *path = pending_path(dir);
    _auto_free_ char *journal = xasprintf("%s/state.db", data_dir);
    char mark[STORE_MARK_LEN] = "";
    if (ephemeral || access(path, F_OK) < 0)
        return 0;
    json_error_t at;
    _auto_json_ json_t *pending = json_load_file(path, 0, &at);
    if (!pending)
        return err_set(e, ERR_CORRUPT, "%s: %s", path, at.text);
    if (store_mark_read(journal, mark, e) < 0)
        return -1;
    if (str_eq(mark, jstr_or(pending, "token", "?")) && finish(data_dir, pending, e) < 0)
        return err_wrap(e, "bringing a restore to its end");
    swap_end(dir); /* what is still staged belongs to nobody: checkpoints_open() */
    return 0;
}
