/* Bodies to objects: what a 1.32 server answers to good and bad ones. */
#include "api_test.h"

#define ZERO_META "\"metadata\":{\"name\":\"x\",\"creationTimestamp\":null}"
#define CM(rest)  "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"x\"}" rest "}"

static void test_members_come_in_order_and_empties_go(void **state)
{
    (void)state;
    assert_text(
        decoded("ConfigMap", MEDIA_JSON, FIELDS_STRICT,
                "{\"data\":{\"b\":\"2\",\"a\":\"1\"},\"metadata\":{\"labels\":{},\"name\":\"x\"},\"immutable\":false}"),
        "{\"kind\":\"ConfigMap\",\"apiVersion\":\"v1\"," ZERO_META
        ",\"immutable\":false,\"data\":{\"a\":\"1\",\"b\":\"2\"}}");
    assert_text(decoded("ConfigMap", MEDIA_JSON, FIELDS_STRICT, CM(",\"data\":{\"a\":null},\"binaryData\":null")),
                "{\"kind\":\"ConfigMap\",\"apiVersion\":\"v1\"," ZERO_META ",\"data\":{\"a\":\"\"}}");
    assert_text(decoded("PersistentVolumeClaim", MEDIA_JSON, FIELDS_STRICT, "{\"metadata\":{\"name\":\"x\"}}"),
                "{\"kind\":\"PersistentVolumeClaim\",\"apiVersion\":\"v1\"," ZERO_META
                ",\"spec\":{\"resources\":{}},\"status\":{}}");
}

static void test_values_become_canonical(void **state)
{
    (void)state;
    assert_text(decoded("PersistentVolumeClaim", MEDIA_JSON, FIELDS_STRICT,
                        "{\"metadata\":{\"name\":\"x\"},\"spec\":{\"resources\":{\"requests\":{\"storage\":\"1.5Gi\","
                        "\"cpu\":0.5}}}}"),
                "{\"kind\":\"PersistentVolumeClaim\",\"apiVersion\":\"v1\"," ZERO_META
                ",\"spec\":{\"resources\":{\"requests\":{\"cpu\":\"500m\",\"storage\":\"1536Mi\"}}},\"status\":{}}");
    assert_text(decoded("ConfigMap", MEDIA_JSON, FIELDS_STRICT,
                        "{\"metadata\":{\"name\":\"x\",\"creationTimestamp\":\"2024-02-29T12:00:00.5+02:00\"}}"),
                "{\"kind\":\"ConfigMap\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"x\",\"creationTimestamp\":"
                "\"2024-02-29T10:00:00Z\"}}");
    assert_text(decoded("Secret", MEDIA_JSON, FIELDS_STRICT,
                        "{\"metadata\":{\"name\":\"x\"},\"data\":{\"a\":\"aGVs\\nbG8=\"}}"),
                "{\"kind\":\"Secret\",\"apiVersion\":\"v1\"," ZERO_META ",\"data\":{\"a\":\"aGVsbG8=\"}}");
    assert_text(
        decoded("ConfigMap", MEDIA_JSON, FIELDS_STRICT, CM(",\"data\":{\"a\":\"\xff\\ud800\\u00e9\\ud83d\\ude00\"}")),
        "{\"kind\":\"ConfigMap\",\"apiVersion\":\"v1\"," ZERO_META ",\"data\":{\"a\":\"\xef\xbf\xbd\xef\xbf\xbd\xc3\xa9"
        "\xf0\x9f\x98\x80\"}}");
}

