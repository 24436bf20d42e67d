/* disk_warden.c - see disk_warden.h. Disks are few and sparse files: what they really take is asked again before the
 * fastest of disks could have written what is left, between five times a second and once.
 *
 * DESIGN: an ordinary user's disks are folders, in which pods write as root of his user namespace: the warden enters
 * one as well, so that no folder is closed to it. Whoever makes a tree that can not be walked (too deep) has too much.
 */
#include "cli/disk_warden.h"

#include "base/json.h"
#include "base/mem.h"
#include "cli/local.h"
#include "sys/machine.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LOOK_MS  200
#define REST_MS  1000
#define BYTES_MS (INT64_C(4) << 20) /* what may be written in a millisecond */
#define EXCEEDED 3                  /* its exit code then */
#define TOO_MUCH (INT64_MAX / 4)

static int64_t used_below(int take_dir, dev_t dev);

/* What an entry takes, with all below it on the same filesystem. */
static int64_t used_by(int dir, const char *name, dev_t dev)
{
    struct stat st;
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || st.st_dev != dev)
        return 0;
    if (!S_ISDIR(st.st_mode))
        return (int64_t)st.st_blocks * 512;
    const int below = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (below < 0) /* it was there a moment ago: gone, or too deep for us */
        return errno == ENOENT || errno == ENOTDIR || errno == ELOOP ? 0 : TOO_MUCH;
    return used_below(below, dev);
}

static int64_t used_below(int take_dir, dev_t dev)
{
    DIR *d = fdopendir(take_dir);
    int64_t sum = d ? 0 : TOO_MUCH;
    for (const struct dirent *entry; d && sum < TOO_MUCH && (entry = readdir(d));)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            sum += used_by(dirfd(d), entry->d_name, dev);
    if (d)
        closedir(d);
    else
        close(take_dir);
    return sum;
}

static int64_t used_in(const char *path)
{
    struct stat st;
    const int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0 && fstat(fd, &st) == 0)
        return used_below(fd, st.st_dev);
    if (fd >= 0)
        close(fd);
    return 0;
}

static void rest(int64_t left)
{
    const int64_t ms = left / BYTES_MS < REST_MS ? left / BYTES_MS : REST_MS, least = ms > LOOK_MS ? ms : LOOK_MS;
    nanosleep(&(struct timespec){least / 1000, least % 1000 * 1000000}, NULL);
}

static _Noreturn void watch(const char *data_dir, int64_t bytes)
{
    _auto_json_ json_t *request = json_pack("{s:s}", "op", "down"), *answer = NULL;
    struct err e = ERR_INIT;
    machine_enter_userns(&e); /* without it there is no cluster, either */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (int64_t used; (used = used_in(data_dir)) <= bytes;)
        rest(bytes - used);
    local_call(data_dir, request, &answer, NULL, &e);
    _exit(EXCEEDED);
}

int disk_warden_start(struct disk_warden *w, const char *data_dir, int64_t bytes, struct err *e)
{
    w->pid = fork();
    if (w->pid == 0)
        watch(data_dir, bytes);
    return w->pid < 0 ? err_sys(e, errno, "fork") : 0;
}

bool disk_warden_stop(struct disk_warden *w)
{
    int status = 0;
    if (w->pid <= 0)
        return false;
    kill(w->pid, SIGKILL);
    while (waitpid(w->pid, &status, 0) < 0 && errno == EINTR)
        ;
    w->pid = 0;
    return WIFEXITED(status) && WEXITSTATUS(status) == EXCEEDED;
}
