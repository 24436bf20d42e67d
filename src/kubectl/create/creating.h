/* creating.h - `kubectl create KIND NAME`: objects made of flags.
 *
 * How to add a kind: a function that makes its object, a row of flags and a `const struct kubectl_verb
 * kubectl_create_…` in the create_*.c it is nearest to, its declaration here, and a row in subs[] of verbs/create.c. */
#ifndef STOWAGE_KUBECTL_CREATE_CREATING_H
#define STOWAGE_KUBECTL_CREATE_CREATING_H

#include "kubectl/verbs/modify.h"

extern const struct kubectl_verb kubectl_create_clusterrole, kubectl_create_clusterrolebinding,
    kubectl_create_configmap, kubectl_create_cronjob, kubectl_create_deployment, kubectl_create_ingress,
    kubectl_create_job, kubectl_create_namespace, kubectl_create_pdb, kubectl_create_priorityclass,
    kubectl_create_quota, kubectl_create_role, kubectl_create_rolebinding, kubectl_create_secret,
    kubectl_create_service, kubectl_create_serviceaccount, kubectl_create_token;

/* The name that is the only word. NULL: told. */
const char *creating_name(struct call *c);
/* {"apiVersion", "kind", "metadata": {"creationTimestamp": null, "name"}}; with the namespace if it was given. Returns
 * new. */
json_t *creating_object(struct call *c, const char *api_version, const char *kind, const char *name);
/* Sends it (takes `object`) and tells; failed: "failed to create configmap: " or NULL: the server's own words. Returns
 * the exit code. */
int creating_send(struct call *c, json_t *object, const char *plural, bool namespaced, const char *failed);
/* A required flag that is not set. false: told. */
bool creating_has(struct call *c, const char *flag);
/* A list flag as a JSON array. Returns new. */
json_t *creating_list(const struct strlist *texts);
/* {"containers": […], …} of --image, --port and the command after --. NULL: told. Returns new. */
json_t *creating_pod(struct call *c, const char *name, const char *image);

#define FLAGS_CREATE                                                                                                   \
    FLAGS_OUTPUT, FLAGS_DRY_RUN, FLAGS_VALIDATE, FLAGS_MANAGER("kubectl-create"),                                      \
    {                                                                                                                  \
        "save-config", 0, FLAG_BOOL, NULL, "Remember the object for a later apply"                                     \
    }

#endif