/* Each row: kind, body, and what the real server says (fieldValidation=Strict). */
static const struct {
    const char *kind, *body, *says;
} refusals[] = {
    {"ConfigMap", CM(",\"data\":{\"a\":1}"),
     "ConfigMap in version \"v1\" cannot be handled as a ConfigMap: json: cannot unmarshal number into Go struct field "
     "ConfigMap.data of type string"},
    {"ConfigMap", CM(",\"data\":[\"a\"]"),
     "ConfigMap in version \"v1\" cannot be handled as a ConfigMap: json: cannot unmarshal array into Go struct field "
     "ConfigMap.data of type map[string]string"},
    {"ConfigMap", "{\"metadata\":\"x\"}",
     "ConfigMap in version \"v1\" cannot be handled as a ConfigMap: json: cannot unmarshal string into Go struct field "
     "ConfigMap.metadata of type v1.ObjectMeta"},
    {"ConfigMap", "{\"metadata\":{\"generation\":1e3}}",
     "ConfigMap in version \"v1\" cannot be handled as a ConfigMap: json: cannot unmarshal number 1e3 into Go struct "
     "field "
     "ObjectMeta.metadata.generation of type int64"},
    {"ConfigMap", "{\"metadata\":{\"creationTimestamp\":\"yesterday\"}}",
     "ConfigMap in version \"v1\" cannot be handled as a ConfigMap: parsing time \"yesterday\" as "
     "\"2006-01-02T15:04:05Z07:00\": cannot parse \"yesterday\" as \"2006\""},
    {"ConfigMap", CM(",\"binaryData\":{\"a\":\"***\"}"),
     "ConfigMap in version \"v1\" cannot be handled as a ConfigMap: illegal base64 data at input byte 0"},
    {"PersistentVolumeClaim", "{\"spec\":{\"accessModes\":\"ReadWriteOnce\"}}",
     "PersistentVolumeClaim in version \"v1\" cannot be handled as a PersistentVolumeClaim: json: cannot unmarshal "
     "string "
     "into Go struct field PersistentVolumeClaimSpec.spec.accessModes of type []v1.PersistentVolumeAccessMode"},
    {"PersistentVolume", "{\"spec\":{\"capacity\":{\"storage\":\"1GI\"}}}",
     "PersistentVolume in version \"v1\" cannot be handled as a PersistentVolume: quantities must match the regular "
     "expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"},
    {"PersistentVolume", "{\"spec\":{\"hostPath\":\"/data\"}}",
     "PersistentVolume in version \"v1\" cannot be handled as a PersistentVolume: json: cannot unmarshal string into "
     "Go "
     "struct field PersistentVolumeSpec.spec.hostPath of type v1.HostPathVolumeSource"},
    {"Pod", "{\"spec\":{\"containers\":[{\"env\":[{\"value\":true}]}]}}",
     "Pod in version \"v1\" cannot be handled as a Pod: json: cannot unmarshal bool into Go struct field "
     "EnvVar.spec.containers.env.value of type string"},
    {"Pod", "{\"metadata\":{\"lables\":{}},\"spec\":{\"containers\":[{\"imagee\":\"x\"}],\"restartpolicy\":1}}",
     "Pod in version \"v1\" cannot be handled as a Pod: strict decoding error: unknown field \"metadata.lables\", "
     "unknown "
     "field \"spec.containers[0].imagee\", unknown field \"spec.restartpolicy\""},
    {"ConfigMap", "{\"metadata\":{\"name\":\"a\",\"name\":\"b\"},\"data\":{\"a\":\"1\",\"a\":\"2\"}}",
     "ConfigMap in version \"v1\" cannot be handled as a ConfigMap: strict decoding error: duplicate field "
     "\"metadata.name\", duplicate field \"data.a\""},
    {"ConfigMap", "{\"apiVersion\":\"v2\",\"kind\":\"ConfigMap\"}",
     "ConfigMap in version \"v2\" cannot be handled as a ConfigMap: no kind \"ConfigMap\" is registered for version "
     "\"v2\" in "
     "scheme \"pkg/api/legacyscheme/scheme.go:30\""},
    {"ConfigMap", "{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\"}",
     "Deployment in version \"v1\" cannot be handled as a ConfigMap: converting (v1.Deployment) to (core.ConfigMap): "
     "unknown "
     "conversion"},
    {"Deployment", "{\"apiVersion\":\"apps/v1beta1\",\"kind\":\"Deployment\"}",
     "the API version in the data (apps/v1beta1) does not match the expected API version (apps/v1)"},
    {"ConfigMap", "",
     "the object provided is unrecognized (must be of type ConfigMap): couldn't get version/kind; json parse error: "
     "unexpected end of JSON input (<empty>)"},
    {"ConfigMap", "[]",
     "the object provided is unrecognized (must be of type ConfigMap): couldn't get version/kind; json parse error: "
     "json: "
     "cannot unmarshal array into Go value of type struct { APIVersion string \"json:\\\"apiVersion,omitempty\\\"\"; "
     "Kind "
     "string \"json:\\\"kind,omitempty\\\"\" } (5b5d)"},
    {"ConfigMap", "{'apiVersion':'v1'}",
     "the object provided is unrecognized (must be of type ConfigMap): couldn't get version/kind; json parse error: "
     "invalid "
     "character '\\'' looking for beginning of object key string ({'apiVersion':'v1'})"},
    {"ConfigMap", "{\"kind\":1}",
     "the object provided is unrecognized (must be of type ConfigMap): couldn't get version/kind; json parse error: "
     "json: "
     "cannot unmarshal number into Go struct field .kind of type string ({\"kind\":1})"},
};

