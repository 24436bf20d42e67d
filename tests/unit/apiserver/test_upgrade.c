/* test_upgrade.c - the beginning of a stream where there is no room for it, and the end of one under TLS: the HTTP
 * library must not free a connection that a stream's thread is still closing.
 *
 * DESIGN: MHD_upgrade_action() marks the handle as closed and then calls MHD_resume_connection() with the connection.
 * Between the two the HTTP thread may already do all that closing means. That is a few instructions, so the library's
 * function is replaced by one that stands there until the connection's socket is closed (which comes last before the
 * connection is freed), or long enough. */
#include "api/resource.h"
#include "api/schema.h"
#include "apiserver/apiserver.h"
#include "apiserver/pki.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "registry/rbac.h"
#include "registry/registry.h"
#include "store/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <gnutls/gnutls.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { STREAMS = 5, LOOKS = 100, LOOK_NS = 5000000 };

static atomic_int closed, freed_too_soon; /* streams */

/* -- in the libraries' place -- */

static _Thread_local bool closing; /* this thread is a stream's, at its end */

static void *library(const char *name)
{
    void *symbol = dlsym(RTLD_NEXT, name);
    assert_non_null(symbol);
    return symbol;
}

static bool same_socket(int fd, const struct stat *was)
{
    struct stat now;
    return fstat(fd, &now) == 0 && now.st_ino == was->st_ino && now.st_dev == was->st_dev;
}

static void stand_in_the_gap(struct MHD_Connection *mhd)
{
    int fd = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    struct stat was = {0};
    fstat(fd, &was);
    for (int i = 0; i < LOOKS && same_socket(fd, &was); i++)
        nanosleep(&(struct timespec){.tv_nsec = LOOK_NS}, NULL);
    if (!same_socket(fd, &was))
        atomic_fetch_add(&freed_too_soon, 1);
    atomic_fetch_add(&closed, 1);
}

void MHD_resume_connection(struct MHD_Connection *mhd)
{
    void (*real)(struct MHD_Connection *);
    *(void **)(&real) = library("MHD_resume_connection");
    if (closing)
        stand_in_the_gap(mhd);
    real(mhd);
}

enum MHD_Result MHD_upgrade_action(struct MHD_UpgradeResponseHandle *handle, enum MHD_UpgradeAction action, ...)
{
    enum MHD_Result (*real)(struct MHD_UpgradeResponseHandle *, enum MHD_UpgradeAction, ...);
    *(void **)(&real) = library("MHD_upgrade_action");
    closing = action == MHD_UPGRADE_ACTION_CLOSE;
    enum MHD_Result rc = real(handle, action);
    closing = false;
    return rc;
}

static atomic_bool no_threads;

int pthread_create(pthread_t *out, const pthread_attr_t *attr, void *(*run)(void *), void *arg)
{
    int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    *(void **)(&real) = library("pthread_create");
    return atomic_load(&no_threads) ? EAGAIN : real(out, attr, run, arg);
}

/* -- a server and its clients -- */

struct house {
    struct store *store;
    struct registry *registry;
    struct pki pki;
    struct apiserver *api;
};

static void must(int rc, const struct err *e)
{
    if (rc < 0)
        fail_msg("%s", e->msg);
}

static void house_open(struct house *h)
{
    struct err e = ERR_INIT;
    struct store_conf store = {.clock = clock_real()};
    struct pki_conf pki = {.dir = NULL};
    must(store_open(&store, &h->store, &e), &e);
    must(pki_load(&pki, &h->pki, &e), &e);
    struct registry_conf conf = {
        .store = h->store, .clock = clock_real(), .service_cidr = "10.96.0.0/12", .pod_cidr = "10.244.0.0/16"};
    h->registry = registry_new(&conf);
    struct apiserver_conf api = {.registry = h->registry, .clock = clock_real(), .pki = &h->pki};
    must(apiserver_start(&api, &h->api, &e), &e);
    must(registry_bootstrap(h->registry, "127.0.0.1", apiserver_port(h->api), &e), &e);
    must(rbac_bootstrap(h->registry, &e), &e);
}

static void house_close(struct house *h)
{
    apiserver_stop(h->api);
    registry_free(h->registry);
    store_close(h->store);
    pki_release(&h->pki);
}

struct client {
    int fd;
    gnutls_session_t tls;
};

