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

static char *compose(size_t nodes, const char *reasons, struct tally *preemption)
{
    _auto_free_ char *tail = tally_text(preemption);
    return xasprintf("0/%zu nodes are available: %s. preemption: 0/%zu nodes are available: %s.", nodes, reasons, nodes,
                     tail);
}

char *fit_error(const struct verdict *verdicts, size_t nodes)
{
    if (nodes == 0)
        return xstrdup("no nodes available to schedule pods");
    struct tally reasons = {0}, preemption = {0};
    for (size_t i = 0; i < nodes; i++) {
        for (size_t r = 0; r < verdicts[i].reasons.len; r++)
            tally_add(&reasons, verdicts[i].reasons.items[r], 1);
        tally_add(&preemption,
                  verdicts[i].final ? "Preemption is not helpful for scheduling"
                                    : "No preemption victims found for incoming pod",
                  1);
    }
    _auto_free_ char *text = tally_text(&reasons);
    return compose(nodes, text, &preemption);
}

char *fit_error_for_all(const char *why, size_t nodes)
{
    if (nodes == 0)
        return xstrdup("no nodes available to schedule pods");
    struct tally preemption = {0};
    tally_add(&preemption, "Preemption is not helpful for scheduling", nodes);
    return compose(nodes, why, &preemption);
}

/* -- events -- */

static void tell(struct attempt *a, enum event_type type, const char *reason, const char *action, const char *message)
{
    struct event_source src = {.component = COMPONENT, .host = "", .instance = INSTANCE, .action = action};
    control_event(loop_control(a->l), &src, a->pod, "", type, reason, "%s", message);
}

void report_scheduled(struct attempt *a, const char *node)
{
    _auto_free_ char *text = xasprintf("Successfully assigned %s/%s to %s", obj_ns(a->pod), obj_name(a->pod), node);
    tell(a, EVENT_NORMAL, "Scheduled", "Binding", text);
}

/* -- the condition -- */

struct unschedulable {
    const char *message;
    char now[TIME_TEXT_LEN];
};

static int edit_condition(json_t *pod, void *arg, struct err *e)
{
    (void)e;
    const struct unschedulable *u = arg;
    const json_t *old = condition_get(pod, "PodScheduled");
    if (str_eq(jstr(old, "status"), "False") && str_eq(jstr(old, "message"), u->message))
        return 0;
    const char *since = str_eq(jstr(old, "status"), "False") ? jstr_or(old, "lastTransitionTime", u->now) : u->now;
    json_t *cond =
        json_pack("{s:s, s:s, s:n, s:s, s:s, s:s}", "type", "PodScheduled", "status", "False", "lastProbeTime",
                  "lastTransitionTime", since, "reason", "Unschedulable", "message", u->message);
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

int report_failure(struct attempt *a, const char *message, struct err *e)
{
    tell(a, EVENT_WARNING, "FailedScheduling", "Scheduling", message);
    struct unschedulable u = {.message = message};
    now_text(loop_clock(a->l), u.now);
    if (reg_modify(loop_registry(a->l), WHO, RES.pods, obj_ns(a->pod), obj_name(a->pod), "status", edit_condition, &u,
                   e) == 0 ||
        e->code != ERR_NOT_FOUND)
        return e->code == ERR_OK ? 0 : -1;
    err_clear(e);
    return 0;
}
