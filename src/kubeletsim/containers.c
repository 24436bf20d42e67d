/* containers.c - one container's start: image, environment, identity, mounts, process.
 *
 * DESIGN: container_start_job() runs on a worker and owns its container_run meanwhile. Each phase either fills its part
 * of a struct start or fails with the waiting reason that the kubelet would show. Everything the machine needs is
 * borrowed from the struct start, which lives for the call.
 *
 * When you add a securityContext field: identity() or limits() here, and the status if it shows.
 * Source: kuberuntime_container.go startContainer, images/image_manager.go, security_context.go. */
#include "kubeletsim/kubelet_int.h"

#include "api/quantity.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PULL_FIRST_MS        10000
#define PULL_LAST_MS         300000
#define MESSAGE_MAX          4096
#define MAX_CONTAINER_MOUNTS 256

struct start {
    struct pod_run *p;
    struct container_run *c;
    const json_t *spec;
    struct image *image;
    struct strlist env, argv, texts; /* texts: what mounts[] borrows */
    struct mount_spec mounts[MAX_CONTAINER_MOUNTS];
    struct container_spec out;
    uint32_t groups[64];
    const char *reason; /* of a failure */
};

const json_t *container_spec_of(const struct pod_run *p, const struct container_run *c)
{
    size_t i;
    const json_t *spec;
    json_array_foreach(jat(pod_tree(p), c->init ? "spec.initContainers" : "spec.containers"), i, spec)
    {
        if (str_eq(jstr(spec, "name"), c->name))
            return spec;
    }
    return NULL;
}

/* -- image -- */

static void event(struct start *s, enum event_type type, const char *reason, const char *text)
{
    kubelet_event(s->p->k, s->p, s->c->name, type, reason, "%s", text);
}

static void pull_backs_off(struct start *s)
{
    struct container_run *c = s->c;
    c->pull_backoff_ms = c->pull_backoff_ms ? c->pull_backoff_ms * 2 : PULL_FIRST_MS;
    if (c->pull_backoff_ms > PULL_LAST_MS)
        c->pull_backoff_ms = PULL_LAST_MS;
    c->failed_at = kubelet_mono(s->p->k);
    c->not_before = c->failed_at + c->pull_backoff_ms;
}

static int image_failed(struct start *s, const char *ref, struct err *e)
{
    char text[1400];
    pull_backs_off(s);
    if (e->code == ERR_BAD_REQUEST) {
        s->reason = "InvalidImageName";
        char detail[900];
        snprintf(detail, sizeof detail, "%.890s", e->msg);
        err_set(e, ERR_BAD_REQUEST, "Failed to apply default image tag \"%s\": %s", ref, detail);
        event(s, EVENT_WARNING, "InspectFailed", e->msg);
        event(s, EVENT_WARNING, "Failed", "Error: InvalidImageName");
        return -1;
    }
    s->reason = "ErrImagePull";
    snprintf(text, sizeof text, "Pulling image \"%s\"", ref);
    event(s, EVENT_NORMAL, "Pulling", text);
    snprintf(text, sizeof text, "Failed to pull image \"%s\": %s", ref, e->msg);
    event(s, EVENT_WARNING, "Failed", text);
    event(s, EVENT_WARNING, "Failed", "Error: ErrImagePull");
    return -1;
}

