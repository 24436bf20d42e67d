/* node.c - a node in the API: its Node, CSINode and Lease, and the loop that keeps them fresh.
 *
 * DESIGN: the Node is made once and its status refreshed after that; what other loops own in it (taints,
 * volumesAttached, labels and annotations that users add) is left alone. The lease is renewed every 10 s, the status
 * written every 5 min or on change. Source: pkg/kubelet/kubelet_node_status.go, nodestatus/setters.go,
 * component-helpers lease controller, nodeinfomanager. */
#include "kubeletsim/eviction_int.h"
#include "kubeletsim/volumes_int.h"

#include "csi/cloud.h"
#include "csi/driver.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LEASE_NS      "kube-node-lease"
#define LEASE_SECONDS 40
#define RENEW_MS      10000
#define STATUS_MS     300000

static void now_text(const struct kubelet *k, char out[TIME_TEXT_LEN])
{
    time_format(kubelet_now(k), out);
}

/* -- Node -- */

static json_t *labels_of(const struct kubelet *k, const struct node_run *n)
{
    const char *const rows[][2] = {
        {"beta.kubernetes.io/arch", k->info.arch},
        {"beta.kubernetes.io/instance-type", CLOUD_INSTANCE_TYPE},
        {"beta.kubernetes.io/os", "linux"},
        {"failure-domain.beta.kubernetes.io/region", k->conf.region},
        {"failure-domain.beta.kubernetes.io/zone", n->zone},
        {"kubernetes.io/arch", k->info.arch},
        {"kubernetes.io/hostname", n->name},
        {"kubernetes.io/os", "linux"},
        {"node.kubernetes.io/instance-type", CLOUD_INSTANCE_TYPE},
        {"topology.ebs.csi.aws.com/zone", n->zone},
        {"topology.kubernetes.io/region", k->conf.region},
        {"topology.kubernetes.io/zone", n->zone},
    };
    json_t *labels = json_object();
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        json_object_set_new(labels, rows[i][0], json_string(rows[i][1]));
    if (n->index == 0)
        json_object_set_new(labels, "node-role.kubernetes.io/control-plane", json_string(""));
    return labels;
}

/* Of "a,b,c" the one whose turn it is. */
static void zone_in_turn(const char *zones, int index, char zone[64])
{
    int n = 1;
    for (const char *p = zones; *p; p++)
        n += *p == ',';
    for (int i = index % n; i > 0; i--)
        zones = strchr(zones, ',') + 1;
    snprintf(zone, 64, "%.*s", (int)strcspn(zones, ","), zones);
}

void kubelet_node_place(const char *region, const char *zones, int index, char zone[64], char ip[32])
{
    snprintf(ip, 32, "172.30.0.%d", 10 + index);
    /* The control plane and the first worker share zone a, as a one-node-group cluster has it; further nodes spread. */
    if (zones)
        zone_in_turn(zones, index, zone);
    else
        snprintf(zone, 64, "%s%c", region, 'a' + (index < 2 ? 0 : (index - 1) % 3));
}

static json_t *node_object(const struct kubelet *k, const struct node_run *n)
{
    char id[24];
    cloud_instance_id(n->name, id);
    json_t *node = json_pack("{s:s, s:s, s:{s:s, s:o}}", "apiVersion", "v1", "kind", "Node", "metadata", "name",
                             n->name, "labels", labels_of(k, n));
    _auto_free_ char *node_ids = xasprintf("{\"ebs.csi.aws.com\":\"%s\"}", id);
    _auto_free_ char *provider = xasprintf("aws:///%s/%s", n->zone, id);
    _auto_free_ char *cidr = xasprintf("10.244.%d.0/24", n->index);
    jset_map(node, "metadata.annotations", "csi.volume.kubernetes.io/nodeid", node_ids);
    jset_map(node, "metadata.annotations", "node.alpha.kubernetes.io/ttl", "0");
    jset_map(node, "metadata.annotations", "volumes.kubernetes.io/controller-managed-attach-detach", "true");
    jset_str(node, "spec.podCIDR", cidr);
    jset(node, "spec.podCIDRs", json_pack("[s]", cidr));
    jset_str(node, "spec.providerID", provider);
    if (n->index == 0 && k->conf.nodes > 1)
        jset(node, "spec.taints",
             json_pack("[{s:s, s:s}]", "key", "node-role.kubernetes.io/control-plane", "effect", "NoSchedule"));
    return node;
}

