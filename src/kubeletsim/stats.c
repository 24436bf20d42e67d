/* stats.c - one measurement of a node: its filesystems, and what its pods' containers and volumes use.
 *
 * DESIGN: asking a filesystem how full it is costs nothing, walking a tree does. So trees (writable layers, logs,
 * emptyDirs) are walked only if the node's filesystem, which all of them lie on, says that something was allocated or
 * freed since; else their numbers are those of the measurement before. A walk that took long rests twenty times as
 * long. Filesystems that are volumes of their own are asked once a minute, as the kubelet does, those in memory that
 * have a sizeLimit every time.
 *
 * THREADS: stats_plan() on the loop thread, stats_measure() on a worker; a measurement belongs to one of them at a
 * time. Source: pkg/kubelet/stats, pkg/kubelet/server/stats. */
#include "kubeletsim/stats_int.h"
#include "kubeletsim/volumes_int.h"

#include <stdio.h>
#include <stdlib.h>

#define WALK_RESTS 20    /* times its own length */
#define SLOW_MS    60000 /* volumes with filesystems of their own */
#define NANO       1000000000
#define RATE_NS    INT64_C(1000000000) /* at least as long is CPU time counted for a rate */

/* -- the plan (loop thread) -- */

static bool in_memory(const struct volume_run *v)
{
    static const char *const keys[] = {"secret", "projected", "downwardAPI"};
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        if (str_eq(v->plugin->key, keys[i]))
            return true;
    return str_eq(v->plugin->key, "emptyDir") && str_eq(jstr(v->source, "medium"), "Memory");
}

static const char *claim_of(const struct pod_run *p, const char *volume)
{
    size_t i;
    const json_t *spec;
    json_array_foreach(jat(pod_tree(p), "spec.volumes"), i, spec)
    {
        if (str_eq(jstr(spec, "name"), volume))
            return jstr(spec, "persistentVolumeClaim.claimName");
    }
    return NULL;
}

static void plan_volume(const struct pod_run *p, const struct volume_run *v, struct pod_stats *out)
{
    if (!v->mounted || v->block || str_eq(v->plugin->key, "hostPath"))
        return;
    const bool on_disk = !in_memory(v) && (str_eq(v->plugin->key, "emptyDir") || str_eq(v->plugin->key, "configMap"));
    struct volume_stats *s = &out->volumes[out->volume_count++];
    *s =
        (struct volume_stats){.name = xstrdup(v->name), .path = xstrdup(v->path), .local = on_disk, .own_fs = !on_disk};
    s->limited = !on_disk && jstr(v->source, "sizeLimit");
    const char *claim = claim_of(p, v->name);
    if (claim)
        s->claim = xstrdup(claim);
    else if (v->pv)
        s->claim = xasprintf("%s-%s", p->name, v->name); /* the one an ephemeral volume made */
}

static void plan_pod(const struct pod_run *p, struct pod_stats *out)
{
    *out = (struct pod_stats){.ns = xstrdup(p->ns), .name = xstrdup(p->name), .uid = xstrdup(p->uid)};
    out->started = p->start_time;
    out->containers = xcalloc(p->container_count + 1, sizeof *out->containers);
    out->volumes = xcalloc(p->volume_count + 1, sizeof *out->volumes);
    for (size_t i = 0; i < p->container_count; i++) {
        const struct container_run *c = &p->containers[i];
        if (!c->id[0] || (c->state != CONTAINER_RUNNING && container_done(p, c)))
            continue;
        struct container_stats *s = &out->containers[out->container_count++];
        snprintf(s->name, sizeof s->name, "%s", c->name);
        snprintf(s->id, sizeof s->id, "%s", c->id);
        s->started = c->started;
    }
    for (size_t i = 0; i < p->volume_count; i++)
        if (p->volumes[i].plugin)
            plan_volume(p, &p->volumes[i], out);
}

struct node_stats *stats_plan(struct kubelet *k, const struct node_run *n)
{
    struct node_stats *s = xcalloc(1, sizeof *s);
    size_t count = 0;
    for (const struct pod_run *p = k->pods; p; p = p->next)
        count += p->node == n->index;
    s->pods = xcalloc(count + 1, sizeof *s->pods);
    for (const struct pod_run *p = k->pods; p; p = p->next)
        if (p->node == n->index && p->stage == POD_RUN && !p->busy) /* a job may be changing its volumes */
            plan_pod(p, &s->pods[s->pod_count++]);
    return s;
}

void stats_free(struct node_stats *s)
{
    for (size_t i = 0; s && i < s->pod_count; i++) {
        struct pod_stats *p = &s->pods[i];
        for (size_t v = 0; v < p->volume_count; v++) {
            free(p->volumes[v].name);
            free(p->volumes[v].claim);
            free(p->volumes[v].path);
        }
        free(p->ns);
        free(p->name);
        free(p->uid);
        free(p->containers);
        free(p->volumes);
    }
    if (s)
        free(s->pods);
    free(s);
}

