/* nodefiles.h - what a node has in its filesystem so that its shell is at home in the cluster. */
#ifndef STOWAGE_APP_NODEFILES_H
#define STOWAGE_APP_NODEFILES_H

#include "apiserver/pki.h"
#include "base/err.h"
#include "sys/machine.h"

/* Writes the administrator's kubeconfig to /etc/kubernetes/admin.conf and /root/.kube/config of each node, mode 0600.
 */
int nodefiles_write(struct machine *m, int nodes, const struct kubeconfig *k, struct err *e);

#endif
