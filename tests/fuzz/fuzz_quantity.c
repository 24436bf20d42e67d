/* fuzz_quantity.c - any text: refused with a reason, or read; what is printed reads back as the same amount. */
#include "api/quantity.h"
#include "base/mem.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 4096)
        return 0;
    _auto_free_ char *text = xstrndup((const char *)data, size);
    struct quantity q, again;
    char out[QUANTITY_TEXT_LEN];
    if (quantity_parse(text, &q) < 0) {
        if (quantity_refusal(text) == NULL)
            abort();
        return 0;
    }
    quantity_format(&q, out);
    if (quantity_parse(out, &again) < 0 || quantity_cmp(&q, &again) != 0)
        abort();
    if (quantity_text(text, true, out) < 0 || quantity_parse(out, &again) < 0)
        abort();
    quantity_value(&q);
    quantity_milli(&q);
    quantity_add(&q, &again);
    quantity_sub(&q, &again);
    quantity_format(&q, out);
    return 0;
}