const struct pod_stats *stats_of_pod(const struct node_stats *s, const char *uid)
{
    for (size_t i = 0; s && i < s->pod_count; i++)
        if (str_eq(s->pods[i].uid, uid))
            return &s->pods[i];
    return NULL;
}

/* -- what the measurement before knows -- */

static const struct container_stats *container_before(const struct pod_stats *old, const char *id)
{
    for (size_t i = 0; old && i < old->container_count; i++)
        if (str_eq(old->containers[i].id, id))
            return &old->containers[i];
    return NULL;
}

static const struct volume_stats *volume_before(const struct pod_stats *old, const char *name)
{
    for (size_t i = 0; old && i < old->volume_count; i++)
        if (str_eq(old->volumes[i].name, name))
            return &old->volumes[i];
    return NULL;
}

/* Takes over what trees used; false if one of them is new. */
static bool take_pod(struct pod_stats *p, const struct pod_stats *old)
{
    if (!old)
        return false;
    bool all = true;
    p->files = old->files;
    for (size_t i = 0; i < p->container_count; i++) {
        const struct container_stats *o = container_before(old, p->containers[i].id);
        all = all && o;
        if (o) {
            p->containers[i].rootfs = o->rootfs;
            p->containers[i].logs = o->logs;
        }
    }
    for (size_t i = 0; i < p->volume_count; i++) {
        const struct volume_stats *o = volume_before(old, p->volumes[i].name);
        all = all && (o || p->volumes[i].own_fs);
        if (o)
            p->volumes[i].use = o->use;
    }
    return all;
}

static bool take_all(struct node_stats *s, const struct node_stats *before)
{
    bool all = before != NULL;
    for (size_t i = 0; i < s->pod_count; i++)
        all = take_pod(&s->pods[i], stats_of_pod(before, s->pods[i].uid)) && all;
    return all;
}

/* -- trees (worker) -- */

struct walk {
    struct strlist paths;
    struct path_use **uses; /* owned array of where each result goes */
    size_t cap;
};

static void want(struct walk *w, char *take_path, struct path_use *to)
{
    if (w->paths.len == w->cap) {
        w->cap = w->cap ? w->cap * 2 : 64;
        w->uses = xrealloc(w->uses, w->cap * sizeof(struct path_use *));
    }
    w->uses[w->paths.len] = to;
    strlist_take(&w->paths, take_path);
}

static void want_pod(struct walk *w, struct pod_stats *p)
{
    char logs[PATH_LEN];
    for (size_t i = 0; i < p->container_count; i++) {
        struct container_stats *c = &p->containers[i];
        pod_log_dir(p->ns, p->name, p->uid, c->name, logs);
        want(w, xasprintf(BUNDLES "/%s/fs", c->id), &c->rootfs);
        want(w, xstrdup(logs), &c->logs);
    }
    for (size_t i = 0; i < p->volume_count; i++)
        if (!p->volumes[i].own_fs)
            want(w, xstrdup(p->volumes[i].path), &p->volumes[i].use);
    want(w, xasprintf(ROOT_DIR "/pods/%s/containers", p->uid), &p->files);
}

static void walk_trees(struct kubelet *k, const char *node, struct node_stats *s)
{
    struct err e = ERR_INIT;
    struct walk w = {0};
    const int64_t began = kubelet_mono(k);
    for (size_t i = 0; i < s->pod_count; i++)
        want_pod(&w, &s->pods[i]);
    struct path_use *uses = xcalloc(w.paths.len + 1, sizeof *uses);
    if (w.paths.len > 0 &&
        k->m->ops->disk_usage(k->m, node, (const char *const *)w.paths.items, w.paths.len, uses, &e) == 0)
        for (size_t i = 0; i < w.paths.len; i++)
            *w.uses[i] = uses[i];
    s->walked = began;
    s->walked_fs = s->nodefs;
    s->walk_ms = kubelet_mono(k) - began;
    free(uses);
    free(w.uses);
    strlist_release(&w.paths);
}

static bool same_fill(const struct fs_stat *a, const struct fs_stat *b)
{
    return !a->shared && a->bytes_free == b->bytes_free && a->inodes_free == b->inodes_free;
}

static void measure_trees(struct kubelet *k, const char *node, struct node_stats *s, const struct node_stats *before)
{
    const bool known = take_all(s, before) && before->ok;
    const bool rests = known && s->mono - before->walked < before->walk_ms * WALK_RESTS;
    if (!known || (!rests && !same_fill(&s->nodefs, &before->walked_fs))) {
        walk_trees(k, node, s);
        return;
    }
    s->walked = before->walked;
    s->walk_ms = before->walk_ms;
    s->walked_fs = before->walked_fs;
}

/* -- filesystems and processes (worker) -- */

static void measure_volumes(struct kubelet *k, const char *node, struct node_stats *s, const struct node_stats *before)
{
    const bool slow = !before || s->mono - before->slow_at >= SLOW_MS;
    struct err e = ERR_INIT;
    s->slow_at = slow ? s->mono : before->slow_at;
    for (size_t i = 0; i < s->pod_count; i++) {
        const struct pod_stats *old = stats_of_pod(before, s->pods[i].uid);
        for (size_t j = 0; j < s->pods[i].volume_count; j++) {
            struct volume_stats *v = &s->pods[i].volumes[j];
            const struct volume_stats *o = volume_before(old, v->name);
            if (!v->own_fs)
                v->fs = s->nodefs;
            else if (slow || !o || v->limited)
                k->m->ops->fs_stat(k->m, node, v->path, &v->fs, &e);
            else
                v->fs = o->fs;
        }
    }
}

