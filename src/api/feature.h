/* feature.h - feature gates: what a 1.32 server has but does not serve unless told to. Set once, before the resource
 * table is built; the same for the whole process.
 *
 * How to add one: a row in FEATURES; ask feature_on() where it matters. */
#ifndef STOWAGE_API_FEATURE_H
#define STOWAGE_API_FEATURE_H

#include "base/err.h"

#include <stdbool.h>

/*        name                    Kubernetes' name */
#define FEATURES(X) X(VOLUME_ATTRIBUTES_CLASS, "VolumeAttributesClass")

enum feature {
#define FEATURE_X(name, text) FEATURE_##name,
    FEATURES(FEATURE_X)
#undef FEATURE_X
        FEATURE_MAX
};

/* "VolumeAttributesClass=true,…", as --feature-gates takes it. ERR_USAGE for a name or value that is none. */
int features_set(const char *spec, struct err *e);
bool feature_on(enum feature f);

#endif
