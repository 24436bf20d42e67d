/* clog.c - see clog.h.
 *
 * Memory is bounded: at most one piece (16 KiB) of an unfinished line a stream. All lines of one read go out in one
 * write, so that a reader that follows the file sees whole lines. A log that cannot be written (full disk) is dropped,
 * the container goes on. THREADS: none. */
#include "sys/clog.h"

#include "base/mem.h"
#include "base/str.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static void reopen(struct clog *l)
{
    struct stat st;
    if (l->fd >= 0)
        close(l->fd);
    l->fd = open(l->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0640);
    l->size = l->fd >= 0 && fstat(l->fd, &st) == 0 ? st.st_size : 0;
}

void clog_open(struct clog *l, const char *path)
{
    *l = (struct clog){.fd = -1};
    if (str_empty(path))
        return;
    l->path = xstrdup(path);
    reopen(l);
}

void clog_release(struct clog *l)
{
    if (l->fd >= 0)
        close(l->fd);
    free(l->path);
    *l = (struct clog){.fd = -1};
}

/* ---- rotation ---- */

/* Deletes the oldest rotated files ("0.log.20240102-030405") until `keep` are left. */
static void drop_oldest(const char *path, size_t keep)
{
    const char *base = strrchr(path, '/');
    base = base ? base + 1 : path;
    _auto_free_ char *dir = xstrndup(path, (size_t)(base - path));
    _auto_strlist_ struct strlist old = {0};
    _auto_free_ char *prefix = xasprintf("%s.", base);
    DIR *d = opendir(*dir ? dir : ".");
    for (const struct dirent *entry; d && (entry = readdir(d));)
        if (str_starts(entry->d_name, prefix))
            strlist_add(&old, entry->d_name);
    if (d)
        closedir(d);
    strlist_sort(&old);
    for (size_t i = 0; i + keep < old.len; i++) {
        _auto_free_ char *full = xasprintf("%s%s", dir, old.items[i]);
        unlink(full);
    }
}

static void rotate(struct clog *l, int64_t now_ns)
{
    const time_t now = (time_t)(now_ns / 1000000000);
    struct tm tm;
    char when[32], name[4352];
    gmtime_r(&now, &tm);
    strftime(when, sizeof when, "%Y%m%d-%H%M%S", &tm);
    snprintf(name, sizeof name, "%s.%s", l->path, when);
    for (int i = 1; access(name, F_OK) == 0 && i < 1000; i++) /* several in one second */
        snprintf(name, sizeof name, "%s.%s-%03d", l->path, when, i);
    if (rename(l->path, name) == 0)
        reopen(l);
    drop_oldest(l->path, CLOG_FILES_MAX - 1);
}

/* ---- writing ---- */

static void flush(struct clog *l, const struct buf *out, int64_t now_ns)
{
    if (l->fd < 0 || !out->len)
        return;
    if (l->size + (int64_t)out->len > CLOG_FILE_MAX && l->size > 0)
        rotate(l, now_ns);
    const ssize_t n = l->fd < 0 ? -1 : write(l->fd, out->data, out->len);
    if (n > 0)
        l->size += n;
}

static size_t format_head(char *out, size_t size, const char *stream, char tag, int64_t now_ns)
{
    const time_t now = (time_t)(now_ns / 1000000000);
    struct tm tm;
    char when[32];
    gmtime_r(&now, &tm);
    strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%S", &tm);
    return (size_t)snprintf(out, size, "%s.%09ldZ %s %c ", when, (long)(now_ns % 1000000000), stream, tag);
}

static void add_line(struct buf *out, const struct clog_stream *s, const char *data, size_t len, char tag,
                     int64_t now_ns)
{
    char head[80];
    buf_add(out, head, format_head(head, sizeof head, s->name, tag, now_ns));
    buf_add(out, s->partial.data, s->partial.len);
    buf_add(out, data, len);
    buf_addc(out, '\n');
}

void clog_write(struct clog *l, struct clog_stream *s, const char *data, size_t len, int64_t now_ns)
{
    _auto_buf_ struct buf out = BUF_INIT;
    while (len) {
        const char *end = memchr(data, '\n', len);
        const size_t room = CLOG_LINE_MAX - s->partial.len;
        size_t n = end ? (size_t)(end - data) : len;
        if (n > room) { /* too long: a piece of it */
            add_line(&out, s, data, room, 'P', now_ns);
            buf_clear(&s->partial);
            n = room;
        } else if (end) {
            add_line(&out, s, data, n, 'F', now_ns);
            buf_clear(&s->partial);
            n++;
        } else {
            buf_add(&s->partial, data, n);
        }
        data += n;
        len -= n;
    }
    flush(l, &out, now_ns);
}

void clog_finish(struct clog *l, struct clog_stream *s, int64_t now_ns)
{
    _auto_buf_ struct buf out = BUF_INIT;
    if (s->partial.len) {
        add_line(&out, s, NULL, 0, 'P', now_ns);
        flush(l, &out, now_ns);
    }
    buf_release(&s->partial);
}
