/* checkpoint_restore.c - back to a checkpoint, in a running cluster.
 *
 *     rest     loops do nothing more, the cloud stands still; pods run
 *     plan     which disks have other bytes now, which nodes must be restarted
 *     stage    copies of the checkpoint's bytes beside them
 *     stop     those nodes are switched off, which kills their pods; disks are detached
 *     commit   objects, in one transaction                                       (checkpoint_swap.c: a kill before it
 *     swap     files are renamed, the cloud's records replaced                     undoes, after it completes)
 *     start    nodes are switched on, disks attached as recorded, loops go on
 *
 * A node is restarted when a pod is on it, now or then, when it has a disk attached, or when its own filesystem was
 * written since: what has files open cannot have them changed underneath. A cluster in which only objects changed keeps
 * its nodes, and its way back is some milliseconds.
 *
 * Until the commit every failure leads back to what was: nodes on, disks attached. After it nothing is left that can
 * run out of room; a failure (of the machine, then) leaves the rest for the next start (checkpoint_recover). THREADS:
 * the caller's, which freezes the cloud. */
#include "app/checkpoint_int.h"

#include "app/simulated.h"
#include "control/control.h"
#include "control/objects.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LEASES       "leases.coordination.k8s.io"
#define NODE_LEASES  "kube-node-lease"
#define REST_MS      5000
#define DETACH_TRIES 2500 /* × 2 ms: the kernel takes a dead node's mounts down in its own time */

struct going {
    struct checkpoints *cs;
    struct checkpoint *cp;
    struct snapshot *to; /* borrowed */
    int nodes;
    bool restart[NODES_MOST]; /* switched off meanwhile */
    bool on[NODES_MOST];      /* and on afterwards */
    bool was_on[NODES_MOST];
    bool pods_then[NODES_MOST]; /* the checkpoint has pods there */
    struct disk_job *jobs;      /* owned: what is staged */
    size_t job_count;
    struct strlist disks; /* now */
    json_t *pending;      /* owned */
    char token[37];
    struct phases phases;
    struct store_restored told;
};

static void rest(struct going *g)
{
    control_pause(cluster_control(g->cs->cluster), REST_MS);
    cloud_freeze(cluster_cloud(g->cs->cluster));
    phase_end(&g->phases, "rest");
}

/* ---- plan ---- */

static int node_index(const struct going *g, const char *name)
{
    for (int i = 0; name && i < g->nodes; i++) {
        char have[64];
        kubelet_node_name(i, have);
        if (str_eq(have, name))
            return i;
    }
    return -1;
}

static void restart_named(struct going *g, const char *node)
{
    const int i = node_index(g, node);
    if (i >= 0)
        g->restart[i] = true;
}

static int visit_pod(struct sobj *pod, void *arg)
{
    restart_named(arg, jstr(pod->tree, "spec.nodeName"));
    return 0;
}

static int visit_pod_then(struct sobj *pod, void *arg)
{
    struct going *g = arg;
    const int i = node_index(g, jstr(pod->tree, "spec.nodeName"));
    if (i >= 0)
        g->restart[i] = g->pods_then[i] = true;
    return 0;
}

static bool same_bytes(const json_t *row, const char *seen)
{
    return row && *seen && str_eq(seen, jstr(row, "seen"));
}

static void plan_nodes(struct going *g)
{
    struct snapshot *now = store_snapshot(cluster_store(g->cs->cluster));
    snapshot_scan(now, RES.pods->bucket, NULL, NULL, NULL, visit_pod, g);
    snapshot_scan(g->to, RES.pods->bucket, NULL, NULL, NULL, visit_pod_then, g);
    snapshot_unref(now);
    for (int i = 0; i < g->nodes; i++) {
        char name[64], seen[96];
        kubelet_node_name(i, name);
        const json_t *row = checkpoint_row(g->cp, "nodes", name);
        g->was_on[i] = kubelet_node_is_on(cluster_kubelet(g->cs->cluster), i);
        g->on[i] = jbool(row, "on", true);
        node_seen(g->cs->m, name, seen);
        g->restart[i] |= g->on[i] != g->was_on[i] || (row && !same_bytes(row, seen) && !is_simulated(g->cs->m));
    }
}

static void stage(struct going *g, const char *id, const char *prefix)
{
    struct disk_job *job = &g->jobs[g->job_count++];
    snprintf(job->from, sizeof job->from, KEPT_DISK "%s-%s%s", jstr_or(g->cp->manifest, "serial", ""), prefix, id);
    snprintf(job->to, sizeof job->to, STAGED_DISK "%s%s", prefix, id);
}

