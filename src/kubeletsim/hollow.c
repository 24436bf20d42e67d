/* hollow.c - see hollow.h.
 *
 * DESIGN: nothing is kept but when each node's lease is due. A pod bound to one of the nodes gets its whole status in
 * one write: Running and ready, or, if it is not to run for good, Succeeded a second later; one that is to go is gone
 * at once. Nodes send the heartbeats that real ones send, spread over time. No events are told of containers that are
 * not: thousands of them would hide those that matter.
 *
 * THREADS: hollow_open() before the loops run, then the loop thread; pods' statuses are written by workers, which wait
 * for the journal together. */
#include "kubeletsim/hollow.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "control/objects.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WHO           "kubelet"
#define PREFIX        "sim-"
#define MARK          "stowage.io/simulated"
#define CLASS         "simulated"
#define LEASE_NS      "kube-node-lease"
#define LEASE_SECONDS 40
#define RENEW_MS      10000
#define STATUS_MS     300000
#define BEAT_MS       1000
#define RUN_MS        1000 /* of a pod that is not to run for good */

struct hollow_node {
    int64_t renew_at, status_at; /* mono ms */
    unsigned given;              /* addresses of pods */
};
struct hollow {
    struct hollow_conf conf;
    struct hollow_node *nodes; /* owned */
};

void hollow_node_name(int index, char out[64])
{
    snprintf(out, 64, PREFIX "%04d", index + 1);
}

/* -1: none of ours. */
static int node_index(const struct hollow *h, const char *name)
{
    uint64_t number;
    if (!name || !str_starts(name, PREFIX) || !str_to_u64(name + strlen(PREFIX), &number))
        return -1;
    return number >= 1 && number <= (uint64_t)h->conf.nodes ? (int)number - 1 : -1;
}

static void node_ip(int index, char out[32])
{
    snprintf(out, 32, "172.30.%d.%d", 1 + index / 250, 1 + index % 250);
}

static int64_t now_ms(const struct hollow *h)
{
    return clock_mono_ms(h->conf.clock);
}

/* -- nodes -- */

static json_t *labels_of(const struct hollow *h, int index, const char *name)
{
    char zone[64];
    snprintf(zone, sizeof zone, "%s%c", h->conf.region, 'a' + index % 3);
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "kubernetes.io/arch", "amd64", "kubernetes.io/hostname", name,
                     "kubernetes.io/os", "linux", MARK, "true", "topology.kubernetes.io/region", h->conf.region,
                     "topology.kubernetes.io/zone", zone);
}

static json_t *amounts(void)
{
    return json_pack("{s:s, s:s, s:s, s:s}", "cpu", "32", "ephemeral-storage", "100Gi", "memory", "256Gi", "pods",
                     "110");
}

static json_t *conditions_of(const char *now)
{
    static const char *const rows[][4] = {
        {"MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"},
        {"DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"},
        {"PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"},
        {"Ready", "True", "KubeletReady", "kubelet is posting ready status"},
    };
    json_t *list = json_array();
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "type", rows[i][0], "status",
                                              rows[i][1], "lastHeartbeatTime", now, "lastTransitionTime", now, "reason",
                                              rows[i][2], "message", rows[i][3]));
    return list;
}

static json_t *node_object(const struct hollow *h, int index, const char *name, const char *now)
{
    char ip[32], id[40];
    node_ip(index, ip);
    snprintf(id, sizeof id, "simulated-%04d", index + 1);
    _auto_free_ char *cidr = xasprintf("100.%d.%d.0/24", 64 + index / 256, index % 256);
    json_t *info =
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "machineID", id, "systemUUID", id, "bootID", id,
                  "kernelVersion", "simulated", "osImage", "Simulated", "containerRuntimeVersion", "simulated://1",
                  "kubeletVersion", h->conf.kubelet_version, "kubeProxyVersion", h->conf.kubelet_version,
                  "operatingSystem", "linux", "architecture", "amd64");
    json_t *addresses =
        json_pack("[{s:s, s:s}, {s:s, s:s}]", "type", "InternalIP", "address", ip, "type", "Hostname", "address", name);
    return json_pack("{s:s, s:s, s:{s:s, s:o}, s:{s:s, s:[s], s:[{s:s, s:s, s:s}]}, s:{s:o, s:o, s:o, s:o, s:o}}",
                     "apiVersion", "v1", "kind", "Node", "metadata", "name", name, "labels", labels_of(h, index, name),
                     "spec", "podCIDR", cidr, "podCIDRs", cidr, "taints", "key", MARK, "value", "true", "effect",
                     "NoSchedule", "status", "capacity", amounts(), "allocatable", amounts(), "conditions",
                     conditions_of(now), "addresses", addresses, "nodeInfo", info);
}