static int64_t nano_cores(int64_t spent_ns, int64_t span_ns)
{
    return spent_ns > 0 && span_ns > 0 ? (int64_t)((double)spent_ns / (double)span_ns * NANO) : 0;
}

/* By the machine's own time, since the cluster's may jump or run fast. The first measurement, which has none to be
 * compared with, takes the container's life by the cluster's (`now`); one too soon after another tells nothing new. */
static void rate_cpu(struct container_stats *c, const struct container_stats *old, int64_t now)
{
    if (old && c->use.at_ns - old->base_at_ns < RATE_NS) {
        c->base_at_ns = old->base_at_ns;
        c->base_cpu_ns = old->base_cpu_ns;
        c->nano_cores = old->nano_cores;
        return;
    }
    c->base_at_ns = c->use.at_ns;
    c->base_cpu_ns = c->use.cpu_ns;
    c->nano_cores = old ? nano_cores(c->use.cpu_ns - old->base_cpu_ns, c->use.at_ns - old->base_at_ns)
                        : nano_cores(c->use.cpu_ns, now - c->started);
}

static void measure_processes(struct kubelet *k, const char *node, struct node_stats *s,
                              const struct node_stats *before)
{
    struct err e = ERR_INIT;
    size_t n = 0, at = 0;
    for (size_t i = 0; i < s->pod_count; i++)
        n += s->pods[i].container_count;
    const char **ids = xcalloc(n + 1, sizeof *ids);
    struct container_use *uses = xcalloc(n + 1, sizeof *uses);
    for (size_t i = 0; i < s->pod_count; i++)
        for (size_t j = 0; j < s->pods[i].container_count; j++)
            ids[at++] = s->pods[i].containers[j].id;
    const bool known = n == 0 || k->m->ops->container_usage(k->m, node, ids, n, uses, &e) == 0;
    at = 0;
    for (size_t i = 0; known && i < s->pod_count; i++) {
        const struct pod_stats *old = stats_of_pod(before, s->pods[i].uid);
        for (size_t j = 0; j < s->pods[i].container_count; j++) {
            struct container_stats *c = &s->pods[i].containers[j];
            const struct container_stats *o = container_before(old, c->id);
            c->use = uses[at++];
            rate_cpu(c, o, s->at);
        }
    }
    free(ids);
    free(uses);
}

static void add_use(struct path_use *sum, const struct path_use *u)
{
    sum->bytes += u->bytes;
    sum->inodes += u->inodes;
}

static void sum_pod(struct pod_stats *p)
{
    p->total = p->files;
    for (size_t i = 0; i < p->container_count; i++) {
        add_use(&p->total, &p->containers[i].rootfs);
        add_use(&p->total, &p->containers[i].logs);
    }
    for (size_t i = 0; i < p->volume_count; i++)
        if (p->volumes[i].local)
            add_use(&p->total, &p->volumes[i].use);
}

void stats_measure(struct kubelet *k, const char *node, struct node_stats *s, const struct node_stats *before)
{
    struct err e = ERR_INIT;
    s->at = kubelet_now(k);
    s->mono = kubelet_mono(k);
    s->memory_available = k->m->ops->memory_available(k->m);
    if (k->m->ops->fs_stat(k->m, node, "/", &s->nodefs, &e) < 0)
        return;
    if (k->m->ops->fs_stat(k->m, node, NODE_IMAGEFS, &s->imagefs, &e) < 0)
        s->imagefs = s->nodefs;
    s->ok = true;
    measure_trees(k, node, s, before);
    measure_volumes(k, node, s, before);
    measure_processes(k, node, s, before);
    for (size_t i = 0; i < s->pod_count; i++)
        sum_pod(&s->pods[i]);
}

/* -- sums -- */

int64_t fs_used(const struct fs_stat *fs)
{
    return fs->bytes - fs->bytes_free;
}

int64_t volume_used(const struct volume_stats *v)
{
    return v->own_fs ? fs_used(&v->fs) : v->use.bytes;
}

struct container_use pod_use(const struct pod_stats *p, int64_t *out_nano_cores)
{
    struct container_use sum = {0};
    *out_nano_cores = 0;
    for (size_t i = 0; i < p->container_count; i++) {
        const struct container_use *u = &p->containers[i].use;
        sum.cpu_ns += u->cpu_ns > 0 ? u->cpu_ns : 0;
        sum.memory += u->memory > 0 ? u->memory : 0;
        sum.working_set += u->working_set > 0 ? u->working_set : 0;
        sum.rss += u->rss > 0 ? u->rss : 0;
        sum.pids += u->pids > 0 ? u->pids : 0;
        *out_nano_cores += p->containers[i].nano_cores;
    }
    return sum;
}
