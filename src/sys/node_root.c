/* node_root.c - a node's root filesystem.
 *
 * /            the node's own ext4 (nodefs.img on a loop device, shown as /dev/xvda1), kept over restarts
 * /usr         overlay: the machine's /usr below (so a node shell has its tools), the node's own changes above
 * /opt/bin     stowage, which is this program; k, and kubectl where the machine has none: links to it
 * /bin …       links as on the machine, or read-only binds where the machine has directories
 * /dev         own tmpfs; disks are attached here; /proc, /sys of the node's namespaces; /run tmpfs
 * /etc         generated, minimal: nothing of the user's
 * NODE_LAYERS  image layers, read-only
 *
 * It is built below <data>/nodes/<name>/root in the node's private mount namespace and pivoted to; then the machine's
 * tree is gone from here. THREADS: none; runs once in the starting node. */
#include "sys/devices_int.h"
#include "sys/kernel_fs_int.h"
#include "sys/node_int.h"
#include "sys/ops_int.h"
#include "sys/own_fs_int.h"
#include "sys/proc_int.h"
#include "sys/userns_int.h"

#include "base/mem.h"
#include "base/str.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

/* ---- directories and links ---- */

static const struct {
    const char *path;
    mode_t mode;
} dirs[] = {
    {"etc", 0755},
    {"proc", 0555},
    {"sys", 0555},
    {"dev", 0755},
    {"run", 0755},
    {"tmp", 01777},
    {"root", 0700},
    {"home", 0755},
    {"usr", 0755},
    {"opt", 0755},
    {"mnt", 0755},
    {"srv", 0755},
    {"media", 0755},
    {"pv", 0755},
    {"data", 0755},
    {"var", 0755},
    {"var/tmp", 01777},
    {"var/log", 0755},
    {"var/lib", 0755},
    {"var/lib/stowage", 0700},
    {"var/lib/stowage/usr-upper", 0755},
    {"var/lib/stowage/usr-work", 0755},
    {"var/lib/kubelet", 0750},
    {"var/log/pods", 0755},
    {"var/log/containers", 0755},
    {"etc/kubernetes", 0755},
    {"etc/kubernetes/manifests", 0755},
    {"etc/alternatives", 0755},
    {"var/lib/containerd", 0755},
    {"var/lib/containerd/io.containerd.snapshotter.v1.overlayfs", 0755},
    {&NODE_LAYERS[1], 0755},
};

static const char *const top_links[] = {"bin", "sbin", "lib", "lib32", "lib64", "libx32"};

/* A folder of the node and no link that leads out of it. Nothing of the node runs yet that could change it. */
static bool own_folder(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* Whoever was root on this node may have left anything in its place, a link to this machine's files too: that goes. */
static int own_dir(const char *path, mode_t mode, struct err *e)
{
    if (own_folder(path))
        return 0;
    if ((unlink(path) < 0 && errno != ENOENT) || mkdir(path, mode) < 0 || chmod(path, mode) < 0)
        return err_sys(e, errno, "mkdir %s", path);
    return 0;
}

/* Parents stand before what is in them, so every path is the node's own when it is used. */
static int make_dirs(const char *root, struct err *e)
{
    char path[512];
    for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
        snprintf(path, sizeof path, "%s/%s", root, dirs[i].path);
        if (own_dir(path, dirs[i].mode, e) < 0)
            return -1;
    }
    snprintf(path, sizeof path, "%s/var/run", root);
    if (symlink("/run", path) < 0 && errno != EEXIST)
        return err_sys(e, errno, "link /var/run");
    return 0;
}

static int bind_read_only(const char *source, const char *target)
{
    if (mount(source, target, NULL, MS_BIND | MS_REC, NULL) < 0)
        return -1;
    return mount(NULL, target, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | userns_kept_flags(target), NULL);
}

