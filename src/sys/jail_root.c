/* jail_root.c - what a script in the jail sees of the machine.
 *
 * /usr                 the machine's, read-only, no set-uid, no devices; /bin, /lib … as links or binds beside it
 * /etc                 made: a user, an empty resolver; the loader's cache and the links of alternatives
 * /home/student, /tmp  the script's own: one tmpfs of the jail's size, which is the root's, too
 * /opt/bin             programs that were named, read-only
 * /dev, /proc          the harmless devices; the jail's processes
 *
 * All of it is built in the jail's own mount namespace over a directory of the owner's, then the machine's tree is let
 * go. THREADS: none. */
#include "sys/devices_int.h"
#include "sys/jail_int.h"
#include "sys/proc_int.h"
#include "sys/userns_int.h"

#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define INODE_BYTES 4096 /* of the disk's size, one file for so many */
#define OWN_BYTES   (256 * 1024)

static const struct {
    const char *path;
    mode_t mode;
    bool users; /* the script's */
} dirs[] = {
    {"usr", 0755, false},
    {"etc", 0755, false},
    {"etc/alternatives", 0755, false},
    {"dev", 0755, false},
    {"proc", 0555, false},
    {"run", 0755, false},
    {"tmp", 01777, false},
    {"home", 0755, false},
    {&JAIL_HOME[1], 0700, true},
    {"opt", 0755, false},
    {&JAIL_PROGRAMS[1], 0755, false},
    {"var", 0755, false},
    {"var/tmp", 01777, false},
};

static const char *const top[] = {"bin", "sbin", "lib", "lib32", "lib64", "libx32"};

static int make_dirs(uid_t user, struct err *e)
{
    for (size_t i = 0; i < ARRAY_LEN(dirs); i++)
        if (mkdir(dirs[i].path, dirs[i].mode) < 0 || chmod(dirs[i].path, dirs[i].mode) < 0 ||
            (dirs[i].users && userns_chown(AT_FDCWD, dirs[i].path, user, user, 0) < 0))
            return err_sys(e, errno, "the jail's /%s", dirs[i].path);
    return 0;
}

static int show_read_only(const char *source, const char *target)
{
    static const struct {
        uint64_t set, clear, propagation, userns;
    } closed = {.set = 0x1 /* read-only */ | 0x2 /* no set-uid */ | 0x4 /* no devices */};
    if (mount(source, target, NULL, MS_BIND | MS_REC, NULL) < 0)
        return -1;
#ifdef SYS_mount_setattr
    if (syscall(SYS_mount_setattr, AT_FDCWD, target, 0x8000 /* AT_RECURSIVE */, &closed, sizeof closed) == 0)
        return 0;
#endif
    (void)closed;
    return mount(NULL, target, NULL,
                 MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV | userns_kept_flags(target), NULL);
}

static int show_usr(struct err *e)
{
    char host[32], target[256];
    struct stat st;
    if (show_read_only("/usr", "usr") < 0)
        return err_sys(e, errno, "the jail's /usr");
    for (size_t i = 0; i < ARRAY_LEN(top); i++) {
        snprintf(host, sizeof host, "/%s", top[i]);
        if (lstat(host, &st) < 0)
            continue;
        const ssize_t n = S_ISLNK(st.st_mode) ? readlink(host, target, sizeof target - 1) : -1;
        target[n > 0 ? n : 0] = '\0';
        if (n > 0 ? symlink(target, top[i]) < 0 : mkdir(top[i], 0755) < 0 || show_read_only(host, top[i]) < 0)
            return err_sys(e, errno, "the jail's /%s", top[i]);
    }
    return 0;
}

static int put(const char *path, const char *text, struct err *e)
{
    _auto_close_ int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    return fd < 0 || write(fd, text, strlen(text)) < 0 ? err_sys(e, errno, "the jail's /%s", path) : 0;
}

static int touch(const char *path)
{
    const int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    return fd < 0 ? -1 : close(fd);
}

static int make_etc(uid_t user, struct err *e)
{
    _auto_free_ char *passwd =
        xasprintf("root:x:0:0:root:/:/usr/sbin/nologin\nstudent:x:%u:%u::%s:/bin/bash\n", user, user, JAIL_HOME);
    _auto_free_ char *group = xasprintf("root:x:0:\nstudent:x:%u:\n", user);
    const char *const files[][2] = {{"etc/passwd", passwd},
                                    {"etc/group", group},
                                    {"etc/hosts", "127.0.0.1\tlocalhost\n"},
                                    {"etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\n"},
                                    {"etc/resolv.conf", ""}};
    static const char *const shown[] = {"/etc/ld.so.cache", "/etc/localtime"};
    for (size_t i = 0; i < ARRAY_LEN(files); i++)
        if (put(files[i][0], files[i][1], e) < 0)
            return -1;
    for (size_t i = 0; i < ARRAY_LEN(shown); i++) /* a machine without them does without them here, too */
        if (access(shown[i], R_OK) == 0 && touch(shown[i] + 1) == 0)
            (void)show_read_only(shown[i], shown[i] + 1);
    if (access("/etc/alternatives", R_OK) == 0 && show_read_only("/etc/alternatives", "etc/alternatives") < 0)
        return err_sys(e, errno, "the jail's /etc/alternatives");
    return 0;
}

static int show_programs(const char *const *programs, struct err *e)
{
    for (; programs && *programs; programs++) {
        const char *slash = strrchr(*programs, '/');
        _auto_free_ char *path = xasprintf("%s/%s", &JAIL_PROGRAMS[1], slash ? slash + 1 : *programs);
        if (touch(path) < 0 || show_read_only(*programs, path) < 0)
            return err_sys(e, errno, "the jail's %s", path);
    }
    return 0;
}

static int make_dev(struct err *e)
{
    static const char *const links[][2] = {{"/proc/self/fd", "dev/fd"},
                                           {"/proc/self/fd/0", "dev/stdin"},
                                           {"/proc/self/fd/1", "dev/stdout"},
                                           {"/proc/self/fd/2", "dev/stderr"},
                                           {"/tmp", "dev/shm"}};
    _auto_devices_ struct devices held = DEVICES_NONE;
    devices_hold(&held);
    if (devices_make(&held, "dev", e) < 0)
        return -1;
    for (size_t i = 0; i < ARRAY_LEN(links); i++)
        if (symlink(links[i][0], links[i][1]) < 0)
            return err_sys(e, errno, "the jail's /%s", links[i][1]);
    return 0;
}

static int leave_machine(struct err *e)
{
    if (syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
        return err_sys(e, errno, "enter the jail");
    return 0;
}

int jail_root_enter(const struct jail_conf *conf, uid_t user, struct err *e)
{
    const unsigned long safe = MS_NOSUID | MS_NODEV | MS_NOEXEC;
    const long long bytes = conf->disk_bytes + OWN_BYTES;
    char options[128];
    snprintf(options, sizeof options, "mode=0755,size=%lld,nr_inodes=%lld", bytes, bytes / INODE_BYTES + 1024);
    if (own_root(e) < 0)
        return -1;
    if (mount("tmpfs", conf->dir, "tmpfs", MS_NOSUID, options) < 0 || chdir(conf->dir) < 0)
        return err_sys(e, errno, "the jail's root");
    if (make_dirs(user, e) < 0 || show_usr(e) < 0 || make_etc(user, e) < 0 || show_programs(conf->programs, e) < 0 ||
        make_dev(e) < 0)
        return -1;
    if (mount("proc", "proc", "proc", safe, NULL) < 0)
        return err_sys(e, errno, "the jail's /proc");
    return leave_machine(e);
}