static void test_refusals(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(refusals); i++)
        assert_text(decoded(refusals[i].kind, MEDIA_JSON, FIELDS_STRICT, refusals[i].body), refusals[i].says);
}

/* Times of an ObjectMeta: what is read, or what is said. */
static const struct {
    const char *sent, *says;
} times[] = {
    {"2024-01-02T03:04:05Z", "2024-01-02T03:04:05Z"},
    {"2024-01-02T03:04:05.999999999-05:30", "2024-01-02T08:34:05Z"},
    {"2024-01-02T3:04:05Z", "2024-01-02T03:04:05Z"},
    {"9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z"},
    {"2023-02-29T00:00:00Z", "parsing time \"2023-02-29T00:00:00Z\": day out of range"},
    {"2024-13-01T00:00:00Z", "parsing time \"2024-13-01T00:00:00Z\": month out of range"},
    {"2024-01-02 03:04:05Z",
     "parsing time \"2024-01-02 03:04:05Z\" as \"2006-01-02T15:04:05Z07:00\": cannot parse \" 03:04:05Z\" "
     "as \"T\""},
    {"2024-01-02T03:04:05",
     "parsing time \"2024-01-02T03:04:05\" as \"2006-01-02T15:04:05Z07:00\": cannot parse \"\" as "
     "\"Z07:00\""},
    {"2024-01-02T03:04:05Zx", "parsing time \"2024-01-02T03:04:05Zx\": extra text: \"x\""},
};

static void test_times(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(times); i++) {
        _auto_free_ char *body = xasprintf("{\"metadata\":{\"creationTimestamp\":\"%s\"}}", times[i].sent);
        char *text = decoded("ConfigMap", MEDIA_JSON, FIELDS_STRICT, body);
        if (!strstr(text, times[i].says))
            fail_msg("%s: %s", times[i].sent, text);
        free(text);
    }
}

/* Go names the byte at which its decoder gave up. */
static void test_base64_offsets(void **state)
{
    (void)state;
    static const struct {
        const char *sent;
        int offset;
    } rows[] = {{"a", 0}, {"aGk", 0}, {"aGk=x", 4}, {"aG=k", 2}, {"aGVsbG8!", 7}, {"=", 0}, {"aGVsbG8gd29ybG", 12}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _auto_free_ char *body = xasprintf("{\"data\":{\"a\":\"%s\"}}", rows[i].sent);
        _auto_free_ char *says = xasprintf("illegal base64 data at input byte %d", rows[i].offset);
        char *text = decoded("Secret", MEDIA_JSON, FIELDS_STRICT, body);
        if (!str_ends(text, says))
            fail_msg("%s: %s", rows[i].sent, text);
        free(text);
    }
}

/* Versions that are no longer served, and still known. */
static void test_older_versions(void **state)
{
    (void)state;
    static const char body[] = "{\"apiVersion\":\"policy/v1beta1\",\"kind\":\"PodDisruptionBudget\"}";
    _auto_strlist_ struct strlist warnings = {0};
    assert_text(
        decoded_bytes("policy/v1", "PodDisruptionBudget", MEDIA_JSON, FIELDS_STRICT, body, strlen(body), &warnings),
        "the API version in the data (policy/v1beta1) does not match the expected API version (policy/v1)");
}

