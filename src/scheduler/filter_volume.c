/* filter_volume.c - filters about the pod's volumes: who else uses them, how many fit on the node, and whether the node
 * can reach or provision them.
 *
 * Source: plugins volumerestrictions, nodevolumelimits, volumebinding, volumezone. */
#include "scheduler/scheduler_int.h"

#include "api/quantity.h"
#include "api/selector.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdio.h>
#include <string.h>

#define EBS_DRIVER "ebs.csi.aws.com"
#define NO_VOLUME  "node(s) didn't find available persistent volumes to bind"

/* -- disks that pods name themselves: one pod a node -- */

static const struct {
    const char *member, *id;
    bool read_only_shares; /* pods that only read may share it */
} disks[] = {{"awsElasticBlockStore", "volumeID", false}, {"gcePersistentDisk", "pdName", true}};

static bool same_disk(const json_t *a, const json_t *b)
{
    for (size_t i = 0; i < ARRAY_LEN(disks); i++) {
        const json_t *x = json_object_get(a, disks[i].member), *y = json_object_get(b, disks[i].member);
        const char *id = jstr(x, disks[i].id);
        if (!id || !str_eq(id, jstr(y, disks[i].id)))
            continue;
        return !(disks[i].read_only_shares && jbool(x, "readOnly", false) && jbool(y, "readOnly", false));
    }
    return false;
}

static bool disk_conflict(const json_t *pod, const json_t *other)
{
    size_t i, j;
    json_t *mine, *theirs;
    json_array_foreach(jat(pod, "spec.volumes"), i, mine)
    {
        json_array_foreach(jat(other, "spec.volumes"), j, theirs)
        {
            if (same_disk(mine, theirs))
                return true;
        }
    }
    return false;
}

void filter_disks(const struct attempt *a, const struct node_info *n, struct verdict *v)
{
    bool taken = false;
    for (size_t p = 0; p < n->pods.len && !taken; p++)
        taken = disk_conflict(a->pod, n->pods.trees[p]);
    if (taken)
        refuse(v, false, "node(s) had no available disk");
}

/* One pod in the whole cluster may use such a claim. */
void filter_exclusive_claims(const struct attempt *a, const struct node_info *n, struct verdict *v)
{
    for (size_t i = 0; i < a->claim_count; i++) {
        const json_t *claim = a->claims[i].claim;
        if (!jarr_has(claim, "spec.accessModes", "ReadWriteOncePod") || !cache_claim_user(a->cache, claim, n))
            continue;
        refuse(v, false,
               "node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode");
        return;
    }
}

/* -- how many volumes of a driver a node takes -- */

static int64_t driver_limit(const struct attempt *a, const json_t *node, const char *driver)
{
    const json_t *csi_node = world_find(&a->world.csi_nodes, "", obj_name(node));
    size_t i;
    json_t *row;
    json_array_foreach(jat(csi_node, "spec.drivers"), i, row)
    {
        if (str_eq(jstr(row, "name"), driver))
            return jint(row, "allocatable.count", INT64_MAX);
    }
    return INT64_MAX;
}

/* The driver that holds (or will make) the volume of a claim. */
static const char *claim_driver(const struct pod_claim *c)
{
    if (c->volume)
        return pv_driver(c->volume);
    const char *provisioner = jstr(c->sc, "provisioner");
    return provisioner ? provisioner_csi_name(provisioner) : NULL;
}

/* A disk that the pod names itself counts for the driver its type hands over to; as node.status.volumesInUse names it.
 */
static bool inline_disk(const json_t *volume, const char *driver, char *out, size_t size)
{
    const char *id = jstr(volume, "awsElasticBlockStore.volumeID");
    const char *slash = id ? strrchr(id, '/') : NULL;
    if (!id || !str_eq(driver, EBS_DRIVER))
        return false;
    snprintf(out, size, "kubernetes.io/csi/%s^%s", driver, slash ? slash + 1 : id);
    return true;
}

