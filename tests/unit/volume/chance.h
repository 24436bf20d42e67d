/* chance.h - volumes and claims of chance, the same on every machine: for tests that compare two ways to one answer. */
#ifndef STOWAGE_TESTS_UNIT_VOLUME_CHANCE_H
#define STOWAGE_TESTS_UNIT_VOLUME_CHANCE_H

#include "base/json.h"
#include "base/str.h"

#include <stdio.h>

static uint64_t seed = 1;

static inline unsigned chance(unsigned n)
{
    seed = seed * 6364136223846793005U + 1442695040888963407U;
    return (unsigned)(seed >> 33) % n;
}

static const char *const mode_names[] = {"ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod"};

static inline json_t *random_modes(void)
{
    json_t *modes = json_array();
    do {
        const char *name = mode_names[chance(4)];
        size_t i = 0;
        while (i < json_array_size(modes) && !str_eq(json_string_value(json_array_get(modes, i)), name))
            i++;
        if (i == json_array_size(modes))
            json_array_append_new(modes, json_string(name));
    } while (chance(3) == 0);
    return modes;
}

static inline void random_common(json_t *obj)
{
    static const char *const classes[] = {NULL, "", "fast", "slow"};
    const char *cls = classes[chance(4)];
    if (cls)
        jset_str(obj, "spec.storageClassName", cls);
    jset(obj, "spec.accessModes", random_modes());
    if (chance(6) == 0)
        jset_str(obj, "spec.volumeMode", "Block");
    if (chance(10) == 0)
        jset_str(obj, "metadata.deletionTimestamp", "2026-01-01T00:00:00Z");
}

static inline void put_size(json_t *obj, const char *path)
{
    static const char *const sizes[] = {"500Mi", "1Gi", "1024Mi", "2Gi", "5Gi"};
    jset_map(obj, path, "storage", sizes[chance(5)]);
}

static inline json_t *random_pv(unsigned n)
{
    static const char *const phases[] = {"Available", "Available", "Available", "Pending", "Released", "Bound"};
    char name[32];
    snprintf(name, sizeof name, "pv-%03u", n);
    json_t *pv = json_pack("{s:{s:s}, s:{s:s}}", "metadata", "name", name, "status", "phase", phases[chance(6)]);
    put_size(pv, "spec.capacity");
    random_common(pv);
    if (chance(3) == 0)
        jset_map(pv, "metadata.labels", "disk", chance(2) ? "ssd" : "hdd");
    if (chance(4) == 0) {
        char claim[32];
        snprintf(claim, sizeof claim, "c%u", chance(4));
        jset_str(pv, "spec.claimRef.name", claim);
        jset_str(pv, "spec.claimRef.namespace", chance(4) ? "default" : "other");
        if (chance(2))
            jset_str(pv, "spec.claimRef.uid", chance(2) ? "u" : "x");
    }
    return pv;
}

static inline json_t *random_claim(void)
{
    char name[32];
    snprintf(name, sizeof name, "c%u", chance(4));
    json_t *claim = json_pack("{s:{s:s, s:s, s:s}}", "metadata", "name", name, "namespace", "default", "uid", "u");
    put_size(claim, "spec.resources.requests");
    random_common(claim);
    if (chance(4) == 0)
        jset_map(claim, "spec.selector.matchLabels", "disk", "ssd");
    return claim;
}

#endif
