/* service_proxy.c - what kube-proxy, CoreDNS and a network plug-in do: service addresses, names and policies inside the
 * cluster's network.
 *
 * DESIGN: one key, "rules". A change of any Service, EndpointSlice, Namespace or NetworkPolicy (and of pods, while
 * there are policies) makes the whole table anew, from parts that are functions of the objects (proxy_int.h), and hands
 * it to the machine if it differs from the last one; one hand-over at a time, so that an older table never replaces a
 * newer one. Changes that come close together share one.
 *
 * While there are services with affinity a second key, "clock", looks every few seconds of the cluster's time whether
 * that clock was moved, and if so tells the machine how much older its sessions are.
 *
 * A port of the user's machine that another program has is told in an event of the service, and tried again now and
 * then. THREADS: the loop thread; hand-overs are jobs. */
#include "kubeletsim/proxy_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RULES    "rules"
#define CLOCK    "clock"
#define GATHER   20   /* ms that changes are gathered for */
#define TRY_PORT 5000 /* ms until a port that was taken is tried again */
#define LOOK     5000 /* ms between two looks at the clock */

struct proxy {
    char *last;     /* owned: the table the machine has */
    json_t *missed; /* owned: ports that were not to be had, as told */
    bool busy;      /* a hand-over is under way */
    bool changed;   /* and another is due */
    bool policies;  /* there are some */
    bool due;       /* the key is queued */
    bool looking;   /* the clock's key is queued */
    int64_t ahead;  /* seconds that the cluster's clock is ahead of the machine's, as the machine was told */
};

static int64_t seconds_ahead(const struct kubelet *k)
{
    enum { SECOND = 1000 };
    const int64_t ms = clock_mono_ms(k->conf.clock) - clock_mono_ms(clock_real());
    return (ms + SECOND / 2) / SECOND; /* the two are read one after the other */
}

/* Returns new text. */
static char *make_table(struct kubelet *k, struct proxy *p)
{
    struct proxy_view v;
    proxy_view_load(&v, k);
    _auto_json_ json_t *table = json_pack("{s:s, s:o, s:o}", "dns", k->conf.cluster_dns, "services", proxy_services(&v),
                                          "policies", proxy_policies(&v));
    proxy_zone(&v, table);
    p->policies = v.policies.len > 0;
    proxy_view_release(&v);
    return json_text(table);
}

/* -- the hand-over -- */

struct hand_over {
    struct kubelet *k;
    char *table;  /* owned */
    char *result; /* owned; NULL: it failed */
    bool aged;    /* not a table, only that time has passed */
};

static void hand_over(void *arg)
{
    struct hand_over *h = arg;
    struct err e = ERR_INIT;
    if (h->k->m->ops->set_services(h->k->m, h->table, &h->result, &e) < 0)
        h->result = NULL;
}

static void queue(struct loop *l, int64_t delay)
{
    struct proxy *p = loop_state(l);
    if (p->due && delay >= GATHER)
        return;
    p->due = true;
    loop_enqueue_after(l, "", RULES, delay);
}

/* "default/web" -> the service the port belongs to, and an event on it. */
static void tell_missed(struct loop *l, const json_t *table, const json_t *missed)
{
    size_t i;
    const json_t *rule;
    json_array_foreach(json_object_get(table, "services"), i, rule)
    {
        const char *owner = jstr(rule, "service"), *slash = owner ? strchr(owner, '/') : NULL;
        if (!slash || !str_eq(jstr(rule, "ip"), jstr(missed, "ip")) ||
            jint(rule, "port", 0) != jint(missed, "port", 0) ||
            !str_eq(jstr(rule, "protocol"), jstr(missed, "protocol")))
            continue;
        _auto_free_ char *ns = xstrndup(owner, (size_t)(slash - owner));
        _auto_sobj_ struct sobj *service = reg_read(loop_registry(l), RES.services, ns, slash + 1);
        if (service)
            loop_event(l, service->tree, EVENT_WARNING, "PortNotAvailable",
                       "cannot listen on %s:%d (%s) of this machine, so the service is not reached there: %s; inside "
                       "the cluster it is",
                       jstr_or(missed, "ip", ""), (int)jint(missed, "port", 0), jstr_or(missed, "protocol", ""),
                       jstr_or(missed, "why", ""));
        return;
    }
}

/* Tells what was not told before. */
static void take_missed(struct loop *l, const char *table_text, json_t *take_missed)
{
    struct proxy *p = loop_state(l);
    _auto_json_ json_t *table = json_array_size(take_missed) ? json_loads(table_text, 0, NULL) : NULL;
    size_t i, j;
    const json_t *missed, *told;
    json_array_foreach(take_missed, i, missed)
    {
        bool known = false;
        json_array_foreach(p->missed, j, told) known = known || json_equal(missed, told);
        if (!known)
            tell_missed(l, table, missed);
    }
    json_decref(p->missed);
    p->missed = take_missed;
}