struct node_condition {
    const char *type, *status, *reason, *message;
};

static struct node_condition pressure_row(const struct node_run *n, enum pressure pressure)
{
    static const struct node_condition rows[PRESSURE_MAX][2] = {
        [PRESSURE_MEMORY] = {{"MemoryPressure", "False", "KubeletHasSufficientMemory",
                              "kubelet has sufficient memory available"},
                             {"MemoryPressure", "True", "KubeletHasInsufficientMemory",
                              "kubelet has insufficient memory available"}},
        [PRESSURE_DISK] = {{"DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"},
                           {"DiskPressure", "True", "KubeletHasDiskPressure", "kubelet has disk pressure"}},
    };
    return rows[pressure][node_has_pressure(n, pressure)];
}

static json_t *node_conditions(const struct kubelet *k, const struct node_run *n, const json_t *old)
{
    _auto_free_ char *simulated = xasprintf("pods and disks are only remembered, not made: %s", k->info.why);
    const struct node_condition simulated_row = {"StowageSimulated", "True", "KernelNotUsed", simulated},
                                rootless_row = {"StowageRootless", "True", "UserNamespace", k->info.differs};
    struct node_condition rows[] = {
        pressure_row(n, PRESSURE_MEMORY),
        pressure_row(n, PRESSURE_DISK),
        {"PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"},
        {"Ready", "True", "KubeletReady", "kubelet is posting ready status"},
        k->info.simulated ? simulated_row : rootless_row,
    };
    char now[TIME_TEXT_LEN];
    now_text(k, now);
    json_t *list = json_array();
    for (size_t i = 0; i < ARRAY_LEN(rows) - (k->info.simulated || k->info.rootless ? 0 : 1); i++) {
        const char *since = now;
        size_t j;
        const json_t *c;
        json_array_foreach(old, j, c)
        {
            if (str_eq(jstr(c, "type"), rows[i].type) && str_eq(jstr(c, "status"), rows[i].status))
                since = jstr_or(c, "lastTransitionTime", now);
        }
        json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "type", rows[i].type, "status",
                                              rows[i].status, "lastHeartbeatTime", now, "lastTransitionTime", since,
                                              "reason", rows[i].reason, "message", rows[i].message));
    }
    return list;
}

int64_t node_allocatable(const struct kubelet *k, const char *resource)
{
    if (str_eq(resource, "cpu"))
        return k->info.cpus;
    if (str_eq(resource, "memory"))
        return k->info.memory_bytes - RESERVED_MEMORY;
    if (str_eq(resource, "ephemeral-storage"))
        return k->nodefs_bytes / 100 * (100 - NODEFS_THRESHOLD);
    return -1;
}

static void set_resources(const struct kubelet *k, json_t *status)
{
    int64_t memory_ki = k->info.memory_bytes >> 10, disk_ki = k->nodefs_bytes >> 10;
    const struct {
        const char *name;
        char *capacity, *allocatable;
    } rows[] = {
        {"cpu", xasprintf("%d", k->info.cpus), xasprintf("%d", k->info.cpus)},
        {"ephemeral-storage", xasprintf("%lldKi", (long long)disk_ki),
         xasprintf("%lld", (long long)node_allocatable(k, "ephemeral-storage"))},
        {"hugepages-1Gi", xstrdup("0"), xstrdup("0")},
        {"hugepages-2Mi", xstrdup("0"), xstrdup("0")},
        {"memory", xasprintf("%lldKi", (long long)memory_ki),
         xasprintf("%lldKi", (long long)(node_allocatable(k, "memory") >> 10))},
        {"pods", xstrdup("110"), xstrdup("110")},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        jset_map(status, "capacity", rows[i].name, rows[i].capacity);
        jset_map(status, "allocatable", rows[i].name, rows[i].allocatable);
        free(rows[i].capacity);
        free(rows[i].allocatable);
    }
}

