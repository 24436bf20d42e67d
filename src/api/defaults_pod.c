/* defaults_pod.c - conditional defaults of pods, their containers and volumes. See defaults.c. THREADS: pure. */
#include "api/defaults_int.h"

#include "base/json.h"
#include "base/str.h"

#include <string.h>

/* Requests that are not given are the limits. */
static void requests_from_limits(json_t *container)
{
    json_t *limits = jat(container, "resources.limits");
    if (json_object_size(limits) == 0)
        return;
    json_t *requests = jmake_obj(container, "resources.requests");
    const char *name;
    json_t *v;
    json_object_foreach(limits, name, v)
    {
        if (!json_object_get(requests, name))
            json_object_set_new_nocheck(requests, name, json_string(json_string_value(v)));
    }
}

/* On the host's network a container's ports are the host's. */
static void host_ports(json_t *container)
{
    size_t i;
    json_t *port;
    json_array_foreach(json_object_get(container, "ports"), i, port)
    {
        if (jint(port, "hostPort", 0) == 0)
            jset_int(port, "hostPort", jint(port, "containerPort", 0));
    }
}

void default_pod(json_t *pod)
{
    static const char *const lists[] = {"containers", "initContainers"};
    json_t *spec = json_object_get(pod, "spec");
    if (!spec)
        return;
    bool host_network = jbool(spec, "hostNetwork", false);
    for (size_t k = 0; k < 2; k++) {
        size_t i;
        json_t *container;
        json_array_foreach(json_object_get(spec, lists[k]), i, container)
        {
            requests_from_limits(container);
            if (host_network)
                host_ports(container);
        }
    }
    if (!json_object_get(spec, "enableServiceLinks"))
        jset_bool(spec, "enableServiceLinks", true);
}

/* What conversion does as well: a negative grace period means the shortest one; the old name of serviceAccountName
 * lives on, and both always say the same. */
void default_pod_spec(json_t *spec)
{
    if (jint(spec, "terminationGracePeriodSeconds", 0) < 0)
        jset_int(spec, "terminationGracePeriodSeconds", 1);
    const char *name = jstr(spec, "serviceAccountName");
    if (str_empty(name))
        name = jstr(spec, "serviceAccount");
    if (str_empty(name))
        return;
    json_t *value = json_string(name);
    json_object_set_nocheck(spec, "serviceAccountName", value);
    json_object_set_new_nocheck(spec, "serviceAccount", value);
}

/* Is the image's tag "latest", given or implied? One by digest implies none, a malformed name has none. */
static bool tag_is_latest(const char *image)
{
    size_t name = strcspn(image, "@");
    size_t last = 0; /* where the last path component begins */
    for (size_t i = 0; i < name; i++)
        if (image[i] == '/')
            last = i + 1;
    for (size_t i = last; i < name; i++) {
        if (image[i] == ':')
            return name - i == 7 && memcmp(image + i, ":latest", 7) == 0;
        if (image[i] == ' ' || (image[i] >= 'A' && image[i] <= 'Z'))
            return false;
    }
    return name > last && image[name] == '\0';
}

void default_container(json_t *container)
{
    if (str_empty(jstr(container, "imagePullPolicy")))
        jset_str(container, "imagePullPolicy",
                 tag_is_latest(jstr_or(container, "image", "")) ? "Always" : "IfNotPresent");
}

void default_volume(json_t *volume)
{
    if (json_object_size(volume) == (json_object_get(volume, "name") ? 1U : 0U))
        json_object_set_new_nocheck(volume, "emptyDir", json_object());
}
