/* port_forward.c - kubectl port-forward: local ports that lead to a pod.
 *
 * DESIGN: names of ports and ports of services become the pod's numbers here; the rest is client/forward.h. Ctrl-C is
 * the usual end and no failure. Source: kubectl cmd/portforward, client-go tools/portforward. */
#include "kubectl/klog.h"
#include "kubectl/pods.h"
#include "kubectl/verbs/verbs_int.h"

#include "base/go_errno.h"
#include "base/json.h"
#include "base/str.h"
#include "client/forward.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

static const struct kubectl_flag flags[] = {
    {"address", 0, FLAG_LIST, "localhost", "Addresses to listen on: IP addresses, or localhost for both loopbacks",
     NULL},
    FLAG_POD_TIMEOUT("1m0s"),
    {NULL},
};

/* What one argument says: "8080:http". */
struct wanted {
    char *local, *remote; /* owned; as typed, then the remote one as a number */
};
/* Where to listen. */
struct address {
    char *text; /* owned */
    bool v6;
    bool either; /* one of these is enough: localhost's two */
};
struct forwarding {
    struct call *c;
    struct wanted *wanted;
    size_t wanted_len;
    struct address *addresses;
    size_t addresses_len;
    struct forward_port *ports; /* those that listen */
    size_t ports_len;
    char *ns, *pod;
};

static void forwarding_release(struct forwarding *f)
{
    for (size_t i = 0; i < f->wanted_len; i++) {
        free(f->wanted[i].local);
        free(f->wanted[i].remote);
    }
    for (size_t i = 0; i < f->addresses_len; i++)
        free(f->addresses[i].text);
    for (size_t i = 0; i < f->ports_len; i++)
        close(f->ports[i].fd);
    free(f->wanted);
    free(f->addresses);
    free(f->ports);
    free(f->ns);
    free(f->pod);
}

/* ---- which ports are meant ---- */

/* The number of a pod's port by its name, in its containers. */
static int named_port(const json_t *pod, const char *name, int64_t *out, struct err *e)
{
    static const char *const groups[] = {"spec.containers", "spec.initContainers"};
    size_t i, k;
    const json_t *container, *port;
    for (size_t g = 0; g < ARRAY_LEN(groups); g++)
        json_array_foreach(jat(pod, groups[g]), i, container)
        {
            if (g == 1 && !str_eq(jstr(container, "restartPolicy"), "Always"))
                continue;
            json_array_foreach(json_object_get(container, "ports"), k, port) if (str_eq(jstr(port, "name"), name))
            {
                *out = jint(port, "containerPort", 0);
                return 0;
            }
        }
    return err_set(e, ERR_INVALID, "Pod '%s' does not have a named port '%s'", jstr_or(pod, "metadata.name", ""), name);
}

static int service_port(const json_t *service, const char *word, const json_t **out, struct err *e)
{
    size_t i;
    const json_t *port;
    int64_t number = -1;
    const bool numeric = str_to_i64(word, &number);
    json_array_foreach(jat(service, "spec.ports"), i,
                       port) if (numeric ? jint(port, "port", 0) == number : str_eq(jstr(port, "name"), word))
    {
        *out = port;
        return 0;
    }
    const char *name = jstr_or(service, "metadata.name", "");
    return numeric ? err_set(e, ERR_INVALID, "Service %s does not have a service port %lld", name, (long long)number)
                   : err_set(e, ERR_INVALID, "Service '%s' does not have a named port '%s'", name, word);
}

/* The pod's port behind a service's. */
static int behind(const json_t *service, const json_t *pod, const json_t *port, int64_t *out, struct err *e)
{
    const json_t *target = json_object_get(port, "targetPort");
    *out = jint(port, "port", 0);
    if (str_eq(jstr(service, "spec.clusterIP"), "None"))
        return 0;
    if (json_is_integer(target) && json_integer_value(target) != 0)
        *out = json_integer_value(target);
    else if (json_is_string(target))
        return named_port(pod, json_string_value(target), out, e);
    return 0;
}

/* Is this port there for UDP only? */
static bool udp_only(const json_t *ports, const char *key, int64_t number)
{
    size_t i;
    const json_t *port;
    bool udp = false;
    json_array_foreach(ports, i, port)
    {
        if (jint(port, key, 0) != number)
            continue;
        if (str_eq(jstr_or(port, "protocol", "TCP"), "TCP"))
            return false;
        udp |= str_eq(jstr(port, "protocol"), "UDP");
    }
    return udp;
}