static int get_image(struct start *s, struct err *e)
{
    const char *ref = jstr_or(s->spec, "image", "");
    const char *policy = jstr_or(s->spec, "imagePullPolicy", "IfNotPresent");
    char text[512];
    int64_t began = clock_mono_ns(s->p->k->conf.clock);
    if (images_resolve(s->p->k->conf.images, ref, &s->image, e) < 0)
        return image_failed(s, ref, e);
    int64_t ms = (clock_mono_ns(s->p->k->conf.clock) - began) / 1000000;
    if (str_eq(policy, "Never") && !s->image->already_present) {
        s->reason = "ErrImageNeverPull";
        pull_backs_off(s);
        err_set(e, ERR_NOT_FOUND, "Container image \"%s\" is not present with pull policy of Never", ref);
        event(s, EVENT_WARNING, "ErrImageNeverPull", e->msg);
        event(s, EVENT_WARNING, "Failed", "Error: ErrImageNeverPull");
        return -1;
    }
    if (str_eq(policy, "Always") || !s->image->already_present) {
        snprintf(text, sizeof text, "Pulling image \"%s\"", ref);
        event(s, EVENT_NORMAL, "Pulling", text);
        snprintf(text, sizeof text,
                 "Successfully pulled image \"%s\" in %dms (%dms including waiting). Image size: %lld bytes.", ref,
                 (int)ms, (int)ms, (long long)s->image->size);
    } else {
        snprintf(text, sizeof text, "Container image \"%s\" already present on machine", ref);
    }
    event(s, EVENT_NORMAL, "Pulled", text);
    s->c->pull_backoff_ms = 0;
    free(s->c->image);
    free(s->c->image_id);
    s->c->image = xstrdup(s->image->canonical);
    s->c->image_id = xstrdup(s->image->image_id);
    return 0;
}

/* -- command line -- */

static void add_words(struct start *s, const json_t *list)
{
    size_t i;
    const json_t *word;
    json_array_foreach(list, i, word)
    {
        strlist_take(&s->argv, env_expand(json_string_value(word) ? json_string_value(word) : "", &s->env));
    }
}

static void build_argv(struct start *s)
{
    const json_t *command = json_object_get(s->spec, "command"), *args = json_object_get(s->spec, "args");
    if (json_array_size(command) > 0) {
        add_words(s, command);
        add_words(s, args);
    } else {
        for (const char *const *w = s->image->entrypoint; w && *w; w++)
            strlist_add(&s->argv, *w);
        if (json_array_size(args) > 0)
            add_words(s, args);
        for (const char *const *w = s->image->cmd; json_array_size(args) == 0 && w && *w; w++)
            strlist_add(&s->argv, *w);
    }
    strlist_take(&s->argv, NULL);
    s->argv.len--;
}

/* -- identity -- */

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
        if (str_starts(name, "CAP_"))
            name += 4;
        for (size_t c = 0; c < ARRAY_LEN(cap_names); c++)
            if (str_eq(cap_names[c], name))
                bits |= UINT64_C(1) << c;
    }
    return bits;
}

/* The container's securityContext, else the pod's. */
static const json_t *context_of(const struct start *s, const char *key)
{
    const json_t *own = json_object_get(json_object_get(s->spec, "securityContext"), key);
    return own ? own : json_object_get(jat(pod_tree(s->p), "spec.securityContext"), key);
}

