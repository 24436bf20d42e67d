/* report.c - how the scheduler tells what it did: the FitError text, the PodScheduled condition, events of the newer
 * form (eventTime, action, reportingComponent). Source: framework/types.go FitError, schedule_one.go. */
#include "scheduler/scheduler_int.h"

#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdio.h>

#define COMPONENT "default-scheduler"
#define INSTANCE  "default-scheduler-controlplane"
#define NOTE_MAX  1024 /* bytes of an event's message */

/* -- texts -- */

struct tally {
    struct strlist names;
    size_t counts[64];
};

static void tally_add(struct tally *t, const char *what, size_t n)
{
    for (size_t i = 0; i < t->names.len; i++) {
        if (str_eq(t->names.items[i], what)) {
            t->counts[i] += n;
            return;
        }
    }
    if (t->names.len == ARRAY_LEN(t->counts))
        return;
    t->counts[t->names.len] = n;
    strlist_add(&t->names, what);
}

/* "1 b, 2 a" : the parts sorted as text. Empties the tally. Returns new. */
static char *tally_text(struct tally *t)
{
    _auto_strlist_ struct strlist parts = {0};
    for (size_t i = 0; i < t->names.len; i++)
        strlist_addf(&parts, "%zu %s", t->counts[i], t->names.items[i]);
    strlist_sort(&parts);
    strlist_release(&t->names);
    return strlist_join(&parts, ", ");
}

char *nodes_text(size_t nodes, const struct strlist *texts)
{
    struct tally t = {0};
    for (size_t i = 0; i < texts->len; i++)
        tally_add(&t, texts->items[i], 1);
    _auto_free_ char *parts = tally_text(&t);
    return xasprintf("0/%zu nodes are available: %s.", nodes, parts);
}

char *fit_error(const struct attempt *a, const char *refused, const struct verdict *verdicts,
                const struct preemption *p)
{
    const struct cache *c = a->cache;
    _auto_strlist_ struct strlist reasons = {0};
    if (c->present == 0)
        return xstrdup("no nodes available to schedule pods");
    for (size_t i = 0; !refused && i < c->len; i++) {
        if (verdicts[i].outside)
            strlist_add(&reasons, "node(s) didn't satisfy plugin(s) [NodeAffinity]");
        for (size_t r = 0; r < verdicts[i].reasons.len; r++)
            strlist_add(&reasons, verdicts[i].reasons.items[r]);
    }
    _auto_free_ char *text =
        refused ? xasprintf("0/%zu nodes are available: %s.", c->present, refused) : nodes_text(c->present, &reasons);
    return p->text ? xasprintf("%s %s", text, p->text) : TAKE(text);
}

/* -- events -- */

static void tell(struct attempt *a, enum event_type type, const char *reason, const char *action, const char *message)
{
    struct event_source src = {.component = COMPONENT, .host = "", .instance = INSTANCE, .action = action};
    control_event(loop_control(a->l), &src, a->pod, "", type, reason, "%s", message);
}

void report_preempted(struct attempt *a, const json_t *victim, const char *node)
{
    struct event_source src = {
        .component = COMPONENT, .host = "", .instance = INSTANCE, .action = "Preempting", .related = a->pod};
    control_event(loop_control(a->l), &src, victim, "", EVENT_NORMAL, "Preempted", "Preempted by pod %s on node %s",
                  obj_uid(a->pod), node);
}

void report_scheduled(struct loop *l, const json_t *pod, const char *node)
{
    struct event_source src = {.component = COMPONENT, .host = "", .instance = INSTANCE, .action = "Binding"};
    control_event(loop_control(l), &src, pod, "", EVENT_NORMAL, "Scheduled", "Successfully assigned %s/%s to %s",
                  obj_ns(pod), obj_name(pod), node);
}

/* -- the condition -- */

struct unschedulable {
    const char *reason, *message, *nominated;
    char now[TIME_TEXT_LEN];
};

static bool set_nominated(json_t *pod, const char *node)
{
    const char *was = jstr_or(pod, "status.nominatedNodeName", "");
    if (!node || str_eq(was, node))
        return false;
    if (*node)
        jset_str(pod, "status.nominatedNodeName", node);
    else
        jdel(pod, "status.nominatedNodeName");
    return true;
}

static int edit_condition(json_t *pod, void *arg, struct err *e)
{
    (void)e;
    const struct unschedulable *u = arg;
    const json_t *old = condition_get(pod, "PodScheduled");
    bool changed = set_nominated(pod, u->nominated);
    if (str_eq(jstr(old, "status"), "False") && str_eq(jstr(old, "message"), u->message))
        return changed;
    const char *since = str_eq(jstr(old, "status"), "False") ? jstr_or(old, "lastTransitionTime", u->now) : u->now;
    json_t *cond = json_pack("{s:s, s:s, s:n, s:s, s:s, s:s}", "type", "PodScheduled", "status", "False",
                             "lastProbeTime", "lastTransitionTime", since, "reason", u->reason, "message", u->message);
    json_t *conds = jmake_arr(pod, "status.conditions");
    for (size_t i = 0; i < json_array_size(conds); i++) {
        if (str_eq(jstr(json_array_get(conds, i), "type"), "PodScheduled")) {
            json_array_set_new(conds, i, cond);
            return 1;
        }
    }
    json_array_append_new(conds, cond);
    return 1;
}

int report_failure(struct attempt *a, const char *reason, const char *message, const char *nominated, struct err *e)
{
    char note[NOTE_MAX + 1];
    if ((size_t)snprintf(note, sizeof note, "%s", message) > NOTE_MAX)
        snprintf(note + NOTE_MAX - 4, 5, " ...");
    tell(a, EVENT_WARNING, "FailedScheduling", "Scheduling", note);
    struct unschedulable u = {.reason = reason, .message = message, .nominated = nominated};
    now_text(loop_clock(a->l), u.now);
    if (reg_modify(loop_registry(a->l), WHO, RES.pods, obj_ns(a->pod), obj_name(a->pod), "status", edit_condition, &u,
                   e) == 0 ||
        e->code != ERR_NOT_FOUND)
        return e->code == ERR_OK ? 0 : -1;
    err_clear(e);
    return 0;
}
