/* test_accept.c - what an Accept header gets, as a 1.32 server answers. */
#include "apiserver/accept_int.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define TABLE   "application/json;as=Table;v=v1;g=meta.k8s.io"
#define PARTIAL "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"

static const struct {
    const char *header;
    unsigned offers;
    int rc;
    enum form form;
    enum encoding encoding;
    const char *version;
} rows[] = {
    {NULL, 0, 0, FORM_OBJECT, ENCODE_JSON, ""},
    {"", 0, 0, FORM_OBJECT, ENCODE_JSON, ""},
    {"*/*", 0, 0, FORM_OBJECT, ENCODE_JSON, ""},
    {"application/*", 0, 0, FORM_OBJECT, ENCODE_JSON, ""},
    {"text/html", 0, -1, 0, 0, NULL},
    {"garbage", 0, -1, 0, 0, NULL},
    {"application/json, */*", 0, 0, FORM_OBJECT, ENCODE_JSON, ""},
    {"application/json;q=0.5", 0, 0, FORM_OBJECT, ENCODE_JSON, ""},
    {"application/json;charset=utf-8", 0, 0, FORM_OBJECT, ENCODE_JSON, ""},
    {"application/json;stream=watch", 0, 0, FORM_OBJECT, ENCODE_JSON, ""},
    {"application/yaml", 0, 0, FORM_OBJECT, ENCODE_YAML, ""},
    {"application/yaml", OFFER_NO_YAML, -1, 0, 0, NULL},
    {"application/json;q=0.1,application/yaml;q=0.9", 0, 0, FORM_OBJECT, ENCODE_YAML, ""},
    {"*/*,application/yaml", 0, 0, FORM_OBJECT, ENCODE_YAML, ""},
    {"application/vnd.kubernetes.protobuf", 0, -1, 0, 0, NULL},
    {"application/vnd.kubernetes.protobuf,application/json", 0, 0, FORM_OBJECT, ENCODE_JSON, ""},
    {"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", 0, 0, FORM_OBJECT, ENCODE_JSON, ""},
    {TABLE, OFFER_TABLE, 0, FORM_TABLE, ENCODE_JSON, "v1"},
    {TABLE, 0, -1, 0, 0, NULL},
    {TABLE ",application/json", 0, 0, FORM_OBJECT, ENCODE_JSON, ""},
    {TABLE ",application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json", OFFER_TABLE, 0, FORM_TABLE,
     ENCODE_JSON, "v1"},
    {"application/json;as=Table;v=v1beta1;g=meta.k8s.io", OFFER_TABLE, 0, FORM_TABLE, ENCODE_JSON, "v1beta1"},
    {"application/json;as=Table;v=v2;g=meta.k8s.io", OFFER_TABLE, -1, 0, 0, NULL},
    {"application/json;as=Table;v=v1;g=nosuch", OFFER_TABLE, -1, 0, 0, NULL},
    {"application/json;as=Nosuch;v=v1;g=meta.k8s.io", OFFER_TABLE, -1, 0, 0, NULL},
    {"application/yaml;as=Table;v=v1;g=meta.k8s.io", OFFER_TABLE, 0, FORM_TABLE, ENCODE_YAML, "v1"},
    {PARTIAL, OFFER_PARTIAL, 0, FORM_PARTIAL, ENCODE_JSON, "v1"},
    {"application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io", OFFER_PARTIAL, 0, FORM_PARTIAL_LIST,
     ENCODE_JSON, "v1"},
    {"application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList", OFFER_DISCOVERY, 0, FORM_DISCOVERY,
     ENCODE_JSON, "v2"},
    {"application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList;profile=nopeer", OFFER_DISCOVERY, 0,
     FORM_DISCOVERY, ENCODE_JSON, "v2"},
    {"application/json;g=apidiscovery.k8s.io;v=v3;as=APIGroupDiscoveryList", OFFER_DISCOVERY, -1, 0, 0, NULL},
    {"application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json", OFFER_DISCOVERY, 0,
     FORM_DISCOVERY, ENCODE_JSON, "v2beta1"},
};

static void negotiates(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct wanted w = {0};
        if (accept_negotiate(rows[i].header, rows[i].offers, &w) != rows[i].rc)
            fail_msg("%s", rows[i].header);
        if (rows[i].rc < 0)
            continue;
        if (w.form != rows[i].form || w.encoding != rows[i].encoding)
            fail_msg("%s", rows[i].header);
        assert_string_equal(w.version, rows[i].version);
    }
}

static void pretty_parameter(void **state)
{
    (void)state;
    struct wanted w;
    assert_int_equal(accept_negotiate("application/json;pretty=1", 0, &w), 0);
    assert_true(w.pretty);
    assert_int_equal(accept_negotiate("application/json;pretty=0", 0, &w), 0);
    assert_false(w.pretty);
}

static void survives_rubbish(void **state)
{
    (void)state;
    char text[6000];
    memset(text, 'a', sizeof text);
    text[sizeof text - 1] = '\0';
    text[100] = '/';
    text[200] = ';';
    text[3000] = ',';
    text[3050] = '=';
    struct wanted w;
    assert_int_equal(accept_negotiate(text, 0, &w), -1);
    assert_int_equal(accept_negotiate(",,;;,=/;q=,*/*;q=1;;", 0, &w), 0);
    assert_int_equal(accept_negotiate("/", 0, &w), -1);
}

static void coarse_look(void **state)
{
    (void)state;
    static const char *const types[] = {"application/json", "application/yaml", NULL};
    assert_true(accept_names(NULL, types));
    assert_true(accept_names("text/html, application/yaml;q=0.1", types));
    assert_true(accept_names("text/html,*/*;q=0.1", types));
    assert_false(accept_names("application/*", types));
    assert_false(accept_names("text/html", types));
}

static void bodies(void **state)
{
    (void)state;
    enum media m;
    assert_int_equal(content_media(NULL, &m), 0);
    assert_int_equal(m, MEDIA_JSON);
    assert_int_equal(content_media("APPLICATION/JSON; charset=latin1", &m), 0);
    assert_int_equal(content_media("application/yaml", &m), 0);
    assert_int_equal(m, MEDIA_YAML);
    assert_int_equal(content_media("application/vnd.kubernetes.protobuf", &m), 0);
    assert_int_equal(m, MEDIA_PROTOBUF);
    assert_int_equal(content_media("application/cbor", &m), -1);
    assert_int_equal(content_media("application/x-www-form-urlencoded", &m), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(negotiates),  cmocka_unit_test(pretty_parameter), cmocka_unit_test(survives_rubbish),
        cmocka_unit_test(coarse_look), cmocka_unit_test(bodies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
