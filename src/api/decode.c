/* decode.c - a body to an object: which kind it says it is, what is said when that is wrong, strictness.
 *
 * DESIGN: the order of checks is the real server's, because the first failure is what the user sees: YAML becomes JSON
 * text; the text must be JSON; kind and apiVersion are read (as Go's encoding/json does: any case, null allowed); the
 * kind must be known and be the one of the URL; then decode_typed.c; then strictness. Kinds we do not serve but a real
 * server knows are a table, since the message differs. THREADS: pure. */
#include "api/decode.h"

#include "api/decode_int.h"
#include "base/json.h"
#include "base/mem.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#define SCHEME "pkg/api/legacyscheme/scheme.go:30"

/* What is expected and what was found. */
struct envelope {
    const struct schema_type *type;
    const char *want_kind;
    const char *want_api_version;
    const char *go_kind; /* "core.ConfigMap" */
    char kind[256];
    char api_version[256];
};

/* -- which kind -- */

static const char *version_of(const char *api_version)
{
    const char *slash = strchr(api_version, '/');
    return slash ? slash + 1 : api_version;
}

static void api_version_of(const struct schema_type *t, char *out, size_t n)
{
    snprintf(out, n, "%s%s%s", t->group, *t->group ? "/" : "", t->version);
}

/* Older versions of kinds we serve, and kinds we do not serve, that a real server's scheme knows. */
static const struct {
    const char *api_version;
    const char *kinds; /* between blanks */
    const char *package;
} known[] = {
    {"apps/v1beta1", " Deployment StatefulSet ControllerRevision ", "apps"},
    {"apps/v1beta2", " Deployment StatefulSet DaemonSet ReplicaSet ControllerRevision ", "apps"},
    {"apps/v1", " StatefulSet DaemonSet ", "apps"},
    {"extensions/v1beta1", " Deployment DaemonSet ReplicaSet ", "apps"},
    {"extensions/v1beta1", " Ingress NetworkPolicy ", "networking"},
    {"storage.k8s.io/v1beta1", " StorageClass VolumeAttachment CSIDriver CSINode CSIStorageCapacity ", "storage"},
    {"storage.k8s.io/v1alpha1", " VolumeAttachment CSIStorageCapacity ", "storage"},
    {"coordination.k8s.io/v1beta1", " Lease ", "coordination"},
    {"discovery.k8s.io/v1beta1", " EndpointSlice ", "discovery"},
    {"events.k8s.io/v1beta1", " Event ", "core"},
    {"autoscaling/v2beta1", " HorizontalPodAutoscaler ", "autoscaling"},
    {"autoscaling/v2beta2", " HorizontalPodAutoscaler ", "autoscaling"},
    {"batch/v1beta1", " CronJob ", "batch"},
    {"networking.k8s.io/v1beta1", " Ingress IngressClass ", "networking"},
    {"policy/v1beta1", " PodDisruptionBudget ", "policy"},
    {"rbac.authorization.k8s.io/v1beta1", " Role RoleBinding ClusterRole ClusterRoleBinding ", "rbac"},
    {"scheduling.k8s.io/v1beta1", " PriorityClass ", "scheduling"},
    {"v1", " LimitRange ResourceQuota ReplicationController PodTemplate List ", "core"},
    {"batch/v1", " Job CronJob ", "batch"},
    {"policy/v1", " PodDisruptionBudget ", "policy"},
    {"autoscaling/v1", " HorizontalPodAutoscaler ", "autoscaling"},
    {"autoscaling/v2", " HorizontalPodAutoscaler ", "autoscaling"},
    {"scheduling.k8s.io/v1", " PriorityClass ", "scheduling"},
};

/* The internal Go type of a kind ("core.Pod") into `out`; false if no server knows the kind. */
static bool go_kind_find(const char *api_version, const char *kind, char *out, size_t n)
{
    const struct resource *r = resource_by_api_version(api_version, kind);
    if (r) {
        snprintf(out, n, "%s", r->go_kind);
        return true;
    }
    char padded[300];
    snprintf(padded, sizeof padded, " %s ", kind);
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        if (strcmp(known[i].api_version, api_version) != 0 || !strstr(known[i].kinds, padded))
            continue;
        snprintf(out, n, "%s.%s", known[i].package, kind);
        return true;
    }
    for (size_t i = 0;; i++) { /* lists and kinds that are no resource */
        const struct schema_type *t = schema_type_at(i);
        if (!t)
            return false;
        char version[256];
        if (!t->kind || strcmp(t->kind, kind) != 0)
            continue;
        api_version_of(t, version, sizeof version);
        if (strcmp(version, api_version) != 0)
            continue;
        snprintf(out, n, "%.*s.%s", (int)strcspn(t->name, "."), t->name, kind);
        return true;
    }
}