static bool pod_udp_only(const json_t *pod, int64_t number)
{
    _auto_json_ json_t *all = json_array();
    size_t i;
    const json_t *container;
    json_array_foreach(jat(pod, "spec.containers"), i, container)
    {
        json_t *ports = json_object_get(container, "ports");
        if (ports)
            json_array_extend(all, ports);
    }
    return udp_only(all, "containerPort", number);
}

/* "8080:http" of a service: http is its port, and leads to one of the pod's. */
static int through_service(struct wanted *w, const json_t *service, const json_t *pod, struct err *e)
{
    const json_t *port;
    int64_t number;
    if (service_port(service, w->remote, &port, e) < 0)
        return -1;
    if (udp_only(jat(service, "spec.ports"), "port", jint(port, "port", 0)))
        return err_set(e, ERR_INVALID, "UDP protocol is not supported for %s", w->remote);
    if (behind(service, pod, port, &number, e) < 0)
        return -1;
    if (str_eq(w->local, w->remote)) {
        free(w->local);
        w->local = xasprintf("%lld", (long long)jint(port, "port", 0));
    }
    free(w->remote);
    w->remote = xasprintf("%lld", (long long)number);
    return 0;
}

static int to_pod(struct wanted *w, const json_t *pod, struct err *e)
{
    int64_t number;
    const bool numeric = str_to_i64(w->remote, &number), same = str_eq(w->local, w->remote);
    if (!numeric && named_port(pod, w->remote, &number, e) < 0)
        return -1;
    if (pod_udp_only(pod, number))
        return err_set(e, ERR_INVALID, "UDP protocol is not supported for %s", w->remote);
    char *text = xasprintf("%lld", (long long)number);
    if (same) {
        free(w->local);
        w->local = xstrdup(text);
    }
    free(w->remote);
    w->remote = text;
    return 0;
}

static int choose_ports(struct forwarding *f, const json_t *object, const json_t *pod, struct err *e)
{
    const struct strlist *words = &f->c->words;
    const bool service = str_eq(jstr(object, "kind"), "Service");
    f->wanted = xcalloc(words->len, sizeof *f->wanted);
    for (size_t i = 1; i < words->len; i++) {
        const char *word = words->items[i], *colon = strchr(word, ':');
        struct wanted *w = &f->wanted[f->wanted_len++];
        char *local = xstrndup(word, strcspn(word, ":"));
        const bool two = colon && !strchr(colon + 1, ':'); /* what follows a second colon is ignored, as in kubectl */
        *w = (struct wanted){local, xstrdup(two ? colon + 1 : local)};
        if ((service ? through_service(w, object, pod, e) : to_pod(w, pod, e)) < 0)
            return -1;
    }
    return 0;
}

/* ---- listening ---- */

static void add_address(struct forwarding *f, const char *text, bool either)
{
    for (size_t i = 0; i < f->addresses_len; i++)
        if (str_eq(f->addresses[i].text, text))
            return;
    f->addresses = xrealloc(f->addresses, (f->addresses_len + 1) * sizeof *f->addresses);
    f->addresses[f->addresses_len++] = (struct address){xstrdup(text), strchr(text, ':') != NULL, either};
}

static int by_text(const void *a, const void *b)
{
    return strcmp(((const struct address *)a)->text, ((const struct address *)b)->text);
}

static int choose_addresses(struct forwarding *f, struct err *e)
{
    const struct strlist *given = call_list(f->c, "address");
    static const char *const usual[] = {"localhost"};
    const char *const *texts = given->len ? (const char *const *)given->items : usual;
    for (size_t i = 0; i < (given->len ? given->len : 1); i++) {
        unsigned char raw[sizeof(struct in6_addr)];
        if (str_eq(texts[i], "localhost")) {
            add_address(f, "127.0.0.1", true);
            add_address(f, "::1", true);
        } else if (inet_pton(AF_INET, texts[i], raw) == 1 || inet_pton(AF_INET6, texts[i], raw) == 1) {
            add_address(f, texts[i], false);
        } else {
            return err_set(e, ERR_INVALID, "%s is not a valid IP", texts[i]);
        }
    }
    qsort(f->addresses, f->addresses_len, sizeof *f->addresses, by_text);
    return 0;
}

