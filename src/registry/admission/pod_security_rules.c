/* pod_security_rules.c - the checks of the Pod Security Standards, one row each, in the order of their names, which is
 * the order of the real message.
 *
 * DESIGN: a check looks at a pod's spec and writes its detail, or nothing; its row says at which levels it counts. A
 * stricter check of the same thing replaces the milder one at its level. Texts say who is wrong: the pod, or its
 * containers by name, init containers first.
 * THREADS: pure functions. Source: k8s.io/pod-security-admission/policy. */
#include "registry/admission/pod_security_int.h"

#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <string.h>

/* -- words -- */

static const char *plural(const char *one, const char *many, size_t n)
{
    return n == 1 ? one : many;
}

static void add_quoted_list(struct buf *out, const struct strlist *words)
{
    for (size_t i = 0; i < words->len; i++)
        buf_addf(out, "%s\"%s\"", i > 0 ? ", " : "", words->items[i]);
}

/* In order, each once. */
static void add_to_set(struct strlist *set, const char *word)
{
    size_t at = 0;
    while (at < set->len && strcmp(set->items[at], word) < 0)
        at++;
    if (at < set->len && strcmp(set->items[at], word) == 0)
        return;
    strlist_add(set, word);
    for (size_t i = set->len - 1; i > at; i--) {
        char *moved = set->items[i];
        set->items[i] = set->items[i - 1];
        set->items[i - 1] = moved;
    }
}

/* Who is wrong, and with what. */
struct blame {
    bool pod;
    struct strlist containers, values;
};
static void blame_release(struct blame *b)
{
    strlist_release(&b->containers);
    strlist_release(&b->values);
}
#define _auto_blame_ __attribute__((cleanup(blame_release)))

/* `container "a"`, `containers "a", "b"` */
static void add_containers(struct buf *out, const struct blame *b)
{
    buf_addf(out, "%s ", plural("container", "containers", b->containers.len));
    add_quoted_list(out, &b->containers);
}

/* "pod", `container "a"`, or both. */
static void add_setters(struct buf *out, const struct blame *b)
{
    if (b->pod)
        buf_adds(out, b->containers.len ? "pod and " : "pod");
    if (b->containers.len)
        add_containers(out, b);
}

static bool is_blamed(const struct blame *b)
{
    return b->pod || b->containers.len > 0;
}

/* -- containers -- */

/* The n-th container of a pod, init containers first; NULL after the last. */
static const json_t *container_at(const json_t *spec, size_t n)
{
    static const char *const lists[] = {"initContainers", "containers", "ephemeralContainers"};
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        const json_t *list = json_object_get(spec, lists[i]);
        if (n < json_array_size(list))
            return json_array_get(list, n);
        n -= json_array_size(list);
    }
    return NULL;
}
#define FOR_CONTAINERS(spec, c) for (size_t n_ = 0; ((c) = container_at(spec, n_)); n_++)

static void blame_container(struct blame *b, const json_t *container)
{
    const char *name = jstr_or(container, "name", "");
    if (b->containers.len == 0 || strcmp(b->containers.items[b->containers.len - 1], name) != 0)
        strlist_add(&b->containers, name);
}

static bool listed(const char *word, const char *const *list)
{
    for (; *list; list++)
        if (strcmp(*list, word) == 0)
            return true;
    return false;
}

/* Whoever sets the text at `path` of a securityContext to something that is not in `allowed`. */
static void blame_texts(const json_t *spec, const char *path, const char *const *allowed, struct blame *b)
{
    const json_t *c;
    const char *value = jstr(json_object_get(spec, "securityContext"), path);
    if (value && !listed(value, allowed)) {
        b->pod = true;
        add_to_set(&b->values, value);
    }
    FOR_CONTAINERS(spec, c)
    {
        value = jstr(json_object_get(c, "securityContext"), path);
        if (!value || listed(value, allowed))
            continue;
        blame_container(b, c);
        add_to_set(&b->values, value);
    }
}

/* -- the checks: each adds its detail to `out`, or nothing -- */

static void privilege_escalation(const json_t *spec, struct buf *out)
{
    _auto_blame_ struct blame b = {0};
    const json_t *c;
    FOR_CONTAINERS(spec, c)
    {
        if (!json_is_false(jat(c, "securityContext.allowPrivilegeEscalation")))
            blame_container(&b, c);
    }
    if (!is_blamed(&b))
        return;
    add_containers(out, &b);
    buf_adds(out, " must set securityContext.allowPrivilegeEscalation=false");
}

