/* checkpoint_restore.c - back to a checkpoint, in a running cluster.
 *
 *     rest     loops do nothing more, the cloud stands still; pods run
 *     plan     which disks have other bytes now, which nodes must be restarted
 *     stage    copies of the checkpoint's bytes beside them; meanwhile:
 *     stop     those nodes are abandoned, which kills their pods; disks are detached
 *     commit   objects, in one transaction                                       (checkpoint_swap.c: a kill before it
 *     swap     files are renamed, the cloud's records replaced                     undoes, after it completes)
 *     answer   objects and bytes are those of the checkpoint, whatever happens from here on
 *     start    nodes are switched on, disks attached as recorded, loops go on
 *
 * A node is restarted when a pod is on it, now or then, when it has a disk attached, or when its own filesystem was
 * written since: what has files open cannot have them changed underneath. A cluster in which only objects changed keeps
 * its nodes, and its way back is some milliseconds.
 *
 * Who asked is answered before the nodes are on: pods start behind in any case, and what is asked of a node meanwhile
 * waits (kubelet_node_await), as does the next save or restore, and the cluster's end. A node that does not come on
 * stays off: its Node becomes NotReady; the log, and who asks something of it, hear why.
 *
 * Until the commit every failure leads back to what was: nodes on, disks attached. After it nothing is left that can
 * run out of room; a failure (of the machine, then) leaves the rest for the next start (checkpoint_recover).
 *
 * THREADS: one of its own for the whole way, as who freezes the cloud thaws it; the caller waits for the answer. */
#include "app/checkpoint_int.h"

#include "app/simulated.h"
#include "base/log.h"
#include "control/control.h"
#include "control/objects.h"

#include <stdlib.h>
#include <string.h>

#define LEASES       "leases.coordination.k8s.io"
#define NODE_LEASES  "kube-node-lease"
#define REST_MS      5000
#define DETACH_TRIES 12 /* each waits by itself: the kernel takes a dead node's mounts down in its own time */

struct asked { /* its caller's again when it is answered */
    struct checkpoints *cs;
    const char *name;
    json_t *told; /* owned */
    struct err err;
    int rc;
    pthread_mutex_t mu;
    pthread_cond_t cond;
    bool answered; /* under mu */
};

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
        g->restart[i] |= g->on[i] != g->was_on[i];
        if (g->restart[i] || !row || is_simulated(g->cs->m))
            continue;
        node_seen(g->cs->m, name, seen); /* which writes it out: not for nothing */
        g->restart[i] = !same_bytes(row, seen);
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

struct staging {
    const struct going *g;
    struct err err;
    int rc;
};

static void *stage_main(void *arg)
{
    struct staging *s = arg;
    s->rc = disk_jobs_run(s->g->cs->m, s->g->jobs, s->g->job_count, &s->err);
    return NULL;
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
    const int rc = kubelet_restart_begin(cluster_kubelet(g->cs->cluster), g->restart, e);
    phase_end(&g->phases, "nodes-off");
    if (rc < 0 || detach_all(g, e) < 0)
        return -1;
    phase_end(&g->phases, "detach");
    return 0;
}

/* What is copied is the checkpoint's, nobody else has it open: nodes need not be off for that. */
static int stage_and_stop(struct going *g, struct err *e)
{
    struct staging s = {.g = g, .err = ERR_INIT};
    pthread_t thread;
    unstage(g); /* of an attempt that failed, as is what may be in the trash */
    empty_trash(g->cs);
    const bool copies = g->job_count > 0 && !is_simulated(g->cs->m);
    const bool beside = copies && pthread_create(&thread, NULL, stage_main, &s) == 0;
    const int stopped = stop(g, e);
    if (beside)
        pthread_join(thread, NULL);
    else if (copies && stopped == 0)
        stage_main(&s);
    phase_end(&g->phases, "stage");
    if (stopped < 0)
        return -1;
    if (s.rc < 0) {
        *e = s.err;
        return -1;
    }
    return swap_begin(g->cs->dir, g->pending, e);
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
    const int rc = kubelet_restart_end(cluster_kubelet(c), which, attach_all, g, e);
    cloud_thaw(cluster_cloud(c));
    control_go_on(cluster_control(c));
    return rc;
}

