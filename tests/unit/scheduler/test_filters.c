/* What keeps a pod from a node: one row a rule, with the text that tells it. Three nodes: a and b in zone 1, c in zone
 * 2; a pod "app=x" stands on a. */
#include "scheduler_kit.h"

#define REQ           "requiredDuringSchedulingIgnoredDuringExecution"
#define NODE_TERM(t)  ",'affinity':{'nodeAffinity':{'" REQ "':{'nodeSelectorTerms':[{" t "}]}}}"
#define EXPR(k, o, v) "'matchExpressions':[{'key':'" k "','operator':'" o "','values':[" v "]}]"
#define NAMES(o, v)   "'matchFields':[{'key':'metadata.name','operator':'" o "','values':[" v "]}]"
#define LIKE_X        "'labelSelector':{'matchLabels':{'app':'x'}}"
#define POD_TERM(kind, selector, key, more)                                                                            \
    ",'affinity':{'" kind "':{'" REQ "':[{" selector ",'topologyKey':'" key "'" more "}]}}"
#define SPREAD(key, more)                                                                                              \
    ",'topologySpreadConstraints':[{'maxSkew':1,'topologyKey':'" key "','whenUnsatisfiable':'DoNotSchedule'," LIKE_X   \
    "" more "}]"
#define ASK(what, n)                                                                                                   \
    "[{'name':'c','image':'i','resources':{'requests':{'" what "':'" n "'},'limits':{'" what "':'" n "'}}}]"
#define NO(text)   "0/3 nodes are available: " text
#define HOPELESS   " preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling."
#define NO_VICTIMS " preemption: 0/3 nodes are available: 3 No preemption victims found for incoming pod."
#define HOST       "kubernetes.io/hostname"
#define ZONE       "topology.kubernetes.io/zone"

