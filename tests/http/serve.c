/* serve.c - a bare API server for development and tests: store, registry, HTTP; no controllers, no nodes.
 *
 *     cmake --build BUILD --target http_serve
 *     BUILD/tests/http_serve --port 16443 --data /tmp/x --kubeconfig /tmp/x/kubeconfig &
 *     kubectl --kubeconfig /tmp/x/kubeconfig get --raw /readyz
 *
 * --data DIR        keys and certificates (made if absent)
 * --journal FILE    keep the objects there too (default: in memory)
 * --kubeconfig FILE written when the server listens
 * --port N          default 0: any free one; printed
 * --addr A          default 127.0.0.1
 * --plain           plain HTTP, everybody is the administrator
 * --window N        events kept for watches that resume (to test what is too old)
 * --log-program     pods' logs come from a small stand-in for a node: see node_log()
 *
 * Ends on SIGTERM or SIGINT. */
#include "apiserver/apiserver.h"
#include "apiserver/pki.h"

#include "api/resource.h"
#include "api/schema.h"
#include "base/mem.h"
#include "registry/node_ops.h"
#include "registry/registry.h"

#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct args {
    const char *addr, *data, *journal, *kubeconfig;
    int port;
    unsigned window;
    bool plain, log_program;
};

static int parse(int argc, char **argv, struct args *a)
{
    static const struct option options[] = {
        {"port", required_argument, NULL, 'p'},
        {"addr", required_argument, NULL, 'a'},
        {"data", required_argument, NULL, 'd'},
        {"kubeconfig", required_argument, NULL, 'k'},
        {"journal", required_argument, NULL, 'j'},
        {"plain", no_argument, NULL, 'P'},
        {"window", required_argument, NULL, 'w'},
        {"log-program", no_argument, NULL, 'l'},
        {NULL, 0, NULL, 0},
    };
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (c) {
        case 'p':
            a->port = (int)strtol(optarg, NULL, 10);
            break;
        case 'a':
            a->addr = optarg;
            break;
        case 'd':
            a->data = optarg;
            break;
        case 'k':
            a->kubeconfig = optarg;
            break;
        case 'j':
            a->journal = optarg;
            break;
        case 'w':
            a->window = (unsigned)strtoul(optarg, NULL, 10);
            break;
        case 'P':
            a->plain = true;
            break;
        case 'l':
            a->log_program = true;
            break;
        default:
            return -1;
        }
    }
    return 0;
}

/* -- a stand-in for a node -- */

static void *write_log(void *arg)
{
    int fd = (int)(intptr_t)arg;
    for (int i = 0; i < 5; i++) {
        char line[32];
        int n = snprintf(line, sizeof line, "line %d\n", i);
        if (write(fd, line, (size_t)n) != n)
            break;
        nanosleep(&(struct timespec){.tv_nsec = 300000000}, NULL);
    }
    close(fd);
    return NULL;
}

/* Five lines, one each 0.3 s; the pod "waiting" is refused as a kubelet does. */
static int node_log(void *self, const struct log_req *req, int *out_fd, struct err *e)
{
    (void)self;
    if (strcmp(req->pod, "waiting") == 0)
        return err_set(e, ERR_BAD_REQUEST, "container \"%s\" in pod \"%s\" is waiting to start: ContainerCreating",
                       req->container, req->pod);
    int fds[2];
    pthread_t thread;
    if (pipe(fds) < 0 || pthread_create(&thread, NULL, write_log, (void *)(intptr_t)fds[1]) != 0)
        return err_set(e, ERR_SYS, "no pipe");
    pthread_detach(thread);
    *out_fd = fds[0];
    return 0;
}

static const struct node_ops log_program = {.log = node_log};

/* -- the house, as far as it is needed -- */

struct house {
    struct store *store;
    struct registry *registry;
    struct pki pki;
    struct apiserver *api;
};

static int house_open(struct house *h, const struct args *a, struct err *e)
{
    struct store_conf store = {.path = a->journal, .clock = clock_real(), .window_events = a->window};
    struct pki_conf pki = {.dir = a->data};
    if (store_open(&store, &h->store, e) < 0 || pki_load(&pki, &h->pki, e) < 0)
        return -1;
    struct registry_conf registry = {
        .store = h->store, .clock = clock_real(), .service_cidr = "10.96.0.0/12", .pod_cidr = "10.244.0.0/16"};
    h->registry = registry_new(&registry);
    if (a->log_program)
        registry_set_node_ops(h->registry, &log_program, NULL);
    struct apiserver_conf api = {.registry = h->registry,
                                 .clock = clock_real(),
                                 .addr = a->addr,
                                 .port = (uint16_t)a->port,
                                 .pki = &h->pki,
                                 .plain_http = a->plain};
    if (apiserver_start(&api, &h->api, e) < 0 ||
        registry_bootstrap(h->registry, "127.0.0.1", apiserver_port(h->api), e) < 0)
        return -1;
    struct kubeconfig k = {.name = "stowage", .server = apiserver_url(h->api)};
    if (!a->plain) {
        k.ca_pem = h->pki.ca_pem;
        k.token = h->pki.admin_token;
    }
    return a->kubeconfig ? kubeconfig_write(a->kubeconfig, &k, e) : 0;
}

static void house_close(struct house *h)
{
    apiserver_stop(h->api);
    registry_free(h->registry);
    store_close(h->store);
    pki_release(&h->pki);
}

int main(int argc, char **argv)
{
    struct args a = {.addr = "127.0.0.1"};
    if (parse(argc, argv, &a) < 0)
        return 2;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    schema_init();
    resource_init();
    struct house h = {0};
    struct err e = ERR_INIT;
    int rc = house_open(&h, &a, &e);
    if (rc < 0) {
        fprintf(stderr, "http_serve: %s\n", e.msg);
    } else {
        printf("%s\n", apiserver_url(h.api));
        fflush(stdout);
        int sig;
        sigwait(&set, &sig);
    }
    house_close(&h);
    return rc < 0;
}
