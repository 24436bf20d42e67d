/* seal.c - see seal.h. Its file: <data>/seal.json, {"at": seconds}. */
#include "app/seal.h"

#include "apiserver/apiserver.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <stdio.h>

static char *file_of(const char *data_dir)
{
    return xasprintf("%s/seal.json", data_dir);
}

int seal_set(struct cluster *c, int64_t at, struct err *e)
{
    const int64_t before = apiserver_seal_at(cluster_api(c));
    if (before && before <= at)
        return 0;
    _auto_free_ char *path = file_of(cluster_data_dir(c)), *fresh = xasprintf("%s.new", path);
    _auto_json_ json_t *kept = json_pack("{s:I}", "at", (json_int_t)at);
    if (json_dump_file(kept, fresh, JSON_COMPACT) < 0 || rename(fresh, path) < 0)
        return err_sys(e, errno, "write %s", path);
    apiserver_seal(cluster_api(c), at);
    return 0;
}

void seal_resume(const char *data_dir, struct apiserver *api)
{
    _auto_free_ char *path = file_of(data_dir);
    _auto_json_ json_t *kept = json_load_file(path, 0, NULL);
    apiserver_seal(api, jint(kept, "at", 0));
}

/* What changes nothing of the cluster; what labs are asked is answered by the lab itself. */
static const char *const looks[] = {
    "status",    "quiet",          "down",          "console",         "seal",     "why",           "disk-list",
    "disk-show", "disk-snapshots", "checkpoint-ls", "checkpoint-diff", "image-ls", "image-inspect", "image-history"};

static bool is_judge(struct apiserver *api, const json_t *request)
{
    return str_eq(jstr(request, "pass"), apiserver_seal_pass(api));
}

bool seal_binds(struct cluster *c, const json_t *request)
{
    struct apiserver *api = cluster_api(c);
    return api && apiserver_seal_at(api) && !is_judge(api, request);
}

int seal_allows(struct cluster *c, const json_t *request, struct err *e)
{
    const char *op = jstr_or(request, "op", "");
    struct apiserver *api = cluster_api(c);
    if (!api || !apiserver_sealed(api) || is_judge(api, request))
        return 0;
    for (size_t i = 0; i < ARRAY_LEN(looks); i++)
        if (str_eq(op, looks[i]))
            return 0;
    return str_starts(op, "lab-") || str_starts(op, "class-") ? 0 : err_set(e, ERR_FORBIDDEN, SEALED_TEXT);
}
