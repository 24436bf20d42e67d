/* userns.c - Stowage as an ordinary user: the whole cluster in a user namespace, in which he is root.
 *
 * DESIGN: the API process enters it before it has threads, and all that it starts is there too; so files of the cluster
 * have one owner for everybody who handles them, and below here nearly nothing asks who we are. The user's id is 0
 * there. Where newuidmap and newgidmap are installed and /etc/subuid and /etc/subgid give him a range of ids, these
 * follow, and images' users are real; else 0 is the only id there is, and files that an image gives to others stay his.
 *
 * Whether all of it works is tried in a child first: there are machines that grant the namespace and nothing in it, and
 * who entered one of those cannot come back. THREADS: see userns_int.h. Source: user_namespaces(7). */
#include "sys/userns_int.h"
#include "sys/machine.h"
#include "sys/proc_int.h"

#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#define RANGE_LEAST 65535 /* ids; an image's "nobody" is 65534 */

/* ---- what we are in ---- */

struct id_map {
    bool whole; /* the machine's own: every id is itself */
    uint64_t count;
};

static struct id_map remembered;

static struct id_map read_map(void)
{
    if (remembered.count)
        return remembered;
    unsigned long long inside, outside, count;
    struct id_map m = {0};
    _auto_file_ FILE *f = fopen("/proc/self/uid_map", "re");
    if (!f)
        return (struct id_map){true, UINT32_MAX}; /* a kernel without user namespaces */
    while (fscanf(f, "%llu %llu %llu", &inside, &outside, &count) == 3) {
        m.whole = inside == 0 && outside == 0 && count == UINT32_MAX;
        m.count += count;
    }
    return m;
}

void userns_remember(void)
{
    remembered = read_map();
}

bool userns_inside(void)
{
    return !read_map().whole;
}

uint64_t userns_ids(void)
{
    return read_map().count;
}

const char *userns_overlay_options(void)
{
    return userns_inside() ? ",userxattr" : "";
}

const char *userns_opaque_mark(void)
{
    return userns_inside() ? "user.overlay.opaque" : "trusted.overlay.opaque";
}

int userns_chown(int dir, const char *path, uid_t uid, gid_t gid, int flags)
{
    const int rc = fchownat(dir, path, uid, gid, flags | AT_EMPTY_PATH);
    return rc < 0 && errno == EINVAL ? 0 : rc; /* EINVAL: there is no such id here */
}

unsigned long userns_kept_flags(const char *path)
{
    static const struct {
        unsigned long seen, flag;
    } rows[] = {{ST_NODEV, MS_NODEV}, {ST_NOSUID, MS_NOSUID}, {ST_NOEXEC, MS_NOEXEC}, {ST_RDONLY, MS_RDONLY}};
    struct statvfs s;
    unsigned long flags = 0;
    if (statvfs(path, &s) < 0)
        return 0;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        flags |= s.f_flag & rows[i].seen ? rows[i].flag : 0;
    return flags;
}

/* ---- maps ---- */

/* One id of ours, under another name. Whoever has no rights may do that much. */
static int map_one(uint32_t uid, uint32_t own_uid, uint32_t gid, uint32_t own_gid)
{
    char text[64];
    snprintf(text, sizeof text, "%u %u 1", uid, own_uid);
    if (proc_write("/proc/self/uid_map", text) < 0 || proc_write("/proc/self/setgroups", "deny") < 0)
        return -1;
    snprintf(text, sizeof text, "%u %u 1", gid, own_gid);
    return proc_write("/proc/self/gid_map", text);
}

int userns_become(uint32_t uid, uint32_t gid, struct err *e)
{
    const uint32_t own_uid = geteuid(), own_gid = getegid();
    if (uid == own_uid && gid == own_gid)
        return 0;
    if (unshare(CLONE_NEWUSER) < 0 || map_one(uid, own_uid, gid, own_gid) < 0)
        return err_sys(e, errno, "setuid");
    return 0;
}

struct id_range {
    unsigned long long start, count;
};

/* "user:100000:65536", by name or by number: the first range that is large enough. */
static bool find_range(const char *file, struct id_range *out)
{
    char line[256], number[16];
    const struct passwd *own = getpwuid(geteuid());
    snprintf(number, sizeof number, "%u", geteuid());
    _auto_file_ FILE *f = fopen(file, "re");
    while (f && fgets(line, sizeof line, f)) {
        struct id_range r;
        const size_t n = strcspn(line, ":");
        if (line[n] != ':' || sscanf(line + n + 1, "%llu:%llu", &r.start, &r.count) != 2 || r.count < RANGE_LEAST)
            continue;
        line[n] = '\0';
        if (str_eq(line, number) || (own && str_eq(line, own->pw_name))) {
            *out = r;
            return true;
        }
    }
    return false;
}

