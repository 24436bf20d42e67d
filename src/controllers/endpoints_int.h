/* endpoints_int.h - what the endpoints and endpointslice loops share. */
#ifndef STOWAGE_CONTROLLERS_ENDPOINTS_INT_H
#define STOWAGE_CONTROLLERS_ENDPOINTS_INT_H

#include "controllers/controllers_int.h"

#define ANN_TRIGGER    "endpoints.kubernetes.io/last-change-trigger-time"
#define LABEL_HEADLESS "service.kubernetes.io/headless"

/* Enqueues the services that select the pod, now or before. */
void map_pod_to_services(struct loop *l, const struct watch_event *ev);
/* Does this service have endpoints we look after (a selector, not ExternalName)? */
bool service_has_endpoints(const json_t *svc);
bool service_is_headless(const json_t *svc);
/* The pods behind it that have an address and still run; pods being deleted only if `terminating`. */
void service_pods(struct loop *l, const json_t *svc, bool terminating, struct objlist *out);
/* The service's ports as this pod offers them: [{name, port, protocol}] with target ports resolved. Returns new. */
json_t *service_ports(const json_t *svc, const json_t *pod);
/* {"kind":"Pod", …} of an endpoint. Returns new. */
json_t *endpoint_target(const json_t *pod);
/* The pod's DNS name under the service, or NULL. */
const char *endpoint_hostname(const json_t *svc, const json_t *pod);

#endif
