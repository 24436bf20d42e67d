/* check_http.c - an answer of a service or pod, asked through the API server's proxy or, where there is none, from a
 * pod.
 *
 * The proxy of the API works in every cluster and needs no way into the cluster's network. */
#include "lab/check_int.h"

#include "base/json.h"
#include "base/mem.h"

#include <string.h>

int check_http(struct lab_env *env, const json_t *what, struct check_result *out, struct err *e)
{
    const char *service = jstr(what, "service"), *ns = jstr(what, "namespace"), *path = jstr_or(what, "path", "/");
    const int want = (int)jint(what, "status", 200);
    _auto_buf_ struct buf url = BUF_INIT;
    _auto_client_answer_ struct client_answer a = {0};
    bool matches = true;
    _auto_free_ char *pod = service ? NULL : find_pod(env, jstr(what, "pod"), ns, e);
    if (!service && !pod)
        return -1;
    buf_addf(&url, "/api/v1/namespaces/%s/%s/%s:%lld/proxy%s%s", ns ? ns : client_namespace(env->client),
             service ? "services" : "pods", service ? service : pod, (long long)jint(what, "port", 80),
             *path == '/' ? "" : "/", path);
    if (client_call(env->client, &(struct client_request){.path = buf_str(&url), .accept = "*/*"}, &a, e) < 0)
        return -1;
    buf_addf(&out->expected, "status %d%s", want, json_object_get(what, "body") ? " and " : "");
    if (match_text(json_object_get(what, "body"), buf_str(&a.body), &matches, &out->expected, e) < 0)
        return -1;
    out->passed = a.status == want && matches;
    buf_addf(&out->observed, "status %d: ", a.status);
    show_text(&out->observed, buf_str(&a.body));
    return 0;
}