static int identity(struct start *s, struct err *e)
{
    struct container_spec *out = &s->out;
    const json_t *uid = context_of(s, "runAsUser"), *gid = context_of(s, "runAsGroup");
    uint64_t image_uid = 0;
    bool numeric = str_empty(s->image->user) || str_to_u64(s->image->user, &image_uid);
    out->uid = (uint32_t)(json_is_integer(uid) ? (uint64_t)json_integer_value(uid) : image_uid);
    out->gid = (uint32_t)(json_is_integer(gid) ? json_integer_value(gid) : 0);
    if (json_is_true(context_of(s, "runAsNonRoot"))) {
        const char *why =
            !json_is_integer(uid) && !numeric         ? "image has non-numeric user, cannot verify user is non-root"
            : !json_is_integer(uid) && image_uid == 0 ? "container has runAsNonRoot and image will run as root"
            : out->uid == 0                           ? "container's runAsUser breaks non-root policy"
                                                      : NULL;
        if (why) {
            s->reason = "CreateContainerConfigError";
            return err_set(e, ERR_INVALID, "%s (pod: \"%s_%s(%s)\", container: %s)", why, s->p->name, s->p->ns,
                           s->p->uid, s->c->name);
        }
    }
    const json_t *fs = jat(pod_tree(s->p), "spec.securityContext.fsGroup"), *g;
    const json_t *extra = jat(pod_tree(s->p), "spec.securityContext.supplementalGroups");
    if (json_is_integer(fs))
        s->groups[out->group_count++] = (uint32_t)json_integer_value(fs);
    size_t i;
    json_array_foreach(extra, i, g)
    {
        if (out->group_count < ARRAY_LEN(s->groups))
            s->groups[out->group_count++] = (uint32_t)json_integer_value(g);
    }
    out->groups = s->groups;
    out->privileged = jbool(s->spec, "securityContext.privileged", false);
    out->read_only_root = jbool(s->spec, "securityContext.readOnlyRootFilesystem", false);
    out->add_caps = cap_bits(jat(s->spec, "securityContext.capabilities.add"));
    out->drop_caps = cap_bits(jat(s->spec, "securityContext.capabilities.drop"));
    out->memory_bytes = quantity_bytes(jstr(s->spec, "resources.limits.memory"), 0);
    struct quantity cpu;
    const char *limit = jstr(s->spec, "resources.limits.cpu");
    if (limit && quantity_parse(limit, &cpu) == 0)
        out->cpu_milli = quantity_milli(&cpu);
    return 0;
}

/* -- mounts -- */

static const char *keep(struct start *s, char *take)
{
    strlist_take(&s->texts, take);
    return take;
}

static void add_mount(struct start *s, const char *source, const char *target, bool read_only, bool device)
{
    if (s->out.mount_count < MAX_CONTAINER_MOUNTS)
        s->mounts[s->out.mount_count++] = (struct mount_spec){source, target, read_only, device};
}

static bool mounts_itself(const struct start *s, const char *target)
{
    for (size_t i = 0; i < s->out.mount_count; i++)
        if (str_eq(s->mounts[i].target, target))
            return true;
    return false;
}

static int config_error(struct start *s)
{
    s->reason = "CreateContainerConfigError";
    return -1;
}

/* The directory or file a mount shows: the volume's root, or a path below it (made as a directory if nothing is there).
 */
static const char *mount_source(struct start *s, const json_t *m, const struct volume_run *v, struct err *e)
{
    const char *sub = jstr_or(m, "subPath", ""), *expr = jstr(m, "subPathExpr");
    _auto_free_ char *expanded = NULL;
    if (expr) {
        expanded = env_expand(expr, &s->env);
        sub = expanded;
    }
    if (!*sub)
        return v->path;
    struct machine *machine = s->p->k->m;
    struct stat st;
    struct err absent = ERR_INIT;
    char *path = xasprintf("%s/%s", v->path, sub);
    keep(s, path);
    if (machine->ops->stat(machine, pod_node(s->p), path, &st, &absent) == 0)
        return path;
    if (machine->ops->mkdir_p(machine, pod_node(s->p), path, 0755, &absent) < 0) {
        err_set(e, ERR_INVALID, "failed to create subPath directory for volumeMount \"%s\" of container \"%s\"",
                jstr_or(m, "name", ""), s->c->name);
        return NULL;
    }
    return path;
}

static int volume_mounts(struct start *s, struct err *e)
{
    size_t i;
    const json_t *m;
    json_array_foreach(json_object_get(s->spec, "volumeMounts"), i, m)
    {
        const char *name = jstr_or(m, "name", "");
        const struct volume_run *v = volume_by_name(s->p, name);
        if (!v) {
            err_set(e, ERR_INVALID, "cannot find volume \"%s\" to mount into container \"%s\"", name, s->c->name);
            return config_error(s);
        }
        const char *source = mount_source(s, m, v, e);
        if (!source)
            return config_error(s);
        add_mount(s, source, jstr_or(m, "mountPath", ""), jbool(m, "readOnly", false) || v->read_only, false);
    }
    json_array_foreach(json_object_get(s->spec, "volumeDevices"), i, m)
    {
        const char *name = jstr_or(m, "name", "");
        const struct volume_run *v = volume_by_name(s->p, name);
        if (!v) {
            err_set(e, ERR_INVALID, "cannot find volume \"%s\" to pass into container \"%s\"", name, s->c->name);
            return config_error(s);
        }
        add_mount(s, v->path, jstr_or(m, "devicePath", ""), v->read_only, true);
    }
    return 0;
}

