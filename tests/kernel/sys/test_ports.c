/* test_ports.c - services without a packet filter: addresses of a bridge, connections and datagrams relayed to pods. In
 * a network namespace of its own. */
#include "base/mem.h"
#include "sys/netlink.h"
#include "sys/ops_int.h"
#include "sys/svc_int.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static struct ports ports;
static struct err e;

static struct sockaddr_in address(const char *ip, uint16_t port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
    assert_int_equal(inet_pton(AF_INET, ip, &at.sin_addr), 1);
    return at;
}

/* A socket that listens, as a pod would. */
static int pod(int type, uint16_t port)
{
    const int fd = svc_socket(type, address("127.0.0.1", 0).sin_addr, port);
    assert_true(fd >= 0);
    return fd;
}

/* A client's, connected or about to be. */
static int client(int type, const char *ip, uint16_t port)
{
    const struct sockaddr_in at = address(ip, port);
    const int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    if (connect(fd, (const struct sockaddr *)&at, sizeof at) == 0)
        return fd;
    close(fd);
    return -1;
}

/* The loop of the service process, until `fd` has something to read. */
static void work_until(int fd)
{
    for (;;) {
        struct pollfd p[64] = {{fd, POLLIN, 0}};
        const size_t listening = ports_poll(&ports, p + 1, 20);
        const size_t flows = flow_poll(ports.flows, p + 1 + listening, 20);
        const size_t relays = relay_poll(ports.relays, p + 1 + listening + flows, 20);
        assert_true(poll(p, 1 + listening + flows + relays, 60000) > 0);
        relay_work(&ports.relays, p + 1 + listening + flows, relays);
        flow_work(ports.flows, p + 1 + listening, flows);
        ports_work(&ports, p + 1, listening);
        if (p[0].revents)
            return;
    }
}

static void replace(const char *text, size_t want_refused)
{
    json_t *table = json_loads(text, 0, NULL);
    assert_non_null(table);
    json_t *refused = ports_replace(&ports, table, true);
    assert_int_equal(json_array_size(refused), want_refused);
    json_decref(refused);
    json_decref(table);
}

static void connections(void **state)
{
    (void)state;
    char data[16] = "";
    const int server = pod(SOCK_STREAM, 7001);
    replace("{\"services\": [{\"ip\": \"10.96.3.4\", \"port\": 80, \"targets\": [\"127.0.0.1:7001\"]},"
            " {\"ip\": \"10.96.3.5\", \"port\": 80, \"targets\": []}]}",
            0);
    const int caller = client(SOCK_STREAM, "10.96.3.4", 80);
    assert_true(caller >= 0);
    work_until(server);
    const int inner = accept(server, NULL, NULL);
    assert_int_equal(write(caller, "hello", 5), 5);
    work_until(inner);
    assert_int_equal(read(inner, data, sizeof data), 5);
    assert_int_equal(write(inner, "well", 4), 4);
    shutdown(inner, SHUT_WR);
    work_until(caller);
    assert_int_equal(read(caller, data, sizeof data), 4);
    assert_memory_equal(data, "well", 4);
    assert_int_equal(client(SOCK_STREAM, "10.96.3.5", 80), -1); /* nobody there: refused */
    close(inner);
    close(caller);
    close(server);
}

/* A connection of one client comes to that server. */
static void leads_to(int server)
{
    const int caller = client(SOCK_STREAM, "10.96.3.7", 80);
    assert_true(caller >= 0);
    work_until(server);
    const int inner = accept(server, NULL, NULL);
    assert_true(inner >= 0);
    close(inner);
    close(caller);
}

/* By turns it would be the other one each time. */
static void a_client_keeps_its_pod(void **state)
{
    (void)state;
    const int a = pod(SOCK_STREAM, 7004), b = pod(SOCK_STREAM, 7005);
    replace("{\"services\": [{\"ip\": \"10.96.3.7\", \"port\": 80, \"sticky\": 3600, \"targets\": "
            "[\"127.0.0.1:7004\", \"127.0.0.1:7005\"]}]}",
            0);
    leads_to(a);
    leads_to(a);
    replace("{\"services\": [{\"ip\": \"10.96.3.7\", \"port\": 80, \"sticky\": 3600, \"targets\": "
            "[\"127.0.0.1:7005\", \"127.0.0.1:7004\"]}]}",
            0);
    leads_to(a); /* also when the table is another */
    ports_age(&ports, 1800000);
    leads_to(a);
    ports_age(&ports, 3600000);
    leads_to(b);
    leads_to(b);
    replace("{\"services\": [{\"ip\": \"10.96.3.7\", \"port\": 80, \"sticky\": 3600, \"targets\": "
            "[\"127.0.0.1:7004\"]}]}",
            0);
    leads_to(a); /* its pod is gone */
    replace("{}", 0);
    close(a);
    close(b);
}

static void datagrams(void **state)
{
    (void)state;
    char data[16] = "";
    struct sockaddr_in from;
    socklen_t len = sizeof from;
    const int server = pod(SOCK_DGRAM, 7002);
    replace("{\"services\": [{\"ip\": \"10.96.3.6\", \"port\": 53, \"protocol\": \"UDP\", \"targets\": "
            "[\"127.0.0.1:7002\"]}]}",
            0);
    const int callers[2] = {client(SOCK_DGRAM, "10.96.3.6", 53), client(SOCK_DGRAM, "10.96.3.6", 53)};
    for (int i = 0; i < 2; i++) { /* each hears his own answer */
        assert_int_equal(write(callers[i], i ? "b" : "a", 1), 1);
        work_until(server);
        assert_int_equal(recvfrom(server, data, sizeof data, 0, (struct sockaddr *)&from, &len), 1);
        assert_int_equal(sendto(server, data, 1, 0, (struct sockaddr *)&from, len), 1);
        work_until(callers[i]);
        assert_int_equal(read(callers[i], data, sizeof data), 1);
        assert_int_equal(data[0], i ? 'b' : 'a');
        close(callers[i]);
    }
    close(server);
}

static void what_is_taken_is_told(void **state)
{
    (void)state;
    const int holder = pod(SOCK_STREAM, 7003);
    const char *const table = "{\"services\": [{\"ip\": \"127.0.0.1\", \"port\": 7003, \"host\": true, \"targets\": "
                              "[\"127.0.0.1:7001\"]}]}";
    replace(table, 1);
    close(holder);
    replace(table, 0);
    replace("{}", 0);
}

static int start(void **state)
{
    (void)state;
    if (unshare(CLONE_NEWNET) < 0)
        return -1;
    ports.nl = nl_open(&e);
    ports.own_net = ports.door = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    return ports.nl < 0 || nl_link_up(ports.nl, "lo", NULL, &e) < 0 ||
                   nl_bridge_add(ports.nl, NET_BRIDGE, htonl(NET_GATEWAY), &e) < 0 ||
                   nl_link_up(ports.nl, NET_BRIDGE, NULL, &e) < 0
               ? -1
               : 0;
}

static int stop(void **state)
{
    (void)state;
    close(ports.nl);
    close(ports.own_net);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(connections),
        cmocka_unit_test(a_client_keeps_its_pod),
        cmocka_unit_test(datagrams),
        cmocka_unit_test(what_is_taken_is_told),
    };
    if (geteuid() != 0) {
        print_message("skipped: needs root\n");
        return 77;
    }
    return cmocka_run_group_tests(tests, start, stop);
}
