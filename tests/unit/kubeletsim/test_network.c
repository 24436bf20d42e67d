/* test_network.c - what the network is told: pods behind services, names, and policies as ranges of addresses. */
#include "kubelet_kit.h"

#include "kubeletsim/proxy_int.h"

#define WORKER(name, label)                                                                                            \
    "{'apiVersion':'v1','kind':'Pod','metadata':{'name':'" name "','namespace':'default','labels':{" label             \
    "}},'spec':{'nodeName':'controlplane','containers':[{'name':'c','image':'nginx','ports':[{'name':'http',"          \
    "'containerPort':80}]}]}}"
#define POLICY(name, spec)                                                                                             \
    "{'apiVersion':'networking.k8s.io/v1','kind':'NetworkPolicy','metadata':{'name':'" name                            \
    "','namespace':'default'},'spec':{'podSelector':{'matchLabels':{'app':'web'}}," spec "}}"
#define SERVICE(name, spec)                                                                                            \
    "{'apiVersion':'v1','kind':'Service','metadata':{'name':'" name "','namespace':'default'},'spec':{" spec "}}"
#define SLICE(service, conditions)                                                                                     \
    "{'apiVersion':'discovery.k8s.io/v1','kind':'EndpointSlice','metadata':{'name':'" service                          \
    "-1','namespace':'default','labels':{'kubernetes.io/service-name':'" service                                       \
    "'}},'addressType':'IPv4','ports':[{'name':'http','port':8080}],'endpoints':[{'addresses':['10.244.0.9'],"         \
    "'hostname':'zero','conditions':{" conditions "}}]}"

/* The member of the table, as text with single quotes. Returns new. */
static char *part(struct kit *kit, const char *member)
{
    struct proxy_view v;
    proxy_view_load(&v, kit->kubelet);
    _auto_json_ json_t *table = json_pack("{s:o, s:o}", "services", proxy_services(&v), "policies", proxy_policies(&v));
    proxy_zone(&v, table);
    proxy_view_release(&v);
    char *text = json_dumps(json_object_get(table, member), JSON_COMPACT | JSON_SORT_KEYS);
    for (char *c = text; *c; c++)
        *c = *c == '"' ? '\'' : *c;
    return text;
}

static void expect(struct kit *kit, const char *member, const char *want)
{
    _auto_free_ char *text = part(kit, member);
    if (!strstr(text, want))
        fail_msg("no %s in %s", want, text);
}

static void expect_not(struct kit *kit, const char *member, const char *unwanted)
{
    _auto_free_ char *text = part(kit, member);
    if (strstr(text, unwanted))
        fail_msg("%s in %s", unwanted, text);
}

static void pods_behind_services(void **state)
{
    struct kit *kit = *state;
    make(&kit->w, SERVICE("web", "'clusterIP':'10.96.3.4','ports':[{'name':'http','port':80,'nodePort':30123}],"
                                 "'type':'NodePort','externalIPs':['203.0.113.9'],'sessionAffinity':'ClientIP'"));
    expect(kit, "services", "{'ip':'10.96.3.4','port':80,'protocol':'TCP','sticky':10800,'targets':[]}");
    make(&kit->w, SLICE("web", "'ready':true"));
    expect(kit, "services", "'ip':'10.96.3.4','port':80,'protocol':'TCP','sticky':10800,'targets':['10.244.0.9:8080']");
    expect(kit, "services", "'ip':'203.0.113.9','port':80");
    expect(kit, "services", "'ip':'172.30.0.1','port':30123");
    expect(kit, "services", "{'host':true,'ip':'127.0.0.1','port':30123,'protocol':'TCP','service':'default/web'");
}

static int edit_ranges(json_t *svc, void *arg, struct err *e _unused_)
{
    jset(svc, "spec.loadBalancerSourceRanges", json_incref(jat(arg, "spec.loadBalancerSourceRanges")));
    return 1;
}

static int edit_address(json_t *svc, void *arg, struct err *e _unused_)
{
    jset(svc, "status", json_incref(jat(arg, "status")));
    return 1;
}

