/* cgroup.c - see cgroup_int.h: which trees of control groups this machine has, and our groups in them.
 *
 * DESIGN: a machine has one tree (v2), or one for each controller (v1), or both. Every tree that is mounted counts,
 * also those without a limit to set: a process that stands in a tree's root could mount that tree and reach what is the
 * user's own. So a container, and its node too, have a group of their own in each, and see them as the root (a cgroup
 * namespace).
 *
 *      <tree>/stowage-<hash>/helper           the helper: alive as long as this has a member
 *      <tree>/stowage-<hash>/<node>/init      the node's own processes
 *      <tree>/stowage-<hash>/<node>/<id>      a container
 *
 * What a machine does not allow is left out silently: limits are a courtesy, not a promise; `stowage doctor` tells.
 *
 * A killed cluster leaves empty groups (the kernel never removes them itself). The next one that starts, whichever it
 * is, removes those whose helper is gone. THREADS: none. Source: cgroups(7), cgroup_namespaces(7), clone(2). */
#include "sys/cgroup_int.h"
#include "sys/proc_int.h"

#include "base/mem.h"
#include "base/str.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#ifndef CLONE_INTO_CGROUP /* C libraries and kernel headers before 5.7 */
#define CLONE_INTO_CGROUP 0x200000000ULL
#endif

#define LOCK_TRIES 1000 /* × 1 ms */

char *cgroup_cluster_name(const char *data_dir)
{
    return xasprintf("stowage-%08x", str_hash32(data_dir, strlen(data_dir)));
}

/* ---- the machine's trees ---- */

struct mounted { /* a tree as it is mounted */
    char point[256];
    char options[64]; /* v1: what mounts the same tree again: "cpu,cpuacct", "name=systemd" */
    char device[32];
    bool v2;
};

/* Of the options of a mounted tree those that say which it is. */
static void keep_controllers(const char *options, char *out, size_t size)
{
    static const char *const controllers[] = {"cpuset",  "cpu",     "cpuacct", "blkio",      "memory",
                                              "devices", "freezer", "net_cls", "perf_event", "net_prio",
                                              "hugetlb", "pids",    "rdma",    "misc"};
    _auto_strlist_ struct strlist words = {0};
    strlist_split(&words, options, ',');
    *out = '\0';
    for (size_t i = 0; i < words.len; i++) {
        bool known = str_starts(words.items[i], "name=");
        for (size_t c = 0; !known && c < ARRAY_LEN(controllers); c++)
            known = str_eq(words.items[i], controllers[c]);
        const size_t n = strlen(out);
        if (known)
            snprintf(out + n, size - n, "%s%s", n ? "," : "", words.items[i]);
    }
}

/* "36 35 0:30 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory" */
static bool parse_mount(const char *line, struct mounted *out)
{
    char type[32], options[512];
    const char *rest = strstr(line, " - ");
    if (!rest || sscanf(line, "%*s %*s %31s %*s %255s", out->device, out->point) != 2 ||
        sscanf(rest, " - %31s %*s %511s", type, options) != 2)
        return false;
    out->v2 = str_eq(type, "cgroup2");
    keep_controllers(out->v2 ? "" : options, out->options, sizeof out->options);
    return out->v2 || (str_eq(type, "cgroup") && out->options[0]);
}

/* Each tree once. Returns the count. */
static size_t list_trees(struct mounted *out, size_t max)
{
    char line[2048];
    size_t count = 0;
    _auto_file_ FILE *f = fopen("/proc/self/mountinfo", "re");
    while (f && count < max && fgets(line, sizeof line, f)) {
        bool seen = !parse_mount(line, &out[count]);
        for (size_t i = 0; !seen && i < count; i++)
            seen = str_eq(out[i].device, out[count].device);
        count += !seen;
    }
    return count;
}

/* ---- whole clusters ---- */

static int remove_group(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st, (void)ftw;
    if (flag == FTW_DP)
        rmdir(path);
    return 0;
}

static void remove_in(const char *tree, const char *group)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", tree, group);
    nftw(path, remove_group, 8, FTW_DEPTH | FTW_PHYS);
}

/* From the first tree last: it is there that the dead are looked for, so what was begun and not ended is ended then. */
static void remove_everywhere(const struct mounted *trees, size_t count, const char *group)
{
    while (count-- > 0)
        remove_in(trees[count].point, group);
}

void cgroup_remove_tree(const char *group)
{
    struct mounted trees[CGROUP_TREES_MAX];
    remove_everywhere(trees, list_trees(trees, ARRAY_LEN(trees)), group);
}

/* A helper is in its group or was never there; ask the kernel to remove it, for cgroup.procs of v1 lists no process of
 * another PID namespace: to us every other cluster would look dead. */
static bool helper_lives(const char *tree, const char *cluster)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s/helper", tree, cluster);
    return rmdir(path) < 0 && errno != ENOENT;
}

