/* start.c - one container's start: image, environment, identity, mounts, process.
 *
 * DESIGN: container_start_job() runs on a worker. Each part fills its share of a struct start or fails with the waiting
 * reason that the kubelet would show; everything the machine needs is borrowed from the struct start, which lives for
 * the call. What became of it goes into the job: the loop thread makes it the container's (run.c).
 *
 * THREADS: workers; reads the pod, writes the job. Source: kuberuntime_container.go startContainer. */
#include "kubeletsim/start_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *start_keep(struct start *s, char *take)
{
    strlist_take(&s->texts, take);
    return take;
}

int start_refuse(struct start *s, const char *reason)
{
    snprintf(s->job->reason, sizeof s->job->reason, "%s", reason);
    return -1;
}

/* -- command line -- */

static void add_words(struct start *s, const json_t *list)
{
    size_t i;
    const json_t *word;
    json_array_foreach(list, i, word)
    {
        strlist_take(&s->argv, env_expand(json_string_value(word) ? json_string_value(word) : "", &s->env.own));
    }
}

static void add_vector(struct strlist *out, const char *const *words)
{
    for (; words && *words; words++)
        strlist_add(out, *words);
}

/* The list as a vector, borrowed from it. */
static const char *const *vector_of(struct strlist *l)
{
    strlist_take(l, NULL);
    l->len--;
    return (const char *const *)l->items;
}

static int start_command(struct start *s, struct err *e)
{
    const json_t *command = json_object_get(s->spec, "command"), *args = json_object_get(s->spec, "args");
    bool own = json_array_size(command) > 0;
    if (!own || s->image->stub) /* a stub tries the command itself */
        add_vector(&s->argv, s->image->entrypoint);
    if (own)
        add_words(s, command);
    if (json_array_size(args) > 0)
        add_words(s, args);
    else if (!own)
        add_vector(&s->argv, s->image->cmd);
    if (s->argv.len > 0)
        return 0;
    err_set(e, ERR_INVALID, "failed to generate container \"%s\" spec: no command specified", s->c->name);
    return start_refuse(s, "CreateContainerError");
}

/* -- what is left of earlier instances -- */

/* "<n>.log" and what was rotated from it: the last two instances keep theirs. */
static bool is_old_log(const char *name, int restarts)
{
    char *end;
    long n = strtol(name, &end, 10);
    return end != name && str_starts(end, ".log") && n < restarts - 1;
}

static void remove_previous(struct start *s, const char *log_dir)
{
    struct machine *m = s->p->k->m;
    struct err e = ERR_INIT;
    if (s->c->id[0])
        m->ops->container_remove(m, pod_node(s->p), s->c->id, true, &e);
    _auto_strlist_ struct strlist logs = {0};
    if (s->c->restarts > 1)
        node_list_dir(s->p->k, pod_node(s->p), log_dir, &logs);
    for (size_t i = 0; i < logs.len; i++) {
        _auto_free_ char *path = xasprintf("%s/%s", log_dir, logs.items[i]);
        if (is_old_log(logs.items[i], s->c->restarts))
            m->ops->remove_all(m, pod_node(s->p), path, &e);
    }
}

/* -- the process -- */

static void new_id(char out[ID_LEN])
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

/* kubectl debug --target: the container whose processes an ephemeral one sees. */
static const char *target_of(const struct start *s)
{
    const char *name = jstr(s->spec, "targetContainerName");
    const struct container_run *c = str_empty(name) ? NULL : container_by_name(s->p, name);
    return c && c->state == CONTAINER_RUNNING ? c->id : NULL;
}

static void describe_process(struct start *s, const char *log_dir)
{
    struct container_spec *out = &s->out;
    out->node = pod_node(s->p);
    out->sandbox = s->p->uid;
    out->id = s->job->id;
    out->layers = s->image->layers;
    out->rootfs_dir = start_keep(s, xasprintf(BUNDLES "/%.64s", s->job->id));
    out->argv = vector_of(&s->argv);
    out->env = vector_of(&s->env.whole);
    out->cwd = jstr_or(s->spec, "workingDir", str_empty(s->image->workdir) ? "/" : s->image->workdir);
    out->volumes = s->image->volumes;
    out->mounts = s->mounts;
    out->tty = jbool(s->spec, "tty", false);
    out->stdin_open = jbool(s->spec, "stdin", false);
    out->stdin_once = jbool(s->spec, "stdinOnce", false);
    out->pid_of = target_of(s);
    out->log_path = start_keep(s, xasprintf("%s/%d.log", log_dir, s->c->restarts));
}

static int start_process(struct start *s, struct err *e)
{
    struct kubelet *k = s->p->k;
    struct job *j = s->job;
    char log_dir[PATH_LEN];
    pid_t pid;
    pod_log_dir(s->p->ns, s->p->name, s->p->uid, s->c->name, log_dir);
    remove_previous(s, log_dir);
    new_id(j->id);
    describe_process(s, log_dir);
    if (k->m->ops->mkdir_p(k->m, pod_node(s->p), log_dir, 0755, e) < 0)
        return start_refuse(s, "CreateContainerError");
    kubelet_event(k, s->p, s->c->name, EVENT_NORMAL, "Created", "Created container: %s", s->c->name);
    note_expect(k, s->p, j->id);
    j->started = kubelet_now(k);
    if (k->m->ops->container_start(k->m, &s->out, &pid, e) < 0) {
        struct err kept = ERR_INIT;
        note_forget(k, j->id);
        k->m->ops->remove_all(k->m, pod_node(s->p), s->out.rootfs_dir, &kept); /* the machine does not know it */
        j->created = true;
        return start_refuse(s, "RunContainerError");
    }
    kubelet_event(k, s->p, s->c->name, EVENT_NORMAL, "Started", "Started container %s", s->c->name);
    return 0;
}

static int start(struct start *s, struct err *e)
{
    if (start_image(s, e) < 0)
        return -1;
    if (env_build(s->p, s->spec, s->image, &s->env, e) < 0)
        return start_refuse(s, "CreateContainerConfigError");
    if (start_command(s, e) < 0 || start_identity(s, e) < 0 || start_mounts(s, e) < 0)
        return -1;
    return start_process(s, e);
}

static void start_release(struct start *s)
{
    image_free(s->image);
    env_release(&s->env);
    strlist_release(&s->argv);
    strlist_release(&s->texts);
    buf_release(&s->filter);
    free(s);
}

void container_start_job(struct job *j)
{
    struct start *s = xcalloc(1, sizeof *s); /* too big for a worker's stack */
    s->job = j;
    s->p = j->pod;
    s->c = j->container;
    s->spec = j->container->spec;
    j->ok = start(s, &j->err) == 0;
    start_release(s);
}
