/* pod_containers.c - regular, init and ephemeral containers.
 *
 * DESIGN: what all three kinds share is container_check(); what each adds or forbids follows it, in the order of the
 * real server, because the order of complaints is part of the answer. THREADS: pure functions. */
#include "api/validate/pod_int.h"

static const char *const pull_policies[] = {"Always", "IfNotPresent", "Never", NULL};
static const char *const message_policies[] = {"File", "FallbackToLogsOnError", NULL};

/* -- ports -- */

static void ports_check(struct field_errors *errs, const struct vpath *p, const json_t *ports)
{
    _auto_strlist_ struct strlist names = {0};
    size_t i;
    json_t *port;
    json_array_foreach(ports, i, port)
    {
        const struct vpath *at = ITEM(p, i);
        const char *name = vstr(port, "name");
        if (name[0] != '\0' && !name_ok(name, rule_port_name))
            v_name(errs, FIELD(at, "name"), name, rule_port_name);
        else if (name[0] != '\0' && strlist_has(&names, name))
            v_duplicate(errs, FIELD(at, "name"), name);
        else if (name[0] != '\0')
            strlist_add(&names, name);
        if (vint(port, "containerPort") == 0)
            v_required(errs, FIELD(at, "containerPort"), NULL);
        else
            v_port(errs, FIELD(at, "containerPort"), vint(port, "containerPort"));
        if (vint(port, "hostPort") != 0)
            v_port(errs, FIELD(at, "hostPort"), vint(port, "hostPort"));
        v_protocol(errs, FIELD(at, "protocol"), vstr(port, "protocol"));
    }
}

/* Ports of the node that one container takes; `taken` grows. */
static void host_ports_check(struct field_errors *errs, const struct vpath *p, const json_t *container,
                             struct strlist *taken)
{
    const struct vpath *ports = FIELD(p, "ports");
    size_t i;
    json_t *port;
    json_array_foreach(vget(container, "ports"), i, port)
    {
        if (vint(port, "hostPort") == 0)
            continue;
        _auto_free_ char *text =
            xasprintf("%s/%s/%lld", vstr(port, "protocol"), vstr(port, "hostIP"), (long long)vint(port, "hostPort"));
        if (strlist_has(taken, text))
            v_duplicate(errs, FIELD(ITEM(ports, i), "hostPort"), text);
        else
            strlist_add(taken, text);
    }
}

/* -- all containers -- */

static void container_check(struct pod_rules *r, const struct vpath *p, const json_t *c)
{
    struct field_errors *errs = r->errs;
    if (vstr(c, "name")[0] == '\0')
        v_required(errs, FIELD(p, "name"), NULL);
    else
        v_name(errs, FIELD(p, "name"), vstr(c, "name"), rule_label);
    v_required_str(errs, p, c, "image");
    v_choice(errs, FIELD(p, "terminationMessagePolicy"), vstr(c, "terminationMessagePolicy"), message_policies);
    ports_check(errs, FIELD(p, "ports"), vget(c, "ports"));
    v_env(errs, FIELD(p, "env"), vget(c, "env"));
    v_env_from(errs, FIELD(p, "envFrom"), vget(c, "envFrom"));
    v_mounts(r, FIELD(p, "volumeMounts"), c);
    v_devices(r, FIELD(p, "volumeDevices"), c);
    v_choice(errs, FIELD(p, "imagePullPolicy"), vstr(c, "imagePullPolicy"), pull_policies);
    v_container_resources(errs, FIELD(p, "resources"), vget(c, "resources"), vget(r->spec, "resourceClaims"));
    v_container_security(errs, FIELD(p, "securityContext"), vget(c, "securityContext"));
}

static int64_t grace_of(const struct pod_rules *r)
{
    return vint(r->spec, "terminationGracePeriodSeconds");
}

/* What long-running containers have: hooks and probes. */
static void running_check(struct pod_rules *r, const struct vpath *p, const json_t *c)
{
    v_lifecycle(r->errs, FIELD(p, "lifecycle"), vget(c, "lifecycle"), grace_of(r));
    v_probes(r->errs, p, c, grace_of(r));
}

static void regular_check(struct pod_rules *r, const struct vpath *p, const json_t *containers, struct strlist *names)
{
    _auto_strlist_ struct strlist host_ports = {0};
    size_t i;
    json_t *c;
    if (json_array_size(containers) == 0)
        v_required(r->errs, p, NULL);
    json_array_foreach(containers, i, c)
    {
        const struct vpath *at = ITEM(p, i);
        container_check(r, at, c);
        if (strlist_has(names, vstr(c, "name")))
            v_duplicate(r->errs, FIELD(at, "name"), vstr(c, "name"));
        else
            strlist_add(names, vstr(c, "name"));
        running_check(r, at, c);
        if (vhas(c, "restartPolicy"))
            v_forbidden(r->errs, FIELD(at, "restartPolicy"), "may not be set for non-init containers");
    }
    json_array_foreach(containers, i, c) host_ports_check(r->errs, ITEM(p, i), c, &host_ports);
}

