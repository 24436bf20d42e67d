/* Namespaces, endpoints, nodes and what follows them. */
#include "unit/loop_world.h"

#include "controllers/controllers.h"

static struct controllers_env env = {.ca_pem = "CERT"};

static int setup(void **state)
{
    struct loop_world *w = xcalloc(1, sizeof *w);
    size_t n;
    world_open(w);
    const struct loop_def *const *loops = controllers_loops(&n);
    world_start(w, loops, n, &env);
    settle(w);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    world_close(*state);
    free(*state);
    return 0;
}

static void test_namespace_begins(void **state)
{
    struct loop_world *w = *state;
    assert_string_equal(text_at(w, RES.serviceaccounts, "default", "metadata.name"), "default");
    _auto_sobj_ struct sobj *ca = get(w, RES.configmaps, "kube-root-ca.crt");
    assert_string_equal(jmap(ca->tree, "data", "ca.crt"), "CERT");
    delete_it(w, RES.serviceaccounts, "default", NULL);
    delete_it(w, RES.configmaps, "kube-root-ca.crt", NULL);
    settle(w);
    assert_string_equal(text_at(w, RES.serviceaccounts, "default", "metadata.name"), "default");
    assert_string_equal(text_at(w, RES.configmaps, "kube-root-ca.crt", "metadata.name"), "kube-root-ca.crt");
}

static void test_namespace_ends(void **state)
{
    struct loop_world *w = *state;
    make(w, "{'apiVersion':'v1','kind':'Namespace','metadata':{'name':'t'}}");
    settle(w);
    make(w,
         "{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'held','namespace':'t','finalizers':['x.io/f']}}");
    delete_it(w, RES.namespaces, "t", NULL);
    settle(w);
    assert_string_equal(text_at(w, RES.namespaces, "t", "status.phase"), "Terminating");
    _auto_sobj_ struct sobj *ns = get(w, RES.namespaces, "t");
    assert_string_equal(jstr(condition_get(ns->tree, "NamespaceContentRemaining"), "message"),
                        "Some resources are remaining: configmaps. has 1 resource instances");
    assert_string_equal(jstr(condition_get(ns->tree, "NamespaceFinalizersRemaining"), "status"), "True");
    struct change c = {"metadata.finalizers", NULL};
    struct err e = ERR_INIT;
    assert_int_equal(reg_modify(w->registry, "test", RES.configmaps, "t", "held", "", edit_change, &c, &e), 0);
    pass_seconds(w, 2);
    assert_string_equal(text_at(w, RES.namespaces, "t", "status.phase"), "(gone)");
}

#define SERVICE(name, spec)                                                                                            \
    "{'apiVersion':'v1','kind':'Service','metadata':{'name':'" name                                                    \
    "','namespace':'default'},'spec':{'selector':{'app':'x'}," spec "}}"

static void test_endpoints(void **state)
{
    struct loop_world *w = *state;
    make(w, NODE("n1", ",'topology.kubernetes.io/zone':'z1'", ""));
    make(w, SERVICE("svc", "'ports':[{'name':'http','port':80,'targetPort':'web'}]"));
    make(w,
         "{'apiVersion':'v1','kind':'Pod','metadata':{'name':'a','namespace':'default','labels':{'app':'x'}},'spec':{"
         "'nodeName':'n1','containers':[{'name':'c','image':'nginx','ports':[{'name':'web','containerPort':8080}]}]}}");
    settle(w);
    assert_string_equal(text_at(w, RES.endpoints, "svc", "subsets"), "");
    change(w, RES.pods, "a", "status", "status",
           "{'phase':'Running','podIP':'10.244.1.5','podIPs':[{'ip':'10.244.1.5'}]}");
    settle(w);
    assert_non_null(strstr(text_at(w, RES.endpoints, "svc", "subsets"), "notReadyAddresses"));
    change(w, RES.pods, "a", "status", "status.conditions", "[{'type':'Ready','status':'True'}]");
    settle(w);
    const char *subsets = text_at(w, RES.endpoints, "svc", "subsets");
    assert_non_null(strstr(subsets, "\"addresses\":[{\"ip\":\"10.244.1.5\",\"nodeName\":\"n1\""));
    assert_non_null(strstr(subsets, "\"port\":8080"));

    _auto_objlist_ struct objlist slices = {0};
    objlist_load(&slices, w->registry, RES.endpointslices->bucket, "default");
    const json_t *slice = NULL;
    for (size_t i = 0; i < slices.len; i++)
        if (str_eq(jmap(slices.trees[i], "metadata.labels", "kubernetes.io/service-name"), "svc"))
            slice = slices.trees[i];
    assert_non_null(slice);
    const json_t *ep = json_array_get(jat(slice, "endpoints"), 0);
    assert_true(jbool(ep, "conditions.ready", false));
    assert_string_equal(jstr(ep, "zone"), "z1");
    size_t before = count(w, RES.endpointslices);

    delete_it(w, RES.services, "svc", NULL);
    settle(w);
    assert_string_equal(text_at(w, RES.endpoints, "svc", "metadata.name"), "(gone)");
    assert_int_equal(count(w, RES.endpointslices), before - 1);
}

