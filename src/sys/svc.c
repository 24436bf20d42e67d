/* svc.c - the service process: cluster addresses that work.
 *
 * DESIGN: nodes and pods send what is not for themselves to the helper's network; so everything that services and
 * policies mean is done in one place. Where the kernel has nf_tables, service addresses and policies are rules of that
 * network namespace alone (svc_rules.c): a pod sees who really called, a refused connection is refused. Where it has
 * not, the addresses are the bridge's and this process relays what comes to them (svc_ports.c); policies do nothing
 * then, and the cluster says so. Names are answered by svc_dns.c.
 *
 * Each table replaces the one before, and is answered with what became of it:
 *     {"filter": true, "why": "", "refused": [{"ip": "127.0.0.1", "port": 30080, "protocol": "TCP", "why": "…"}]}
 * In the place of a table {"aged": 5000}: it stays, but who has a pod by affinity has had it 5 s longer, since the
 * cluster's clock was moved.
 *
 * THREADS: none; one process, one poll loop, a child of the helper. */
#include "sys/svc_int.h"
#include "sys/chan.h"
#include "sys/netlink.h"
#include "sys/ops_int.h"
#include "sys/proc_int.h"
#include "sys/wire.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/resident.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#define POLL_MAX 8192

struct svc {
    int sock;
    json_t *table; /* owned; names are looked up in it */
    struct ports ports;
    struct dns_server dns;
};

static json_t *replace_table(struct svc *s, json_t *take_table)
{
    struct err e = ERR_INIT;
    const int64_t aged = jint(take_table, "aged", 0);
    if (aged > 0) {
        json_decref(take_table);
        if (!s->table)
            return json_object(); /* this process is a new one */
        take_table = json_incref(s->table);
        ports_age(&s->ports, aged);
    }
    const bool filter = rules_apply(take_table, aged > 0 ? (uint64_t)aged : 0, &e) == 0;
    json_t *refused = ports_replace(&s->ports, take_table, !filter);
    json_decref(s->table);
    s->table = take_table;
    dns_open(&s->dns, s->ports.nl, jstr_or(take_table, "dns", ""));
    return json_pack("{s:b, s:s, s:o}", "filter", filter, "why", filter ? "" : e.msg, "refused", refused);
}

static void take_table(struct svc *s)
{
    struct err lost = ERR_INIT;
    _auto_msg_ struct msg m = MSG_INIT;
    _auto_buf_ struct buf body = BUF_INIT;
    if (chan_recv(s->sock, &m) != 1)
        _exit(0); /* the helper is gone */
    struct wire_in in = wire_reader(m.body.data, m.body.len);
    json_t *table = json_loads(wire_need_str(&in), 0, NULL);
    _auto_json_ json_t *result = table ? replace_table(s, table) : json_object();
    _auto_free_ char *text = json_text(result);
    wire_str(&body, text);
    chan_send(s->sock, m.id, MSG_REPLY, &body, NULL, 0, &lost);
}

static _Noreturn void svc_main(int sock, int door)
{
    static struct pollfd p[POLL_MAX];
    struct err e = ERR_INIT;
    struct svc s = {.sock = sock, .dns = {.udp = -1, .tcp = -1}};
    s.ports = (struct ports){.nl = nl_open(&e), .own_net = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC)};
    s.ports.door = door;
    for (int wait_ms = RESIDENT_REST_MS;;) {
        p[0] = (struct pollfd){s.sock, POLLIN, 0};
        struct pollfd *at = p + 1, *const end = p + POLL_MAX;
        struct pollfd *dns = at, *ports = dns + dns_poll(&s.dns, dns, (size_t)(end - dns));
        struct pollfd *flows = ports + ports_poll(&s.ports, ports, POLL_MAX / 2);
        struct pollfd *relays = flows + flow_poll(s.ports.flows, flows, (size_t)(end - flows));
        at = relays + relay_poll(s.ports.relays, relays, (size_t)(end - relays));
        const int ready = poll(p, (nfds_t)(at - p), wait_ms);
        wait_ms = ready == 0 ? -1 : RESIDENT_REST_MS;
        if (ready == 0)
            resident_drop_program();
        if (ready <= 0)
            continue;
        /* Those that may add to a list after those that walk it. */
        relay_work(&s.ports.relays, relays, (size_t)(at - relays));
        flow_work(s.ports.flows, flows, (size_t)(relays - flows));
        dns_work(&s.dns, s.table, dns, (size_t)(ports - dns));
        ports_work(&s.ports, ports, (size_t)(flows - ports));
        if (p[0].revents)
            take_table(&s);
    }
}

int svc_start(int door, int *out_sock, struct err *e)
{
    int pair[2];
    if (chan_pair(pair, e) < 0)
        return -1;
    const pid_t pid = fork();
    if (pid == 0) {
        const int keep[] = {pair[1], door};
        proc_reset_signals();
        signal(SIGPIPE, SIG_IGN);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        prctl(PR_SET_NAME, "stowage-svc");
        proc_keep_fds(keep, ARRAY_LEN(keep));
        svc_main(pair[1], door);
    }
    close(pair[1]);
    if (pid < 0) {
        close(pair[0]);
        return err_sys(e, errno, "start the service process");
    }
    *out_sock = pair[0];
    return 0;
}
