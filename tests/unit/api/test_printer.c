/* test_printer.c - cells of server-side tables, in the states that make them interesting. */
#include "api/printer.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const char NOW[] = "2026-11-21T09:30:20Z";

struct row {
    const char *object; /* single quotes stand for double ones */
    const char *cells;
};

static json_t *parse(const char *text)
{
    _auto_free_ char *copy = xstrdup(text);
    for (char *c = copy; *c != '\0'; c++)
        if (*c == '\'')
            *c = '"';
    json_t *j = json_loads(copy, 0, NULL);
    assert_non_null(j);
    return j;
}

/* Prints the cells of `object`, with single quotes. Returns new. */
static char *cells_of(const struct resource *r, const char *object)
{
    int64_t now;
    assert_int_equal(time_parse(NOW, &now), 0);
    _auto_json_ json_t *obj = parse(object);
    _auto_buf_ struct buf b = BUF_INIT;
    table_row_write(&b, r, obj, INCLUDE_NONE, now);
    _auto_json_ json_t *row = json_loads(buf_str(&b), 0, NULL);
    assert_non_null(row);
    char *text = json_dumps(json_object_get(row, "cells"), JSON_COMPACT);
    for (char *c = text; *c != '\0'; c++)
        if (*c == '"')
            *c = '\'';
    return text;
}

static void check(const char *group, const char *kind, const struct row *rows, size_t count)
{
    const struct resource r = {.group = group, .version = "v1", .kind = kind};
    for (size_t i = 0; i < count; i++) {
        _auto_free_ char *cells = cells_of(&r, rows[i].object);
        assert_string_equal(cells, rows[i].cells);
    }
}
#define CHECK(group, kind, rows) check(group, kind, rows, ARRAY_LEN(rows))

#define META "'metadata':{'name':'p','creationTimestamp':'2026-11-21T09:30:15Z'}"
#define GONE                                                                                                           \
    "'metadata':{'name':'p','creationTimestamp':'2026-11-21T09:30:15Z','deletionTimestamp':'2026-11-21T09:30:16Z'}"
#define ONE       "'spec':{'nodeName':'n','containers':[{'name':'c'}]}"
#define CELLS(t)  "['p'," t ",'5s','<none>','n','<none>','<none>']"
#define STATE(s)  "'containerStatuses':[{'name':'c','ready':false,'restartCount':0,'state':{" s "}}]"
#define READY_RUN "'containerStatuses':[{'name':'c','ready':true,'restartCount':0,'state':{'running':{}}}]"

static void test_pod(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"{" META ",'spec':{'containers':[{'name':'c'}]},'status':{'phase':'Pending'}}",
         "['p','0/1','Pending','0','5s','<none>','<none>','<none>','<none>']"},
        {"{" META "," ONE
         ",'status':{'phase':'Pending','conditions':[{'type':'PodScheduled','reason':'SchedulingGated'}]}}",
         CELLS("'0/1','SchedulingGated','0'")},
        {"{" META "," ONE ",'status':{'phase':'Pending'," STATE("'waiting':{'reason':'ContainerCreating'}") "}}",
         CELLS("'0/1','ContainerCreating','0'")},
        {"{" META "," ONE ",'status':{'phase':'Running','podIPs':[{'ip':'10.244.1.7'}]," READY_RUN "}}",
         "['p','1/1','Running','0','5s','10.244.1.7','n','<none>','<none>']"},
        {"{" META "," ONE ",'status':{'phase':'Running','containerStatuses':[{'name':'c','ready':true,'restartCount':3,"
         "'state':{'running':"
         "{}},'lastState':{'terminated':{'finishedAt':'2026-11-21T09:25:15Z'}}}]}}",
         CELLS("'1/1','Running','3 (5m5s ago)'")},
        {"{" META "," ONE
         ",'status':{'phase':'Succeeded'," STATE("'terminated':{'reason':'Completed','exitCode':0}") "}}",
         CELLS("'0/1','Completed','0'")},
        {"{" META "," ONE ",'status':{'phase':'Failed'," STATE("'terminated':{'reason':'Error','exitCode':1}") "}}",
         CELLS("'0/1','Error','0'")},
        {"{" META "," ONE ",'status':{'phase':'Failed'," STATE("'terminated':{'exitCode':3}") "}}",
         CELLS("'0/1','ExitCode:3','0'")},
        {"{" META "," ONE ",'status':{'phase':'Failed'," STATE("'terminated':{'exitCode':137,'signal':9}") "}}",
         CELLS("'0/1','Signal:9','0'")},
        {"{" META "," ONE ",'status':{'phase':'Failed','reason':'Evicted'}}", CELLS("'0/1','Evicted','0'")},
        {"{" GONE "," ONE ",'status':{'phase':'Running'," READY_RUN "}}", CELLS("'1/1','Terminating','0'")},
        {"{" GONE "," ONE ",'status':{'phase':'Running','reason':'NodeLost'," READY_RUN "}}",
         CELLS("'1/1','Unknown','0'")},
        {"{" GONE "," ONE
         ",'status':{'phase':'Succeeded'," STATE("'terminated':{'reason':'Completed','exitCode':0}") "}}",
         CELLS("'0/1','Completed','0'")},
    };
    CHECK("", "Pod", rows);
}

