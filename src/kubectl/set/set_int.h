/* set_int.h - private to `kubectl set`: what its subs share. A sub says how one object changes, as a piece of a
 * strategic patch; the rest (which objects, --local, dry runs, printing, failures) is here.
 *
 * How to add a sub: a file set_<name>.c with its flags (SET_FLAGS among them), a run() that ends in set_all(), and a
 * row in verbs/set.c. */
#ifndef STOWAGE_KUBECTL_SET_SET_INT_H
#define STOWAGE_KUBECTL_SET_SET_INT_H

#include "kubectl/call.h"
#include "kubectl/output/print.h"
#include "kubectl/targets.h"

#define SET_FLAGS                                                                                                      \
    FLAGS_ALL, FLAGS_DRY_RUN, FLAGS_MANAGER("kubectl-set"), FLAGS_FILES("The objects to change"),                      \
        {"local", 0, FLAG_BOOL, NULL, "Change what is in the files, and ask no server", NULL}, FLAGS_OUTPUT,           \
        FLAGS_SELECTOR

struct set_change {
    const char *done;   /* "image updated" */
    const char *failed; /* before the message of a refused patch: "failed to patch image update to pod template: " */
    size_t leave;       /* words at the end that name no objects */
    /* The patch of one object: *out (new) stays NULL when nothing changes. What it says itself goes to set_fail(). -1
     * with `e`: told with the object's name. */
    int (*patch)(struct call *c, const struct kind *kind, const json_t *object, void *arg, json_t **out, struct err *e);
    void *arg;
};
/* Returns the exit code. */
int set_all(struct call *c, const struct set_change *s);
/* "error: …", once each; the others go on. */
void set_fail(struct call *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* --all beside --selector, --local with a server's dry run. False: told. */
bool set_flags_fit(struct call *c);

/* The spec of an object's pods; NULL with `e`. Borrowed. */
const json_t *set_pod_spec(const json_t *object, struct err *e);
/* {"spec": {"template": {"spec": piece}}}, as deep as the object has it. Takes piece. */
json_t *set_wrap(const json_t *object, json_t *piece);
/* Adds {"name": …, key: value} to the list of containers a piece changes. Takes value. */
void set_container(json_t *piece, const char *list, const char *name, const char *key, json_t *value);
/* Is it one of those meant: "*", a name, one with '*' in it? */
bool set_selects(const char *pattern, const char *name);

extern const struct kubectl_verb set_env, set_image, set_resources, set_selector, set_serviceaccount, set_subject;

#endif
