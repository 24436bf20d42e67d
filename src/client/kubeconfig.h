/* kubeconfig.h - where a cluster is and how to sign in, as kubectl reads it from a kubeconfig.
 *
 * Source: clientcmd/api/v1 (clusters, users, contexts) and client.authentication.k8s.io (exec plug-ins). Of several
 * files in $KUBECONFIG the first that has a name wins, as in client-go. THREADS: any. */
#ifndef STOWAGE_CLIENT_KUBECONFIG_H
#define STOWAGE_CLIENT_KUBECONFIG_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

/* What it takes to talk to one cluster. Texts are owned, NULL where there is none. */
struct access {
    char *url; /* "https://127.0.0.1:6443" */
    char *ca_pem, *cert_pem, *key_pem;
    char *token;
    char *server_name; /* tls-server-name */
    char *ns;          /* of the context; never NULL: "default" */
    char *context;     /* its name, "" if there was none */
    bool insecure;     /* insecure-skip-tls-verify */
};
void access_release(struct access *a); /* zeroed is fine */
#define _auto_access_ __attribute__((cleanup(access_release)))

/* path NULL: $KUBECONFIG (a list with ':'), else ~/.kube/config. context NULL: the current one. NOT_FOUND when there is
 * no such file, context, cluster or user; an exec plug-in of the user is run (its stderr goes to ours). */
int access_load(const char *path, const char *context, struct access *out, struct err *e);

/* The same with parts of the context replaced; NULL or "": as the context has it. */
struct access_from {
    const char *path, *context;
    const char *cluster, *user;
};
int access_load_from(const struct access_from *from, struct access *out, struct err *e);

/* A kubeconfig of only this. Returns new. */
char *access_text(const struct access *a);
/* The same as a file, for its owner only; whole or not at all. */
int access_save(const struct access *a, const char *path, struct err *e);

#endif
