/* drain.c - `kubectl cordon`, `uncordon` and `drain`: a node taken out of use.
 *
 * DESIGN: draining asks of each pod what may be done with it (a list of filters, the first "no" ends the asking),
 * evicts those that may go, all at once, and then looks each second who is still there. A budget that forbids an
 * eviction is asked again after five seconds. Every pod is a row with its own state; nothing here runs in parallel. */
#include "base/clock.h"
#include "base/json.h"
#include "base/str.h"
#include "kubectl/verbs/modify.h"
#include "kubectl/verbs/verbs_int.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define STRATEGIC "application/strategic-merge-patch+json"
#define RETRY_MS  5000
#define LOOK_MS   1000

/* ---- cordon ---- */

/* 0: as it should be now (told); -1: told what went wrong. */
static int cordon_node(struct call *c, struct change *ch, const struct kind *kind, const json_t *node, bool desired)
{
    const char *name = jstr_or(node, "metadata.name", ""), *un = desired ? "" : "un";
    _auto_buf_ struct buf path = BUF_INIT, done = BUF_INIT;
    struct err e = ERR_INIT;
    bool change = jbool(node, "spec.unschedulable", false) != desired;
    buf_addf(&done, "%s%scordoned", change ? "" : "already ", un);
    _auto_json_ json_t *patch = json_pack("{s:{s:o}}", "spec", "unschedulable", desired ? json_true() : json_null());
    kind_path(kind, NULL, name, NULL, &path);
    if (change && ch->dry != DRY_CLIENT &&
        change_send(c, ch, "PATCH", buf_str(&path), patch, STRATEGIC, NULL, &e) < 0) {
        const char *why = c->failure != NULL ? jstr_or(c->failure, "message", e.msg) : e.msg;
        fprintf(c->k->err, "error: unable to %scordon node \"%s\": %s\n", un, name, why);
        return -1;
    }
    change_tell(c, ch, kind, node, buf_str(&done));
    fflush(c->k->out);
    return 0;
}

struct nodes {
    json_t *list; /* owned */
    struct change change;
};

static int gather(struct call *c _unused_, const struct target *t _unused_, json_t *object, void *arg)
{
    json_array_append(((struct nodes *)arg)->list, object);
    return 0;
}

/* The nodes that are meant; -1: told. */
static int nodes_of(struct call *c, struct nodes *n, const char *usage)
{
    _auto_targets_ struct targets t = {0};
    n->list = json_array();
    if (c->words.len == 0 && !*call_text(c, "selector"))
        return call_usage(c, "USAGE: %s [flags]", usage), -1;
    if (c->words.len > 0 && *call_text(c, "selector"))
        return call_usage(c, "error: cannot specify both a node name and a --selector option"), -1;
    if (change_begin(c, &n->change) < 0 ||
        targets_of(c, &(struct targets_opts){.no_files = true, .kind = "nodes"}, &t) < 0)
        return -1;
    targets_visit(c, &t, gather, n);
    return c->code != 0 ? -1 : 0;
}

static int cordon_all(struct call *c, bool desired, const char *usage)
{
    struct nodes n = {0};
    if (nodes_of(c, &n, usage) == 0) {
        const struct kind *kind = call_kind(c, "nodes");
        for (size_t i = 0; kind != NULL && i < json_array_size(n.list); i++)
            cordon_node(c, &n.change, kind, json_array_get(n.list, i), desired);
    }
    change_end(c, &n.change);
    json_decref(n.list);
    return c->code;
}

static int cordon_run(struct call *c)
{
    return cordon_all(c, true, "cordon NODE");
}

static int uncordon_run(struct call *c)
{
    return cordon_all(c, false, "uncordon NODE");
}

/* ---- which pods ---- */

enum verdict { POD_GOES, POD_STAYS, POD_WARNS, POD_FORBIDS };
struct leaving {
    const json_t *pod; /* borrowed */
    enum verdict verdict;
    bool goes;
    char *why; /* owned; of a warning or a refusal */
    enum { TO_EVICT, TO_GO, GONE } state;
    int64_t again; /* when to try, of the monotonic clock */
};
struct leavings {
    json_t *pods;          /* owned */
    struct leaving *items; /* owned */
    size_t len;
};

static void leavings_release(struct leavings *l)
{
    for (size_t i = 0; i < l->len; i++)
        free(l->items[i].why);
    free(l->items);
    json_decref(l->pods);
    *l = (struct leavings){0};
}