static void handed_over(struct loop *l, void *arg);

static void hand_to_machine(struct loop *l, char *take_table, bool aged)
{
    struct proxy *p = loop_state(l);
    struct hand_over *h = xcalloc(1, sizeof *h);
    *h = (struct hand_over){.k = loop_env(l), .table = take_table, .aged = aged};
    p->busy = true;
    loop_offload(l, hand_over, handed_over, h);
}

/* Returns whether the machine has to be given a table again. */
static bool take_result(struct loop *l, struct hand_over *h, const json_t *result)
{
    struct proxy *p = loop_state(l);
    const bool done = h->aged ? json_object_get(result, "filter") != NULL : result != NULL;
    if (h->aged && done)
        return false; /* of what was told before nothing has changed */
    pthread_mutex_lock(&h->k->mu);
    snprintf(h->k->net.filter_why, sizeof h->k->net.filter_why, "%s", jstr_or(result, "why", ""));
    pthread_mutex_unlock(&h->k->mu);
    take_missed(l, h->table, json_incref(json_object_get(result, "refused")));
    const bool again = !done || json_array_size(p->missed);
    free(p->last);
    p->last = again ? NULL : TAKE(h->table);
    return again;
}

static void handed_over(struct loop *l, void *arg)
{
    struct hand_over *h = arg;
    struct proxy *p = loop_state(l);
    _auto_json_ json_t *result = h->result ? json_loads(h->result, 0, NULL) : NULL;
    p->busy = false;
    const bool again = take_result(l, h, result);
    if (p->changed || again)
        queue(l, p->changed ? 0 : h->result ? TRY_PORT : 1000);
    p->changed = false;
    free(h->table);
    free(h->result);
    free(h);
}

static int hand_over_rules(struct loop *l)
{
    struct kubelet *k = loop_env(l);
    struct proxy *p = loop_state(l);
    p->due = false;
    if (p->busy) {
        p->changed = true;
        return 0;
    }
    _auto_free_ char *table = make_table(k, p);
    if (str_eq(table, p->last))
        return 0;
    if (!p->looking && strstr(table, "\"sticky\":")) {
        p->looking = true;
        p->ahead = seconds_ahead(k);
        loop_enqueue_after(l, "", CLOCK, LOOK);
    }
    hand_to_machine(l, TAKE(table), false);
    return 0;
}

/* Clients have had their pods for longer if the cluster's clock was moved. */
static int look_at_clock(struct loop *l)
{
    struct proxy *p = loop_state(l);
    const int64_t ahead = seconds_ahead(loop_env(l));
    p->looking = p->busy || (p->last && strstr(p->last, "\"sticky\":"));
    if (!p->looking)
        return 0;
    loop_enqueue_after(l, "", CLOCK, LOOK);
    if (ahead > p->ahead && !p->busy && p->last) {
        hand_to_machine(l, xasprintf("{\"aged\": %lld}", (long long)(ahead - p->ahead) * 1000), true);
        p->ahead = ahead;
    }
    return 0;
}

static int proxy_reconcile(struct loop *l, const char *ns _unused_, const char *name, struct err *e _unused_)
{
    return str_eq(name, CLOCK) ? look_at_clock(l) : hand_over_rules(l);
}

void kubelet_network(struct kubelet *k, struct kubelet_net *out)
{
    pthread_mutex_lock(&k->mu);
    *out = k->net;
    pthread_mutex_unlock(&k->mu);
}

/* -- changes -- */

static void any_change(struct loop *l, const struct watch_event *ev _unused_)
{
    queue(l, GATHER);
}

/* Pods count while there are policies, and what policies look at: labels, address, end. */
static void pod_change(struct loop *l, const struct watch_event *ev)
{
    const struct proxy *p = loop_state(l);
    if (!p->policies)
        return;
    const json_t *before = ev->prev ? ev->prev->tree : NULL, *now = ev->obj->tree;
    if (before && ev->type == WATCH_MODIFIED && same_member(before, now, "metadata.labels") &&
        same_member(before, now, "status.podIP") && same_member(before, now, "status.phase"))
        return;
    queue(l, GATHER);
}

static void proxy_stop(struct loop *l)
{
    struct proxy *p = loop_state(l);
    free(p->last);
    json_decref(p->missed);
}

static const struct loop_watch proxy_watches[] = {
    {"services", any_change},
    {"endpointslices.discovery.k8s.io", any_change},
    {"networkpolicies.networking.k8s.io", any_change},
    {"namespaces", any_change},
    {"pods", pod_change},
    {NULL, NULL},
};

const struct loop_def service_proxy_loop_def = {
    .name = "kube-proxy",
    .component = "kube-proxy",
    .watches = proxy_watches,
    .state_size = sizeof(struct proxy),
    .stop = proxy_stop,
    .reconcile = proxy_reconcile,
    .max_backoff_ms = 10000,
};
