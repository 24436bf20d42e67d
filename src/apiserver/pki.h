/* pki.h - who the cluster is and who may talk to it: a CA, the server's certificate, the administrator's token, the key
 * that signs service account tokens; and the kubeconfig that carries them to kubectl.
 *
 * Everything is ECDSA P-256 (a key costs well under a millisecond) and lives in <dir>/pki with mode 0600, so that a
 * cluster keeps its identity over restarts. */
#ifndef STOWAGE_APISERVER_PKI_H
#define STOWAGE_APISERVER_PKI_H

#include "base/err.h"

struct pki_conf {
    const char *dir;                /* the data directory; NULL keeps nothing on disk */
    const char *const *extra_names; /* NULL-terminated host names and addresses beyond the usual ones; may be NULL */
};
struct pki {
    char *ca_pem;   /* owned, as all of these */
    char *cert_pem; /* the server's, followed by nothing: clients trust the CA itself */
    char *key_pem;
    char *sa_key_pem;  /* signs service account tokens */
    char *admin_token; /* bearer token of kubernetes-admin in system:masters */
};
/* Loads what is there and makes what is missing. The server's certificate is made again when a name is missing in it or
 * it runs out within 30 days. */
int pki_load(const struct pki_conf *conf, struct pki *out, struct err *e);
void pki_release(struct pki *p);
#define _auto_pki_ __attribute__((cleanup(pki_release)))

struct kubeconfig {
    const char *name;   /* of cluster, context and user: "stowage" */
    const char *server; /* "https://127.0.0.1:6443" */
    const char *ca_pem; /* NULL for plain HTTP */
    const char *token;  /* NULL for plain HTTP */
};
/* The text of a file that holds just this cluster, appended. */
struct buf;
void kubeconfig_text(const struct kubeconfig *k, struct buf *out);
/* Writes that file. Atomic; mode 0600. */
int kubeconfig_write(const char *path, const struct kubeconfig *k, struct err *e);
/* Adds (or renews) the cluster, context and user in the user's own file, makes the context current, and leaves
 * everything else in it as it was; comments do not survive, as with kubectl itself. Follows a symbolic link. Atomic;
 * mode 0600. */
int kubeconfig_merge(const char *path, const struct kubeconfig *k, struct err *e);
/* Takes them out again; a current-context that pointed here becomes "". Nothing to do is no error. */
int kubeconfig_remove(const char *path, const char *name, struct err *e);

#endif
