/* test_status.c - Status bodies and field errors, compared with texts recorded from a 1.32 server. */
#include "api/status.h"
#include "base/json.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const struct resource configmaps = {.group = "", .version = "v1", .kind = "ConfigMap", .plural = "configmaps"};

static void assert_body(json_t *take_status, const char *text)
{
    _auto_json_ json_t *status = take_status;
    _auto_free_ char *got = json_text(status);
    assert_string_equal(got, text);
}

static void test_field_error_texts(void **state)
{
    (void)state;
    _auto_field_errors_ struct field_errors l = {0};
    static const char *const modes[] = {"Block", "Filesystem", NULL};
    fe_required(&l, "spec.capacity", "");
    fe_required(&l, "metadata.name", "name or generateName is required");
    fe_invalid_str(&l, "spec.x", "a\"b", "must be fine");
    fe_invalid_int(&l, "spec.n", -1, "must be greater than or equal to 0");
    fe_not_supported(&l, "spec.volumeMode", "Foo", modes);
    fe_forbidden(&l, "spec", "is immutable");
    fe_duplicate(&l, "spec.ports[1].name", "http");
    fe_not_found(&l, "spec.volumeMounts[0].name", "nov");
    fe_too_long(&l, "[]", 1048576);
    fe_too_many(&l, "spec.items", 5, 3);
    static const char *const want[] = {
        "Required value",
        "Required value: name or generateName is required",
        "Invalid value: \"a\\\"b\": must be fine",
        "Invalid value: -1: must be greater than or equal to 0",
        "Unsupported value: \"Foo\": supported values: \"Block\", \"Filesystem\"",
        "Forbidden: is immutable",
        "Duplicate value: \"http\"",
        "Not found: \"nov\"",
        "Too long: may not be more than 1048576 bytes",
        "Too many: 5: must have at most 3 items",
    };
    assert_int_equal(l.len, sizeof want / sizeof *want);
    for (size_t i = 0; i < l.len; i++)
        assert_string_equal(l.items[i].message, want[i]);
}

static void test_go_values(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        {"{\"b\":\"2\",\"a\":\"1\"}", "map[string]string{\"a\":\"1\", \"b\":\"2\"}"},
        {"[\"x\",\"y\"]", "[]string{\"x\", \"y\"}"},
        {"{\"a\":1}", "map[string]interface {}{\"a\":1}"},
        {"[true,null]", "[]interface {}{true, null}"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        _auto_json_ json_t *v = json_loads(pairs[i][0], 0, NULL);
        _auto_buf_ struct buf b = BUF_INIT;
        go_value_write(&b, v);
        assert_string_equal(buf_str(&b), pairs[i][1]);
    }
}

static void test_invalid(void **state)
{
    (void)state;
    _auto_field_errors_ struct field_errors l = {0};
    fe_required(&l, "metadata.name", "name or generateName is required");
    assert_body(
        status_invalid("", "ConfigMap", "", &l),
        "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\",\"message\":\"ConfigMap "
        "\\\"\\\" is invalid: metadata.name: Required value: name or generateName is required\",\"reason\":\"Invalid\","
        "\"details\":{\"kind\":\"ConfigMap\",\"causes\":[{\"reason\":\"FieldValueRequired\",\"message\":\"Required "
        "value: name or generateName is required\",\"field\":\"metadata.name\"}]},\"code\":422}");
    fe_required(&l, "metadata.name", "name or generateName is required");
    _auto_json_ json_t *twice = status_invalid("batch", "Job", "j", &l);
    assert_string_equal(jstr(twice, "message"),
                        "Job.batch \"j\" is invalid: metadata.name: Required value: name or generateName is required");
    assert_int_equal(json_array_size(jat(twice, "details.causes")), 2);
    fe_forbidden(&l, "spec", "no");
    _auto_json_ json_t *more = status_invalid("batch", "Job", "j", &l);
    assert_string_equal(jstr(more, "message"),
                        "Job.batch \"j\" is invalid: [metadata.name: Required value: name or generateName "
                        "is required, spec: Forbidden: no]");
}

static void test_from_err(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    err_set(&e, ERR_BAD_REQUEST, "limit");
    assert_body(status_from_err(&e, NULL, NULL),
                "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":"
                "\"Failure\",\"message\":\"limit\",\"reason\":\"BadRequest\",\"code\":400}");
    err_set(&e, ERR_NOT_FOUND, "configmaps \"x\" not found");
    assert_body(
        status_from_err(&e, &configmaps, "x"),
        "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\",\"message\":\"configmaps "
        "\\\"x\\\" not "
        "found\",\"reason\":\"NotFound\",\"details\":{\"name\":\"x\",\"kind\":\"configmaps\"},\"code\":404}");
    err_set(&e, ERR_INTERNAL, "Internal error occurred: boom");
    assert_body(status_from_err(&e, NULL, NULL),
                "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\",\"message\":"
                "\"Internal error "
                "occurred: "
                "boom\",\"reason\":\"InternalError\",\"details\":{\"causes\":[{\"message\":\"boom\"}]},\"code\":500}");
    err_set(&e, ERR_INTERNAL, "plain");
    assert_body(status_from_err(&e, NULL, NULL),
                "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":"
                "\"Failure\",\"message\":\"plain\",\"code\":500}");
    err_set(&e, ERR_UNSUPPORTED_MEDIA, "415: Unsupported Media Type");
    _auto_json_ json_t *media = status_from_err(&e, NULL, NULL);
    assert_int_equal(json_object_size(jat(media, "details")), 0);
    assert_non_null(jat(media, "details"));
}

static void test_to_err(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    _auto_json_ json_t *gone = status_failure(ERR_EXPIRED, "too old", NULL);
    assert_int_equal(status_to_err(gone, &e), -1);
    assert_int_equal(e.code, ERR_EXPIRED);
    assert_string_equal(e.msg, "too old");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_field_error_texts), cmocka_unit_test(test_go_values), cmocka_unit_test(test_invalid),
        cmocka_unit_test(test_from_err),          cmocka_unit_test(test_to_err),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
