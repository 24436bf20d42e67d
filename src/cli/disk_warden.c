/* disk_warden.c - see disk_warden.h. Disks are few and sparse files: what they really take is asked several times a
 * second, which costs nothing beside what fills them. */
#include "cli/disk_warden.h"

#include "base/json.h"
#include "base/mem.h"
#include "cli/local.h"

#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LOOK_NS  200000000
#define DEPTH    8 /* descriptors that nftw() may have open */
#define EXCEEDED 3 /* its exit code then */

static int64_t seen; /* of the walk under way: nftw() has no argument for it */

static int add_file(const char *path _unused_, const struct stat *st, int flag, struct FTW *ftw _unused_)
{
    seen += flag == FTW_F ? (int64_t)st->st_blocks * 512 : 0;
    return 0;
}

static _Noreturn void watch(const char *data_dir, int64_t bytes)
{
    _auto_json_ json_t *request = json_pack("{s:s}", "op", "down");
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) {
        seen = 0;
        nftw(data_dir, add_file, DEPTH, FTW_PHYS | FTW_MOUNT);
        if (seen > bytes)
            break;
        nanosleep(&(struct timespec){0, LOOK_NS}, NULL);
    }
    _auto_json_ json_t *answer = NULL;
    struct err e = ERR_INIT;
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
