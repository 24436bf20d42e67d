/* literal.c - see literal.h. */
#include "kubectl/literal.h"

#include "base/mem.h"

#include <string.h>

char *literal_split(const char *source, const char **out_value, size_t *out_len)
{
    const char *equal = strchr(source, '=');
    if (!equal || equal == source)
        return NULL;
    const char *value = equal + 1;
    size_t n = strlen(value);
    if (n >= 2 && (value[0] == '"' || value[0] == '\'') && value[n - 1] == value[0]) {
        value++;
        n -= 2;
    }
    *out_value = value;
    *out_len = n;
    return xstrndup(source, (size_t)(equal - source));
}
