/* fields.c - values at paths like "spec/template/spec/containers/image", through lists. See build_int.h. */
#include "base/mem.h"
#include "kubectl/kustomize/build_int.h"

#include <string.h>

static void visit(json_t *at, const char *path, bool create, field_fn fn, void *arg);

static void visit_member(json_t *object, const char *path, bool create, field_fn fn, void *arg)
{
    const size_t n = strcspn(path, "/");
    const bool list = n > 2 && path[n - 1] == ']'; /* "volumeClaimTemplates[]": never made */
    _auto_free_ char *key = xstrndup(path, list ? n - 2 : n);
    json_t *value = json_object_get(object, key);
    if (path[n] == '\0') {
        json_t *next = value || create ? fn(arg, value) : NULL;
        if (next)
            json_object_set_new(object, key, next);
        return;
    }
    if ((!value || json_is_null(value)) && create && !list) {
        value = json_object();
        json_object_set_new(object, key, value);
    }
    visit(value, path + n + 1, create, fn, arg);
}

static void visit_items(json_t *list, field_fn fn, void *arg)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        json_t *next = fn(arg, json_array_get(list, i));
        if (next)
            json_array_set_new(list, i, next);
    }
}

static void visit(json_t *at, const char *path, bool create, field_fn fn, void *arg)
{
    size_t i;
    json_t *item;
    if (json_is_array(at)) {
        json_array_foreach(at, i, item) visit(item, path, create, fn, arg);
    } else if (json_is_object(at)) {
        json_t *list = json_object_get(at, path);
        if (json_is_array(list))
            visit_items(list, fn, arg); /* a list at the end: each of its items */
        else
            visit_member(at, path, create, fn, arg);
    }
}

void fields_visit(json_t *object, const char *path, bool create, field_fn fn, void *arg)
{
    visit(object, path, create, fn, arg);
}

const char *pod_spec_path(const char *kind)
{
    static const struct {
        const char *kind, *path;
    } paths[] = {
        {"Pod", "spec"},
        {"Deployment", "spec/template/spec"},
        {"ReplicaSet", "spec/template/spec"},
        {"DaemonSet", "spec/template/spec"},
        {"StatefulSet", "spec/template/spec"},
        {"ReplicationController", "spec/template/spec"},
        {"Job", "spec/template/spec"},
        {"CronJob", "spec/jobTemplate/spec/template/spec"},
    };
    for (size_t i = 0; i < ARRAY_LEN(paths); i++)
        if (str_eq(paths[i].kind, kind))
            return paths[i].path;
    return NULL;
}
