/* describe.h - an object in words, as `kubectl describe` prints it: pure, from the object and what belongs to it.
 *
 * What belongs to an object is asked of the cluster by who calls (describe_wants() says what), and given as one tree:
 *
 *     {"events": […], "pods": […], "slices": […], "services": […], "replica_sets": […], "secrets": […],
 *      "quotas": […], "limits": […], "lease": {…}, "errors": {"lease": "leases … not found"}}
 *
 * A list that is not there could not be asked for; no "events": they are not wanted. Times are told in the local zone.
 * Source: the real 1.32's output, byte by byte (tests/e2e/kubectl/test_describe.sh). THREADS: pure. */
#ifndef STOWAGE_KUBECTL_DESCRIBE_DESCRIBE_H
#define STOWAGE_KUBECTL_DESCRIBE_DESCRIBE_H

#include "base/buf.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* One request for what belongs to an object. */
struct describe_want {
    const char *name; /* in the tree of related things */
    const char *path; /* with {ns}, {name} and {selector} to be filled in */
    bool single;      /* one object, not a list */
    bool needed;      /* without it nothing is described */
};
/* What describing an object of that kind takes. Ends with a row without name. Never NULL. */
const struct describe_want *describe_wants(const char *group, const char *kind);
/* Are its events shown at all, and is the kind part of asking for them? */
enum describe_events { EVENTS_NONE, EVENTS_BY_KIND, EVENTS_BY_NAME, EVENTS_OF_NODE };
enum describe_events describe_events_of(const char *group, const char *kind);

/* Why the object can not be described; NULL: it can. */
const char *describe_refuses(const json_t *object);
/* Appends the description. now: wall ns, for ages. */
void describe_object(struct buf *out, const json_t *object, const json_t *related, int64_t now);
/* A pod template, with its tabs as they are: what `rollout history --revision` prints. */
void describe_pod_template(struct buf *out, const json_t *template_object);

/* "5m (x3 over 10m)": when an event was seen. */
void describe_event_age(struct buf *out, const json_t *event, int64_t now);
/* Rules as a role's table has them, a line of cells divided by tabs each, in kubectl's order. */
void describe_rules(struct buf *out, const json_t *rules);
/* As Go's %v. */
void describe_value(struct buf *out, const json_t *value);

#endif
