/* The cluster's DNS: addresses, aliases, services, reverse names, what there is not; answers that fit; and no question,
 * however spoilt, is read past its end. */
#include "base/mem.h"
#include "sys/dns_int.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { A = 1, CNAME = 5, PTR = 12, AAAA = 28, SRV = 33 };

static json_t *zone;
static struct buf out;

static size_t ask(const char *name, unsigned type, uint8_t *q)
{
    static const uint8_t head[12] = {7, 7, 1, 0, 0, 1};
    memcpy(q, head, sizeof head);
    size_t n = sizeof head;
    while (*name) {
        const size_t label = strcspn(name, ".");
        q[n++] = (uint8_t)label;
        memcpy(q + n, name, label);
        n += label;
        name += label + (name[label] == '.');
    }
    q[n++] = 0;
    q[n++] = 0;
    q[n++] = (uint8_t)type;
    q[n++] = 0;
    q[n++] = 1;
    return n;
}

/* Asks, and says what came: response code, answers, authority, additional. */
static void expect(const char *name, unsigned type, int code, unsigned answers, unsigned authority, unsigned additional)
{
    uint8_t q[600];
    assert_true(dns_answer(zone, q, ask(name, type, q), false, &out));
    const uint8_t *a = (const uint8_t *)out.data;
    if ((a[3] & 15) != code || a[7] != answers || a[9] != authority || a[11] != additional)
        fail_msg("%s %u: code %d, %d answers, %d authority, %d additional", name, type, a[3] & 15, a[7], a[9], a[11]);
    assert_int_equal(a[0], 7);
    assert_int_equal(a[2], 0x85);
}

static bool said(const char *bytes, size_t len)
{
    return memmem(out.data, out.len, bytes, len) != NULL;
}
#define SAID(text) assert_true(said(text, sizeof text - 1))

static void names_and_absence(void **state)
{
    (void)state;
    expect("WEB.default.svc.cluster.local", A, 0, 1, 0, 0);
    SAID("\0\4\12\140\3\4");
    expect("web.default.svc.cluster.local", AAAA, 0, 0, 1, 0); /* there is such a name */
    expect("default.svc.cluster.local", A, 0, 0, 1, 0);        /* and others below this one */
    expect("nosuch.default.svc.cluster.local", A, 3, 0, 1, 0);
    SAID("\12hostmaster\7cluster\5local");
    expect("example.com", A, 3, 0, 0, 0); /* not ours to speak for */
    expect("10-244-0-5.default.pod.cluster.local", A, 0, 1, 0, 0);
    SAID("\0\4\12\364\0\5");
    expect("10-244-0-5.nosuch.pod.cluster.local", A, 3, 0, 1, 0);
}

static void other_types(void **state)
{
    (void)state;
    expect("4.3.96.10.in-addr.arpa", PTR, 0, 1, 0, 0);
    SAID("\3web\7default\3svc\7cluster\5local");
    expect("9.9.9.9.in-addr.arpa", PTR, 3, 0, 0, 0);
    expect("_http._tcp.web.default.svc.cluster.local", SRV, 0, 1, 0, 1);
    SAID("\0\0\0\144\0\120\3web\7default"); /* priority 0, weight 100, port 80 */
    expect("out.default.svc.cluster.local", A, 0, 1, 0, 0);
    SAID("\3www\7example\3com");
    expect("alias.default.svc.cluster.local", A, 0, 2, 0, 0); /* the alias and where it leads */
    expect("alias.default.svc.cluster.local", CNAME, 0, 1, 0, 0);
}

static void answers_fit(void **state)
{
    (void)state;
    static const uint8_t edns[11] = {0, 0, 41, 16, 0};
    uint8_t q[600];
    const size_t n = ask("many.default.svc.cluster.local", A, q);
    assert_true(dns_answer(zone, q, n, false, &out));
    assert_true(out.len <= 512 && (out.data[2] & 2));
    memcpy(q + n, edns, sizeof edns);
    q[11] = 1;
    assert_true(dns_answer(zone, q, n + sizeof edns, false, &out));
    assert_true(out.len > 512 && out.len <= 1232 && (out.data[2] & 2) && out.data[11] == 1);
    q[11] = 0;
    assert_true(dns_answer(zone, q, n, true, &out));
    assert_true(!(out.data[2] & 2) && (uint8_t)out.data[7] == 200);
}

static void spoilt_questions(void **state)
{
    (void)state;
    uint8_t q[600];
    const size_t n = ask("web.default.svc.cluster.local", A, q);
    for (size_t cut = 0; cut < n; cut++) {
        uint8_t *exact = xmemdup(q, cut);
        assert_false(dns_answer(zone, exact, cut, false, &out));
        free(exact);
    }
    for (size_t at = 0; at < n; at++)
        for (unsigned v = 0; v < 256; v += 5) {
            uint8_t *exact = xmemdup(q, n);
            exact[at] = (uint8_t)v;
            dns_answer(zone, exact, n, false, &out);
            free(exact);
        }
}

static int start(void **state)
{
    (void)state;
    json_t *many = json_array();
    for (int i = 0; i < 200; i++)
        json_array_append_new(many, json_sprintf("10.244.0.%d", i));
    zone =
        json_pack("{s:{s:{s:[s]}, s:{s:[{s:i, s:s}]}, s:{s:s}, s:{s:s}, s:{s:o}, s:{}, s:{}}, s:{s:[s]}}", "names",
                  "web.default.svc.cluster.local", "A", "10.96.3.4", "_http._tcp.web.default.svc.cluster.local", "SRV",
                  "port", 80, "target", "web.default.svc.cluster.local", "out.default.svc.cluster.local", "CNAME",
                  "www.example.com", "alias.default.svc.cluster.local", "CNAME", "web.default.svc.cluster.local",
                  "many.default.svc.cluster.local", "A", many, "default.svc.cluster.local", "default.pod.cluster.local",
                  "PTR", "10.96.3.4", "web.default.svc.cluster.local");
    return zone ? 0 : -1;
}

static int stop(void **state)
{
    (void)state;
    json_decref(zone);
    buf_release(&out);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_absence),
        cmocka_unit_test(other_types),
        cmocka_unit_test(answers_fit),
        cmocka_unit_test(spoilt_questions),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
