/* cgroup.c - see cgroup_int.h.
 *
 * On v2 controllers must be enabled from the root down ("+memory +cpu" in cgroup.subtree_control of every parent); on
 * v1 each controller has a tree of its own. What a machine does not allow is left out silently: limits are a courtesy,
 * not a promise; `stowage doctor` tells.
 *
 * A killed cluster leaves empty groups (the kernel never removes them itself). The next one that starts, whichever it
 * is, removes those whose helper is gone: a living helper is a member of its cluster's group. THREADS: none. */
#include "sys/cgroup_int.h"

#include "base/mem.h"
#include "base/str.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ROOT "/sys/fs/cgroup"

static const char *const v1_trees[] = {ROOT "/memory", ROOT "/cpu", ROOT "/pids", ROOT "/cpuacct"};

static bool is_v2(void)
{
    return access(ROOT "/cgroup.controllers", F_OK) == 0;
}

char *cgroup_cluster_name(const char *data_dir)
{
    return xasprintf("stowage-%08x", str_hash32(data_dir, strlen(data_dir)));
}

static int remove_group(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st, (void)ftw;
    if (flag == FTW_DP)
        rmdir(path);
    return 0;
}

static const char *const v2_trees[] = {ROOT};

/* The trees of this machine: one a controller, or one. */
static const char *const *trees(size_t *out_count)
{
    const bool v2 = is_v2();
    *out_count = v2 ? ARRAY_LEN(v2_trees) : ARRAY_LEN(v1_trees);
    return v2 ? v2_trees : v1_trees;
}

static void remove_in(const char *tree, const char *cluster)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", tree, cluster);
    nftw(path, remove_group, 8, FTW_DEPTH | FTW_PHYS);
}

void cgroup_remove_tree(const char *cluster)
{
    size_t count = 0;
    const char *const *all = trees(&count);
    for (size_t i = 0; i < count; i++)
        remove_in(all[i], cluster);
}

static bool helper_lives(const char *tree, const char *cluster)
{
    char path[512], byte;
    snprintf(path, sizeof path, "%s/%s/helper/cgroup.procs", tree, cluster);
    _auto_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd >= 0 && read(fd, &byte, 1) == 1;
}

void cgroup_remove_stale(void)
{
    size_t count = 0;
    const char *const *all = trees(&count);
    for (size_t i = 0; i < count; i++) {
        DIR *d = opendir(all[i]);
        for (const struct dirent *entry; d && (entry = readdir(d));)
            if (str_starts(entry->d_name, "stowage-") && !helper_lives(all[i], entry->d_name))
                remove_in(all[i], entry->d_name);
        if (d)
            closedir(d);
    }
}

static bool put(int dir, const char *group, const char *file, const char *text)
{
    char path[256];
    snprintf(path, sizeof path, "%s%s%s", group, *group ? "/" : "", file);
    _auto_close_ int fd = dir < 0 ? -1 : openat(dir, path, O_WRONLY | O_CLOEXEC);
    return fd >= 0 && write(fd, text, strlen(text)) > 0;
}

static int open_group(const char *tree, const char *cluster)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", tree, cluster);
    if (mkdir(path, 0755) < 0 && errno != EEXIST)
        return -1;
    return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

void cgroups_open(struct cgroups *c, const char *cluster)
{
    *c = (struct cgroups){.v2 = is_v2(), .memory = -1, .cpu = -1, .pids = -1, .account = -1};
    if (!c->v2) {
        c->memory = open_group(v1_trees[0], cluster);
        c->cpu = open_group(v1_trees[1], cluster);
        c->pids = open_group(v1_trees[2], cluster);
        c->account = open_group(v1_trees[3], cluster);
        return;
    }
    _auto_close_ int root = open(ROOT, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    put(root, "", "cgroup.subtree_control", "+memory +cpu +pids");
    c->memory = c->cpu = c->pids = c->account = open_group(ROOT, cluster);
    put(c->memory, "", "cgroup.subtree_control", "+memory +cpu +pids");
}

/* Calls fn for each distinct tree. */
static void each_tree(const struct cgroups *c, void (*fn)(int dir, const char *id), const char *id)
{
    fn(c->memory, id);
    if (c->v2)
        return;
    fn(c->cpu, id);
    fn(c->pids, id);
    fn(c->account, id);
}

static void make_one(int dir, const char *id)
{
    if (dir >= 0)
        mkdirat(dir, id, 0755);
}

static void enter_one(int dir, const char *id)
{
    put(dir, id, "cgroup.procs", "0");
}

static void remove_one(int dir, const char *id)
{
    if (dir >= 0)
        unlinkat(dir, id, AT_REMOVEDIR);
}

void cgroups_make(const struct cgroups *c, const char *id, int64_t memory_bytes, int64_t cpu_milli)
{
    char text[64];
    each_tree(c, make_one, id);
    if (memory_bytes > 0) {
        snprintf(text, sizeof text, "%lld", (long long)memory_bytes);
        put(c->memory, id, c->v2 ? "memory.max" : "memory.limit_in_bytes", text);
        put(c->memory, id, c->v2 ? "memory.swap.max" : "memory.memsw.limit_in_bytes", c->v2 ? "0" : text);
    }
    if (cpu_milli > 0) {
        const long long quota = cpu_milli * 100 > 1000 ? (long long)cpu_milli * 100 : 1000;
        snprintf(text, sizeof text, c->v2 ? "%lld 100000" : "%lld", quota);
        put(c->cpu, id, c->v2 ? "cpu.max" : "cpu.cfs_quota_us", text);
    }
}

void cgroups_enter(const struct cgroups *c, const char *id)
{
    each_tree(c, enter_one, id);
}

void cgroup_enter_helper(const char *cluster)
{
    struct cgroups c;
    cgroups_open(&c, cluster);
    cgroups_make(&c, "helper", 0, 0);
    cgroups_enter(&c, "helper");
    const int fds[] = {c.memory, c.v2 ? -1 : c.cpu, c.v2 ? -1 : c.pids, c.v2 ? -1 : c.account};
    for (size_t i = 0; i < ARRAY_LEN(fds); i++)
        if (fds[i] >= 0)
            close(fds[i]);
}

void cgroups_remove(const struct cgroups *c, const char *id)
{
    each_tree(c, remove_one, id);
}

bool cgroups_oom_killed(const struct cgroups *c, const char *id)
{
    char path[256], text[1024];
    snprintf(path, sizeof path, "%s/%s", id, c->v2 ? "memory.events" : "memory.oom_control");
    _auto_close_ int fd = c->memory < 0 ? -1 : openat(c->memory, path, O_RDONLY | O_CLOEXEC);
    const ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (n <= 0)
        return false;
    text[n] = '\0';
    for (const char *at = strstr(text, "oom_kill "); at; at = strstr(at + 1, "oom_kill "))
        if ((at == text || at[-1] == '\n') && strtol(at + 9, NULL, 10) > 0)
            return true;
    return false;
}
