/* pod_security.c - security contexts of pods and containers: ids, sysctls, seccomp.
 *
 * THREADS: pure functions. Source: pkg/apis/core/validation. */
#include "api/validate/pod_int.h"

#include <ctype.h>

enum { ID_MAX = 2147483647, SYSCTL_MAX = 253 };

static void id_check(struct field_errors *errs, const struct vpath *parent, const json_t *context, const char *key)
{
    if (vhas(context, key))
        v_range(errs, FIELD(parent, key), vint(context, key), 0, ID_MAX);
}

/* -- seccomp -- */

static void seccomp_check(struct field_errors *errs, const struct vpath *p, const json_t *profile)
{
    static const char *const types[] = {"Localhost", "RuntimeDefault", "Unconfined", NULL};
    const char *type = vstr(profile, "type");
    bool local = strcmp(type, "Localhost") == 0;
    if (profile == NULL)
        return;
    if (type[0] == '\0')
        v_required(errs, FIELD(p, "type"), "type is required when seccompProfile is set");
    else if (!one_of(type, types))
        v_unsupported(errs, FIELD(p, "type"), type, types);
    if (local && !vhas(profile, "localhostProfile"))
        v_required(errs, FIELD(p, "localhostProfile"), "must be set when seccomp type is Localhost");
    else if (local)
        v_descending_path(errs, FIELD(p, "localhostProfile"), vstr(profile, "localhostProfile"));
    else if (vhas(profile, "localhostProfile"))
        v_invalid_go(errs, FIELD(p, "localhostProfile"), go_struct_text("core.v1.SeccompProfile", profile),
                     "can only be set when seccomp type is Localhost");
}

static void apparmor_check(struct field_errors *errs, const struct vpath *p, const json_t *profile)
{
    enum { PROFILE_MAX = 4095 };
    static const char *const types[] = {"Localhost", "RuntimeDefault", "Unconfined", NULL};
    const char *type = vstr(profile, "type"), *name = vstr(profile, "localhostProfile");
    const struct vpath *name_at = FIELD(p, "localhostProfile");
    if (profile == NULL)
        return;
    if (type[0] == '\0') {
        v_required(errs, FIELD(p, "type"), "type is required when appArmorProfile is set");
    } else if (!one_of(type, types)) {
        v_unsupported(errs, FIELD(p, "type"), type, types);
    } else if (strcmp(type, "Localhost") != 0) {
        if (vhas(profile, "localhostProfile"))
            v_invalid(errs, name_at, name, "can only be set when AppArmor type is Localhost");
    } else if (name[0] == '\0') {
        v_required(errs, name_at, "must be set when AppArmor type is Localhost");
    } else if (has_outer_blanks(name)) {
        v_invalid(errs, name_at, name, "must not be padded with whitespace");
    } else if (strlen(name) > PROFILE_MAX) {
        v_too_long(errs, name_at, PROFILE_MAX);
    }
}

/* -- sysctls -- */

/* ([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])? */
static bool is_sysctl(const char *name)
{
    bool edge = false; /* was the last character one that may end a part? */
    if (strlen(name) > SYSCTL_MAX)
        return false;
    for (const char *c = name; *c != '\0'; c++) {
        bool alnum = islower((unsigned char)*c) || isdigit((unsigned char)*c);
        bool starts_part = c == name || c[-1] == '.' || c[-1] == '/';
        bool separator = *c == '.' || *c == '/';
        if (!(alnum || (separator && edge) || ((*c == '-' || *c == '_') && !starts_part)))
            return false;
        edge = alnum;
    }
    return edge;
}