static bool names_disks(const json_t *pod)
{
    size_t i;
    json_t *volume;
    json_array_foreach(jat(pod, "spec.volumes"), i, volume)
    {
        if (json_object_get(volume, "awsElasticBlockStore"))
            return true;
    }
    return false;
}

/* Adds "driver^handle" of each volume the pod has through claims, or names itself. */
static void add_volumes(const struct attempt *a, const json_t *pod, const char *driver, struct strlist *names)
{
    size_t i;
    json_t *volume;
    json_array_foreach(jat(pod, "spec.volumes"), i, volume)
    {
        char claim_name[512], unique[512];
        pod_volume_claim(pod, volume, claim_name, sizeof claim_name);
        const json_t *claim = *claim_name ? world_find(&a->world.claims, obj_ns(pod), claim_name) : NULL;
        const json_t *pv = claim ? world_find(&a->world.volumes, "", jstr_or(claim, "spec.volumeName", "")) : NULL;
        bool has = pv ? str_eq(pv_driver(pv), driver) && pv_unique_name(pv, unique, sizeof unique)
                      : inline_disk(volume, driver, unique, sizeof unique);
        if (has && !strlist_has(names, unique))
            strlist_add(names, unique);
    }
}

/* And of each volume that is still attached there, whoever had it. */
static void add_attached(const struct attempt *a, const struct node_info *n, const char *driver, struct strlist *names)
{
    for (size_t i = 0; i < a->world.attachments.len; i++) {
        const json_t *va = a->world.attachments.trees[i];
        char unique[512];
        if (!str_eq(jstr(va, "spec.nodeName"), n->name) || !str_eq(jstr(va, "spec.attacher"), driver))
            continue;
        const char *inside = jstr(va, "spec.source.inlineVolumeSpec.csi.volumeHandle");
        const char *name = jstr_or(va, "spec.source.persistentVolumeName", "");
        const json_t *pv = inside ? NULL : world_find(&a->world.volumes, "", name);
        if (inside)
            snprintf(unique, sizeof unique, "kubernetes.io/csi/%s^%s", driver, inside);
        if ((inside || (pv && pv_unique_name(pv, unique, sizeof unique))) && !strlist_has(names, unique))
            strlist_add(names, unique);
    }
}

static bool too_many(const struct attempt *a, const struct node_info *n, const char *driver)
{
    int64_t limit = driver ? driver_limit(a, n->node, driver) : INT64_MAX;
    if (limit == INT64_MAX)
        return false;
    _auto_strlist_ struct strlist names = {0};
    for (size_t p = 0; p < n->pods.len; p++)
        add_volumes(a, n->pods.trees[p], driver, &names);
    add_attached(a, n, driver, &names);
    add_volumes(a, a->pod, driver, &names);
    int64_t count = (int64_t)names.len;
    for (size_t c = 0; c < a->claim_count; c++)
        count += !a->claims[c].volume && str_eq(claim_driver(&a->claims[c]), driver);
    return count > limit;
}

void filter_volume_limits(const struct attempt *a, const struct node_info *n, struct verdict *v)
{
    bool full = names_disks(a->pod) && too_many(a, n, EBS_DRIVER);
    for (size_t i = 0; i < a->claim_count && !full; i++)
        full = too_many(a, n, claim_driver(&a->claims[i]));
    if (full)
        refuse(v, false, "node(s) exceed max volume count");
}

/* -- binding -- */

/* Is there room, where the driver publishes its capacity? */
static bool has_capacity(const struct attempt *a, const struct pod_claim *c, const json_t *node)
{
    const json_t *driver =
        world_find(&a->world.csi_drivers, "", provisioner_csi_name(jstr_or(c->sc, "provisioner", "")));
    if (!driver || !jbool(driver, "spec.storageCapacity", false))
        return true;
    for (size_t i = 0; i < a->world.capacities.len; i++) {
        const json_t *cap = a->world.capacities.trees[i];
        const char *room = jstr(cap, "maximumVolumeSize");
        room = room ? room : jstr(cap, "capacity");
        struct label_selector *where = NULL;
        struct err e = ERR_INIT;
        if (!str_eq(jstr(cap, "storageClassName"), obj_name(c->sc)) ||
            quantity_bytes(room, -1) < claim_request(c->claim) ||
            label_selector_from_json(jat(cap, "nodeTopology"), &where, &e) < 0)
            continue;
        bool here = label_selector_match(where, jat(node, "metadata.labels"));
        label_selector_free(where);
        if (here)
            return true;
    }
    return false;
}