static const struct {
    const char *name;
    const char *containers; /* or NULL */
    const char *spec;
    const char *nodes;   /* where it may go: letters; NULL: nowhere */
    const char *message; /* then why */
} rows[] = {
    {"nothing asked", NULL, "", "abc", NULL},
    {"selector", NULL, ",'nodeSelector':{'disk':'ssd'}", "b", NULL},
    {"selector that no node has", NULL, ",'nodeSelector':{'disk':'tape'}", NULL,
     NO("3 node(s) didn't match Pod's node affinity/selector.") HOPELESS},
    {"In", NULL, NODE_TERM(EXPR("disk", "In", "'ssd','nvme'")), "b", NULL},
    {"NotIn", NULL, NODE_TERM(EXPR("disk", "NotIn", "'ssd'")), "ac", NULL},
    {"Gt", NULL, NODE_TERM(EXPR("cores", "Gt", "'8'")), "c", NULL},
    {"Lt", NULL, NODE_TERM(EXPR("cores", "Lt", "'8'")), "a", NULL},
    {"field", NULL, NODE_TERM(NAMES("In", "'c'")), "c", NULL},
    {"field, not", NULL, NODE_TERM(NAMES("NotIn", "'c'")), "ab", NULL},
    {"a name that is no node's", NULL, NODE_TERM(NAMES("In", "'z'")), NULL,
     NO("3 node(s) didn't satisfy plugin(s) [NodeAffinity].") HOPELESS},
    {"a named node without room", ASK("cpu", "9"), NODE_TERM(NAMES("In", "'c'")), NULL,
     NO("1 Insufficient cpu, 2 node(s) didn't satisfy plugin(s) [NodeAffinity]. preemption: 0/3 nodes are available: 1 "
        "No preemption victims found for incoming pod, 2 Preemption is not helpful for scheduling.")},
    {"memory", ASK("memory", "9Gi"), "", NULL, NO("3 Insufficient memory.") NO_VICTIMS},
    {"more memory together than can be counted",
     "[{'name':'c','image':'i','resources':{'requests':{'memory':'5E'}}},"
     "{'name':'d','image':'i','resources':{'requests':{'memory':'5E'}}}]",
     "", NULL, NO("3 Insufficient memory.") NO_VICTIMS},
    {"ephemeral storage", ASK("ephemeral-storage", "60Gi"), "", NULL,
     NO("3 Insufficient ephemeral-storage.") NO_VICTIMS},
    {"extended", ASK("x.io/gpu", "3"), "", NULL, NO("3 Insufficient x.io/gpu.") NO_VICTIMS},
    {"extended that none has", ASK("y.io/fpga", "1"), "", NULL, NO("3 Insufficient y.io/fpga.") NO_VICTIMS},
    {"two at once", ASK("cpu", "5"), ",'nodeSelector':{'" HOST "':'b'}", NULL,
     NO("1 Insufficient cpu, 2 node(s) didn't match Pod's node affinity/selector. preemption: 0/3 nodes are available: "
        "1 No preemption victims found for incoming pod, 2 Preemption is not helpful for scheduling.")},
    {"company on the host", NULL, POD_TERM("podAffinity", LIKE_X, HOST, ""), "a", NULL},
    {"company in the zone", NULL, POD_TERM("podAffinity", LIKE_X, ZONE, ""), "ab", NULL},
    {"company in another namespace", NULL, POD_TERM("podAffinity", LIKE_X, HOST, ",'namespaces':['kube-system']"), NULL,
     NO("3 node(s) didn't match pod affinity rules.") HOPELESS},
    {"company in any namespace", NULL, POD_TERM("podAffinity", LIKE_X, HOST, ",'namespaceSelector':{}"), "a", NULL},
    {"company in a labelled namespace", NULL,
     POD_TERM("podAffinity", LIKE_X, HOST,
              ",'namespaceSelector':{'matchLabels':{'kubernetes.io/metadata.name':'default'}}"),
     "a", NULL},
    {"company that nobody is", NULL, POD_TERM("podAffinity", "'labelSelector':{'matchLabels':{'app':'z'}}", HOST, ""),
     NULL, NO("3 node(s) didn't match pod affinity rules.") HOPELESS},
    {"the first of its own company", NULL,
     POD_TERM("podAffinity", "'labelSelector':{'matchLabels':{'app':'me'}}", ZONE, ""), "abc", NULL},
    {"apart on the host", NULL, POD_TERM("podAntiAffinity", LIKE_X, HOST, ""), "bc", NULL},
    {"apart in the zone", NULL, POD_TERM("podAntiAffinity", LIKE_X, ZONE, ""), "c", NULL},
    {"apart in the zone, held to one", NULL,
     POD_TERM("podAntiAffinity", LIKE_X, ZONE, "") ",'nodeSelector':{'" ZONE "':'z1'}", NULL,
     NO("1 node(s) didn't match Pod's node affinity/selector, 2 node(s) didn't match pod anti-affinity rules. "
        "preemption: 0/3 nodes are available: 1 Preemption is not helpful for scheduling, 2 No preemption victims "
        "found "
        "for incoming pod.")},
    {"even over hosts", NULL, SPREAD(HOST, ""), "abc", NULL},
    {"a missing label", NULL, SPREAD("rack", ""), NULL,
     NO("3 node(s) didn't match pod topology spread constraints (missing required label).") HOPELESS},
    {"fewer domains than wanted", NULL, SPREAD(ZONE, ",'minDomains':3") ",'nodeSelector':{'" ZONE "':'z1'}", "ab",
     NULL},
};

static void cluster(struct loop_world *w)
{
    kit_node(w, "a", ",'" ZONE "':'z1','cores':'4'", "");
    kit_node(w, "b", ",'" ZONE "':'z1','disk':'ssd','cores':'8'", "");
    kit_node(w, "c", ",'" ZONE "':'z2','cores':'16'", "");
    kit_pod(w, "there", "'app':'x'", ",'nodeName':'a'");
}

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        void *world;
        kit_setup(&world);
        struct loop_world *w = world;
        cluster(w);
        make(
            w,
            "{'apiVersion':'v1','kind':'Pod','metadata':{'name':'p','namespace':'default','labels':{'app':'me'}},'spec'"
            ":{'containers':%s%s}}",
            rows[i].containers ? rows[i].containers : "[{'name':'c','image':'i'}]", rows[i].spec);
        settle(w);
        const char *node = kit_node_of(w, "p");
        if (rows[i].nodes && (!*node || !strstr(rows[i].nodes, node)))
            fail_msg("%s: on \"%s\" instead of one of %s: %s", rows[i].name, node, rows[i].nodes, kit_message(w, "p"));
        if (!rows[i].nodes && !str_eq(kit_message(w, "p"), rows[i].message))
            fail_msg("%s: on \"%s\"\n  %s\nbut\n  %s", rows[i].name, node, rows[i].message, kit_message(w, "p"));
        kit_teardown(&world);
    }
}