/* This program as `stowage`; `k` always, and `kubectl`, which it is when called so, where the machine has none. Not
 * having them is no reason to have no node: a program that was replaced meanwhile can't be shown. */
static void add_own_programs(void)
{
    static const char *const real[] = {"/usr/local/bin/kubectl", "/usr/bin/kubectl"};
    static const char own[] = "opt/bin/stowage", *const links[] = {"opt/bin/k", "opt/bin/kubectl"};
    char self[PATH_MAX];
    const char *found = NULL;
    const ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    mkdir("opt/bin", 0755);
    if (n < 0 || !own_folder("opt") || !own_folder("opt/bin"))
        return;
    self[n] = '\0';
    for (size_t i = 0; i < ARRAY_LEN(real) && !found; i++)
        found = access(real[i], X_OK) == 0 ? real[i] : NULL;
    unlink(own);
    _auto_close_ int fd = open(own, O_CREAT | O_EXCL | O_CLOEXEC, 0755);
    const bool have = fd >= 0 && bind_read_only(self, own) == 0;
    for (size_t i = 0; i < ARRAY_LEN(links); i++) {
        const char *target = found ? found : "stowage";
        unlink(links[i]);
        if ((found ? i == 0 : have) && symlink(target, links[i]) < 0)
            unlink(links[i]);
    }
}

/* The machine's programs: /usr as an overlay (or read-only where an overlay is refused), /bin and friends as there. */
static int add_programs(const char *root, struct err *e)
{
    static const char options[] = "lowerdir=/usr,upperdir=var/lib/stowage/usr-upper,workdir=var/lib/stowage/usr-work";
    char path[512], target[256], host[32];
    if (chdir(root) < 0) /* the paths stay visible in /proc/mounts: short ones, without the user's directories */
        return err_sys(e, errno, "chdir %s", root);
    /* In a user namespace nothing could be changed: the machine's root, whose files these are, has no name there. */
    if ((userns_inside() || mount("overlay", "usr", "overlay", 0, options) < 0) && bind_read_only("/usr", "usr") < 0)
        return err_sys(e, errno, "mount /usr");
    add_own_programs();
    for (size_t i = 0; i < ARRAY_LEN(top_links); i++) {
        struct stat st;
        snprintf(host, sizeof host, "/%s", top_links[i]);
        snprintf(path, sizeof path, "%s/%s", root, top_links[i]);
        if (lstat(host, &st) < 0)
            continue;
        if (S_ISLNK(st.st_mode)) {
            const ssize_t n = readlink(host, target, sizeof target - 1);
            if (n > 0) {
                target[n] = '\0';
                if (symlink(target, path) < 0 && errno != EEXIST)
                    return err_sys(e, errno, "link /%s", top_links[i]);
            }
            continue;
        }
        if (own_dir(path, 0755, e) < 0)
            return -1;
        if (bind_read_only(host, path) < 0)
            return err_sys(e, errno, "mount /%s", top_links[i]);
    }
    return 0;
}

/* ---- /etc ---- */

static const char passwd_text[] = "root:x:0:0:root:/root:/bin/bash\n"
                                  "daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\n"
                                  "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n";
static const char group_text[] = "root:x:0:\ndaemon:x:1:\nadm:x:4:\ntty:x:5:\ndisk:x:6:\nnogroup:x:65534:\n";
static const char profile_text[] = "export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/opt/bin\n"
                                   "PS1='\\u@\\h:\\w\\$ '\n";