/* A parameter of a namespace that the pod shares with the host. */
static void host_sysctl_check(struct pod_rules *r, const struct vpath *p, const char *name)
{
    static const struct {
        const char *prefix, *member, *detail;
    } rows[] = {
        {"net.", "hostNetwork", "may not be specified when 'hostNetwork' is true"},
        {"fs.mqueue.", "hostIPC", "may not be specified when 'hostIPC' is true"},
        {"kernel.shm", "hostIPC", "may not be specified when 'hostIPC' is true"},
        {"kernel.msg", "hostIPC", "may not be specified when 'hostIPC' is true"},
        {"kernel.sem", "hostIPC", "may not be specified when 'hostIPC' is true"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (vbool(r->spec, rows[i].member) && str_starts(name, rows[i].prefix))
            v_invalid(r->errs, p, name, rows[i].detail);
    }
}

static void sysctls_check(struct pod_rules *r, const struct vpath *p, const json_t *sysctls)
{
    _auto_strlist_ struct strlist names = {0};
    struct field_errors *errs = r->errs;
    size_t i;
    json_t *sysctl;
    json_array_foreach(sysctls, i, sysctl)
    {
        const char *name = vstr(sysctl, "name");
        const struct vpath *at = FIELD(ITEM(p, i), "name");
        if (name[0] == '\0')
            v_required(errs, at, NULL);
        else if (!is_sysctl(name))
            v_invalid(errs, at, name,
                      "must have at most 253 characters and match regex "
                      "^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$");
        else if (strlist_has(&names, name))
            v_duplicate(errs, at, name);
        host_sysctl_check(r, at, name);
        strlist_add(&names, name);
    }
}

/* -- pods -- */

/* On the host's network a port is the node's; a template may leave that to the pod's defaults. */
void v_host_network(struct pod_rules *r, const struct vpath *spec_path)
{
    const struct vpath *containers = FIELD(spec_path, "containers");
    size_t i, j;
    json_t *c, *port;
    if (!vbool(r->spec, "hostNetwork"))
        return;
    json_array_foreach(vget(r->spec, "containers"), i, c)
    {
        const struct vpath *ports = FIELD(ITEM(containers, i), "ports");
        json_array_foreach(vget(c, "ports"), j, port)
        {
            int64_t host = vint(port, "hostPort");
            if ((r->meta != NULL || host != 0) && host != vint(port, "containerPort"))
                v_invalid_int(r->errs, FIELD(ITEM(ports, j), "hostPort"), host,
                              "must match `containerPort` when `hostNetwork` is true");
        }
    }
}

/* A user namespace of its own does not go with the host's other namespaces. */
void v_host_users(struct pod_rules *r, const struct vpath *spec_path)
{
    static const char *const members[][2] = {
        {"hostNetwork", "hostNetwork"}, {"hostPID", "HostPID"}, {"hostIPC", "HostIPC"}};
    if (!vhas(r->spec, "hostUsers") || vbool(r->spec, "hostUsers"))
        return;
    for (size_t i = 0; i < ARRAY_LEN(members); i++) {
        if (vbool(r->spec, members[i][0]))
            v_forbidden(r->errs, FIELD(spec_path, members[i][1]), "when `pod.Spec.HostUsers` is false");
    }
}

void v_pod_security(struct pod_rules *r, const struct vpath *spec_path)
{
    static const char *const change_policies[] = {"Always", "OnRootMismatch", NULL};
    static const char *const group_policies[] = {"Merge", "Strict", NULL};
    const json_t *context = vget(r->spec, "securityContext");
    const struct vpath *p = FIELD(spec_path, "securityContext");
    id_check(r->errs, p, context, "fsGroup");
    id_check(r->errs, p, context, "runAsUser");
    id_check(r->errs, p, context, "runAsGroup");
    const json_t *groups = vget(context, "supplementalGroups");
    const struct vpath *groups_at = FIELD(p, "supplementalGroups");
    for (size_t i = 0; i < json_array_size(groups); i++)
        v_range(r->errs, ITEM(groups_at, i), json_integer_value(json_array_get(groups, i)), 0, ID_MAX);
    if (vbool(r->spec, "shareProcessNamespace") && vbool(r->spec, "hostPID"))
        v_invalid_bool(r->errs, FIELD(p, "shareProcessNamespace"), true,
                       "ShareProcessNamespace and HostPID cannot both be enabled");
    sysctls_check(r, FIELD(p, "sysctls"), vget(context, "sysctls"));
    v_choice_opt(r->errs, p, context, "fsGroupChangePolicy", change_policies);
    seccomp_check(r->errs, FIELD(p, "seccompProfile"), vget(context, "seccompProfile"));
    apparmor_check(r->errs, FIELD(p, "appArmorProfile"), vget(context, "appArmorProfile"));
    v_choice_opt(r->errs, p, context, "supplementalGroupsPolicy", group_policies);
}

/* -- containers -- */

static char *context_text(const json_t *context)
{
    return go_struct_text("core.v1.SecurityContext", context);
}

void v_container_security(struct field_errors *errs, const struct vpath *p, const json_t *context)
{
    static const char *const proc_mounts[] = {"Default", "Unmasked", NULL};
    if (context == NULL)
        return;
    id_check(errs, p, context, "runAsUser");
    id_check(errs, p, context, "runAsGroup");
    v_choice_opt(errs, p, context, "procMount", proc_mounts);
    seccomp_check(errs, FIELD(p, "seccompProfile"), vget(context, "seccompProfile"));
    if (!vhas(context, "allowPrivilegeEscalation") || vbool(context, "allowPrivilegeEscalation"))
        return;
    if (vbool(context, "privileged"))
        v_invalid_go(errs, p, context_text(context),
                     "cannot set `allowPrivilegeEscalation` to false and `privileged` to true");
    if (jarr_has(context, "capabilities.add", "CAP_SYS_ADMIN"))
        v_invalid_go(errs, p, context_text(context),
                     "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN");
}
