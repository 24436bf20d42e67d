/* local_far.c - see local_far.h. */
#include "cli/local_far.h"

#include "base/json.h"
#include "base/mem.h"
#include "client/client.h"

#include <stdlib.h>

bool local_is_far(void)
{
    const char *node = getenv(LOCAL_FAR);
    return !str_empty(node);
}

json_t *local_far_call(const json_t *request, struct err *e)
{
    _auto_access_ struct access a = {0};
    _auto_client_ struct client *c = NULL;
    _auto_free_ char *path = xasprintf("/console/api/%s", jstr_or(request, "op", ""));
    json_t *answer = NULL;
    if (access_load(NULL, NULL, &a, e) < 0 || client_open(&a, &c, e) < 0)
        return NULL;
    return client_json(c, "POST", path, request, NULL, &answer, e) < 0 ? NULL : answer;
}