/* A new file, whatever was there before: never through a link. -1: it cannot be had. */
static int new_file(const char *root, const char *path, bool replace)
{
    char full[512];
    snprintf(full, sizeof full, "%s/%s", root, path);
    if (replace)
        unlink(full);
    return open(full, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
}

static void put(const char *root, const char *path, const char *text, bool replace)
{
    _auto_close_ int fd = new_file(root, path, replace);
    if (fd >= 0 && write(fd, text, strlen(text)) < 0 && ftruncate(fd, 0) < 0)
        return;
}

/* Small files of the machine that its tools need and that hold nothing of the user. */
static void copy_machine_files(const char *root)
{
    static const char *const files[] = {"/etc/os-release", "/etc/mke2fs.conf", "/etc/ld.so.cache", "/etc/localtime"};
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        char chunk[8192];
        _auto_close_ int from = open(files[i], O_RDONLY | O_CLOEXEC);
        _auto_close_ int to = from < 0 ? -1 : new_file(root, files[i] + 1, true);
        for (ssize_t n; to >= 0 && (n = read(from, chunk, sizeof chunk)) > 0;)
            if (write(to, chunk, (size_t)n) != n)
                break;
    }
}

/* Of four links three lead to manual pages, which nobody reads on a node. */
static bool of_a_manual(const char *target)
{
    return strstr(target, "/man/") != NULL;
}

static void copy_link(DIR *from, const char *name, int to)
{
    char target[512], old[512];
    const ssize_t n = readlinkat(dirfd(from), name, target, sizeof target - 1);
    if (n <= 0)
        return;
    target[n] = '\0';
    if (of_a_manual(target) || symlinkat(target, to, name) == 0 || errno != EEXIST)
        return;
    const ssize_t had = readlinkat(to, name, old, sizeof old);
    if (had == n && memcmp(old, target, (size_t)n) == 0)
        return;
    unlinkat(to, name, 0);
    if (symlinkat(target, to, name) < 0)
        return; /* one tool less */
}

/* The links through which Debian's tools find each other (awk -> mawk). Copied: a bind would show the user's disk in
 * df. The copy gets the original's time of modification, which no change of either leaves as it is: while both are the
 * same there is nothing to do, as at a node's every start but its first. */
