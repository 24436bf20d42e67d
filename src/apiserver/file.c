/* file.c - see file_int.h.
 * THREADS: none of its own; two writers of one path do not mix, the later wins. */
#include "apiserver/file_int.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { READ_MAX = 4 * 1024 * 1024 };

int file_read(const char *path, char **out, struct err *e)
{
    *out = NULL;
    _auto_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? 0 : err_sys(e, errno, "cannot read %s", path);
    _auto_buf_ struct buf b = BUF_INIT;
    for (;;) {
        char *at = buf_reserve(&b, 16384);
        ssize_t n = read(fd, at, 16384);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_sys(e, errno, "cannot read %s", path);
        if (n == 0)
            break;
        b.len += (size_t)n;
        if (b.len > READ_MAX)
            return err_set(e, ERR_UNSUPPORTED, "%s is too large", path);
    }
    buf_addc(&b, '\0');
    *out = buf_steal(&b, NULL);
    return 0;
}

static int write_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, data, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        data += n;
        len -= (size_t)n;
    }
    return 0;
}

void file_sync_names(const char *path)
{
    _auto_free_ char *copy = xstrdup(path);
    _auto_close_ int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0)
        (void)fsync(fd); /* some file systems cannot; the rename stands either way */
}

/* A file without a name, so that a kill while it is written leaves nothing; -1 where the file system has no such thing.
 */
static int open_unnamed(const char *path)
{
    _auto_free_ char *copy = xstrdup(path);
    return open(dirname(copy), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
}

static int give_name(int fd, const char *name)
{
    char proc[40];
    snprintf(proc, sizeof proc, "/proc/self/fd/%d", fd);
    return linkat(AT_FDCWD, proc, AT_FDCWD, name, AT_SYMLINK_FOLLOW);
}

int file_write(const char *path, const void *data, size_t len, enum file_care care, struct err *e)
{
    char suffix[9];
    random_suffix(suffix, 8);
    _auto_free_ char *temp = xasprintf("%s.%s", path, suffix);
    _auto_close_ int fd = open_unnamed(path);
    bool unnamed = fd >= 0;
    if (!unnamed)
        fd = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return err_sys(e, errno, "cannot write %s", path);
    if (write_all(fd, data, len) < 0 || (care != FILE_QUICK && fsync(fd) < 0) || (unnamed && give_name(fd, temp) < 0) ||
        rename(temp, path) < 0) {
        int why = errno;
        unlink(temp);
        return err_sys(e, why, "cannot write %s", path);
    }
    if (care == FILE_SYNCED)
        file_sync_names(path);
    return 0;
}
