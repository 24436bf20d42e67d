/* create.c - `kubectl create -f FILE` and what `create KIND NAME` has in common. */
#include "api/decode.h"
#include "base/json.h"
#include "base/str.h"
#include "kubectl/create/creating.h"
#include "kubectl/verbs/editing.h"
#include "kubectl/verbs/verbs_int.h"

#include <stdlib.h>
#include <string.h>

/* ---- shared by kinds ---- */

const char *creating_name(struct call *c)
{
    const size_t words = c->dash >= 0 ? (size_t)c->dash : c->words.len;
    if (words == 1)
        return c->words.items[0];
    call_usage(c, "exactly one NAME is required, got %zu", words);
    return NULL;
}

bool creating_has(struct call *c, const char *flag)
{
    if (call_given(c, flag))
        return true;
    call_fail(c, "required flag(s) \"%s\" not set", flag);
    return false;
}

json_t *creating_object(struct call *c, const char *api_version, const char *kind, const char *name)
{
    json_t *o = json_pack("{s:s,s:s,s:{s:n,s:s}}", "apiVersion", api_version, "kind", kind, "metadata",
                          "creationTimestamp", "name", name);
    if (*call_text(c, "namespace"))
        jset_str(o, "metadata.namespace", call_text(c, "namespace"));
    return o;
}

json_t *creating_list(const struct strlist *texts)
{
    json_t *list = json_array();
    for (size_t i = 0; i < texts->len; i++)
        json_array_append_new(list, json_string(texts->items[i]));
    return list;
}

static int refused(struct call *c, const char *failed, const struct err *e)
{
    if (!failed || !c->failure)
        return call_error(c, e);
    call_fail(c, "%s%s", failed, jstr_or(c->failure, "message", ""));
    call_forget(c);
    return 1;
}

int creating_send(struct call *c, json_t *take_object, const char *plural, bool namespaced, const char *failed)
{
    _auto_json_ json_t *object = take_object, *made = NULL;
    _auto_buf_ struct buf path = BUF_INIT;
    struct err e = ERR_INIT;
    struct change ch;
    const char *version = jstr_or(object, "apiVersion", ""), *slash = strchr(version, '/');
    _auto_free_ char *group = slash ? xstrndup(version, (size_t)(slash - version)) : xstrdup("");
    _auto_free_ char *short_version = xstrdup(slash ? slash + 1 : version);
    _auto_free_ char *kind_name = xstrdup(jstr_or(object, "kind", "")), *name = xstrdup(plural);
    const struct kind kind = {
        .group = group, .version = short_version, .kind = kind_name, .plural = name, .namespaced = namespaced};
    if (change_begin(c, &ch) < 0)
        return c->code;
    if (call_bool(c, "save-config"))
        last_applied_set(object);
    if (!namespaced)
        json_object_del(json_object_get(object, "metadata"), "namespace");
    if (ch.dry != DRY_CLIENT) {
        const char *ns = namespaced ? call_namespace(c) : "";
        if (!ns)
            return c->code;
        kind_path(&kind, ns, NULL, NULL, &path);
        if (change_send(c, &ch, "POST", buf_str(&path), object, NULL, &made, &e) < 0)
            refused(c, failed, &e);
    }
    if (ch.dry == DRY_CLIENT || made)
        change_tell(c, &ch, &kind, made ? made : object, "created");
    change_end(c, &ch);
    return c->code;
}

/* ---- create -f ---- */

static int create_raw(struct call *c, const char *path)
{
    _auto_client_answer_ struct client_answer a = {0};
    _auto_targets_ struct targets t = {0};
    struct err e = ERR_INIT;
    if (targets_of(c, &(struct targets_opts){0}, &t) < 0)
        return c->code;
    _auto_free_ char *text = t.len ? json_text(t.items[0].object) : xstrdup("");
    const struct client_request rq = {.method = "POST", .path = path, .body = text, .len = strlen(text)};
    if (call_request(c, &rq, &a, &e) < 0)
        return call_error(c, &e);
    fwrite(buf_str(&a.body), 1, a.body.len, c->k->out);
    return 0;
}

static void create_one(struct call *c, struct change *ch, const struct target *t)
{
    _auto_free_ char *before = xasprintf("error when creating \"%s\": ", t->source);
    if (call_bool(c, "save-config"))
        last_applied_set(t->object);
    change_create(c, ch, t->kind, t->ns, t->object, before);
}

static int create_run(struct call *c)
{
    _auto_targets_ struct targets t = {0};
    struct change ch;
    if (call_unexpected(c))
        return c->code;
    if (!call_has_files(c))
        return call_fail(c, "must specify one of -f and -k");
    if (*call_text(c, "raw"))
        return create_raw(c, call_text(c, "raw"));
    if (call_bool(c, "edit"))
        return edit_new(c);
    if (change_begin(c, &ch) < 0 || targets_of(c, &(struct targets_opts){.checked = true}, &t) < 0)
        return c->code;
    if (t.len == 0 && c->code == 0)
        call_fail(c, "no objects passed to create");
    for (size_t i = 0; i < t.len; i++)
        create_one(c, &ch, &t.items[i]);
    change_end(c, &ch);
    return c->code;
}

static const struct kubectl_flag flags[] = {
    FLAGS_CREATE,
    FLAGS_FILES("Files with the objects"),
    FLAGS_SELECTOR,
    {"edit", 0, FLAG_BOOL, NULL, "Edit them before they are made"},
    {"raw", 0, FLAG_TEXT, NULL, "A path of the API that gets the file"},
    {0},
};

static const struct kubectl_verb *const subs[] = {
    &kubectl_create_clusterrole, &kubectl_create_clusterrolebinding,
    &kubectl_create_configmap,   &kubectl_create_cronjob,
    &kubectl_create_deployment,  &kubectl_create_ingress,
    &kubectl_create_job,         &kubectl_create_namespace,
    &kubectl_create_pdb,         &kubectl_create_priorityclass,
    &kubectl_create_quota,       &kubectl_create_role,
    &kubectl_create_rolebinding, &kubectl_create_secret,
    &kubectl_create_service,     &kubectl_create_serviceaccount,
    &kubectl_create_token,       NULL,
};

const struct kubectl_verb kubectl_create = {
    .name = "create",
    .summary = "Create a resource from a file or from stdin",
    .usage = "-f FILENAME [options]",
    .help = "  kubectl create -f pod.yaml\n  kubectl create configmap settings --from-literal=color=blue\n"
            "  kubectl create deployment web --image=nginx --dry-run=client -o yaml\n",
    .flags = flags,
    .takes = TAKES_NONE,
    .subs = subs,
    .run = create_run,
};
