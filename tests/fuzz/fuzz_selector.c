/* fuzz_selector.c - any text as a label selector and as a field selector. What is accepted prints as something accepted
 * again. */
#include "api/selector.h"
#include "base/mem.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static void label(const char *text)
{
    struct err e = ERR_INIT;
    struct label_selector *s = NULL, *again = NULL;
    if (label_selector_parse(text, &s, &e) < 0)
        return;
    _auto_json_ json_t *labels = json_pack("{ss ss}", "app", "web", "n", "3");
    bool match = label_selector_match(s, labels);
    _auto_free_ char *canonical = label_selector_text(s);
    if (label_selector_parse(canonical, &again, &e) < 0 || label_selector_match(again, labels) != match)
        abort();
    label_selector_free(s);
    label_selector_free(again);
}

static void field(const struct resource *r, const char *text)
{
    struct err e = ERR_INIT;
    struct field_selector *s = NULL;
    if (field_selector_parse(r, text, &s, &e) < 0)
        return;
    _auto_json_ json_t *obj = json_pack("{s{ss}}", "metadata", "name", "x");
    field_selector_match(s, obj);
    field_selector_name(s);
    field_selector_free(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct resource pods = {.group = "", .version = "v1", .kind = "Pod"};
    static const struct resource others = {.group = "", .version = "v1", .kind = "ConfigMap"};
    if (size > 4096)
        return 0;
    _auto_free_ char *text = xstrndup((const char *)data, size);
    label(text);
    field(&pods, text);
    field(&others, text);
    return 0;
}