/* Without a ready one those that still serve while they end; never those that do not. */
static void pods_that_end(void **state)
{
    struct kit *kit = *state;
    make(&kit->w, SERVICE("ends", "'clusterIP':'10.96.3.5','ports':[{'name':'http','port':80}]"));
    make(&kit->w, SLICE("ends", "'ready':false,'serving':true,'terminating':true"));
    expect(kit, "services", "'ip':'10.96.3.5','port':80,'protocol':'TCP','targets':['10.244.0.9:8080']");
    make(&kit->w, SERVICE("sick", "'clusterIP':'10.96.3.6','ports':[{'name':'http','port':80}]"));
    make(&kit->w, SLICE("sick", "'ready':false,'serving':false,'terminating':false"));
    expect(kit, "services", "'ip':'10.96.3.6','port':80,'protocol':'TCP','targets':[]");
}

/* Only pods of the caller's node, or of the node that was called. */
static void pods_of_the_node(void **state)
{
    struct kit *kit = *state;
    make(&kit->w,
         SERVICE("in", "'clusterIP':'10.96.3.7','internalTrafficPolicy':'Local','ports':[{'name':'http','port':80}]"));
    make(&kit->w, SERVICE("out", "'clusterIP':'10.96.3.8','type':'NodePort','externalTrafficPolicy':'Local',"
                                 "'ports':[{'name':'http','port':80,'nodePort':30124}]"));
    static const char slice[] = "{'apiVersion':'discovery.k8s.io/v1','kind':'EndpointSlice','metadata':{'name':'%s-1',"
                                "'namespace':'default','labels':{'kubernetes.io/service-name':'%s'}},'addressType':"
                                "'IPv4','ports':[{'name':'http','port':8080}],'endpoints':[{'addresses':['10.244.0.9'],"
                                "'nodeName':'controlplane'},{'addresses':['10.244.1.9'],'nodeName':'node01'},"
                                "{'addresses':['10.244.1.8'],'nodeName':'node01'}]}";
    make(&kit->w, slice, "in", "in");
    make(&kit->w, slice, "out", "out");
    static const char local[] =
        "'local':[[0,['10.244.0.9:8080']],[1,['10.244.1.9:8080','10.244.1.8:8080']]],'port':%d,'protocol':'TCP',"
        "'targets':['10.244.0.9:8080','10.244.1.9:8080','10.244.1.8:8080']}";
    char want[512];
    snprintf(want, sizeof want, "{'ip':'10.96.3.7',%s", "'local':[[0,");
    expect(kit, "services", want);
    snprintf(want, sizeof want, local, 80);
    expect(kit, "services", want);
    snprintf(want, sizeof want, local, 30124);
    expect(kit, "services", want);
    expect(kit, "services", "{'ip':'10.96.3.8','port':80,");
    expect(kit, "services", "{'host':true,'ip':'127.0.0.1','port':30124,");
}

/* This machine's own programs are 127.0.0.1 to a load balancer. */
static void who_may_come(void **state)
{
    static const struct {
        const char *ranges;
        bool admitted;
    } rows[] = {{"[]", true},
                {"['10.0.0.0/8']", false},
                {"['10.0.0.0/8','127.0.0.0/8']", true},
                {"['127.0.0.1/32']", true},
                {"['127.0.0.2/32']", false},
                {"['0.0.0.0/0']", true}};
    struct kit *kit = *state;
    make(&kit->w, SERVICE("lb", "'clusterIP':'10.96.3.9','type':'LoadBalancer','ports':[{'name':'http','port':80}]"));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _auto_free_ char *text =
            xasprintf("{'spec':{'loadBalancerSourceRanges':%s},'status':{'loadBalancer':{'ingress':"
                      "[{'ip':'127.1.2.3'}]}}}",
                      rows[i].ranges);
        for (char *c = text; *c; c++)
            *c = *c == '\'' ? '"' : *c;
        _auto_json_ json_t *patch = json_loads(text, 0, NULL);
        struct err e = ERR_INIT;
        assert_int_equal(reg_modify(kit->w.registry, "test", RES.services, "default", "lb", "", edit_ranges, patch, &e),
                         0);
        assert_int_equal(
            reg_modify(kit->w.registry, "test", RES.services, "default", "lb", "status", edit_address, patch, &e), 0);
        (rows[i].admitted ? expect : expect_not)(kit, "services", "'ip':'127.1.2.3'");
    }
}

