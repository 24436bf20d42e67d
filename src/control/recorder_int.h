/* recorder_int.h - writing Events. Private to control. */
#ifndef STOWAGE_CONTROL_RECORDER_INT_H
#define STOWAGE_CONTROL_RECORDER_INT_H

#include "control/control.h"

#include <stdarg.h>

/* Something happened to an object: all that is needed to write it later. */
struct occurrence {
    char *component, *host;  /* owned */
    char *instance, *action; /* owned; NULL: the older form */
    json_t *involved;        /* owned: an ObjectReference */
    json_t *related;         /* owned: likewise, or NULL */
    json_t *annotations;     /* owned: of the Event, or NULL */
    enum event_type type;
    char *reason, *message; /* owned */
    int64_t wall_ns, mono_ms;
    struct occurrence *next;
};
/* Safe from any thread. */
struct occurrence *occurrence_new(const struct clock *clock, const struct event_source *src, const json_t *object,
                                  const char *field_path, enum event_type type, const char *reason, const char *fmt,
                                  va_list ap);
void occurrence_free(struct occurrence *oc);

struct recorder;
struct recorder *recorder_new(struct registry *r, const struct clock *clock);
void recorder_free(struct recorder *rec);
/* Creates an Event, or counts one up, or drops it as noise. */
void recorder_write(struct recorder *rec, const struct occurrence *oc);
/* Ends series that have rested. */
void recorder_tick(struct recorder *rec);
int64_t recorder_due(const struct recorder *rec); /* mono ms of the next useful tick, or -1 */

#endif
