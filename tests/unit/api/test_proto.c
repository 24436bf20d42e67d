/* Bodies in protobuf: recorded from kubectl, written by hand, and broken. */
#include "api_test.h"

#include "api/proto_wire.h"

static char *proto_decoded(const char *api_version, const char *kind, const void *body, size_t len)
{
    return decoded_bytes(api_version, kind, MEDIA_PROTOBUF, FIELDS_STRICT, body, len, NULL);
}

/* An envelope around what `raw` holds. */
static void envelope(struct buf *out, const char *api_version, const char *kind, const struct buf *raw)
{
    buf_add(out, "k8s\0", 4);
    size_t meta = wire_open(out, 1);
    wire_put_string(out, 1, api_version);
    wire_put_string(out, 2, kind);
    wire_close(out, meta);
    wire_put_bytes(out, 2, raw->data, raw->len);
}

static void test_delete_options_of_drain(void **state)
{
    (void)state;
    static const char body[] = "k8s\0\x0a\x13\x0a\x02v1\x12\x0d"
                               "DeleteOptions\x12\x02\x08\x00\x1a\x00\x22\x00";
    struct decode_opts opts = {.type = schema_type("meta.v1.DeleteOptions"), .media = MEDIA_PROTOBUF};
    struct err e = ERR_INIT;
    json_t *tree = NULL;
    assert_int_equal(decode_object(&opts, body, sizeof body - 1, &tree, NULL, &e), 0);
    assert_text(json_text(tree), "{\"kind\":\"DeleteOptions\",\"apiVersion\":\"v1\",\"gracePeriodSeconds\":0}");
    json_decref(tree);
}

static void test_claim(void **state)
{
    (void)state;
    _auto_buf_ struct buf raw = BUF_INIT;
    _auto_buf_ struct buf body = BUF_INIT;
    size_t meta = wire_open(&raw, 1);
    wire_put_string(&raw, 1, "data");
    wire_put_string(&raw, 2, ""); /* Go writes empty strings, too */
    size_t when = wire_open(&raw, 8);
    wire_close(&raw, when);
    wire_close(&raw, meta);
    size_t spec = wire_open(&raw, 2);
    wire_put_string(&raw, 1, "ReadWriteOnce");
    size_t resources = wire_open(&raw, 2);
    size_t entry = wire_open(&raw, 2);
    wire_put_string(&raw, 1, "storage");
    size_t quantity = wire_open(&raw, 2);
    wire_put_string(&raw, 1, "1536Mi");
    wire_close(&raw, quantity);
    wire_close(&raw, entry);
    wire_close(&raw, resources);
    wire_put_string(&raw, 5, ""); /* storageClassName is a pointer: "" means none */
    wire_close(&raw, spec);
    envelope(&body, "v1", "PersistentVolumeClaim", &raw);
    assert_text(proto_decoded("v1", "PersistentVolumeClaim", body.data, body.len),
                "{\"kind\":\"PersistentVolumeClaim\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"data\","
                "\"creationTimestamp\":null},"
                "\"spec\":{\"accessModes\":[\"ReadWriteOnce\"],\"resources\":{\"requests\":{\"storage\":\"1536Mi\"}},"
                "\"storageClassName\":\"\"},\"status\":{}}");
}

static void test_inlined_sources_and_numbers(void **state)
{
    (void)state;
    _auto_buf_ struct buf raw = BUF_INIT;
    _auto_buf_ struct buf body = BUF_INIT;
    size_t spec = wire_open(&raw, 2);
    size_t volume = wire_open(&raw, 1);
    wire_put_string(&raw, 1, "v");
    size_t source = wire_open(&raw, 2);
    size_t host_path = wire_open(&raw, 1);
    wire_put_string(&raw, 1, "/data");
    wire_close(&raw, host_path);
    wire_close(&raw, source);
    wire_close(&raw, volume);
    wire_put_uint(&raw, 4, 0);  /* terminationGracePeriodSeconds, a pointer */
    wire_put_uint(&raw, 11, 0); /* hostNetwork, none */
    wire_close(&raw, spec);
    envelope(&body, "v1", "Pod", &raw);
    assert_text(
        proto_decoded("v1", "Pod", body.data, body.len),
        "{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{\"creationTimestamp\":null},\"spec\":{\"volumes\":[{"
        "\"name\":\"v\","
        "\"hostPath\":{\"path\":\"/data\"}}],\"containers\":null,\"terminationGracePeriodSeconds\":0},\"status\":{}}");
}

static void test_broken_bodies(void **state)
{
    (void)state;
    assert_text(proto_decoded("v1", "ConfigMap", "{}", 2), "the object provided is unrecognized (must be of type "
                                                           "ConfigMap): provided data does not appear to be a protobuf "
                                                           "message, expected prefix [107 56 115 0] ({})");
    static const char truncated[] = "k8s\0\x0a\x7f";
    char *text = proto_decoded("v1", "ConfigMap", truncated, sizeof truncated - 1);
    assert_non_null(strstr(text, "unexpected EOF"));
    free(text);
    _auto_buf_ struct buf raw = BUF_INIT;
    _auto_buf_ struct buf body = BUF_INIT;
    wire_put_uint(&raw, 1, 7); /* metadata as a number */
    envelope(&body, "v1", "ConfigMap", &raw);
    text = proto_decoded("v1", "ConfigMap", body.data, body.len);
    assert_string_equal(
        text, "ConfigMap in version \"v1\" cannot be handled as a ConfigMap: proto: wrong wireType for field metadata");
    free(text);
    _auto_buf_ struct buf other = BUF_INIT;
    envelope(&other, "v1", "Secret", &raw);
    assert_text(proto_decoded("v1", "ConfigMap", other.data, other.len),
                "Secret in version \"v1\" cannot be handled as a ConfigMap: converting (v1.Secret) to "
                "(core.ConfigMap): unknown "
                "conversion");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_delete_options_of_drain),
        cmocka_unit_test(test_claim),
        cmocka_unit_test(test_inlined_sources_and_numbers),
        cmocka_unit_test(test_broken_bodies),
    };
    return cmocka_run_group_tests(tests, api_setup, NULL);
}