static void app_armor(const json_t *spec, struct buf *out)
{
    static const char *const allowed[] = {"RuntimeDefault", "Localhost", NULL};
    _auto_blame_ struct blame b = {0};
    blame_texts(spec, "appArmorProfile.type", allowed, &b);
    if (!is_blamed(&b))
        return;
    add_setters(out, &b);
    buf_adds(out, " must not set AppArmor profile type to ");
    add_quoted_list(out, &b.values);
}

static void added_capabilities(const json_t *spec, const char *const *allowed, struct buf *out)
{
    _auto_blame_ struct blame b = {0};
    const json_t *c;
    FOR_CONTAINERS(spec, c)
    {
        const json_t *add = jat(c, "securityContext.capabilities.add");
        for (size_t i = 0; i < json_array_size(add); i++) {
            const char *name = json_string_value(json_array_get(add, i));
            if (!name || listed(name, allowed))
                continue;
            blame_container(&b, c);
            add_to_set(&b.values, name);
        }
    }
    if (!is_blamed(&b))
        return;
    buf_adds(out, out->len ? "; " : "");
    add_containers(out, &b);
    buf_adds(out, " must not include ");
    add_quoted_list(out, &b.values);
    buf_adds(out, " in securityContext.capabilities.add");
}

static void baseline_capabilities(const json_t *spec, struct buf *out)
{
    static const char *const allowed[] = {"AUDIT_WRITE", "CHOWN",  "DAC_OVERRIDE",     "FOWNER",  "FSETID",
                                          "KILL",        "MKNOD",  "NET_BIND_SERVICE", "SETFCAP", "SETGID",
                                          "SETPCAP",     "SETUID", "SYS_CHROOT",       NULL};
    added_capabilities(spec, allowed, out);
}

static void restricted_capabilities(const json_t *spec, struct buf *out)
{
    static const char *const allowed[] = {"NET_BIND_SERVICE", NULL};
    _auto_blame_ struct blame b = {0};
    const json_t *c;
    FOR_CONTAINERS(spec, c)
    {
        if (!jarr_has(c, "securityContext.capabilities.drop", "ALL"))
            blame_container(&b, c);
    }
    if (is_blamed(&b)) {
        add_containers(out, &b);
        buf_adds(out, " must set securityContext.capabilities.drop=[\"ALL\"]");
    }
    added_capabilities(spec, allowed, out);
}

static void host_namespaces(const json_t *spec, struct buf *out)
{
    static const char *const members[] = {"hostNetwork", "hostPID", "hostIPC"};
    for (size_t i = 0; i < ARRAY_LEN(members); i++)
        if (jbool(spec, members[i], false))
            buf_addf(out, "%s%s=true", out->len ? ", " : "", members[i]);
}

/* The type of a volume: its only member besides the name. */
static const char *volume_type(const json_t *volume)
{
    const char *key;
    json_t *v;
    json_object_foreach((json_t *)(uintptr_t)volume, key, v)
    {
        if (strcmp(key, "name") != 0 && !json_is_null(v))
            return key;
    }
    return "";
}

static void host_paths(const json_t *spec, struct buf *out)
{
    _auto_strlist_ struct strlist names = {0};
    const json_t *volumes = json_object_get(spec, "volumes");
    for (size_t i = 0; i < json_array_size(volumes); i++)
        if (str_eq(volume_type(json_array_get(volumes, i)), "hostPath"))
            strlist_add(&names, jstr_or(json_array_get(volumes, i), "name", ""));
    if (!names.len)
        return;
    buf_addf(out, "%s ", plural("volume", "volumes", names.len));
    add_quoted_list(out, &names);
}

static void restricted_volumes(const json_t *spec, struct buf *out)
{
    static const char *const allowed[] = {
        "configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "image", "persistentVolumeClaim", "projected",
        "secret",    "",    NULL};
    _auto_strlist_ struct strlist names = {0};
    _auto_strlist_ struct strlist types = {0};
    const json_t *volumes = json_object_get(spec, "volumes");
    for (size_t i = 0; i < json_array_size(volumes); i++) {
        const char *type = volume_type(json_array_get(volumes, i));
        if (listed(type, allowed))
            continue;
        strlist_add(&names, jstr_or(json_array_get(volumes, i), "name", ""));
        add_to_set(&types, type);
    }
    if (!names.len)
        return;
    buf_addf(out, "%s ", plural("volume", "volumes", names.len));
    add_quoted_list(out, &names);
    buf_addf(out, " %s %s ", plural("uses", "use", names.len),
             plural("restricted volume type", "restricted volume types", types.len));
    add_quoted_list(out, &types);
}