static void names(void **state)
{
    struct kit *kit = *state;
    make(&kit->w, SERVICE("web", "'clusterIP':'10.96.3.4','ports':[{'name':'http','port':80}]"));
    make(&kit->w, SERVICE("db", "'clusterIP':'None','ports':[{'name':'http','port':80}]"));
    make(&kit->w, SERVICE("out", "'type':'ExternalName','externalName':'www.example.com.'"));
    expect_not(kit, "names", "zero");
    make(&kit->w, SLICE("db", "'ready':true"));
    expect(kit, "names", "'web.default.svc.cluster.local':{'A':['10.96.3.4']}");
    expect(kit, "names",
           "'_http._tcp.web.default.svc.cluster.local':{'SRV':[{'port':80,'target':"
           "'web.default.svc.cluster.local'}]}");
    expect(kit, "names", "'db.default.svc.cluster.local':{'A':['10.244.0.9']}");
    expect(kit, "names", "'zero.db.default.svc.cluster.local':{'A':['10.244.0.9']}");
    expect(kit, "names", "'out.default.svc.cluster.local':{'CNAME':'www.example.com'}");
    expect(kit, "names", "'default.svc.cluster.local':{}");
    expect(kit, "PTR", "'10.96.3.4':['web.default.svc.cluster.local']");
    expect(kit, "PTR", "'10.244.0.9':['zero.db.default.svc.cluster.local']");
}

/* web is 10.244.0.2 (183762946), friend 10.244.0.3. */
static void policies(void **state)
{
    struct kit *kit = *state;
    make(&kit->w, WORKER("web", "'app':'web'"));
    settle(&kit->w);
    make(&kit->w, WORKER("friend", "'role':'friend'"));
    settle(&kit->w);
    expect(kit, "policies", "[]");
    make(&kit->w, POLICY("closed", "'policyTypes':['Ingress']"));
    expect(kit, "policies", "[{'ingress':[],'ip':'10.244.0.2'}]");
    make(&kit->w, POLICY("friends", "'ingress':[{'from':[{'podSelector':{'matchLabels':{'role':'friend'}}}],"
                                    "'ports':[{'port':'http'}]}]"));
    expect(kit, "policies", "{'peers':[[183762947,183762947]],'ports':[{'from':80,'protocol':'TCP'}]}");
    make(&kit->w, POLICY("both", "'ingress':[{'from':[{'podSelector':{}}]}]"));
    expect(kit, "policies", "{'peers':[[183762946,183762947]]}"); /* neighbours are one range */
    make(&kit->w, POLICY("far", "'ingress':[{'from':[{'namespaceSelector':{'matchLabels':{'no':'such'}}}]}]"));
    expect(kit, "policies", "{'peers':[]}");
    make(&kit->w, POLICY("out", "'egress':[{'to':[{'ipBlock':{'cidr':'10.0.0.0/8','except':['10.96.0.0/12']}}],"
                                "'ports':[{'protocol':'UDP','port':53,'endPort':54}]},{}]"));
    expect(kit, "policies",
           "'egress':[{'peers':[[167772160,174063615],[175112192,184549375]],'ports':[{'from':53,"
           "'protocol':'UDP','to':54}]},{}]");
    make(&kit->w, POLICY("dns", "'egress':[{'to':[{'namespaceSelector':{},'podSelector':{'matchLabels':{'k8s-app':"
                                "'kube-dns'}}}]}]"));
    expect(kit, "policies", "{'peers':[[174063626,174063626]]}"); /* 10.96.0.10 */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(pods_behind_services, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(pods_that_end, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(pods_of_the_node, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(who_may_come, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(names, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(policies, kit_setup, kit_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