/* -- status.images: what is unpacked, the largest first, digests before tags -- */

#define IMAGES_MAX      50
#define IMAGE_NAMES_MAX 5

static void add_names(json_t *names, const char *const *list)
{
    for (; *list && json_array_size(names) < IMAGE_NAMES_MAX; list++)
        json_array_append_new(names, json_string(*list));
}

static void add_image(const struct image_info *info, void *arg)
{
    json_t *list = arg, *names = json_array();
    size_t at = 0;
    add_names(names, info->ids);
    add_names(names, info->names);
    while (at < json_array_size(list) && jint(json_array_get(list, at), "sizeBytes", 0) >= info->size)
        at++;
    json_array_insert_new(list, at, json_pack("{s:o, s:I}", "names", names, "sizeBytes", (json_int_t)info->size));
    json_array_remove(list, IMAGES_MAX);
}

static const char *boot_id(const struct kubelet *k, const struct node_run *n)
{
    return *n->boot_id ? n->boot_id : k->info.boot_id;
}

static void fill_status(const struct kubelet *k, const struct node_run *n, json_t *status)
{
    set_resources(k, status);
    jset(status, "conditions", node_conditions(k, n, json_object_get(status, "conditions")));
    jset(status, "addresses",
         json_pack("[{s:s, s:s}, {s:s, s:s}]", "type", "InternalIP", "address", n->ip, "type", "Hostname", "address",
                   n->name));
    jset_int(status, "daemonEndpoints.kubeletEndpoint.Port", 10250);
    const char *const info[][2] = {
        {"machineID", k->info.machine_id},
        {"systemUUID", k->info.machine_id},
        {"bootID", boot_id(k, n)},
        {"kernelVersion", k->info.kernel},
        {"osImage", k->info.os_image},
        {"containerRuntimeVersion", "containerd://1.7.27"},
        {"kubeletVersion", k->conf.kubelet_version},
        {"kubeProxyVersion", k->conf.kubelet_version},
        {"operatingSystem", "linux"},
        {"architecture", k->info.arch},
    };
    json_t *out = jmake_obj(status, "nodeInfo");
    for (size_t i = 0; i < ARRAY_LEN(info); i++)
        jset_str(out, info[i][0], info[i][1]);
    json_t *images = json_array();
    images_each(k->conf.images, add_image, images);
    jset(status, "images", images);
    if (json_array_size(n->in_use) > 0)
        jset(status, "volumesInUse", json_deep_copy(n->in_use));
    else
        json_object_del(status, "volumesInUse");
}

struct node_edit {
    struct kubelet *k;
    struct node_run *n;
};

static int edit_status(json_t *obj, void *arg, struct err *e _unused_)
{
    struct node_edit *edit = arg;
    fill_status(edit->k, edit->n, jmake_obj(obj, "status"));
    return 1;
}

static int write_status(struct kubelet *k, struct node_run *n, struct err *e)
{
    struct node_edit edit = {k, n};
    n->last_status = kubelet_mono(k);
    return reg_modify(k->conf.registry, USER_AGENT, RES.nodes, "", n->name, "status", edit_status, &edit, e);
}

void node_conditions_changed(struct kubelet *k, struct node_run *n)
{
    struct err e = ERR_INIT;
    if (write_status(k, n, &e) < 0)
        n->last_status = kubelet_mono(k) - STATUS_MS; /* with the next heartbeat */
}

/* -- CSINode -- */