static int kind_refuse(const struct envelope *v, struct err *e)
{
    char found[600];
    if (!go_kind_find(v->api_version, v->kind, found, sizeof found))
        return err_set(
            e, ERR_BAD_REQUEST,
            "%s in version \"%s\" cannot be handled as a %s: no kind \"%s\" is registered for version \"%s\" in "
            "scheme \"" SCHEME "\"",
            v->kind, version_of(v->api_version), v->want_kind, v->kind, v->api_version);
    if (strcmp(found, v->go_kind) == 0)
        return err_set(e, ERR_BAD_REQUEST,
                       "the API version in the data (%s) does not match the expected API version (%s)", v->api_version,
                       v->want_api_version);
    return err_set(e, ERR_BAD_REQUEST,
                   "%s in version \"%s\" cannot be handled as a %s: converting (%s.%s) to (%s): unknown conversion",
                   v->kind, version_of(v->api_version), v->want_kind, version_of(v->api_version), v->kind, v->go_kind);
}

/* "Pod in version "v1" cannot be handled as a Pod: <what e says>" */
static int decode_refuse(const struct envelope *v, struct err *e)
{
    e->code = ERR_BAD_REQUEST;
    return err_wrap(e, "%s in version \"%s\" cannot be handled as a %s", v->kind, version_of(v->api_version),
                    v->want_kind);
}

/* The body in a message: its first 30 bytes, as text if it looks like JSON, else in hex. */
static void summary_write(struct buf *out, const char *body, size_t len)
{
    size_t n = len < 30 ? len : 30;
    if (len == 0)
        buf_adds(out, "<empty>");
    else if (body[0] == '{')
        buf_add(out, body, n);
    else
        for (size_t i = 0; i < n; i++)
            buf_addf(out, "%02x", (unsigned char)body[i]);
    if (len > n)
        buf_adds(out, " ...");
}

static int unrecognized(const struct envelope *v, const char *body, size_t len, struct err *e)
{
    _auto_buf_ struct buf summary = BUF_INIT;
    summary_write(&summary, body, len);
    char why[sizeof e->msg];
    memcpy(why, e->msg, sizeof why);
    return err_set(e, ERR_BAD_REQUEST, "the object provided is unrecognized (must be of type %s): %s (%s)",
                   v->want_kind, why, summary.data);
}

/* -- reading kind and apiVersion -- */

static int type_meta_member(struct json_cursor *c, const char *name, char *out, size_t n, struct err *e)
{
    char first = json_cursor_peek(c);
    if (first != '"') {
        json_cursor_skip(c);
        if (first == 'n')
            return 0;
        return err_set(e, ERR_BAD_REQUEST, "json: cannot unmarshal %s into Go struct field .%s of type string",
                       json_token_kind(first), name);
    }
    _auto_buf_ struct buf scratch = BUF_INIT;
    size_t len = 0;
    const char *s = json_cursor_string(c, &scratch, &len);
    snprintf(out, n, "%.*s", (int)len, s);
    return 0;
}

/* Reads the two members as encoding/json would: names in any case, the last one counts, the first type error is told.
 */
static int type_meta_read(const char *text, size_t len, struct envelope *v, struct err *e)
{
    struct json_cursor c = {text, text + len};
    _auto_buf_ struct buf scratch = BUF_INIT;
    int rc = 0;
    char first = json_cursor_peek(&c);
    if (first == 'n')
        return 0;
    if (!json_cursor_take(&c, '{'))
        return err_set(e, ERR_BAD_REQUEST,
                       "json: cannot unmarshal %s into Go value of type struct { APIVersion string "
                       "\"json:\\\"apiVersion,omitempty\\\"\"; Kind string \"json:\\\"kind,omitempty\\\"\" }",
                       json_token_kind(first));
    while (!json_cursor_take(&c, '}')) {
        json_cursor_take(&c, ',');
        json_cursor_peek(&c);
        size_t n = 0;
        const char *key = json_cursor_string(&c, &scratch, &n);
        bool is_kind = n == 4 && strncasecmp(key, "kind", 4) == 0;
        bool is_version = n == 10 && strncasecmp(key, "apiVersion", 10) == 0;
        json_cursor_take(&c, ':');
        if (rc < 0 || (!is_kind && !is_version))
            json_cursor_skip(&c);
        else if (is_kind)
            rc = type_meta_member(&c, "kind", v->kind, sizeof v->kind, e);
        else
            rc = type_meta_member(&c, "apiVersion", v->api_version, sizeof v->api_version, e);
    }
    return rc;
}