static const json_t *controller_of(const json_t *pod)
{
    const json_t *owners = jat(pod, "metadata.ownerReferences");
    for (size_t i = 0; i < json_array_size(owners); i++)
        if (jbool(json_array_get(owners, i), "controller", false))
            return json_array_get(owners, i);
    return NULL;
}

static bool is_finished(const json_t *pod)
{
    return str_eq(jstr(pod, "status.phase"), "Succeeded") || str_eq(jstr(pod, "status.phase"), "Failed");
}

static void say(struct leaving *l, enum verdict verdict, bool goes, const char *why)
{
    free(l->why);
    l->verdict = verdict;
    l->goes = goes;
    l->why = why != NULL ? xstrdup(why) : NULL;
}

/* Its set must still be there: otherwise it is an orphan. */
static void ask_daemon_set(struct call *c, struct leaving *l, const json_t *owner)
{
    _auto_buf_ struct buf path = BUF_INIT;
    struct err e = ERR_INIT;
    buf_addf(&path, "/apis/apps/v1/namespaces/%s/daemonsets/%s", jstr_or(l->pod, "metadata.namespace", ""),
             jstr_or(owner, "name", ""));
    if (call_json(c, "GET", buf_str(&path), NULL, NULL, NULL, &e) == 0) {
        bool ignore = call_bool(c, "ignore-daemonsets");
        say(l, ignore ? POD_WARNS : POD_FORBIDS, false,
            ignore ? "ignoring DaemonSet-managed Pods" : "DaemonSet-managed Pods (use --ignore-daemonsets to ignore)");
        return;
    }
    bool orphan = call_not_found(c) && call_bool(c, "force");
    say(l, orphan ? POD_WARNS : POD_FORBIDS, orphan, jstr_or(c->failure, "message", e.msg));
    call_forget(c);
}

static bool has_local_storage(const json_t *pod)
{
    const json_t *volumes = jat(pod, "spec.volumes");
    for (size_t i = 0; i < json_array_size(volumes); i++)
        if (json_is_object(jat(json_array_get(volumes, i), "emptyDir")))
            return true;
    return false;
}

static bool is_long_deleted(struct call *c, const json_t *pod)
{
    int64_t at, limit = call_int(c, "skip-wait-for-delete-timeout");
    const char *deleted = jstr(pod, "metadata.deletionTimestamp");
    return limit > 0 && deleted != NULL && time_parse(deleted, &at) == 0 &&
           (clock_wall_ns(clock_real()) - at) / 1000000000 > limit;
}

static void judge(struct call *c, struct leaving *l)
{
    const json_t *owner = controller_of(l->pod);
    bool finished = is_finished(l->pod);
    say(l, POD_GOES, true, NULL);
    if (is_long_deleted(c, l->pod) || jmap(l->pod, "metadata.annotations", "kubernetes.io/config.mirror") != NULL) {
        say(l, POD_STAYS, false, NULL);
        return;
    }
    if (owner != NULL && str_eq(jstr(owner, "kind"), "DaemonSet") && !finished)
        ask_daemon_set(c, l, owner);
    if (!l->goes || finished)
        return;
    if (has_local_storage(l->pod)) {
        bool may = call_bool(c, "delete-emptydir-data");
        say(l, may ? POD_WARNS : POD_FORBIDS, may,
            may ? "deleting Pods with local storage"
                : "Pods with local storage (use --delete-emptydir-data to override)");
        if (!may)
            return;
    }
    if (owner != NULL)
        say(l, POD_GOES, true, NULL);
    else if (call_bool(c, "force"))
        say(l, POD_WARNS, true, "deleting Pods that declare no controller");
    else
        say(l, POD_FORBIDS, false, "cannot delete Pods that declare no controller (use --force to override)");
}

static int judge_all(struct call *c, const char *node, struct leavings *out, struct err *e)
{
    _auto_buf_ struct buf path = BUF_INIT;
    _auto_json_ json_t *list = NULL;
    _auto_free_ char *field = xasprintf("spec.nodeName=%s", node);
    buf_adds(&path, "/api/v1/pods");
    call_query(&path, "fieldSelector", field);
    if (*call_text(c, "pod-selector"))
        call_query(&path, "labelSelector", call_text(c, "pod-selector"));
    if (call_json(c, "GET", buf_str(&path), NULL, NULL, &list, e) < 0)
        return -1;
    *out = (struct leavings){.pods = json_incref(json_object_get(list, "items"))};
    out->len = json_array_size(out->pods);
    out->items = xcalloc(out->len + 1, sizeof *out->items);
    for (size_t i = 0; i < out->len; i++) {
        out->items[i].pod = json_array_get(out->pods, i);
        judge(c, &out->items[i]);
    }
    return 0;
}

