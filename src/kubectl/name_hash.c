/* name_hash.c - see name_hash.h. */
#include "kubectl/name_hash.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/sha256.h"
#include "base/str.h"

#include <string.h>

char *name_with_hash(const json_t *object, bool name_counts)
{
    static const char from[] = "013ae", to[] = "ghkmt"; /* no words by accident */
    _auto_json_ json_t *part = json_object();
    char hex[SHA256_TEXT_LEN];
    struct sha256 sum;
    const char *kind = jstr_or(object, "kind", ""), *name = jstr_or(object, "metadata.name", "");
    json_t *data = json_object_get(object, "data"), *bytes = json_object_get(object, "binaryData");
    json_object_set_new(part, "kind", json_string(kind));
    json_object_set_new(part, "name", json_string(name_counts ? name : ""));
    json_object_set_new(part, "data", data ? json_incref(data) : json_object());
    if (bytes)
        json_object_set(part, "binaryData", bytes);
    if (str_eq(kind, "Secret"))
        json_object_set_new(part, "type", json_string(jstr_or(object, "type", "")));
    _auto_free_ char *text = json_dumps(part, JSON_COMPACT | JSON_SORT_KEYS);
    sha256_init(&sum);
    sha256_add(&sum, text, strlen(text));
    sha256_hex(&sum, hex);
    hex[10] = '\0';
    for (char *p = hex; *p; p++)
        if (strchr(from, *p))
            *p = to[strchr(from, *p) - from];
    return xasprintf("%s-%s", name, hex);
}