static void client_connect(struct client *c, gnutls_certificate_credentials_t any, uint16_t port)
{
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(c->fd, (struct sockaddr *)&sa, sizeof sa), 0);
    gnutls_init(&c->tls, GNUTLS_CLIENT);
    gnutls_set_default_priority(c->tls);
    gnutls_credentials_set(c->tls, GNUTLS_CRD_CERTIFICATE, any);
    gnutls_transport_set_int(c->tls, c->fd);
    int rc;
    do
        rc = gnutls_handshake(c->tls);
    while (rc < 0 && !gnutls_error_is_fatal(rc));
    assert_int_equal(rc, 0);
}

/* Is there a head, and unless it is the 101 what it says will follow? */
static bool is_whole(const char *answer)
{
    const char *end = strstr(answer, "\r\n\r\n"), *length = strstr(answer, "Content-Length: ");
    return end && (!length || strlen(end + 4) >= strtoul(length + 16, NULL, 10));
}

/* Asks for a watch over WebSocket, which begins with what is there. */
static void client_ask_stream(struct client *c, const char *token, char answer[4096])
{
    _auto_free_ char *ask = xasprintf("GET /api/v1/namespaces?watch=1 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n"
                                      "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                                      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nAuthorization: Bearer %s\r\n\r\n",
                                      token);
    assert_int_equal(gnutls_record_send(c->tls, ask, strlen(ask)), strlen(ask));
    size_t len = 0;
    for (answer[0] = '\0'; !is_whole(answer); answer[len] = '\0') {
        const ssize_t n = gnutls_record_recv(c->tls, answer + len, 4095 - len);
        assert_true(n > 0 || n == GNUTLS_E_AGAIN || n == GNUTLS_E_INTERRUPTED);
        len += n > 0 ? (size_t)n : 0;
    }
}

static void client_begin_stream(struct client *c, const char *token)
{
    char answer[4096];
    client_ask_stream(c, token, answer);
    assert_memory_equal(answer, "HTTP/1.1 101", 12);
}

static void client_close(struct client *c)
{
    gnutls_deinit(c->tls);
    close(c->fd);
}

static void a_stream_ends_before_its_connection(void **state)
{
    (void)state;
    struct house h = {0};
    struct client clients[STREAMS];
    gnutls_certificate_credentials_t any;
    gnutls_certificate_allocate_credentials(&any);
    house_open(&h);
    for (int i = 0; i < STREAMS; i++) {
        client_connect(&clients[i], any, apiserver_port(h.api));
        client_begin_stream(&clients[i], h.pki.admin_token);
    }
    for (int i = 0; i < STREAMS; i++)
        client_close(&clients[i]);
    for (int i = 0; i < 6000 && atomic_load(&closed) < STREAMS; i++)
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    assert_int_equal(atomic_load(&closed), STREAMS);
    assert_int_equal(atomic_load(&freed_too_soon), 0);
    house_close(&h);
    gnutls_certificate_free_credentials(any);
}

/* Who can have no session is told so before the 101, and asks again on the same connection. */
static void no_session_without_room_for_it(void **state)
{
    (void)state;
    struct house h = {0};
    struct client c;
    struct rlimit all, few;
    char answer[4096];
    gnutls_certificate_credentials_t any;
    gnutls_certificate_allocate_credentials(&any);
    house_open(&h);
    client_connect(&c, any, apiserver_port(h.api));
    const int next = dup(c.fd);
    close(next);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &all), 0);
    for (int spare = 0; spare < 3; spare++) {
        few = (struct rlimit){(rlim_t)(next + spare), all.rlim_max};
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
        client_ask_stream(&c, h.pki.admin_token, answer);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &all), 0);
        assert_memory_equal(answer, "HTTP/1.1 503", 12);
        assert_non_null(strstr(answer, "no more streams can be opened now: Too many open files"));
    }
    atomic_store(&no_threads, true);
    client_ask_stream(&c, h.pki.admin_token, answer);
    atomic_store(&no_threads, false);
    assert_memory_equal(answer, "HTTP/1.1 503", 12);
    client_begin_stream(&c, h.pki.admin_token);
    client_close(&c);
    house_close(&h);
    gnutls_certificate_free_credentials(any);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    schema_init();
    resource_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stream_ends_before_its_connection),
        cmocka_unit_test(no_session_without_room_for_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