/* Reasons of a verdict, each with its pods: "ignoring …: ns/a, ns/b". */
static void reasons(const struct leavings *l, enum verdict verdict, const char *before, struct strlist *out)
{
    for (size_t i = 0; i < l->len; i++) {
        bool told = l->items[i].verdict != verdict;
        for (size_t j = 0; j < i; j++)
            told |= l->items[j].verdict == verdict && str_eq(l->items[j].why, l->items[i].why);
        if (told)
            continue;
        _auto_buf_ struct buf text = BUF_INIT;
        buf_addf(&text, "%s%s: ", before, l->items[i].why);
        const char *comma = "";
        for (size_t j = i; j < l->len; j++) {
            if (l->items[j].verdict != verdict || !str_eq(l->items[j].why, l->items[i].why))
                continue;
            buf_addf(&text, "%s%s/%s", comma, jstr_or(l->items[j].pod, "metadata.namespace", ""),
                     jstr_or(l->items[j].pod, "metadata.name", ""));
            comma = ", ";
        }
        strlist_add(out, buf_str(&text));
    }
}

/* ---- out with them ---- */

struct draining {
    struct call *c;
    struct change *change;
    const struct kind *pods;
    int64_t deadline; /* INT64_MAX: none */
};

static json_t *delete_options(const struct draining *d)
{
    json_t *out = json_object();
    if (call_int(d->c, "grace-period") >= 0)
        jset_int(out, "gracePeriodSeconds", call_int(d->c, "grace-period"));
    if (d->change->dry == DRY_SERVER)
        json_object_set_new(out, "dryRun", json_pack("[s]", "All"));
    return out;
}

static int send_off(struct draining *d, const json_t *pod, struct err *e)
{
    const char *ns = jstr_or(pod, "metadata.namespace", ""), *name = jstr_or(pod, "metadata.name", "");
    bool evict = !call_bool(d->c, "disable-eviction");
    _auto_buf_ struct buf path = BUF_INIT;
    _auto_json_ json_t *options = delete_options(d);
    kind_path(d->pods, ns, name, evict ? "eviction" : NULL, &path);
    if (!evict)
        return call_json(d->c, "DELETE", buf_str(&path), options, NULL, NULL, e);
    _auto_json_ json_t *eviction = json_pack("{s:s,s:s,s:{s:s,s:s},s:O}", "apiVersion", "policy/v1", "kind", "Eviction",
                                             "metadata", "name", name, "namespace", ns, "deleteOptions", options);
    return call_json(d->c, "POST", buf_str(&path), eviction, NULL, NULL, e);
}

/* -1: this pod cannot go, and so the node cannot be drained. */
static int try_evict(struct draining *d, struct leaving *l, struct err *e)
{
    FILE *out = d->c->k->out, *err = d->c->k->err;
    const char *ns = jstr_or(l->pod, "metadata.namespace", ""), *name = jstr_or(l->pod, "metadata.name", "");
    if (!call_bool(d->c, "disable-eviction"))
        fprintf(out, "evicting pod %s/%s%s\n", ns, name, d->change->dry == DRY_SERVER ? " (server dry run)" : "");
    fflush(out);
    int rc = send_off(d, l->pod, e);
    if (rc == 0) {
        l->state = d->change->dry == DRY_SERVER ? GONE : TO_GO;
        return 0;
    }
    const char *message = d->c->failure != NULL ? jstr_or(d->c->failure, "message", e->msg) : e->msg;
    _auto_free_ char *why = xstrdup(message);
    const bool missing = call_not_found(d->c), budget = str_eq(jstr(d->c->failure, "reason"), "TooManyRequests");
    call_forget(d->c);
    err_clear(e);
    if (missing) {
        l->state = GONE;
        return 0;
    }
    if (!budget)
        return err_set(e, ERR_CONFLICT, "error when evicting pods/\"%s\" -n \"%s\": %s", name, ns, why);
    fprintf(err, "error when evicting pods/\"%s\" -n \"%s\" (will retry after 5s): %s\n", name, ns, why);
    l->again = clock_mono_ms(clock_real()) + RETRY_MS;
    return 0;
}

