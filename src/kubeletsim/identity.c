/* identity.c - who a container's process is: user, groups, capabilities; and its limits.
 *
 * DESIGN: the container's securityContext, else the pod's, else the image's user, which may be a name: then the image's
 * own /etc/passwd is asked, from the topmost layer that has one, as its /etc/group is for further groups. Ephemeral
 * containers and others are alike here.
 *
 * THREADS: workers. Source: pkg/kubelet/kuberuntime/security_context.go, containerd's oci.WithUser.
 *
 * When you add a securityContext field: here, and in the status if it shows. */
#include "kubeletsim/start_int.h"

#include "api/quantity.h"
#include "base/buf.h"
#include "sys/seccomp.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PROFILE_MAX (1 << 20)

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

/* The image's own file ("etc/passwd", "etc/group"), from the topmost layer that has one; NULL if none has. */
static FILE *image_file(const struct image *image, const char *file)
{
    size_t n = 0;
    while (image->layers[n])
        n++;
    while (n-- > 0) {
        _auto_free_ char *path = xasprintf("%s/%s", image->layers[n], file);
        const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
        if (fd < 0)
            continue;
        FILE *f = fdopen(fd, "r");
        if (!f)
            close(fd);
        return f;
    }
    return NULL;
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

static bool image_lookup(const struct image *image, const char *file, const char *name, uint64_t *out_id,
                         uint64_t *out_group)
{
    _auto_file_ FILE *f = image_file(image, file);
    return f && find_line(f, name, out_id, out_group);
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

/* -- groups -- */

static void add_group(struct start *s, uint64_t gid)
{
    struct container_spec *out = &s->out;
    for (size_t i = 0; i < out->group_count; i++)
        if (s->groups[i] == gid)
            return;
    if (out->group_count < GROUPS_MAX)
        s->groups[out->group_count++] = (uint32_t)gid;
}

/* The name that the image gives that user. Returns new, NULL if it does not know it. */
static char *name_of_user(const struct image *image, uint32_t uid)
{
    char line[1024], name[256];
    unsigned id;
    _auto_file_ FILE *f = image_file(image, "etc/passwd");
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "%255[^:]:%*[^:]:%u:", name, &id) == 2 && id == uid)
            return xstrdup(name);
    return NULL;
}

/* "wheel:x:10:root,admin" */
static void add_group_line(struct start *s, char *line, const char *user)
{
    _auto_strlist_ struct strlist fields = {0};
    _auto_strlist_ struct strlist members = {0};
    uint64_t gid;
    line[strcspn(line, "\n")] = '\0';
    strlist_split(&fields, line, ':');
    if (fields.len < 4 || !str_to_u64(fields.items[2], &gid))
        return;
    strlist_split(&members, fields.items[3], ',');
    if (strlist_has(&members, user))
        add_group(s, gid);
}

static void add_image_groups(struct start *s)
{
    char line[4096];
    _auto_free_ char *user = name_of_user(s->image, s->out.uid);
    _auto_file_ FILE *f = user ? image_file(s->image, "etc/group") : NULL;
    while (f && fgets(line, sizeof line, f))
        add_group_line(s, line, user);
}

static void add_groups(struct start *s)
{
    const json_t *context = jat(pod_tree(s->p), "spec.securityContext"), *group;
    size_t i;
    add_group(s, s->out.gid);
    if (json_is_integer(json_object_get(context, "fsGroup")))
        add_group(s, (uint64_t)jint(context, "fsGroup", 0));
    json_array_foreach(json_object_get(context, "supplementalGroups"), i, group)
    {
        add_group(s, (uint64_t)json_integer_value(group));
    }
    if (!str_eq(jstr(context, "supplementalGroupsPolicy"), "Strict"))
        add_image_groups(s);
    s->out.groups = s->groups;
}

/* -- limits -- */

static int64_t milli_of(const json_t *spec, const char *path)
{
    struct quantity cpu;
    const char *text = jstr(spec, path);
    return text && quantity_parse(text, &cpu) == 0 ? quantity_milli(&cpu) : 0;
}

/* Whom the kernel kills first when the machine runs out of memory. Source: qos/policy.go. */
static int oom_score_adj(const struct start *s)
{
    const char *qos = jstr_or(pod_tree(s->p), "status.qosClass", "BestEffort");
    const int64_t asked = quantity_bytes(jstr(s->spec, "resources.requests.memory"), 0);
    const int64_t has = s->p->k->info.memory_bytes > 0 ? s->p->k->info.memory_bytes : 1;
    if (str_eq(qos, "Guaranteed"))
        return -997;
    if (str_eq(qos, "BestEffort"))
        return 1000;
    const int64_t score = 1000 - (asked < has ? asked * 1000 / has : 1000);
    return score < 3 ? 3 : score > 999 ? 999 : (int)score;
}

static void add_limits(struct start *s)
{
    s->out.memory_bytes = quantity_bytes(jstr(s->spec, "resources.limits.memory"), 0);
    s->out.cpu_milli = milli_of(s->spec, "resources.limits.cpu");
    s->out.cpu_request_milli = milli_of(s->spec, "resources.requests.cpu");
    s->out.oom_score_adj = oom_score_adj(s);
}

/* -- what the kernel refuses it -- */

/* A profile that lies on the node, as a filter. */
static int load_profile(struct start *s, const char *path, struct err *e)
{
    json_error_t at;
    struct err why = ERR_INIT;
    _auto_buf_ struct buf text = BUF_INIT;
    if (pod_read_node_file(s->p, path, PROFILE_MAX, &text, &why) < 0)
        return err_set(
            e, ERR_NOT_FOUND, "failed to create containerd container: cannot load seccomp profile \"%s\": open %s: %s",
            path, path,
            why.sys_errno == ENOENT || !why.sys_errno ? "no such file or directory" : strerror(why.sys_errno));
    _auto_json_ json_t *profile = json_loadb(buf_str(&text), text.len, 0, &at);
    if (!profile)
        return err_set(e, ERR_INVALID, "failed to create containerd container: decoding seccomp profile failed %s",
                       text.len ? at.text : "unexpected end of JSON input");
    return seccomp_compile(profile, &s->filter, e);
}

/* A privileged container has none, whatever it asks for, as containerd has it. */
static int start_seccomp(struct start *s, struct err *e)
{
    const json_t *profile = context_of(s, "seccompProfile");
    const char *type = jstr_or(profile, "type", "Unconfined");
    if (s->out.privileged)
        return 0;
    s->out.default_profile = str_eq(type, "RuntimeDefault");
    if (!str_eq(type, "Localhost"))
        return 0;
    _auto_free_ char *path = xasprintf(ROOT_DIR "/seccomp/%s", jstr_or(profile, "localhostProfile", ""));
    if (load_profile(s, path, e) < 0)
        return start_refuse(s, "CreateContainerError");
    s->out.filter = s->filter.data;
    s->out.filter_len = s->filter.len;
    return 0;
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
    out->no_new_privs = !jbool(s->spec, "securityContext.allowPrivilegeEscalation", true);
    out->unmasked_proc = str_eq(jstr(s->spec, "securityContext.procMount"), "Unmasked");
    out->read_only_root = jbool(s->spec, "securityContext.readOnlyRootFilesystem", false);
    out->add_caps = cap_bits(jat(s->spec, "securityContext.capabilities.add"));
    out->drop_caps = cap_bits(jat(s->spec, "securityContext.capabilities.drop"));
    return start_seccomp(s, e);
}
