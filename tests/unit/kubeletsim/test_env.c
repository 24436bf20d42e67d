/* What a container's process is given: environment, command line, user, mounts; read where the machine gets it. */
#include "unit/kubeletsim/kubelet_kit.h"

static struct {
    struct strlist env, argv, mounts;
    char sub[256]; /* root // path of the last subPath */
    uint32_t uid, gid;
    size_t groups;
    uint64_t add_caps, drop_caps;
    int64_t memory, cpu;
    bool stdin_once, read_only_root;
} seen;
static const struct machine_ops *inner;

static int start_and_note(struct machine *m, const struct container_spec *s, pid_t *out_pid, struct err *e)
{
    strlist_release(&seen.env);
    strlist_release(&seen.argv);
    strlist_release(&seen.mounts);
    for (const char *const *v = s->env; *v; v++)
        strlist_add(&seen.env, *v);
    for (const char *const *v = s->argv; *v; v++)
        strlist_add(&seen.argv, *v);
    for (size_t i = 0; i < s->mount_count; i++)
        strlist_addf(&seen.mounts, "%s%s", s->mounts[i].target, s->mounts[i].read_only ? ":ro" : "");
    seen.uid = s->uid;
    seen.gid = s->gid;
    seen.groups = s->group_count;
    seen.add_caps = s->add_caps;
    seen.drop_caps = s->drop_caps;
    seen.memory = s->memory_bytes;
    seen.cpu = s->cpu_milli;
    seen.stdin_once = s->stdin_once;
    seen.read_only_root = s->read_only_root;
    return inner->container_start(m, s, out_pid, e);
}

static int beneath_and_note(struct machine *m, const char *node, const char *root, const char *path, const char *target,
                            struct err *e)
{
    const char *volume = strrchr(root, '/');
    snprintf(seen.sub, sizeof seen.sub, "%s//%s", volume + 1, path);
    return inner->bind_beneath(m, node, root, path, target, e);
}

static int setup(void **state)
{
    kit_setup(state);
    struct kit *kit = *state;
    inner = kit->fake_ops;
    kit->ops.container_start = start_and_note;
    kit->ops.bind_beneath = beneath_and_note;
    return 0;
}

static int teardown(void **state)
{
    strlist_release(&seen.env);
    strlist_release(&seen.argv);
    strlist_release(&seen.mounts);
    memset(&seen, 0, sizeof seen);
    return kit_teardown(state);
}

static const char *env(const char *name)
{
    size_t n = strlen(name);
    for (size_t i = 0; i < seen.env.len; i++)
        if (strncmp(seen.env.items[i], name, n) == 0 && seen.env.items[i][n] == '=')
            return seen.env.items[i] + n + 1;
    return "(unset)";
}

/* -- expansion -- */

static void test_expansion(void **state)
{
    struct kit *kit = *state;
    make(&kit->w, POD_ON_NODE("p",
                              ",'command':['echo','$(A)','$$(A)','$(NONE)','$(','$A','$(PATH)'],'args':['$(B)-x'],"
                              "'env':[{'name':'A','value':'1'},{'name':'B','value':'<$(A)$(LATER)>'},"
                              "{'name':'LATER','value':'2'},{'name':'ESC','value':'$$(A)'},"
                              "{'name':'A2','value':'$(KUBERNETES_SERVICE_PORT)'}]",
                              ""));
    settle(&kit->w);
    static const char *const want[] = {"echo", "1", "$(A)", "$(NONE)", "$(", "$A", "$(PATH)", "<1$(LATER)>-x"};
    assert_int_equal(seen.argv.len, ARRAY_LEN(want));
    for (size_t i = 0; i < ARRAY_LEN(want); i++)
        assert_string_equal(seen.argv.items[i], want[i]);
    assert_string_equal(env("B"), "<1$(LATER)>");
    assert_string_equal(env("ESC"), "$(A)");
    assert_string_equal(env("A2"), "443");
    assert_string_equal(env("HOSTNAME"), "p");
    assert_int_equal(strncmp(env("PATH"), "/usr/local/sbin:", 16), 0);
}

/* -- services -- */