static void copy_alternatives(int from)
{
    struct stat theirs, ours;
    _auto_close_ int to = open("/etc/alternatives", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = to < 0 ? NULL : fdopendir(from);
    if (!d)
        return;
    const bool known = fstat(from, &theirs) == 0 && fstat(to, &ours) == 0;
    const bool same = known && memcmp(&theirs.st_mtim, &ours.st_mtim, sizeof ours.st_mtim) == 0;
    for (const struct dirent *entry; !same && (entry = readdir(d));)
        copy_link(d, entry->d_name, to);
    if (known && !same)
        futimens(to, (const struct timespec[]){theirs.st_mtim, theirs.st_mtim});
    closedir(d);
}

int node_furnish_from(void)
{
    return open("/etc/alternatives", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

pid_t node_furnish(int take_from)
{
    _auto_close_ int from = take_from;
    const pid_t pid = from < 0 ? -1 : fork();
    if (pid != 0)
        return pid > 0 ? pid : 0;
    setpriority(PRIO_PROCESS, 0, 10);
    copy_alternatives(from);
    _exit(0);
}

static void write_etc(const char *root, const char *name)
{
    char text[512];
    put(root, "etc/passwd", passwd_text, false);
    put(root, "etc/group", group_text, false);
    put(root, "etc/profile", profile_text, false);
    put(root, "etc/bash.bashrc", profile_text, false);
    put(root, "etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n", false);
    put(root, "etc/shells", "/bin/sh\n/bin/bash\n", false);
    put(root, "etc/resolv.conf", "nameserver 10.96.0.10\noptions ndots:5\n", false);
    snprintf(text, sizeof text, "%s\n", name);
    put(root, "etc/hostname", text, true);
    snprintf(text, sizeof text, "127.0.0.1\tlocalhost\n127.0.1.1\t%s\n::1\tlocalhost ip6-localhost ip6-loopback\n",
             name);
    put(root, "etc/hosts", text, true);
    copy_machine_files(root);
}

/* ---- kernel filesystems ---- */

static int mount_kernel_fs(const char *root, const struct kernel_fs *fs, struct err *e)
{
    char path[512];
    snprintf(path, sizeof path, "%s/proc", root);
    _auto_close_ int sys = fs->sys;
    if (kernel_fs_place(fs->proc, AT_FDCWD, path, e) < 0)
        return -1;
    snprintf(path, sizeof path, "%s/sys", root);
    if (kernel_fs_place(TAKE_FD(sys), AT_FDCWD, path, e) < 0)
        return -1;
    snprintf(path, sizeof path, "%s/run", root);
    if (mount("tmpfs", path, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755") < 0)
        return err_sys(e, errno, "mount /run");
    snprintf(path, sizeof path, "%s/dev", root);
    unlink("/dev/loop-control");
    if (mount("/dev", path, NULL, MS_MOVE, NULL) < 0)
        return err_sys(e, errno, "move /dev");
    snprintf(path, sizeof path, "%s/dev/shm", root);
    if (mount("tmpfs", path, "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777") < 0)
        return err_sys(e, errno, "mount /dev/shm");
    return 0;
}

/* A fresh /dev over the helper's; moved into the new root later. */
static int start_dev(struct err *e)
{
    _auto_devices_ struct devices held;
    devices_hold(&held);
    if (mount("tmpfs", "/dev", "tmpfs", MS_NOSUID, "mode=0755,size=4m") < 0)
        return err_sys(e, errno, "mount /dev");
    if (!userns_inside() && mknod("/dev/loop-control", S_IFCHR | 0600, makedev(10, 237)) < 0)
        return err_sys(e, errno, "make /dev/loop-control");
    devices_show(&held, "/dev", "fuse");
    return devices_populate(&held, "/dev", e);
}

static int pivot(const char *root, struct err *e)
{
    if (chdir(root) < 0)
        return err_sys(e, errno, "chdir %s", root);
    if (syscall(SYS_pivot_root, ".", ".") < 0)
        return err_sys(e, errno, "pivot_root");
    if (umount2(".", MNT_DETACH) < 0)
        return err_sys(e, errno, "unmount the machine's root");
    return chdir("/") < 0 ? err_sys(e, errno, "chdir /") : 0;
}

int node_root_enter(const struct node_boot *boot, bool keeps_settings, struct err *e)
{
    _auto_free_ char *root = xasprintf("%s/root", boot->dir), *file = xasprintf("%s/nodefs.img", boot->dir);
    _auto_free_ char *layers = xasprintf("%s%s", root, NODE_LAYERS);
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return err_sys(e, errno, "make mounts private");
    if (sethostname(boot->name, strlen(boot->name)) < 0)
        return err_sys(e, errno, "sethostname");
    const unsigned long safe = MS_NOSUID | MS_NODEV | MS_NOEXEC;
    const struct kernel_fs_how how = {
        .proc_flags = safe, .sys_flags = safe, .settings_read_only = !keeps_settings, .locked = true};
    struct kernel_fs kernel;
    if (proc_mkdir_p(root, 0755, e) < 0 || kernel_fs_make(root, &how, &kernel, e) < 0 || start_dev(e) < 0 ||
        own_fs_mount(file, boot->nodefs_bytes, "nodefs", ROOT_DEVICE, root, e) < 0 || make_dirs(root, e) < 0)
        return -1;
    own_fs_forget();
    write_etc(root, boot->name);
    if (add_programs(root, e) < 0)
        return -1;
    if (bind_read_only(boot->images, layers) < 0)
        return err_sys(e, errno, "mount image layers");
    if (mount_kernel_fs(root, &kernel, e) < 0)
        return -1;
    if (pivot(root, e) < 0)
        return -1;
    /* As a real node's: a container that asks for it sees what is mounted here later (mountPropagation). */
    return mount(NULL, "/", NULL, MS_REC | MS_SHARED, NULL) < 0 ? err_sys(e, errno, "share the node's mounts") : 0;
}
