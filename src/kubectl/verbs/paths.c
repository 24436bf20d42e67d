/* paths.c - see paths.h. */
#include "kubectl/verbs/paths.h"

#include "base/mem.h"
#include "base/str.h"

#include <string.h>

/* The output grows and shrinks by elements: `floor` is what ".." may not take away. */
char *path_clean(const char *path)
{
    const bool rooted = *path == '/';
    char *out = xmalloc(strlen(path) + 2);
    size_t len = 0;
    if (rooted)
        out[len++] = '/';
    size_t floor = len;
    while (*path) {
        const size_t n = strcspn(path, "/");
        const bool up = n == 2 && path[0] == '.' && path[1] == '.';
        if (up && len > floor) {
            while (len > floor && out[--len] != '/')
                continue;
        } else if (n > 0 && !(n == 1 && path[0] == '.') && !(up && rooted)) {
            if (len > (rooted ? 1 : 0))
                out[len++] = '/';
            memcpy(out + len, path, n);
            len += n;
            if (up)
                floor = len;
        }
        path += n + (path[n] == '/');
    }
    if (len == 0)
        out[len++] = '.';
    out[len] = '\0';
    return out;
}

char *path_join(const char *a, const char *b)
{
    _auto_free_ char *both = xasprintf("%s%s%s", a, *a && *b ? "/" : "", b);
    return *both ? path_clean(both) : xstrdup("");
}

char *path_dir(const char *path)
{
    const char *slash = strrchr(path, '/');
    _auto_free_ char *front = xstrndup(path, slash ? (size_t)(slash - path) + 1 : 0);
    return path_clean(front);
}

char *path_base(const char *path)
{
    size_t end = strlen(path);
    if (end == 0)
        return xstrdup(".");
    while (end > 0 && path[end - 1] == '/')
        end--;
    size_t from = end;
    while (from > 0 && path[from - 1] != '/')
        from--;
    return end == 0 ? xstrdup("/") : xstrndup(path + from, end - from);
}

bool path_inside(const char *dir, const char *path)
{
    const size_t n = strlen(dir);
    if (str_eq(dir, "."))
        return *path != '/' && !str_eq(path, "..") && !str_starts(path, "../");
    if (str_eq(dir, "/"))
        return *path == '/';
    return strncmp(path, dir, n) == 0 && (path[n] == '\0' || path[n] == '/');
}
