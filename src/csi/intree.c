/* intree.c - classes of the old in-tree provisioners, in the words of the CSI drivers that serve them now.
 *
 * DESIGN: zone and zones become allowedTopologies, fsType the sidecar's parameter, and iopsPerGB may be raised to what
 * a disk must have at least: so it was in the tree, and drivers refuse what they do not know. When you add an in-tree
 * provisioner with parameters of its own: a row. Source: csi-translation-lib plugins/aws_ebs.go, gce_pd.go,
 * azure_disk.go. THREADS: pure. */
#include "csi/driver.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <string.h>
#include <strings.h>

#define ZONE_KEY "topology.kubernetes.io/zone" /* every node has it, whichever driver asks */

static const struct {
    const char *provisioner;
    bool raises_iops;
} intree[] = {
    {"kubernetes.io/aws-ebs", true},
    {"kubernetes.io/gce-pd", false},
    {"kubernetes.io/azure-disk", false},
};

static void limit_to(json_t *class, const char *zones)
{
    _auto_strlist_ struct strlist list = {0};
    json_t *values = json_array();
    strlist_split(&list, zones, ',');
    for (size_t i = 0; i < list.len; i++) {
        const char *zone = list.items[i] + strspn(list.items[i], " ");
        if (*zone)
            json_array_append_new(values, json_string(zone));
    }
    jset(class, "allowedTopologies",
         json_pack("[{s:[{s:s, s:o}]}]", "matchLabelExpressions", "key", ZONE_KEY, "values", values));
}

static void translate(json_t *class, const char *key, const char *value, bool raises_iops)
{
    if (strcasecmp(key, "zone") == 0 || strcasecmp(key, "zones") == 0)
        limit_to(class, value);
    else if (strcasecmp(key, "fsType") == 0)
        jset_map(class, "parameters", "csi.storage.k8s.io/fstype", value);
    else
        jset_map(class, "parameters", key, value);
    if (raises_iops && strcasecmp(key, "iopsPerGB") == 0)
        jset_map(class, "parameters", "allowautoiopspergbincrease", "true");
}

json_t *csi_class(const json_t *class)
{
    size_t row = 0;
    while (row < ARRAY_LEN(intree) && !str_eq(jstr(class, "provisioner"), intree[row].provisioner))
        row++;
    if (row == ARRAY_LEN(intree))
        return json_incref((json_t *)class);
    json_t *out = json_deep_copy(class);
    json_object_del(out, "parameters");
    const char *key;
    json_t *value;
    json_object_foreach(json_object_get(class, "parameters"), key, value)
        translate(out, key, json_string_value(value), intree[row].raises_iops);
    return out;
}