/* The pod as it is; *out_gone: another one, or none, is where it was. */
static int ask_gone(struct draining *d, const json_t *pod, json_t **out_now, bool *out_gone, struct err *e)
{
    _auto_buf_ struct buf path = BUF_INIT;
    kind_path(d->pods, jstr(pod, "metadata.namespace"), jstr_or(pod, "metadata.name", ""), NULL, &path);
    if (call_json(d->c, "GET", buf_str(&path), NULL, NULL, out_now, e) == 0) {
        *out_gone = !str_eq(jstr(*out_now, "metadata.uid"), jstr(pod, "metadata.uid"));
        return 0;
    }
    if (!call_not_found(d->c))
        return err_wrap(e, "error when waiting for pod \"%s\" in namespace \"%s\" to terminate",
                        jstr_or(pod, "metadata.name", ""), jstr_or(pod, "metadata.namespace", ""));
    call_forget(d->c);
    err_clear(e);
    *out_gone = true;
    return 0;
}

static int look(struct draining *d, struct leaving *l, struct err *e)
{
    _auto_json_ json_t *now = NULL;
    bool gone;
    if (ask_gone(d, l->pod, &now, &gone, e) < 0)
        return -1;
    if (gone) {
        l->state = GONE;
        change_tell(d->c, d->change, d->pods, l->pod, call_bool(d->c, "disable-eviction") ? "deleted" : "evicted");
        fflush(d->c->k->out);
    } else if (is_long_deleted(d->c, now)) {
        l->state = GONE;
        fprintf(d->c->k->out, "pod %s has DeletionTimestamp older than %lld seconds, skipping\n",
                jstr_or(l->pod, "metadata.name", ""), (long long)call_int(d->c, "skip-wait-for-delete-timeout"));
    }
    return 0;
}

/* Once over all pods; how many are not gone. -1 with `e`. */
static int round_of(struct draining *d, struct leavings *l, struct err *e)
{
    int left = 0;
    int64_t now = clock_mono_ms(clock_real());
    for (size_t i = 0; i < l->len; i++) {
        struct leaving *one = &l->items[i];
        if (!one->goes)
            continue;
        if (one->state == TO_EVICT && now >= one->again && try_evict(d, one, e) < 0)
            return -1;
        if (one->state == TO_GO && look(d, one, e) < 0)
            return -1;
        left += one->state != GONE;
    }
    return left;
}

static int wait_gone(struct draining *d, struct leavings *l, struct err *e)
{
    for (int left; (left = round_of(d, l, e)) != 0;) {
        if (left < 0)
            return -1;
        if (clock_mono_ms(clock_real()) >= d->deadline)
            return err_set(e, ERR_TIMEOUT, "global timeout reached: %s", call_text(d->c, "timeout"));
        nanosleep(&(struct timespec){.tv_sec = LOOK_MS / 1000}, NULL);
    }
    return 0;
}

/* What would be done with the pods, for --dry-run=client. */
static void tell_evictions(struct draining *d, const struct leavings *l)
{
    for (size_t i = 0; i < l->len; i++)
        if (l->items[i].goes)
            fprintf(d->c->k->out, "evicting pod %s/%s (dry run)\n", jstr_or(l->items[i].pod, "metadata.namespace", ""),
                    jstr_or(l->items[i].pod, "metadata.name", ""));
}

/* -1: *refused says why, a line each. */
static int drain_node(struct draining *d, const char *node, struct strlist *refused)
{
    struct leavings l = {0};
    struct err e = ERR_INIT;
    _auto_strlist_ struct strlist warned = {0};
    int rc = judge_all(d->c, node, &l, &e);
    if (rc == 0) {
        reasons(&l, POD_FORBIDS, "cannot delete ", refused);
        reasons(&l, POD_WARNS, "", &warned);
    }
    _auto_free_ char *warning = strlist_join(&warned, "; ");
    if (rc == 0 && refused->len == 0 && warned.len > 0)
        fprintf(d->c->k->err, "Warning: %s\n", warning);
    if (rc == 0 && refused->len == 0 && d->change->dry == DRY_CLIENT)
        tell_evictions(d, &l);
    else if (rc == 0 && refused->len == 0)
        rc = wait_gone(d, &l, &e);
    if (rc < 0)
        strlist_add(refused, d->c->failure != NULL ? jstr_or(d->c->failure, "message", e.msg) : e.msg);
    leavings_release(&l);
    return refused->len > 0 ? -1 : 0;
}

/* A list of errors as Go prints it. Returns new. */
static char *errors_text(const struct strlist *errors)
{
    _auto_free_ char *text = strlist_join(errors, ", ");
    return errors->len > 1 ? xasprintf("[%s]", text) : TAKE(text);
}