#define INITS "'spec':{'nodeName':'n','initContainers':[{'name':'i'},{'name':'j'}],'containers':[{'name':'c'}]}"
#define SIDE                                                                                                           \
    "'spec':{'nodeName':'n','initContainers':[{'name':'i','restartPolicy':'Always'}],'containers':[{'name':'c'}]}"
#define TWO "'spec':{'nodeName':'n','containers':[{'name':'a'},{'name':'b'}]}"

static void test_pod_init(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"{" META "," INITS
         ",'status':{'phase':'Pending','initContainerStatuses':[{'name':'i','restartCount':0,'state':{'running':{}}},"
         "{'name':'j','restartCount':0,'state':{'waiting':{'reason':'PodInitializing'}}}]," STATE(
             "'waiting':{'reason':'PodInitializing'}") "}}",
         CELLS("'0/1','Init:0/2','0'")},
        {"{" META "," INITS
         ",'status':{'phase':'Pending','initContainerStatuses':[{'name':'i','restartCount':0,'state':{'terminated':"
         "{'exitCode':0}}},{'name':'j','restartCount':4,'state':{'waiting':{'reason':'CrashLoopBackOff'}},'lastState':{"
         "'terminated':{"
         "'finishedAt':'2026-11-21T09:30:01Z'}}}]}}",
         CELLS("'0/1','Init:CrashLoopBackOff','4 (19s ago)'")},
        {"{" META "," INITS
         ",'status':{'phase':'Pending','initContainerStatuses':[{'name':'i','restartCount':1,'state':{'terminated':"
         "{'exitCode':2}}}]}}",
         CELLS("'0/1','Init:ExitCode:2','1'")},
        {"{" META "," INITS
         ",'status':{'phase':'Pending','initContainerStatuses':[{'name':'i','restartCount':7,'state':{'terminated':"
         "{'exitCode':0}}},{'name':'j','restartCount':0,'state':{'terminated':{'exitCode':0}}}]," STATE(
             "'waiting':{'reason':'PodInitializing'}") "}}",
         CELLS("'0/1','PodInitializing','0'")},
        {"{" META "," SIDE ",'status':{'phase':'Running','initContainerStatuses':[{'name':'i','restartCount':0,'"
         "started':true,'ready':true,"
         "'state':{'running':{}}}]," READY_RUN "}}",
         CELLS("'2/2','Running','0'")},
        {"{" META "," SIDE
         ",'status':{'phase':'Pending','initContainerStatuses':[{'name':'i','restartCount':0,'started':false,'state':{"
         "'running':{}}}]," STATE("'waiting':{'reason':'PodInitializing'}") "}}",
         CELLS("'0/2','Init:0/1','0'")},
        {"{" META "," TWO ",'status':{'phase':'Running','conditions':[{'type':'Ready','status':'True'}],'"
         "containerStatuses':[{'name':'a',"
         "'ready':false,'restartCount':0,'state':{'terminated':{'reason':'Completed','exitCode':0}}},{'name':'b','"
         "ready':true,"
         "'restartCount':0,'state':{'running':{}}}]}}",
         CELLS("'1/2','Running','0'")},
        {"{" META "," TWO ",'status':{'phase':'Running','conditions':[{'type':'Ready','status':'False'}],'"
         "containerStatuses':[{'name':'a',"
         "'ready':false,'restartCount':0,'state':{'terminated':{'reason':'Completed','exitCode':0}}},{'name':'b','"
         "ready':true,"
         "'restartCount':0,'state':{'running':{}}}]}}",
         CELLS("'1/2','NotReady','0'")},
        {"{" META ",'spec':{'nodeName':'n','containers':[{'name':'c'}],'readinessGates':[{'conditionType':'a'},{'"
         "conditionType':'b'}]},"
         "'status':{'phase':'Running','conditions':[{'type':'a','status':'True'}]," READY_RUN "}}",
         "['p','1/1','Running','0','5s','<none>','n','<none>','1/2']"},
    };
    CHECK("", "Pod", rows);
}

