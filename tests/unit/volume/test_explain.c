/* Why a claim or a volume is as it is: one row a situation; and the explanation never says other than what is done. */
#include "volume/explain.h"

#include "base/mem.h"
#include "unit/volume/chance.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

/* -- texts with ' for " -- */

static json_t *parse(const char *fmt, ...)
{
    char text[8192];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    for (char *p = text; *p; p++)
        if (*p == '\'')
            *p = '"';
    json_error_t at;
    json_t *j = json_loads(text, 0, &at);
    if (!j)
        fail_msg("%s: %s", at.text, text);
    return j;
}

#define CLAIM(spec)                                                                                                    \
    "{'metadata':{'name':'c','namespace':'ns','uid':'u'},'spec':{'accessModes':['ReadWriteOnce'],'resources':"         \
    "{'requests':{'storage':'1Gi'}}" spec "},'status':{'phase':'Pending'}}"
#define BOUND_CLAIM(meta, phase)                                                                                       \
    "{'metadata':{'name':'c','namespace':'ns','uid':'u','annotations':{'pv.kubernetes.io/bind-completed':'yes'}" meta  \
    "},'spec':{'volumeName':'v','accessModes':['ReadWriteOnce'],'resources':{'requests':{'storage':'1Gi'}}},"          \
    "'status':{'phase':'" phase "'}}"
#define PV(size, spec, phase)                                                                                          \
    "{'metadata':{'name':'v'},'spec':{'accessModes':['ReadWriteOnce'],'capacity':{'storage':'" size "'}" spec          \
    "},'status':{'phase':'" phase "'}}"
#define REF(name, uid) ",'claimRef':{'namespace':'ns','name':'" name "'" uid "}"
#define CLASS(name, provisioner, more)                                                                                 \
    "{'metadata':{'name':'" name "'" more "},'provisioner':'" provisioner "','volumeBindingMode':'Immediate'}"
#define WAITING(name, provisioner)                                                                                     \
    "{'metadata':{'name':'" name "'},'provisioner':'" provisioner "','volumeBindingMode':'WaitForFirstConsumer'}"
#define POD(spec)                                                                                                      \
    "{'metadata':{'name':'p','namespace':'ns'},'spec':{'volumes':[{'persistentVolumeClaim':{'claimName':'c'}}]" spec   \
    "}}"

struct want {
    const char *object; /* the claim; or the volume, for the second table */
    const char *pv, *sc, *pod, *claim;
    const char *verdict, *actor, *says /* in because or waitsFor */, *change /* in a text or command; NULL: none */;
};

