/* user.c - from a process in the right namespaces to the user's program: terminal, identity, capabilities, directory,
 * program.
 *
 * Used by containers (first process) and exec alike, so both behave the same. Order matters: groups before uid, the
 * bounding set while we are still root, the directory as the user (a directory the user may not enter is an error, as
 * in runc). A filter that the user brings is set where runc sets it: while we may, or, where no new privileges can be
 * had, at the very end, when it need not allow what we do here. THREADS: none; the process is about to become the
 * program. */
#include "sys/container_int.h"
#include "sys/proc_int.h"
#include "sys/userns_int.h"

#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CAP(bit) (UINT64_C(1) << (bit))

/* containerd's default set. */
static const uint64_t default_caps = CAP(0) /* chown */ | CAP(1) /* dac_override */ | CAP(3) /* fowner */ |
                                     CAP(4) /* fsetid */ | CAP(5) /* kill */ | CAP(6) /* setgid */ |
                                     CAP(7) /* setuid */ | CAP(8) /* setpcap */ | CAP(10) /* net_bind_service */ |
                                     CAP(13) /* net_raw */ | CAP(18) /* sys_chroot */ | CAP(27) /* mknod */ |
                                     CAP(29) /* audit_write */ | CAP(31) /* setfcap */;

/* What no process of a cluster ever has, however privileged: these reach beyond every namespace, into the user's own
 * machine (its modules, hardware, clock, log). Its disks: refused.c. */
static const uint64_t machine_caps = CAP(16) /* sys_module */ | CAP(17) /* sys_rawio */ | CAP(25) /* sys_time */ |
                                     CAP(34) /* syslog */ | CAP(35) /* wake_alarm */ | CAP(36) /* block_suspend */ |
                                     CAP(38) /* perfmon */ | CAP(39) /* bpf */;

uint64_t user_caps(const struct container_spec *spec)
{
    if (spec->privileged)
        return UINT64_MAX;
    return (default_caps | spec->add_caps) & ~(spec->drop_caps & ~spec->add_caps);
}

void user_fill(struct user_spec *u, const struct container_spec *spec, bool limited)
{
    u->uid = spec->uid;
    u->gid = spec->gid;
    u->groups = spec->groups;
    u->group_count = spec->group_count;
    u->caps = user_caps(spec);
    u->no_new_privs = spec->no_new_privs;
    u->default_profile = spec->default_profile;
    u->filter = spec->filter;
    u->filter_len = spec->filter_len;
    if (spec->oom_score_adj > 0 || limited) /* what nothing limits is not spared either */
        u->oom_score_adj = spec->oom_score_adj;
}

