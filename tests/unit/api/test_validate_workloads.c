/* test_validate_workloads.c - stateful and daemon sets, jobs, cron jobs, quotas and limit ranges: what is refused, in
 * which words, what may change later, and what is filled in. */
#include "validate_check.h"

#define TEMPLATE                                                                                                       \
    "'selector':{'matchLabels':{'a':'b'}},'template':{'metadata':{'labels':{'a':'b'}},'spec':{'containers':[{'name':"  \
    "'c','image':'i'}]}}"
#define STS(spec) "{'metadata':{'name':'s'},'spec':{'serviceName':'s'," TEMPLATE spec "}}"
#define DS(spec)  "{'metadata':{'name':'d'},'spec':{" TEMPLATE spec "}}"
#define JOB(spec)                                                                                                      \
    "{'metadata':{'name':'j','uid':'u'},'spec':{'manualSelector':true,'selector':{'matchLabels':{'a':'b'}},"           \
    "'template':{'metadata':{'labels':{'a':'b'}},'spec':{'restartPolicy':'Never','containers':[{'name':'c',"           \
    "'image':'i'}]}}" spec "}}"
#define CRON(name, spec)                                                                                               \
    "{'metadata':{'name':'" name "'},'spec':{'jobTemplate':{'spec':{'template':{'spec':{'restartPolicy':'Never',"      \
    "'containers':[{'name':'c','image':'i'}]}}}}," spec "}}"
#define QUOTA(spec) "{'metadata':{'name':'q'},'spec':{" spec "}}"
#define RANGE(item) "{'metadata':{'name':'l'},'spec':{'limits':[" item "]}}"

