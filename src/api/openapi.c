/* openapi.c - the OpenAPI documents: version 3 one a group version, version 2 one for all, as JSON and as protobuf.
 *
 * DESIGN: written from the resource table (paths) and the schema (definitions); only what a path reaches is defined.
 * Built on first use, since most clusters in a test never ask; then cached with its hash, by which kubectl caches it
 * for good. THREADS: safe, through the cache. */
#include "api/openapi.h"

#include "api/decode_int.h"
#include "api/doc_cache.h"
#include "api/openapi_int.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <string.h>

/* The paths and definitions of one group version, or of all (api_version NULL). Returns how many resources there were.
 */
static size_t collect(json_t *paths, json_t *defs, const char *api_version, enum dialect d)
{
    size_t n = 0, found = 0;
    const struct resource *const *all = resource_all(&n);
    for (size_t i = 0; i < n; i++) {
        if (api_version && strcmp(resource_api_version(all[i]), api_version) != 0)
            continue;
        openapi_paths_add(paths, defs, all[i], d);
        found++;
    }
    map_sort(paths);
    map_sort(defs);
    return found;
}

static json_t *info(void)
{
    return json_pack("{s:s, s:s}", "title", OPENAPI_TITLE, "version", OPENAPI_VERSION);
}

/* -- version 3 -- */

/* "api/v1" -> "v1", "apis/apps/v1" -> "apps/v1"; NULL for anything else. */
static const char *api_version_of_path(const char *path)
{
    if (str_eq(path, "api/v1"))
        return path + 4;
    return str_starts(path, "apis/") && strchr(path + 5, '/') ? path + 5 : NULL;
}

static bool v3_build(const char *path, struct buf *out)
{
    const char *api_version = api_version_of_path(path);
    if (!api_version)
        return false;
    json_t *paths = json_object();
    json_t *defs = json_object();
    size_t found = collect(paths, defs, api_version, OPENAPI_V3);
    _auto_json_ json_t *doc = json_pack("{s:s, s:o, s:o, s:{s:o}}", "openapi", "3.0.0", "info", info(), "paths", paths,
                                        "components", "schemas", defs);
    if (found > 0)
        json_write(out, doc);
    return found > 0;
}

struct doc openapi_v3(const char *group_version_path)
{
    return doc_get("v3", group_version_path, v3_build);
}

static bool v3_index_build(const char *arg, struct buf *out)
{
    (void)arg;
    size_t n = 0;
    const struct resource *const *all = resource_all(&n);
    _auto_json_ json_t *paths = json_object();
    for (size_t i = 0; i < n; i++) {
        _auto_free_ char *path = xasprintf("%s/%s", *all[i]->group ? "apis" : "api", resource_api_version(all[i]));
        if (json_object_get(paths, path))
            continue;
        _auto_free_ char *url = xasprintf("/openapi/v3/%s?hash=%s", path, openapi_v3(path).etag);
        json_object_set_new(paths, path, json_pack("{s:s}", "serverRelativeURL", url));
    }
    map_sort(paths);
    _auto_json_ json_t *doc = json_pack("{s:O}", "paths", paths);
    json_write(out, doc);
    return true;
}

struct doc openapi_v3_index(void)
{
    return doc_get("v3-index", "", v3_index_build);
}

/* -- version 2 -- */

static bool v2_build(const char *arg, struct buf *out)
{
    (void)arg;
    json_t *paths = json_object();
    json_t *defs = json_object();
    collect(paths, defs, NULL, OPENAPI_V2);
    _auto_json_ json_t *doc =
        json_pack("{s:s, s:o, s:o, s:o}", "swagger", "2.0", "info", info(), "paths", paths, "definitions", defs);
    json_write(out, doc);
    return true;
}

struct doc openapi_v2_json(void)
{
    return doc_get("v2", "", v2_build);
}

static bool v2_proto_build(const char *arg, struct buf *out)
{
    (void)arg;
    struct doc json = openapi_v2_json();
    struct err e = ERR_INIT;
    _auto_json_ json_t *doc = NULL;
    if (json_parse(json.data, json.len, &doc, &e) < 0)
        BUG("our own document: %s", e.msg);
    openapi_proto_write(out, doc);
    return true;
}

struct doc openapi_v2_proto(void)
{
    return doc_get("v2-proto", "", v2_proto_build);
}
