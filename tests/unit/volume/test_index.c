/* The index finds what a look at all volumes finds; a free volume calls one claim that it fits. */
#include "unit/volume/chance.h"
#include "volume/index.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

/* -- the index against the list -- */

struct hunt {
    json_t **pvs;
    size_t count;
    struct pv_query query;
    const json_t *found;
};

static bool consider(const char *name, void *arg)
{
    struct hunt *h = arg;
    for (size_t i = 0; i < h->count; i++)
        if (str_eq(jstr(h->pvs[i], "metadata.name"), name) && pv_judge(&h->query, h->pvs[i]) != PV_NO)
            h->found = h->pvs[i];
    return h->found != NULL;
}

static void compare(struct pv_index *x, json_t **pvs, size_t count, const json_t *claim, bool delay)
{
    struct pv_match_opts opts = {.delay_binding = delay};
    const json_t *listed = pv_pick(claim, (const json_t *const *)pvs, count, &opts);
    struct hunt h = {.pvs = pvs, .count = count};
    pv_query_init(&h.query, claim, NULL, delay);
    pv_index_search(x, &h.query, consider, &h);
    pv_query_release(&h.query);
    if (h.found == listed)
        return;
    _auto_free_ char *text = json_dumps(claim, JSON_COMPACT);
    fail_msg("%s: the list says %s, the index %s", text, jstr_or(listed, "metadata.name", "none"),
             jstr_or(h.found, "metadata.name", "none"));
}

static void test_same_choice(void **state)
{
    (void)state;
    for (seed = 1; seed != 0;) {
        uint64_t round = seed;
        struct pv_index *x = pv_index_new();
        json_t *pvs[100];
        for (unsigned i = 0; i < 100; i++) {
            pvs[i] = random_pv(i);
            pv_index_put(x, pvs[i]);
        }
        for (unsigned i = 0; i < 300; i++) {
            unsigned at = chance(100); /* a volume changes */
            json_decref(pvs[at]);
            pvs[at] = random_pv(at);
            pv_index_put(x, pvs[at]);
            _auto_json_ json_t *claim = random_claim();
            compare(x, pvs, 100, claim, chance(4) == 0);
        }
        for (unsigned i = 0; i < 100; i++) {
            pv_index_drop(x, jstr(pvs[i], "metadata.name"));
            json_decref(pvs[i]);
        }
        assert_int_equal(pv_index_len(x), 0);
        pv_index_free(x);
        seed = round < 20 ? round + 1 : 0;
    }
}

/* -- the lines -- */

static void note(const char *ns, const char *name, void *arg)
{
    char *out = arg;
    size_t n = strlen(out);
    snprintf(out + n, 128 - n, "%s/%s ", ns, name);
}

static json_t *claim_of(const char *name, const char *size, const char *cls, const char *volume)
{
    return json_pack("{s:{s:s, s:s}, s:{s:s, s:s, s:[s], s:{s:{s:s}}}}", "metadata", "name", name, "namespace", "n",
                     "spec", "storageClassName", cls, "volumeName", volume, "accessModes", "ReadWriteOnce", "resources",
                     "requests", "storage", size);
}

static json_t *pv_of(const char *name, const char *size, const char *cls)
{
    return json_pack("{s:{s:s}, s:{s:s, s:[s, s], s:{s:s}}, s:{s:s}}", "metadata", "name", name, "spec",
                     "storageClassName", cls, "accessModes", "ReadWriteOnce", "ReadWriteMany", "capacity", "storage",
                     size, "status", "phase", "Available");
}

static void add(struct claim_index *x, const char *name, const char *size, const char *cls, const char *volume)
{
    _auto_json_ json_t *claim = claim_of(name, size, cls, volume);
    claim_index_put(x, claim);
}

static const char *called(struct claim_index *x, const char *size, const char *cls)
{
    static char out[128];
    _auto_json_ json_t *pv = pv_of("v", size, cls);
    out[0] = '\0';
    claim_index_call(x, pv, note, out);
    return out;
}

static void test_calls(void **state)
{
    (void)state;
    struct claim_index *x = claim_index_new();
    add(x, "big", "5Gi", "a", "");
    add(x, "one", "1Gi", "a", "");
    add(x, "two", "1Gi", "a", "");
    add(x, "other", "1Gi", "b", "");
    add(x, "named", "1Gi", "a", "v");
    assert_string_equal(called(x, "1Gi", "a"), "n/one "); /* too small for the first in line */
    assert_string_equal(called(x, "1Gi", "a"), "n/two "); /* the next volume calls the next claim */
    assert_string_equal(called(x, "1Gi", "a"), "");
    add(x, "one", "1Gi", "a", ""); /* it found nothing after all */
    assert_string_equal(called(x, "9Gi", "a"), "n/big ");
    assert_string_equal(called(x, "9Gi", "a"), "n/one ");
    assert_string_equal(called(x, "9Gi", "zz"), "");
    char out[128] = "";
    claim_index_call_named(x, "v", note, out);
    claim_index_call_class(x, "b", note, out);
    assert_string_equal(out, "n/named n/other ");
    claim_index_drop(x, "n", "named");
    claim_index_drop(x, "n", "other");
    claim_index_drop(x, "n", "other");
    assert_int_equal(claim_index_len(x), 0);
    for (int i = 0; i < 1000; i++) { /* grows */
        char name[32];
        snprintf(name, sizeof name, "c%d", i);
        add(x, name, "1Gi", i % 2 ? "a" : "b", "");
    }
    assert_int_equal(claim_index_len(x), 1000);
    for (int i = 0; i < 500; i++)
        assert_string_not_equal(called(x, "1Gi", "a"), "");
    assert_string_equal(called(x, "1Gi", "a"), "");
    assert_string_equal(called(x, "1Gi", "b"), "n/c0 ");
    claim_index_free(x);
}

/* A claim that selects by labels does not keep the one behind it from being called. */
static void test_selective(void **state)
{
    (void)state;
    struct claim_index *x = claim_index_new();
    _auto_json_ json_t *claim = claim_of("picky", "1Gi", "a", "");
    jset_map(claim, "spec.selector.matchLabels", "disk", "ssd");
    claim_index_put(x, claim);
    add(x, "any", "1Gi", "a", "");
    assert_string_equal(called(x, "1Gi", "a"), "n/picky n/any ");
    assert_string_equal(called(x, "1Gi", "a"), "n/picky ");
    claim_index_free(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_choice),
        cmocka_unit_test(test_calls),
        cmocka_unit_test(test_selective),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