/* One stands alone; several are a list. */
static void tell_errors(struct call *c, const struct strlist *errors)
{
    c->code = errors->len > 0 ? 1 : c->code;
    if (errors->len > 1)
        fputc('\n', c->k->err);
    for (size_t i = 0; i < errors->len; i++)
        fprintf(c->k->err, "%s%s\n", errors->len > 1 ? "* " : "", errors->items[i]);
}

static void drain_each(struct call *c, struct nodes *n)
{
    const struct kind *kind = call_kind(c, "nodes"), *pods = call_kind(c, "pods");
    _auto_strlist_ struct strlist left = {0}, errors = {0};
    int64_t timeout = call_duration(c, "timeout");
    if (kind == NULL || pods == NULL)
        return;
    for (size_t i = 0; i < json_array_size(n->list); i++)
        cordon_node(c, &n->change, kind, json_array_get(n->list, i), true);
    for (size_t i = 0; i < json_array_size(n->list); i++) {
        const json_t *node = json_array_get(n->list, i);
        const char *name = jstr_or(node, "metadata.name", "");
        _auto_strlist_ struct strlist refused = {0};
        struct draining d = {c, &n->change, pods, timeout > 0 ? clock_mono_ms(clock_real()) + timeout : INT64_MAX};
        if (drain_node(&d, name, &refused) == 0) {
            change_tell(c, &n->change, kind, node, "drained");
            continue;
        }
        _auto_free_ char *text = errors_text(&refused);
        fprintf(c->k->err, "error: unable to drain node \"%s\" due to error: %s, continuing command...\n", name, text);
        strlist_add(&left, name);
        for (size_t j = 0; j < refused.len; j++)
            strlist_add(&errors, refused.items[j]);
    }
    if (left.len > 0)
        fputs("There are pending nodes to be drained:\n", c->k->err);
    for (size_t i = 0; i < left.len; i++)
        fprintf(c->k->err, " %s\n", left.items[i]);
    tell_errors(c, &errors);
}

static int drain_run(struct call *c)
{
    struct nodes n = {0};
    if (nodes_of(c, &n, "drain NODE") == 0)
        drain_each(c, &n);
    change_end(c, &n.change);
    json_decref(n.list);
    return c->code;
}

/* ---- the verbs ---- */

static const struct kubectl_flag cordon_flags[] = {
    FLAGS_SELECTOR,
    FLAGS_DRY_RUN,
    {0},
};
static const struct kubectl_flag drain_flags[] = {
    FLAGS_SELECTOR,
    FLAGS_DRY_RUN,
    FLAGS_CHUNK,
    {"force", 0, FLAG_BOOL, NULL, "Pods of no controller, too: nobody makes them anew"},
    {"ignore-daemonsets", 0, FLAG_BOOL, NULL, "Pods of daemon sets stay"},
    {"delete-emptydir-data", 0, FLAG_BOOL, NULL, "Pods with an emptyDir, too: what is in it is lost"},
    {"delete-local-data", 0, FLAG_BOOL, NULL, "The same, its old name"},
    {"grace-period", 0, FLAG_INT, "-1", "Seconds each pod has to end; below 0: its own"},
    {"timeout", 0, FLAG_DURATION, "0s", "How long to wait; 0: for ever"},
    {"pod-selector", 0, FLAG_TEXT, NULL, "Only pods with these labels"},
    {"disable-eviction", 0, FLAG_BOOL, NULL, "Delete, whatever budgets say"},
    {"skip-wait-for-delete-timeout", 0, FLAG_INT, "0", "Do not wait for pods deleted longer ago than so many seconds"},
    {0},
};

const struct kubectl_verb kubectl_cordon = {
    .name = "cordon",
    .summary = "Mark node as unschedulable",
    .usage = "NODE [options]",
    .help = "  kubectl cordon node01\n",
    .flags = cordon_flags,
    .takes = TAKES_NODES,
    .run = cordon_run,
};
const struct kubectl_verb kubectl_uncordon = {
    .name = "uncordon",
    .summary = "Mark node as schedulable",
    .usage = "NODE [options]",
    .help = "  kubectl uncordon node01\n",
    .flags = cordon_flags,
    .takes = TAKES_NODES,
    .run = uncordon_run,
};
const struct kubectl_verb kubectl_drain = {
    .name = "drain",
    .summary = "Drain node in preparation for maintenance",
    .usage = "NODE [options]",
    .help = "  kubectl drain node01 --ignore-daemonsets --delete-emptydir-data\n",
    .flags = drain_flags,
    .takes = TAKES_NODES,
    .run = drain_run,
};
