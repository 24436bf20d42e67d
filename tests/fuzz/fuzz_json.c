/* JSON bodies of any kind, in any strictness: decoded, defaulted, put in order, written, decoded again. */
#include "api/decode.h"
#include "base/json.h"
#include "base/mem.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The first byte chooses the resource and the strictness; the rest is the body. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    schema_init();
    resource_init();
    if (size < 1)
        return 0;
    size_t n = 0;
    const struct resource *const *all = resource_all(&n);
    struct decode_opts opts = {
        .want = all[data[0] / 3 % n], .media = MEDIA_JSON, .fields = (enum field_validation)(data[0] % 3)};
    _auto_strlist_ struct strlist warnings = {0};
    _auto_json_ json_t *plain = NULL;
    json_t *tree = NULL;
    struct err e = ERR_INIT;
    json_parse((const char *)data + 1, size - 1, &plain, &e);
    if (decode_object(&opts, data + 1, size - 1, &tree, &warnings, &e) < 0)
        return 0;
    defaults_apply(opts.want, tree);
    json_t *again = NULL;
    if (decode_tree(&opts, tree, &again, NULL, &e) < 0)
        BUG("our own object is refused: %s", e.msg);
    json_decref(again);
    return 0;
}
