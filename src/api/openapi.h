/* openapi.h - discovery and OpenAPI documents, generated from the resource table and the schema.
 * All texts are built once, on first use, and cached; borrowed by the caller. THREADS: safe. */
#ifndef STOWAGE_API_OPENAPI_H
#define STOWAGE_API_OPENAPI_H

#include <stdbool.h>
#include <stddef.h>

struct doc {
    const char *data;
    size_t len;
    const char *etag; /* upper-case hex hash, without quotes */
};

/* -- discovery; these texts end with a newline -- */
struct doc discovery_aggregated(bool core /* /api, else /apis */, bool v2beta1);
/* serverAddressByClientCIDRs needs host:port, so this one is appended, not cached. Returns new JSON text. */
char *discovery_api_versions(const char *host_port);
struct doc discovery_group_list(void);
struct doc discovery_group(const char *group);                              /* data NULL if unknown */
struct doc discovery_resource_list(const char *group, const char *version); /* data NULL if unknown */

/* -- OpenAPI -- */
struct doc openapi_v2_json(void);
struct doc openapi_v2_proto(void); /* gnostic protobuf document */
struct doc openapi_v3_index(void);
struct doc openapi_v3(const char *group_version_path); /* "api/v1", "apis/apps/v1"; data NULL if unknown */

#endif
