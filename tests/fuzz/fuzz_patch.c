/* fuzz_patch.c - a document and a patch, with a NUL between: all patches, and ownership of the results. Inputs must
 * come out as they went in, and applying the same configuration twice must change nothing the second time. */
#include "api/patch.h"
#include "base/json.h"
#include "base/mem.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static const struct resource *deployments;

static json_t *parse(const char *text, size_t len)
{
    return json_loadb(text, len, JSON_DECODE_ANY, NULL);
}

static void run_patches(const json_t *doc, const json_t *patch)
{
    struct err e = ERR_INIT;
    json_t *out = NULL;
    if (patch_json(doc, patch, &out, &e) == 0)
        json_decref(out);
    if (patch_merge(doc, patch, &out, &e) == 0)
        json_decref(out);
    if (patch_strategic(schema_type(deployments->type), doc, patch, &out, &e) == 0)
        json_decref(out);
}

static void run_apply(const json_t *doc, const json_t *patch)
{
    struct manage_ctx ctx = {.res = deployments, .manager = "m", .subresource = "", .now = "2026-01-01T00:00:00Z"};
    struct err e = ERR_INIT;
    _auto_json_ json_t *config = json_deep_copy(patch), *first = NULL, *second = NULL, *status = NULL;
    if (!json_is_object(doc) || !json_is_object(config))
        return;
    json_object_set_new(config, "apiVersion", json_string("apps/v1"));
    json_object_set_new(config, "kind", json_string("Deployment"));
    if (managed_apply(&ctx, doc, config, true, &first, &status, &e) < 0)
        return;
    if (managed_apply(&ctx, first, config, false, &second, &status, &e) < 0)
        abort(); /* nobody else can own what was just forced */
    _auto_json_ json_t *updated = json_deep_copy(second);
    managed_update(&ctx, first, updated);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (deployments == NULL) {
        schema_init();
        resource_init();
        deployments = resource_by_kind("apps", "v1", "Deployment");
    }
    const char *text = (const char *)data, *middle = size < 65536 && size > 0 ? memchr(text, '\0', size) : NULL;
    if (middle == NULL)
        return 0;
    _auto_json_ json_t *doc = parse(text, (size_t)(middle - text));
    _auto_json_ json_t *patch = parse(middle + 1, size - (size_t)(middle - text) - 1);
    if (doc == NULL || patch == NULL)
        return 0;
    _auto_json_ json_t *doc_before = json_deep_copy(doc), *patch_before = json_deep_copy(patch);
    run_patches(doc, patch);
    run_apply(doc, patch);
    if (!json_equal(doc, doc_before) || !json_equal(patch, patch_before))
        abort();
    return 0;
}
