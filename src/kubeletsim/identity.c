/* identity.c - who a container's process is: user, groups, capabilities; and its limits.
 *
 * DESIGN: the container's securityContext, else the pod's, else the image's user, which may be a name: then the image's
 * own /etc/passwd is asked, from the topmost layer that has one. Ephemeral containers and others are alike here.
 *
 * THREADS: workers. Source: pkg/kubelet/kuberuntime/security_context.go, containerd's oci.WithUser.
 *
 * When you add a securityContext field: here, and in the status if it shows. */
#include "kubeletsim/start_int.h"

#include "api/quantity.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* -- capabilities -- */

static const char *const cap_names[] = {
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
};

static uint64_t cap_bits(const json_t *list)
{
    uint64_t bits = 0;
    size_t i;
    const json_t *item;
    json_array_foreach(list, i, item)
    {
        const char *name = json_string_value(item);
        if (str_eq(name, "ALL"))
            return (UINT64_C(1) << ARRAY_LEN(cap_names)) - 1;
        if (name && str_starts(name, "CAP_"))
            name += 4;
        for (size_t c = 0; c < ARRAY_LEN(cap_names); c++)
            if (str_eq(cap_names[c], name))
                bits |= UINT64_C(1) << c;
    }
    return bits;
}

/* -- users -- */

/* The container's securityContext, else the pod's. */
static const json_t *context_of(const struct start *s, const char *key)
{
    const json_t *own = json_object_get(json_object_get(s->spec, "securityContext"), key);
    return own ? own : json_object_get(jat(pod_tree(s->p), "spec.securityContext"), key);
}

/* Looks for a line of name:…:id[:id] by name; fills what is asked for. */
static bool find_line(FILE *f, const char *name, uint64_t *out_id, uint64_t *out_group)
{
    char line[1024];
    size_t n = strlen(name);
    while (fgets(line, sizeof line, f)) {
        if (strncmp(line, name, n) != 0 || line[n] != ':')
            continue;
        char *field = strchr(line + n + 1, ':');
        if (!field)
            return false;
        char *end;
        *out_id = strtoull(field + 1, &end, 10);
        if (out_group && *end == ':')
            *out_group = strtoull(end + 1, NULL, 10);
        return true;
    }
    return false;
}

/* Asks the image's file ("etc/passwd", "etc/group"). */
static bool image_lookup(const struct image *image, const char *file, const char *name, uint64_t *out_id,
                         uint64_t *out_group)
{
    size_t n = 0;
    while (image->layers[n])
        n++;
    while (n-- > 0) {
        _auto_free_ char *path = xasprintf("%s/%s", image->layers[n], file);
        int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
        if (fd < 0)
            continue;
        _auto_file_ FILE *f = fdopen(fd, "r");
        if (!f) {
            close(fd);
            return false;
        }
        return find_line(f, name, out_id, out_group);
    }
    return false;
}

/* "", "101", "nginx", "101:101", "node:node" of the image. False if a name is not known. */
static bool image_user(const struct image *image, uint64_t *out_uid, uint64_t *out_gid)
{
    const char *user = image->user ? image->user : "";
    const char *colon = strchr(user, ':');
    _auto_free_ char *name = xstrndup(user, colon ? (size_t)(colon - user) : strlen(user));
    *out_uid = *out_gid = 0;
    if (*name && !str_to_u64(name, out_uid) && !image_lookup(image, "etc/passwd", name, out_uid, out_gid))
        return false;
    return !colon || str_to_u64(colon + 1, out_gid) || image_lookup(image, "etc/group", colon + 1, out_gid, NULL);
}

static int check_non_root(struct start *s, bool given, struct err *e)
{
    const struct pod_run *p = s->p;
    const char *user = s->image->user ? s->image->user : "";
    _auto_free_ char *why = NULL;
    uint64_t number;
    _auto_free_ char *name = xstrndup(user, strcspn(user, ":"));
    if (given && s->out.uid == 0)
        why = xstrdup("container's runAsUser breaks non-root policy");
    else if (!given && *name && !str_to_u64(name, &number))
        why = xasprintf(
            "container has runAsNonRoot and image has non-numeric user (%s), cannot verify user is non-root", name);
    else if (!given && s->out.uid == 0)
        why = xstrdup("container has runAsNonRoot and image will run as root");
    if (!why)
        return 0;
    err_set(e, ERR_INVALID, "%s (pod: \"%s_%s(%s)\", container: %s)", why, p->name, p->ns, p->uid, s->c->name);
    return start_refuse(s, "CreateContainerConfigError");
}

static void add_groups(struct start *s)
{
    struct container_spec *out = &s->out;
    const json_t *context = jat(pod_tree(s->p), "spec.securityContext"), *group;
    size_t i;
    if (json_is_integer(json_object_get(context, "fsGroup")))
        s->groups[out->group_count++] = (uint32_t)jint(context, "fsGroup", 0);
    json_array_foreach(json_object_get(context, "supplementalGroups"), i, group)
    {
        if (out->group_count < GROUPS_MAX)
            s->groups[out->group_count++] = (uint32_t)json_integer_value(group);
    }
    out->groups = s->groups;
}

static void add_limits(struct start *s)
{
    struct quantity cpu;
    const char *limit = jstr(s->spec, "resources.limits.cpu");
    s->out.memory_bytes = quantity_bytes(jstr(s->spec, "resources.limits.memory"), 0);
    if (limit && quantity_parse(limit, &cpu) == 0)
        s->out.cpu_milli = quantity_milli(&cpu);
}

int start_identity(struct start *s, struct err *e)
{
    struct container_spec *out = &s->out;
    const json_t *uid = context_of(s, "runAsUser"), *gid = context_of(s, "runAsGroup");
    uint64_t image_uid, image_gid;
    bool given = json_is_integer(uid);
    if (!given && !image_user(s->image, &image_uid, &image_gid)) {
        err_set(e, ERR_NOT_FOUND, "failed to generate container \"%s\" spec: no users found: %s", s->c->name,
                s->image->user);
        return start_refuse(s, "CreateContainerError");
    }
    out->uid = (uint32_t)(given ? (uint64_t)json_integer_value(uid) : image_uid);
    out->gid = (uint32_t)(json_is_integer(gid) ? (uint64_t)json_integer_value(gid) : given ? 0 : image_gid);
    if (json_is_true(context_of(s, "runAsNonRoot")) && check_non_root(s, given, e) < 0)
        return -1;
    add_groups(s);
    add_limits(s);
    out->privileged = jbool(s->spec, "securityContext.privileged", false);
    out->read_only_root = jbool(s->spec, "securityContext.readOnlyRootFilesystem", false);
    out->add_caps = cap_bits(jat(s->spec, "securityContext.capabilities.add"));
    out->drop_caps = cap_bits(jat(s->spec, "securityContext.capabilities.drop"));
    return 0;
}
