/* files.c - see files.h. */
#include "kubectl/files.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define TEXT_MAX (64 * 1024 * 1024)
#define PIECE    65536

int fd_text(int fd, struct buf *out)
{
    for (;;) {
        const ssize_t n = read(fd, buf_reserve(out, PIECE), PIECE);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        out->len += (size_t)n;
        out->data[out->len] = '\0';
        if (n == 0)
            return 0;
        if (out->len > TEXT_MAX) {
            errno = EFBIG;
            return -1;
        }
    }
}

int file_text(const char *path, struct buf *out)
{
    _auto_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? -1 : fd_text(fd, out);
}

const char *file_why(int error)
{
    static const struct {
        int error;
        const char *text;
    } texts[] = {{ENOENT, "no such file or directory"}, {EACCES, "permission denied"}, {EISDIR, "is a directory"}};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        if (texts[i].error == error)
            return texts[i].text;
    return strerror(error);
}
