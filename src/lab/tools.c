/* tools.c - see tools.h. */
#include "lab/tools.h"

#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* The kubectl that a script would find without us. Returns new; NULL: none. */
static char *machines_kubectl(void)
{
    const char *path = getenv("PATH");
    _auto_strlist_ struct strlist dirs = {0};
    char real[PATH_MAX];
    strlist_split(&dirs, path ? path : "/usr/bin:/bin", ':');
    for (size_t i = 0; i < dirs.len; i++) {
        _auto_free_ char *file = xasprintf("%s/kubectl", dirs.items[i]);
        if (access(file, X_OK) == 0 && realpath(file, real))
            return xstrdup(real);
    }
    return NULL;
}

static int add_link(const char *dir, const char *name, const char *program, struct err *e)
{
    _auto_free_ char *path = xasprintf("%s/%s", dir, name);
    if (symlink(program, path) < 0 && errno != EEXIST)
        return err_sys(e, errno, "%s", path);
    return 0;
}

int tools_make(const char *dir, bool own, struct err *e)
{
    char self[PATH_MAX];
    const ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    _auto_free_ char *real = own ? NULL : machines_kubectl();
    if (n < 0)
        return err_sys(e, errno, "/proc/self/exe");
    self[n] = '\0';
    if (mkdir(dir, 0755) < 0 && errno != EEXIST)
        return err_sys(e, errno, "%s", dir);
    return add_link(dir, "k", self, e) < 0 || (!real && add_link(dir, "kubectl", self, e) < 0) ? -1 : 0;
}
