/* names.c - names of objects, live, for completion. Only their metadata is asked for; a cluster too old for that sends
 * whole objects, which hold the names in the same place. */
#include "base/json.h"
#include "base/mem.h"
#include "cli/repl/complete_int.h"

#include <string.h>

#define PATIENCE_MS 2000
#define METADATA    "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,application/json"

/* Returns new, or NULL. */
static json_t *ask(struct session *s, const char *path, const char *accept)
{
    struct err none = ERR_INIT;
    _auto_client_answer_ struct client_answer a = {0};
    struct client *c = session_client(s, &none);
    const struct client_request rq = {.path = path, .accept = accept, .timeout_ms = PATIENCE_MS};
    if (!c || client_call(c, &rq, &a, &none) < 0 || a.status != 200)
        return NULL;
    return json_loadb(buf_str(&a.body), a.body.len, 0, NULL);
}

void names_of(struct session *s, const char *kind, const char *ns, struct strlist *out)
{
    struct err none = ERR_INIT;
    const struct kinds *all = session_kinds(s, &none);
    const struct kind *k = all ? kinds_find(all, kind) : NULL;
    _auto_buf_ struct buf path = BUF_INIT;
    size_t i;
    const json_t *row;
    if (!k)
        return;
    kind_path(k, ns, NULL, NULL, &path);
    buf_adds(&path, "?limit=500");
    _auto_json_ json_t *list = ask(s, buf_str(&path), METADATA);
    json_array_foreach(json_object_get(list, "items"), i, row) strlist_add(out, jstr_or(row, "metadata.name", ""));
}

void names_of_containers(struct session *s, const char *pod, const char *ns, struct strlist *out)
{
    static const char *const places[] = {"spec.containers", "spec.initContainers", "spec.ephemeralContainers"};
    _auto_buf_ struct buf path = BUF_INIT;
    size_t i;
    const json_t *row;
    buf_adds(&path, "/api/v1/namespaces/");
    client_escape(&path, ns);
    buf_adds(&path, "/pods/");
    client_escape(&path, pod);
    _auto_json_ json_t *object = ask(s, buf_str(&path), NULL);
    for (size_t p = 0; p < ARRAY_LEN(places); p++)
        json_array_foreach(jat(object, places[p]), i, row) strlist_add(out, jstr_or(row, "name", ""));
}
