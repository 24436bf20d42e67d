/* leftovers.c - what an earlier life of a node left on its disk goes before the first pod starts.
 *
 * DESIGN: a node that is killed unmounts nothing and removes nothing. When it starts again no container runs and no
 * volume is mounted, so every container's bundle and every staging directory is garbage; of the pods' directories
 * (their emptyDirs!) and logs, those whose pod is no longer in the store. The real kubelet and containerd do the same
 * at their start and in housekeeping. Best effort: what cannot be removed now is tried again at the next start.
 *
 * THREADS: runs in the thread that started the node, before any loop. When you add a place where pods keep files: here
 * too. */
#include "kubeletsim/kubelet_int.h"

#include "control/objects.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

void node_list_dir(struct kubelet *k, const char *node, const char *path, struct strlist *out)
{
    struct machine *m = k->m;
    struct err e = ERR_INIT;
    int fd = -1;
    if (m->ops->open(m, node, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0, &fd, &e) < 0)
        return;
    DIR *dir = fdopendir(fd);
    if (!dir) {
        close(fd);
        return;
    }
    for (const struct dirent *d; (d = readdir(dir));)
        if (d->d_name[0] != '.')
            strlist_add(out, d->d_name);
    closedir(dir);
}

static void remove_in(struct machine *m, const char *node, const char *dir, const char *name)
{
    struct err e = ERR_INIT;
    _auto_free_ char *path = xasprintf("%s/%s", dir, name);
    m->ops->remove_all(m, node, path, &e);
}

static bool pod_lives(const struct objlist *pods, const char *node, const char *uid)
{
    for (size_t i = 0; i < pods->len; i++)
        if (str_eq(pod_uid(pods->trees[i]), uid) && str_eq(jstr(pods->trees[i], "spec.nodeName"), node))
            return true;
    return false;
}

/* "<uid>", or "<namespace>_<name>_<uid>". */
static const char *uid_of(const char *entry)
{
    const char *last = strrchr(entry, '_');
    return last ? last + 1 : entry;
}

static const struct {
    const char *dir;
    bool of_pods; /* entries end in a pod's uid; else all go */
} places[] = {
    {BUNDLES, false},
    {STAGING_DIR, false},
    {ROOT_DIR "/pods", true},
    {LOG_DIR, true},
};

void node_clear_leftovers(struct kubelet *k, const struct node_run *n)
{
    _auto_objlist_ struct objlist pods = {0};
    objlist_load(&pods, k->conf.registry, RES.pods->bucket, NULL);
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        _auto_strlist_ struct strlist names = {0};
        node_list_dir(k, n->name, places[i].dir, &names);
        for (size_t j = 0; j < names.len; j++)
            if (!places[i].of_pods || !pod_lives(&pods, n->name, uid_of(names.items[j])))
                remove_in(k->m, n->name, places[i].dir, names.items[j]);
    }
}