/* -- init containers -- */

static void init_fields_check(struct pod_rules *r, const struct vpath *p, const json_t *c)
{
    static const char *const running_only[] = {"lifecycle", "livenessProbe", "readinessProbe", "startupProbe"};
    if (strcmp(vstr(c, "restartPolicy"), "Always") == 0) {
        running_check(r, p, c);
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(running_only); i++) {
        if (vhas(c, running_only[i]))
            v_forbidden(r->errs, FIELD(p, running_only[i]),
                        "may not be set for init containers without restartPolicy=Always");
    }
}

static void init_check(struct pod_rules *r, const struct vpath *p, const json_t *containers, struct strlist *names)
{
    static const char *const restart_policies[] = {"Always", NULL};
    size_t i;
    json_t *c;
    json_array_foreach(containers, i, c)
    {
        _auto_strlist_ struct strlist host_ports = {0};
        const struct vpath *at = ITEM(p, i);
        container_check(r, at, c);
        v_choice_opt(r->errs, at, c, "restartPolicy", restart_policies);
        if (strlist_has(names, vstr(c, "name")))
            v_duplicate(r->errs, FIELD(at, "name"), vstr(c, "name"));
        else if (vstr(c, "name")[0] != '\0')
            strlist_add(names, vstr(c, "name"));
        host_ports_check(r->errs, at, c, &host_ports);
        init_fields_check(r, at, c);
    }
}

/* -- ephemeral containers -- */

#define NOT_EPHEMERAL "cannot be set for an Ephemeral Container"

static void ephemeral_fields_check(struct pod_rules *r, const struct vpath *p, const json_t *c)
{
    static const char *const never[] = {"ports",     "livenessProbe", "readinessProbe", "startupProbe",
                                        "lifecycle", "resizePolicy",  "restartPolicy"};
    static const char *const never_in_mounts[] = {"subPath", "subPathExpr"};
    const struct vpath *mounts = FIELD(p, "volumeMounts");
    size_t i;
    json_t *mount;
    for (size_t k = 0; k < ARRAY_LEN(never); k++) {
        const json_t *v = vget(c, never[k]);
        if (v != NULL && (!json_is_array(v) || json_array_size(v) > 0))
            v_forbidden(r->errs, FIELD(p, never[k]), NOT_EPHEMERAL);
    }
    if (json_object_size(vget(c, "resources")) > 0)
        v_forbidden(r->errs, FIELD(p, "resources"), NOT_EPHEMERAL);
    json_array_foreach(vget(c, "volumeMounts"), i, mount)
    {
        for (size_t k = 0; k < ARRAY_LEN(never_in_mounts); k++) {
            if (vstr(mount, never_in_mounts[k])[0] != '\0')
                v_forbidden(r->errs, FIELD(ITEM(mounts, i), never_in_mounts[k]), NOT_EPHEMERAL);
        }
    }
}

void v_image_blanks(struct field_errors *errs, const struct vpath *p, const json_t *c)
{
    const char *image = vstr(c, "image");
    if (has_outer_blanks(image))
        v_invalid(errs, FIELD(p, "image"), image, "must not have leading or trailing whitespace");
}

static void ephemeral_check(struct pod_rules *r, const struct vpath *p, const json_t *containers, struct strlist *names)
{
    size_t regular = names->len; /* targets are among these */
    size_t i;
    json_t *c;
    json_array_foreach(containers, i, c)
    {
        const struct vpath *at = ITEM(p, i);
        const char *target = vstr(c, "targetContainerName");
        const struct strlist targets = {.items = names->items, .len = regular};
        container_check(r, at, c);
        v_image_blanks(r->errs, at, c);
        bool known = strlist_has(&targets, target);
        if (strlist_has(names, vstr(c, "name")))
            v_duplicate(r->errs, FIELD(at, "name"), vstr(c, "name"));
        else
            strlist_add(names, vstr(c, "name"));
        if (target[0] != '\0' && !known)
            v_not_found(r->errs, FIELD(at, "targetContainerName"), target);
        ephemeral_fields_check(r, at, c);
    }
}

void pod_containers_check(struct pod_rules *r, const struct vpath *p)
{
    _auto_strlist_ struct strlist names = {0};
    regular_check(r, FIELD(p, "containers"), vget(r->spec, "containers"), &names);
    init_check(r, FIELD(p, "initContainers"), vget(r->spec, "initContainers"), &names);
    ephemeral_check(r, FIELD(p, "ephemeralContainers"), vget(r->spec, "ephemeralContainers"), &names);
}

/* Templates may still have blanks around an image: that was never refused there. */
void pod_images_check(struct pod_rules *r, const struct vpath *p)
{
    static const char *const lists[] = {"containers", "initContainers"};
    for (size_t k = 0; k < ARRAY_LEN(lists); k++) {
        const struct vpath *list = FIELD(p, lists[k]);
        size_t i;
        json_t *c;
        json_array_foreach(vget(r->spec, lists[k]), i, c) v_image_blanks(r->errs, ITEM(list, i), c);
    }
}
