/* pod_status.c - what a pod's status may say: addresses, conditions, and containers that do not rise from the dead.
 *
 * THREADS: pure functions. Source: pkg/apis/core/validation (ValidatePodStatusUpdate). */
#include "api/validate/kinds_int.h"
#include "api/validate/pod_int.h"

#define STATUS FIELD(NULL, "status")

static const json_t *status_of(const json_t *pod)
{
    return vget(pod, "status");
}

/* -- containers -- */

static bool restarts_always(const json_t *pod, const char *container)
{
    size_t i;
    json_t *c;
    json_array_foreach(jat(pod, "spec.initContainers"), i, c)
    {
        if (strcmp(vstr(c, "name"), container) == 0)
            return strcmp(vstr(c, "restartPolicy"), "Always") == 0;
    }
    return false;
}

/* Under `policy` a container that ended stays ended. */
static void states_check(const struct change *c, const char *list, const char *policy)
{
    const struct vpath *at = FIELD(STATUS, list);
    size_t i, j;
    json_t *old, *now;
    if (strcmp(policy, "Always") == 0)
        return;
    json_array_foreach(vget(status_of(c->old), list), i, old)
    {
        const json_t *ended = vget(vget(old, "state"), "terminated");
        if (ended == NULL || (strcmp(policy, "OnFailure") == 0 && vint(ended, "exitCode") != 0))
            continue;
        if (strcmp(list, "initContainerStatuses") == 0 && restarts_always(c->old, vstr(old, "name")))
            continue;
        json_array_foreach(vget(status_of(c->obj), list), j, now)
        {
            if (strcmp(vstr(now, "name"), vstr(old, "name")) == 0 && !vhas(vget(now, "state"), "terminated"))
                v_forbidden(c->errs, FIELD(ITEM(at, i), "state"), "may not be transitioned to non-terminated state");
        }
    }
}

/* -- addresses -- */

static bool repeats_earlier(const json_t *addresses, size_t i)
{
    const char *ip = vstr(json_array_get(addresses, i), "ip");
    for (size_t j = 0; j < i; j++) {
        if (strcmp(vstr(json_array_get(addresses, j), "ip"), ip) == 0)
            return true;
    }
    return false;
}

/* At most one of each family. */
static void families_check(const struct change *c, const struct vpath *p, const json_t *addresses, const char *type)
{
    size_t n = json_array_size(addresses), six = 0, i;
    json_t *address;
    json_array_foreach(addresses, i, address) six += strchr(vstr(address, "ip"), ':') != NULL;
    if (n > 2 || (n == 2 && six != 1))
        v_invalid_go(c->errs, p, go_list_text(type, addresses), "may specify no more than one IP for each IP family");
    for (i = 0; i < n; i++) {
        if (!repeats_earlier(addresses, i))
            continue;
        _auto_free_ char *at = vpath_text(ITEM(p, i));
        _auto_free_ char *value = go_struct_text(type, json_array_get(addresses, i));
        fe_add(c->errs, FE_DUPLICATE, at, value, NULL);
    }
}

static void addresses_check(const struct change *c, const char *list, const char *type)
{
    const json_t *addresses = vget(status_of(c->obj), list);
    const struct vpath *p = FIELD(STATUS, list);
    size_t i;
    json_t *address;
    json_array_foreach(addresses, i, address) v_ip(c->errs, ITEM(p, i), vstr(address, "ip"));
    families_check(c, p, addresses, type);
}

static void host_address_check(const struct change *c)
{
    const json_t *addresses = vget(status_of(c->obj), "hostIPs");
    const char *first = vstr(json_array_get(addresses, 0), "ip");
    if (json_array_size(addresses) > 0 && strcmp(vstr(status_of(c->obj), "hostIP"), first) != 0)
        v_invalid(c->errs, FIELD(ITEM(FIELD(STATUS, "hostIPs"), 0), "ip"), first, "must be equal to `hostIP`");
}

/* -- the rest -- */

/* Paths of conditions begin at metadata: a slip of the real server that clients see. */
static void conditions_check(const struct change *c)
{
    static const char *const known[] = {"PodScheduled", "Ready", "Initialized", NULL};
    const struct vpath *p = FIELD(FIELD(NULL, "metadata"), "conditions");
    size_t i;
    json_t *condition;
    json_array_foreach(vget(status_of(c->obj), "conditions"), i, condition)
    {
        if (!one_of(vstr(condition, "type"), known))
            v_name(c->errs, FIELD(ITEM(p, i), "Type"), vstr(condition, "type"), rule_qualified);
    }
}

void pod_status_update(const struct change *c)
{
    const json_t *now = status_of(c->obj), *before = status_of(c->old);
    const char *nominated = vstr(now, "nominatedNodeName"), *qos = vstr(now, "qosClass");
    const char *policy = jstr_or(c->old, "spec.restartPolicy", "Always");
    change_meta_update(c);
    conditions_check(c);
    if (strcmp(jstr_or(c->obj, "spec.nodeName", ""), jstr_or(c->old, "spec.nodeName", "")) != 0)
        v_forbidden(c->errs, FIELD(STATUS, "nodeName"), "may not be changed directly");
    if (nominated[0] != '\0' && strcmp(nominated, vstr(before, "nominatedNodeName")) != 0)
        v_name(c->errs, FIELD(STATUS, "nominatedNodeName"), nominated, rule_subdomain);
    if (qos[0] != '\0' && vhas(before, "qosClass"))
        v_immutable_str(c->errs, FIELD(STATUS, "qosClass"), qos, vstr(before, "qosClass"));
    states_check(c, "containerStatuses", policy);
    states_check(c, "initContainerStatuses", policy);
    states_check(c, "ephemeralContainerStatuses", "Never");
    addresses_check(c, "podIPs", "core.v1.PodIP");
    host_address_check(c);
    addresses_check(c, "hostIPs", "core.v1.HostIP");
}
