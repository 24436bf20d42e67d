/* load_balancer.c - services of type LoadBalancer get an address: one of the user's loopback, on which kube-proxy's
 * loop then listens.
 *
 * DESIGN: an address that was given stays with the service as long as it is one of this kind; it is given back with the
 * service, which a finalizer makes sure of, as clouds need it. A class of its own means somebody else's balancer.
 * Source: cloud-provider's service controller. THREADS: the loop thread. */
#include "controllers/controllers_int.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "control/loopback.h"

#include <stdio.h>
#include <string.h>

#define FINALIZER "service.kubernetes.io/load-balancer-cleanup"

static bool wants_balancer(const json_t *svc)
{
    return str_eq(jstr(svc, "spec.type"), "LoadBalancer") && str_empty(jstr(svc, "spec.loadBalancerClass")) &&
           !jstr(svc, "metadata.deletionTimestamp");
}

static const char *address_of(const json_t *svc)
{
    return jstr_or(json_array_get(jat(svc, "status.loadBalancer.ingress"), 0), "ip", "");
}

static bool is_taken(const struct objlist *services, const char *ip)
{
    for (size_t i = 0; i < services->len; i++)
        if (str_eq(address_of(services->trees[i]), ip))
            return true;
    return false;
}

/* The one it asks for if that is of the loopback, else the first that is free; "" = there is none. */
static void choose_address(struct loop *l, const json_t *svc, char out[LOOPBACK_LEN])
{
    _auto_objlist_ struct objlist services = {0};
    const char *asked = jstr_or(svc, "spec.loadBalancerIP", "");
    objlist_load(&services, loop_registry(l), RES.services->bucket, NULL);
    if (str_starts(asked, "127.") && strlen(asked) < LOOPBACK_LEN && !is_taken(&services, asked)) {
        snprintf(out, LOOPBACK_LEN, "%s", asked);
        return;
    }
    for (int n = LOOPBACK_FIRST; n <= LOOPBACK_LAST; n++) {
        loopback_address(loop_registry(l), n, out);
        if (!is_taken(&services, out))
            return;
    }
    out[0] = '\0';
}

/* -- edits -- */

static int put_finalizer(json_t *svc, void *arg, struct err *e _unused_)
{
    const bool *wanted = arg;
    return *wanted ? finalizer_add(svc, FINALIZER) : finalizer_remove(svc, FINALIZER);
}

static int put_address(json_t *svc, void *arg, struct err *e _unused_)
{
    const char *ip = arg;
    if (str_eq(address_of(svc), ip))
        return 0;
    jset(svc, "status.loadBalancer",
         *ip ? json_pack("{s:[{s:s, s:s}]}", "ingress", "ip", ip, "ipMode", "VIP") : json_object());
    return 1;
}

static int edit(struct loop *l, const json_t *svc, const char *sub, int (*fn)(json_t *obj, void *arg, struct err *e),
                void *arg, struct err *e)
{
    if (reg_modify(loop_registry(l), WHO, RES.services, obj_ns(svc), obj_name(svc), sub, fn, arg, e) == 0 ||
        e->code == ERR_NOT_FOUND) {
        err_clear(e);
        return 0;
    }
    return -1;
}

static int give(struct loop *l, const json_t *svc, struct err *e)
{
    char ip[LOOPBACK_LEN];
    bool wanted = true;
    if (*address_of(svc))
        return 0;
    loop_event(l, svc, EVENT_NORMAL, "EnsuringLoadBalancer", "Ensuring load balancer");
    choose_address(l, svc, ip);
    if (!*ip) {
        loop_event(l, svc, EVENT_WARNING, "SyncLoadBalancerFailed",
                   "Error syncing load balancer: failed to ensure load balancer: no address is left");
        return err_set(e, ERR_NO_SPACE, "no address is left");
    }
    if (edit(l, svc, "", put_finalizer, &wanted, e) < 0 || edit(l, svc, "status", put_address, ip, e) < 0)
        return -1;
    loop_event(l, svc, EVENT_NORMAL, "EnsuredLoadBalancer", "Ensured load balancer");
    return 0;
}

static int take_back(struct loop *l, const json_t *svc, struct err *e)
{
    bool wanted = false;
    char none[] = "";
    if (!finalizer_has(svc, FINALIZER))
        return 0;
    loop_event(l, svc, EVENT_NORMAL, "DeletingLoadBalancer", "Deleting load balancer");
    if (edit(l, svc, "status", put_address, none, e) < 0 || edit(l, svc, "", put_finalizer, &wanted, e) < 0)
        return -1;
    loop_event(l, svc, EVENT_NORMAL, "DeletedLoadBalancer", "Deleted load balancer");
    return 0;
}

static int reconcile(struct loop *l, const char *ns, const char *name, struct err *e)
{
    _auto_sobj_ struct sobj *svc = reg_read(loop_registry(l), RES.services, ns, name);
    if (!svc)
        return 0;
    return wants_balancer(svc->tree) ? give(l, svc->tree, e) : take_back(l, svc->tree, e);
}

static const struct loop_watch watches[] = {{"services", NULL}, {NULL, NULL}};

const struct loop_def load_balancer_loop = {
    .name = "service-lb",
    .component = "service-controller",
    .watches = watches,
    .reconcile = reconcile,
    .max_backoff_ms = 30000,
};
