/* fuzz_tree.c - any text, as schemaless JSON: refused with a reason, or read; what is written reads back as the same,
 * and copies of it are equal to it and share what may be shared. */
#include "base/jtree.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

static void same_again(const json_t *j, char *take_text, size_t flags)
{
    _auto_free_ char *text = take_text;
    _auto_json_ json_t *again = text ? json_loads(text, flags, NULL) : NULL;
    if (!json_equal(j, again))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_error_t why;
    const size_t flags = JSON_DECODE_ANY | JSON_ALLOW_NUL;
    _auto_json_ json_t *j = json_loadb((const char *)data, size, flags, &why);
    if (!j) {
        if (!why.text[0])
            abort();
        return 0;
    }
    same_again(j, json_dumps(j, JSON_ENCODE_ANY | JSON_COMPACT), flags);
    same_again(j, json_dumps(j, JSON_ENCODE_ANY | JSON_INDENT(2) | JSON_SORT_KEYS), flags);
    json_freeze(j);
    _auto_json_ json_t *copy = json_deep_copy(j), *top = json_copy(j);
    if (!json_equal(j, copy) || !json_equal(top, j))
        abort();
    copy = json_reuse(TAKE(copy), j);
    if (copy != j)
        abort();
    return 0;
}