static void pods_of_port(struct loop_world *w, int from, int count, int port)
{
    for (int i = from; i < from + count; i++) {
        char name[16], status[128];
        snprintf(name, sizeof name, "p%d", i);
        make(
            w,
            "{'apiVersion':'v1','kind':'Pod','metadata':{'name':'%s','namespace':'default','labels':{'app':'x'}},'spec'"
            ":{'nodeName':'n1','containers':[{'name':'c','image':'nginx','ports':[{'name':'web','containerPort':%d}]}]"
            "}}",
            name, port);
        snprintf(status, sizeof status, "{'phase':'Running','podIP':'10.244.1.%d','podIPs':[{'ip':'10.244.1.%d'}]}", i,
                 i);
        change(w, RES.pods, name, "status", "status", status);
    }
}

/* How many endpoints the slices of "svc" have: "8080:100 8080:30 9090:5", in this order. In a static buffer. */
static const char *slice_sizes(struct loop_world *w)
{
    static char out[256];
    _auto_objlist_ struct objlist all = {0};
    _auto_strlist_ struct strlist sizes = {0};
    objlist_load(&all, w->registry, RES.endpointslices->bucket, "default");
    for (size_t i = 0; i < all.len; i++)
        if (str_eq(jmap(all.trees[i], "metadata.labels", "kubernetes.io/service-name"), "svc"))
            strlist_addf(&sizes, "%lld:%03zu",
                         (long long)jint(json_array_get(jat(all.trees[i], "ports"), 0), "port", 0),
                         json_array_size(jat(all.trees[i], "endpoints")));
    strlist_sort(&sizes);
    _auto_free_ char *text = strlist_join(&sizes, " ");
    snprintf(out, sizeof out, "%s", text);
    return out;
}

/* A hundred a slice, one set of ports a slice; what empties is used again or goes; one always stays. */
static void test_many_slices(void **state)
{
    struct loop_world *w = *state;
    char name[16];
    make(w, NODE("n1", "", ""));
    make(w, SERVICE("svc", "'ports':[{'name':'http','port':80,'targetPort':'web'}]"));
    settle(w);
    assert_string_equal(slice_sizes(w), "0:000");
    pods_of_port(w, 0, 130, 8080);
    settle(w);
    assert_string_equal(slice_sizes(w), "8080:030 8080:100");
    pods_of_port(w, 200, 5, 9090);
    settle(w);
    assert_string_equal(slice_sizes(w), "8080:030 8080:100 9090:005");
    for (int i = 0; i < 130; i++) {
        snprintf(name, sizeof name, "p%d", i);
        end_pod(w, name);
    }
    settle(w);
    assert_string_equal(slice_sizes(w), "9090:005");
    for (int i = 200; i < 205; i++) {
        snprintf(name, sizeof name, "p%d", i);
        end_pod(w, name);
    }
    settle(w);
    assert_string_equal(slice_sizes(w), "0:000");
}

static void test_headless(void **state)
{
    struct loop_world *w = *state;
    make(w, SERVICE("hl", "'clusterIP':'None'"));
    settle(w);
    _auto_sobj_ struct sobj *eps = get(w, RES.endpoints, "hl");
    assert_string_equal(jmap(eps->tree, "metadata.labels", "service.kubernetes.io/headless"), "");
}

