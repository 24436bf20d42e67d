/* debug_profile.c - see debug_profile.h.
 *
 * DESIGN: a profile is a row: what it does in each style, as bits; a bit is a function. Source: kubectl cmd/debug,
 * profiles.go. */
#include "kubectl/verbs/debug_profile.h"

#include "base/json.h"
#include "base/str.h"

enum {
    HOST_ROOT = 1 << 0,   /* the node's root at /host */
    HOST_SPACES = 1 << 1, /* its namespaces */
    CLEAR = 1 << 2,       /* no security context */
    RESTRICT = 1 << 3,    /* what the restricted pod security standard asks for */
    TRACE = 1 << 4,       /* SYS_PTRACE */
    NETWORK = 1 << 5,     /* NET_ADMIN, NET_RAW */
    PRIVILEGED = 1 << 6,
    STRIP = 1 << 7, /* labels, annotations, probes that are not to be kept */
    NO_LABELS = 1 << 8,
    SHARE = 1 << 9, /* one process namespace, unless the pod says otherwise */
};

static const struct {
    const char *name;
    unsigned style[3]; /* by enum debug_style */
} profiles[] = {
    {"legacy", {HOST_ROOT | HOST_SPACES, NO_LABELS, 0}},
    {"general", {HOST_ROOT | CLEAR | HOST_SPACES, STRIP | TRACE | SHARE, TRACE}},
    {"baseline", {CLEAR, CLEAR | STRIP | SHARE, CLEAR}},
    {"restricted", {CLEAR | RESTRICT, CLEAR | RESTRICT | STRIP | SHARE, CLEAR | RESTRICT}},
    {"netadmin", {NETWORK | HOST_SPACES, NETWORK | STRIP | SHARE, NETWORK}},
    {"sysadmin", {PRIVILEGED | HOST_SPACES | HOST_ROOT, PRIVILEGED | STRIP | SHARE, PRIVILEGED}},
};

bool debug_profile_known(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(profiles); i++)
        if (str_eq(profiles[i].name, name))
            return true;
    return false;
}

static void host_root(json_t *pod, json_t *container)
{
    json_array_append_new(jmake_arr(pod, "spec.volumes"),
                          json_pack("{s:s, s:{s:s}}", "name", "host-root", "hostPath", "path", "/"));
    json_array_append_new(jmake_arr(container, "volumeMounts"),
                          json_pack("{s:s, s:s}", "mountPath", "/host", "name", "host-root"));
}

static void host_spaces(json_t *pod)
{
    jset_bool(pod, "spec.hostNetwork", true);
    jset_bool(pod, "spec.hostPID", true);
    jset_bool(pod, "spec.hostIPC", true);
}

static void restrict_container(json_t *container)
{
    jset_bool(container, "securityContext.runAsNonRoot", true);
    jset(container, "securityContext.capabilities", json_pack("{s:[s]}", "drop", "ALL"));
    jset_bool(container, "securityContext.allowPrivilegeEscalation", false);
    jset_str(container, "securityContext.seccompProfile.type", "RuntimeDefault");
}

static void add_capability(json_t *container, const char *name)
{
    json_array_append_new(jmake_arr(container, "securityContext.capabilities.add"), json_string(name));
}

static void strip(struct call *c, json_t *pod)
{
    static const char *const probes[][2] = {
        {"keep-liveness", "livenessProbe"}, {"keep-readiness", "readinessProbe"}, {"keep-startup", "startupProbe"}};
    size_t i;
    json_t *container;
    if (!call_bool(c, "keep-labels"))
        jdel(pod, "metadata.labels");
    if (!call_bool(c, "keep-annotations"))
        jdel(pod, "metadata.annotations");
    if (!call_bool(c, "keep-init-containers"))
        jdel(pod, "spec.initContainers");
    json_array_foreach(jat(pod, "spec.containers"), i, container) for (size_t p = 0; p < ARRAY_LEN(probes);
                                                                       p++) if (!call_bool(c, probes[p][0]))
        json_object_del(container, probes[p][1]);
}

void debug_profile_apply(struct call *c, const char *name, enum debug_style style, json_t *pod, json_t *container)
{
    unsigned does = 0;
    for (size_t i = 0; i < ARRAY_LEN(profiles); i++)
        if (str_eq(profiles[i].name, name))
            does = profiles[i].style[style];
    if (does & CLEAR)
        json_object_del(container, "securityContext");
    if (does & HOST_ROOT)
        host_root(pod, container);
    if (does & HOST_SPACES)
        host_spaces(pod);
    if (does & RESTRICT)
        restrict_container(container);
    if (does & TRACE)
        add_capability(container, "SYS_PTRACE");
    if (does & NETWORK) {
        add_capability(container, "NET_ADMIN");
        add_capability(container, "NET_RAW");
    }
    if (does & PRIVILEGED)
        jset_bool(container, "securityContext.privileged", true);
    if (does & STRIP)
        strip(c, pod);
    if (does & NO_LABELS)
        jdel(pod, "metadata.labels");
    if ((does & SHARE) && !jat(pod, "spec.shareProcessNamespace"))
        jset_bool(pod, "spec.shareProcessNamespace", true);
}
