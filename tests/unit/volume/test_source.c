/* The two forms of a volume's source: in-tree names and the CSI drivers behind them. */
#include "volume/volume.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

static json_t *parse(const char *text)
{
    _auto_free_ char *copy = xstrdup(text);
    for (char *c = copy; *c; c++)
        if (*c == '\'')
            *c = '"';
    json_t *j = json_loads(copy, JSON_DECODE_ANY, NULL);
    if (!j)
        fail_msg("no JSON: %s", copy);
    return j;
}

static void expect(const json_t *seen, const char *want_text)
{
    _auto_json_ json_t *want = want_text ? parse(want_text) : NULL;
    if (json_equal(seen, want) || (!seen && !want))
        return;
    _auto_free_ char *text = seen ? json_dumps(seen, JSON_SORT_KEYS) : xstrdup("nothing");
    fail_msg("expected %s, saw %s", want_text ? want_text : "nothing", text);
}

static void in_tree_sources_are_seen_as_csi(void **state)
{
    static const struct {
        const char *spec, *csi;
    } rows[] = {
        {"{'awsElasticBlockStore':{'volumeID':'aws://us-east-1a/vol-01'}}",
         "{'csi':{'driver':'ebs.csi.aws.com','volumeHandle':'vol-01','fsType':'ext4','volumeAttributes':{'partition':"
         "'0'}}}"},
        {"{'gcePersistentDisk':{'pdName':'pd-1','fsType':'xfs','partition':2,'readOnly':true}}",
         "{'csi':{'driver':'pd.csi.storage.gke.io','volumeHandle':'projects/UNSPECIFIED/zones/UNSPECIFIED/disks/"
         "pd-1','fsType':'xfs','readOnly':true,"
         "'volumeAttributes':{'partition':'2'}}}"},
        {"{'portworxVolume':{'volumeID':'77'}}",
         "{'csi':{'driver':'pxd.portworx.com','volumeHandle':'77','fsType':'ext4'}}"},
        {"{'hostPath':{'path':'/x'}}", NULL},
        {"{'csi':{'driver':'d','volumeHandle':'h'}}", NULL},
        {"{'awsElasticBlockStore':{}}", NULL},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _auto_json_ json_t *spec = parse(rows[i].spec);
        _auto_json_ json_t *csi = source_to_csi(spec);
        expect(csi, rows[i].csi);
    }
}

/* A persistent disk is known by its place: that of the PV's label, of all its zones the region. */
static void handles_of_persistent_disks_tell_where_they_are(void **state)
{
    static const struct {
        const char *labels, *handle;
    } rows[] = {
        {"{'topology.kubernetes.io/zone':'us-east-1a'}", "projects/UNSPECIFIED/zones/us-east-1a/disks/pd-1"},
        {"{'failure-domain.beta.kubernetes.io/zone':'us-east1-b'}", "projects/UNSPECIFIED/zones/us-east1-b/disks/pd-1"},
        {"{'topology.kubernetes.io/zone':'us-east1-b__us-east1-c'}",
         "projects/UNSPECIFIED/regions/us-east1/disks/pd-1"},
        {"{}", "projects/UNSPECIFIED/zones/UNSPECIFIED/disks/pd-1"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char buf[VOLUME_HANDLE_LEN], unique[600];
        _auto_json_ json_t *labels = parse(rows[i].labels),
                           *pv = json_pack("{s:{s:O}, s:{s:{s:s}}}", "metadata", "labels", labels, "spec",
                                           "gcePersistentDisk", "pdName", "pd-1"),
                           *csi = pv_to_csi(pv);
        assert_string_equal(pv_handle(pv, buf), rows[i].handle);
        assert_string_equal(jstr(csi, "csi.volumeHandle"), rows[i].handle);
        assert_true(pv_is_on_disk(pv, "pd-1"));
        assert_false(pv_is_on_disk(pv, "d-1"));
        assert_true(pv_unique_name(pv, unique, sizeof unique));
        assert_true(str_starts(unique, "kubernetes.io/csi/pd.csi.storage.gke.io^projects/UNSPECIFIED/"));
    }
}

#define AFFINITY(key)                                                                                                  \
    "'nodeAffinity':{'required':{'nodeSelectorTerms':[{'matchExpressions':[{'key':'" key                               \
    "','operator':'In','values':['us-east-1a']}"
#define BOTH                                                                                                           \
    AFFINITY("topology.kubernetes.io/zone")                                                                            \
    ",{'key':'topology.kubernetes.io/region','operator':'In','values':['us-east-1']}]}]}}"
#define LABELS                                                                                                         \
    "'metadata':{'labels':{'topology.kubernetes.io/zone':'us-east-1a','topology.kubernetes.io/region':'us-east-1'}}"

static void classes_with_old_names_get_volumes_in_the_old_form(void **state)
{
    static const struct {
        const char *provisioner, *pv, *want;
    } rows[] = {
        {"kubernetes.io/gce-pd",
         "{'metadata':{},'spec':{'csi':{'driver':'d','volumeHandle':'projects/p/zones/z/disks/"
         "pvc-1','fsType':'ext4'}," AFFINITY("topology.gke.io/zone") "]}]}}}}",
         "{" LABELS ",'spec':{'gcePersistentDisk':{'pdName':'pvc-1','fsType':'ext4'}," BOTH "}}"},
        {"kubernetes.io/azure-disk",
         "{'metadata':{},'spec':{'csi':{'driver':'d','volumeHandle':'/s/disks/pvc-1','fsType':'ext4'}}}",
         "{'metadata':{},'spec':{'azureDisk':{'kind':'Managed','diskName':'pvc-1','cachingMode':'ReadOnly',"
         "'readOnly':false,'diskURI':'/s/disks/pvc-1','fsType':'ext4'}}}"},
        {"ebs.csi.aws.com", "{'metadata':{},'spec':{'csi':{'driver':'d','volumeHandle':'vol-1'}}}",
         "{'metadata':{},'spec':{'csi':{'driver':'d','volumeHandle':'vol-1'}}}"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _auto_json_ json_t *pv = parse(rows[i].pv);
        pv_to_intree(pv, rows[i].provisioner);
        expect(pv, rows[i].want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_tree_sources_are_seen_as_csi),
        cmocka_unit_test(handles_of_persistent_disks_tell_where_they_are),
        cmocka_unit_test(classes_with_old_names_get_volumes_in_the_old_form),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
