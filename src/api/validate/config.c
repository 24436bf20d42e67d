/* config.c - config maps, secrets, service accounts: keys, sizes, what a secret's type asks for, immutability.
 *
 * THREADS: pure functions. Source: pkg/apis/core/validation. When you add a secret type: a row of secret_types. */
#include "api/validate/kinds_int.h"

#include "api/base64.h"

enum { DATA_MAX = 1024 * 1024 };

#define IMMUTABLE "field is immutable when `immutable` is set"

static size_t base64_size(const char *text)
{
    size_t n = strlen(text), padding = 0;
    while (padding < 2 && padding < n && text[n - 1 - padding] == '=')
        padding++;
    return n / 4 * 3 - (n >= 4 ? padding : 0);
}

/* Checks the keys and returns the size of the values. */
static size_t keys_check(struct field_errors *errs, const struct vpath *p, const json_t *map, const json_t *other,
                         bool base64)
{
    _auto_strlist_ struct strlist keys = {0};
    size_t total = 0;
    sorted_keys(map, &keys);
    for (size_t i = 0; i < keys.len; i++) {
        const char *key = keys.items[i], *value = vstr(map, keys.items[i]);
        v_name(errs, KEY(p, key), key, rule_config_key);
        if (json_object_get(other, key) != NULL)
            v_invalid(errs, KEY(p, key), key, "duplicate of key present in binaryData");
        total += base64 ? base64_size(value) : json_string_length(json_object_get(map, key));
    }
    return total;
}

/* -- config maps -- */

static void configmap_data_check(const struct change *c)
{
    const json_t *data = vget(c->obj, "data"), *binary = vget(c->obj, "binaryData");
    size_t total = keys_check(c->errs, FIELD(NULL, "data"), data, binary, false);
    total += keys_check(c->errs, FIELD(NULL, "binaryData"), binary, NULL, true);
    if (total > DATA_MAX)
        v_too_long(c->errs, FIELD(NULL, ""), DATA_MAX); /* the whole object */
}

void configmap_create(const struct change *c)
{
    change_meta_create(c);
    configmap_data_check(c);
}

/* What an immutable object may not change. */
static void immutable_check(const struct change *c, const char *const *members)
{
    if (!vbool(c->old, "immutable"))
        return;
    if (!vbool(c->obj, "immutable"))
        v_forbidden(c->errs, FIELD(NULL, "immutable"), IMMUTABLE);
    for (; *members != NULL; members++) {
        if (!go_equal_field(c->res->type, *members, c->obj, c->old))
            v_forbidden(c->errs, FIELD(NULL, *members), IMMUTABLE);
    }
}

void configmap_update(const struct change *c)
{
    static const char *const members[] = {"data", "binaryData", NULL};
    change_meta_update(c);
    immutable_check(c, members);
    configmap_create(c);
}

/* -- secrets -- */

typedef void secret_rules(const struct change *c, const struct vpath *data, const char *key);

static void needs_key(const struct change *c, const struct vpath *data, const char *key)
{
    if (!vhas(vget(c->obj, "data"), key))
        v_required(c->errs, KEY(data, key), NULL);
}

static void needs_value(const struct change *c, const struct vpath *data, const char *key)
{
    if (vstr(vget(c->obj, "data"), key)[0] == '\0')
        v_required(c->errs, KEY(data, key), NULL);
}

/* What Go's decoder says about text that is no JSON object; NULL if it is one. Returns new text. */
static char *json_complaint(const char *text, size_t len)
{
    json_error_t je;
    _auto_json_ json_t *tree = json_loadb(text, len, JSON_DECODE_ANY, &je);
    size_t at = strspn(text, " \t\r\n");
    if (json_is_object(tree) || json_is_null(tree))
        return NULL;
    if (tree != NULL) {
        const char *what = json_is_array(tree)    ? "array"
                           : json_is_string(tree) ? "string"
                           : json_is_number(tree) ? "number"
                                                  : "bool";
        return xasprintf("json: cannot unmarshal %s into Go value of type map[string]interface {}", what);
    }
    if (at < len && strchr("{[\"-0123456789tfn", text[at]) == NULL)
        return xasprintf("invalid character '%c' looking for beginning of value", text[at]);
    return xstrdup("unexpected end of JSON input");
}

static void needs_json(const struct change *c, const struct vpath *data, const char *key)
{
    _auto_buf_ struct buf bytes = BUF_INIT;
    const char *value = vstr(vget(c->obj, "data"), key);
    needs_key(c, data, key);
    size_t bad_at = 0;
    if (!vhas(vget(c->obj, "data"), key) || base64_decode(value, strlen(value), &bytes, &bad_at) < 0)
        return;
    _auto_free_ char *why = json_complaint(buf_str(&bytes), bytes.len);
    if (why != NULL)
        v_invalid(c->errs, KEY(data, key), "<secret contents redacted>", why);
}

static void needs_login(const struct change *c, const struct vpath *data, const char *key)
{
    const json_t *map = vget(c->obj, "data");
    (void)key;
    if (vhas(map, "username") || vhas(map, "password"))
        return;
    v_required(c->errs, KEY(data, "username"), NULL);
    v_required(c->errs, KEY(data, "password"), NULL);
}

static void needs_account(const struct change *c, const struct vpath *data, const char *key)
{
    (void)data;
    if (str_empty(jmap(c->obj, "metadata.annotations", key)))
        v_required(c->errs, KEY(FIELD(FIELD(NULL, "metadata"), "annotations"), key), NULL);
}

static const struct {
    const char *type;
    secret_rules *rules;
    const char *key;
} secret_types[] = {
    {"kubernetes.io/service-account-token", needs_account, "kubernetes.io/service-account.name"},
    {"kubernetes.io/dockercfg", needs_json, ".dockercfg"},
    {"kubernetes.io/dockerconfigjson", needs_json, ".dockerconfigjson"},
    {"kubernetes.io/basic-auth", needs_login, NULL},
    {"kubernetes.io/ssh-auth", needs_value, "ssh-privatekey"},
    {"kubernetes.io/tls", needs_key, "tls.crt"},
    {"kubernetes.io/tls", needs_key, "tls.key"},
};

void secret_create(const struct change *c)
{
    const struct vpath *data = FIELD(NULL, "data");
    change_meta_create(c);
    if (keys_check(c->errs, data, vget(c->obj, "data"), NULL, true) > DATA_MAX)
        v_too_long(c->errs, data, DATA_MAX);
    for (size_t i = 0; i < ARRAY_LEN(secret_types); i++) {
        if (strcmp(vstr(c->obj, "type"), secret_types[i].type) == 0)
            secret_types[i].rules(c, data, secret_types[i].key);
    }
}

void secret_update(const struct change *c)
{
    static const char *const members[] = {"data", NULL};
    change_meta_update(c);
    v_immutable_str(c->errs, FIELD(NULL, "type"), vstr(c->obj, "type"), vstr(c->old, "type"));
    immutable_check(c, members);
    secret_create(c);
}

/* -- service accounts -- */

void account_create(const struct change *c)
{
    change_meta_create(c);
}

void account_update(const struct change *c)
{
    change_meta_update(c);
    change_meta_create(c);
}