static const struct {
    const char *bucket, *snippet, *want;
} rows[] = {
    {"statefulsets.apps", STS(""), ""},
    {"statefulsets.apps", STS(",'updateStrategy':{'type':'OnDelete'}"), ""},
    {"statefulsets.apps", STS(",'updateStrategy':{'type':'Recreate'}"),
     "spec.updateStrategy: Invalid value: apps.StatefulSetUpdateStrategy{Type:\"Recreate\", "
     "RollingUpdate:(*apps.RollingUpdateStatefulSetStrategy)(nil)}: must be 'RollingUpdate' or 'OnDelete'"},
    {"statefulsets.apps", STS(",'podManagementPolicy':'Serial','replicas':-1,'minReadySeconds':-2"),
     "spec.podManagementPolicy: Invalid value: \"Serial\": must be 'OrderedReady' or 'Parallel'\n"
     "spec.replicas: Invalid value: -1: must be greater than or equal to 0\n"
     "spec.minReadySeconds: Invalid value: -2: must be greater than or equal to 0"},
    {"statefulsets.apps", STS(",'persistentVolumeClaimRetentionPolicy':{'whenDeleted':'Drop'}"),
     "spec.persistentVolumeClaimRetentionPolicy.whenDeleted: Unsupported value: \"Drop\": supported values: "
     "\"Retain\", "
     "\"Delete\""},
    {"daemonsets.apps", DS(""), ""},
    {"daemonsets.apps", DS(",'updateStrategy':{'rollingUpdate':{'maxSurge':1}}"),
     "spec.updateStrategy.rollingUpdate.maxSurge: Invalid value: intstr.IntOrString{Type:0, IntVal:1, StrVal:\"\"}: "
     "may "
     "not be set when maxUnavailable is non-zero"},
    {"daemonsets.apps", DS(",'updateStrategy':{'rollingUpdate':{'maxUnavailable':0}}"),
     "spec.updateStrategy.rollingUpdate.maxUnavailable: Required value: cannot be 0 when maxSurge is 0"},
    {"jobs.batch", JOB(""), ""},
    {"jobs.batch", JOB(",'completionMode':'Ordered','parallelism':-1"),
     "spec.parallelism: Invalid value: -1: must be greater than or equal to 0\n"
     "spec.completionMode: Unsupported value: \"Ordered\": supported values: \"NonIndexed\", \"Indexed\""},
    {"jobs.batch", JOB(",'backoffLimitPerIndex':1"),
     "spec.backoffLimitPerIndex: Invalid value: 1: requires indexed completion mode"},
    {"jobs.batch", JOB(",'podFailurePolicy':{'rules':[{'action':'FailJob'}]}"),
     "spec.podFailurePolicy.rules[0]: Invalid value: \"\": specifying one of OnExitCodes and OnPodConditions is "
     "required"},
    {"jobs.batch",
     "{'metadata':{'name':'j'},'spec':{'manualSelector':true,'selector':{'matchLabels':{'a':'b'}},'template':{'"
     "metadata':{"
     "'labels':{'a':'b'}},'spec':{'containers':[{'name':'c','image':'i'}]}}}}",
     "spec.template.spec.restartPolicy: Required value: valid values: \"OnFailure\", \"Never\""},
    {"cronjobs.batch", CRON("c", "'schedule':'*/5 * * * *'"), ""},
    {"cronjobs.batch", CRON("c", "'schedule':''"), "spec.schedule: Required value"},
    {"cronjobs.batch", CRON("c", "'schedule':'* * * *'"),
     "spec.schedule: Invalid value: \"* * * *\": expected exactly 5 fields, found 4: [* * * *]"},
    {"cronjobs.batch", CRON("c", "'schedule':'TZ=UTC * * * * *'"),
     "spec.schedule: Invalid value: \"TZ=UTC * * * * *\": cannot use TZ or CRON_TZ in schedule, use timeZone field "
     "instead"},
    {"cronjobs.batch", CRON("c", "'schedule':'@daily','timeZone':'Mars/Base','concurrencyPolicy':'Deny'"),
     "spec.timeZone: Invalid value: \"Mars/Base\": unknown time zone Mars/Base\n"
     "spec.concurrencyPolicy: Unsupported value: \"Deny\": supported values: \"Allow\", \"Forbid\", \"Replace\""},
    {"cronjobs.batch", CRON("a123456789a123456789a123456789a123456789a123456789abc", "'schedule':'@daily'"),
     "metadata.name: Invalid value: \"a123456789a123456789a123456789a123456789a123456789abc\": must be no more than 52 "
     "characters"},
    {"resourcequotas",
     QUOTA("'hard':{'requests.storage':'1Gi','count/deployments.apps':'1','gold.storageclass.storage.k8s.io/"
           "persistentvolumeclaims':'2'}"),
     ""},
    {"resourcequotas", QUOTA("'hard':{'disk':'5Gi'}"),
     "spec.hard[disk]: Invalid value: disk: must be a standard resource type or fully qualified\n"
     "spec.hard[disk]: Invalid value: disk: must be a standard resource for quota"},
    {"resourcequotas", QUOTA("'hard':{'pods':'-1'}"),
     "spec.hard[pods]: Invalid value: \"-1\": must be greater than or equal to 0"},
    {"resourcequotas", QUOTA("'hard':{'pods':'1'},'scopes':['BestEffort','NotBestEffort']"),
     "spec.scopes: Invalid value: []core.ResourceQuotaScope{\"BestEffort\", \"NotBestEffort\"}: conflicting scopes"},
    {"limitranges", RANGE("{'type':'PersistentVolumeClaim','max':{'storage':'1Gi'}}"), ""},
    {"limitranges", RANGE("{'type':'PersistentVolumeClaim'}"),
     "spec.limits[0].limits: Required value: either minimum or maximum storage value is required, but neither was "
     "provided"},
    {"limitranges", RANGE("{'type':'Volume','max':{'storage':'1Gi'}}"),
     "spec.limits[0].type: Invalid value: \"Volume\": must be a standard limit type or fully qualified"},
    {"limitranges", RANGE("{'type':'Pod','default':{'cpu':'1'}}"),
     "spec.limits[0].default: Forbidden: may not be specified when `type` is 'Pod'"},
    {"limitranges", RANGE("{'type':'PersistentVolumeClaim','min':{'storage':'2Gi'},'max':{'storage':'1Gi'}}"),
     "spec.limits[0].min[storage]: Invalid value: resource.Quantity{i:resource.int64Amount{value:2147483648, scale:0}, "
     "d:resource.infDecAmount{Dec:(*inf.Dec)(nil)}, s:\"2Gi\", Format:\"BinarySI\"}: min value 2Gi is greater than max "
     "value 1Gi"},
};

