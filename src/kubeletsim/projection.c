/* projection.c - what configMap, secret, downwardAPI and projected volumes contain, as a list of files.
 *
 * DESIGN: each source appends files; the caller gives the list to the machine, which writes it atomically. Missing
 * objects are errors unless optional; the texts are the kubelet's. A projected volume names all that is wrong with it.
 *
 * THREADS: workers; reads the registry and the pod. Source: pkg/volume/{configmap,secret,downwardapi,projected},
 * pkg/kubelet/token. */
#include "kubeletsim/volumes_int.h"

#include "api/base64.h"
#include "base/buf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_MODE   0644
#define TOKEN_LIFETIME 3607
#define TOKEN_DAY      86400

void files_release(struct files *f)
{
    for (size_t i = 0; i < f->len; i++) {
        free((void *)(uintptr_t)f->items[i].path);
        free((void *)(uintptr_t)f->items[i].data);
    }
    free(f->items);
    *f = (struct files){0};
}

/* The last source that gives a path wins. */
static void add_file(struct files *f, const char *path, void *take_data, size_t len, mode_t mode)
{
    for (size_t i = 0; i < f->len; i++) {
        if (!str_eq(f->items[i].path, path))
            continue;
        free((void *)(uintptr_t)f->items[i].data);
        f->items[i] = (struct file_spec){f->items[i].path, take_data, len, mode};
        return;
    }
    if (f->len == f->cap) {
        f->cap = f->cap ? f->cap * 2 : 8;
        f->items = xrealloc(f->items, f->cap * sizeof *f->items);
    }
    f->items[f->len++] = (struct file_spec){xstrdup(path), take_data, len, mode};
}

/* -- objects with data -- */

struct keyed {
    const char *kind;          /* "configmap", "secret": for messages */
    const char *text_member;   /* plain text values, or NULL */
    const char *binary_member; /* base64 values */
    const char *missing_key;   /* message prefix */
};
static const struct keyed config_maps = {"configmap", "data", "binaryData",
                                         "configmap references non-existent config key"};
static const struct keyed secrets = {"secret", NULL, "data", "references non-existent secret key"};

/* Returns new bytes, or NULL if there is no such key. */
static void *keyed_value(const struct keyed *k, const json_t *obj, const char *key, size_t *out_len)
{
    const json_t *text = k->text_member ? json_object_get(json_object_get(obj, k->text_member), key) : NULL;
    if (text) {
        *out_len = json_string_length(text);
        return xmemdup(json_string_value(text), *out_len + 1);
    }
    const char *binary = json_string_value(json_object_get(json_object_get(obj, k->binary_member), key));
    struct buf out = BUF_INIT;
    size_t at; /* invalid text gives what came before it: the API refused it long before */
    if (!binary)
        return NULL;
    base64_decode(binary, strlen(binary), &out, &at);
    return buf_steal(&out, out_len);
}

static void add_all(const struct keyed *k, const json_t *obj, mode_t mode, struct files *out)
{
    const char *const members[] = {k->text_member, k->binary_member};
    for (size_t m = 0; m < ARRAY_LEN(members); m++) {
        const char *key;
        json_t *value;
        json_object_foreach(members[m] ? json_object_get(obj, members[m]) : NULL, key, value)
        {
            size_t len = 0;
            void *data = keyed_value(k, obj, key, &len);
            if (data)
                add_file(out, key, data, len, mode);
        }
    }
}

static int add_keyed(struct pod_run *p, const struct keyed *k, const char *name, const json_t *source, mode_t mode,
                     struct files *out, struct err *e)
{
    bool optional = jbool(source, "optional", false);
    const struct resource *res = k == &secrets ? RES.secrets : RES.configmaps;
    _auto_sobj_ struct sobj *obj = reg_read(p->k->conf.registry, res, p->ns, name);
    if (!obj)
        return optional ? 0 : err_set(e, ERR_NOT_FOUND, "%s \"%s\" not found", k->kind, name);
    const json_t *items = json_object_get(source, "items");
    if (json_array_size(items) == 0) {
        add_all(k, obj->tree, mode, out);
        return 0;
    }
    size_t i;
    const json_t *item;
    json_array_foreach(items, i, item)
    {
        size_t len = 0;
        const char *key = jstr_or(item, "key", "");
        void *data = keyed_value(k, obj->tree, key, &len);
        if (data)
            add_file(out, jstr_or(item, "path", key), data, len, (mode_t)jint(item, "mode", (int64_t)mode));
        else if (!optional)
            return err_set(e, ERR_NOT_FOUND, "%s: %s", k->missing_key, key);
    }
    return 0;
}

static int add_config_map(struct pod_run *p, const json_t *s, mode_t mode, struct files *out, struct err *e)
{
    return add_keyed(p, &config_maps, jstr_or(s, "name", ""), s, mode, out, e);
}

static int add_secret(struct pod_run *p, const json_t *s, mode_t mode, struct files *out, struct err *e)
{
    return add_keyed(p, &secrets, jstr_or(s, "secretName", jstr_or(s, "name", "")), s, mode, out, e);
}