/* A listening socket at address and *port; 0 becomes the one that was free. -1 with errno. */
static int listen_at(const struct address *a, int *port)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } at = {0};
    socklen_t len = a->v6 ? sizeof at.v6 : sizeof at.v4;
    const int on = 1;
    if (a->v6) {
        at.v6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)*port)};
        inet_pton(AF_INET6, a->text, &at.v6.sin6_addr);
    } else {
        at.v4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)*port)};
        inet_pton(AF_INET, a->text, &at.v4.sin_addr);
    }
    _auto_close_ int fd = socket(at.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (a->v6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    if (bind(fd, &at.any, len) < 0 || listen(fd, SOMAXCONN) < 0 || getsockname(fd, &at.any, &len) < 0)
        return -1;
    *port = ntohs(a->v6 ? at.v6.sin6_port : at.v4.sin_port);
    return TAKE_FD(fd);
}

static void say_why(struct buf *out, const struct address *a, int port)
{
    char text[GO_ERRNO_LEN];
    const char *call = errno == EAFNOSUPPORT ? "socket" : "bind";
    buf_addf(out, "%sunable to create listener: Error listen tcp%s %s%s%s:%d: %s: %s", out->len ? " " : "",
             a->v6 ? "6" : "4", a->v6 ? "[" : "", a->text, a->v6 ? "]" : "", port, call, go_errno_text(errno, text));
}

/* One port at every address. False: told. */
static bool listen_on(struct forwarding *f, int local, int remote)
{
    struct call *c = f->c;
    _auto_buf_ struct buf why = BUF_INIT;
    size_t either = 0, either_failed = 0, failed = 0;
    for (size_t i = 0; i < f->addresses_len; i++) {
        const struct address *a = &f->addresses[i];
        const int fd = listen_at(a, &local);
        if (fd < 0) {
            say_why(&why, a, local);
            *(a->either ? &either_failed : &failed) += 1;
            continue;
        }
        either += a->either;
        f->ports = xrealloc(f->ports, (f->ports_len + 1) * sizeof *f->ports);
        f->ports[f->ports_len++] = (struct forward_port){fd, local, remote};
        fprintf(c->k->out, "Forwarding from %s%s%s:%d -> %d\n", a->v6 ? "[" : "", a->text, a->v6 ? "]" : "", local,
                remote);
        fflush(c->k->out);
    }
    if (failed == 0 && (either > 0 || either_failed == 0))
        return true;
    fprintf(c->k->err, "Unable to listen on port %d: Listeners failed to create with the following errors: [%s]\n",
            local, buf_str(&why));
    return false;
}

static int parse_port(const char *text, const char *which, int *out, struct err *e)
{
    uint64_t n;
    if (!str_to_u64(text, &n))
        return err_set(e, ERR_INVALID, "error parsing %s port '%s': strconv.ParseUint: parsing \"%s\": invalid syntax",
                       which, text, text);
    if (n > 65535)
        return err_set(e, ERR_INVALID,
                       "error parsing %s port '%s': strconv.ParseUint: parsing \"%s\": value out of range", which, text,
                       text);
    *out = (int)n;
    return 0;
}

struct pair {
    int local, remote;
};

static int parse_ports(const struct forwarding *f, struct pair *out, struct err *e)
{
    for (size_t i = 0; i < f->wanted_len; i++) {
        const struct wanted *w = &f->wanted[i];
        if (parse_port(*w->local ? w->local : "0", "local", &out[i].local, e) < 0 ||
            parse_port(w->remote, "remote", &out[i].remote, e) < 0)
            return -1;
        if (out[i].remote == 0)
            return err_set(e, ERR_INVALID, "remote port must be > 0");
    }
    return 0;
}

static int listen_all(struct forwarding *f, const struct pair *pairs, struct err *e)
{
    _auto_buf_ struct buf all = BUF_INIT;
    bool any = false;
    for (size_t i = 0; i < f->wanted_len; i++) {
        any |= listen_on(f, pairs[i].local, pairs[i].remote);
        buf_addf(&all, "%s{%d %d}", i ? " " : "", pairs[i].local, pairs[i].remote);
    }
    return any ? 0 : err_set(e, ERR_SYS, "unable to listen on any of the requested ports: [%s]", buf_str(&all));
}

/* ---- forwarding ---- */

static void connected(void *arg, const struct forward_port *port)
{
    struct forwarding *f = arg;
    fprintf(f->c->k->out, "Handling connection for %d\n", port->local);
    fflush(f->c->k->out);
}

static void failed(void *arg, const struct forward_port *port, const char *why)
{
    struct forwarding *f = arg;
    _auto_free_ char *message = xasprintf("an error occurred forwarding %d -> %d: %s", port->local, port->remote, why);
    klog_error(f->c->k->err, "portforward.go:424", "Unhandled Error", message);
}

static int forward(struct forwarding *f, struct client *client, const struct pair *pairs, struct err *e)
{
    _auto_buf_ struct buf path = BUF_INIT;
    _auto_client_forward_ struct client_forward *stream = NULL;
    pod_path(f->ns, f->pod, "portforward", &path);
    if (client_forward_open(client, buf_str(&path), &stream, e) < 0) {
        json_decref(client_take_refusal(client));
        if (e->code == ERR_UNAVAILABLE)
            e->code = ERR_INTERNAL;
        return err_wrap(e, "error upgrading connection");
    }
    if (listen_all(f, pairs, e) < 0)
        return -1;
    const struct forward_conf conf = {
        .ports = f->ports, .count = f->ports_len, .connected = connected, .failed = failed, .arg = f};
    const int rc = client_forward_run(stream, &conf, e);
    if (e->code == ERR_UNAVAILABLE) /* not the server: the pod */
        return err_set(e, ERR_INTERNAL, "lost connection to pod");
    return rc;
}

/* With Ctrl-C as the way to end it. */
static int until_interrupted(struct forwarding *f, const struct pair *pairs, struct err *e)
{
    struct call *c = f->c;
    struct client *client = call_client(c);
    sigset_t set, old;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    const bool own = c->k->cancel < 0;
    if (own)
        pthread_sigmask(SIG_BLOCK, &set, &old);
    _auto_close_ int fd = own ? signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK) : -1;
    client_set_cancel(client, own ? fd : c->k->cancel);
    int rc = forward(f, client, pairs, e);
    client_set_cancel(client, c->k->cancel);
    if (own) {
        struct signalfd_siginfo info;
        while (read(fd, &info, sizeof info) > 0)
            continue;
        pthread_sigmask(SIG_SETMASK, &old, NULL);
    }
    return rc < 0 && e->code == ERR_TIMEOUT ? 0 : rc;
}