static void test_warn_and_ignore(void **state)
{
    (void)state;
    _auto_strlist_ struct strlist warnings = {0};
    const char *body = CM(",\"foo\":{\"a\":1,\"a\":2},\"data\":{\"a\":\"1\",\"a\":\"2\"}");
    assert_text(decoded_bytes("v1", "ConfigMap", MEDIA_JSON, FIELDS_WARN, body, strlen(body), &warnings),
                "{\"kind\":\"ConfigMap\",\"apiVersion\":\"v1\"," ZERO_META ",\"data\":{\"a\":\"2\"}}");
    assert_int_equal(warnings.len, 2);
    assert_string_equal(warnings.items[0], "unknown field \"foo\"");
    assert_string_equal(warnings.items[1], "duplicate field \"data.a\"");
    strlist_release(&warnings);
    warnings = (struct strlist){0};
    free(decoded_bytes("v1", "ConfigMap", MEDIA_JSON, FIELDS_IGNORE, body, strlen(body), &warnings));
    assert_int_equal(warnings.len, 0);
}

/* Names are C strings everywhere else, so a NUL in one may not get through. */
static void test_a_nul_in_a_name_is_replaced(void **state)
{
    (void)state;
    assert_text(decoded("ConfigMap", MEDIA_JSON, FIELDS_STRICT, CM(",\"data\":{\"a\\u0000b\":\"c\\u0000d\"}")),
                "{\"kind\":\"ConfigMap\",\"apiVersion\":\"v1\"," ZERO_META ",\"data\":{\"a\xef\xbf\xbd"
                "b\":\"c\\u0000d\"}}");
}

static void test_doubled_objects_are_merged(void **state)
{
    (void)state;
    assert_text(decoded("ConfigMap", MEDIA_JSON, FIELDS_IGNORE, CM(",\"data\":{\"a\":\"1\"},\"data\":{\"b\":\"2\"}")),
                "{\"kind\":\"ConfigMap\",\"apiVersion\":\"v1\"," ZERO_META ",\"data\":{\"a\":\"1\",\"b\":\"2\"}}");
}

static void test_nesting_is_bounded(void **state)
{
    (void)state;
    struct buf body = BUF_INIT;
    buf_adds(&body, "{\"kind\":\"ConfigMap\",\"x\":");
    for (int i = 0; i < 2040; i++) /* not what Go takes: what the store reads back */
        buf_adds(&body, "{\"a\":");
    char *text = decoded("ConfigMap", MEDIA_JSON, FIELDS_STRICT, body.data);
    assert_non_null(
        strstr(text, "invalid character '{' exceeded max depth ({\"kind\":\"ConfigMap\",\"x\":{\"a\":{ ...)"));
    free(text);
    buf_release(&body);
}

static void test_trees_are_checked_like_bodies(void **state)
{
    (void)state;
    struct decode_opts opts = {.type = schema_type("autoscaling.v1.Scale"), .fields = FIELDS_STRICT};
    struct err e = ERR_INIT;
    json_t *out = NULL;
    assert_int_equal(decode_tree(&opts, json_loads("{\"spec\":{\"replicas\":\"x\"}}", 0, NULL), &out, NULL, &e), -1);
    assert_int_equal(e.code, ERR_INVALID);
    assert_string_equal(e.msg,
                        "json: cannot unmarshal string into Go struct field ScaleSpec.spec.replicas of type int32");
    assert_int_equal(decode_tree(&opts, json_loads("{\"foo\":1}", 0, NULL), &out, NULL, &e), -1);
    assert_string_equal(e.msg, "strict decoding error: unknown field \"foo\"");
    assert_int_equal(decode_tree(&opts, json_loads("{\"spec\":{\"replicas\":2}}", 0, NULL), &out, NULL, &e), 0);
    assert_text(json_text(out),
                "{\"kind\":\"Scale\",\"apiVersion\":\"autoscaling/v1\",\"metadata\":{\"creationTimestamp\":null},"
                "\"spec\":{\"replicas\":2},\"status\":{\"replicas\":0}}");
    json_decref(out);
}

static const struct {
    const char *path, *value; /* NULL: the member goes */
} edits[] = {
    {"metadata.labels", "{\"b\":\"2\",\"a\":\"1\"}"},
    {"metadata.annotations", NULL},
    {"metadata.deletionTimestamp", "\"2026-01-01T00:00:00.5Z\""},
    {"spec.capacity.storage", "\"1024Mi\""},
    {"spec.nonsense", "7"},
    {"spec.claimRef", "{\"name\":\"c\",\"namespace\":\"d\",\"nonsense\":1}"},
    {"spec", NULL},
    {"status", "{\"message\":\"m\",\"phase\":\"Bound\"}"},
    {"status", "{\"message\":\"\"}"},
    {"nonsense", "{}"},
};

