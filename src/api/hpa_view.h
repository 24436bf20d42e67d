/* hpa_view.h - one stored autoscaler, two views: autoscaling/v2 (as stored) and autoscaling/v1, which knows cpu only
 * and keeps the rest in annotations. */
#ifndef STOWAGE_API_HPA_VIEW_H
#define STOWAGE_API_HPA_VIEW_H

#include <jansson.h>

/* Both return new. */
json_t *hpa_to_v1(const json_t *v2);
json_t *hpa_from_v1(const json_t *v1);

#endif