static void test_node_taints(void **state)
{
    struct loop_world *w = *state;
    make(w, NODE("n1", "", ""));
    change(w, RES.nodes, "n1", "status", "status.conditions", "[{'type':'Ready','status':'True'}]");
    settle(w);
    assert_string_equal(text_at(w, RES.nodes, "n1", "spec.taints"), "");
    change(w, RES.nodes, "n1", "", "spec.unschedulable", "true");
    settle(w);
    assert_non_null(strstr(text_at(w, RES.nodes, "n1", "spec.taints"), "node.kubernetes.io/unschedulable"));
    change(w, RES.nodes, "n1", "", "spec.unschedulable", NULL);
    change(w, RES.nodes, "n1", "status", "status.conditions", "[{'type':'Ready','status':'False'}]");
    settle(w);
    assert_non_null(strstr(text_at(w, RES.nodes, "n1", "spec.taints"), "NoExecute"));
    make(w, POD("p", ",'nodeName':'n1'")); /* tolerates it for 300 s by admission */
    settle(w);
    assert_string_equal(text_at(w, RES.pods, "p", "metadata.deletionTimestamp"), "");
    change(w, RES.nodes, "n1", "status", "status.conditions", "[{'type':'Ready','status':'True'}]");
    settle(w);
    assert_event(w, "p", "TaintManagerEviction", "Cancelling deletion of Pod default/p");
    change(w, RES.nodes, "n1", "status", "status.conditions", "[{'type':'Ready','status':'Unknown'}]");
    pass_seconds(w, 302);
    assert_string_not_equal(text_at(w, RES.pods, "p", "metadata.deletionTimestamp"), "");
    assert_event(w, "p", "TaintManagerEviction", "Marking for deletion Pod default/p");
    _auto_sobj_ struct sobj *pod = get(w, RES.pods, "p");
    const json_t *why = condition_get(pod->tree, "DisruptionTarget");
    assert_string_equal(jstr_or(why, "reason", ""), "DeletionByTaintManager");
    assert_string_equal(jstr_or(why, "message", ""), "Taint manager: deleting due to NoExecute taint");
}

static void test_pods_of_a_dead_node(void **state)
{
    struct loop_world *w = *state;
    make(w, NODE("n1", "", ""));
    make(w, POD("p", ",'nodeName':'n1'"));
    settle(w);
    delete_it(w, RES.nodes, "n1", NULL);
    settle(w);
    assert_int_equal(count(w, RES.pods), 0);
}

static void test_mixed_owners(void **state)
{
    struct loop_world *w = *state;
    make(w, "{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'a','namespace':'default'}}");
    make(w, "{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'b','namespace':'default'}}");
    make(w,
         "{'apiVersion':'v1','kind':'Secret','metadata':{'name':'child','namespace':'default','ownerReferences':["
         "{'apiVersion':'v1','kind':'ConfigMap','name':'a','uid':'%s'},{'apiVersion':'v1','kind':'ConfigMap','name':'b'"
         ",'uid':'%s'}"
         "]}}",
         text_at(w, RES.configmaps, "a", "metadata.uid"), text_at(w, RES.configmaps, "b", "metadata.uid"));
    make(w, "{'apiVersion':'v1','kind':'Secret','metadata':{'name':'stray','namespace':'default','ownerReferences':["
            "{'apiVersion':'v1','kind':'ConfigMap','name':'none','uid':'00000000-0000-0000-0000-000000000000'}]}}");
    settle(w);
    assert_string_equal(text_at(w, RES.secrets, "stray", "metadata.name"), "(gone)");
    delete_it(w, RES.configmaps, "a", NULL);
    settle(w);
    _auto_sobj_ struct sobj *child = get(w, RES.secrets, "child");
    assert_int_equal(json_array_size(jat(child->tree, "metadata.ownerReferences")), 1);
    delete_it(w, RES.configmaps, "b", NULL);
    settle(w);
    assert_string_equal(text_at(w, RES.secrets, "child", "metadata.name"), "(gone)");
}

int main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_namespace_begins), T(test_namespace_ends), T(test_endpoints),           T(test_headless),
        T(test_many_slices),      T(test_node_taints),    T(test_pods_of_a_dead_node), T(test_mixed_owners),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