/* Before the commit: back to what was. */
static void give_up(struct going *g)
{
    struct err lost = ERR_INIT;
    memcpy(g->on, g->was_on, sizeof g->on);
    swap_end(g->cs->dir);
    if (start(g, &lost) < 0)
        log_error("checkpoint", "after a restore that failed: %s", lost.msg);
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
    return json_pack("{s:I, s:I, s:I, s:I, s:o, s:o}", "added", (json_int_t)g->told.added, "changed",
                     (json_int_t)g->told.changed, "removed", (json_int_t)g->told.removed, "disks", (json_int_t)disks,
                     "nodes", nodes, "ms", json_deep_copy(g->phases.ms));
}

static void answer(struct asked *a, int rc, json_t *take_told)
{
    pthread_mutex_lock(&a->mu);
    a->rc = rc;
    a->told = take_told;
    a->answered = true;
    pthread_cond_signal(&a->cond);
    pthread_mutex_unlock(&a->mu);
}

static void go_behind(struct going *g)
{
    struct err e = ERR_INIT;
    const int rc = start(g, &e);
    phase_end(&g->phases, "nodes-on");
    if (rc < 0)
        log_error("checkpoint", "\"%s\" is restored, but: %s", g->cp->name, e.msg);
    else
        look_at_nodes(g);
    log_debug("checkpoint", "nodes were on %.1f ms after the answer",
              json_number_value(json_object_get(g->phases.ms, "nodes-on")));
}

static void go(struct going *g, struct asked *a)
{
    struct err late = ERR_INIT;
    rest(g);
    plan(g);
    if (stage_and_stop(g, &a->err) < 0 || commit(g, &a->err) < 0) {
        give_up(g);
        answer(a, -1, NULL);
        return;
    }
    int rc = swap(g, &a->err);
    if (rc < 0)
        err_wrap(&a->err, "the objects are back, the disks are not; restart the cluster");
    else
        look_again(g);
    if (rc == 0)
        rc = cluster_restored(g->cs->cluster, &a->err);
    if (rc < 0)
        start(g, &late);
    answer(a, rc, rc < 0 ? NULL : told(g));
    if (rc == 0)
        go_behind(g);
}

static void restore_taken(struct asked *a)
{
    struct checkpoints *cs = a->cs;
    struct checkpoint *cp = checkpoint_find(cs, a->name, &a->err);
    struct snapshot *to = cp ? checkpoint_objects(cs, cp, &a->err) : NULL;
    if (!to) {
        answer(a, -1, NULL);
        return;
    }
    struct going g = {.cs = cs, .cp = cp, .to = to, .phases = {json_object(), clock_mono_ns(clock_real())}};
    go(&g, a);
    empty_trash(cs);
    json_decref(g.phases.ms);
    json_decref(g.pending);
    strlist_release(&g.disks);
    free(g.jobs);
}

static void *restore_main(void *arg)
{
    struct checkpoints *cs = ((struct asked *)arg)->cs; /* `arg` is gone after the answer */
    restore_taken(arg);
    checkpoints_give(cs);
    return NULL;
}

static void begin(struct asked *a)
{
    struct checkpoints *cs = a->cs;
    checkpoints_join(cs);
    cs->has_behind = true; /* before the thread gives the rest to somebody else */
    if (pthread_create(&cs->behind, NULL, restore_main, a) == 0)
        return;
    cs->has_behind = false;
    restore_main(a);
}

int checkpoint_restore(struct checkpoints *cs, const char *name, json_t **out, struct err *e)
{
    struct asked a = {.cs = cs, .name = name, .err = ERR_INIT};
    if (checkpoints_take(cs, e) < 0)
        return -1;
    pthread_mutex_init(&a.mu, NULL);
    pthread_cond_init(&a.cond, NULL);
    begin(&a);
    pthread_mutex_lock(&a.mu);
    while (!a.answered)
        pthread_cond_wait(&a.cond, &a.mu);
    pthread_mutex_unlock(&a.mu);
    pthread_cond_destroy(&a.cond);
    pthread_mutex_destroy(&a.mu);
    if (a.rc < 0)
        *e = a.err;
    else
        *out = a.told;
    return a.rc;
}