/* A helper is in its group in every tree: the first tells of all. */
static void remove_stale(const struct mounted *trees, size_t count)
{
    DIR *d = count ? opendir(trees[0].point) : NULL;
    for (const struct dirent *entry; d && (entry = readdir(d));)
        if (str_starts(entry->d_name, "stowage-") && !helper_lives(trees[0].point, entry->d_name))
            remove_everywhere(trees, count, entry->d_name);
    if (d)
        closedir(d);
}

/* One cluster at a time looks for the dead and enters its own group, which looks dead until it is in. A holder that
 * hangs holds up nobody for long. Returns -1 if it was not to be had. */
static int lock_tree(const char *tree)
{
    _auto_close_ int fd = open(tree, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (int i = 0; fd >= 0 && i < LOCK_TRIES; i++) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0)
            return TAKE_FD(fd);
        nanosleep(&(struct timespec){0, 1000 * 1000}, NULL);
    }
    return -1;
}

/* ---- small things done in a group ---- */

bool cgroup_put(int dir, const char *group, const char *file, const char *text)
{
    char path[256];
    snprintf(path, sizeof path, "%s%s%s", group, *group ? "/" : "", file);
    _auto_close_ int fd = dir < 0 ? -1 : openat(dir, path, O_WRONLY | O_CLOEXEC);
    return fd >= 0 && write(fd, text, strlen(text)) > 0;
}

static void copy_setting(int from, int to, const char *file)
{
    char text[512];
    _auto_close_ int fd = openat(from, file, O_RDONLY | O_CLOEXEC);
    const ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (n <= 0)
        return;
    text[n] = '\0';
    cgroup_put(to, "", file, text);
}

/* Opens the group `name` in `parent`, making it. */
static int open_group(int parent, const char *name)
{
    if (parent < 0 || (mkdirat(parent, name, 0755) < 0 && errno != EEXIST))
        return -1;
    const int dir = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    copy_setting(parent, dir, "cpuset.cpus"); /* v1: empty in a new group, which then takes no process */
    copy_setting(parent, dir, "cpuset.mems");
    cgroup_put(dir, "", "cgroup.clone_children", "1"); /* so that those below need no copying */
    return dir;
}

static void give_controllers(int dir)
{
    static const char *const wanted[] = {"+memory", "+cpu", "+pids"};
    for (size_t i = 0; i < ARRAY_LEN(wanted); i++)
        cgroup_put(dir, "", "cgroup.subtree_control", wanted[i]);
}

static bool has_file(int dir, const char *group, const char *file)
{
    char path[256];
    snprintf(path, sizeof path, "%s%s%s", group, *group ? "/" : "", file);
    return dir >= 0 && faccessat(dir, path, F_OK, 0) == 0;
}

/* ---- a cluster's and a node's groups ---- */

