/* Quotas and limit ranges at the door: what is refused in which words, what is counted, and that many at once never go
 * over together. */
#include "door.h"

#include <pthread.h>

#define QUOTA(hard) "{'metadata':{'name':'rq'},'spec':{'hard':{" hard "}}}"
#define CLAIM(name, size, more)                                                                                        \
    "{'metadata':{'name':'" name                                                                                       \
    "'},'spec':{'accessModes':['ReadWriteOnce'],'resources':{'requests':{'storage':'" size "'}}" more "}}"
#define POD(name, resources)                                                                                           \
    "{'metadata':{'name':'" name "'},'spec':{'containers':[{'name':'c','image':'i','resources':{" resources "}}]}}"

static int post(struct door *d, const char *bucket, const char *text)
{
    _auto_free_ char *json = xstrdup(text);
    for (char *p = json; *p; p++)
        *p = *p == '\'' ? '"' : *p;
    return door_post(d, bucket, "default/", json);
}

static int patch(struct door *d, const char *bucket, const char *path, const char *text)
{
    _auto_free_ char *json = xstrdup(text);
    for (char *p = json; *p; p++)
        *p = *p == '\'' ? '"' : *p;
    return door_patch(d, bucket, path, PATCH_MERGE, json);
}

static int setup(void **state)
{
    struct door *d = xcalloc(1, sizeof *d);
    door_open(d);
    door_expect(d, post(d, "serviceaccounts", "{'metadata':{'name':'default'}}"), 201);
    *state = d;
    return 0;
}

static int teardown(void **state)
{
    door_close(*state);
    free(*state);
    return 0;
}

static void expect_used(struct door *d, const char *name, const char *amount)
{
    _auto_sobj_ struct sobj *quota = reg_read(d->r, RES.resourcequotas, "default", "rq");
    const char *used = jmap(quota->tree, "status.used", name);
    if (!used || strcmp(used, amount) != 0)
        fail_msg("%s: %s used, not %s", name, used ? used : "(none)", amount);
}

static void recount(struct door *d)
{
    struct err e = ERR_INIT;
    assert_int_equal(reg_quota_recount(d->r, "default", "rq", &e), 0);
}

static void test_storage(void **state)
{
    struct door *d = *state;
    door_expect(d,
                post(d, "resourcequotas",
                     QUOTA("'persistentvolumeclaims':'3','requests.storage':'3Gi',"
                           "'gold.storageclass.storage.k8s.io/requests.storage':'1Gi'")),
                201);
    door_expect(d, post(d, "persistentvolumeclaims", CLAIM("a", "2048Mi", "")), 201);
    expect_used(d, "requests.storage", "2Gi");
    door_expect(d, post(d, "persistentvolumeclaims", CLAIM("b", "2Gi", "")), 403);
    door_expect_message(d, "persistentvolumeclaims \"b\" is forbidden: exceeded quota: rq, requested: "
                           "requests.storage=2Gi, used: requests.storage=2Gi, limited: requests.storage=3Gi");
    door_expect(d, post(d, "persistentvolumeclaims", CLAIM("b", "2Gi", ",'storageClassName':'gold'")), 403);
    door_expect_message(d, "persistentvolumeclaims \"b\" is forbidden: exceeded quota: rq, requested: "
                           "gold.storageclass.storage.k8s.io/requests.storage=2Gi,requests.storage=2Gi, used: "
                           "gold.storageclass.storage.k8s.io/requests.storage=0,requests.storage=2Gi, limited: "
                           "gold.storageclass.storage.k8s.io/requests.storage=1Gi,requests.storage=3Gi");
    d->dry_run = true;
    door_expect(d, post(d, "persistentvolumeclaims", CLAIM("c", "512Mi", "")), 201);
    d->dry_run = false;
    expect_used(d, "requests.storage", "2Gi");
    door_expect(d, post(d, "persistentvolumeclaims", CLAIM("c", "512Mi", "")), 201);
    expect_used(d, "requests.storage", "2560Mi");
    door_expect(d, post(d, "persistentvolumeclaims", CLAIM("c", "1Mi", "")), 409); /* charged, then given back */
    expect_used(d, "requests.storage", "2560Mi");
    expect_used(d, "persistentvolumeclaims", "2");
}

