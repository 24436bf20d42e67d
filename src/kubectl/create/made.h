/* made.h - objects that run and expose make of flags: pieces that both need.
 *
 * What kubectl makes has "creationTimestamp: null" and an empty status; so have these. All return new. */
#ifndef STOWAGE_KUBECTL_CREATE_MADE_H
#define STOWAGE_KUBECTL_CREATE_MADE_H

#include "kubectl/call.h"
#include "kubectl/output/print.h"

/* labels may be NULL: none. Takes spec, labels and status. */
json_t *made_object(const char *kind, const char *name, json_t *labels, json_t *spec, json_t *status);
/* "a=b,c=d". NULL with `e`. */
json_t *made_labels(const char *text, struct err *e);
/* A number where it is one, else the text. */
json_t *made_int_or_text(const char *text);
/* strconv.Atoi's refusals. */
int made_number(const char *text, int64_t *out, struct err *e);
/* What --overrides and --override-type make of it. */
int made_override(struct call *c, json_t **object, struct err *e);
/* Creates it (with --dry-run=client: only puts --namespace in). `plural` is of group "". *object becomes what the
 * server made. */
int made_create(struct call *c, const char *plural, enum dry_run dry, json_t **object, struct err *e);

#define FLAGS_OVERRIDES                                                                                                \
    {"overrides", 0, FLAG_TEXT, NULL, "JSON that is laid over what was made", NULL},                                   \
    {                                                                                                                  \
        "override-type", 0, FLAG_TEXT, "merge", "How it is laid over: json, merge or strategic", NULL                  \
    }

#endif