/* -- downward API -- */

static int add_downward(struct pod_run *p, const json_t *source, mode_t mode, struct files *out, struct err *e)
{
    size_t i;
    const json_t *item;
    json_array_foreach(json_object_get(source, "items"), i, item)
    {
        const char *field = jstr(item, "fieldRef.fieldPath");
        char *text = field ? field_value(p, field)
                           : resource_value(p, json_object_get(item, "resourceFieldRef"),
                                            jstr_or(item, "resourceFieldRef.containerName", ""));
        if (!text)
            return err_set(e, ERR_INVALID, "unsupported fieldPath: %s", field ? field : "");
        add_file(out, jstr_or(item, "path", ""), text, strlen(text), (mode_t)jint(item, "mode", (int64_t)mode));
    }
    return 0;
}

/* -- service account token: asked for at the front door, as the kubelet does -- */

static json_t *token_request(const struct pod_run *p, const json_t *source)
{
    json_t *spec = json_object();
    const char *audience = jstr(source, "audience");
    jset_int(spec, "expirationSeconds", jint(source, "expirationSeconds", TOKEN_LIFETIME));
    jset(spec, "audiences", audience ? json_pack("[s]", audience) : json_array());
    jset(spec, "boundObjectRef",
         json_pack("{s:s, s:s, s:s, s:s}", "kind", "Pod", "apiVersion", "v1", "name", p->name, "uid", p->uid));
    return json_pack("{s:s, s:s, s:o}", "apiVersion", "authentication.k8s.io/v1", "kind", "TokenRequest", "spec", spec);
}

/* A group that shares the volume reads it by that; whoever else is in the container does not. */
static int add_token(struct pod_run *p, const json_t *source, mode_t mode, struct files *out, struct err *e)
{
    if (fs_group_of(p) >= 0)
        mode = 0600; /* and 0440 more where the group is set */
    const char *account = jstr_or(pod_tree(p), "spec.serviceAccountName", "default");
    _auto_answer_ struct reg_answer ans = {0};
    struct reg_ctx ctx = {.user = "system:node", .manager = USER_AGENT, .loop = true};
    struct reg_target target = {RES.serviceaccounts, p->ns, account, "token"};
    struct reg_body body = {.tree = token_request(p, source)};
    if (reg_create(p->k->conf.registry, &ctx, &target, &body, &ans, e) < 0)
        return err_wrap(e, "failed to fetch token");
    const char *token = jstr(ans.body, "status.token");
    if (!token)
        return err_set(e, ERR_INTERNAL, "failed to fetch token: the answer has none");
    add_file(out, jstr_or(source, "path", "token"), xstrdup(token), strlen(token), mode);
    return 0;
}

/* -- the four volume types -- */

static const struct {
    const char *key;
    int (*add)(struct pod_run *p, const json_t *source, mode_t mode, struct files *out, struct err *e);
} sources[] = {
    {"configMap", add_config_map},
    {"secret", add_secret},
    {"downwardAPI", add_downward},
    {"serviceAccountToken", add_token},
};

static int add_source(struct pod_run *p, const char *key, const json_t *s, mode_t mode, struct files *out,
                      struct err *e)
{
    for (size_t i = 0; i < ARRAY_LEN(sources); i++)
        if (str_eq(sources[i].key, key))
            return sources[i].add(p, s, mode, out, e);
    return 0;
}

/* "e1", or "[e1, e2]" as Go's aggregate prints several. */
static int fail_with(const struct strlist *errors, struct err *e)
{
    _auto_free_ char *all = strlist_join(errors, ", ");
    if (errors->len == 0)
        return 0;
    return err_set(e, ERR_NOT_FOUND, errors->len > 1 ? "[%s]" : "%s", all);
}

int project_volume(struct pod_run *p, const char *key, const json_t *source, struct files *out, struct err *e)
{
    mode_t mode = (mode_t)jint(source, "defaultMode", DEFAULT_MODE);
    if (!str_eq(key, "projected"))
        return add_source(p, key, source, mode, out, e);
    _auto_strlist_ struct strlist errors = {0};
    size_t i;
    json_t *s;
    json_array_foreach(json_object_get(source, "sources"), i, s)
    {
        const char *kind;
        json_t *value;
        json_object_foreach(s, kind, value)
        {
            struct err why = ERR_INIT;
            if (add_source(p, kind, value, mode, out, &why) < 0)
                strlist_add(&errors, why.msg);
        }
    }
    return fail_with(&errors, e);
}

int64_t project_renewal(const char *key, const json_t *source)
{
    int64_t soonest = 0;
    size_t i;
    const json_t *s;
    json_array_foreach(str_eq(key, "projected") ? json_object_get(source, "sources") : NULL, i, s)
    {
        const json_t *token = json_object_get(s, "serviceAccountToken");
        int64_t seconds = jint(token, "expirationSeconds", TOKEN_LIFETIME) * 8 / 10;
        if (seconds > TOKEN_DAY)
            seconds = TOKEN_DAY;
        if (token && (!soonest || seconds < soonest))
            soonest = seconds;
    }
    return soonest;
}