static void host_ports(const json_t *spec, struct buf *out)
{
    _auto_blame_ struct blame b = {0};
    const json_t *c;
    FOR_CONTAINERS(spec, c)
    {
        const json_t *ports = json_object_get(c, "ports");
        for (size_t i = 0; i < json_array_size(ports); i++) {
            int64_t port = jint(json_array_get(ports, i), "hostPort", 0);
            _auto_free_ char *text = xasprintf("%lld", (long long)port);
            if (port == 0)
                continue;
            blame_container(&b, c);
            add_to_set(&b.values, text);
        }
    }
    if (!is_blamed(&b))
        return;
    _auto_free_ char *ports = strlist_join(&b.values, ", ");
    add_containers(out, &b);
    buf_addf(out, " %s %s %s", plural("uses", "use", b.containers.len), plural("hostPort", "hostPorts", b.values.len),
             ports);
}

static void privileged(const json_t *spec, struct buf *out)
{
    _auto_blame_ struct blame b = {0};
    const json_t *c;
    FOR_CONTAINERS(spec, c)
    {
        if (jbool(c, "securityContext.privileged", false))
            blame_container(&b, c);
    }
    if (!is_blamed(&b))
        return;
    add_containers(out, &b);
    buf_adds(out, " must not set securityContext.privileged=true");
}

static void proc_mount(const json_t *spec, struct buf *out)
{
    static const char *const allowed[] = {"Default", NULL};
    _auto_blame_ struct blame b = {0};
    blame_texts(spec, "procMount", allowed, &b);
    if (!is_blamed(&b))
        return;
    add_containers(out, &b);
    buf_adds(out, " must not set securityContext.procMount to ");
    add_quoted_list(out, &b.values);
}

static void run_as_non_root(const json_t *spec, struct buf *out)
{
    _auto_blame_ struct blame wrong = {0};
    _auto_blame_ struct blame silent = {0};
    const json_t *c, *of_pod = jat(spec, "securityContext.runAsNonRoot");
    wrong.pod = json_is_false(of_pod);
    FOR_CONTAINERS(spec, c)
    {
        const json_t *own = jat(c, "securityContext.runAsNonRoot");
        if (json_is_false(own))
            blame_container(&wrong, c);
        else if (!json_is_true(own) && !json_is_true(of_pod))
            blame_container(&silent, c);
    }
    if (wrong.pod && !silent.containers.len && !wrong.containers.len)
        return; /* every container says better */
    if (is_blamed(&wrong)) {
        add_setters(out, &wrong);
        buf_adds(out, " must not set securityContext.runAsNonRoot=false");
    } else if (is_blamed(&silent)) {
        buf_adds(out, "pod or ");
        add_containers(out, &silent);
        buf_adds(out, " must set securityContext.runAsNonRoot=true");
    }
}

static bool is_root(const json_t *holder)
{
    return json_is_integer(jat(holder, "securityContext.runAsUser")) &&
           jint(holder, "securityContext.runAsUser", 1) == 0;
}

static void run_as_user(const json_t *spec, struct buf *out)
{
    _auto_blame_ struct blame b = {.pod = is_root(spec)};
    const json_t *c;
    FOR_CONTAINERS(spec, c)
    {
        if (is_root(c))
            blame_container(&b, c);
    }
    if (!is_blamed(&b))
        return;
    add_setters(out, &b);
    buf_adds(out, " must not set runAsUser=0");
}

static void se_linux(const json_t *spec, struct buf *out)
{
    static const char *const allowed[] = {
        "", "container_t", "container_init_t", "container_kvm_t", "container_engine_t", NULL};
    static const char *const nothing[] = {"", NULL};
    _auto_blame_ struct blame b = {0};
    _auto_blame_ struct blame user = {0};
    _auto_blame_ struct blame role = {0};
    blame_texts(spec, "seLinuxOptions.user", nothing, &user);
    blame_texts(spec, "seLinuxOptions.role", nothing, &role);
    blame_texts(spec, "seLinuxOptions.type", allowed, &b);
    if (!is_blamed(&b) && !is_blamed(&user) && !is_blamed(&role))
        return;
    add_setters(out, is_blamed(&b) ? &b : is_blamed(&user) ? &user : &role);
    buf_adds(out, " set forbidden securityContext.seLinuxOptions: ");
    const char *sep = "";
    if (is_blamed(&b)) {
        buf_addf(out, "%s ", plural("type", "types", b.values.len));
        add_quoted_list(out, &b.values);
        sep = "; ";
    }
    if (is_blamed(&user)) {
        buf_addf(out, "%suser may not be set", sep);
        sep = "; ";
    }
    if (is_blamed(&role))
        buf_addf(out, "%srole may not be set", sep);
}