/* Fills what the body leaves open from the URL; checks the shape of the group version. */
static int type_meta_complete(struct envelope *v, struct err *e)
{
    const char *slash = strchr(v->api_version, '/');
    if (slash && strchr(slash + 1, '/'))
        return err_set(e, ERR_BAD_REQUEST, "unexpected GroupVersion string: %s", v->api_version);
    if (!v->kind[0])
        snprintf(v->kind, sizeof v->kind, "%s", v->want_kind);
    if (!v->api_version[0])
        snprintf(v->api_version, sizeof v->api_version, "%s", v->want_api_version);
    return 0;
}

/* -- the ways in -- */

static void envelope_init(struct envelope *v, const struct decode_opts *opts, char version[256], char go_kind[256])
{
    *v = (struct envelope){.type = opts->type};
    if (opts->want) {
        v->type = schema_type(opts->want->type);
        v->want_kind = opts->want->kind;
        v->want_api_version = resource_api_version(opts->want);
        v->go_kind = opts->want->go_kind;
        return;
    }
    api_version_of(v->type, version, 256);
    snprintf(go_kind, 256, "%.*s.%s", (int)strcspn(v->type->name, "."), v->type->name, v->type->kind);
    v->want_kind = v->type->kind;
    v->want_api_version = version;
    v->go_kind = go_kind;
}

/* Is the found kind the wanted one? DeleteOptions come in any group's version. */
static bool kind_matches(const struct envelope *v)
{
    if (strcmp(v->kind, v->want_kind) != 0)
        return false;
    return strcmp(v->api_version, v->want_api_version) == 0 || strcmp(v->type->name, "meta.v1.DeleteOptions") == 0;
}

/* "strict decoding error: a, b": the YAML duplicates first, in yaml.v2's own form. */
static void strict_text(struct buf *out, const struct strlist *yaml_dups, const struct strlist *strict)
{
    buf_adds(out, "strict decoding error: ");
    if (yaml_dups->len > 0)
        buf_adds(out, "yaml: unmarshal errors:");
    for (size_t i = 0; i < yaml_dups->len; i++)
        buf_addf(out, "\n  %s", yaml_dups->items[i]);
    for (size_t i = 0; i < strict->len; i++)
        buf_addf(out, "%s%s", i > 0 || yaml_dups->len > 0 ? ", " : "", strict->items[i]);
}

/* Decodes checked JSON text as `t`. The error is the bare text. */
static int typed_decode(const struct envelope *v, const char *text, size_t len, struct strlist *strict, json_t **out,
                        struct err *e)
{
    __attribute__((cleanup(decoder_release))) struct decoder d = {.c = {text, text + len}, .strict = strict, .e = e};
    _auto_json_ json_t *tree = decode_struct_root(&d, v->type, v->want_kind, v->want_api_version);
    if (d.failed)
        return -1;
    if (d.type_error)
        return err_set(e, ERR_BAD_REQUEST, "%s", d.type_text);
    *out = TAKE(tree);
    return 0;
}

/* What strictness says about notes: warnings, an error, or nothing. */
static int strictness_apply(enum field_validation mode, const struct strlist *dups, const struct strlist *strict,
                            struct strlist *warnings, struct err *e)
{
    if (dups->len + strict->len == 0 || mode == FIELDS_IGNORE)
        return 0;
    if (mode == FIELDS_STRICT) {
        _auto_buf_ struct buf text = BUF_INIT;
        strict_text(&text, dups, strict);
        return err_set(e, ERR_BAD_REQUEST, "%s", text.data);
    }
    for (size_t i = 0; warnings && i < dups->len; i++)
        strlist_add(warnings, dups->items[i]);
    for (size_t i = 0; warnings && i < strict->len; i++)
        strlist_add(warnings, strict->items[i]);
    return 0;
}

static int decode_text(const struct decode_opts *opts, const char *body, size_t len, json_t **out,
                       struct strlist *warnings, struct err *e)
{
    struct envelope v;
    char version[256], go_kind[256];
    envelope_init(&v, opts, version, go_kind);
    _auto_buf_ struct buf converted = BUF_INIT;
    _auto_strlist_ struct strlist dups = {0};
    _auto_strlist_ struct strlist strict = {0};
    const char *text = body;
    size_t n = len;
    bool looking = opts->fields != FIELDS_IGNORE;
    if (opts->media == MEDIA_YAML) {
        if (yaml_to_json_text(body, len, &converted, looking ? &dups : NULL, e) < 0)
            return unrecognized(&v, body, len, e);
        text = converted.data;
        n = converted.len;
    }
    if (json_scan(text, n, e) < 0 || type_meta_read(text, n, &v, e) < 0) {
        err_wrap(e, "couldn't get version/kind; json parse error");
        return unrecognized(&v, body, len, e);
    }
    if (type_meta_complete(&v, e) < 0)
        return unrecognized(&v, body, len, e);
    if (!kind_matches(&v))
        return kind_refuse(&v, e);
    _auto_json_ json_t *tree = NULL;
    if (typed_decode(&v, text, n, looking ? &strict : NULL, &tree, e) < 0 ||
        strictness_apply(opts->fields, &dups, &strict, warnings, e) < 0)
        return decode_refuse(&v, e);
    *out = TAKE(tree);
    return 0;
}

