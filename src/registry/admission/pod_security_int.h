/* pod_security_int.h - the Pod Security Standards as pure functions: what of a pod breaks a level. */
#ifndef STOWAGE_REGISTRY_ADMISSION_POD_SECURITY_INT_H
#define STOWAGE_REGISTRY_ADMISSION_POD_SECURITY_INT_H

#include <jansson.h>

enum security_level { SECURITY_PRIVILEGED, SECURITY_BASELINE, SECURITY_RESTRICTED };

/* "hostPath volumes (volume \"v\"), privileged (…)" for a pod's spec; NULL when there is nothing to say. Returns new.
 */
char *security_faults(enum security_level level, const json_t *spec);

#endif
