/* kernel_fs.c - /proc and /sys of a node or a container: what in them belongs to the one machine is covered, for good.
 *
 * WHAT: root in a container owns the files of /proc as root outside does: /proc/sysrq-trigger reboots the user's
 * machine, /sys unbinds its drivers. So /sys is read-only to everybody, and files of the machine lie below an empty
 * file or directory that cannot be written. That is what "privileged" means here: inside the node only.
 *
 * DESIGN: who may mount could take a cover off. The kernel has a lock for this: mounts that come from a mount namespace
 * of another user namespace cannot be taken apart (mount_namespaces(7), "Restrictions on mount namespaces"): no cover
 * is unmounted or moved, no /proc is bound without its covers, none gets lost with a namespace or a lazy umount, and
 * read-only stays. So the trees are built on a stage, and a child in a user namespace of its own, with a copy of our
 * mounts, mounts them once more at a place that it shares with us: what arrives here is locked.
 *
 *      stage/tree/{proc,sys}   built here                         stage/lock   the shared place
 *      child: copy of the namespace; tree bound over lock --propagates--> lock/{proc,sys}, locked --clone--> result
 *
 * That a new /proc is mounted is seen to by mount_guard.c. Without user namespaces the covers are there, not locked.
 * An ordinary user's cluster is inside one, and its root is nobody to the machine's files: there covers are what the
 * runtime's default asks for, and no more, as the kernel gives a new /proc only to who sees a whole one.
 *
 * The filesystems of covers have no size ("size=0k": no limit), so that df leaves them out.
 *
 * THREADS: none; single-threaded processes only. When you add a file of the machine: a row of covered[] (it has nothing
 * to say to a cluster) or read_only[]. */
#include "sys/kernel_fs_int.h"
#include "sys/chan.h"
#include "sys/ops_int.h"
#include "sys/proc_int.h"
#include "sys/userns_int.h"

#include "base/mem.h"
#include "base/str.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* C libraries before 2.36 know neither the calls nor their flags. */
enum { TREE_CLONE = 1, TREE_RECURSIVE = 0x8000, FROM_EMPTY_PATH = 4, TO_EMPTY_PATH = 0x40 };

#define PATH_ROOM 512

static const char *const covered[] = {"proc/acpi",
                                      "proc/asound",
                                      "proc/dynamic_debug",
                                      "proc/kcore",
                                      "proc/key-users",
                                      "proc/keys",
                                      "proc/kmsg",
                                      "proc/kpagecgroup",
                                      "proc/kpagecount",
                                      "proc/kpageflags",
                                      "proc/latency_stats",
                                      "proc/mtrr",
                                      "proc/sched_debug",
                                      "proc/scsi",
                                      "proc/sys/fs/binfmt_misc",
                                      "proc/timer_list",
                                      "proc/timer_stats",
                                      "proc/sysrq-trigger",
                                      "sys/firmware",
                                      "sys/fs/bpf",
                                      "sys/fs/pstore",
                                      "sys/kernel/debug",
                                      "sys/kernel/security",
                                      "sys/kernel/tracing",
                                      "sys/power",
                                      "sys/kernel/config",
                                      "sys/devices/virtual/powercap",
                                      "sys/kernel/reboot",
                                      "sys/kernel/boot_params"};

static const char *const read_only[] = {
    "proc/bus",
    "proc/fs",
    "proc/irq",
    "proc/sys/kernel/core_pattern",
    "proc/sys/kernel/hotplug",
    "proc/sys/kernel/modprobe",
    "proc/sys/kernel/poweroff_cmd",
    "proc/sys/kernel/sysrq",
};

/* Settings that labs write ("echo never >…"): the container has files of its own there. */
static const char *const copied[] = {"sys/kernel/mm/transparent_hugepage"};

/* ---- covers ---- */