static void set_renew_time(const struct hollow *h, json_t *lease)
{
    char now[MICROTIME_TEXT_LEN];
    microtime_format(clock_wall_ns(h->conf.clock), now);
    jset_str(lease, "spec.renewTime", now);
}

static json_t *lease_object(const struct hollow *h, const char *name, const char *uid)
{
    json_t *lease = json_pack("{s:s, s:s, s:{s:s, s:s, s:[{s:s, s:s, s:s, s:s}]}, s:{s:s, s:i}}", "apiVersion",
                              "coordination.k8s.io/v1", "kind", "Lease", "metadata", "name", name, "namespace",
                              LEASE_NS, "ownerReferences", "apiVersion", "v1", "kind", "Node", "name", name, "uid", uid,
                              "spec", "holderIdentity", name, "leaseDurationSeconds", LEASE_SECONDS);
    set_renew_time(h, lease);
    return lease;
}

/* Makes it unless it is there. */
static int ensure(struct hollow *h, const struct resource *res, const char *ns, json_t *take, struct err *e)
{
    if (reg_make(h->conf.registry, WHO, res, ns, take, NULL, e) < 0 && e->code != ERR_ALREADY_EXISTS)
        return -1;
    err_clear(e);
    return 0;
}

static int node_register(struct hollow *h, int index, struct err *e)
{
    char name[64], now[TIME_TEXT_LEN];
    hollow_node_name(index, name);
    now_text(h->conf.clock, now);
    if (ensure(h, RES.nodes, "", node_object(h, index, name, now), e) < 0)
        return err_wrap(e, "simulated node %s", name);
    _auto_sobj_ struct sobj *node = reg_read(h->conf.registry, RES.nodes, "", name);
    if (node && ensure(h, RES.leases, LEASE_NS, lease_object(h, name, obj_uid(node->tree)), e) < 0)
        return err_wrap(e, "simulated node %s", name);
    h->nodes[index].renew_at = now_ms(h) + index % 10 * (RENEW_MS / 10);
    h->nodes[index].status_at = now_ms(h) + STATUS_MS + index % 100 * 1000;
    return 0;
}

static int make_class(struct hollow *h, struct err *e)
{
    return ensure(h, RES.runtimeclasses, "",
                  json_pack("{s:s, s:s, s:{s:s}, s:s, s:{s:{s:s}, s:[{s:s, s:s}]}}", "apiVersion", "node.k8s.io/v1",
                            "kind", "RuntimeClass", "metadata", "name", CLASS, "handler", CLASS, "scheduling",
                            "nodeSelector", MARK, "true", "tolerations", "key", MARK, "operator", "Exists"),
                  e);
}

/* Nodes of an earlier, bigger life. */
static int remove_others(struct hollow *h, struct err *e)
{
    _auto_objlist_ struct objlist nodes = {0};
    objlist_load(&nodes, h->conf.registry, RES.nodes->bucket, NULL);
    for (size_t i = 0; i < nodes.len; i++) {
        if (!jmap(nodes.trees[i], "metadata.labels", MARK) || node_index(h, nodes.items[i]->name) >= 0)
            continue;
        if (reg_remove(h->conf.registry, WHO, RES.nodes, "", nodes.items[i]->name, &REG_DELETE_DEFAULT, e) < 0)
            return -1;
    }
    return 0;
}

int hollow_open(const struct hollow_conf *conf, struct hollow **out, struct err *e)
{
    struct hollow *h = xcalloc(1, sizeof *h);
    h->conf = *conf;
    h->nodes = xcalloc((size_t)conf->nodes + 1, sizeof *h->nodes);
    int rc = remove_others(h, e);
    if (rc == 0 && conf->nodes)
        rc = make_class(h, e);
    for (int i = 0; rc == 0 && i < conf->nodes; i++)
        rc = node_register(h, i, e);
    if (rc < 0)
        hollow_close(h);
    else
        *out = h;
    return rc;
}

void hollow_close(struct hollow *h)
{
    if (!h)
        return;
    free(h->nodes);
    free(h);
}

/* -- heartbeats -- */

static int edit_lease(json_t *lease, void *arg, struct err *e _unused_)
{
    set_renew_time(arg, lease);
    return 1;
}

static int edit_beat(json_t *node, void *arg, struct err *e _unused_)
{
    size_t i;
    json_t *c;
    bool back = !condition_true(node, "Ready");
    json_t *conditions = back ? NULL : jat(node, "status.conditions");
    json_array_foreach(conditions, i, c) jset_str(c, "lastHeartbeatTime", arg);
    if (back)
        jset(node, "status.conditions", conditions_of(arg));
    return 1;
}

