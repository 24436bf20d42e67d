/* lab_place.c - see lab_place.h. */
#include "cli/lab_place.h"

#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

char *labs_dir(const struct cli *cli)
{
    const char *env = getenv("STOWAGE_LABS"), *slash = strrchr(cli->self_exe, '/');
    _auto_free_ char *bin = xstrndup(cli->self_exe, slash ? (size_t)(slash - cli->self_exe) : 0);
    static const char *const places[] = {"/../share/stowage/scenarios", "/../../scenarios"};
    struct stat st;
    if (!str_empty(env))
        return xstrdup(env);
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        _auto_free_ char *path = xasprintf("%s%s", bin, places[i]);
        if (stat(path, &st) == 0)
            return TAKE(path);
    }
    return stat("scenarios", &st) == 0 ? xstrdup("scenarios") : NULL;
}

char *lab_dir(const struct cli *cli, const char *word)
{
    _auto_free_ char *labs = labs_dir(cli);
    _auto_free_ char *path = labs ? xasprintf("%s/%s", labs, word) : NULL;
    struct stat st;
    if (!strchr(word, '/') && path && stat(path, &st) == 0)
        return TAKE(path);
    return xstrdup(word);
}

/* A student who pointed STOWAGE_DATA at the lab's own cluster means the same book. */
static char *without_cluster(char *take_dir)
{
    char *labs = strstr(take_dir, "/labs/");
    for (char *next = labs; next; next = strstr(next + 1, "/labs/"))
        labs = next;
    const char *in = labs ? labs + strlen("/labs/") : "", *rest = strchr(in, '/');
    if (rest && str_eq(rest, "/data") && (str_starts(in, "cluster/") || str_starts(in, "task-")))
        *labs = '\0';
    return take_dir;
}

char *lab_owner(const char *data)
{
    return without_cluster(xstrdup(data));
}

char *lab_home(const char *data, struct err *e)
{
    _auto_free_ char *dir = without_cluster(cli_data_dir(data));
    _auto_free_ char *home = xasprintf("%s/labs", dir);
    if ((mkdir(dir, 0700) < 0 && errno != EEXIST) || (mkdir(home, 0700) < 0 && errno != EEXIST)) {
        err_sys(e, errno, "%s", home);
        return NULL;
    }
    return TAKE(home);
}

char *lab_cluster_dir(const char *home, int64_t task)
{
    return task ? xasprintf("%s/task-%lld", home, (long long)task) : xasprintf("%s/cluster", home);
}
