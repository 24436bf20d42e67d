/* YAML texts: parsed, as a body and as documents; what was parsed is written and must be read back as the same. */
#include "api/decode.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void round_trip(const json_t *doc)
{
    _auto_free_ char *text = yaml_text(doc);
    _auto_json_ json_t *again = NULL;
    struct err e = ERR_INIT;
    if (yaml_parse(text, strlen(text), &again, NULL, &e) < 0)
        BUG("our own YAML is refused: %s", e.msg);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    schema_init();
    resource_init();
    struct decode_opts opts = {.want = resource_by_kind("", "v1", "Pod"), .media = MEDIA_YAML, .fields = FIELDS_WARN};
    _auto_strlist_ struct strlist warnings = {0};
    _auto_json_ json_t *docs = NULL;
    json_t *tree = NULL;
    struct err e = ERR_INIT;
    if (decode_object(&opts, data, size, &tree, &warnings, &e) == 0) {
        round_trip(tree);
        json_decref(tree);
    }
    yaml_parse_all((const char *)data, size, &docs, &e);
    return 0;
}
