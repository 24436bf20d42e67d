/* store_kit.h - what the store's tests share. */
#ifndef STORE_KIT_H
#define STORE_KIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "store/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static inline json_t *kit_object(const char *name, int value)
{
    return json_pack("{s:s,s:{s:s,s:s},s:{s:i}}", "kind", "Thing", "metadata", "name", name, "uid", "u-1", "spec",
                     "value", value);
}

static inline int kit_value(const struct sobj *o)
{
    return (int)json_integer_value(json_object_get(json_object_get(o->tree, "spec"), "value"));
}

static inline struct store *kit_open(const struct store_conf *conf)
{
    struct store *s = NULL;
    struct err e = ERR_INIT;
    if (store_open(conf, &s, &e) < 0)
        fail_msg("store_open: %s", e.msg);
    return s;
}

static inline struct store *kit_memory(void)
{
    return kit_open(&(struct store_conf){.clock = clock_real()});
}

/* Puts whatever stands there; returns the revision. */
static inline uint64_t kit_put(struct store *s, const char *bucket, const char *ns, const char *name, int value)
{
    struct err e = ERR_INIT;
    struct sobj *o = NULL;
    if (store_put(s, bucket, ns, name, RV_ANY, kit_object(name, value), &o, &e) < 0)
        fail_msg("store_put %s: %s", name, e.msg);
    uint64_t rv = o->rv;
    sobj_unref(o);
    return rv;
}

static inline uint64_t kit_delete(struct store *s, const char *bucket, const char *ns, const char *name)
{
    struct err e = ERR_INIT;
    struct sobj *o = NULL;
    if (store_delete(s, bucket, ns, name, RV_ANY, &o, &e) < 0)
        fail_msg("store_delete %s: %s", name, e.msg);
    uint64_t rv = o->rv;
    sobj_unref(o);
    return rv;
}

/* A path in a new directory; kit_remove() removes both. */
static inline char *kit_path(void)
{
    char dir[] = "/tmp/stowage-store-XXXXXX";
    assert_non_null(mkdtemp(dir));
    return xasprintf("%s/state.db", dir);
}

static inline void kit_remove(char *path)
{
    static const char *const tails[] = {"", "-wal", "-shm", "-journal"};
    for (size_t i = 0; i < ARRAY_LEN(tails); i++) {
        char *file = xasprintf("%s%s", path, tails[i]);
        unlink(file);
        free(file);
    }
    *strrchr(path, '/') = '\0';
    rmdir(path);
    free(path);
}

#endif
