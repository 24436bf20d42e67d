/* check_exec.c - a command in a pod, and bytes on a claim's volume, which are read by one.
 *
 * A volume is looked into through a running pod that mounts it, as anybody could: no pod, no look. */
#include "lab/check_int.h"

#include "base/json.h"
#include "base/mem.h"
#include "client/stream.h"

#include <string.h>

#define KEPT_MAX (1024 * 1024)
#define EXEC_MS  20000

struct collected {
    struct buf out, errors;
};

static int collect(void *arg, int which, const void *data, size_t n, struct err *e)
{
    struct collected *c = arg;
    struct buf *to = which == 1 ? &c->out : &c->errors;
    (void)e;
    buf_add(to, data, to->len < KEPT_MAX ? n : 0);
    return 0;
}

static bool runs(const json_t *pod)
{
    return str_eq(jstr(pod, "status.phase"), "Running") && !jstr(pod, "metadata.deletionTimestamp");
}

char *find_pod(struct lab_env *env, const char *pod, const char *ns, struct err *e)
{
    _auto_buf_ struct buf path = BUF_INIT;
    _auto_json_ json_t *list = NULL;
    size_t i;
    const json_t *x;
    if (!strpbrk(pod, "=!, "))
        return xstrdup(pod);
    buf_addf(&path, "/api/v1/namespaces/%s/pods?labelSelector=", ns ? ns : client_namespace(env->client));
    client_escape(&path, pod);
    if (client_json(env->client, "GET", buf_str(&path), NULL, NULL, &list, e) < 0)
        return NULL;
    json_array_foreach(json_object_get(list, "items"), i,
                       x) if (runs(x)) return xstrdup(jstr_or(x, "metadata.name", ""));
    err_set(e, ERR_NOT_FOUND, "no pod with %s is running", pod);
    return NULL;
}

static int exec_in(struct lab_env *env, const char *pod, const char *ns, const char *container, const json_t *command,
                   struct collected *c, int *out_code, struct err *e)
{
    _auto_buf_ struct buf path = BUF_INIT;
    size_t i;
    const json_t *word;
    buf_addf(&path, "/api/v1/namespaces/%s/pods/%s/exec?stdout=true&stderr=true",
             ns ? ns : client_namespace(env->client), pod);
    json_array_foreach(command, i, word)
    {
        buf_adds(&path, "&command=");
        client_escape(&path, json_string_value(word));
    }
    if (container) {
        buf_adds(&path, "&container=");
        client_escape(&path, container);
    }
    const struct client_stream s = {
        .path = buf_str(&path), .in = -1, .resize = -1, .output = collect, .arg = c, .timeout_ms = EXEC_MS};
    return client_run(env->client, &s, out_code, e);
}

static int judge(const json_t *what, int code, const struct collected *c, struct check_result *out, struct err *e)
{
    const int want = (int)jint(what, "code", 0);
    bool matches = true;
    if (want != 0 || !json_object_get(what, "output"))
        buf_addf(&out->expected, "exit code %d%s", want, json_object_get(what, "output") ? " and " : "");
    if (match_text(json_object_get(what, "output"), buf_str(&c->out), &matches, &out->expected, e) < 0)
        return -1;
    out->passed = matches && code == want;
    show_text(&out->observed, buf_str(&c->out));
    if (code != want) {
        buf_addf(&out->observed, "%sexit code %d: ", out->observed.len ? "\n" : "", code);
        show_text(&out->observed, buf_str(&c->errors));
    }
    return 0;
}

int check_exec(struct lab_env *env, const json_t *what, struct check_result *out, struct err *e)
{
    const json_t *command = json_object_get(what, "command");
    const char *ns = jstr(what, "namespace");
    _auto_json_ json_t *words =
        json_is_string(command) ? json_pack("[s,s,O]", "sh", "-c", command) : json_incref((json_t *)(uintptr_t)command);
    _auto_free_ char *pod = find_pod(env, jstr(what, "pod"), ns, e);
    struct collected c = {0};
    int code, rc = -1;
    if (pod && exec_in(env, pod, ns, jstr(what, "container"), words, &c, &code, e) == 0)
        rc = judge(what, code, &c, out, e);
    buf_release(&c.out);
    buf_release(&c.errors);
    return rc;
}

/* ---- bytes ---- */

/* Where a container of the pod has the claim's volume. False: nowhere. */
static bool mount_of(const json_t *pod, const char *claim, const char **out_container, const char **out_path)
{
    size_t v, c, m;
    const json_t *volume, *container, *mount;
    json_array_foreach(jat(pod, "spec.volumes"), v, volume)
    {
        if (!str_eq(jstr(volume, "persistentVolumeClaim.claimName"), claim))
            continue;
        json_array_foreach(jat(pod, "spec.containers"), c, container)
            json_array_foreach(json_object_get(container, "volumeMounts"), m,
                               mount) if (str_eq(jstr(mount, "name"), jstr(volume, "name")) && !jstr(mount, "subPath"))
        {
            *out_container = jstr(container, "name");
            *out_path = jstr(mount, "mountPath");
            return true;
        }
    }
    return false;
}

static int read_file(struct lab_env *env, const json_t *what, const json_t *pod, const char *container, const char *at,
                     struct check_result *out, struct err *e)
{
    struct collected c = {0};
    _auto_free_ char *file = xasprintf("%s/%s", at, jstr(what, "path"));
    _auto_json_ json_t *command = json_pack("[s,s]", "cat", file);
    const json_t *content = json_object_get(what, "content");
    const bool absent = jbool(what, "absent", false);
    int code, rc = exec_in(env, jstr(pod, "metadata.name"), jstr(pod, "metadata.namespace"), container, command, &c,
                           &code, e);
    bool matches = true;
    buf_addf(&out->expected, "%s on the volume of %s%s", jstr(what, "path"), jstr(what, "claim"),
             absent    ? " is not there"
             : content ? ": "
                       : " is there");
    if (rc == 0 && code == 0)
        rc = match_text(content, buf_str(&c.out), &matches, &out->expected, e);
    if (rc == 0) {
        out->passed = absent ? code != 0 : code == 0 && matches;
        show_text(&out->observed, code == 0 ? buf_str(&c.out) : buf_str(&c.errors));
    }
    buf_release(&c.out);
    buf_release(&c.errors);
    return rc;
}

int check_bytes(struct lab_env *env, const json_t *what, struct check_result *out, struct err *e)
{
    const char *ns = jstr(what, "namespace"), *claim = jstr(what, "claim"), *container, *at;
    _auto_free_ char *path = xasprintf("/api/v1/namespaces/%s/pods", ns ? ns : client_namespace(env->client));
    _auto_json_ json_t *list = NULL;
    size_t i;
    const json_t *pod;
    if (client_json(env->client, "GET", path, NULL, NULL, &list, e) < 0)
        return -1;
    json_array_foreach(json_object_get(list, "items"), i,
                       pod) if (runs(pod) && mount_of(pod, claim, &container,
                                                      &at)) return read_file(env, what, pod, container, at, out, e);
    return err_set(e, ERR_NOT_FOUND, "no running pod mounts the claim %s, so nobody can look into its volume", claim);
}
