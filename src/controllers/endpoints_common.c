/* endpoints_common.c - which pods stand behind a service, and on which ports. Source: endpoint/controller_utils.go. */
#include "controllers/endpoints_int.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

static bool selects(const json_t *svc, const json_t *pod)
{
    const json_t *selector = jat(svc, "spec.selector");
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)selector, key, value)
    {
        if (!str_eq(jmap(pod, "metadata.labels", key), json_string_value(value)))
            return false;
    }
    return json_object_size(selector) > 0;
}

void map_pod_to_services(struct loop *l, const struct watch_event *ev)
{
    _auto_objlist_ struct objlist all = {0};
    objlist_load(&all, loop_registry(l), RES.services->bucket, ev->obj->ns);
    for (size_t i = 0; i < all.len; i++)
        if (selects(all.trees[i], ev->obj->tree) || (ev->prev && selects(all.trees[i], ev->prev->tree)))
            loop_enqueue(l, all.items[i]->ns, all.items[i]->name);
}

bool service_has_endpoints(const json_t *svc)
{
    return jat(svc, "spec.selector") && !str_eq(jstr(svc, "spec.type"), "ExternalName");
}

bool service_is_headless(const json_t *svc)
{
    return str_eq(jstr(svc, "spec.clusterIP"), "None");
}

void service_pods(struct loop *l, const json_t *svc, bool terminating, struct objlist *out)
{
    _auto_objlist_ struct objlist all = {0};
    objlist_load(&all, loop_registry(l), RES.pods->bucket, obj_ns(svc));
    for (size_t i = 0; i < all.len; i++) {
        const json_t *pod = all.trees[i];
        if (selects(svc, pod) && !str_empty(jstr(pod, "status.podIP")) && !pod_terminal(pod) &&
            (terminating || !jstr(pod, "metadata.deletionTimestamp")))
            objlist_add(out, all.items[i]);
    }
}

/* A named target port is the container port of that name. */
static int64_t named_port(const json_t *pod, const char *name, const char *protocol)
{
    size_t c, p;
    json_t *container, *port;
    json_array_foreach(jat(pod, "spec.containers"), c, container)
    {
        json_array_foreach(jat(container, "ports"), p, port)
        {
            if (str_eq(jstr(port, "name"), name) && str_eq(jstr_or(port, "protocol", "TCP"), protocol))
                return jint(port, "containerPort", 0);
        }
    }
    return 0;
}

json_t *service_ports(const json_t *svc, const json_t *pod)
{
    json_t *ports = json_array();
    size_t i;
    json_t *port;
    json_array_foreach(jat(svc, "spec.ports"), i, port)
    {
        const char *protocol = jstr_or(port, "protocol", "TCP");
        const json_t *target = jat(port, "targetPort");
        int64_t number = json_is_string(target) ? named_port(pod, json_string_value(target), protocol)
                                                : jint(port, "targetPort", jint(port, "port", 0));
        if (number == 0)
            continue;
        json_t *out = json_object();
        if (!str_empty(jstr(port, "name")))
            jset_str(out, "name", jstr(port, "name"));
        jset_int(out, "port", number);
        jset_str(out, "protocol", protocol);
        if (jstr(port, "appProtocol"))
            jset_str(out, "appProtocol", jstr(port, "appProtocol"));
        json_array_append_new(ports, out);
    }
    return ports;
}

json_t *endpoint_target(const json_t *pod)
{
    return json_pack("{s:s, s:s, s:s, s:s}", "kind", "Pod", "namespace", obj_ns(pod), "name", obj_name(pod), "uid",
                     obj_uid(pod));
}

const char *endpoint_hostname(const json_t *svc, const json_t *pod)
{
    const char *hostname = jstr(pod, "spec.hostname");
    return !str_empty(hostname) && str_eq(jstr(pod, "spec.subdomain"), obj_name(svc)) ? hostname : NULL;
}
