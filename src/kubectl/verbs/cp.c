/* cp.c - kubectl cp: files and folders into a container and out of it, by the container's own tar.
 *
 * DESIGN: to a pod: `test -d` says whether the target is a folder, then an archive made while it is sent (pack.h) is
 * the stdin of `tar -xmf -`. From a pod: a thread runs `tar cf -` there and hands its stdout through a socket to this
 * one, which unpacks it. What an archive may do here is little: files and folders below the target, no links. Source:
 * kubectl cmd/cp. */
#include "kubectl/verbs/pack.h"
#include "kubectl/verbs/paths.h"
#include "kubectl/session.h"
#include "kubectl/verbs/verbs_int.h"

#include "base/go_errno.h"
#include "base/json.h"
#include "base/str.h"
#include "base/tar.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOOK_MS 10000 /* for `test -d` */

static const struct kubectl_flag flags[] = {
    {"container", 'c', FLAG_TEXT, NULL, "The container; else the one that the pod's annotation names, or its first",
     NULL},
    {"no-preserve", 0, FLAG_BOOL, NULL, "Owner and mode of the files are not kept in the container", NULL},
    {"retries", 0, FLAG_INT, "0", "Begin again so often where a copy from a container broke off; below 0: always",
     NULL},
    {NULL},
};

struct spec {
    char *ns, *pod, *file; /* owned; ns and pod "" where there is none */
};
struct copy {
    struct call *c;
    struct spec from, to;
};

static void spec_release(struct spec *s)
{
    free(s->ns);
    free(s->pod);
    free(s->file);
}

/* A path without the slash at its end. */
static char *without_slash(const char *path)
{
    const size_t n = strlen(path);
    return xstrndup(path, n > 1 && path[n - 1] == '/' ? n - 1 : n);
}

/* "[[namespace/]pod:]path" */
static int spec_parse(const char *text, struct spec *out, struct err *e)
{
    const char *colon = strchr(text, ':'), *slash = colon ? memchr(text, '/', (size_t)(colon - text)) : NULL;
    const bool twice = slash && memchr(slash + 1, '/', (size_t)(colon - slash - 1));
    if (colon == text || twice)
        return err_set(e, ERR_INVALID, "filespec must match the canonical format: [[namespace/]pod:]file/path");
    const char *pod = slash ? slash + 1 : text;
    *out = (struct spec){xstrndup(text, slash ? (size_t)(slash - text) : 0),
                         xstrndup(pod, colon ? (size_t)(colon - pod) : 0), without_slash(colon ? colon + 1 : text)};
    return 0;
}

/* ---- a command in the pod ---- */

struct command {
    const char *const *argv;
    FILE *warn; /* "Defaulted container…"; NULL: nobody */
    ssize_t (*supply)(void *arg, void *buf, size_t n, struct err *e);
    int (*output)(void *arg, int which, const void *data, size_t n, struct err *e);
    void *arg;
    int64_t timeout_ms;
};

static int run_there(struct copy *cp, const struct spec *at, const struct command *cmd, int *out_code, struct err *e)
{
    struct call *c = cp->c;
    _auto_buf_ struct buf path = BUF_INIT;
    _auto_json_ json_t *pod = NULL;
    const json_t *container;
    const char *ns = *at->ns ? at->ns : call_namespace(c), *wanted = call_text(c, "container");
    if (!ns)
        return err_set(e, ERR_OK, "%s", "");
    pod_path(ns, at->pod, NULL, &path);
    if (call_json(c, "GET", buf_str(&path), NULL, NULL, &pod, e) < 0)
        return -1;
    const char *phase = jstr_or(pod, "status.phase", "");
    if (str_eq(phase, "Succeeded") || str_eq(phase, "Failed"))
        return err_set(e, ERR_INVALID, "cannot exec into a container in a completed pod; current phase is %s", phase);
    if (str_empty(wanted)) {
        if (pod_choose_container(pod, NULL, cmd->warn, &container, e) < 0)
            return -1;
        wanted = jstr_or(container, "name", "");
    }
    const struct pod_session s = {.ns = ns,
                                  .pod = at->pod,
                                  .container = wanted,
                                  .sub = "exec",
                                  .command = cmd->argv,
                                  .in = cmd->supply != NULL,
                                  .supply = cmd->supply,
                                  .output = cmd->output,
                                  .arg = cmd->arg,
                                  .timeout_ms = cmd->timeout_ms};
    return pod_session_run(c, &s, out_code, NULL, e);
}

/* ---- to a pod ---- */

static int nowhere(void *arg, int which, const void *data, size_t n, struct err *e)
{
    (void)arg;
    (void)which;
    (void)data;
    (void)n;
    (void)e;
    return 0;
}

/* 1 or 0; -1: it did not answer. */
static int is_folder(struct copy *cp, struct err *e)
{
    const char *const argv[] = {"test", "-d", cp->to.file, NULL};
    const struct command cmd = {.argv = argv, .output = nowhere, .timeout_ms = LOOK_MS};
    int code = 1;
    const bool ran = run_there(cp, &cp->to, &cmd, &code, e) == 0;
    if (!ran && e->code == ERR_TIMEOUT)
        return err_set(e, ERR_TIMEOUT, "context deadline exceeded");
    json_decref(TAKE(cp->c->failure));
    err_clear(e);
    return ran && code == 0;
}

