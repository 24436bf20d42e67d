/* datadir.c - see datadir.h.
 *
 * DESIGN: the lock is flock(2) on <data>/lock, so the kernel lets go of it whatever happens to us; the file's text
 * names the process for the message. An ephemeral directory is watched by a janitor: a forked process that does nothing
 * but wait for the end of a pipe and then removes the tree. */
#include "app/datadir.h"

#include "base/mem.h"
#include "base/str.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define EPHEMERAL "ephemeral-"

char *datadir_name(const char *path, bool ephemeral)
{
    return ephemeral ? xasprintf("%s/" EPHEMERAL "%d", path, (int)getpid()) : xstrdup(path);
}

int datadir_make(const char *path, struct err *e)
{
    _auto_free_ char *copy = xstrdup(path);
    for (char *p = copy + 1;; p++) {
        if (*p != '/' && *p != '\0')
            continue;
        char keep = *p;
        *p = '\0';
        if (mkdir(copy, 0755) < 0 && errno != EEXIST)
            return err_sys(e, errno, "make the data directory %s (choose another with --data)", path);
        *p = keep;
        if (keep == '\0')
            return 0;
    }
}

static int lock_it(const char *path, struct err *e)
{
    _auto_free_ char *file = xasprintf("%s/lock", path);
    _auto_close_ int fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_sys(e, errno, "open %s (choose another data directory with --data)", file);
    char text[32] = "";
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        ssize_t n = read(fd, text, sizeof text - 1);
        text[n > 0 ? n : 0] = '\0';
        return err_set(
            e, ERR_BUSY,
            "the data directory %s is in use by process %s (stop it with `stowage down --data %s`, or choose another "
            "with --data)",
            path, *text ? text : "?", path);
    }
    int n = snprintf(text, sizeof text, "%d", (int)getpid());
    if (ftruncate(fd, 0) < 0 || pwrite(fd, text, (size_t)n, 0) != n)
        return err_sys(e, errno, "write %s", file);
    return TAKE_FD(fd);
}

static int remove_entry(const char *path, const struct stat *st _unused_, int flag _unused_, struct FTW *ftw _unused_)
{
    remove(path);
    return 0;
}

static void remove_tree(const char *path)
{
    nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

/* The janitor's whole life. */
static _Noreturn void janitor(int pipe_end, const char *path)
{
    char c;
    prctl(PR_SET_NAME, "stowage-janitor");
    setsid();
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    dup2(pipe_end, 0); /* and nothing else: whoever waits for the end of another descriptor must not wait for us */
    close_range(1, ~0U, 0);
    while (read(0, &c, 1) < 0 && errno == EINTR)
        ;
    for (int i = 0; i < 50; i++) { /* the kernel may need a moment to take the mounts down */
        remove_tree(path);
        if (access(path, F_OK) < 0)
            break;
        usleep(20000);
    }
    _exit(0);
}

static int start_janitor(const char *path, struct err *e)
{
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) < 0)
        return err_sys(e, errno, "pipe");
    pid_t pid = fork();
    if (pid < 0) {
        close(fds[0]);
        close(fds[1]);
        return err_sys(e, errno, "fork");
    }
    if (pid == 0) {
        close(fds[1]);
        janitor(fds[0], path);
    }
    close(fds[0]);
    return fds[1];
}

/* Was it locked once, and is it no longer? (The owner writes the file after it has the lock.) */
static bool abandoned(const char *dir)
{
    struct stat st;
    struct err e = ERR_INIT;
    _auto_free_ char *file = xasprintf("%s/lock", dir);
    if (stat(file, &st) < 0 || st.st_size == 0)
        return false;
    _auto_close_ int lock = lock_it(dir, &e);
    return lock >= 0;
}

/* Removes ephemeral directories whose cluster and janitor were both killed. */
static void sweep(const char *path)
{
    DIR *dir = opendir(path);
    for (const struct dirent *entry; dir && (entry = readdir(dir));) {
        _auto_free_ char *own = xasprintf("%s/%s", path, entry->d_name);
        if (str_starts(entry->d_name, EPHEMERAL) && abandoned(own))
            remove_tree(own);
    }
    if (dir)
        closedir(dir);
}

int datadir_open(const char *path, bool ephemeral, struct datadir *out, struct err *e)
{
    struct datadir d = {.lock = -1, .janitor = -1};
    d.path = datadir_name(path, ephemeral);
    if (ephemeral)
        sweep(path);
    int rc = datadir_make(d.path, e);
    if (rc == 0 && ephemeral)
        rc = d.janitor = start_janitor(d.path, e);
    if (rc >= 0)
        rc = d.lock = lock_it(d.path, e);
    if (rc < 0) {
        datadir_close(&d);
        return -1;
    }
    *out = d;
    return 0;
}

void datadir_close(struct datadir *d)
{
    if (d->lock >= 0)
        close(d->lock);
    if (d->janitor >= 0) {
        remove_tree(d->path);
        close(d->janitor);
    }
    free(d->path);
    *d = (struct datadir){.lock = -1, .janitor = -1};
}