static void termination_path(const struct pod_run *p, const struct container_run *c, char out[PATH_LEN])
{
    char dir[PATH_LEN];
    pod_dir(p, dir);
    snprintf(out, PATH_LEN, "%.700s/containers/%s/%08x", dir, c->name, (unsigned)c->restarts);
}

static int kubelet_files(struct start *s, struct err *e)
{
    static const char *const files[][2] = {
        {"etc-hosts", "/etc/hosts"}, {"hostname", "/etc/hostname"}, {"resolv.conf", "/etc/resolv.conf"}};
    char dir[PATH_LEN], path[PATH_LEN];
    struct machine *m = s->p->k->m;
    pod_dir(s->p, dir);
    for (size_t i = 0; i < ARRAY_LEN(files); i++)
        if (!mounts_itself(s, files[i][1]))
            add_mount(s, keep(s, xasprintf("%s/%s", dir, files[i][0])), files[i][1], false, false);
    termination_path(s->p, s->c, path);
    _auto_free_ char *parent = xstrndup(path, (size_t)(strrchr(path, '/') - path));
    _auto_close_ int fd = -1;
    if (m->ops->mkdir_p(m, pod_node(s->p), parent, 0750, e) < 0 ||
        m->ops->open(m, pod_node(s->p), path, O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC, 0666, &fd, e) < 0)
        return config_error(s);
    fchmod(fd, 0666);
    add_mount(s, keep(s, xstrdup(path)), jstr_or(s->spec, "terminationMessagePath", "/dev/termination-log"), false,
              false);
    return 0;
}

/* -- the process -- */

static void new_id(char out[72])
{
    static const char hex[] = "0123456789abcdef";
    unsigned char bytes[32];
    random_bytes(bytes, sizeof bytes);
    for (size_t i = 0; i < sizeof bytes; i++) {
        out[2 * i] = hex[bytes[i] >> 4];
        out[2 * i + 1] = hex[bytes[i] & 15];
    }
    out[64] = '\0';
}

static void remove_previous(struct start *s)
{
    struct err e = ERR_INIT;
    struct machine *m = s->p->k->m;
    if (s->c->id[0])
        m->ops->container_remove(m, pod_node(s->p), s->c->id, true, &e);
}

/* It never ran: shown as terminated with StartError, and restarted by the usual rules. */
static void start_failed(struct start *s, const struct err *e)
{
    struct container_run *c = s->c;
    int64_t now = kubelet_now(s->p->k);
    c->state = CONTAINER_EXITED;
    free(c->end.message);
    c->end = (struct container_end){
        .set = true, .exit_code = 128, .started = 0, .finished = now, .message = xstrdup(e->msg)};
    snprintf(c->end.id, sizeof c->end.id, "%s", c->id);
    snprintf(c->end.reason, sizeof c->end.reason, "StartError");
    c->announced_backoff = false;
}

