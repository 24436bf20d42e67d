/* cloud_record.c - one small file a disk or snapshot, replaced as a whole.
 *
 * DESIGN: <dir>/<id>.json is written beside under another name and renamed over, so a reader (the next start) sees the
 * old record or the new one. Names that end in ".new" are what a kill left behind; they are removed when the directory
 * is read. Names are made by cloud_make_id() or checked before they come here: no separators in them.
 * POWER: rename() alone may leave an empty file after a power cut. So what was told to anybody is synced: a first
 * record after it has its name (one commit of the machine's journal, shared by all that wait for it at the time), one
 * that takes the place of another also before. The store itself loses its last seconds then, but what it has kept names
 * no disk that is not here.
 * THREADS: different ids from any thread; one id by who holds its disk. */
#include "csi/cloud_int.h"

#include "base/mem.h"
#include "base/str.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int write_all(int fd, const char *path, const char *text, size_t n, struct err *e)
{
    while (n > 0) {
        ssize_t did = write(fd, text, n);
        if (did < 0 && errno != EINTR)
            return err_sys(e, errno, "write %s", path);
        if (did > 0) {
            text += did;
            n -= (size_t)did;
        }
    }
    return 0;
}

int record_write(const struct cloud *c, const char *id, const json_t *record, enum record_sync how, struct err *e)
{
    if (!c->dir)
        return 0;
    _auto_free_ char *path = xasprintf("%s/%s.json", c->dir, id);
    _auto_free_ char *fresh = xasprintf("%s.new", path);
    _auto_free_ char *text = json_dumps(record, JSON_INDENT(1));
    _auto_close_ int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_sys(e, errno, "write %s", fresh);
    if (write_all(fd, fresh, text, strlen(text), e) == 0 && (how != RECORD_AGAIN || fdatasync(fd) == 0) &&
        rename(fresh, path) == 0 && (how == RECORD_UNTOLD || fsync(fd) == 0))
        return 0;
    if (e->code == ERR_OK)
        err_sys(e, errno, "write %s", path);
    unlink(fresh);
    return -1;
}

int record_remove(const struct cloud *c, const char *id, struct err *e)
{
    if (!c->dir)
        return 0;
    _auto_free_ char *path = xasprintf("%s/%s.json", c->dir, id);
    if (unlink(path) < 0 && errno != ENOENT)
        return err_sys(e, errno, "remove %s", path);
    return 0;
}

static bool is_empty(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && st.st_size == 0;
}

static int read_one(struct cloud *c, const char *name, int (*fn)(struct cloud *, const json_t *, struct err *),
                    int (*untold)(struct cloud *, const char *, struct err *), struct err *e)
{
    _auto_free_ char *path = xasprintf("%s/%s", c->dir, name);
    if (str_ends(name, ".new")) {
        unlink(path);
        return 0;
    }
    if (!str_ends(name, ".json"))
        return 0;
    if (is_empty(path)) {
        _auto_free_ char *id = xstrndup(name, strlen(name) - strlen(".json"));
        return untold(c, id, e);
    }
    json_error_t at;
    _auto_json_ json_t *record = json_load_file(path, JSON_REJECT_DUPLICATES, &at);
    if (!record)
        return err_set(e, ERR_CORRUPT, "%s: line %d: %s; put it right or move it away", path, at.line, at.text);
    return fn(c, record, e) < 0 ? err_wrap(e, "%s", path) : 0;
}

int record_each(struct cloud *c, int (*fn)(struct cloud *c, const json_t *record, struct err *e),
                int (*untold)(struct cloud *c, const char *id, struct err *e), struct err *e)
{
    if (!c->dir)
        return 0;
    DIR *dir = opendir(c->dir);
    if (!dir)
        return err_sys(e, errno, "read %s", c->dir);
    _auto_strlist_ struct strlist names = {0}; /* first all names: fn replaces files */
    for (const struct dirent *entry; (entry = readdir(dir));)
        strlist_add(&names, entry->d_name);
    closedir(dir);
    for (size_t i = 0; i < names.len; i++)
        if (read_one(c, names.items[i], fn, untold, e) < 0)
            return -1;
    return 0;
}