static int start(struct forwarding *f, int64_t patience, struct err *e)
{
    struct call *c = f->c;
    _auto_json_ json_t *object = NULL, *pod = NULL, *now = NULL;
    _auto_buf_ struct buf path = BUF_INIT;
    _auto_free_ struct pair *pairs = xcalloc(c->words.len, sizeof *pairs);
    if (pods_named(c, "pods", c->words.items[0], &object, e) < 0 || pods_attachable(c, object, patience, &pod, e) < 0 ||
        choose_ports(f, object, pod, e) < 0)
        return -1;
    f->ns = xstrdup(jstr_or(pod, "metadata.namespace", ""));
    f->pod = xstrdup(jstr_or(pod, "metadata.name", ""));
    pod_path(f->ns, f->pod, NULL, &path);
    if (call_json(c, "GET", buf_str(&path), NULL, NULL, &now, e) < 0)
        return -1;
    if (!str_eq(jstr(now, "status.phase"), "Running"))
        return err_set(e, ERR_INVALID, "unable to forward port because pod is not running. Current status=%s",
                       jstr_or(now, "status.phase", ""));
    if (choose_addresses(f, e) < 0 || parse_ports(f, pairs, e) < 0)
        return -1;
    return until_interrupted(f, pairs, e);
}

static int run(struct call *c)
{
    struct err e = ERR_INIT;
    struct forwarding f = {.c = c};
    int64_t patience;
    if (c->words.len < 2)
        return call_usage(c, "TYPE/NAME and list of ports are required for port-forward");
    if (pods_timeout(c, &patience) < 0)
        return c->code;
    if (start(&f, patience, &e) < 0)
        call_error(c, &e);
    forwarding_release(&f);
    return c->code;
}

const struct kubectl_verb kubectl_port_forward = {
    .name = "port-forward",
    .summary = "Forward one or more local ports to a pod",
    .usage = "TYPE/NAME [options] [LOCAL_PORT:]REMOTE_PORT [...[LOCAL_PORT_N:]REMOTE_PORT_N]",
    .flags = flags,
    .takes = TAKES_PODS,
    .run = run,
};