static int run_process(struct start *s, struct err *e)
{
    struct container_run *c = s->c;
    struct container_spec *out = &s->out;
    struct machine *m = s->p->k->m;
    char log_dir[PATH_LEN];
    remove_previous(s);
    new_id(c->id);
    pod_log_dir(s->p->ns, s->p->name, s->p->uid, c->name, log_dir);
    strlist_take(&s->env, NULL);
    s->env.len--;
    out->node = pod_node(s->p);
    out->sandbox = s->p->uid;
    out->id = c->id;
    out->layers = s->image->layers;
    out->rootfs_dir = keep(s, xasprintf(BUNDLES "/%.64s", c->id));
    out->argv = (const char *const *)s->argv.items;
    out->env = (const char *const *)s->env.items;
    out->cwd = jstr_or(s->spec, "workingDir", str_empty(s->image->workdir) ? "/" : s->image->workdir);
    out->mounts = s->mounts;
    out->tty = jbool(s->spec, "tty", false);
    out->stdin_open = jbool(s->spec, "stdin", false);
    out->stdin_once = jbool(s->spec, "stdinOnce", false);
    out->log_path = keep(s, xasprintf("%s/%d.log", log_dir, c->restarts));
    if (m->ops->mkdir_p(m, out->node, log_dir, 0755, e) < 0) {
        s->reason = "CreateContainerError";
        return -1;
    }
    kubelet_event(s->p->k, s->p, c->name, EVENT_NORMAL, "Created", "Created container: %s", c->name);
    kubelet_note_running(s->p->k, s->p, c->id);
    pid_t pid;
    c->started = kubelet_now(s->p->k);
    if (m->ops->container_start(m, out, &pid, e) < 0) {
        s->reason = "RunContainerError";
        start_failed(s, e);
        return -1;
    }
    kubelet_event(s->p->k, s->p, c->name, EVENT_NORMAL, "Started", "Started container %s", c->name);
    return 0;
}

static int prepare(struct start *s, struct err *e)
{
    s->reason = "CreateContainerConfigError";
    if (get_image(s, e) < 0)
        return -1;
    if (env_build(s->p, s->spec, s->image, &s->env, e) < 0)
        return config_error(s);
    build_argv(s);
    if (s->argv.len == 0) {
        s->reason = "CreateContainerError";
        return err_set(e, ERR_INVALID, "failed to generate container \"%s\" spec: no command specified", s->c->name);
    }
    if (identity(s, e) < 0 || volume_mounts(s, e) < 0)
        return -1;
    return kubelet_files(s, e);
}

static void start_release(struct start *s)
{
    if (s->image)
        image_free(s->image);
    strlist_release(&s->env);
    strlist_release(&s->argv);
    strlist_release(&s->texts);
    free(s);
}

void container_start_job(struct job *j)
{
    struct start *s = xcalloc(1, sizeof *s);
    s->p = j->pod;
    s->c = j->container;
    s->spec = container_spec_of(s->p, s->c);
    j->ok = s->spec && prepare(s, &j->err) == 0 && run_process(s, &j->err) == 0;
    if (j->ok) {
        s->c->state = CONTAINER_RUNNING;
        free(s->c->message);
        s->c->message = NULL;
    } else {
        snprintf(j->reason, sizeof j->reason, "%s", s->reason ? s->reason : "CreateContainerError");
        bool pull = str_starts(j->reason, "ErrImage") || str_eq(j->reason, "InvalidImageName");
        if (!pull) {
            kubelet_event(s->p->k, s->p, s->c->name, EVENT_WARNING, "Failed", "Error: %s", j->err.msg);
            if (s->c->state == CONTAINER_WAITING)
                s->c->not_before = kubelet_mono(s->p->k) + PULL_FIRST_MS;
        }
    }
    start_release(s);
}

/* -- the end -- */

void container_end_read(struct pod_run *p, struct container_run *c)
{
    char path[PATH_LEN], text[MESSAGE_MAX + 1];
    struct err e = ERR_INIT;
    struct machine *m = p->k->m;
    termination_path(p, c, path);
    _auto_close_ int fd = -1;
    if (m->ops->open(m, pod_node(p), path, O_RDONLY | O_CLOEXEC, 0, &fd, &e) < 0)
        return;
    ssize_t n = read(fd, text, MESSAGE_MAX);
    if (n > 0) {
        text[n] = '\0';
        c->end.message = xstrdup(text);
    }
}
