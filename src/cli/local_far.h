/* local_far.h - the control socket's answers for who is on a node of the cluster, where that socket is not: by the API
 * server, with the node's kubeconfig. What gives a terminal or reaches beyond the cluster is not had so
 * (docs/console.md). THREADS: any. */
#ifndef STOWAGE_CLI_LOCAL_FAR_H
#define STOWAGE_CLI_LOCAL_FAR_H

#include "base/err.h"

#include <jansson.h>
#include <stdbool.h>

/* Set in the shells of nodes. */
#define LOCAL_FAR "STOWAGE_NODE"

bool local_is_far(void);
/* As local_call_long(): what takes long has been waited for. Returns new, or NULL. */
json_t *local_far_call(const json_t *request, struct err *e);

#endif
