/* lab_place.c - see lab_place.h. */
#include "cli/lab_place.h"

#include "base/mem.h"
#include "base/str.h"
#include "lab/fields.h"

#include <dirent.h>
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

static int no_lab(const char *labs, const char *word, struct err *e)
{
    _auto_strlist_ struct strlist names = {0};
    DIR *d = labs ? opendir(labs) : NULL;
    for (const struct dirent *entry; d && (entry = readdir(d));)
        if (entry->d_name[0] != '.')
            strlist_add(&names, entry->d_name);
    if (d)
        closedir(d);
    strlist_sort(&names);
    strlist_take(&names, NULL);
    const char *near = nearest_name(word, (const char *const *)names.items);
    err_set(e, ERR_NOT_FOUND, "there is no lab \"%s\" (`stowage lab list`)%s%s%s", word,
            near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
    names.len--;
    return -1;
}

char *lab_dir(const struct cli *cli, const char *word, struct err *e)
{
    _auto_free_ char *labs = labs_dir(cli);
    _auto_free_ char *path = labs ? xasprintf("%s/%s", labs, word) : NULL;
    struct stat st;
    if (!strchr(word, '/') && path && stat(path, &st) == 0)
        return TAKE(path);
    if (strchr(word, '/') || stat(word, &st) == 0)
        return xstrdup(word);
    no_lab(labs, word, e);
    return NULL;
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