static void test_storage(void **state)
{
    (void)state;
    static const struct row pvs[] = {
        {"{" META ",'spec':{'capacity':{'storage':'100Mi'},'accessModes':['ReadWriteMany','ReadWriteOnce'],'"
         "persistentVolumeReclaimPolicy':"
         "'Retain','claimRef':{'namespace':'lab','name':'c'},'storageClassName':'manual','volumeMode':'Filesystem'},'"
         "status':{'phase':"
         "'Bound'}}",
         "['p','100Mi','RWO,RWX','Retain','Bound','lab/c','manual','<unset>','','5s','Filesystem']"},
        {"{" GONE ",'spec':{'persistentVolumeReclaimPolicy':'Delete'},'status':{'phase':'Failed','reason':'"
         "VolumeFailedDelete'}}",
         "['p','0','','Delete','Terminating','','','<unset>','VolumeFailedDelete','5s','<unset>']"},
    };
    static const struct row pvcs[] = {
        {"{" META ",'spec':{'accessModes':['ReadWriteOnce'],'resources':{'requests':{'storage':'1Gi'}},'"
         "storageClassName':'x','volumeMode':"
         "'Filesystem'},'status':{'phase':'Pending'}}",
         "['p','Pending','','','','x','<unset>','5s','Filesystem']"},
        {"{" META ",'spec':{'volumeName':'v','storageClassName':'x','volumeMode':'Block'},'status':{'phase':'Bound','"
         "accessModes':["
         "'ReadWriteOncePod'],'capacity':{'storage':'2Gi'}}}",
         "['p','Bound','v','2Gi','RWOP','x','<unset>','5s','Block']"},
        {"{" META ",'spec':{'volumeName':'v'},'status':{'phase':'Pending'}}",
         "['p','Pending','v','0','','','<unset>','5s','<unset>']"},
    };
    static const struct row classes[] = {
        {"{'metadata':{'name':'gp2','creationTimestamp':'2026-11-21T09:30:15Z','annotations':{'storageclass.kubernetes."
         "io/is-default-class':"
         "'true'}},'provisioner':'ebs','reclaimPolicy':'Delete','volumeBindingMode':'WaitForFirstConsumer'}",
         "['gp2 (default)','ebs','Delete','WaitForFirstConsumer',false,'5s']"},
    };
    static const struct row drivers[] = {
        {"{" META ",'spec':{'attachRequired':true,'tokenRequests':[{'audience':'a'},{'audience':''}],'"
         "volumeLifecycleModes':['Persistent']}}",
         "['p',true,false,false,'a,',false,'Persistent','5s']"},
    };
    CHECK("", "PersistentVolume", pvs);
    CHECK("", "PersistentVolumeClaim", pvcs);
    CHECK("storage.k8s.io", "StorageClass", classes);
    CHECK("storage.k8s.io", "CSIDriver", drivers);
}

static void test_network(void **state)
{
    (void)state;
    static const struct row services[] = {
        {"{" META ",'spec':{'type':'NodePort','clusterIPs':['10.96.0.9'],'ports':[{'port':80,'nodePort':30080,'"
         "protocol':'TCP'},{'port':53,"
         "'protocol':'UDP'}],'selector':{'b':'2','a':'1'}}}",
         "['p','NodePort','10.96.0.9','<none>','80:30080/TCP,53/UDP','5s','a=1,b=2']"},
        {"{" META ",'spec':{'type':'LoadBalancer','clusterIPs':['10.96.0.9']}}",
         "['p','LoadBalancer','10.96.0.9','<pending>','<none>','5s','<none>']"},
        {"{" META ",'spec':{'type':'ExternalName','externalName':'db.example.com'}}",
         "['p','ExternalName','<none>','db.example.com','<none>','5s','<none>']"},
    };
    static const struct row endpoints[] = {
        {"{" META "}", "['p','<none>','5s']"},
        {"{" META ",'subsets':[{'notReadyAddresses':[{'ip':'1.1.1.1'}],'ports':[{'port':80}]}]}", "['p','','5s']"},
        {"{" META ",'subsets':[{'addresses':[{'ip':'1.1.1.1'},{'ip':'1.1.1.2'}],'ports':[{'port':80},{'port':81}]}]}",
         "['p','1.1.1.1:80,1.1.1.2:80,1.1.1.1:81 + 1 more...','5s']"},
        {"{" META ",'subsets':[{'addresses':[{'ip':'fd00::1'}],'ports':[{'port':80}]}]}", "['p','[fd00::1]:80','5s']"},
    };
    CHECK("", "Service", services);
    CHECK("", "Endpoints", endpoints);
}