static const char *const seccomp_profiles[] = {"RuntimeDefault", "Localhost", NULL};

static void baseline_seccomp(const json_t *spec, struct buf *out)
{
    _auto_blame_ struct blame b = {0};
    blame_texts(spec, "seccompProfile.type", seccomp_profiles, &b);
    if (!is_blamed(&b))
        return;
    add_setters(out, &b);
    buf_adds(out, " must not set securityContext.seccompProfile.type to ");
    add_quoted_list(out, &b.values);
}

static void restricted_seccomp(const json_t *spec, struct buf *out)
{
    _auto_blame_ struct blame silent = {0};
    const json_t *c;
    baseline_seccomp(spec, out);
    if (out->len || jstr(spec, "securityContext.seccompProfile.type"))
        return;
    FOR_CONTAINERS(spec, c)
    {
        if (!jstr(c, "securityContext.seccompProfile.type"))
            blame_container(&silent, c);
    }
    if (!is_blamed(&silent))
        return;
    buf_adds(out, "pod or ");
    add_containers(out, &silent);
    buf_adds(out, " must set securityContext.seccompProfile.type to \"RuntimeDefault\" or \"Localhost\"");
}

static void sysctls(const json_t *spec, struct buf *out)
{
    static const char *const allowed[] = {"kernel.shm_rmid_forced",
                                          "net.ipv4.ip_local_port_range",
                                          "net.ipv4.ip_local_reserved_ports",
                                          "net.ipv4.ip_unprivileged_port_start",
                                          "net.ipv4.ping_group_range",
                                          "net.ipv4.tcp_fin_timeout",
                                          "net.ipv4.tcp_keepalive_intvl",
                                          "net.ipv4.tcp_keepalive_probes",
                                          "net.ipv4.tcp_keepalive_time",
                                          "net.ipv4.tcp_rmem",
                                          "net.ipv4.tcp_syncookies",
                                          "net.ipv4.tcp_wmem",
                                          NULL};
    _auto_strlist_ struct strlist names = {0};
    const json_t *list = jat(spec, "securityContext.sysctls");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *name = jstr_or(json_array_get(list, i), "name", "");
        if (!listed(name, allowed))
            add_to_set(&names, name);
    }
    _auto_free_ char *text = strlist_join(&names, ", ");
    buf_adds(out, text);
}

/* -- the table -- */

#define BASELINE   (1u << SECURITY_BASELINE)
#define RESTRICTED (1u << SECURITY_RESTRICTED)

static const struct {
    const char *reason; /* gets an s when the detail speaks of several */
    unsigned levels;
    void (*check)(const json_t *spec, struct buf *out);
} checks[] = {
    {"allowPrivilegeEscalation != false", RESTRICTED, privilege_escalation},
    {"forbidden AppArmor profile", BASELINE | RESTRICTED, app_armor},
    {"non-default capabilities", BASELINE, baseline_capabilities},
    {"unrestricted capabilities", RESTRICTED, restricted_capabilities},
    {"host namespaces", BASELINE | RESTRICTED, host_namespaces},
    {"hostPath volumes", BASELINE, host_paths},
    {"hostPort", BASELINE | RESTRICTED, host_ports},
    {"privileged", BASELINE | RESTRICTED, privileged},
    {"procMount", BASELINE | RESTRICTED, proc_mount},
    {"restricted volume types", RESTRICTED, restricted_volumes},
    {"runAsNonRoot != true", RESTRICTED, run_as_non_root},
    {"runAsUser=0", RESTRICTED, run_as_user},
    {"seLinuxOptions", BASELINE | RESTRICTED, se_linux},
    {"seccompProfile", BASELINE, baseline_seccomp},
    {"seccompProfile", RESTRICTED, restricted_seccomp},
    {"forbidden sysctls", BASELINE | RESTRICTED, sysctls},
};

char *security_faults(enum security_level level, const json_t *spec)
{
    _auto_buf_ struct buf all = BUF_INIT;
    for (size_t i = 0; i < ARRAY_LEN(checks); i++) {
        _auto_buf_ struct buf detail = BUF_INIT;
        if (!(checks[i].levels & (1u << level)))
            continue;
        checks[i].check(spec, &detail);
        _auto_free_ char *several = xasprintf("%ss", checks[i].reason);
        if (detail.len)
            buf_addf(&all, "%s%s (%s)", all.len ? ", " : "",
                     strstr(buf_str(&detail), several) ? several : checks[i].reason, buf_str(&detail));
    }
    return all.len ? buf_steal(&all, NULL) : NULL;
}