static const struct want claims[] = {
    {CLAIM(",'storageClassName':''"), NULL, NULL, NULL, NULL, "no-volume-fits", "admin",
     "asks for no class (storageClassName: \"\")", "of 1Gi or more with accessModes RWO"},
    {CLAIM(""), PV("500Mi", "", "Available"), NULL, NULL, NULL, "no-volume-fits", "admin", "no class is the default",
     "request of 500Mi or less"},
    {CLAIM(""), NULL, CLASS("std", "x.example.com/p", ""), NULL, NULL, "no-volume-fits", "admin", "names no class",
     "name a class that makes volumes; there is: std"},
    {CLAIM(""), PV("1Gi", ",'storageClassName':'manual'", "Available"), NULL, NULL, NULL, "no-volume-fits", "admin",
     "a volume that fits", "storageClassName: manual"},
    {CLAIM(",'storageClassName':'manual'"), PV("1Gi", "", "Available"), NULL, NULL, NULL, "class-missing", "admin",
     "there is no class of that name", "kubectl patch pv v -p '{\"spec\":{\"storageClassName\":\"manual\"}}'"},
    {CLAIM(",'volumeMode':'Block'"), PV("1Gi", "", "Available"), NULL, NULL, NULL, "no-volume-fits", "admin", "fits",
     "volumeMode: Filesystem"},
    {"{'metadata':{'name':'c','namespace':'ns'},'spec':{'accessModes':['ReadWriteMany'],'resources':{'requests':{"
     "'storage':'1Gi'}}}}",
     PV("1Gi", "", "Available"), NULL, NULL, NULL, "no-volume-fits", "admin", "fits",
     "{\"accessModes\":[\"ReadWriteOnce\",\"ReadWriteMany\"]}"},
    {CLAIM(",'selector':{'matchLabels':{'disk':'ssd'}}"), PV("1Gi", "", "Available"), NULL, NULL, NULL,
     "no-volume-fits", "admin", "fits", "kubectl label --overwrite pv v disk=ssd"},
    {CLAIM(""), PV("1Gi", REF("old", ",'uid':'x'"), "Released"), NULL, NULL, NULL, "no-volume-fits", "admin", "fits",
     "kubectl patch pv v -p '{\"spec\":{\"claimRef\":null}}'"},
    {CLAIM(""), PV("1Gi", REF("other", ",'uid':'x'"), "Bound"), NULL, NULL, NULL, "no-volume-fits", "admin", "fits",
     "Create a PersistentVolume"},
    {CLAIM(""), PV("1Gi", "", "Available"), NULL, NULL, NULL, "binding", "binder", "Volume v fits", NULL},
    {CLAIM(""), NULL, CLASS("std", "x", ",'annotations':{'storageclass.kubernetes.io/is-default-class':'true'}"), NULL,
     NULL, "getting-default-class", "binder", "default one, std", NULL},
    {CLAIM(",'volumeName':'v'"), NULL, NULL, NULL, NULL, "named-volume-missing", "admin", "volume v to be created",
     "name must be v"},
    {CLAIM(",'volumeName':'v'"), PV("500Mi", "", "Available"), NULL, NULL, NULL, "named-volume-misfit", "user",
     "requested PV is too small", "500Mi or less"},
    {CLAIM(",'volumeName':'v'"), PV("1Gi", REF("other", ",'uid':'x'"), "Bound"), NULL, NULL, NULL, "named-volume-taken",
     "admin", "claim ns/other's", "delete that claim first"},
    {CLAIM(",'storageClassName':'w'"), NULL, WAITING("w", "ebs.csi.aws.com"), NULL, NULL, "waits-for-pod", "user",
     "the first pod that uses it", "claimName is c"},
    {CLAIM(",'storageClassName':'w'"), NULL, WAITING("w", "ebs.csi.aws.com"), POD(""), NULL, "waits-for-scheduler",
     "scheduler", "place pod p", "stowage why pod/p -n ns"},
    {CLAIM(",'storageClassName':'n'"), NULL, CLASS("n", "kubernetes.io/no-provisioner", ""), NULL, NULL,
     "no-volume-fits", "admin", "kubernetes.io/no-provisioner makes none", "storageClassName n"},
    {CLAIM(",'storageClassName':'here'"), NULL, CLASS("here", "ebs.csi.aws.com", ""), NULL, NULL,
     "waits-for-provisioner", "provisioner", "is to make one", NULL},
    {CLAIM(",'storageClassName':'far'"), NULL, CLASS("far", "x.example.com/p", ""), NULL, NULL, "waits-for-provisioner",
     "admin", "no driver of that name runs here", "Install the driver"},
    {BOUND_CLAIM("", "Bound"), PV("2Gi", REF("c", ",'uid':'u'"), "Bound"), NULL, NULL, NULL, "bound", "nobody",
     "It has volume v (2Gi)", NULL},
    {BOUND_CLAIM("", "Lost"), NULL, NULL, NULL, NULL, "lost", "admin", "is gone",
     "kubectl annotate pvc -n ns c pv.kubernetes.io/bind-completed-"},
    {BOUND_CLAIM(",'deletionTimestamp':'2026-01-01T00:00:00Z'", "Bound"), NULL, NULL, POD(",'nodeName':'n1'"), NULL,
     "terminating", "user", "deleted: p", "kubectl delete pod -n ns p"},
};

static const struct want volumes[] = {
    {PV("1Gi", "", "Available"), NULL, NULL, NULL, NULL, "free", "user", "No claim has it", NULL},
    {PV("1Gi", REF("c", ""), "Available"), NULL, NULL, NULL, NULL, "reserved", "user", "keeps it for claim ns/c", NULL},
    {PV("500Mi", REF("c", ""), "Available"), NULL, NULL, NULL, CLAIM(""), "reserved", "binder", "the claim to take it",
     "500Mi or less"},
    {PV("1Gi", REF("c", ",'uid':'u'"), "Bound"), NULL, NULL, NULL, BOUND_CLAIM("", "Bound"), "bound", "nobody",
     "Claim ns/c has it", NULL},
    {PV("1Gi", REF("c", ",'uid':'old'"), "Released"), NULL, NULL, NULL, CLAIM(""), "released", "admin",
     "the one of that name now is another", "{\"claimRef\":null}"},
    {PV("1Gi", REF("c", ",'uid':'u'") ",'persistentVolumeReclaimPolicy':'Recycle','hostPath':{'path':'/x'}",
        "Released"),
     NULL, NULL, NULL, NULL, "released", "controller", "pod default/recycler-for-v", NULL},
    {PV("1Gi", REF("c", ",'uid':'u'") ",'persistentVolumeReclaimPolicy':'Delete','csi':{'driver':'ebs.csi.aws.com'}",
        "Released"),
     NULL, NULL, NULL, NULL, "released", "provisioner", "ebs.csi.aws.com to delete the disk", NULL},
    {"{'metadata':{'name':'v'},'spec':{'persistentVolumeReclaimPolicy':'Delete'},'status':{'phase':'Failed','message':"
     "'boom'}}",
     NULL, NULL, NULL, NULL, "failed", "admin", "boom", "kubectl delete pv v"},
    {"{'metadata':{'name':'v','deletionTimestamp':'2026-01-01T00:00:00Z','finalizers':['kubernetes.io/pv-protection']},"
     "'spec':{'claimRef':{'namespace':'ns','name':'c','uid':'u'}},'status':{'phase':'Bound'}}",
     NULL, NULL, NULL, BOUND_CLAIM("", "Bound"), "terminating", "user", "claim ns/c to be deleted",
     "kubectl delete pvc -n ns c"},
};

