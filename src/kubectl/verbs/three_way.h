/* three_way.h - the patch that `apply` sends: from what was applied last, what is applied now, and what is there.
 *
 * What the manifest had and has no longer is taken out; what it says now is put in; what others added stays. Source:
 * apimachinery strategicpatch and jsonmergepatch, CreateThreeWay…. THREADS: pure. */
#ifndef STOWAGE_KUBECTL_VERBS_THREE_WAY_H
#define STOWAGE_KUBECTL_VERBS_THREE_WAY_H

#include "api/schema.h"
#include "base/err.h"

#include <jansson.h>

/* A strategic merge patch by the keys of `type`; a JSON merge patch when that is NULL, for kinds that are not built in.
 * original may be NULL. Returns new; {} when there is nothing to do. */
json_t *three_way(const json_t *original, const json_t *modified, const json_t *current,
                  const struct schema_type *type);
/* The type of a kind that is built in; NULL else. */
const struct schema_type *builtin_type(const char *group, const char *version, const char *kind);
/* From one object to another: a strategic patch (`type` given) or a merge patch (NULL), as `edit` sends it. */
json_t *two_way(const json_t *from, const json_t *to, const struct schema_type *type);

#endif
