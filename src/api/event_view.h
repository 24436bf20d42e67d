/* event_view.h - one stored event, two views: core/v1 (as stored) and events.k8s.io/v1. */
#ifndef STOWAGE_API_EVENT_VIEW_H
#define STOWAGE_API_EVENT_VIEW_H

#include <jansson.h>

/* A core/v1 event as events.k8s.io/v1 shows it. Returns new; shares nothing with its input. */
json_t *events_to_v1(const json_t *core_event);
/* And back: what is stored of an event sent to events.k8s.io. Returns new. */
json_t *events_from_v1(const json_t *event);

#endif
