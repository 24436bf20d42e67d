/* targets.h - which objects a command means: "pods", "pods a b", "pod/a svc/b", "deploy,svc", -l, --field-selector,
 * --all, -A, -f and -R.
 *
 * What is meant is found out first and asked for after: a verb that needs the objects visits them, one that only needs
 * their names (delete, patch) goes through the rows. */
#ifndef STOWAGE_KUBECTL_TARGETS_H
#define STOWAGE_KUBECTL_TARGETS_H

#include "kubectl/call.h"

struct target {
    const struct kind *kind; /* borrowed */
    char *ns;                /* "" of a kind of the cluster, and of every namespace */
    char *name;              /* NULL: all that the selectors let through */
    json_t *object;          /* from a file; NULL: of the words */
    char *source;            /* the file; NULL */
};
struct targets {
    struct target *items; /* owned */
    size_t len, cap;
    char *labels, *fields; /* selectors, "" for none */
    bool everywhere;       /* --all-namespaces */
    bool single;           /* one object by its name: printed as itself, not as a list */
    bool several_kinds;    /* names begin with the kind */
};
void targets_release(struct targets *t);
#define _auto_targets_ __attribute__((cleanup(targets_release)))

struct targets_opts {
    bool all;          /* a kind alone means all of it (get, describe); else names, a selector or --all are needed */
    bool no_files;     /* the verb has no -f */
    bool own_selector; /* --selector is the verb's own, it chooses no objects */
    bool checked;      /* objects of files must say what they are; their namespace is filled in */
    size_t skip;       /* words at the front that are the verb's own */
    size_t leave;      /* and at the end */
    const char *kind;  /* words are names of this kind (cordon, drain); NULL */
};
/* From the words and flags of the call. -1: told. */
int targets_of(struct call *c, const struct targets_opts *o, struct targets *out);
/* The path of one target: of the object, or of the collection with its selectors as a query. Appended. */
void target_path(const struct targets *all, const struct target *t, struct buf *out);
/* Objects one after the other as the cluster has them now, lists in pieces. What the cluster refuses is told and the
 * others go on (call_error; c->code). visit: -1 ends it; `ns` and `name` are in the object. Returns -1 then. */
int targets_visit(struct call *c, const struct targets *all,
                  int (*visit)(struct call *c, const struct target *t, json_t *object, void *arg), void *arg);
/* A request for this target was refused: tells it as kubectl does. */
void targets_tell(struct call *c, const struct targets *all, const struct target *t, const struct err *e);
void targets_add(struct targets *all, const struct kind *kind, const char *ns, const char *name);

/* "pod", "deployment.apps" + "/" + name. Returns new. */
char *target_label(const struct kind *kind, const char *name);

#endif
