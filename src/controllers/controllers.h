/* controllers.h - the loops of the controller manager that are not about storage: workloads, garbage, namespaces,
 * endpoints, nodes. One loop, one file; the app adds them all to the control runtime with one environment. */
#ifndef STOWAGE_CONTROLLERS_CONTROLLERS_H
#define STOWAGE_CONTROLLERS_CONTROLLERS_H

#include "control/control.h"

#include <stddef.h>

struct controllers_env {
    const char *ca_pem; /* borrows; the certificate published as kube-root-ca.crt; "" publishes nothing */
};

/* Every loop of this folder; pass a struct controllers_env to control_add(). */
const struct loop_def *const *controllers_loops(size_t *n);

#endif
