/* downward.c - what a pod may know of itself: fieldRef and resourceFieldRef.
 *
 * THREADS: any, while the pod stands still. Source: pkg/fieldpath, pkg/api/v1/resource/helpers.go. */
#include "kubeletsim/pod_int.h"

#include "api/quantity.h"
#include "base/buf.h"

#include <stdlib.h>
#include <string.h>

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* key="value" lines, sorted, no final newline. Returns new. */
static char *format_map(const json_t *map)
{
    struct buf out = BUF_INIT;
    size_t n = json_object_size(map), i = 0;
    const char **keys = xcalloc(n + 1, sizeof *keys);
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)map, key, value)
    {
        keys[i++] = key;
    }
    qsort(keys, n, sizeof *keys, by_text);
    for (i = 0; i < n; i++) {
        const json_t *v = json_object_get(map, keys[i]);
        buf_addf(&out, "%s%s=", i ? "\n" : "", keys[i]);
        buf_add_quoted(&out, json_string_value(v) ? json_string_value(v) : "", json_string_length(v));
    }
    free(keys);
    return buf_steal(&out, NULL);
}

char *field_value(const struct pod_run *p, const char *path)
{
    const json_t *pod = pod_tree(p);
    static const char *const plain[] = {"metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName",
                                        "spec.serviceAccountName"};
    static const char *const maps[] = {"metadata.labels", "metadata.annotations"};
    for (size_t i = 0; i < ARRAY_LEN(plain); i++)
        if (str_eq(path, plain[i]))
            return xstrdup(jstr_or(pod, path, ""));
    if (str_eq(path, "status.podIP") || str_eq(path, "status.podIPs"))
        return xstrdup(p->ip);
    if (str_eq(path, "status.hostIP") || str_eq(path, "status.hostIPs"))
        return xstrdup(p->k->nodes[p->node].ip);
    for (size_t i = 0; i < ARRAY_LEN(maps); i++) {
        size_t n = strlen(maps[i]);
        if (str_eq(path, maps[i]))
            return format_map(jat(pod, maps[i]));
        if (strncmp(path, maps[i], n) != 0 || strncmp(path + n, "['", 2) != 0 || !str_ends(path, "']"))
            continue;
        _auto_free_ char *key = xstrndup(path + n + 2, strlen(path) - n - 4);
        const char *v = jmap(pod, maps[i], key);
        return xstrdup(v ? v : "");
    }
    return NULL;
}

/* The container of that name, of whichever kind, or NULL. */
static const json_t *spec_of(const struct pod_run *p, const char *name)
{
    for (size_t i = 0; i < p->container_count; i++)
        if (str_eq(p->containers[i].name, name))
            return p->containers[i].spec;
    return NULL;
}

/* "limits.cpu" of the container, in units of the divisor, rounded up; a limit that is not set is what the node has. */
char *resource_value(const struct pod_run *p, const json_t *ref, const char *container)
{
    const char *name = jstr_or(ref, "resource", ""), *dot = strchr(name, '.');
    struct quantity q = {0}, divisor = {0};
    if (!dot)
        return NULL;
    _auto_free_ char *path = xasprintf("resources.%.*s", (int)(dot - name), name);
    const char *text = jmap(spec_of(p, container), path, dot + 1);
    if (text)
        quantity_parse(text, &q);
    else if (str_starts(name, "limits."))
        quantity_from_bytes(node_allocatable(p->k, dot + 1), &q);
    if (quantity_parse(jstr_or(ref, "divisor", "1"), &divisor) < 0 || divisor.nano <= 0)
        quantity_from_bytes(1, &divisor);
    return xasprintf("%lld", (long long)((q.nano + divisor.nano - 1) / divisor.nano));
}