static void test_others(void **state)
{
    (void)state;
    static const struct row nodes[] = {
        {"{'metadata':{'name':'n','creationTimestamp':'2026-11-21T09:30:15Z','labels':{'node-role.kubernetes.io/"
         "worker':'',"
         "'kubernetes.io/"
         "role':'storage'}},'spec':{'unschedulable':true},'status':{'conditions':[{'type':'Ready','status':'True'}],"
         "'addresses':[{'type':'InternalIP','address':'10.0.0.1'}],'nodeInfo':{'kubeletVersion':'v1.32.0'}}}",
         "['n','Ready,SchedulingDisabled','storage,worker','5s','v1.32.0','10.0.0.1','<none>','<unknown>','<unknown>','"
         "<unknown>']"},
        {"{" META "}", "['p','Unknown','<none>','5s','','<none>','<none>','<unknown>','<unknown>','<unknown>']"},
    };
    static const struct row deployments[] = {
        {"{" META ",'spec':{'replicas':5,'selector':{'matchLabels':{'app':'two'},'matchExpressions':[{'key':'x','"
         "operator':'DoesNotExist'}]},"
         "'template':{'spec':{'containers':[{'name':'a','image':'i'},{'name':'b','image':'j'}]}}},'status':{'"
         "readyReplicas':1,"
         "'updatedReplicas':2,'availableReplicas':1}}",
         "['p','1/5',2,1,'5s','a,b','i,j','app=two,!x']"},
    };
    static const struct row revisions[] = {
        {"{'metadata':{'name':'r','creationTimestamp':'2026-11-21T09:30:15Z','ownerReferences':[{'apiVersion':'apps/"
         "v1','kind':'StatefulSet',"
         "'name':'web','controller':true}]},'revision':3}",
         "['r','statefulset.apps/web',3,'5s']"},
    };
    static const struct row events[] = {
        {"{'metadata':{'name':'e'},'involvedObject':{'kind':'Pod','name':'p','fieldPath':'spec.c'},'type':'Normal','"
         "reason':'Pulled','message':"
         "' "
         "text\\n','source':{'component':'kubelet','host':'n'},'firstTimestamp':'2026-11-21T09:23:20Z','lastTimestamp':"
         "'2026-11-21T09:29:40Z','count':7}",
         "['40s','Normal','Pulled','pod/p','spec.c','kubelet, n','text','7m',7,'e']"},
        {"{'metadata':{'name':'e'},'regarding':{'kind':'Pod','name':'p'},'reportingController':'ctl','"
         "reportingInstance':'c-1','note':'t',"
         "'eventTime':'2026-11-21T09:28:22.123456Z','series':{'count':4,'lastObservedTime':'2026-11-21T09:29:53."
         "000000Z'}}",
         "['27s','','','pod/p','','ctl, c-1','t','117s',4,'e']"},
        {"{'metadata':{'name':'e'}}", "['<unknown>','','','','','','','<unknown>',1,'e']"},
    };
    static const struct row capacities[] = {{"{" META "}", "['p','2026-11-21T09:30:15Z']"}};
    CHECK("", "Node", nodes);
    CHECK("apps", "Deployment", deployments);
    CHECK("apps", "ControllerRevision", revisions);
    CHECK("", "Event", events);
    CHECK("events.k8s.io", "Event", events);
    CHECK("storage.k8s.io", "CSIStorageCapacity", capacities);
}

