/* profile.c - see profile.h. The classes are those that `kubectl get sc` shows on each platform (facts: their own
 * manifests).
 *
 * DESIGN: a table. A ConfigMap in kube-system remembers which profile was applied, so that deleting a class is for
 * good. When you add a profile: rows in classes[], its name in verb_up.c and the manual. */
#include "app/profile.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "csi/driver.h"

#define WHO         "stowage"
#define MARK        "stowage-profile"
#define DEFAULT_KEY "storageclass.kubernetes.io/is-default-class"

static const struct {
    const char *profile, *name, *provisioner, *binding;
    const char *parameters[5]; /* key, value, …, NULL */
} classes[] = {
    {"eks", "gp2", "kubernetes.io/aws-ebs", "WaitForFirstConsumer", {"type", "gp2", "fsType", "ext4", NULL}},
    {"killercoda", "local-path", "rancher.io/local-path", "WaitForFirstConsumer", {NULL}},
    {"kind", "standard", "rancher.io/local-path", "WaitForFirstConsumer", {NULL}},
    {"minikube", "standard", "k8s.io/minikube-hostpath", "Immediate", {NULL}},
};

static json_t *class_object(size_t i)
{
    json_t *c = json_pack("{s:s, s:s, s:{s:s, s:{s:s}}, s:s, s:s, s:s}", "apiVersion", "storage.k8s.io/v1", "kind",
                          "StorageClass", "metadata", "name", classes[i].name, "annotations", DEFAULT_KEY, "true",
                          "provisioner", classes[i].provisioner, "reclaimPolicy", "Delete", "volumeBindingMode",
                          classes[i].binding);
    for (size_t p = 0; classes[i].parameters[p]; p += 2)
        jset_map(c, "parameters", classes[i].parameters[p], classes[i].parameters[p + 1]);
    return c;
}

static int ensure(struct registry *r, const struct resource *res, const char *ns, json_t *take, struct err *e)
{
    if (reg_make(r, WHO, res, ns, take, NULL, e) == 0 || e->code == ERR_ALREADY_EXISTS) {
        err_clear(e);
        return 0;
    }
    return -1;
}

/* Installed from the start; others come when a class or a volume names them (binder/driver_install.c). */
static const struct {
    const char *profile, *driver; /* NULL: every profile */
} drivers[] = {{NULL, "ebs.csi.aws.com"}, {"eks", "efs.csi.aws.com"}};

static int ensure_drivers(struct registry *r, const char *profile, struct err *e)
{
    for (size_t i = 0; i < ARRAY_LEN(drivers); i++)
        if ((!drivers[i].profile || str_eq(drivers[i].profile, profile)) &&
            ensure(r, RES.csidrivers, "", csi_driver_object(csi_driver_by_name(drivers[i].driver)), e) < 0)
            return -1;
    return 0;
}

/* The DNS server's name and address; it is no pod, so its endpoints are written here. */
static int ensure_dns(struct registry *r, struct err *e)
{
    json_t *ports =
        json_pack("[{s:s, s:s, s:i}, {s:s, s:s, s:i}, {s:s, s:s, s:i}]", "name", "dns", "protocol", "UDP", "port", 53,
                  "name", "dns-tcp", "protocol", "TCP", "port", 53, "name", "metrics", "protocol", "TCP", "port", 9153);
    json_t *labels = json_pack("{s:s, s:s, s:s}", "k8s-app", "kube-dns", "kubernetes.io/cluster-service", "true",
                               "kubernetes.io/name", "CoreDNS");
    json_t *endpoints =
        json_pack("{s:s, s:s, s:{s:s, s:O}, s:[{s:[{s:s}], s:O}]}", "apiVersion", "v1", "kind", "Endpoints", "metadata",
                  "name", "kube-dns", "labels", labels, "subsets", "addresses", "ip", "172.30.0.1", "ports", ports);
    json_t *service =
        json_pack("{s:s, s:s, s:{s:s, s:o}, s:{s:s, s:o}}", "apiVersion", "v1", "kind", "Service", "metadata", "name",
                  "kube-dns", "labels", labels, "spec", "clusterIP", "10.96.0.10", "ports", ports);
    const int rc = ensure(r, RES.services, "kube-system", service, e);
    if (rc == 0)
        return ensure(r, RES.endpoints, "kube-system", endpoints, e);
    json_decref(endpoints);
    return rc;
}

/* What the ingress controller that runs from the start looks after. */
static int ensure_ingress(struct registry *r, const char *profile, struct err *e)
{
    if (str_eq(profile, "none"))
        return 0;
    return ensure(r, RES.ingressclasses, "",
                  json_pack("{s:s, s:s, s:{s:s}, s:{s:s}}", "apiVersion", "networking.k8s.io/v1", "kind",
                            "IngressClass", "metadata", "name", "nginx", "spec", "controller", "k8s.io/ingress-nginx"),
                  e);
}

int profile_apply(struct registry *r, const char *name, struct err *e)
{
    _auto_sobj_ struct sobj *mark = reg_read(r, RES.configmaps, "kube-system", MARK);
    if (mark)
        return 0;
    for (size_t i = 0; i < ARRAY_LEN(classes); i++)
        if (str_eq(classes[i].profile, name) && ensure(r, RES.storageclasses, "", class_object(i), e) < 0)
            return err_wrap(e, "profile %s", name);
    if (ensure_drivers(r, name, e) < 0 || ensure_dns(r, e) < 0 || ensure_ingress(r, name, e) < 0)
        return err_wrap(e, "profile %s", name);
    json_t *cm = json_pack("{s:s, s:s, s:{s:s, s:s}, s:{s:s}}", "apiVersion", "v1", "kind", "ConfigMap", "metadata",
                           "name", MARK, "namespace", "kube-system", "data", "profile", name);
    return ensure(r, RES.configmaps, "kube-system", cm, e);
}
