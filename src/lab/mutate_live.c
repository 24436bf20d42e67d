/* mutate_live.c - a near-miss of somebody who deletes an object and makes it again: it looks the same, and is another.
 *
 * A claim that pods use is only gone when they are: they are deleted with it and, if nobody else makes them, made
 * again. THREADS: as the env's. */
#include "lab/mutate_int.h"

#include "base/json.h"
#include "base/mem.h"

#include <string.h>
#include <time.h>

#define GONE_MS   30000
#define GONE_STEP 20

bool live_applies(const json_t *object)
{
    static const char *const kinds[] = {"PersistentVolumeClaim", "PersistentVolume", "Pod"};
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (str_eq(jstr(object, "kind"), kinds[i]))
            return true;
    return false;
}

/* What its author wrote: nothing that the cluster added. */
static void strip(json_t *o)
{
    static const char *const added[] = {"status",
                                        "metadata.uid",
                                        "metadata.resourceVersion",
                                        "metadata.creationTimestamp",
                                        "metadata.deletionTimestamp",
                                        "metadata.deletionGracePeriodSeconds",
                                        "metadata.generation",
                                        "metadata.managedFields",
                                        "metadata.finalizers",
                                        "spec.nodeName",
                                        "spec.claimRef.uid",
                                        "spec.claimRef.resourceVersion"};
    const char *key;
    json_t *value;
    void *next;
    for (size_t i = 0; i < ARRAY_LEN(added); i++)
        jdel(o, added[i]);
    json_object_foreach_safe(jat(o, "metadata.annotations"), next, key, value) if (strstr(key, "kubernetes.io/"))
        json_object_del(jat(o, "metadata.annotations"), key);
    if (str_eq(jstr(o, "kind"), "PersistentVolumeClaim"))
        jdel(o, "spec.volumeName");
}

static bool uses(const json_t *pod, const char *claim)
{
    size_t i;
    const json_t *volume;
    json_array_foreach(jat(pod, "spec.volumes"), i,
                       volume) if (str_eq(jstr(volume, "persistentVolumeClaim.claimName"), claim)) return true;
    return false;
}

/* The pods that use the claim. Returns a new array, or NULL. */
static json_t *users_of(struct lab_env *env, const json_t *claim, struct err *e)
{
    _auto_free_ char *path = xasprintf("/api/v1/namespaces/%s/pods", jstr_or(claim, "metadata.namespace", "default"));
    _auto_json_ json_t *list = NULL, *users = json_array();
    size_t i;
    json_t *pod;
    if (client_json(env->client, "GET", path, NULL, NULL, &list, e) < 0)
        return NULL;
    json_array_foreach(json_object_get(list, "items"), i, pod)
    {
        jset_str(pod, "apiVersion", "v1");
        jset_str(pod, "kind", "Pod");
        if (uses(pod, jstr(claim, "metadata.name")))
            json_array_append(users, pod);
    }
    return TAKE(users);
}

static int delete_one(struct lab_env *env, const json_t *o, struct err *e)
{
    _auto_buf_ struct buf path = BUF_INIT;
    if (env_object_path(env, o, NULL, true, &path, e) < 0)
        return -1;
    if (str_eq(jstr(o, "kind"), "Pod"))
        buf_adds(&path, "?gracePeriodSeconds=1");
    if (client_json(env->client, "DELETE", buf_str(&path), NULL, NULL, NULL, e) == 0)
        return 0;
    if (e->code != ERR_NOT_FOUND)
        return -1;
    err_clear(e);
    return 0;
}

/* Until this very one is gone: another one may have its name. */
static int await_gone(struct lab_env *env, const json_t *o, struct err *e)
{
    _auto_buf_ struct buf path = BUF_INIT;
    const int64_t end = env_now_ms() + env_patience(env, GONE_MS);
    if (env_object_path(env, o, NULL, true, &path, e) < 0)
        return -1;
    do {
        _auto_json_ json_t *now = NULL;
        if (client_json(env->client, "GET", buf_str(&path), NULL, NULL, &now, e) < 0) {
            const bool gone = e->code == ERR_NOT_FOUND;
            if (gone)
                err_clear(e);
            return gone ? 0 : -1;
        }
        if (!str_eq(jstr(now, "metadata.uid"), jstr(o, "metadata.uid")))
            return 0;
        nanosleep(&(struct timespec){0, GONE_STEP * 1000000}, NULL);
    } while (env_now_ms() < end);
    return err_set(e, ERR_TIMEOUT, "%s %s does not go", jstr(o, "kind"), jstr(o, "metadata.name"));
}

static int make_again(struct lab_env *env, json_t *o, struct err *e)
{
    if (json_array_size(jat(o, "metadata.ownerReferences")))
        return 0; /* its owner does */
    strip(o);
    return play_object(env, o, NULL, e);
}

int live_recreate(struct lab_env *env, const json_t *object, bool *out_done, struct err *e)
{
    _auto_buf_ struct buf path = BUF_INIT;
    _auto_json_ json_t *now = NULL, *users = NULL;
    size_t i;
    json_t *pod;
    *out_done = false;
    if (env_object_path(env, object, NULL, true, &path, e) < 0)
        return -1;
    if (client_json(env->client, "GET", buf_str(&path), NULL, NULL, &now, e) < 0) {
        if (e->code != ERR_NOT_FOUND)
            return -1;
        err_clear(e);
        return 0;
    }
    if (str_eq(jstr(now, "kind"), "PersistentVolume") && str_eq(jstr(now, "status.phase"), "Bound"))
        return 0; /* it stays until its claim goes, which is a near-miss of its own */
    *out_done = true;
    users = str_eq(jstr(now, "kind"), "PersistentVolumeClaim") ? users_of(env, now, e) : json_array();
    if (!users || delete_one(env, now, e) < 0)
        return -1;
    json_array_foreach(users, i, pod) if (delete_one(env, pod, e) < 0) return -1;
    json_array_foreach(users, i, pod) if (await_gone(env, pod, e) < 0) return -1;
    if (await_gone(env, now, e) < 0 || make_again(env, now, e) < 0)
        return -1;
    json_array_foreach(users, i, pod) if (make_again(env, pod, e) < 0) return -1;
    return 0;
}
