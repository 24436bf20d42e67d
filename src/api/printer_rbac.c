/* printer_rbac.c - columns of RoleBinding and ClusterRoleBinding; roles have the plain ones. THREADS: pure functions.
 */
#include "api/printer_int.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <string.h>

static void role(struct buf *out, const json_t *obj, int64_t now)
{
    (void)now;
    _auto_free_ char *text = xasprintf("%s/%s", jstr_or(obj, "roleRef.kind", ""), jstr_or(obj, "roleRef.name", ""));
    cell_text(out, text);
}

static void subjects(struct buf *out, const json_t *obj, const char *kind)
{
    _auto_buf_ struct buf b = BUF_INIT;
    size_t i;
    json_t *s;
    json_array_foreach(json_object_get(obj, "subjects"), i, s)
    {
        if (!str_eq(jstr_or(s, "kind", ""), kind))
            continue;
        if (b.len > 0)
            buf_adds(&b, ", ");
        if (str_eq(kind, "ServiceAccount"))
            buf_addf(&b, "%s/", jstr_or(s, "namespace", ""));
        buf_adds(&b, jstr_or(s, "name", ""));
    }
    cell_text(out, buf_str(&b));
}

static void users(struct buf *out, const json_t *obj, int64_t now)
{
    (void)now;
    subjects(out, obj, "User");
}

static void groups(struct buf *out, const json_t *obj, int64_t now)
{
    (void)now;
    subjects(out, obj, "Group");
}

static void accounts(struct buf *out, const json_t *obj, int64_t now)
{
    (void)now;
    subjects(out, obj, "ServiceAccount");
}

/* WHAT: which roles one may refer to; BINDING: what it is called itself. */
#define BINDING_COLUMNS(WHAT, BINDING)                                                                                 \
    {"Name", "string", "name", 0, cell_name, COLUMN_NAME_TEXT},                                                        \
        {"Role", "string",                                                                                             \
         "",     0,                                                                                                    \
         role,   "RoleRef can " WHAT ". If the RoleRef cannot be resolved, the Authorizer must return an error."},     \
        {"Age", "string", "", 0, cell_age, COLUMN_CREATED_TEXT},                                                       \
        {"Users", "string", "", 1, users, "Users in the " BINDING},                                                    \
        {"Groups", "string", "", 1, groups, "Groups in the " BINDING},                                                 \
        {"ServiceAccounts", "string", "", 1, accounts, "ServiceAccounts in the " BINDING},

static const struct column binding_columns[] = {
    BINDING_COLUMNS("reference a Role in the current namespace or a ClusterRole in the global namespace",
                    "roleBinding") //
};
const struct printer printer_role_binding = {"rbac.authorization.k8s.io", "RoleBinding", binding_columns,
                                             ARRAY_LEN(binding_columns), NULL};

static const struct column cluster_binding_columns[] = {
    BINDING_COLUMNS("only reference a ClusterRole in the global namespace", "clusterRoleBinding") //
};
const struct printer printer_cluster_role_binding = {"rbac.authorization.k8s.io", "ClusterRoleBinding",
                                                     cluster_binding_columns, ARRAY_LEN(cluster_binding_columns), NULL};