static void test_row_objects(void **state)
{
    (void)state;
    static const struct resource pods = {.group = "", .version = "v1", .kind = "Pod"};
    _auto_json_ json_t *pod =
        parse("{'kind':'Pod','apiVersion':'v1','metadata':{'name':'p'},'status':{'phase':'Failed'}}");
    static const char *const tails[] = {
        [INCLUDE_METADATA] = "\"object\":{\"kind\":\"PartialObjectMetadata\",\"apiVersion\":\"meta.k8s.io/"
                             "v1\",\"metadata\":{\"name\":\"p\"}}}",
        [INCLUDE_OBJECT] = "\"object\":{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"p\"},"
                           "\"status\":{\"phase\":\"Failed\"}}}",
        [INCLUDE_NONE] =
            "\"conditions\":[{\"type\":\"Completed\",\"status\":\"True\",\"reason\":\"Failed\",\"message\":\"The pod "
            "failed.\"}],\"object\":null}",
    };
    for (int i = INCLUDE_METADATA; i <= INCLUDE_NONE; i++) {
        _auto_buf_ struct buf b = BUF_INIT;
        table_row_write(&b, &pods, pod, (enum include_object)i, 0);
        assert_string_equal(buf_str(&b) + b.len - strlen(tails[i]), tails[i]);
    }
}

static void test_ages(void **state)
{
    (void)state;
    static const struct {
        int64_t seconds;
        const char *text;
    } rows[] = {
        {-2, "<invalid>"},  {-1, "0s"},       {0, "0s"},          {119, "119s"},     {120, "2m"},
        {125, "2m5s"},      {600, "10m"},     {10799, "179m"},    {10800, "3h"},     {10860, "3h1m"},
        {28800, "8h"},      {172799, "47h"},  {172800, "2d"},     {176400, "2d1h"},  {691200, "8d"},
        {63071999, "729d"}, {63072000, "2y"}, {63158400, "2y1d"}, {252288000, "8y"}, {400000000, "12y"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char text[24];
        human_duration(rows[i].seconds * 1000000000, text);
        assert_string_equal(text, rows[i].text);
    }
}

static void test_workloads(void **state)
{
    (void)state;
    static const struct row sets[] = {
        {"{" META ",'spec':{'replicas':3,'template':{'spec':{'containers':[{'name':'c','image':'i'}]}}},'status':{"
         "'readyReplicas':1}}",
         "['p','1/3','5s','c','i']"},
    };
    static const struct row daemons[] = {
        {"{" META ",'spec':{'selector':{'matchLabels':{'a':'b'}},'template':{'spec':{'nodeSelector':{'z':'1','a':'2'},"
         "'containers':[{'name':'c','image':'i'}]}}},'status':{'desiredNumberScheduled':3,'numberReady':2}}",
         "['p',3,0,2,0,0,'a=2,z=1','5s','c','i','a=b']"},
    };
    static const struct row jobs[] = {
        {"{" META
         ",'spec':{'completions':3},'status':{'succeeded':3,'startTime':'2026-11-21T09:28:20Z','completionTime':"
         "'2026-11-21T09:29:30Z','conditions':[{'type':'Complete','status':'True'}]}}",
         "['p','Complete','3/3','70s','5s','','','<none>']"},
        {"{" META ",'spec':{'parallelism':3},'status':{'startTime':'2026-11-21T09:30:10Z'}}",
         "['p','Running','0/1 of 3','10s','5s','','','<none>']"},
        {"{" META ",'spec':{'completions':1},'status':{'conditions':[{'type':'Suspended','status':'True'}]}}",
         "['p','Suspended','0/1','','5s','','','<none>']"},
    };
    static const struct row crons[] = {
        {"{" META
         ",'spec':{'schedule':'@hourly','suspend':true,'timeZone':'Etc/UTC','jobTemplate':{'spec':{'template':{"
         "'spec':{'containers':[{'name':'c','image':'i'}]}}}}},'status':{'active':[{}],'lastScheduleTime':"
         "'2026-11-21T09:28:13Z'}}",
         "['p','@hourly','Etc/UTC','True',1,'2m7s','5s','c','i','<none>']"},
    };
    static const struct row quotas[] = {
        {"{" META ",'status':{'hard':{'pods':'9','limits.cpu':'8','requests.storage':'1Gi'},'used':{'pods':'2',"
         "'limits.cpu':'500m'}}}",
         "['p','5s','pods: 2/9, requests.storage: 0/1Gi','limits.cpu: 500m/8']"},
    };
    CHECK("apps", "StatefulSet", sets);
    CHECK("apps", "DaemonSet", daemons);
    CHECK("batch", "Job", jobs);
    CHECK("batch", "CronJob", crons);
    CHECK("", "ResourceQuota", quotas);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pod),     cmocka_unit_test(test_pod_init),  cmocka_unit_test(test_storage),
        cmocka_unit_test(test_network), cmocka_unit_test(test_others),    cmocka_unit_test(test_row_objects),
        cmocka_unit_test(test_ages),    cmocka_unit_test(test_workloads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
