/* service_account.c - ServiceAccount: a pod runs as an account that exists, and gets its token unless told not to.
 *
 * A new namespace gets its "default" account from a controller a moment after it was made; like the real plug-in this
 * one waits a little for it when a client asks (never for our own loops: they retry, and one of them makes the
 * account). Source: plugin/pkg/admission/serviceaccount. */
#include "registry/admission_int.h"
#include "registry/meta_int.h"

#include "base/str.h"

#include <string.h>
#include <time.h>

#define TOKEN_VOLUME_PREFIX "kube-api-access-"
#define TOKEN_MOUNT_PATH    "/var/run/secrets/kubernetes.io/serviceaccount"
#define TOKEN_SECONDS       3607
#define WAIT_TRIES          50
#define WAIT_STEP_NS        20000000L

static struct sobj *find_account(struct op *op, const char *name)
{
    struct sobj *sa = store_get(op->r->store, RES.serviceaccounts->bucket, op->t->ns, name);
    for (int i = 0; !sa && !op->ctx->loop && strcmp(name, "default") == 0 && i < WAIT_TRIES; i++) {
        nanosleep(&(struct timespec){.tv_nsec = WAIT_STEP_NS}, NULL);
        sa = store_get(op->r->store, RES.serviceaccounts->bucket, op->t->ns, name);
    }
    return sa;
}

static bool wants_token(const json_t *pod, const json_t *account)
{
    json_t *own = jat(pod, "spec.automountServiceAccountToken");
    return json_is_boolean(own) ? json_boolean_value(own) : jbool(account, "automountServiceAccountToken", true);
}

/* Mounts the token where nothing is mounted yet. Returns whether anything was. */
static bool mount_in(json_t *containers, const char *volume)
{
    bool any = false;
    size_t i, j;
    json_t *c, *m;
    json_array_foreach(containers, i, c)
    {
        bool taken = false;
        json_array_foreach(json_object_get(c, "volumeMounts"), j, m) taken =
            taken || str_eq(jstr(m, "mountPath"), TOKEN_MOUNT_PATH);
        if (taken)
            continue;
        json_array_append_new(jmake_arr(c, "volumeMounts"),
                              json_pack("{ss sb ss}", "name", volume, "readOnly", 1, "mountPath", TOKEN_MOUNT_PATH));
        any = true;
    }
    return any;
}

static json_t *token_volume(const char *name)
{
    json_t *sources = json_array();
    json_array_append_new(
        sources, json_pack("{s{siss}}", "serviceAccountToken", "expirationSeconds", TOKEN_SECONDS, "path", "token"));
    json_array_append_new(sources, json_pack("{s{sss[{ssss}]}}", "configMap", "name", "kube-root-ca.crt", "items",
                                             "key", "ca.crt", "path", "ca.crt"));
    json_array_append_new(sources, json_pack("{s{s[{sss{ssss}}]}}", "downwardAPI", "items", "path", "namespace",
                                             "fieldRef", "apiVersion", "v1", "fieldPath", "metadata.namespace"));
    return json_pack("{sss{sosi}}", "name", name, "projected", "sources", sources, "defaultMode", 0644);
}

static void mount_token(json_t *pod)
{
    char suffix[6];
    random_suffix(suffix, 5);
    _auto_free_ char *name = xasprintf(TOKEN_VOLUME_PREFIX "%s", suffix);
    bool there = false;
    size_t i;
    json_t *v;
    json_array_foreach(jat(pod, "spec.volumes"), i, v)
    {
        if (there || !str_starts(jstr_or(v, "name", ""), TOKEN_VOLUME_PREFIX))
            continue;
        free(name);
        name = xstrdup(jstr(v, "name"));
        there = true;
    }
    bool init = mount_in(jat(pod, "spec.initContainers"), name);
    bool main = mount_in(jat(pod, "spec.containers"), name);
    if (!there && (init || main))
        json_array_append_new(jmake_arr(pod, "spec.volumes"), token_volume(name));
}

int admit_service_account(struct op *op, struct admit *a)
{
    json_t *pod = a->obj;
    if (!json_is_object(json_object_get(pod, "spec")) ||
        jmap(pod, "metadata.annotations", "kubernetes.io/config.mirror"))
        return 0;
    const char *own = jstr_or(pod, "spec.serviceAccountName", "");
    _auto_free_ char *name = xstrdup(*own ? own : "default");
    jset_str(pod, "spec.serviceAccountName", name);
    jset_str(pod, "spec.serviceAccount", name);
    _auto_sobj_ struct sobj *account = find_account(op, name);
    if (!account)
        return op_forbid(op, pod, "error looking up service account %s/%s: serviceaccount \"%s\" not found", op->t->ns,
                         name, name);
    if (wants_token(pod, account->tree))
        mount_token(pod);
    json_t *pull = json_object_get(account->tree, "imagePullSecrets");
    if (json_array_size(jat(pod, "spec.imagePullSecrets")) == 0 && json_array_size(pull) > 0)
        jset(pod, "spec.imagePullSecrets", json_deep_copy(pull));
    return 0;
}