/* A claim that may grow: bound, of a class that allows it. */
static void test_expand(void **state)
{
    struct door *d = *state;
    door_expect(d,
                door_post(d, "storageclasses.storage.k8s.io", "/",
                          "{\"metadata\":{\"name\":\"big\"},\"provisioner\":\"p\",\"allowVolumeExpansion\":true}"),
                201);
    door_expect(d, post(d, "persistentvolumeclaims", CLAIM("a", "1Gi", ",'storageClassName':'big'")), 201);
    door_expect(d, patch(d, "persistentvolumeclaims", "default/a/status", "{'status':{'phase':'Bound'}}"), 200);
    door_expect(d, post(d, "resourcequotas", QUOTA("'requests.storage':'2Gi'")), 201);
    door_expect(
        d, patch(d, "persistentvolumeclaims", "default/a", "{'spec':{'resources':{'requests':{'storage':'3Gi'}}}}"),
        403);
    door_expect_message(d, "persistentvolumeclaims \"a\" is forbidden: exceeded quota: rq, requested: "
                           "requests.storage=2Gi, used: requests.storage=1Gi, limited: requests.storage=2Gi");
    door_expect(
        d, patch(d, "persistentvolumeclaims", "default/a", "{'spec':{'resources':{'requests':{'storage':'2Gi'}}}}"),
        200);
    expect_used(d, "requests.storage", "2Gi");
}

static void test_pods(void **state)
{
    struct door *d = *state;
    door_expect(d, post(d, "resourcequotas", QUOTA("'limits.cpu':'2','requests.memory':'1Gi','pods':'2'")), 201);
    door_expect(d, post(d, "pods", POD("p", "")), 403);
    door_expect_message(d, "pods \"p\" is forbidden: failed quota: rq: must specify limits.cpu for: c; requests.memory "
                           "for: c");
    door_expect(d, post(d, "pods", POD("p", "'limits':{'cpu':'5'},'requests':{'memory':'2Gi'}")), 403);
    door_expect_message(d, "pods \"p\" is forbidden: exceeded quota: rq, requested: limits.cpu=5,requests.memory=2Gi, "
                           "used: limits.cpu=0,requests.memory=0, limited: limits.cpu=2,requests.memory=1Gi");
    door_expect(d, post(d, "pods", POD("p", "'limits':{'cpu':'500m'},'requests':{'memory':'100Mi'}")), 201);
    expect_used(d, "limits.cpu", "500m");
    expect_used(d, "pods", "1");
    door_expect(d, patch(d, "pods", "default/p/status", "{'status':{'phase':'Succeeded'}}"), 200);
    recount(d);
    expect_used(d, "pods", "0");
    expect_used(d, "limits.cpu", "0");
}

static void test_scopes(void **state)
{
    struct door *d = *state;
    door_expect(d,
                post(d, "resourcequotas",
                     "{'metadata':{'name':'rq'},'spec':{'hard':{'pods':'1'},'scopes':["
                     "'BestEffort']}}"),
                201);
    door_expect(d, post(d, "pods", POD("a", "'requests':{'cpu':'1m'}")), 201);
    door_expect(d, post(d, "pods", POD("b", "")), 201);
    door_expect(d, post(d, "pods", POD("c", "'requests':{'cpu':'1m'}")), 201);
    door_expect(d, post(d, "pods", POD("e", "")), 403);
    expect_used(d, "pods", "1");
}

static void test_counts(void **state)
{
    struct door *d = *state;
    door_expect(d, post(d, "resourcequotas", QUOTA("'count/configmaps':'1','services.nodeports':'1','secrets':'1'")),
                201);
    door_expect(d, post(d, "configmaps", "{'metadata':{'generateName':'c-'}}"), 201);
    door_expect(d, post(d, "configmaps", "{'metadata':{'name':'x'}}"), 403);
    door_expect_message(d, "configmaps \"x\" is forbidden: exceeded quota: rq, requested: count/configmaps=1, used: "
                           "count/configmaps=1, limited: count/configmaps=1");
    door_expect(d, post(d, "secrets", "{'metadata':{'name':'s'}}"), 201);
    expect_used(d, "secrets", "1");
    door_expect(d,
                post(d, "services",
                     "{'metadata':{'name':'s'},'spec':{'type':'NodePort','ports':[{'port':1,'name':'a'}"
                     ",{'port':2,'name':'b'}]}}"),
                403);
    door_expect(d, door_delete(d, "secrets", "default/s", NULL), 200);
    recount(d);
    expect_used(d, "secrets", "0");
}

static void *claim_maker(void *arg)
{
    struct registry *r = arg;
    for (int i = 0; i < 40; i++) {
        struct err e = ERR_INIT;
        if (reg_make(r, "loop", RES.persistentvolumeclaims, "default",
                     json_pack("{s{ss} s{s[s] s{s{ss}}}}", "metadata", "generateName", "c-", "spec", "accessModes",
                               "ReadWriteOnce", "resources", "requests", "storage", "1Gi"),
                     NULL, &e) < 0 &&
            e.code != ERR_FORBIDDEN)
            return xstrdup(e.msg);
        if (i % 8 == 0)
            reg_quota_recount(r, "default", "rq", &e);
    }
    return NULL;
}

