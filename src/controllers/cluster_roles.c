/* cluster_roles.c - cluster roles that are made of others: their rules are what the roles with the right labels have.
 *
 * Any change of a role may concern each of them, and one may gather another (admin, edit, view), so all are looked at
 * again until nothing changes. Source: pkg/controller/clusterroleaggregation. THREADS: the loop thread. */
#include "controllers/controllers_int.h"

#include "base/json.h"
#include "base/mem.h"
#include "registry/rbac.h"

static void enqueue_gatherers(struct loop *l, const struct watch_event *ev _unused_)
{
    _auto_objlist_ struct objlist roles = {0};
    objlist_load(&roles, loop_registry(l), RES.clusterroles->bucket, NULL);
    for (size_t i = 0; i < roles.len; i++)
        if (json_object_get(roles.trees[i], "aggregationRule"))
            loop_enqueue(l, "", obj_name(roles.trees[i]));
}

static int put_rules(json_t *role, void *arg, struct err *e _unused_)
{
    json_t *rules = arg;
    if (json_same(json_object_get(role, "rules"), rules))
        return 0;
    json_object_set(role, "rules", rules);
    return 1;
}

static int reconcile(struct loop *l, const char *ns _unused_, const char *name, struct err *e)
{
    _auto_sobj_ struct sobj *role = reg_read(loop_registry(l), RES.clusterroles, "", name);
    if (!role || !json_object_get(role->tree, "aggregationRule"))
        return 0;
    _auto_json_ json_t *rules = rbac_gather(loop_registry(l), role->tree);
    if (json_array_size(rules) == 0 && json_array_size(json_object_get(role->tree, "rules")) == 0)
        return 0;
    if (reg_modify(loop_registry(l), "clusterrole-aggregation-controller", RES.clusterroles, "", name, "", put_rules,
                   rules, e) < 0)
        return -1;
    return 0;
}

static const struct loop_watch watches[] = {{"clusterroles.rbac.authorization.k8s.io", enqueue_gatherers},
                                            {NULL, NULL}};

const struct loop_def cluster_roles_loop = {
    .name = "clusterrole-aggregation",
    .component = "clusterrole-aggregation-controller",
    .watches = watches,
    .reconcile = reconcile,
    .max_backoff_ms = 30000,
};