/* What was edited is decoded, and gets its defaults, as if all were. */
static void test_edits_are_decoded_as_the_whole(void **state)
{
    (void)state;
    const struct decode_opts opts = {.want = resource_by_api_version("v1", "PersistentVolume"),
                                     .fields = FIELDS_IGNORE};
    struct err e = ERR_INIT;
    _auto_json_ json_t *live = NULL;
    json_t *given = json_loads("{\"metadata\":{\"name\":\"v\",\"annotations\":{\"x\":\"y\"},\"finalizers\":[\"f\"]},"
                               "\"spec\":{\"capacity\":{\"storage\":\"1Gi\"},\"accessModes\":[\"ReadWriteOnce\"]}}",
                               0, NULL);
    assert_int_equal(decode_tree(&opts, given, &live, NULL, &e), 0);
    defaults_apply(opts.want, live);
    for (size_t i = 0; i < sizeof edits / sizeof *edits; i++) {
        json_t *draft = json_clone(live), *whole = NULL, *edited = NULL;
        if (edits[i].value)
            jset(draft, edits[i].path, json_loads(edits[i].value, JSON_DECODE_ANY, NULL));
        else
            jdel(draft, edits[i].path);
        assert_int_equal(decode_tree(&opts, json_clone(draft), &whole, NULL, &e), 0);
        defaults_apply(opts.want, whole);
        assert_int_equal(decode_edited(&opts, live, draft, &edited, &e), 0);
        schema_order(schema_type("core.v1.PersistentVolume"), edited);
        _auto_free_ char *want = json_text(whole);
        assert_text(json_text(edited), want);
        json_decref(whole);
        json_decref(edited);
    }
    json_t *draft = json_clone(live), *out = NULL;
    jset(draft, "spec.mountOptions", json_string("no list"));
    assert_int_equal(decode_edited(&opts, live, draft, &out, &e), -1);
    assert_int_equal(e.code, ERR_INVALID);
}

static void test_plain_json(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    json_t *out = NULL;
    _auto_strlist_ struct strlist dups = {0};
    const char *text = "{\"data\":{\"a\":[1,2.5,true,null],\"a\":1}}";
    assert_int_equal(json_parse_strict(text, strlen(text), &out, &dups, &e), 0);
    assert_string_equal(dups.items[0], "duplicate field \"data.a\"");
    json_decref(out);
    assert_int_equal(json_parse("{\"a\":1,}", 8, &out, &e), -1);
    assert_string_equal(e.msg, "invalid character '}' looking for beginning of object key string");
}

static void test_order(void **state)
{
    (void)state;
    json_t *tree = json_loads(
        "{\"metadata\":{\"uid\":\"u\",\"name\":\"x\",\"labels\":{\"b\":\"1\",\"a\":\"2\"}},\"kind\":\"Pod\"}", 0, NULL);
    schema_order(schema_type("core.v1.Pod"), tree);
    assert_text(json_text(tree),
                "{\"kind\":\"Pod\",\"metadata\":{\"name\":\"x\",\"uid\":\"u\",\"labels\":{\"a\":\"2\",\"b\":\"1\"}}}");
    json_decref(tree);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_members_come_in_order_and_empties_go),
        cmocka_unit_test(test_values_become_canonical),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_base64_offsets),
        cmocka_unit_test(test_older_versions),
        cmocka_unit_test(test_warn_and_ignore),
        cmocka_unit_test(test_a_nul_in_a_name_is_replaced),
        cmocka_unit_test(test_doubled_objects_are_merged),
        cmocka_unit_test(test_nesting_is_bounded),
        cmocka_unit_test(test_trees_are_checked_like_bodies),
        cmocka_unit_test(test_edits_are_decoded_as_the_whole),
        cmocka_unit_test(test_plain_json),
        cmocka_unit_test(test_order),
    };
    return cmocka_run_group_tests(tests, api_setup, NULL);
}