int user_take_tty(uint32_t uid, struct err *e)
{
    int number, unlock = 0;
    _auto_close_ int master = open("/dev/pts/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (master < 0 || ioctl(master, TIOCSPTLCK, &unlock) < 0 || ioctl(master, TIOCGPTN, &number) < 0)
        return err_sys(e, errno, "open a terminal");
    char path[64];
    snprintf(path, sizeof path, "/dev/pts/%d", number);
    const int slave = open(path, O_RDWR | O_NOCTTY);
    if (slave < 0)
        return err_sys(e, errno, "open %s", path);
    if (fchown(slave, uid, (gid_t)-1) < 0 && errno != EPERM)
        return err_sys(e, errno, "chown %s", path);
    setsid();
    if (ioctl(slave, TIOCSCTTY, 0) < 0)
        return err_sys(e, errno, "take the terminal");
    for (int fd = 0; fd < 3; fd++)
        dup2(slave, fd);
    if (slave > 2)
        close(slave);
    return TAKE_FD(master);
}

/* ---- the program ---- */

static const char *env_get(const char *const *env, const char *name)
{
    const size_t n = strlen(name);
    for (size_t i = 0; env && env[i]; i++)
        if (strncmp(env[i], name, n) == 0 && env[i][n] == '=')
            return env[i] + n + 1;
    return NULL;
}

/* 0, or why it cannot be executed. Mode bits are looked at, as Go does: root may execute only what someone may. */
static int executable(const char *path)
{
    struct stat st;
    if (stat(path, &st) < 0)
        return errno;
    if (S_ISDIR(st.st_mode))
        return EISDIR;
    return st.st_mode & 0111 ? 0 : EACCES;
}

static char *not_executable(const char *where, const char *path, int code, int *out_code, struct err *e)
{
    *out_code = code == ENOENT || code == ENOTDIR ? 127 : 126;
    if (code == EACCES)
        err_set(e, ERR_SYS, "%sexec: \"%s\": permission denied: unknown", where, path);
    else if (code == EISDIR)
        err_set(e, ERR_SYS, "%sexec: \"%s\": is a directory: unknown", where, path);
    else
        err_set(e, ERR_SYS, "%sexec: \"%s\": stat %s: %s: unknown", where, path, path,
                code == ENOENT    ? "no such file or directory"
                : code == ENOTDIR ? "not a directory"
                                  : strerror(code));
    return NULL;
}

char *user_find_program(const struct user_spec *u, const char *where, int *out_code, struct err *e)
{
    const char *name = u->argv[0] ? u->argv[0] : "";
    if (strchr(name, '/')) {
        const int code = executable(name);
        return code ? not_executable(where, name, code, out_code, e) : xstrdup(name);
    }
    const char *path = env_get(u->env, "PATH");
    if (!path)
        path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    bool denied = false;
    while (*name && *path) {
        const size_t n = strcspn(path, ":");
        _auto_free_ char *candidate = xasprintf("%.*s/%s", (int)n, path, name);
        const int code = executable(candidate);
        if (code == 0)
            return TAKE(candidate);
        denied |= code == EACCES;
        path += n + (path[n] == ':');
    }
    *out_code = denied ? 126 : 127;
    err_set(e, ERR_SYS, "%sexec: \"%s\": %s: unknown", where, name,
            denied ? "permission denied" : "executable file not found in $PATH");
    return NULL;
}

/* ---- identity ---- */

static uint64_t caps_of_kernel(void)
{
    uint64_t all = 0;
    for (int cap = 0; cap < 64 && prctl(PR_CAPBSET_READ, cap) >= 0; cap++)
        all |= CAP(cap);
    return all;
}

static int set_caps(uint64_t caps, struct err *e)
{
    struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct now[2], data[2];
    memset(now, 0, sizeof now);
    if (syscall(SYS_capget, &head, now) < 0)
        return err_sys(e, errno, "capget");
    for (int i = 0; i < 2; i++) {
        const uint32_t wanted = (uint32_t)(caps >> (32 * i)) & now[i].permitted;
        data[i] = (struct __user_cap_data_struct){wanted, wanted, 0};
    }
    return syscall(SYS_capset, &head, data) < 0 ? err_sys(e, errno, "capset") : 0;
}

static int set_identity(const struct user_spec *u, struct err *e)
{
    gid_t groups[1024];
    size_t count = 0;
    if (userns_ids() == 1)
        return 0; /* userns_become() did what can be done */
    for (; count < u->group_count && count < ARRAY_LEN(groups); count++)
        groups[count] = u->groups[count];
    if (setgroups(count, groups) < 0)
        return err_sys(e, errno, "setgroups");
    if (setresgid(u->gid, u->gid, u->gid) < 0)
        return err_sys(e, errno, "setgid");
    if (setresuid(u->uid, u->uid, u->uid) < 0)
        return err_sys(e, errno, "setuid");
    return 0;
}

int user_become(const struct user_spec *u, struct err *e)
{
    const uint64_t kernel = caps_of_kernel(), caps = u->caps & ~machine_caps;
    for (int cap = 0; cap < 64; cap++)
        if ((kernel & CAP(cap)) && !(caps & CAP(cap)))
            prctl(PR_CAPBSET_DROP, cap);
    char score[16];
    snprintf(score, sizeof score, "%d", u->oom_score_adj);
    proc_write("/proc/self/oom_score_adj", score);
    prctl(PR_SET_KEEPCAPS, 1);
    if ((userns_ids() == 1 && userns_become(u->uid, u->gid, e) < 0) || user_refuse_calls(u, e) < 0 ||
        (!u->no_new_privs && user_set_filter(u, e) < 0) || set_identity(u, e) < 0 || set_caps(caps, e) < 0)
        return -1;
    prctl(PR_SET_KEEPCAPS, 0);
    if (u->no_new_privs)
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    const char *cwd = str_empty(u->cwd) ? "/" : u->cwd;
    if (chdir(cwd) < 0)
        return err_set(e, ERR_SYS, "chdir to cwd (\"%s\") set in config.json failed: %s: unknown", cwd,
                       errno == EACCES   ? "permission denied"
                       : errno == ENOENT ? "no such file or directory"
                                         : strerror(errno));
    return 0;
}

/* ---- environment ---- */

/* The home directory of the user in the container's /etc/passwd, or "/". Returns new. */
static char *home_of(uint32_t uid)
{
    /* The container's own file may be anything: a pipe that nobody writes must not hold up its start. */
    const int fd = open("/etc/passwd", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    struct stat st;
    FILE *f = fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? fdopen(fd, "r") : NULL;
    char line[512];
    if (!f && fd >= 0)
        close(fd);
    while (f && fgets(line, sizeof line, f)) {
        char *field[7] = {line};
        size_t n = 1;
        for (char *c = line; *c && n < ARRAY_LEN(field); c++)
            if (*c == ':') {
                *c = '\0';
                field[n++] = c + 1;
            }
        if (n == ARRAY_LEN(field) && strtoul(field[2], NULL, 10) == uid) {
            fclose(f);
            return xstrdup(*field[5] ? field[5] : "/");
        }
    }
    if (f)
        fclose(f);
    return xstrdup(uid ? "/" : "/root");
}

char **user_environment(const struct user_spec *u)
{
    struct strlist l = {0};
    char host[256] = "";
    for (size_t i = 0; u->env && u->env[i]; i++)
        strlist_add(&l, u->env[i]);
    if (!env_get(u->env, "PATH"))
        strlist_add(&l, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    if (!env_get(u->env, "HOSTNAME") && gethostname(host, sizeof host - 1) == 0)
        strlist_addf(&l, "HOSTNAME=%s", host);
    if (u->tty && !env_get(u->env, "TERM"))
        strlist_add(&l, "TERM=xterm");
    if (!env_get(u->env, "HOME")) {
        _auto_free_ char *home = home_of(u->uid);
        strlist_addf(&l, "HOME=%s", home);
    }
    l.items = xrealloc(l.items, (l.len + 1) * sizeof *l.items);
    l.items[l.len] = NULL;
    return l.items;
}