/* With the drivers that are installed; later ones come by the registrar (binder/driver_install.c). */
/* The in-tree plugins that a 1.32 kubelet hands over to CSI drivers. */
#define MIGRATED                                                                                                       \
    "kubernetes.io/aws-ebs,kubernetes.io/azure-disk,kubernetes.io/azure-file,kubernetes.io/cinder,kubernetes.io/"      \
    "gce-pd,kubernetes.io/portworx-volume,kubernetes.io/vsphere-volume"

static json_t *csi_node_object(const struct kubelet *k, const struct node_run *n, const json_t *node)
{
    json_t *drivers = json_array();
    size_t count;
    const struct csi_driver *const *all = csi_drivers(&count);
    for (size_t i = 0; i < count; i++) {
        _auto_sobj_ struct sobj *installed = reg_read(k->conf.registry, RES.csidrivers, "", all[i]->name);
        if (installed)
            json_array_append_new(drivers, csi_node_driver(all[i], node));
    }
    return json_pack("{s:s, s:s, s:{s:s, s:{s:s}, s:[{s:s, s:s, s:s, s:s}]}, s:{s:o}}", "apiVersion",
                     "storage.k8s.io/v1", "kind", "CSINode", "metadata", "name", n->name, "annotations",
                     "storage.alpha.kubernetes.io/migrated-plugins", MIGRATED, "ownerReferences", "apiVersion", "v1",
                     "kind", "Node", "name", n->name, "uid", jstr_or(node, "metadata.uid", ""), "spec", "drivers",
                     drivers);
}

/* -- Lease -- */

static void set_renew_time(const struct kubelet *k, json_t *lease)
{
    char now[MICROTIME_TEXT_LEN];
    microtime_format(kubelet_now(k), now);
    jset_str(lease, "spec.renewTime", now);
}

static int edit_lease(json_t *obj, void *arg, struct err *e _unused_)
{
    set_renew_time(arg, obj);
    return 1;
}

static json_t *lease_object(const struct kubelet *k, const struct node_run *n, const char *uid)
{
    json_t *lease = json_pack("{s:s, s:s, s:{s:s, s:s, s:[{s:s, s:s, s:s, s:s}]}, s:{s:s, s:i}}", "apiVersion",
                              "coordination.k8s.io/v1", "kind", "Lease", "metadata", "name", n->name, "namespace",
                              LEASE_NS, "ownerReferences", "apiVersion", "v1", "kind", "Node", "name", n->name, "uid",
                              uid, "spec", "holderIdentity", n->name, "leaseDurationSeconds", LEASE_SECONDS);
    set_renew_time(k, lease);
    return lease;
}

/* -- registration -- */

/* Creates it unless it is there from an earlier run. */
static int ensure(struct kubelet *k, const struct resource *res, const char *ns, json_t *take, struct err *e)
{
    if (reg_make(k->conf.registry, USER_AGENT, res, ns, take, NULL, e) == 0)
        return 0;
    if (e->code != ERR_ALREADY_EXISTS)
        return -1;
    err_clear(e);
    return 0;
}

int node_register(struct kubelet *k, struct node_run *n, struct err *e)
{
    struct registry *r = k->conf.registry;
    if (ensure(k, RES.nodes, "", node_object(k, n), e) < 0)
        return err_wrap(e, "register node %s", n->name);
    _auto_sobj_ struct sobj *node = reg_read(r, RES.nodes, "", n->name);
    const char *uid = node ? jstr_or(node->tree, "metadata.uid", "") : "";
    if (write_status(k, n, e) < 0 ||
        ensure(k, RES.csinodes, "", csi_node_object(k, n, node ? node->tree : NULL), e) < 0 ||
        ensure(k, RES.leases, LEASE_NS, lease_object(k, n, uid), e) < 0)
        return err_wrap(e, "register node %s", n->name);
    return 0;
}

