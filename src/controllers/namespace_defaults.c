/* namespace_defaults.c - what every namespace holds: the ServiceAccount "default" and the ConfigMap "kube-root-ca.crt".
 *
 * DESIGN: two loops of one form: the key is the namespace; deleting or changing the object brings it back. */
#include "controllers/controllers_int.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#define ACCOUNT "default"
#define CA_MAP  "kube-root-ca.crt"
#define CA_KEY  "ca.crt"
#define CA_WHY                                                                                                         \
    "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the "    \
    "internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes "  \
    "clusters."

static void map_namespace(struct loop *l, const struct watch_event *ev)
{
    if (ev->type != WATCH_DELETED)
        loop_enqueue(l, "", ev->obj->name);
}

static void map_account(struct loop *l, const struct watch_event *ev)
{
    if (ev->type == WATCH_DELETED && str_eq(ev->obj->name, ACCOUNT))
        loop_enqueue(l, "", ev->obj->ns);
}

static void map_ca(struct loop *l, const struct watch_event *ev)
{
    if (ev->type != WATCH_ADDED && str_eq(ev->obj->name, CA_MAP))
        loop_enqueue(l, "", ev->obj->ns);
}

static bool lives(struct loop *l, const char *ns)
{
    _auto_sobj_ struct sobj *obj = reg_read(loop_registry(l), RES.namespaces, "", ns);
    return obj && !jstr(obj->tree, "metadata.deletionTimestamp");
}

static int make(struct loop *l, const struct resource *res, const char *ns, json_t *take, struct err *e)
{
    int rc = reg_make(loop_registry(l), WHO, res, ns, take, NULL, e);
    if (rc < 0 && (e->code == ERR_ALREADY_EXISTS || e->code == ERR_NOT_FOUND || e->code == ERR_FORBIDDEN) &&
        !lives(l, ns)) {
        err_clear(e); /* the namespace went away meanwhile */
        return 0;
    }
    return rc;
}

static int reconcile_account(struct loop *l, const char *none, const char *ns, struct err *e)
{
    (void)none;
    _auto_sobj_ struct sobj *have = reg_read(loop_registry(l), RES.serviceaccounts, ns, ACCOUNT);
    if (have || !lives(l, ns))
        return 0;
    return make(l, RES.serviceaccounts, ns,
                json_pack("{s:s, s:s, s:{s:s, s:s}}", "kind", "ServiceAccount", "apiVersion", "v1", "metadata", "name",
                          ACCOUNT, "namespace", ns),
                e);
}

static int edit_ca(json_t *map, void *arg, struct err *e)
{
    (void)e;
    if (str_eq(jmap(map, "data", CA_KEY), arg) && json_object_size(jat(map, "data")) == 1)
        return 0;
    json_t *data = json_object();
    json_object_set_new(data, CA_KEY, json_string(arg));
    json_object_set_new(map, "data", data);
    return 1;
}

static int reconcile_ca(struct loop *l, const char *none, const char *ns, struct err *e)
{
    (void)none;
    const struct controllers_env *env = loop_env(l);
    if (!env || str_empty(env->ca_pem) || !lives(l, ns))
        return 0;
    _auto_sobj_ struct sobj *have = reg_read(loop_registry(l), RES.configmaps, ns, CA_MAP);
    if (have)
        return reg_modify(loop_registry(l), WHO, RES.configmaps, ns, CA_MAP, "", edit_ca, (void *)env->ca_pem, e);
    return make(l, RES.configmaps, ns,
                json_pack("{s:s, s:s, s:{s:s, s:s, s:{s:s}}, s:{s:s}}", "kind", "ConfigMap", "apiVersion", "v1",
                          "metadata", "name", CA_MAP, "namespace", ns, "annotations", "kubernetes.io/description",
                          CA_WHY, "data", CA_KEY, env->ca_pem),
                e);
}

static const struct loop_watch account_watches[] = {
    {"namespaces", map_namespace}, {"serviceaccounts", map_account}, {NULL, NULL}};

const struct loop_def service_account_loop = {
    .name = "serviceaccount",
    .component = "serviceaccount-controller",
    .watches = account_watches,
    .reconcile = reconcile_account,
    .max_backoff_ms = 5000,
};

static const struct loop_watch ca_watches[] = {{"namespaces", map_namespace}, {"configmaps", map_ca}, {NULL, NULL}};

const struct loop_def root_ca_loop = {
    .name = "root-ca-certificate-publisher",
    .component = "root-ca-cert-publisher",
    .watches = ca_watches,
    .reconcile = reconcile_ca,
    .max_backoff_ms = 5000,
};
