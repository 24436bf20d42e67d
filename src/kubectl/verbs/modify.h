/* modify.h - what verbs that write have in common: bodies checked, flags as a query, answers told.
 *
 * A verb begins with change_begin(), sends each object with change_send() or on its own, and tells the answer with
 * change_tell(). */
#ifndef STOWAGE_KUBECTL_VERBS_MODIFY_H
#define STOWAGE_KUBECTL_VERBS_MODIFY_H

#include "kubectl/output/print.h"
#include "kubectl/targets.h"

struct change {
    enum dry_run dry;
    struct printer printer;
    const char *manager; /* of the fields that are set */
};
/* From --dry-run, --output, --field-manager. -1: told. */
int change_begin(struct call *c, struct change *ch);
void change_end(struct call *c, struct change *ch);

/* dryRun, fieldManager and fieldValidation as a query, as far as the verb has the flags. */
void change_query(const struct call *c, const struct change *ch, struct buf *path);
/* POST, PUT or PATCH of a body. NULL `out`: not wanted. */
int change_send(struct call *c, const struct change *ch, const char *method, const char *path, const json_t *body,
                const char *type, json_t **out, struct err *e);
/* Prints the object, or "pod/x created (dry run)". */
int change_tell(struct call *c, struct change *ch, const struct kind *kind, const json_t *object, const char *done);

/* A new object: POST to its collection, or only printed with --dry-run=client. done: "created". Returns the exit
 * code. */
int change_create(struct call *c, struct change *ch, const struct kind *kind, const char *ns, json_t *object,
                  const char *before);

#define LAST_APPLIED "kubectl.kubernetes.io/last-applied-configuration"
/* The object as a manifest, as the annotation keeps it; without the annotation itself. Returns new. */
char *last_applied_text(const json_t *object);
void last_applied_set(json_t *object);

#endif
