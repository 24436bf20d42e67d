/* The cluster's DNS: addresses, reverse names, NXDOMAIN; and no question, however spoilt, is read or answered past its
 * end. */
#include "base/mem.h"
#include "sys/svc_int.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static json_t *names;

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

static void addresses_and_absence(void **state)
{
    (void)state;
    uint8_t q[600], a[600];
    static const uint8_t address[4] = {10, 96, 3, 4};
    const size_t n = ask("WEB.default.svc.cluster.local", 1, q), len = dns_answer(names, q, n, a, sizeof a);
    assert_int_equal(len, n + 16);
    assert_int_equal(a[0], 7);
    assert_int_equal(a[2], 0x85);
    assert_int_equal(a[3], 0x80);
    assert_int_equal(a[7], 1);
    assert_memory_equal(a + len - 4, address, 4);
    assert_int_equal(dns_answer(names, q, ask("web.default.svc.cluster.local", 28, q), a, sizeof a),
                     n); /* AAAA: none */
    assert_int_equal(a[3] & 15, 0);
    dns_answer(names, q, ask("nosuch.local", 1, q), a, sizeof a);
    assert_int_equal(a[3] & 15, 3);
    const size_t back = dns_answer(names, q, ask("4.3.96.10.in-addr.arpa", 12, q), a, sizeof a);
    assert_true(back > 0 && a[7] == 1);
    assert_memory_equal(a + back - 31, "\3web\7default\3svc\7cluster\5local", 31);
    const size_t many = dns_answer(names, q, ask("many", 1, q), a, sizeof a);
    assert_true(many > 0 && many <= sizeof a && a[7] > 1); /* as many as fit */
}

static void spoilt_questions(void **state)
{
    (void)state;
    uint8_t q[600], a[600];
    const size_t n = ask("web.default.svc.cluster.local", 1, q);
    for (size_t cut = 0; cut < n; cut++) {
        uint8_t *exact = xmemdup(q, cut);
        assert_int_equal(dns_answer(names, exact, cut, a, sizeof a), 0);
        free(exact);
    }
    for (size_t at = 0; at < n; at++)
        for (unsigned v = 0; v < 256; v += 5) {
            uint8_t *exact = xmemdup(q, n);
            exact[at] = (uint8_t)v;
            assert_true(dns_answer(names, exact, n, a, sizeof a) <= sizeof a);
            free(exact);
        }
}

static int start(void **state)
{
    (void)state;
    names = json_pack("{s:[s], s:[]}", "web.default.svc.cluster.local", "10.96.3.4", "many");
    for (int i = 0; i < 200; i++)
        json_array_append_new(json_object_get(names, "many"), json_sprintf("10.244.0.%d", i));
    return names ? 0 : -1;
}

static int stop(void **state)
{
    (void)state;
    json_decref(names);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_and_absence),
        cmocka_unit_test(spoilt_questions),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
