/* Which volume a claim gets: one row a rule. */
#include "volume/volume.h"

#include "base/json.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

static json_t *parse(const char *text)
{
    json_error_t at;
    json_t *j = json_loads(text, 0, &at);
    if (!j)
        fail_msg("%s: %s", at.text, text);
    return j;
}

/* A volume: name, size, modes as JSON, extra members of spec and of the object. */
static json_t *pv(const char *name, const char *size, const char *modes, const char *spec, const char *top)
{
    _auto_free_ char *text = xasprintf("{\"metadata\":{\"name\":\"%s\"%s},\"spec\":{\"capacity\":{\"storage\":\"%s\"},"
                                       "\"accessModes\":%s%s},\"status\":{\"phase\":\"Available\"}}",
                                       name, top, size, modes, spec);
    return parse(text);
}

static json_t *claim(const char *size, const char *modes, const char *spec)
{
    _auto_free_ char *text =
        xasprintf("{\"metadata\":{\"name\":\"c\",\"namespace\":\"default\",\"uid\":\"u1\"},\"spec\":{"
                  "\"resources\":{\"requests\":{\"storage\":\"%s\"}},\"accessModes\":%s%s}}",
                  size, modes, spec);
    return parse(text);
}

#define RWO  "[\"ReadWriteOnce\"]"
#define RWX  "[\"ReadWriteMany\"]"
#define BOTH "[\"ReadWriteOnce\",\"ReadWriteMany\"]"

struct want {
    const char *name;                /* of the rule */
    const char *size, *modes, *spec; /* of the claim */
    struct {
        const char *name, *size, *modes, *spec, *top;
    } pvs[3];
    bool delay;
    const char *pick; /* NULL: none */
};

static const struct want table[] = {
    {"fits", "1Gi", RWO, "", {{"a", "1Gi", RWO, "", ""}}, false, "a"},
    {"smallest wins",
     "1Gi",
     RWO,
     "",
     {{"a", "5Gi", RWO, "", ""}, {"b", "2Gi", RWO, "", ""}, {"c", "3Gi", RWO, "", ""}},
     false,
     "b"},
    {"ties go to the first", "1Gi", RWO, "", {{"a", "2Gi", RWO, "", ""}, {"b", "2Gi", RWO, "", ""}}, false, "a"},
    {"too small", "1Gi", RWO, "", {{"a", "1G", RWO, "", ""}}, false, NULL},
    {"access mode", "1Gi", RWX, "", {{"a", "1Gi", RWO, "", ""}}, false, NULL},
    {"the group with fewer modes wins over the smaller volume",
     "1Gi",
     RWO,
     "",
     {{"a", "1Gi", BOTH, "", ""}, {"b", "5Gi", RWO, "", ""}},
     false,
     "b"},
    {"a larger group when the first has none",
     "1Gi",
     RWO,
     "",
     {{"a", "1Gi", BOTH, "", ""}, {"b", "500Mi", RWO, "", ""}},
     false,
     "a"},
    {"class differs", "1Gi", RWO, ",\"storageClassName\":\"x\"", {{"a", "1Gi", RWO, "", ""}}, false, NULL},
    {"class equal",
     "1Gi",
     RWO,
     ",\"storageClassName\":\"x\"",
     {{"a", "1Gi", RWO, ",\"storageClassName\":\"x\"", ""}},
     false,
     "a"},
    {"empty class equals none", "1Gi", RWO, ",\"storageClassName\":\"\"", {{"a", "1Gi", RWO, "", ""}}, false, "a"},
    {"volume mode", "1Gi", RWO, ",\"volumeMode\":\"Block\"", {{"a", "1Gi", RWO, "", ""}}, false, NULL},
    {"selector",
     "1Gi",
     RWO,
     ",\"selector\":{\"matchLabels\":{\"t\":\"2\"}}",
     {{"a", "1Gi", RWO, "", ",\"labels\":{\"t\":\"1\"}"}, {"b", "9Gi", RWO, "", ",\"labels\":{\"t\":\"2\"}"}},
     false,
     "b"},
    {"deleting",
     "1Gi",
     RWO,
     "",
     {{"a", "1Gi", RWO, "", ",\"deletionTimestamp\":\"2026-01-01T00:00:00Z\""}},
     false,
     NULL},
    {"claimed by another",
     "1Gi",
     RWO,
     "",
     {{"a", "1Gi", RWO, ",\"claimRef\":{\"name\":\"d\",\"namespace\":\"default\"}", ""}},
     false,
     NULL},
    {"pre-bound wins although larger",
     "1Gi",
     RWO,
     "",
     {{"a", "1Gi", RWO, "", ""}, {"b", "9Gi", RWO, ",\"claimRef\":{\"name\":\"c\",\"namespace\":\"default\"}", ""}},
     false,
     "b"},
    {"pre-bound with another uid is another's",
     "1Gi",
     RWO,
     "",
     {{"b", "9Gi", RWO, ",\"claimRef\":{\"name\":\"c\",\"namespace\":\"default\",\"uid\":\"u0\"}", ""}},
     false,
     NULL},
    {"delayed binding leaves free volumes to the scheduler", "1Gi", RWO, "", {{"a", "1Gi", RWO, "", ""}}, true, NULL},
    {"delayed binding takes pre-bound ones",
     "1Gi",
     RWO,
     "",
     {{"a", "1Gi", RWO, ",\"claimRef\":{\"name\":\"c\",\"namespace\":\"default\"}", ""}},
     true,
     "a"},
};