static void beat(struct hollow *h, int index)
{
    char name[64], now[TIME_TEXT_LEN];
    struct hollow_node *n = &h->nodes[index];
    struct err ignored = ERR_INIT; /* a node that somebody deleted stays away */
    hollow_node_name(index, name);
    now_text(h->conf.clock, now);
    if (n->renew_at <= now_ms(h)) {
        n->renew_at = now_ms(h) + RENEW_MS;
        reg_modify(h->conf.registry, WHO, RES.leases, LEASE_NS, name, "", edit_lease, h, &ignored);
    }
    if (n->status_at <= now_ms(h)) {
        n->status_at = now_ms(h) + STATUS_MS;
        reg_modify(h->conf.registry, WHO, RES.nodes, "", name, "status", edit_beat, now, &ignored);
    }
}

static int nodes_reconcile(struct loop *l, const char *ns, const char *name, struct err *e _unused_)
{
    struct hollow *h = loop_env(l);
    for (int i = 0; i < h->conf.nodes; i++)
        beat(h, i);
    loop_enqueue_after(l, ns, name, BEAT_MS);
    return 0;
}

static int nodes_start(struct loop *l, struct err *e _unused_)
{
    loop_enqueue_after(l, "", "beat", BEAT_MS);
    return 0;
}

/* -- pods -- */

struct pod_edit {
    struct hollow *h;
    char *ns, *name; /* owned */
    char *uid;       /* owned: of a pod that goes */
    int node;
    unsigned host; /* part of its address */
    bool over;
    char now[TIME_TEXT_LEN];
    struct err e;
};

static json_t *state_of(const struct pod_edit *edit, const json_t *old)
{
    const char *since = jstr_or(old, "state.running.startedAt", edit->now);
    if (!edit->over)
        return json_pack("{s:{s:s}}", "running", "startedAt", since);
    return json_pack("{s:{s:i, s:s, s:s, s:s}}", "terminated", "exitCode", 0, "reason", "Completed", "startedAt", since,
                     "finishedAt", edit->now);
}

static json_t *container_status(const struct pod_edit *edit, const json_t *pod, const json_t *spec, const json_t *old)
{
    const char *name = jstr_or(spec, "name", "");
    _auto_free_ char *id = xasprintf("simulated://%s/%s", obj_uid(pod), name);
    return json_pack("{s:s, s:s, s:s, s:{}, s:s, s:b, s:i, s:b, s:o}", "containerID", id, "image",
                     jstr_or(spec, "image", ""), "imageID", jstr_or(spec, "image", ""), "lastState", "name", name,
                     "ready", !edit->over, "restartCount", 0, "started", !edit->over, "state", state_of(edit, old));
}

static bool is_one_of(const char *const *list, size_t n, const char *s)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq(list[i], s))
            return true;
    return false;
}

static void set_conditions(const struct pod_edit *edit, json_t *pod)
{
    static const char *const types[] = {"PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady"};
    json_t *list = json_array();
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        bool value = !edit->over || str_eq(types[i], "Initialized");
        json_t *c = json_pack("{s:s, s:s, s:n, s:s}", "type", types[i], "status", value ? "True" : "False",
                              "lastProbeTime", "lastTransitionTime", edit->now);
        if (edit->over)
            jset_str(c, "reason", "PodCompleted");
        json_array_append_new(list, c);
    }
    size_t i;
    json_t *c;
    json_array_foreach(jat(pod, "status.conditions"), i, c)
    {
        if (!is_one_of(types, ARRAY_LEN(types), jstr_or(c, "type", "")))
            json_array_append(list, c);
    }
    jset(pod, "status.conditions", list);
}

static void set_addresses(const struct pod_edit *edit, json_t *status)
{
    char host[32];
    if (jstr(status, "podIP"))
        return;
    node_ip(edit->node, host);
    _auto_free_ char *ip = xasprintf("100.%d.%d.%u", 64 + edit->node / 256, edit->node % 256, 1 + edit->host % 254);
    jset_str(status, "hostIP", host);
    jset(status, "hostIPs", json_pack("[{s:s}]", "ip", host));
    jset_str(status, "podIP", ip);
    jset(status, "podIPs", json_pack("[{s:s}]", "ip", ip));
    jset_str(status, "startTime", edit->now);
}

static int edit_pod(json_t *pod, void *arg, struct err *e _unused_)
{
    const struct pod_edit *edit = arg;
    json_t *status = jmake_obj(pod, "status"), *list = json_array(), *spec;
    const char *phase = edit->over ? "Succeeded" : "Running";
    size_t i;
    if (str_eq(jstr(status, "phase"), phase) || pod_terminal(pod)) {
        json_decref(list);
        return 0;
    }
    json_array_foreach(jat(pod, "spec.containers"), i, spec) json_array_append_new(
        list, container_status(edit, pod, spec, json_array_get(jat(status, "containerStatuses"), i)));
    jset_str(status, "phase", phase);
    set_conditions(edit, pod);
    jset(status, "containerStatuses", list);
    set_addresses(edit, status);
    return 1;
}