static void test_services(void **state)
{
    struct kit *kit = *state;
    make(&kit->w,
         "{'apiVersion':'v1','kind':'Service','metadata':{'name':'my-db','namespace':'default'},'spec':{"
         "'clusterIP':'10.96.1.2','ports':[{'name':'sql-1','port':5432},{'name':'u','port':53,'protocol':'UDP'}]}}");
    make(&kit->w, "{'apiVersion':'v1','kind':'Service','metadata':{'name':'headless','namespace':'default'},'spec':{"
                  "'clusterIP':'None','ports':[{'port':1}]}}");
    make(&kit->w, POD_ON_NODE("p", "", ""));
    settle(&kit->w);
    static const char *const rows[][2] = {
        {"MY_DB_SERVICE_HOST", "10.96.1.2"},       {"MY_DB_SERVICE_PORT", "5432"},
        {"MY_DB_SERVICE_PORT_SQL_1", "5432"},      {"MY_DB_SERVICE_PORT_U", "53"},
        {"MY_DB_PORT", "tcp://10.96.1.2:5432"},    {"MY_DB_PORT_5432_TCP", "tcp://10.96.1.2:5432"},
        {"MY_DB_PORT_5432_TCP_PROTO", "tcp"},      {"MY_DB_PORT_5432_TCP_PORT", "5432"},
        {"MY_DB_PORT_5432_TCP_ADDR", "10.96.1.2"}, {"MY_DB_PORT_53_UDP", "udp://10.96.1.2:53"},
        {"HEADLESS_SERVICE_HOST", "(unset)"},      {"KUBERNETES_SERVICE_HOST", "10.96.0.1"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_string_equal(env(rows[i][0]), rows[i][1]);
    make(&kit->w, POD_ON_NODE("q", "", ",'enableServiceLinks':false"));
    settle(&kit->w);
    assert_string_equal(env("MY_DB_SERVICE_HOST"), "(unset)");
    assert_string_equal(env("KUBERNETES_SERVICE_HOST"), "10.96.0.1");
}

/* -- where values come from -- */

static void test_sources(void **state)
{
    struct kit *kit = *state;
    make(&kit->w, "{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'m','namespace':'default'},"
                  "'data':{'A':'map','B':'$(A)','log.level':'debug'}}");
    make(&kit->w, "{'apiVersion':'v1','kind':'Secret','metadata':{'name':'s','namespace':'default'},"
                  "'data':{'A':'c2VjcmV0','P':'cHc='}}");
    make(&kit->w, POD_ON_NODE("p",
                              ",'envFrom':[{'configMapRef':{'name':'m'}},{'prefix':'X_','secretRef':{'name':'s'}},"
                              "{'configMapRef':{'name':'none','optional':true}},{'secretRef':{'name':'s'}}],"
                              "'env':[{'name':'B','value':'own'},{'name':'P2','valueFrom':{'secretKeyRef':{'name':'s',"
                              "'key':'P'}}},{'name':'O','valueFrom':{'configMapKeyRef':{'name':'m','key':'zz',"
                              "'optional':true}}}]",
                              ""));
    settle(&kit->w);
    assert_string_equal(env("A"), "secret"); /* the later source wins */
    assert_string_equal(env("B"), "own");    /* env wins over envFrom */
    assert_string_equal(env("X_P"), "pw");
    assert_string_equal(env("P2"), "pw");
    assert_string_equal(env("O"), "(unset)");
    assert_string_equal(env("log.level"), "debug");
}

static void test_downward(void **state)
{
    struct kit *kit = *state;
    static const char *const rows[][3] = {
        /* name, valueFrom, want */
        {"A0", "'fieldRef':{'fieldPath':'metadata.name'}", "p"},
        {"A1", "'fieldRef':{'fieldPath':'metadata.namespace'}", "default"},
        {"A2", "'fieldRef':{'fieldPath':\\\"metadata.labels['app.io/x']\\\"}", "v"},
        {"A3", "'fieldRef':{'fieldPath':\\\"metadata.labels['none']\\\"}", ""},
        {"A4", "'fieldRef':{'fieldPath':'spec.nodeName'}", "controlplane"},
        {"A5", "'fieldRef':{'fieldPath':'spec.serviceAccountName'}", "default"},
        {"A6", "'fieldRef':{'fieldPath':'status.podIP'}", "10.244.0.2"},
        {"A7", "'fieldRef':{'fieldPath':'status.hostIP'}", "172.30.0.10"},
        {"B0", "'resourceFieldRef':{'resource':'requests.cpu'}", "1"},
        {"B1", "'resourceFieldRef':{'resource':'requests.cpu','divisor':'1m'}", "250"},
        {"B2", "'resourceFieldRef':{'resource':'limits.memory'}", "67108864"},
        {"B3", "'resourceFieldRef':{'resource':'limits.memory','divisor':'1Mi'}", "64"},
        {"B4", "'resourceFieldRef':{'resource':'limits.memory','divisor':'1Gi'}", "1"},
        {"B5", "'resourceFieldRef':{'resource':'limits.ephemeral-storage','divisor':'1Gi'}", "18"},
        {"B6", "'resourceFieldRef':{'containerName':'c','resource':'requests.ephemeral-storage'}", "0"},
    };
    _auto_buf_ struct buf list = BUF_INIT;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _auto_buf_ struct buf from = BUF_INIT;
        for (const char *c = rows[i][1]; *c; c++) /* labels['x'] keeps its quotes */
            buf_addc(&from, *c);
        buf_addf(&list, "%s{'name':'%s','valueFrom':{%s}}", i ? "," : "", rows[i][0], buf_str(&from));
    }
    /* make() turns ' into ": the quotes inside of field paths are put back as \u0027. */
    _auto_buf_ struct buf clean = BUF_INIT;
    for (const char *c = buf_str(&list); *c; c++) {
        static bool inside;
        if (c[0] == '\\' && c[1] == '"') {
            buf_addc(&clean, '\'');
            inside = !inside;
            c++;
        } else if (*c == '\'' && inside) {
            buf_adds(&clean, "\\u0027");
        } else {
            buf_addc(&clean, *c);
        }
    }
    make(&kit->w,
         "{'apiVersion':'v1','kind':'Pod','metadata':{'name':'p','namespace':'default','labels':{'app.io/x':'v'}},"
         "'spec':{'nodeName':'" FIRST_NODE "','containers':[{'name':'c','image':'busybox','env':[%s],'resources':"
         "{'requests':{'cpu':'250m'},'limits':{'memory':'64Mi'}}}]}}",
         buf_str(&clean));
    settle(&kit->w);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_string_equal(env(rows[i][0]), rows[i][2]);
    assert_int_equal(seen.memory, 64 << 20);
}

/* -- identity -- */

static void test_identity(void **state)
{
    struct kit *kit = *state;
    make(&kit->w,
         POD_ON_NODE("p",
                     ",'stdin':true,'stdinOnce':true,'securityContext':{'runAsUser':0,'readOnlyRootFilesystem':"
                     "true,'capabilities':{'add':['NET_ADMIN'],'drop':['ALL']}},'resources':{'limits':{'cpu':"
                     "'1500m'}}",
                     ",'securityContext':{'runAsUser':1000,'runAsGroup':3000,'fsGroup':2000,"
                     "'supplementalGroups':[5,6]}"));
    settle(&kit->w);
    assert_int_equal(seen.uid, 0); /* the container's own wins */
    assert_int_equal(seen.gid, 3000);
    assert_int_equal(seen.groups, 4); /* with its own */
    assert_int_equal(seen.add_caps, UINT64_C(1) << 12);
    assert_true(seen.drop_caps >> 40 == 1);
    assert_int_equal(seen.cpu, 1500);
    assert_true(seen.stdin_once && seen.read_only_root);

    static const struct {
        const char *pod, *message;
    } rows[] = {
        {POD_ON_NODE("r0", "", ",'securityContext':{'runAsNonRoot':true}"),
         "container has runAsNonRoot and image will run as root (pod: \"r0_default(%s)\", container: c)"},
        {POD_ON_NODE("r1", "", ",'securityContext':{'runAsNonRoot':true,'runAsUser':0}"),
         "container's runAsUser breaks non-root policy (pod: \"r1_default(%s)\", container: c)"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char name[4], want[256];
        snprintf(name, sizeof name, "r%zu", i);
        make(&kit->w, "%s", rows[i].pod);
        settle(&kit->w);
        _auto_free_ char *uid = xstrdup(uid_of(kit, name));
        const char *hole = strstr(rows[i].message, "%s");
        snprintf(want, sizeof want, "%.*s%s%s", (int)(hole - rows[i].message), rows[i].message, uid, hole + 2);
        assert_string_equal(cs(kit, name, "c", "state.waiting.reason"), "CreateContainerConfigError");
        assert_string_equal(cs(kit, name, "c", "state.waiting.message"), want);
    }
}

/* -- mounts and subPaths -- */

static void test_mounts(void **state)
{
    struct kit *kit = *state;
    make(&kit->w, POD_ON_NODE("p",
                              ",'env':[{'name':'N','value':'x/y'}],'volumeMounts':[{'name':'v','mountPath':'/v',"
                              "'readOnly':true},{'name':'v','mountPath':'/s','subPathExpr':'a/$(N)'}]",
                              ",'volumes':[{'name':'v','emptyDir':{}}]"));
    settle(&kit->w);
    assert_string_equal(seen.sub, "v//a/x/y");
    static const char *const want[] = {"/v:ro",
                                       "/s",
                                       "/var/run/secrets/kubernetes.io/serviceaccount:ro",
                                       "/etc/hosts",
                                       "/etc/hostname",
                                       "/etc/resolv.conf",
                                       "/dev/termination-log"};
    assert_int_equal(seen.mounts.len, ARRAY_LEN(want));
    for (size_t i = 0; i < ARRAY_LEN(want); i++)
        assert_string_equal(seen.mounts.items[i], want[i]);

    static const char *const rows[][3] = {
        /* value of N, subPathExpr, message */
        {"", "a/$(N)", "missing value for N"},
        {"x", "$(M)", "missing value for M"},
        {"/x", "$(N)", "error SubPath `/x` must not be an absolute path"},
        {"../b", "a/$(N)", "unable to provision SubPath `a/../b`: must not contain '..'"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char name[4];
        snprintf(name, sizeof name, "q%zu", i);
        make(&kit->w,
             "{'apiVersion':'v1','kind':'Pod','metadata':{'name':'%s','namespace':'default'},'spec':{'nodeName':"
             "'" FIRST_NODE "','containers':[{'name':'c','image':'busybox','env':[{'name':'N','value':'%s'}],"
             "'volumeMounts':[{'name':'v','mountPath':'/"
             "s','subPathExpr':'%s'}]}],'volumes':[{'name':'v','emptyDir':{}}]}}",
             name, rows[i][0], rows[i][1]);
        settle(&kit->w);
        assert_string_equal(cs(kit, name, "c", "state.waiting.reason"), "CreateContainerConfigError");
        assert_string_equal(cs(kit, name, "c", "state.waiting.message"), rows[i][2]);
    }
}

static void test_pod_files(void **state)
{
    struct kit *kit = *state;
    make(&kit->w,
         POD_ON_NODE("p", "",
                     ",'hostname':'h','subdomain':'sub','hostAliases':[{'ip':'1.2.3.4','hostnames':['a','b']}],"
                     "'dnsConfig':{'nameservers':['9.9.9.9'],'searches':['x.y'],'options':[{'name':'ndots',"
                     "'value':'2'},{'name':'edns0'}]}"));
    settle(&kit->w);
    const char *uid = uid_of(kit, "p");
    assert_string_equal(node_file(kit, "/var/lib/kubelet/pods/%s/etc-hosts", uid),
                        "# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n"
                        "::1\tlocalhost ip6-localhost ip6-loopback\nfe00::0\tip6-localnet\nfe00::0\tip6-mcastprefix\n"
                        "fe00::1\tip6-allnodes\nfe00::2\tip6-allrouters\n"
                        "10.244.0.2\th.sub.default.svc.cluster.local\th\n\n# Entries added by HostAliases.\n"
                        "1.2.3.4\ta\tb\n");
    assert_string_equal(node_file(kit, "/var/lib/kubelet/pods/%s/resolv.conf", uid),
                        "search default.svc.cluster.local svc.cluster.local cluster.local x.y\n"
                        "nameserver 10.96.0.10\nnameserver 9.9.9.9\noptions ndots:5 ndots:2 edns0\n");
    assert_string_equal(node_file(kit, "/var/lib/kubelet/pods/%s/hostname", uid), "h\n");
    make(&kit->w, POD_ON_NODE("n", "", ",'hostNetwork':true"));
    settle(&kit->w);
    assert_string_equal(text_at(&kit->w, PODS, "n", "status.podIP"), "172.30.0.10");
    assert_string_equal(env("HOSTNAME"), FIRST_NODE);
    assert_string_equal(node_file(kit, "/var/lib/kubelet/pods/%s/etc-hosts", uid_of(kit, "n")),
                        "# Kubernetes-managed hosts file (host network).\n");
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_expansion), TEST(test_services), TEST(test_sources),   TEST(test_downward),
        TEST(test_identity),  TEST(test_mounts),   TEST(test_pod_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
