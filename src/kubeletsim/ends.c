/* ends.c - the last words of a container: its termination message.
 *
 * DESIGN: what the container wrote into its terminationMessagePath; with FallbackToLogsOnError and nothing there, the
 * end of its log if it failed. All messages of a pod share a limit, as the kubelet's status writer has it.
 *
 * THREADS: workers, as a job of the pod: writes the ends that are end_unread. Source: kuberuntime_container.go
 * getTerminationMessage, container/runtime.go, status_manager.go normalizeStatus. */
#include "kubeletsim/pod_int.h"

#include "base/buf.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILE_MAX   4096
#define LOG_LINES  80
#define LOG_MAX    2048
#define LOG_WINDOW 65536
#define TOGETHER   12288

void termination_path(const struct pod_run *p, const struct container_run *c, char out[PATH_LEN])
{
    char dir[PATH_LEN];
    pod_dir(p, dir);
    snprintf(out, PATH_LEN, "%.700s/containers/%s/%08x", dir, c->name, (unsigned)c->restarts);
}

static int open_path(const struct pod_run *p, const char *path)
{
    struct machine *m = p->k->m;
    struct err e = ERR_INIT;
    int fd = -1;
    return m->ops->open(m, pod_node(p), path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW, 0, &fd, &e) < 0 ? -1 : fd;
}

/* The text of a log line "<time> <stream> <tag> text", or NULL. */
static const char *log_text(const char *line, const char *end)
{
    for (int i = 0; i < 3 && line; i++) {
        line = memchr(line, ' ', (size_t)(end - line));
        line = line ? line + 1 : NULL;
    }
    return line;
}

/* The last lines of the container's log, without stamps. Returns new. */
static char *log_tail(const struct pod_run *p, const struct container_run *c)
{
    char dir[PATH_LEN];
    struct buf out = BUF_INIT;
    pod_log_dir(p->ns, p->name, p->uid, c->name, dir);
    _auto_free_ char *path = xasprintf("%s/%d.log", dir, c->restarts);
    _auto_close_ int fd = open_path(p, path);
    if (fd < 0)
        return NULL;
    off_t size = lseek(fd, 0, SEEK_END);
    _auto_free_ char *text = xmalloc(LOG_WINDOW);
    ssize_t n = pread(fd, text, LOG_WINDOW, size > LOG_WINDOW ? size - LOG_WINDOW : 0);
    const char *from = text + (n > 0 ? n : 0);
    for (int lines = 0; from > text && lines <= LOG_LINES; from--)
        lines += from[-1] == '\n';
    from += from > text;
    if (from == text && size > LOG_WINDOW) /* in the middle of a line */
        from = memchr(text, '\n', (size_t)n) ? (const char *)memchr(text, '\n', (size_t)n) + 1 : text;
    for (const char *end; n > 0 && from < text + n; from = end + 1) {
        end = memchr(from, '\n', (size_t)(text + n - from));
        if (!end)
            break;
        const char *words = log_text(from, end);
        if (words)
            buf_addf(&out, "%.*s\n", (int)(end - words), words);
    }
    if (out.len > LOG_MAX)
        buf_consume(&out, out.len - LOG_MAX);
    return buf_steal(&out, NULL);
}

static char *file_text(const struct pod_run *p, const struct container_run *c, size_t max)
{
    char path[PATH_LEN];
    termination_path(p, c, path);
    _auto_close_ int fd = open_path(p, path);
    _auto_free_ char *text = xcalloc(1, max + 1);
    ssize_t n = fd < 0 ? -1 : read(fd, text, max);
    return n > 0 ? TAKE(text) : NULL;
}

static void read_end(const struct pod_run *p, struct container_run *c)
{
    size_t share = TOGETHER / p->container_count;
    char *text = file_text(p, c, share < FILE_MAX ? share : FILE_MAX);
    bool fall_back = str_eq(jstr(c->spec, "terminationMessagePolicy"), "FallbackToLogsOnError");
    if (!text && fall_back && c->end.exit_code != 0)
        text = log_tail(p, c);
    if (text && !*text) {
        free(text);
        text = NULL;
    }
    free(c->end.message);
    c->end.message = text;
}

void ends_read_job(struct job *j)
{
    struct pod_run *p = j->pod;
    for (size_t i = 0; i < p->container_count; i++) {
        struct container_run *c = &p->containers[i];
        if (c->end_unread)
            read_end(p, c);
        c->end_unread = false;
    }
}