static bool run_mapper(const char *tool, pid_t pid, uint32_t own, const struct id_range *r)
{
    char words[5][24];
    snprintf(words[0], sizeof words[0], "%d", (int)pid);
    snprintf(words[1], sizeof words[1], "%u", own);
    snprintf(words[2], sizeof words[2], "%llu", r->start);
    snprintf(words[3], sizeof words[3], "%llu", r->count);
    const char *const argv[] = {tool, words[0], "0", words[1], "1", "1", words[2], words[3], NULL};
    return proc_run(argv, NULL) == 0;
}

/* In a child that stays outside: gives the parent its range, once it says that it has its namespace. */
static _Noreturn void map_parent(int ready, pid_t parent)
{
    char byte;
    struct id_range uids, gids;
    const bool ranges = find_range("/etc/subuid", &uids) && find_range("/etc/subgid", &gids);
    if (!ranges || read(ready, &byte, 1) != 1)
        _exit(1);
    _exit(run_mapper("newuidmap", parent, geteuid(), &uids) && run_mapper("newgidmap", parent, getegid(), &gids) ? 0
                                                                                                                 : 1);
}

static int enter(struct err *e)
{
    int fds[2], status = 0;
    const uint32_t uid = geteuid(), gid = getegid();
    if (pipe2(fds, O_CLOEXEC) < 0)
        return err_sys(e, errno, "pipe");
    const pid_t self = getpid(), mapper = fork();
    if (mapper == 0) {
        close(fds[1]);
        map_parent(fds[0], self);
    }
    const int rc = unshare(CLONE_NEWUSER) < 0 ? err_sys(e, errno, "make a user namespace") : 0;
    const bool told = rc == 0 && write(fds[1], "", 1) == 1;
    close(fds[1]);
    while (mapper > 0 && waitpid(mapper, &status, 0) < 0 && errno == EINTR)
        ;
    close(fds[0]); /* not before: it may have ended without reading */
    if (rc < 0 || (told && mapper > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0))
        return rc;
    /* EPERM also when the first of the two maps was made: then the range is not usable. */
    return map_one(0, uid, 0, gid) < 0 ? err_sys(e, errno, "map our own user") : 0;
}

/* ---- whether ---- */

static const char *read_setting(const char *path)
{
    static char text[16];
    _auto_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    const ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    text[n > 0 ? n : 0] = '\0';
    text[strcspn(text, "\n")] = '\0';
    return text;
}

/* What forbids it, and how it is allowed. */
static const struct {
    const char *setting, *value, *advice;
} forbidders[] = {
    {"/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1",
     "AppArmor keeps user namespaces from ordinary users here: allow them (sudo sysctl -w "
     "kernel.apparmor_restrict_unprivileged_userns=0)"},
    {"/proc/sys/kernel/unprivileged_userns_clone", "0",
     "user namespaces are not for ordinary users here: allow them (sudo sysctl -w kernel.unprivileged_userns_clone=1)"},
    {"/proc/sys/user/max_user_namespaces", "0",
     "user namespaces are switched off here: allow them (sudo sysctl -w user.max_user_namespaces=10000)"},
};

static const char *advice(void)
{
    for (size_t i = 0; i < ARRAY_LEN(forbidders); i++)
        if (str_eq(read_setting(forbidders[i].setting), forbidders[i].value))
            return forbidders[i].advice;
    return "user namespaces are not allowed here";
}

/* Enters it, in a child, and does there what root can do. */
static bool try_it(void)
{
    int status = 0;
    const pid_t pid = fork();
    if (pid == 0) {
        struct err e = ERR_INIT;
        _exit(enter(&e) == 0 && unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWPID) == 0 &&
                      mount("tmpfs", "/tmp", "tmpfs", 0, NULL) == 0
                  ? 0
                  : 1);
    }
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

int machine_enter_userns(struct err *e)
{
    if (geteuid() == 0)
        return 0;
    if (!try_it())
        return err_set(e, ERR_UNSUPPORTED,
                       "containers and disks need root, or user namespaces: start Stowage with sudo; %s", advice());
    return enter(e);
}