/* -- comparing -- */

static bool provisions(const char *provisioner)
{
    return str_eq(provisioner, "ebs.csi.aws.com");
}

static bool in_changes(const json_t *told, const char *text)
{
    size_t i;
    const json_t *change;
    json_array_foreach(jat(told, "changes"), i, change)
    {
        if (strstr(jstr_or(change, "text", ""), text) || strstr(jstr_or(change, "command", ""), text))
            return true;
    }
    return false;
}

static void check(const struct want *w, const json_t *told)
{
    _auto_free_ char *text = json_dumps(told, JSON_INDENT(1));
    bool said = strstr(jstr_or(told, "because", ""), w->says) || strstr(jstr_or(told, "waitsFor", ""), w->says);
    bool advised = w->change ? in_changes(told, w->change) : json_array_size(jat(told, "changes")) == 0;
    if (!str_eq(jstr(told, "verdict"), w->verdict) || !str_eq(jstr(told, "actor"), w->actor) || !said || !advised)
        fail_msg("wanted %s, %s, \"%s\", \"%s\":\n%s", w->verdict, w->actor, w->says, w->change ? w->change : "", text);
}

static void run(const struct want *w, bool of_claim)
{
    _auto_json_ json_t *object = parse("%s", w->object);
    const char *texts[] = {w->pv, w->sc, w->pod, w->claim};
    json_t *others[4];
    for (size_t i = 0; i < 4; i++)
        others[i] = texts[i] ? parse("%s", texts[i]) : NULL;
    const json_t *const *items = (const json_t *const *)others;
    struct explain_world world = {.pvs = {items, w->pv != NULL},
                                  .classes = {items + 1, w->sc != NULL},
                                  .pods = {items + 2, w->pod != NULL},
                                  .claims = {items + 3, w->claim != NULL},
                                  .provisions = provisions};
    _auto_json_ json_t *told = of_claim ? explain_claim(object, &world) : explain_volume(object, &world);
    check(w, told);
    for (size_t i = 0; i < 4; i++)
        json_decref(others[i]);
}

static void test_claims(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(claims); i++)
        run(&claims[i], true);
}

static void test_volumes(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(volumes); i++)
        run(&volumes[i], false);
}

/* -- it agrees with what is done -- */

static void check_candidates(const json_t *told, const json_t *claim, const struct explain_world *w)
{
    size_t i;
    const json_t *candidate;
    _auto_query_ struct pv_query q;
    pv_query_init(&q, claim, NULL, false);
    json_array_foreach(jat(told, "candidates"), i, candidate)
    {
        size_t k = 0;
        while (!str_eq(jstr(w->pvs.items[k], "metadata.name"), jstr(candidate, "name")))
            k++;
        assert_int_equal(jbool(candidate, "fits", false), pv_judge(&q, w->pvs.items[k]) != PV_NO);
        bool all_ok = true;
        size_t r;
        const json_t *rule;
        json_array_foreach(jat(candidate, "rules"), r, rule)
        {
            all_ok &= jbool(rule, "ok", false);
        }
        assert_int_equal(jbool(candidate, "fits", false), all_ok);
    }
}

static void test_agrees(void **state)
{
    (void)state;
    unsigned found = 0;
    for (int round = 0; round < 60; round++) {
        json_t *pvs[40];
        for (unsigned i = 0; i < 40; i++)
            pvs[i] = random_pv(i);
        _auto_json_ json_t *fast = parse(CLASS("fast", "x.example.com/p", ""));
        _auto_json_ json_t *slow = parse(WAITING("slow", "x.example.com/p"));
        const json_t *classes[] = {fast, slow};
        struct explain_world w = {.pvs = {(const json_t *const *)pvs, 40}, .classes = {classes, 2}};
        for (int i = 0; i < 40; i++) {
            _auto_json_ json_t *claim = random_claim();
            struct pv_match_opts opts = {.delay_binding = str_eq(claim_class(claim), "slow")};
            const json_t *pick = pv_pick(claim, w.pvs.items, w.pvs.len, &opts);
            _auto_json_ json_t *told = explain_claim(claim, &w);
            const char *says = jstr(told, "volume");
            if (!str_eq(says, jstr(pick, "metadata.name")))
                fail_msg("explained as %s, picked %s", says ? says : "none", jstr_or(pick, "metadata.name", "none"));
            if (pick && !obj_deleting(claim))
                assert_string_equal(jstr(told, "verdict"), "binding");
            found += pick != NULL;
            check_candidates(told, claim, &w);
        }
        for (unsigned i = 0; i < 40; i++)
            json_decref(pvs[i]);
    }
    assert_true(found > 100); /* the worlds are not all empty */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_claims),
        cmocka_unit_test(test_volumes),
        cmocka_unit_test(test_agrees),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