static void edit_work(void *arg)
{
    struct pod_edit *edit = arg;
    reg_modify(edit->h->conf.registry, WHO, RES.pods, edit->ns, edit->name, "status", edit_pod, edit, &edit->e);
}

static void edit_done(struct loop *l, void *arg)
{
    struct pod_edit *edit = arg;
    if (edit->e.code != ERR_OK && edit->e.code != ERR_NOT_FOUND)
        loop_enqueue_after(l, edit->ns, edit->name, 100);
    free(edit->ns);
    free(edit->name);
    free(edit->uid);
    free(edit);
}

static struct pod_edit *edit_new(struct hollow *h, const struct sobj *pod)
{
    struct pod_edit *edit = xcalloc(1, sizeof *edit);
    *edit = (struct pod_edit){.h = h, .ns = xstrdup(pod->ns), .name = xstrdup(pod->name)};
    return edit;
}

static void edit_begin(struct loop *l, const struct sobj *pod, int node, bool over)
{
    struct hollow *h = loop_env(l);
    struct pod_edit *edit = edit_new(h, pod);
    edit->node = node;
    edit->over = over;
    edit->host = h->nodes[node].given++;
    now_text(h->conf.clock, edit->now);
    loop_offload(l, edit_work, edit_done, edit);
}

static void end_work(void *arg)
{
    struct pod_edit *edit = arg;
    struct reg_delete_opts opts = {.grace_seconds = 0, .uid = edit->uid};
    if (reg_remove(edit->h->conf.registry, WHO, RES.pods, edit->ns, edit->name, &opts, &edit->e) < 0 &&
        edit->e.code == ERR_CONFLICT)
        err_clear(&edit->e); /* another of that name: not this one's end */
}

static void end_begin(struct loop *l, const struct sobj *pod)
{
    struct pod_edit *edit = edit_new(loop_env(l), pod);
    edit->uid = xstrdup(obj_uid(pod->tree));
    loop_offload(l, end_work, edit_done, edit);
}

static bool runs_for_good(const json_t *pod)
{
    return str_eq(jstr_or(pod, "spec.restartPolicy", "Always"), "Always");
}

static int pods_reconcile(struct loop *l, const char *ns, const char *name, struct err *e _unused_)
{
    struct hollow *h = loop_env(l);
    _auto_sobj_ struct sobj *pod = reg_read(h->conf.registry, RES.pods, ns, name);
    int node = pod ? node_index(h, jstr(pod->tree, "spec.nodeName")) : -1;
    if (node < 0)
        return 0;
    if (jstr(pod->tree, "metadata.deletionTimestamp")) {
        end_begin(l, pod);
        return 0;
    }
    bool for_good = runs_for_good(pod->tree);
    bool runs = str_eq(jstr(pod->tree, "status.phase"), "Running");
    int64_t began, left = 0;
    if (pod_terminal(pod->tree) || (runs && for_good))
        return 0;
    if (runs && time_parse(jstr(pod->tree, "status.startTime"), &began) == 0)
        left = began / 1000000 + RUN_MS - clock_wall_ns(h->conf.clock) / 1000000;
    if (left > 0)
        loop_enqueue_after(l, ns, name, left);
    else
        edit_begin(l, pod, node, runs);
    return 0;
}

/* Pods of other nodes are no news, nor is one that runs as it should. */
static void map_pod(struct loop *l, const struct watch_event *ev)
{
    const json_t *pod = ev->obj->tree;
    if (ev->type == WATCH_DELETED || node_index(loop_env(l), jstr(pod, "spec.nodeName")) < 0)
        return;
    bool settled = str_eq(jstr(pod, "status.phase"), "Running") && runs_for_good(pod);
    if (!settled || jstr(pod, "metadata.deletionTimestamp"))
        loop_enqueue(l, ev->obj->ns, ev->obj->name);
}

static const struct loop_watch pods_watches[] = {{"pods", map_pod}, {NULL, NULL}};

static const struct loop_def nodes_loop = {
    .name = "simulated-nodes",
    .component = "kubelet",
    .start = nodes_start,
    .reconcile = nodes_reconcile,
};
static const struct loop_def pods_loop = {
    .name = "simulated-pods",
    .component = "kubelet",
    .watches = pods_watches,
    .reconcile = pods_reconcile,
    .batch = 16,
    .max_backoff_ms = 10000,
};

void hollow_add_loops(struct hollow *h, struct control *c)
{
    if (!h->conf.nodes)
        return;
    control_add(c, &nodes_loop, h);
    control_add(c, &pods_loop, h);
}
