/* driver_install.c - CSI drivers get into the cluster when somebody first names them.
 *
 * DESIGN: in a real cluster an administrator installs a driver (helm install csi-driver-nfs …): its CSIDriver appears,
 * and a registrar on each node writes it into the CSINode and labels the node with its topology. Here the drivers are
 * in the binary, so what is left of an installation is those objects: the CSIDriver is made when a class or a volume
 * names the driver, and every node has what its registrar would write as long as the CSIDriver is there.
 *
 * Keys: ("install", driver): see that the CSIDriver exists; ("", driver): see that every node knows it. Source:
 * kubernetes-csi node-driver-registrar, pkg/volume/csi/nodeinfomanager. */
#include "binder/binder_int.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#define INSTALL     "install"
#define REGISTRAR   "node-driver-registrar"
#define NODE_ID_ANN "csi.volume.kubernetes.io/nodeid"

/* -- the CSIDriver -- */

static int install(struct loop *l, const struct csi_driver *d, struct err *e)
{
    _auto_sobj_ struct sobj *have = reg_read(loop_registry(l), RES.csidrivers, "", d->name);
    if (have || reg_make(loop_registry(l), WHO, RES.csidrivers, "", csi_driver_object(d), NULL, e) == 0 ||
        e->code == ERR_ALREADY_EXISTS) {
        err_clear(e);
        return 0;
    }
    return -1;
}

/* -- its registration on nodes -- */

struct registration {
    const struct csi_driver *driver;
    const json_t *node;
};

static bool registered(const json_t *csi_node, const char *driver)
{
    return jfind(csi_node, "spec.drivers", "name", driver) != NULL;
}

static int edit_csi_node(json_t *csi_node, void *arg, struct err *e _unused_)
{
    const struct registration *r = arg;
    if (registered(csi_node, r->driver->name))
        return 0;
    json_t *list = jat(csi_node, "spec.drivers");
    if (!json_is_array(list)) {
        list = json_array();
        json_object_set_new(jmake_obj(csi_node, "spec"), "drivers", list);
    }
    json_array_append_new(list, csi_node_driver(r->driver, r->node));
    return 1;
}

/* The annotation is a JSON object in text: driver -> node id. */
static bool note_node_id(json_t *node, const struct csi_driver *d)
{
    char id[64];
    const char *text = jmap(node, "metadata.annotations", NODE_ID_ANN);
    _auto_json_ json_t *ids = text ? json_loads(text, 0, NULL) : NULL;
    if (!json_is_object(ids)) {
        json_decref(ids);
        ids = json_object();
    }
    csi_node_id(d, jstr_or(node, "metadata.name", ""), id);
    if (str_eq(json_string_value(json_object_get(ids, d->name)), id))
        return false;
    json_object_set_new(ids, d->name, json_string(id));
    _auto_free_ char *fresh = json_dumps(ids, JSON_COMPACT | JSON_SORT_KEYS);
    jset_map(node, "metadata.annotations", NODE_ID_ANN, fresh);
    return true;
}

static int edit_node(json_t *node, void *arg, struct err *e _unused_)
{
    const struct registration *r = arg;
    bool changed = note_node_id(node, r->driver);
    const char *key = r->driver->topology_key;
    if (!key || jmap(node, "metadata.labels", key))
        return changed;
    jset_map(node, "metadata.labels", key, csi_topology_value(r->driver, node));
    return 1;
}

static int register_everywhere(struct loop *l, const struct csi_driver *d, struct err *e)
{
    _auto_sobj_ struct sobj *have = reg_read(loop_registry(l), RES.csidrivers, "", d->name);
    _auto_objlist_ struct objlist nodes = {0};
    if (!have)
        return 0;
    objlist_load(&nodes, loop_registry(l), RES.nodes->bucket, NULL);
    for (size_t i = 0; i < nodes.len; i++) {
        struct registration r = {d, nodes.trees[i]};
        _auto_sobj_ struct sobj *csi_node = reg_read(loop_registry(l), RES.csinodes, "", nodes.items[i]->name);
        if ((csi_node && !registered(csi_node->tree, d->name) &&
             modify(l, REGISTRAR, RES.csinodes, csi_node->tree, "", edit_csi_node, &r, e) < 0) ||
            modify(l, REGISTRAR, RES.nodes, nodes.trees[i], "", edit_node, &r, e) < 0)
            return -1;
    }
    return 0;
}

/* -- the loop -- */

static int reconcile(struct loop *l, const char *ns, const char *name, struct err *e)
{
    const struct csi_driver *d = csi_driver_by_name(name);
    if (!d || d->plain)
        return 0;
    return str_eq(ns, INSTALL) ? install(l, d, e) : register_everywhere(l, d, e);
}

static void map_class(struct loop *l, const struct watch_event *ev)
{
    const char *name = jstr(ev->obj->tree, "provisioner"); /* of a VolumeSnapshotClass: driver */
    name = name ? provisioner_csi_name(name) : jstr(ev->obj->tree, "driver");
    if (ev->type == WATCH_ADDED && name)
        loop_enqueue(l, INSTALL, name);
}

static void map_volume(struct loop *l, const struct watch_event *ev)
{
    const char *name = ev->type == WATCH_ADDED ? pv_driver(ev->obj->tree) : NULL;
    if (name)
        loop_enqueue(l, INSTALL, name);
}

static void map_node(struct loop *l, const struct watch_event *ev)
{
    size_t n;
    const struct csi_driver *const *all = csi_drivers(&n);
    for (size_t i = 0; ev->type == WATCH_ADDED && i < n; i++)
        loop_enqueue(l, "", all[i]->name);
}

static const struct loop_watch watches[] = {{"csidrivers.storage.k8s.io", NULL},
                                            {"storageclasses.storage.k8s.io", map_class},
                                            {"volumesnapshotclasses.snapshot.storage.k8s.io", map_class},
                                            {"persistentvolumes", map_volume},
                                            {"csinodes.storage.k8s.io", map_node},
                                            {NULL, NULL}};

const struct loop_def driver_install_loop = {
    .name = "csi-driver-install",
    .component = REGISTRAR,
    .watches = watches,
    .reconcile = reconcile,
    .max_backoff_ms = 5000,
};