static void plan_disks(struct going *g)
{
    size_t i;
    const json_t *row;
    char node[64], seen[96];
    disks_now(g->cs, &g->disks);
    for (size_t k = 0; k < g->disks.len; k++)
        if (disk_node(g->cs->m, g->disks.items[k], node))
            restart_named(g, node);
    json_t *ids = json_array();
    json_array_foreach(json_object_get(g->cp->manifest, "disks"), i, row)
    {
        const char *id = jstr_or(row, "id", "");
        json_array_append_new(ids, json_string(id));
        disk_seen(g->cs, id, seen);
        if (!same_bytes(row, seen))
            stage(g, id, "");
    }
    random_uuid(g->token);
    g->pending = json_pack("{s:s, s:o, s:O}", "token", g->token, "disks", ids, "cloud",
                           json_object_get(g->cp->manifest, "cloud"));
}

static void plan(struct going *g)
{
    const size_t most = json_array_size(json_object_get(g->cp->manifest, "disks")) + NODES_MOST;
    g->jobs = xcalloc(most, sizeof *g->jobs);
    g->nodes = cluster_nodes(g->cs->cluster) < NODES_MOST ? cluster_nodes(g->cs->cluster) : NODES_MOST;
    plan_disks(g);
    plan_nodes(g);
    for (int i = 0; i < g->nodes; i++) {
        char name[64];
        kubelet_node_name(i, name);
        if (g->restart[i] && checkpoint_row(g->cp, "nodes", name))
            stage(g, name, NODE_DISK);
    }
    phase_end(&g->phases, "plan");
}

static void unstage(struct going *g)
{
    _auto_strlist_ struct strlist staged = {0};
    for (size_t i = 0; i < g->job_count; i++)
        strlist_add(&staged, g->jobs[i].to);
    disks_remove_all(g->cs->m, &staged);
}

static void empty_trash(struct checkpoints *cs)
{
    _auto_free_ char *dir = xasprintf("%s/disks", cluster_data_dir(cs->cluster));
    _auto_strlist_ struct strlist gone = {0};
    disks_in(dir, TRASH_DISK, &gone);
    disks_remove_all(cs->m, &gone);
}

static int stage_all(struct going *g, struct err *e)
{
    unstage(g); /* of an attempt that failed, as is what may be in the trash */
    empty_trash(g->cs);
    if (!is_simulated(g->cs->m) && disk_jobs_run(g->cs->m, g->jobs, g->job_count, e) < 0)
        return -1;
    phase_end(&g->phases, "stage");
    return swap_begin(g->cs->dir, g->pending, e);
}

/* ---- stop ---- */

static int detach(struct machine *m, const char *id, struct err *e)
{
    char node[64];
    for (int i = 0; disk_node(m, id, node); i++) {
        struct err why = ERR_INIT;
        if (m->ops->disk_detach(m, id, node, &why) == 0 || why.code == ERR_NOT_FOUND)
            continue;
        if (why.code != ERR_BUSY || i >= DETACH_TRIES) {
            *e = why;
            return -1;
        }
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    }
    return 0;
}

static int detach_all(struct going *g, struct err *e)
{
    for (size_t i = 0; i < g->disks.len; i++)
        if (detach(g->cs->m, g->disks.items[i], e) < 0)
            return -1;
    return 0;
}

static int stop(struct going *g, struct err *e)
{
    const int rc = kubelet_nodes_power(cluster_kubelet(g->cs->cluster), g->restart, false, NULL, NULL, e);
    phase_end(&g->phases, "nodes-off");
    if (rc < 0 || detach_all(g, e) < 0)
        return -1;
    phase_end(&g->phases, "detach");
    return 0;
}

/* ---- commit, swap ---- */

/* Heartbeats are of now. */
static bool keep(const char *bucket, const char *ns, const char *name _unused_, void *arg _unused_)
{
    return str_eq(bucket, LEASES) && str_eq(ns, NODE_LEASES);
}

static json_t *revise(const struct sobj *obj, void *arg)
{
    const struct going *g = arg;
    if (!str_eq(obj->bucket, RES.pods->bucket))
        return NULL;
    const int node = node_index(g, jstr(obj->tree, "spec.nodeName"));
    return node >= 0 && g->restart[node] ? pod_unstarted(obj->tree) : NULL;
}

/* What has a life that only goes forward: a loop that follows it knows no way back. */
static bool anew(const struct sobj *now, const struct sobj *then _unused_, void *arg _unused_)
{
    const char *const lives[] = {RES.pods->bucket,
                                 RES.persistentvolumeclaims->bucket,
                                 RES.persistentvolumes->bucket,
                                 RES.volumeattachments->bucket,
                                 RES.volumesnapshots->bucket,
                                 RES.volumesnapshotcontents->bucket,
                                 RES.jobs->bucket};
    for (size_t i = 0; i < ARRAY_LEN(lives); i++)
        if (str_eq(now->bucket, lives[i]))
            return true;
    return false;
}

static int commit(struct going *g, struct err *e)
{
    const struct store_restore r = {
        .to = g->to, .keep = keep, .revise = revise, .anew = anew, .arg = g, .mark = g->token};
    if (store_restore(cluster_store(g->cs->cluster), &r, &g->told, e) < 0)
        return -1;
    phase_end(&g->phases, "commit");
    return 0;
}