static void test_create(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_create(rows[i].bucket, rows[i].snippet, rows[i].want);
}

#define META         "'metadata':{'name':'s','resourceVersion':'1','uid':'u','creationTimestamp':'2026-01-01T00:00:00Z'}"
#define STORED(spec) "{" META ",'spec':{'serviceName':'s'," TEMPLATE spec "}}"

static void test_update(void **state)
{
    (void)state;
    assert_update("statefulsets.apps", "", STORED(""), STORED(",'replicas':3,'minReadySeconds':1"), "");
    assert_update("statefulsets.apps", "", STORED(""), STORED(",'podManagementPolicy':'Parallel'"),
                  "spec: Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', "
                  "'template', 'updateStrategy', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are "
                  "forbidden");
    assert_update("statefulsets.apps", "status", STORED(""),
                  "{" META ",'spec':{'serviceName':'s'," TEMPLATE "},'status':{'replicas':1,'readyReplicas':2}}",
                  "status.readyReplicas: Invalid value: 2: cannot be greater than status.replicas");
}

static void expect_default(const char *bucket, const char *snippet, const char *path, const char *want)
{
    _auto_json_ json_t *obj = object_of(kind_of(bucket), snippet);
    const json_t *v = jat(obj, path);
    _auto_free_ char *got = v != NULL ? json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT) : xstrdup("");
    assert_string_equal(got, want);
}

static void test_defaults(void **state)
{
    (void)state;
    expect_default("statefulsets.apps", STS(""), "spec.updateStrategy",
                   "{\"type\":\"RollingUpdate\",\"rollingUpdate\":{\"partition\":0}}");
    expect_default("statefulsets.apps", STS(",'updateStrategy':{'type':'RollingUpdate'}"), "spec.updateStrategy",
                   "{\"type\":\"RollingUpdate\"}"); /* as it was given */
    expect_default("statefulsets.apps", STS(""), "spec.persistentVolumeClaimRetentionPolicy",
                   "{\"whenDeleted\":\"Retain\",\"whenScaled\":\"Retain\"}");
    expect_default("daemonsets.apps", DS(""), "spec.updateStrategy.rollingUpdate",
                   "{\"maxUnavailable\":1,\"maxSurge\":0}");
    expect_default("jobs.batch", JOB(""), "spec.completions", "1");
    expect_default("jobs.batch", JOB(",'parallelism':2"), "spec.completions", "");
    expect_default("jobs.batch", JOB(""), "metadata.labels", "{\"a\":\"b\"}");
    expect_default("cronjobs.batch", CRON("c", "'schedule':'@daily'"), "spec.jobTemplate.spec.completions", "");
    expect_default("cronjobs.batch", CRON("c", "'schedule':'@daily'"), "spec.failedJobsHistoryLimit", "1");
    expect_default("limitranges", RANGE("{'type':'Container','max':{'cpu':'2'},'min':{'memory':'1Mi'}}"), "spec.limits",
                   "[{\"type\":\"Container\",\"max\":{\"cpu\":\"2\"},\"min\":{\"memory\":\"1Mi\"},\"default\":{\"cpu\":"
                   "\"2\"},\"defaultRequest\":{\"cpu\":\"2\",\"memory\":\"1Mi\"}}]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_create),
        cmocka_unit_test(test_update),
        cmocka_unit_test(test_defaults),
    };
    return cmocka_run_group_tests(tests, validate_setup, NULL);
}