/* Taints by effect, key and value, against tolerations. */
static void test_taints(void **state)
{
    static const struct {
        const char *taint, *tolerations;
        bool fits;
    } table[] = {
        {"'key':'k','value':'v','effect':'NoSchedule'", "", false},
        {"'key':'k','value':'v','effect':'NoExecute'", "", false},
        {"'key':'k','value':'v','effect':'PreferNoSchedule'", "", true},
        {"'key':'k','value':'v','effect':'NoSchedule'", "{'key':'k','operator':'Equal','value':'v'}", true},
        {"'key':'k','value':'v','effect':'NoSchedule'", "{'key':'k','operator':'Equal','value':'w'}", false},
        {"'key':'k','value':'v','effect':'NoSchedule'", "{'key':'k','operator':'Exists'}", true},
        {"'key':'k','value':'v','effect':'NoSchedule'", "{'operator':'Exists'}", true},
        {"'key':'k','value':'v','effect':'NoSchedule'", "{'key':'k','operator':'Exists','effect':'NoExecute'}", false},
        {"'key':'k','effect':'NoSchedule'", "{'key':'k','operator':'Equal','effect':'NoSchedule'}", true},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        void *world;
        char spec[512];
        kit_setup(&world);
        snprintf(spec, sizeof spec, "'taints':[{%s}]", table[i].taint);
        kit_node(world, "a", "", spec);
        snprintf(spec, sizeof spec, ",'tolerations':[%s]", table[i].tolerations);
        kit_pod(world, "p", "", spec);
        settle(world);
        if (*kit_node_of(world, "p") ? !table[i].fits : table[i].fits)
            fail_msg("{%s} and {%s}: %s", table[i].taint, table[i].tolerations, kit_message(world, "p"));
        kit_teardown(&world);
    }
}

/* Replicas with a hard constraint fill zones evenly, and wait when that ends. */
static void test_even_over_zones(void **state)
{
    struct loop_world *w = *state;
    cluster(w);
    for (int i = 0; i < 4; i++) {
        char name[8];
        snprintf(name, sizeof name, "p%d", i);
        kit_pod(w, name, "'app':'x'", SPREAD(ZONE, ""));
        settle(w);
    }
    size_t far = 0;
    for (int i = 0; i < 4; i++) {
        char name[8];
        snprintf(name, sizeof name, "p%d", i);
        far += str_eq(kit_node_of(w, name), "c");
    }
    assert_int_equal(far, 2); /* two and three, with the one that was there */
    change(w, RES.nodes, "c", "", "spec.unschedulable", "true");
    kit_pod(w, "q", "'app':'x'", SPREAD(ZONE, ""));
    kit_pod(w, "r", "'app':'x'", SPREAD(ZONE, ""));
    settle(w);
    assert_string_equal(kit_message(w, "q"),
                        "0/3 nodes are available: 1 node(s) were unschedulable, 2 node(s) didn't match pod topology "
                        "spread constraints. preemption: 0/3 nodes are available: 1 Preemption is not helpful for "
                        "scheduling, 2 No preemption victims found for incoming pod.");
}

/* Who is there already is asked, too. */
static void test_symmetry(void **state)
{
    struct loop_world *w = *state;
    kit_node(w, "a", "", "");
    kit_pod(w, "loner", "", POD_TERM("podAntiAffinity", "'labelSelector':{'matchLabels':{'app':'me'}}", HOST, ""));
    settle(w);
    assert_string_equal(kit_node_of(w, "loner"), "a");
    kit_pod(w, "p", "'app':'me'", "");
    kit_pod(w, "q", "'app':'you'", "");
    settle(w);
    assert_string_equal(kit_node_of(w, "q"), "a");
    assert_string_equal(kit_message(w, "p"),
                        "0/1 nodes are available: 1 node(s) didn't satisfy existing pods anti-affinity rules. "
                        "preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod.");
}

static void test_pods_of_a_node(void **state)
{
    struct loop_world *w = *state;
    kit_node(w, "a", "", "");
    for (int i = 0; i < 11; i++) {
        char name[8];
        snprintf(name, sizeof name, "p%d", i);
        kit_pod(w, name, "", "");
        settle(w);
    }
    assert_string_equal(kit_node_of(w, "p9"), "a");
    assert_string_equal(
        kit_message(w, "p10"),
        "0/1 nodes are available: 1 Too many pods. preemption: 0/1 nodes are available: 1 No preemption "
        "victims found for incoming pod.");
    end_pod(w, "p3");
    pass_seconds(w, 2);
    assert_string_equal(kit_node_of(w, "p10"), "a");
}

int main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, kit_setup, kit_teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows), cmocka_unit_test(test_taints), T(test_even_over_zones), T(test_symmetry),
        T(test_pods_of_a_node),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