static int decode_proto(const struct decode_opts *opts, const void *bytes, size_t len, json_t **out, struct err *e)
{
    struct envelope v;
    char version[256], go_kind[256];
    envelope_init(&v, opts, version, go_kind);
    if (proto_envelope(bytes, len, v.api_version, v.kind, e) < 0 || type_meta_complete(&v, e) < 0)
        return unrecognized(&v, bytes, len, e);
    if (!kind_matches(&v))
        return kind_refuse(&v, e);
    if (proto_decode_object(bytes, len, v.type, v.want_kind, v.want_api_version, out, e) < 0)
        return decode_refuse(&v, e);
    return 0;
}

int decode_object(const struct decode_opts *opts, const void *bytes, size_t len, json_t **out_tree,
                  struct strlist *warnings, struct err *e)
{
    switch (opts->media) {
    case MEDIA_JSON:
    case MEDIA_YAML:
        return decode_text(opts, len ? bytes : "", len, out_tree, warnings, e);
    case MEDIA_PROTOBUF:
        return decode_proto(opts, bytes, len, out_tree, e);
    case MEDIA_CBOR_UNSUPPORTED:
        break;
    }
    return err_set(e, ERR_UNSUPPORTED_MEDIA,
                   "the body of the request was in an unknown format - accepted media types include: application/json, "
                   "application/yaml, application/vnd.kubernetes.protobuf");
}

int decode_tree(const struct decode_opts *opts, json_t *take_tree, json_t **out_tree, struct strlist *warnings,
                struct err *e)
{
    _auto_json_ json_t *given = take_tree;
    struct envelope v;
    char version[256], go_kind[256];
    envelope_init(&v, opts, version, go_kind);
    _auto_buf_ struct buf text = BUF_INIT;
    json_write(&text, given);
    _auto_strlist_ struct strlist dups = {0};
    _auto_strlist_ struct strlist strict = {0};
    _auto_json_ json_t *tree = NULL;
    if (typed_decode(&v, text.data, text.len, opts->fields == FIELDS_IGNORE ? NULL : &strict, &tree, e) < 0 ||
        strictness_apply(opts->fields, &dups, &strict, warnings, e) < 0) {
        e->code = ERR_INVALID;
        return -1;
    }
    *out_tree = TAKE(tree);
    return 0;
}

/* Puts into `draft` what reading some of its members again made of them, and what it added. */
static void take_over(json_t *draft, const json_t *reread, json_t *fresh)
{
    const char *key;
    json_t *given;
    json_object_foreach((json_t *)reread, key, given)
    {
        json_t *now = json_object_get(fresh, key);
        if (now)
            json_object_set_nocheck(draft, key, now);
        else
            json_object_del(draft, key);
    }
    json_object_update_missing(draft, fresh);
}

int decode_edited(const struct decode_opts *opts, const json_t *live, json_t *take_tree, json_t **out_tree,
                  struct err *e)
{
    _auto_json_ json_t *draft = take_tree;
    json_t *meta = json_object_get(draft, "metadata");
    _auto_json_ json_t *reread = json_unlike(draft, live), *fresh = NULL;
    _auto_json_ json_t *reread_meta = json_unlike(meta, json_object_get(live, "metadata"));
    json_object_set(reread, "metadata", reread_meta);
    if (decode_tree(opts, json_incref(reread), &fresh, NULL, e) < 0)
        return -1;
    take_over(meta, reread_meta, json_object_get(fresh, "metadata"));
    json_object_set(fresh, "metadata", meta);
    take_over(draft, reread, fresh);
    defaults_apply_members(opts->want, reread, draft);
    *out_tree = TAKE(draft);
    return 0;
}

/* -- without a schema -- */

int json_parse_strict(const char *text, size_t len, json_t **out, struct strlist *dups, struct err *e)
{
    if (json_scan(text, len, e) < 0)
        return -1;
    __attribute__((cleanup(decoder_release))) struct decoder d = {
        .c = {text, text + len}, .strict = dups, .any_strict = true, .e = e};
    json_t *tree = decode_any(&d, NULL, 0);
    if (!tree)
        return -1;
    *out = tree;
    return 0;
}

int json_parse(const char *text, size_t len, json_t **out, struct err *e)
{
    return json_parse_strict(text, len, out, NULL, e);
}