void node_volumes_in_use(struct kubelet *k, struct node_run *n)
{
    struct err e = ERR_INIT;
    _auto_strlist_ struct strlist names = {0};
    for (const struct pod_run *p = k->pods; p; p = p->next)
        for (size_t i = 0; p->node == n->index && i < p->volume_count; i++) {
            const char *name = p->volumes[i].driver ? p->volumes[i].unique : NULL; /* only what is attached */
            if (name && !strlist_has(&names, name))
                strlist_add(&names, name);
        }
    strlist_sort(&names);
    json_t *list = json_array();
    for (size_t i = 0; i < names.len; i++)
        json_array_append_new(list, json_string(names.items[i]));
    bool same = json_equal(list, n->in_use);
    json_decref(n->in_use);
    n->in_use = list;
    if (!same)
        write_status(k, n, &e);
}

/* -- the heartbeat -- */

void node_event(struct kubelet *k, const struct node_run *n, enum event_type type, const char *reason, const char *fmt,
                ...)
{
    const struct event_source source = {"kubelet", n->name};
    _auto_json_ json_t *ref = json_pack("{s:s, s:s, s:{s:s, s:s}}", "apiVersion", "v1", "kind", "Node", "metadata",
                                        "name", n->name, "uid", n->name);
    char text[1024];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    control_event(k->control, &source, ref, "", type, reason, "%s", text);
}

static void announce(struct kubelet *k, struct node_run *n)
{
    static const char *const reasons[] = {"NodeHasSufficientMemory", "NodeHasNoDiskPressure", "NodeHasSufficientPID",
                                          "NodeReady"};
    _auto_sobj_ struct sobj *node = reg_read(k->conf.registry, RES.nodes, "", n->name);
    const char *before = node ? jstr(node->tree, "status.nodeInfo.bootID") : NULL;
    node_event(k, n, EVENT_NORMAL, "Starting", "Starting kubelet.");
    if (before && !str_eq(before, boot_id(k, n)))
        node_event(k, n, EVENT_WARNING, "Rebooted", "Node %s has been rebooted, boot id: %s", n->name, boot_id(k, n));
    for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
        node_event(k, n, EVENT_NORMAL, reasons[i], "Node %s status is now: %s", n->name, reasons[i]);
    if (k->info.simulated)
        node_event(k, n, EVENT_WARNING, "Simulated", "Pods and disks are only remembered, not made: %s", k->info.why);
    if (k->info.rootless)
        node_event(k, n, EVENT_WARNING, "Rootless", "In a user namespace, without root: %s", k->info.differs);
}

static int nodes_reconcile(struct loop *l, const char *ns, const char *name, struct err *e)
{
    struct kubelet *k = loop_env(l);
    int index = kubelet_node_index(k, name);
    if (index < 0)
        return 0;
    struct node_run *n = &k->nodes[index];
    int64_t now = kubelet_mono(k);
    if (node_is_off(n))
        return 0;
    if (node_came_back(n)) {
        n->announced = false;
        n->next_renew = 0;
        n->last_status = now - STATUS_MS;
        node_volumes_in_use(k, n);
    }
    if (!n->announced) {
        n->announced = true;
        announce(k, n);
    }
    if (now < n->next_renew) { /* one of our own writes woke us, or a retry that took the place of the timer */
        loop_enqueue_after(l, ns, name, n->next_renew - now);
        return 0;
    }
    n->next_renew = now + RENEW_MS;
    loop_enqueue_after(l, ns, name, RENEW_MS);
    _auto_sobj_ struct sobj *node = reg_read(k->conf.registry, RES.nodes, "", name);
    if (!node)
        return node_register(k, n, e); /* deleted by hand: a running kubelet registers again */
    if (now - n->last_status >= STATUS_MS && write_status(k, n, e) < 0)
        return -1;
    return reg_modify(k->conf.registry, USER_AGENT, RES.leases, LEASE_NS, name, "", edit_lease, k, e);
}

static const struct loop_watch nodes_watches[] = {{"nodes", NULL}, {NULL, NULL}};

const struct loop_def nodes_loop_def = {
    .name = "kubelet-nodes",
    .component = "kubelet",
    .watches = nodes_watches,
    .reconcile = nodes_reconcile,
    .max_backoff_ms = 10000,
};