static int make_read_only(const char *path)
{
    if (mount(path, path, NULL, MS_BIND | MS_REC, NULL) < 0)
        return errno == ENOENT ? 0 : -1;
    return mount(NULL, path, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
}

static int cover(const char *stage, const char *path)
{
    const unsigned long flags = MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC;
    char nothing[PATH_ROOM];
    struct stat st;
    if (fstatat(AT_FDCWD, path, &st, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) < 0)
        return errno == ENOENT ? 0 : -1;
    if (S_ISDIR(st.st_mode))
        return mount("tmpfs", path, "tmpfs", flags, "size=0k,nr_inodes=2,mode=555");
    snprintf(nothing, sizeof nothing, "%s/nothing", stage);
    if (mount(nothing, path, NULL, MS_BIND, NULL) < 0)
        return -1;
    return mount(NULL, path, NULL, MS_BIND | MS_REMOUNT | flags, NULL);
}

/* All settings but those of the network, which has a namespace. */
static int settings_read_only(const char *tree)
{
    char all[PATH_ROOM], net[PATH_ROOM];
    snprintf(all, sizeof all, "%s/proc/sys", tree);
    snprintf(net, sizeof net, "%s/proc/sys/net", tree);
    if (mount(net, net, NULL, MS_BIND, NULL) < 0)
        return -1;
    return make_read_only(all);
}

static int cover_all(const char *stage, const char *tree, const struct kernel_fs_how *how, struct err *e)
{
    char path[PATH_ROOM];
    if (how->default_covers && !how->skip_proc) {
        snprintf(path, sizeof path, "%s/proc/sys", tree);
        if (make_read_only(path) < 0)
            return err_sys(e, errno, "make %s read-only", path);
    } else if (how->settings_read_only && !how->skip_proc && settings_read_only(tree) < 0) {
        return err_sys(e, errno, "make settings read-only");
    }
    for (size_t i = 0; i < ARRAY_LEN(covered); i++) {
        snprintf(path, sizeof path, "%s/%s", tree, covered[i]);
        if (cover(stage, path) < 0)
            return err_sys(e, errno, "cover %s", covered[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(read_only); i++) {
        snprintf(path, sizeof path, "%s/%s", tree, read_only[i]);
        if (make_read_only(path) < 0)
            return err_sys(e, errno, "make %s read-only", read_only[i]);
    }
    return 0;
}

/* ---- copies ---- */

static void copy_file(int from_dir, int to_dir, const char *name)
{
    char text[4096];
    struct stat st;
    _auto_close_ int from = openat(from_dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (from < 0 || fstat(from, &st) < 0 || !S_ISREG(st.st_mode))
        return;
    const ssize_t n = read(from, text, sizeof text);
    _auto_close_ int to = openat(to_dir, name, O_WRONLY | O_CREAT | O_CLOEXEC, st.st_mode & 0777);
    if (n > 0 && to >= 0 && write(to, text, (size_t)n) < 0)
        unlinkat(to_dir, name, 0);
}

/* The directory's files, in memory; what lies deeper is left out. */
static void own_copy(const char *path)
{
    _auto_close_ int from = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (from < 0 ||
        mount("tmpfs", path, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "size=0k,nr_inodes=16,mode=755") < 0)
        return;
    _auto_close_ int to = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fdopendir(fcntl(from, F_DUPFD_CLOEXEC, 0));
    for (const struct dirent *entry; d && (entry = readdir(d));)
        copy_file(from, to, entry->d_name);
    if (d)
        closedir(d);
}

/* ---- building ---- */

static int mount_groups(const char *at, const struct kernel_fs_how *how, struct err *e)
{
    const unsigned long safe = MS_NOSUID | MS_NODEV | MS_NOEXEC;
    const unsigned long flags = safe | MS_RELATIME | (how->groups_read_only ? MS_RDONLY : 0);
    const struct cgroups *groups = how->groups;
    if (!groups || groups->count == 0)
        return 0;
    if (groups->count == 1 && groups->trees[0].v2)
        return mount("cgroup", at, "cgroup2", flags, NULL) < 0 ? err_sys(e, errno, "mount control groups") : 0;
    if (mount("tmpfs", at, "tmpfs", safe, "mode=755") < 0)
        return err_sys(e, errno, "mount %s", at);
    for (size_t i = 0; i < groups->count; i++) {
        const struct cgroup_tree *t = &groups->trees[i];
        char path[PATH_ROOM];
        snprintf(path, sizeof path, "%s/%s", at, t->name);
        if ((mkdir(path, 0755) < 0 && errno != EEXIST) ||
            mount("cgroup", path, t->v2 ? "cgroup2" : "cgroup", flags, t->v2 ? NULL : t->options) < 0)
            return err_sys(e, errno, "mount control groups %s", t->name);
    }
    return 0;
}

static int build(const char *stage, const char *tree, const struct kernel_fs_how *how, struct err *e)
{
    char proc[PATH_ROOM], sys[PATH_ROOM], groups[PATH_ROOM];
    snprintf(proc, sizeof proc, "%s/proc", tree);
    snprintf(sys, sizeof sys, "%s/sys", tree);
    snprintf(groups, sizeof groups, "%s/fs/cgroup", sys);
    if (!how->skip_proc &&
        (mkdir(proc, 0555) < 0 || mount("proc", proc, "proc", how->proc_flags, how->proc_options) < 0))
        return err_sys(e, errno, "mount /proc");
    /* Read-only here, not as a whole: in a user namespace nobody could mount it otherwise below. */
    if (!how->skip_sys && (mkdir(sys, 0555) < 0 || mount("sysfs", sys, "sysfs", how->sys_flags, NULL) < 0 ||
                           mount(NULL, sys, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY | how->sys_flags, NULL) < 0))
        return err_sys(e, errno, "mount /sys");
    if (!how->skip_sys && mount_groups(groups, how, e) < 0)
        return -1;
    if (userns_inside() && !how->default_covers)
        return 0;
    for (size_t i = 0; !how->skip_sys && !how->default_covers && i < ARRAY_LEN(copied); i++) {
        char path[PATH_ROOM];
        snprintf(path, sizeof path, "%s/%s", tree, copied[i]);
        own_copy(path);
    }
    return cover_all(stage, tree, how, e);
}

/* ---- the lock ---- */

/* The child: offers a shared place, and mounts the tree there once it is in our namespace, too. */
static _Noreturn void lock_child(const char *tree, const char *lock, int sock)
{
    struct err e = ERR_INIT;
    _auto_msg_ struct msg go = MSG_INIT;
    if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0 || mount(lock, lock, NULL, MS_BIND, NULL) < 0 ||
        mount(NULL, lock, NULL, MS_SHARED, NULL) < 0)
        _exit(1);
    const int place = (int)syscall(SYS_open_tree, AT_FDCWD, lock, TREE_CLONE | O_CLOEXEC);
    if (place < 0 || chan_send(sock, 0, MSG_HELLO, NULL, &place, 1, &e) < 0 || chan_recv(sock, &go) != 1)
        _exit(2);
    _exit(mount(tree, lock, NULL, MS_BIND | MS_REC, NULL) < 0 ? 3 : 0);
}

/* False: this machine does not let us; nothing has changed then. */
static bool lock_tree(const char *tree, const char *lock)
{
    struct err e = ERR_INIT;
    int pair[2], status = -1;
    _auto_msg_ struct msg m = MSG_INIT;
    if (chan_pair(pair, &e) < 0)
        return false;
    const pid_t pid = fork();
    if (pid == 0)
        lock_child(tree, lock, pair[1]);
    close(pair[1]);
    const bool placed = pid > 0 && chan_recv(pair[0], &m) == 1 &&
                        syscall(SYS_move_mount, m.fds[0], "", AT_FDCWD, lock, FROM_EMPTY_PATH) == 0;
    const bool told = placed && chan_send(pair[0], 0, MSG_HELLO, NULL, NULL, 0, &e) == 0;
    close(pair[0]);
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    /* From here on it is ours alone. */
    return told && status == 0 && mount(NULL, lock, NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

static int take(const char *from, const char *name, struct err *e)
{
    char path[PATH_ROOM];
    snprintf(path, sizeof path, "%s/%s", from, name);
    const int fd = (int)syscall(SYS_open_tree, AT_FDCWD, path, TREE_CLONE | TREE_RECURSIVE | O_CLOEXEC);
    return fd < 0 ? err_sys(e, errno, "take %s", name) : fd;
}

static int make_on(const char *stage, const struct kernel_fs_how *how, struct kernel_fs *out, struct err *e)
{
    char tree[PATH_ROOM], lock[PATH_ROOM], nothing[PATH_ROOM];
    snprintf(tree, sizeof tree, "%s/tree", stage);
    snprintf(lock, sizeof lock, "%s/lock", stage);
    snprintf(nothing, sizeof nothing, "%s/nothing", stage);
    _auto_close_ int file = open(nothing, O_WRONLY | O_CREAT | O_CLOEXEC, 0444);
    if (file < 0 || mkdir(tree, 0755) < 0 || mkdir(lock, 0755) < 0 || mount(tree, tree, NULL, MS_BIND, NULL) < 0)
        return err_sys(e, errno, "prepare %s", stage);
    if (build(stage, tree, how, e) < 0)
        return -1;
    const char *from = how->locked && !userns_inside() && lock_tree(tree, lock) ? lock : tree;
    _auto_close_ int proc = how->skip_proc ? -1 : take(from, "proc", e);
    const int sys = how->skip_sys ? -1 : take(from, "sys", e);
    if (e->code != ERR_OK)
        return -1;
    *out = (struct kernel_fs){TAKE_FD(proc), sys};
    return 0;
}

int kernel_fs_make(const char *stage, const struct kernel_fs_how *how, struct kernel_fs *out, struct err *e)
{
    if (mount("tmpfs", stage, "tmpfs", MS_NOSUID | MS_NODEV, "size=0k,mode=755") < 0)
        return err_sys(e, errno, "mount %s", stage);
    const int rc = make_on(stage, how, out, e);
    umount2(stage, MNT_DETACH);
    return rc;
}

int kernel_fs_place(int tree, int dir, const char *path, struct err *e)
{
    _auto_close_ int taken = tree;
    const unsigned flags = FROM_EMPTY_PATH | (*path ? 0 : TO_EMPTY_PATH);
    if (syscall(SYS_move_mount, taken, "", dir, path, flags) < 0)
        return err_sys(e, errno, "mount %s", *path ? path : "the kernel's files");
    return 0;
}