static int count_object(struct sobj *o, void *arg)
{
    (void)o;
    ++*(int *)arg;
    return 0;
}

static void test_never_over(void **state)
{
    enum { THREADS = 8, LIMIT = 25 };
    struct door *d = *state;
    pthread_t threads[THREADS];
    int made = 0;
    door_expect(d, post(d, "resourcequotas", QUOTA("'requests.storage':'25Gi'")), 201);
    for (size_t i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, claim_maker, d->r);
    for (size_t i = 0; i < THREADS; i++) {
        void *complaint;
        pthread_join(threads[i], &complaint);
        if (complaint)
            fail_msg("%s", (char *)complaint);
    }
    struct snapshot *snap = reg_snapshot(d->r);
    snapshot_scan(snap, "persistentvolumeclaims", "default", NULL, NULL, count_object, &made);
    snapshot_unref(snap);
    assert_int_equal(made, LIMIT);
    expect_used(d, "requests.storage", "25Gi");
}

static void test_limit_range(void **state)
{
    struct door *d = *state;
    door_expect(d,
                post(d, "limitranges",
                     "{'metadata':{'name':'lr'},'spec':{'limits':[{'type':'Container','default':{'cpu':'500m','memory':"
                     "'256Mi'},'defaultRequest':{'cpu':'100m'},'max':{'cpu':'1'},'min':{'memory':'16Mi'}},"
                     "{'type':'Pod','max':{'cpu':'1500m'}},"
                     "{'type':'PersistentVolumeClaim','min':{'storage':'100Mi'},'max':{'storage':'5Gi'}}]}}"),
                201);
    door_expect(d, post(d, "pods", POD("a", "")), 201);
    const json_t *c = json_array_get(jat(door_json(d), "spec.containers"), 0);
    assert_string_equal(jstr(c, "resources.limits.cpu"), "500m");
    assert_string_equal(jstr(c, "resources.requests.memory"), "256Mi");
    assert_string_equal(
        jmap(door_json(d), "metadata.annotations", "kubernetes.io/limit-ranger"),
        "LimitRanger plugin set: cpu, memory request for container c; cpu, memory limit for container c");
    door_expect(d, post(d, "pods", POD("b", "'limits':{'cpu':'2','memory':'1Mi'}")), 403);
    door_expect_message(d, "pods \"b\" is forbidden: [minimum memory usage per Container is 16Mi, but request is 1Mi, "
                           "maximum cpu usage per Container is 1, but limit is 2, maximum cpu usage per Pod is 1500m, "
                           "but limit is 2]");
    door_expect(d, post(d, "persistentvolumeclaims", CLAIM("c", "10Gi", "")), 403);
    door_expect_message(d, "persistentvolumeclaims \"c\" is forbidden: maximum storage usage per PersistentVolumeClaim "
                           "is 5Gi, but request is 10Gi");
    door_expect(d, post(d, "persistentvolumeclaims", CLAIM("c", "1Mi", "")), 403);
    door_expect_message(d, "persistentvolumeclaims \"c\" is forbidden: minimum storage usage per PersistentVolumeClaim "
                           "is 100Mi, but request is 1Mi");
    door_expect(d, post(d, "persistentvolumeclaims", CLAIM("c", "1Gi", "")), 201);

    /* A claim that a later range would refuse cannot be changed, but it can go. */
    door_expect(d,
                patch(d, "limitranges", "default/lr",
                      "{'spec':{'limits':[{'type':'PersistentVolumeClaim','max':{'storage':'1Mi'}}]}}"),
                200);
    door_expect(d, patch(d, "persistentvolumeclaims", "default/c", "{'metadata':{'labels':{'a':'b'}}}"), 403);
    door_expect(d, door_delete(d, "persistentvolumeclaims", "default/c", NULL), 200);
    door_expect(d, patch(d, "persistentvolumeclaims", "default/c", "{'metadata':{'finalizers':null}}"), 200);
    door_expect(d, door_get(d, "persistentvolumeclaims", "default/c"), 404);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_storage, setup, teardown),
        cmocka_unit_test_setup_teardown(test_expand, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pods, setup, teardown),
        cmocka_unit_test_setup_teardown(test_scopes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_counts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_never_over, setup, teardown),
        cmocka_unit_test_setup_teardown(test_limit_range, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
