/* feature.c - see feature.h. All are off until set. THREADS: features_set() before any other; then read only. */
#include "api/feature.h"

#include "base/mem.h"
#include "base/str.h"

#include <string.h>

static const char *const names[] = {
#define FEATURE_X(name, text) text,
    FEATURES(FEATURE_X)
#undef FEATURE_X
};
static bool on[FEATURE_MAX];

static int set_one(const char *pair, struct err *e)
{
    const char *value = strchr(pair, '=');
    if (!value)
        return err_set(e, ERR_USAGE, "missing bool value for %s", pair);
    const bool yes = str_eq(value + 1, "true");
    if (!yes && !str_eq(value + 1, "false"))
        return err_set(e, ERR_USAGE, "invalid value of %s", pair);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (strlen(names[i]) != (size_t)(value - pair) || strncmp(names[i], pair, strlen(names[i])) != 0)
            continue;
        on[i] = yes;
        return 0;
    }
    return err_set(e, ERR_USAGE, "unrecognized feature gate: %.*s", (int)(value - pair), pair);
}

int features_set(const char *spec, struct err *e)
{
    _auto_strlist_ struct strlist pairs = {0};
    strlist_split(&pairs, spec, ',');
    for (size_t i = 0; i < pairs.len; i++)
        if (set_one(pairs.items[i], e) < 0)
            return -1;
    return 0;
}

bool feature_on(enum feature f)
{
    return on[f];
}
