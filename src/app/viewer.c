/* viewer.c - see viewer.h.
 *
 * DESIGN: the ClusterRole `view` has what is in namespaces, but for secrets. A storage map wants what is in none, too:
 * that, and the console's questions which change nothing, are a role of ours. When you add such a question to the
 * console: its path in questions[]. */
#include "app/viewer.h"

#include "api/resource.h"
#include "apiserver/apiserver.h"
#include "base/json.h"
#include "base/mem.h"

#define WHO  "stowage"
#define ROLE "stowage:viewer"
#define RBAC "rbac.authorization.k8s.io"

/* POST, since they take an object; none of them changes anything. */
static const char *const questions[] = {"/console/api/status", "/console/api/why", "/console/api/disk-list",
                                        "/console/api/disk-snapshots", "/console/api/disk-show"};

static json_t *role(void)
{
    json_t *paths = json_array();
    for (size_t i = 0; i < ARRAY_LEN(questions); i++)
        json_array_append_new(paths, json_string(questions[i]));
    json_t *see = json_pack("[s, s, s]", "get", "list", "watch");
    return json_pack("{s:s, s:s, s:{s:s}, s:[{s:[s], s:[s, s], s:O}, {s:[s, s], s:[s], s:o}, {s:o, s:[s]}]}",
                     "apiVersion", RBAC "/v1", "kind", "ClusterRole", "metadata", "name", ROLE, "rules", "apiGroups",
                     "", "resources", "nodes", "persistentvolumes", "verbs", see, "apiGroups", "storage.k8s.io",
                     "snapshot.storage.k8s.io", "resources", "*", "verbs", see, "nonResourceURLs", paths, "verbs",
                     "post");
}

static json_t *binding(const char *name, const char *to)
{
    return json_pack("{s:s, s:s, s:{s:s}, s:{s:s, s:s, s:s}, s:[{s:s, s:s, s:s}]}", "apiVersion", RBAC "/v1", "kind",
                     "ClusterRoleBinding", "metadata", "name", name, "roleRef", "apiGroup", RBAC, "kind", "ClusterRole",
                     "name", to, "subjects", "apiGroup", RBAC, "kind", "Group", "name", VIEWER_GROUP);
}

static int ensure(struct registry *r, const struct resource *res, json_t *take, struct err *e)
{
    if (reg_make(r, WHO, res, "", take, NULL, e) < 0 && e->code != ERR_ALREADY_EXISTS)
        return -1;
    err_clear(e);
    return 0;
}

int viewer_ensure(struct registry *r, struct err *e)
{
    if (ensure(r, RES.clusterroles, role(), e) < 0 || ensure(r, RES.clusterrolebindings, binding(ROLE, ROLE), e) < 0)
        return -1;
    return ensure(r, RES.clusterrolebindings, binding("stowage:view", "view"), e);
}
