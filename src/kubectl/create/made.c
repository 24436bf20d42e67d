/* made.c - see made.h. */
#include "kubectl/create/made.h"

#include "api/patch.h"
#include "base/json.h"
#include "base/str.h"
#include "kubectl/verbs/three_way.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

json_t *made_object(const char *kind, const char *name, json_t *labels, json_t *spec, json_t *status)
{
    json_t *o = json_pack("{s:s, s:s, s:{s:s, s:n}, s:o, s:o}", "kind", kind, "apiVersion", "v1", "metadata", "name",
                          name, "creationTimestamp", "spec", spec, "status", status);
    if (labels)
        jset(o, "metadata.labels", labels);
    return o;
}

json_t *made_labels(const char *text, struct err *e)
{
    _auto_json_ json_t *out = json_object();
    _auto_strlist_ struct strlist parts = {0};
    strlist_split(&parts, text, ',');
    for (size_t i = 0; i < parts.len; i++) {
        char *equals = strchr(parts.items[i], '=');
        if (!equals || strchr(equals + 1, '=')) {
            err_set(e, ERR_INVALID, "unexpected label spec: %s", parts.items[i]);
            return NULL;
        }
        *equals = '\0';
        if (!*parts.items[i]) {
            err_set(e, ERR_INVALID, "unexpected empty label key");
            return NULL;
        }
        json_object_set_new(out, parts.items[i], json_string(equals + 1));
    }
    return TAKE(out);
}

json_t *made_int_or_text(const char *text)
{
    int64_t n;
    return str_to_i64(text, &n) ? json_integer(n) : json_string(text);
}

int made_number(const char *text, int64_t *out, struct err *e)
{
    char *end;
    errno = 0;
    const long long n = strtoll(text, &end, 10);
    if (!*text || *end || *text == ' ' || errno)
        return err_set(e, ERR_INVALID, "strconv.Atoi: parsing \"%s\": %s", text,
                       errno == ERANGE ? "value out of range" : "invalid syntax");
    *out = n;
    return 0;
}

int made_override(struct call *c, json_t **object, struct err *e)
{
    const char *text = call_text(c, "overrides"), *how = call_text(c, "override-type");
    _auto_json_ json_t *patch = NULL;
    json_t *out = NULL;
    if (!*text)
        return 0;
    patch = json_loads(text, 0, NULL);
    if (!patch)
        return err_set(e, ERR_INVALID, "Invalid JSON Patch");
    const struct schema_type *type = builtin_type("", "v1", jstr_or(*object, "kind", ""));
    const int rc = str_eq(how, "json")        ? patch_json(*object, patch, &out, e)
                   : str_eq(how, "merge")     ? patch_merge(*object, patch, &out, e)
                   : str_eq(how, "strategic") ? patch_strategic(type, *object, patch, &out, e)
                                              : err_set(e, ERR_INVALID, "invalid override type: %s", how);
    if (rc < 0)
        return -1;
    json_decref(*object);
    *object = out;
    return 0;
}

int made_create(struct call *c, const char *plural, enum dry_run dry, json_t **object, struct err *e)
{
    _auto_buf_ struct buf path = BUF_INIT;
    _auto_json_ json_t *answer = NULL;
    const char *ns = call_namespace(c);
    if (!ns)
        return err_set(e, ERR_OK, "%s", "");
    if (dry == DRY_CLIENT) {
        if (c->ns_given)
            jset_str(*object, "metadata.namespace", ns);
        return 0;
    }
    buf_addf(&path, "/api/v1/namespaces/%s/%s", ns, plural);
    call_query(&path, "fieldManager", call_text(c, "field-manager"));
    if (dry == DRY_SERVER)
        call_query(&path, "dryRun", "All");
    if (call_json(c, "POST", buf_str(&path), *object, NULL, &answer, e) < 0)
        return -1;
    json_decref(*object);
    *object = TAKE(answer);
    return 0;
}
