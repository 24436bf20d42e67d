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
 * --idle N          seconds after which who takes nothing is dropped
 * --node-program    logs, exec and port-forward come from a small stand-in for a node: see node_log(), node_exec(),
 * node_dial()
 * --console         the console, which tells what it is asked: see console_answer()
 *
 * Ends on SIGTERM or SIGINT. */
#include "apiserver/apiserver.h"
#include "apiserver/pki.h"

#include "api/resource.h"
#include "api/schema.h"
#include "base/mem.h"
#include "registry/node_ops.h"
#include "registry/rbac.h"
#include "registry/registry.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct args {
    const char *addr, *data, *journal, *kubeconfig;
    int port;
    unsigned window, idle;
    bool plain, node_program, console;
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
        {"node-program", no_argument, NULL, 'l'},
        {"console", no_argument, NULL, 'c'},
        {"idle", required_argument, NULL, 'i'},
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
        case 'i':
            a->idle = (unsigned)strtoul(optarg, NULL, 10);
            break;
        case 'P':
            a->plain = true;
            break;
        case 'l':
            a->node_program = true;
            break;
        case 'c':
            a->console = true;
            break;
        default:
            return -1;
        }
    }
    return 0;
}

/* -- a stand-in for a node -- */

static char gate[4096]; /* DATA/go */

struct log_writer {
    int fd;
    bool held;
};

/* Until the gate is there, or nobody reads. */
static void wait_at_gate(int fd)
{
    struct pollfd reader = {fd, 0, 0};
    while (access(gate, F_OK) < 0 && poll(&reader, 1, 20) == 0)
        ;
}

static void *write_log(void *arg)
{
    struct log_writer w = *(struct log_writer *)arg;
    free(arg);
    for (int i = 0; i < 5; i++) {
        char line[32];
        int n = snprintf(line, sizeof line, "line %d\n", i);
        if (i == 4 && w.held)
            wait_at_gate(w.fd);
        if (write(w.fd, line, (size_t)n) != n)
            break;
        nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    }
    close(w.fd);
    return NULL;
}

/* Five lines, slowly; the last of the pod "held" when the test has made DATA/go. The pod "waiting" is refused as a
 * kubelet does. */
static int node_log(void *self, const struct log_req *req, int *out_fd, struct err *e)
{
    (void)self;
    if (strcmp(req->pod, "waiting") == 0)
        return err_set(e, ERR_BAD_REQUEST, "container \"%s\" in pod \"%s\" is waiting to start: ContainerCreating",
                       req->container, req->pod);
    int fds[2];
    pthread_t thread;
    if (pipe2(fds, O_CLOEXEC) < 0)
        return err_set(e, ERR_SYS, "no pipe");
    struct log_writer *w = xcalloc(1, sizeof *w);
    *w = (struct log_writer){fds[1], strcmp(req->pod, "held") == 0};
    if (pthread_create(&thread, NULL, write_log, w) != 0)
        BUG("no thread");
    pthread_detach(thread);
    *out_fd = fds[0];
    return 0;
}

struct child {
    pid_t pid;
    int exit_fd;
};

static void *wait_for_child(void *arg)
{
    struct child c = *(struct child *)arg;
    free(arg);
    int status = 0;
    waitpid(c.pid, &status, 0);
    struct exec_exit end = {.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status)};
    if (write(c.exit_fd, &end, sizeof end) != sizeof end)
        perror("exit code");
    close(c.exit_fd);
    return NULL;
}

static int spawn(char *const *argv, const int fds[3], pid_t *out)
{
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    for (int i = 0; i < 3; i++)
        posix_spawn_file_actions_adddup2(&actions, fds[i], i);
    posix_spawnattr_t attr;
    posix_spawnattr_init(&attr);
    sigset_t none;
    sigemptyset(&none);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
    int rc = posix_spawnp(out, argv[0], &actions, &attr, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attr);
    return rc;
}

/* Runs the command beside us, without a container or a terminal. */
static int node_exec(void *self, const struct exec_req *req, struct exec_session *out, struct err *e)
{
    (void)self;
    int in[2], text[2], errors[2], end[2];
    if (pipe2(in, O_CLOEXEC) < 0 || pipe2(text, O_CLOEXEC) < 0 || pipe2(errors, O_CLOEXEC) < 0 ||
        pipe2(end, O_CLOEXEC) < 0)
        return err_set(e, ERR_SYS, "no pipe");
    struct child *c = xcalloc(1, sizeof *c);
    c->exit_fd = end[1];
    int rc = spawn((char *const *)(uintptr_t)req->argv, (int[]){in[0], text[1], errors[1]}, &c->pid);
    close(in[0]);
    close(text[1]);
    close(errors[1]);
    pthread_t thread;
    if (rc != 0 || pthread_create(&thread, NULL, wait_for_child, c) != 0)
        return err_set(e, ERR_SYS, "no process: %s", strerror(rc));
    pthread_detach(thread);
    *out = (struct exec_session){.in = in[1], .out = text[0], .err = errors[0], .exit_fd = end[0]};
    return 0;
}

/* Any port of any pod is one of this machine. */
static int node_dial(void *self, const char *ns, const char *pod, uint16_t port, int *out_fd, struct err *e)
{
    (void)self;
    (void)ns;
    (void)pod;
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&sa, sizeof sa) < 0) {
        const int code = errno;
        close_cleanup(&fd);
        return err_sys(e, code, "connect");
    }
    *out_fd = fd;
    return 0;
}

static const struct node_ops node_program = {.log = node_log, .exec = node_exec, .dial = node_dial};

/* -- a stand-in for what the console asks -- */

/* Tells what it was asked; one with "hold", a FIFO's path, when somebody has written into that. */
static int console_answer(void *arg, const json_t *request, json_t **out, int fds[4], struct err *e)
{
    (void)arg;
    (void)fds;
    const char *hold = json_string_value(json_object_get(request, "hold"));
    char one;
    _auto_close_ int fd = hold ? open(hold, O_RDONLY | O_CLOEXEC) : -1;
    if (hold && read(fd, &one, 1) != 1)
        return err_set(e, ERR_BAD_REQUEST, "nobody let go of %s", hold);
    *out = json_deep_copy(request);
    return 0;
}

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
    if (a->node_program)
        registry_set_node_ops(h->registry, &node_program, NULL);
    struct apiserver_conf api = {.registry = h->registry,
                                 .clock = clock_real(),
                                 .addr = a->addr,
                                 .port = (uint16_t)a->port,
                                 .pki = &h->pki,
                                 .plain_http = a->plain,
                                 .idle_seconds = a->idle,
                                 .console.answer = a->console ? console_answer : NULL};
    if (apiserver_start(&api, &h->api, e) < 0 ||
        registry_bootstrap(h->registry, "127.0.0.1", apiserver_port(h->api), e) < 0 ||
        rbac_bootstrap(h->registry, e) < 0)
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
    snprintf(gate, sizeof gate, "%s/go", a.data ? a.data : ".");
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