enum supply { SUPPLY_OK, SUPPLY_NONE, SUPPLY_FULL };

static enum supply can_provision(const struct attempt *a, const struct pod_claim *c, const json_t *node)
{
    const char *selected = jmap(c->claim, "metadata.annotations", ANN_SELECTED_NODE);
    if (selected && !str_eq(selected, obj_name(node)))
        return SUPPLY_NONE;
    const char *provisioner = jstr_or(c->sc, "provisioner", "");
    if (!*provisioner || str_eq(provisioner, PROVISIONER_NONE) || !class_allows_node(c->sc, node))
        return SUPPLY_NONE;
    return has_capacity(a, c, node) ? SUPPLY_OK : SUPPLY_FULL;
}

void filter_volumes(const struct attempt *a, const struct node_info *n, struct verdict *v)
{
    const json_t *taken[MAX_CLAIMS];
    size_t taken_count = 0;
    bool missing = false, conflict = false, none = false, full = false;
    for (size_t i = 0; i < a->claim_count; i++) {
        const struct pod_claim *c = &a->claims[i];
        if (c->bound) {
            missing |= !c->volume;
            conflict |= c->volume && !pv_node_fits(c->volume, n->node);
            continue;
        }
        struct pv_match_opts opts = {
            .node = n->node, .delay_binding = true, .excluded = taken, .excluded_count = taken_count};
        const json_t *found = jmap(c->claim, "metadata.annotations", ANN_SELECTED_NODE)
                                  ? NULL
                                  : pv_pick(c->claim, a->world.volumes.trees, a->world.volumes.len, &opts);
        enum supply supply = found ? SUPPLY_OK : can_provision(a, c, n->node);
        if (found)
            taken[taken_count++] = found;
        none |= supply == SUPPLY_NONE;
        full |= supply == SUPPLY_FULL;
    }
    if (conflict)
        refuse(v, true, "node(s) had volume node affinity conflict");
    if (none)
        refuse(v, true, NO_VOLUME);
    if (full)
        refuse(v, true, "node(s) did not have enough free storage");
    if (missing)
        refuse(v, true, "node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)");
}

/* -- zones: labels of a bound volume against labels of the node -- */

/* Is `value` one of the "__"-separated names in `set`? */
static bool in_zone_set(const char *set, const char *value)
{
    size_t n = strlen(value);
    while (set) {
        const char *end = strstr(set, "__");
        size_t len = end ? (size_t)(end - set) : strlen(set);
        if (len == n && strncmp(set, value, n) == 0)
            return true;
        set = end ? end + 2 : NULL;
    }
    return false;
}

static const char *const zone_keys[] = {LABEL_ZONE, LABEL_REGION, LABEL_BETA_ZONE, LABEL_BETA_REGION};

/* A node without any such label stands in a cluster without zones. */
static bool stands_in_zone(const json_t *node)
{
    for (size_t k = 0; k < ARRAY_LEN(zone_keys); k++)
        if (jmap(node, "metadata.labels", zone_keys[k]))
            return true;
    return false;
}

void filter_zones(const struct attempt *a, const struct node_info *n, struct verdict *v)
{
    bool in_zone = stands_in_zone(n->node);
    for (size_t i = 0; in_zone && i < a->claim_count; i++) {
        for (size_t k = 0; a->claims[i].volume && k < ARRAY_LEN(zone_keys); k++) {
            const char *set = jmap(a->claims[i].volume, "metadata.labels", zone_keys[k]);
            const char *value = jmap(n->node, "metadata.labels", zone_keys[k]);
            if (!set || (value && in_zone_set(set, value)))
                continue;
            refuse(v, true, "node(s) had no available volume zone");
            return;
        }
    }
}