static void add_tree(struct cgroups *c, const struct mounted *m, const char *cluster)
{
    _auto_close_ int root = open(m->point, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (m->v2)
        give_controllers(root);
    struct cgroup_tree t = {.dir = open_group(root, cluster), .v2 = m->v2};
    if (t.dir < 0)
        return;
    const char *slash = strrchr(m->point, '/');
    snprintf(t.name, sizeof t.name, "%.31s", slash ? slash + 1 : m->point);
    snprintf(t.options, sizeof t.options, "%s", m->options);
    c->trees[c->count++] = t;
}

/* Which tree has which controller: asked of a group, as roots do not have all files. */
static void find_controllers(struct cgroups *c, const char *group)
{
    c->v2 = false;
    c->memory = c->cpu = c->pids = c->account = c->devices = -1;
    for (size_t i = 0; i < c->count; i++) {
        const struct cgroup_tree *t = &c->trees[i];
        const struct {
            int *where;
            const char *file;
        } rows[] = {{&c->memory, t->v2 ? "memory.max" : "memory.limit_in_bytes"},
                    {&c->cpu, t->v2 ? "cpu.max" : "cpu.cfs_quota_us"},
                    {&c->pids, "pids.max"},
                    {&c->account, t->v2 ? "cpu.stat" : "cpuacct.usage"},
                    {&c->devices, "devices.deny"}};
        for (size_t r = 0; r < ARRAY_LEN(rows); r++)
            if (*rows[r].where < 0 && has_file(t->dir, group, rows[r].file))
                *rows[r].where = t->dir;
        c->v2 = c->v2 || (t->v2 && c->memory == t->dir);
    }
}

void cgroups_open(struct cgroups *c, const char *cluster)
{
    struct mounted trees[CGROUP_TREES_MAX];
    const size_t count = list_trees(trees, ARRAY_LEN(trees));
    c->count = 0;
    c->keeps_settings = false;
    for (size_t i = 0; i < count; i++)
        add_tree(c, &trees[i], cluster);
    for (size_t i = 0; i < c->count; i++)
        if (c->trees[i].v2)
            give_controllers(c->trees[i].dir);
    find_controllers(c, "");
}

void cgroups_release(struct cgroups *c)
{
    for (size_t i = 0; i < c->count; i++)
        close(c->trees[i].dir);
    c->count = 0;
}

unsigned cgroup_probe(void)
{
    static const char group[] = "stowage-probe";
    struct cgroups c;
    cgroups_open(&c, group);
    unsigned caps = c.memory >= 0 && c.cpu >= 0 && c.pids >= 0 ? CAP_CGROUP : 0;
    cgroups_make(&c, "part", &(struct cgroup_limits){0});
    caps |= cgroups_limit_devices(&c, "part", NULL, 0) ? CAP_DEVICES : 0;
    cgroups_release(&c);
    cgroup_remove_tree(group);
    return caps;
}

void cgroup_enter_helper(const char *cluster)
{
    struct cgroups c;
    struct mounted trees[CGROUP_TREES_MAX];
    const size_t count = list_trees(trees, ARRAY_LEN(trees));
    _auto_close_ int lock = count ? lock_tree(trees[0].point) : -1;
    if (lock >= 0)
        remove_stale(trees, count);
    cgroups_open(&c, cluster);
    cgroups_make(&c, "helper", &(struct cgroup_limits){0});
    cgroups_enter(&c, "helper");
    cgroups_release(&c);
}

void cgroups_enter_node(struct cgroups *c, const char *cluster, const char *node)
{
    _auto_free_ char *old = xasprintf("%s/%s", cluster, node);
    cgroup_remove_tree(old); /* of an earlier life */
    cgroups_open(c, cluster);
    for (size_t i = 0; i < c->count; i++) {
        const int dir = open_group(c->trees[i].dir, node);
        close(c->trees[i].dir);
        c->trees[i].dir = dir;
    }
    find_controllers(c, "");
    cgroups_limit_node(c, true);
    c->keeps_settings = cgroups_keep_settings(c);
    cgroups_enter(c, "");
    unshare(CLONE_NEWCGROUP);
    cgroups_make(c, "init", &(struct cgroup_limits){0});
    cgroups_enter(c, "init"); /* on v2 a group with controllers has no processes of its own */
    for (size_t i = 0; i < c->count; i++)
        if (c->trees[i].v2)
            give_controllers(c->trees[i].dir);
    find_controllers(c, "init");
}

/* ---- a container's group ---- */

void cgroups_make(const struct cgroups *c, const char *id, const struct cgroup_limits *limits)
{
    for (size_t i = 0; i < c->count; i++)
        mkdirat(c->trees[i].dir, id, 0755);
    cgroups_limit(c, id, limits);
}

/* The kernel lets a process move itself for nothing in v1's "tasks"; any other way waits for all processors. */
static void enter_tree(const struct cgroup_tree *t, const char *id)
{
    cgroup_put(t->dir, id, t->v2 ? "cgroup.procs" : "tasks", "0");
}

void cgroups_enter(const struct cgroups *c, const char *id)
{
    for (size_t i = 0; i < c->count; i++)
        enter_tree(&c->trees[i], id);
}

/* fork() into the v2 group; -1 if that is not possible here. */
static pid_t clone_into(const struct cgroups *c, const char *id, uint64_t flags)
{
    for (size_t i = 0; i < c->count; i++) {
        _auto_close_ int group = c->trees[i].v2 ? openat(c->trees[i].dir, id, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
        if (group < 0)
            continue;
        struct clone_args args = {
            .flags = flags | CLONE_INTO_CGROUP, .exit_signal = SIGCHLD, .cgroup = (uint64_t)group};
        return (pid_t)syscall(SYS_clone3, &args, sizeof args);
    }
    return -1;
}

pid_t cgroups_fork(const struct cgroups *c, const char *id, uint64_t flags)
{
    pid_t pid = clone_into(c, id, flags);
    const bool in_v2 = pid == 0;
    if (pid < 0)
        pid = proc_clone(flags);
    for (size_t i = 0; pid == 0 && i < c->count; i++)
        if (!in_v2 || !c->trees[i].v2)
            enter_tree(&c->trees[i], id);
    return pid;
}

void cgroups_remove(const struct cgroups *c, const char *id)
{
    for (size_t i = 0; i < c->count; i++)
        unlinkat(c->trees[i].dir, id, AT_REMOVEDIR);
}

/* Of any tree, as all hold the same processes. */
void cgroups_kill(const struct cgroups *c, const char *id)
{
    char path[256], line[32];
    if (c->count == 0 || cgroup_put(c->trees[0].dir, id, "cgroup.kill", "1"))
        return;
    snprintf(path, sizeof path, "%s/cgroup.procs", id);
    const int fd = openat(c->trees[0].dir, path, O_RDONLY | O_CLOEXEC);
    _auto_file_ FILE *f = fd < 0 ? NULL : fdopen(fd, "r");
    while (f && fgets(line, sizeof line, f)) {
        const long pid = strtol(line, NULL, 10);
        if (pid > 1) /* 0: of another process namespace */
            kill((pid_t)pid, SIGKILL);
    }
}
