/* serve.c - see serve_int.h.
 *
 * DESIGN: two children a filesystem. One becomes fuse2fs, in the node's mounts but not among its processes, and holds a
 * lock on the disk's file: who finds that free knows that everything is written out. The other waits until the
 * filesystem is mounted, or the first has ended, and answers.
 *
 *      fuse2fs ends when its filesystem is unmounted everywhere (pods gone, node's mount gone), or when it is told to:
 *      it lives in the node's mount namespace, so that lives as long as it does.
 *
 * fuse2fs does not tell by its exit code whether it could mount: the mount is looked at. THREADS: none. */
#include "sys/serve_int.h"
#include "sys/chan.h"
#include "sys/hidden_int.h"
#include "sys/proc_int.h"

#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef FUSE_SUPER_MAGIC
#define FUSE_SUPER_MAGIC 0x65735546
#endif

#define LOOK_MS  5     /* between two looks at whether it is mounted */
#define LIMIT_MS 60000 /* a journal of a large disk to be replayed */

/* Who may what is the kernel's to decide, which knows all groups of a process: so the server takes everybody for root.
 */
#define OPTIONS "allow_other,default_permissions,fakeroot"

struct server {
    struct server *next;
    char *node, *device; /* owned */
    pid_t pid, waiter;   /* waiter 0: has answered */
    uint32_t id;         /* of the request */
};

bool serve_holds(const char *image)
{
    _auto_close_ int fd = open(image, O_RDONLY | O_CLOEXEC);
    return fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK;
}

/* ---- the server ---- */

/* Of the kernel's ext4, and of nobody else's: they change nothing that a pod could see. */
static const char *const kernel_options[] = {
    "defaults",    "debug",      "data=",      "discard",       "nodiscard",    "errors=",    "barrier",    "nobarrier",
    "acl",         "noacl",      "user_xattr", "commit=",       "delalloc",     "nodelalloc", "stripe=",    "relatime",
    "lazytime",    "nolazytime", "journal_",   "auto_da_alloc", "usrquota",     "grpquota",   "nodiratime", "diratime",
    "strictatime", "resuid=",    "resgid=",    "init_itable",   "noinit_itable"};

/* "noatime,debug": what it knows is left to it, and to complain of what nobody knows. Returns new. */
static char *server_options(const char *wanted)
{
    _auto_strlist_ struct strlist words = {0}, kept = {0};
    strlist_add(&kept, OPTIONS);
    if (*wanted)
        strlist_split(&words, wanted, ',');
    for (size_t i = 0; i < words.len; i++) {
        bool known = false;
        for (size_t k = 0; k < ARRAY_LEN(kernel_options) && !known; k++)
            known = str_starts(words.items[i], kernel_options[k]);
        if (!known)
            strlist_add(&kept, words.items[i]);
    }
    return strlist_join(&kept, ",");
}

static _Noreturn void become_server(const struct serve_spec *spec, int out)
{
    const int lock = open(spec->image, O_RDWR); /* stays open in fuse2fs */
    _auto_free_ char *options = server_options(spec->options);
    const char *const argv[] = {"fuse2fs", "-f", spec->device, spec->target, "-o", options, NULL};
    const int keep[] = {lock, out};
    proc_keep_fds(keep, ARRAY_LEN(keep));
    if (lock < 0 || flock(lock, LOCK_EX | LOCK_NB) < 0)
        dprintf(out, "the disk is in use");
    else if (proc_enter_mounts(spec->node_pid) < 0)
        dprintf(out, "the node is gone");
    else
        proc_exec(argv, out);
    _exit(1);
}

/* ---- the one who waits ---- */

static bool is_mounted(const char *path)
{
    struct statfs s;
    return statfs(path, &s) == 0 && s.f_type == FUSE_SUPER_MAGIC;
}

static int wait_mounted(const char *path, int text, struct buf *out, struct err *e)
{
    char chunk[512];
    for (int waited = 0; waited < LIMIT_MS; waited += LOOK_MS) {
        struct pollfd p = {text, POLLIN, 0};
        if (is_mounted(path))
            return 0;
        if (poll(&p, 1, LOOK_MS) <= 0)
            continue;
        const ssize_t n = read(text, chunk, sizeof chunk);
        if (n <= 0)
            return err_set(e, ERR_SYS, "%s", "it ended");
        buf_add(out, chunk, (size_t)n);
    }
    return err_set(e, ERR_SYS, "it did not come up");
}

static _Noreturn void wait_and_answer(const struct servers *s, uint32_t id, const struct serve_spec *spec, int text)
{
    struct err e = ERR_INIT;
    const int keep[] = {s->sock, text};
    _auto_buf_ struct buf said = BUF_INIT;
    _auto_free_ char *path = xasprintf("/proc/%d/root%s", (int)spec->node_pid, spec->target);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    proc_keep_fds(keep, ARRAY_LEN(keep));
    if (wait_mounted(path, text, &said, &e) < 0)
        err_set(&e, ERR_SYS,
                "mount failed: exit status 32\nMounting command: fuse2fs\nMounting arguments: %s %s %s\nOutput: %s\n",
                spec->options, spec->device, spec->target, buf_str(&said));
    helper_answer(s->sock, id, &e, NULL, -1);
    _exit(0);
}

/* ---- the helper ---- */

static void refuse(struct servers *s, uint32_t id, int code)
{
    struct err e = ERR_INIT;
    err_sys(&e, code, "start fuse2fs");
    helper_answer(s->sock, id, &e, NULL, -1);
}

void serve_start(struct servers *s, uint32_t id, const struct serve_spec *spec)
{
    int text[2];
    if (pipe2(text, O_CLOEXEC) < 0) {
        refuse(s, id, errno);
        return;
    }
    const pid_t pid = fork();
    if (pid == 0)
        become_server(spec, text[1]);
    close(text[1]);
    const pid_t waiter = pid < 0 ? -1 : fork();
    if (waiter == 0)
        wait_and_answer(s, id, spec, text[0]);
    if (waiter < 0)
        refuse(s, id, errno);
    close(text[0]);
    if (pid < 0)
        return;
    struct server *added = xcalloc(1, sizeof *added);
    *added = (struct server){s->first, xstrdup(spec->node), xstrdup(spec->device), pid, waiter > 0 ? waiter : 0, id};
    s->first = added;
}

static void server_drop(struct server **at)
{
    struct server *k = *at;
    *at = k->next;
    free(k->node);
    free(k->device);
    free(k);
}

void serve_child_end(struct servers *s, pid_t pid, int status)
{
    for (struct server **at = &s->first; *at; at = &(*at)->next) {
        struct server *k = *at;
        if (k->waiter == pid) {
            if (!WIFEXITED(status))
                refuse(s, k->id, EINTR);
            k->waiter = 0;
        }
        if (k->pid == pid)
            k->pid = 0;
        if (!k->pid && !k->waiter) {
            server_drop(at);
            return;
        }
    }
}

void serve_node_end(struct servers *s, const char *node)
{
    for (const struct server *k = s->first; k; k = k->next)
        if (k->pid && str_eq(k->node, node))
            kill(k->pid, SIGTERM);
}

pid_t serve_pid(const struct servers *s, const char *node, const char *device)
{
    for (const struct server *k = s->first; k; k = k->next)
        if (k->pid && str_eq(k->node, node) && str_eq(k->device, device))
            return k->pid;
    return 0;
}
