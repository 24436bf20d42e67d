/* action.c - something done in or to a container by a patient thread: probes, hooks, signals.
 *
 * DESIGN: an action is a copy of all it needs, so it outlives whatever happens to the pod meanwhile; it comes back as a
 * note, and whoever takes the note decides whether it still matters (the container may be another one by now). What is
 * asked is a handler: a probe's or a hook's JSON with exec, httpGet, tcpSocket, grpc or sleep; handlers[] says how.
 *
 * THREADS: action_start() on the loop thread; the work on k->patient, which may sit in it until its time-out or until
 * the kubelet closes. Source: prober/prober.go, lifecycle/handlers.go.
 *
 * How to add a handler: a row in handlers[] and its function in ask.c. */
#include "kubeletsim/pod_int.h"

#include <poll.h>
#include <stdlib.h>

void action_free(struct action *a)
{
    if (!a)
        return;
    free(a->ns);
    free(a->pod);
    free(a->uid);
    free(a->container);
    json_decref(a->handler);
    strlist_release(&a->argv);
    free(a->text);
    free(a->error);
    free(a);
}

/* -- the work -- */

static void act_exec(struct action *a, const json_t *what _unused_)
{
    ask_exec(a);
}

static void act_tcp(struct action *a, const json_t *what)
{
    ask_tcp(a, what);
}

static void act_sleep(struct action *a, const json_t *what)
{
    int64_t ms = time_after(0, jint(what, "seconds", 0), 1000);
    struct pollfd closing = {a->k->closing, POLLIN, 0};
    if (a->timeout_ms > 0 && ms > a->timeout_ms)
        ms = a->timeout_ms;
    poll(&closing, 1, ms > INT32_MAX ? INT32_MAX : (int)ms);
    a->outcome = ACTION_OK;
}

static const struct {
    const char *member;
    void (*act)(struct action *a, const json_t *what);
} handlers[] = {
    {"exec", act_exec}, {"httpGet", ask_http}, {"tcpSocket", act_tcp}, {"grpc", ask_grpc}, {"sleep", act_sleep},
};

static void act_signal(struct action *a)
{
    struct err e = ERR_INIT;
    struct machine *m = a->k->m;
    const int rc = m->ops->container_signal(m, a->node, a->id, a->signal, &e);
    a->outcome = rc == 0 ? ACTION_OK : e.code == ERR_NOT_FOUND ? ACTION_FAILED : ACTION_ERRORED;
}

static void action_run(void *arg)
{
    struct action *a = arg;
    a->outcome = ACTION_ERRORED;
    if (a->kind == ACTION_SIGNAL)
        act_signal(a);
    for (size_t i = 0; i < ARRAY_LEN(handlers); i++) {
        const json_t *what = json_object_get(a->handler, handlers[i].member);
        if (what) {
            handlers[i].act(a, what);
            break;
        }
    }
    note_action(a->k, a);
}

/* -- what it needs -- */

/* The port by number, or by the name that one of the container's ports has. */
static int port_number(const json_t *port, const json_t *container)
{
    size_t i;
    const json_t *p;
    uint64_t number;
    if (json_is_integer(port))
        return (int)json_integer_value(port);
    const char *name = json_string_value(port);
    if (str_to_u64(name ? name : "", &number))
        return (int)number;
    json_array_foreach(json_object_get(container, "ports"), i, p)
    {
        if (str_eq(jstr(p, "name"), name))
            return (int)jint(p, "containerPort", 0);
    }
    return 0;
}

static int handler_port(const json_t *handler, const json_t *container)
{
    static const char *const members[] = {"httpGet", "tcpSocket", "grpc"};
    for (size_t i = 0; i < ARRAY_LEN(members); i++) {
        const json_t *what = json_object_get(handler, members[i]);
        if (what && json_object_get(what, "port"))
            return port_number(json_object_get(what, "port"), container);
    }
    return str_eq(jstr(handler, "httpGet.scheme"), "HTTPS") ? 443 : 80;
}

/* $(NAME) in a command: only variables with literal values are known here. */
static void expand_command(const json_t *command, const json_t *container, struct strlist *out)
{
    _auto_strlist_ struct strlist env = {0};
    size_t i;
    const json_t *item;
    json_array_foreach(json_object_get(container, "env"), i, item)
    {
        if (jstr(item, "value"))
            strlist_addf(&env, "%s=%s", jstr_or(item, "name", ""), jstr(item, "value"));
    }
    json_array_foreach(command, i, item)
    {
        strlist_take(out, env_expand(json_string_value(item) ? json_string_value(item) : "", &env));
    }
}

void action_start(struct pod_run *p, const struct container_run *c, int kind, int probe, const json_t *handler,
                  int signal, int64_t timeout_ms)
{
    struct action *a = xcalloc(1, sizeof *a);
    a->k = p->k;
    a->kind = kind;
    a->probe = probe;
    a->ns = xstrdup(p->ns);
    a->pod = xstrdup(p->name);
    a->uid = xstrdup(p->uid);
    a->container = xstrdup(c->name);
    snprintf(a->id, sizeof a->id, "%s", c->id);
    a->node = pod_node(p);
    snprintf(a->ip, sizeof a->ip, "%s", p->ip);
    a->handler = json_deep_copy(handler);
    a->port = handler_port(handler, c->spec);
    a->signal = signal;
    a->timeout_ms = timeout_ms;
    expand_command(jat(handler, "exec.command"), c->spec, &a->argv);
    pool_submit(p->k->patient, action_run, a);
}