static int swap(struct going *g, struct err *e)
{
    struct cluster *c = g->cs->cluster;
    if (!is_simulated(g->cs->m) && swap_files(cluster_data_dir(c), g->pending, e) < 0)
        return -1;
    if (cloud_replace(cluster_cloud(c), json_object_get(g->cp->manifest, "cloud"), e) < 0)
        return -1;
    swap_end(g->cs->dir);
    phase_end(&g->phases, "swap");
    return 0;
}

/* What is there now is what the checkpoint has: the next time it can be told apart. */
static void look_again(struct going *g)
{
    size_t i;
    json_t *row;
    char seen[96];
    json_array_foreach(json_object_get(g->cp->manifest, "disks"), i, row)
    {
        disk_seen(g->cs, jstr_or(row, "id", ""), seen);
        jset_str(row, "seen", seen);
    }
}

/* A node that has no pods writes nothing of its own after it has started. */
static void look_at_nodes(struct going *g)
{
    for (int i = 0; i < g->nodes; i++) {
        char name[64], seen[96];
        kubelet_node_name(i, name);
        json_t *row = checkpoint_row(g->cp, "nodes", name);
        if (!row || !g->restart[i])
            continue;
        node_seen(g->cs->m, name, seen);
        jset_str(row, "seen", g->on[i] && !g->pods_then[i] ? seen : "");
    }
}

/* ---- start ---- */

static int attach_all(void *arg, struct err *e)
{
    return cloud_resume(cluster_cloud(((struct going *)arg)->cs->cluster), e);
}

static int start(struct going *g, struct err *e)
{
    struct cluster *c = g->cs->cluster;
    bool which[NODES_MOST] = {false};
    for (int i = 0; i < g->nodes; i++)
        which[i] = g->restart[i] && g->on[i];
    int rc = kubelet_nodes_power(cluster_kubelet(c), which, true, attach_all, g, e);
    cloud_thaw(cluster_cloud(c));
    phase_end(&g->phases, "nodes-on");
    if (cluster_restored(c, e) < 0)
        rc = -1;
    control_go_on(cluster_control(c));
    return rc;
}

/* Before the commit: back to what was. */
static void give_up(struct going *g)
{
    struct err lost = ERR_INIT;
    memcpy(g->on, g->was_on, sizeof g->on);
    swap_end(g->cs->dir);
    start(g, &lost);
    unstage(g);
}

/* ---- the whole ---- */

static json_t *told(const struct going *g)
{
    json_t *nodes = json_array();
    size_t disks = 0;
    for (int i = 0; i < g->nodes; i++) {
        char name[64];
        kubelet_node_name(i, name);
        if (g->restart[i])
            json_array_append_new(nodes, json_string(name));
    }
    for (size_t i = 0; i < g->job_count; i++)
        disks += !str_starts(g->jobs[i].to, STAGED_DISK NODE_DISK);
    return json_pack("{s:I, s:I, s:I, s:I, s:o, s:O}", "added", (json_int_t)g->told.added, "changed",
                     (json_int_t)g->told.changed, "removed", (json_int_t)g->told.removed, "disks", (json_int_t)disks,
                     "nodes", nodes, "ms", g->phases.ms);
}

static int go(struct going *g, struct err *e)
{
    rest(g);
    plan(g);
    if (stage_all(g, e) < 0 || stop(g, e) < 0 || commit(g, e) < 0) {
        give_up(g);
        return -1;
    }
    struct err late = ERR_INIT;
    const int swapped = swap(g, e);
    if (swapped == 0)
        look_again(g);
    const int started = start(g, swapped < 0 ? &late : e);
    if (swapped == 0 && started == 0)
        look_at_nodes(g);
    return swapped < 0 ? err_wrap(e, "the objects are back, the disks are not; restart the cluster") : started;
}

static int restore_locked(struct checkpoints *cs, const char *name, json_t **out, struct err *e)
{
    struct checkpoint *cp = checkpoint_find(cs, name, e);
    struct snapshot *to = cp ? checkpoint_objects(cs, cp, e) : NULL;
    if (!to)
        return -1;
    struct going g = {.cs = cs, .cp = cp, .to = to, .phases = {json_object(), clock_mono_ns(clock_real())}};
    const int rc = go(&g, e);
    if (rc == 0)
        *out = told(&g);
    empty_trash(cs);
    json_decref(g.phases.ms);
    json_decref(g.pending);
    strlist_release(&g.disks);
    free(g.jobs);
    return rc;
}

int checkpoint_restore(struct checkpoints *cs, const char *name, json_t **out, struct err *e)
{
    pthread_mutex_lock(&cs->mu);
    const int rc = restore_locked(cs, name, out, e);
    pthread_mutex_unlock(&cs->mu);
    return rc;
}
