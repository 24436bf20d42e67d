/* kinds.h - which kinds a cluster serves, and the words that mean them: "po", "pods", "deploy", "deployments.v1.apps",
 * "Pod".
 *
 * Asked of the cluster by discovery (aggregated where it is spoken, 1.27 and later; group by group elsewhere), so any
 * cluster's own kinds are known too. Order is the server's: of two kinds of one name the one first told is meant, as
 * kubectl has it. */
#ifndef STOWAGE_CLIENT_KINDS_H
#define STOWAGE_CLIENT_KINDS_H

#include "client/client.h"

#include <stdbool.h>

struct kind {
    char *group; /* "" for core */
    char *version, *kind, *plural, *singular;
    struct strlist shorts, categories, verbs;
    bool namespaced;
};
struct kinds {
    struct kind *items; /* owned */
    size_t len, cap;
};
void kinds_release(struct kinds *k); /* zeroed is fine */
#define _auto_kinds_ __attribute__((cleanup(kinds_release)))

int kinds_load(struct client *c, struct kinds *out, struct err *e);
/* What somebody typed. NULL: no such kind. Borrowed. */
const struct kind *kinds_find(const struct kinds *k, const char *word);
/* What an object says of itself. */
const struct kind *kinds_of(const struct kinds *k, const char *api_version, const char *kind);
bool kind_can(const struct kind *k, const char *verb);

/* "/api/v1/namespaces/ns/pods/name/sub": ns is left out for a kind of the cluster or when NULL or ""; name and sub may
 * be NULL. Appended. */
void kind_path(const struct kind *k, const char *ns, const char *name, const char *sub, struct buf *out);
/* "apps/v1", "v1". Appended. */
void kind_api_version(const struct kind *k, struct buf *out);
/* "deployments.apps", "pods": as messages name it. Appended. */
void kind_qualified(const struct kind *k, struct buf *out);

#endif