static ssize_t supply_pack(void *arg, void *buf, size_t n, struct err *e)
{
    return pack_read(arg, buf, n, e);
}

static int to_pod(struct copy *cp, struct err *e)
{
    struct call *c = cp->c;
    struct stat st;
    _auto_pack_ struct pack *pack = NULL;
    if (stat(cp->from.file, &st) < 0)
        return err_set(e, ERR_INVALID, "%s doesn't exist in local filesystem", cp->from.file);
    _auto_free_ char *source = path_clean(cp->from.file), *base = path_base(cp->from.file);
    const int folder = is_folder(cp, e);
    if (folder < 0)
        return -1;
    _auto_free_ char *target = folder ? path_join(cp->to.file, base) : xstrdup(cp->to.file);
    _auto_free_ char *clean = path_clean(target), *name = path_base(clean), *dir = path_dir(target);
    if (pack_open(source, name, &pack, e) < 0)
        return -1;
    const bool keep = !call_bool(c, "no-preserve");
    const char *const kept[] = {"tar", "-xmf", "-", "-C", dir, NULL};
    const char *const plain[] = {"tar", "--no-same-permissions", "--no-same-owner", "-xmf", "-", "-C", dir, NULL};
    const struct command cmd = {
        .argv = keep ? kept : plain, .warn = c->k->err, .supply = supply_pack, .output = NULL, .arg = pack};
    int code;
    if (run_there(cp, &cp->to, &cmd, &code, e) < 0)
        return -1;
    pod_session_ended(c, code);
    return 0;
}

/* ---- from a pod ---- */

/* The side that reads: what the thread has. */
struct pipe {
    struct copy *cp;
    int to; /* its end of the socket */
    uint64_t sent;
    int rc, code;
    struct err e;
};

static int output_pipe(void *arg, int which, const void *data, size_t n, struct err *e)
{
    struct pipe *p = arg;
    if (which != 1) { /* tar's remarks */
        fwrite(data, 1, n, p->cp->c->k->out);
        fflush(p->cp->c->k->out);
        return 0;
    }
    for (const char *at = data; n > 0;) {
        const ssize_t w = send(p->to, at, n, MSG_NOSIGNAL);
        if (w < 0 && errno == EINTR)
            continue;
        if (w <= 0)
            return err_set(e, ERR_SYS, "write: nobody reads the archive any more");
        at += w;
        n -= (size_t)w;
        p->sent += (uint64_t)w;
    }
    return 0;
}

static int run_tar(struct pipe *p, bool may_retry)
{
    _auto_free_ char *script =
        xasprintf("tar cf - %s | tail -c+%llu", p->cp->from.file, (unsigned long long)(p->sent ? p->sent + 1 : 0));
    const char *const once[] = {"tar", "cf", "-", p->cp->from.file, NULL};
    const char *const again[] = {"sh", "-c", script, NULL};
    const struct command cmd = {
        .argv = may_retry ? again : once, .warn = p->cp->c->k->out, .output = output_pipe, .arg = p};
    return run_there(p->cp, &p->cp->from, &cmd, &p->code, &p->e);
}

static void *tar_there(void *arg)
{
    struct pipe *p = arg;
    const int64_t most = call_int(p->cp->c, "retries");
    for (int64_t tries = 0;; tries++) {
        p->rc = run_tar(p, most != 0);
        const bool lost = p->rc < 0 && p->e.code == ERR_UNAVAILABLE;
        if (!lost || (most >= 0 && tries >= most))
            break;
        fprintf(p->cp->c->k->out, "Resuming copy at %llu bytes, retry %lld/%lld\n", (unsigned long long)p->sent,
                (long long)tries + 1, (long long)most);
        err_clear(&p->e);
    }
    shutdown(p->to, SHUT_WR);
    return NULL;
}

static int sys_error(struct err *e, const char *call, const char *path)
{
    char text[GO_ERRNO_LEN];
    return err_set(e, ERR_SYS, "%s %s: %s", call, path, go_errno_text(errno, text));
}

static int make_folders(const char *path, struct err *e)
{
    _auto_free_ char *part = xstrdup(path);
    for (char *slash = strchr(part + 1, '/');; slash = strchr(slash + 1, '/')) {
        if (slash)
            *slash = '\0';
        struct stat st;
        if (mkdir(part, 0755) < 0 &&
            (errno != EEXIST || stat(part, &st) < 0 || (!S_ISDIR(st.st_mode) && (errno = ENOTDIR))))
            return sys_error(e, "mkdir", part);
        if (!slash)
            return 0;
        *slash = '/';
    }
}

static int write_file(struct tar *t, const char *path, struct err *e)
{
    char piece[32768];
    _auto_close_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0)
        return sys_error(e, "open", path);
    for (;;) {
        const ssize_t n = tar_data(t, piece, sizeof piece, e);
        if (n <= 0)
            return (int)n;
        for (ssize_t at = 0; at < n;) {
            const ssize_t w = write(fd, piece + at, (size_t)(n - at));
            if (w < 0 && errno != EINTR)
                return sys_error(e, "write", path);
            at += w > 0 ? w : 0;
        }
    }
}