static void test_pick(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        const struct want *w = &table[i];
        _auto_json_ json_t *c = claim(w->size, w->modes, w->spec);
        const json_t *pvs[3];
        size_t n = 0;
        for (; n < 3 && w->pvs[n].name; n++)
            pvs[n] = pv(w->pvs[n].name, w->pvs[n].size, w->pvs[n].modes, w->pvs[n].spec, w->pvs[n].top);
        const json_t *got = pv_pick(c, pvs, n, &(struct pv_match_opts){.delay_binding = w->delay});
        const char *name = got ? jstr(got, "metadata.name") : "(none)";
        if (strcmp(name, w->pick ? w->pick : "(none)") != 0)
            fail_msg("%s: picked %s", w->name, name);
        while (n)
            json_decref((json_t *)pvs[--n]);
    }
}

static void test_pick_on_node(void **state)
{
    (void)state;
    const char *affinity = ",\"nodeAffinity\":{\"required\":{\"nodeSelectorTerms\":[{\"matchExpressions\":[{\"key\":"
                           "\"kubernetes.io/hostname\",\"operator\":\"In\",\"values\":[\"n1\"]}]}]}}";
    _auto_json_ json_t *c = claim("1Gi", RWO, "");
    _auto_json_ json_t *small = pv("a", "1Gi", RWO, affinity, "");
    _auto_json_ json_t *large = pv("b", "3Gi", BOTH, "", "");
    _auto_json_ json_t *n1 = parse("{\"metadata\":{\"name\":\"n1\",\"labels\":{\"kubernetes.io/hostname\":\"n1\"}}}");
    _auto_json_ json_t *n2 = parse("{\"metadata\":{\"name\":\"n2\",\"labels\":{\"kubernetes.io/hostname\":\"n2\"}}}");
    const json_t *pvs[] = {small, large};
    assert_ptr_equal(pv_pick(c, pvs, 2, &(struct pv_match_opts){.node = n1, .delay_binding = true}), small);
    assert_ptr_equal(pv_pick(c, pvs, 2, &(struct pv_match_opts){.node = n2, .delay_binding = true}), large);
    const json_t *taken[] = {small};
    struct pv_match_opts but = {.node = n1, .excluded = taken, .excluded_count = 1};
    assert_ptr_equal(pv_pick(c, pvs, 2, &but), large);
}

static void test_mismatch(void **state)
{
    (void)state;
    static const struct {
        const char *size, *modes, *spec, *top, *why;
    } rows[] = {
        {"1Gi", RWO, "", "", NULL},
        {"500Mi", RWO, "", "", "requested PV is too small"},
        {"1Gi", RWO, ",\"storageClassName\":\"x\"", "", "storageClassName does not match"},
        {"1Gi", RWO, ",\"volumeMode\":\"Block\"", "", "incompatible volumeMode"},
        {"1Gi", RWX, "", "", "incompatible accessMode"},
        {"1Gi", RWO, "", ",\"deletionTimestamp\":\"2026-01-01T00:00:00Z\"", "the volume is marked for deletion \"a\""},
    };
    _auto_json_ json_t *c = claim("1Gi", RWO, "");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char scratch[256];
        _auto_json_ json_t *v = pv("a", rows[i].size, rows[i].modes, rows[i].spec, rows[i].top);
        const char *why = pv_mismatch(v, c, scratch, sizeof scratch);
        if (rows[i].why)
            assert_string_equal(why, rows[i].why);
        else
            assert_null(why);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pick),
        cmocka_unit_test(test_pick_on_node),
        cmocka_unit_test(test_mismatch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
