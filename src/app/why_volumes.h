/* why_volumes.h - what the kubelet of a pod waits for before containers can start: each of its volumes, in words.
 *
 *     [{"name":    of the pod's volume
 *       "volume":  the PersistentVolume, or what stands in its place in messages
 *       "state":   "claim"       its claim is not there, not bound, or not the pod's
 *                  "elsewhere"   attached to another node, and cannot be at two
 *                  "attach"      not attached to the pod's node yet
 *                  "mount"       the kubelet tried to mount it and failed
 *                  "ready"       nothing is known to be in the way
 *       "because", "waitsFor", "actor", "changes": as in volume/explain.h}] */
#ifndef STOWAGE_APP_WHY_VOLUMES_H
#define STOWAGE_APP_WHY_VOLUMES_H

#include "registry/registry.h"

/* `claims`: the explanations of the pod's claims; `events`: those about the pod, oldest first. Returns new. */
json_t *why_volumes(struct registry *r, const json_t *pod, const json_t *claims, const json_t *events);

#endif