static void skip_link(struct copy *cp, const char *path, const char *link, bool first)
{
    FILE *err = cp->c->k->err;
    fprintf(err, "warning: skipping symlink: \"%s\" -> \"%s\"", path, link);
    if (first)
        fprintf(err, " (consider using \"kubectl exec -n \"%s\" \"%s\" -- tar cf - \"%s\" | tar xf -\")", cp->from.ns,
                cp->from.pod, cp->from.file);
    fputc('\n', err);
}

/* One entry below the target. */
static int unpack_entry(struct copy *cp, struct tar *t, const struct tar_entry *entry, const char *rest, bool *linked,
                        struct err *e)
{
    _auto_free_ char *below = without_slash(rest), *path = path_join(cp->to.file, below), *dir = path_dir(path),
                     *target = path_clean(cp->to.file);
    if (!path_inside(target, path)) {
        fprintf(cp->c->k->err, "warning: file \"%s\" is outside target destination, skipping\n", path);
        return 0;
    }
    if (make_folders(dir, e) < 0)
        return -1;
    if (entry->type == TAR_DIR)
        return make_folders(path, e);
    if (entry->type == TAR_SYMLINK) {
        skip_link(cp, path, entry->link, !*linked);
        *linked = true;
        return 0;
    }
    return write_file(t, path, e);
}

/* What of a path in the archive stands before the part that is copied: the path as tar has it, nothing that climbs. */
static char *archive_prefix(const char *file)
{
    _auto_free_ char *clean = path_clean(file + strspn(file, "/\\"));
    const char *p = clean;
    while (str_starts(p, "../"))
        p += 3;
    return xstrdup(str_eq(p, ".") || str_eq(p, "..") ? "" : p);
}

static int unpack(struct copy *cp, int from, struct err *e)
{
    const struct stream_conf conf = {.fd = from};
    _auto_stream_ struct stream *bytes = NULL;
    _auto_free_ char *prefix = archive_prefix(cp->from.file);
    const struct tar_entry *entry;
    bool linked = false;
    int rc;
    if (stream_open(&conf, &bytes, e) < 0)
        return -1;
    _auto_tar_ struct tar *t = tar_new(bytes);
    while ((rc = tar_next(t, &entry, e)) > 0) {
        if (!str_starts(entry->path, prefix))
            return err_set(e, ERR_CORRUPT, "tar contents corrupted");
        if (unpack_entry(cp, t, entry, entry->path + strlen(prefix), &linked, e) < 0)
            return -1;
    }
    return rc < 0 ? -1 : stream_drain(bytes, e);
}

static int from_pod(struct copy *cp, struct err *e)
{
    int ends[2];
    pthread_t thread;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
        return err_sys(e, errno, "socketpair");
    struct pipe p = {.cp = cp, .to = ends[1], .e = ERR_INIT};
    int rc = pthread_create(&thread, NULL, tar_there, &p) == 0 ? 0 : err_set(e, ERR_SYS, "no thread");
    if (rc == 0) {
        rc = unpack(cp, ends[0], e);
        shutdown(ends[0], SHUT_RDWR);
        pthread_join(thread, NULL);
    }
    close(ends[0]);
    close(ends[1]);
    if (p.rc < 0 && (rc == 0 || p.e.code != ERR_SYS)) { /* why there was nothing to unpack */
        *e = p.e;
        return -1;
    }
    if (p.rc == 0 && p.code != 0) {
        pod_session_ended(cp->c, p.code);
        return 0;
    }
    return rc;
}

/* ---- the verb ---- */

static int copy(struct copy *cp, struct err *e)
{
    const struct strlist *words = &cp->c->words;
    if (spec_parse(words->items[0], &cp->from, e) < 0 || spec_parse(words->items[1], &cp->to, e) < 0)
        return -1;
    if (*cp->from.pod && *cp->to.pod)
        return err_set(e, ERR_INVALID, "one of src or dest must be a local file specification");
    if (!*cp->from.file || !*cp->to.file)
        return err_set(e, ERR_INVALID, "filepath can not be empty");
    if (*cp->from.pod)
        return from_pod(cp, e);
    if (*cp->to.pod)
        return to_pod(cp, e);
    return err_set(e, ERR_INVALID, "one of src or dest must be a remote file specification");
}

static int run(struct call *c)
{
    struct err e = ERR_INIT;
    struct copy cp = {.c = c};
    if (c->words.len != 2)
        return call_fail(c, "source and destination are required");
    if (copy(&cp, &e) < 0)
        call_error(c, &e);
    spec_release(&cp.from);
    spec_release(&cp.to);
    return c->code;
}

const struct kubectl_verb kubectl_cp = {
    .name = "cp",
    .summary = "Copy files and directories to and from containers",
    .usage = "<file-spec-src> <file-spec-dest>",
    .flags = flags,
    .takes = TAKES_FILES,
    .run = run,
};
