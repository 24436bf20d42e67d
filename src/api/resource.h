/* resource.h - the resource table: every kind the server knows, one row each.
 *
 * A row says what discovery says (names, scope, verbs, short names, categories, subresources) and points at the schema
 * type. What a kind *does* beyond that (defaults that need code, validation, admission, printing) hangs on hook tables
 * on the floors that own them: api/validate.h, api/printer.h, registry/strategy_int.h, all looked up by the row.
 *
 * How to add a kind: 1. its types in src/api/schema/<group>.schema; 2. a row in resource.c; 3. columns in printer
 * tables; 4. a validate function if the schema cannot say it all. Nothing else changes. */
#ifndef STOWAGE_API_RESOURCE_H
#define STOWAGE_API_RESOURCE_H

#include <stdbool.h>
#include <stddef.h>

enum verb {
    VERB_CREATE = 1 << 0,
    VERB_DELETE = 1 << 1,
    VERB_DELETECOLLECTION = 1 << 2,
    VERB_GET = 1 << 3,
    VERB_LIST = 1 << 4,
    VERB_PATCH = 1 << 5,
    VERB_UPDATE = 1 << 6,
    VERB_WATCH = 1 << 7,
    VERB_ALL = (1 << 8) - 1,
};

struct subresource {
    const char *name;                   /* "status", "scale", "log", "exec", … */
    const char *group, *version, *kind; /* of what it takes and gives; group/version "" = the parent's */
    unsigned verbs;
};

struct resource {
    const char *group;              /* "" for core */
    const char *version;            /* "v1" */
    const char *kind;               /* "Pod" */
    const char *list_kind;          /* "PodList"; NULL for kinds that are not stored (reviews) */
    const char *plural;             /* "pods" */
    const char *singular;           /* "pod" */
    const char *const *short_names; /* NULL-terminated, or NULL */
    const char *const *categories;  /* NULL-terminated, or NULL */
    bool namespaced;
    unsigned verbs;
    const struct subresource *subs; /* terminated by name NULL, or NULL */
    const char *type;               /* schema type, "core.v1.Pod" */
    const char *bucket;             /* store bucket: "pods", "deployments.apps". Two rows may share one (events) */
    const char *go_kind;            /* internal Go type for messages, "core.Pod" */
    bool generation;                /* metadata.generation is managed: 1 on create, +1 on spec change */
    bool needs_rv;                  /* PUT needs resourceVersion */
    bool create_on_update;          /* PUT makes a missing object */
    const char *storage_hash;       /* discovery's storageVersionHash; NULL for kinds that are not stored */
    /* computed at start: the prefix each serialised object begins with, {"kind":"Pod","apiVersion":"v1", and its length
     */
    const char *prefix;
    size_t prefix_len;
    const char *api_version; /* "apps/v1" */
    const char *qualified;   /* "deployments.apps" */
};

/* Builds computed columns and indexes. Call once before any thread exists. */
void resource_init(void);

/* All rows, in discovery order (group priority, then table order). */
const struct resource *const *resource_all(size_t *out_count);
const struct resource *resource_by_plural(const char *group, const char *version, const char *plural);
const struct resource *resource_by_kind(const char *group, const char *version, const char *kind);
/* "v1"+"Pod", "apps/v1"+"Deployment" */
const struct resource *resource_by_api_version(const char *api_version, const char *kind);
const struct resource *resource_by_bucket(const char *bucket);
const struct subresource *resource_sub(const struct resource *r, const char *name);
/* "apps/v1" or "v1" */
const char *resource_api_version(const struct resource *r);
/* "configmaps" or "deployments.apps", as messages name it */
const char *resource_qualified(const struct resource *r);
/* Is there any resource in this group / group version? */
bool resource_has_group(const char *group);
bool resource_has_group_version(const char *group, const char *version);

#endif
