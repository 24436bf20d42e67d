/* attach_int.h - private to attach and detach: what is attached, and what is remembered of each pair of volume and
 * node. */
#ifndef STOWAGE_BINDER_ATTACH_INT_H
#define STOWAGE_BINDER_ATTACH_INT_H

#include "binder/binder_int.h"

/* -- attach_subject.c: what is to be attached -- */
#define INLINE_NS "inline" /* namespace part of keys that name volumes written in pods: <driver>^<handle> */
struct subject {
    char name[300]; /* in messages: of the PV, or "ebs.csi.aws.com-vol-0…" */
    char driver[256], handle[256];
    char unique[560]; /* "kubernetes.io/csi/<driver>^<handle>", as nodes report it */
    bool shareable;   /* several nodes may have it at once */
    json_t *source;   /* owned: spec.source of its VolumeAttachments */
};
void subject_release(struct subject *s);
/* False if it is no volume that is attached. */
bool subject_of_pv(const json_t *pv, struct subject *out);
/* The pod's own volume, where its type is served by a CSI driver (awsElasticBlockStore). */
bool subject_of_pod_volume(const json_t *volume, struct subject *out);
/* Calls fn for each volume of the pod that is attached without a claim. */
void each_inline_subject(const json_t *pod, void (*fn)(const struct subject *s, void *arg), void *arg);
bool pod_uses_subject(const json_t *pod, const struct subject *s); /* without a claim */
/* Is this the attachment that the controller makes for the volume? Hand-made ones have other names. */
bool attachment_is_of(const json_t *attachment, const struct subject *s);

/* -- attach_edges.c: a volume and a node, while one wants or has the other -- */
struct edge {
    char *unique, *node;  /* owned */
    bool mounted;         /* the node said so when it last said anything */
    bool multi_told;      /* its pods know that the volume is elsewhere */
    int64_t detach_since; /* mono ms since when nobody wants it; 0: somebody does */
    int64_t asked;        /* mono ms of the attempt that runs; 0: none */
    unsigned failures;    /* attempts that failed */
    int64_t told;         /* mono ms until which the last failure needs no repeating */
};
struct edges {
    struct edge **items; /* owned */
    size_t len, cap;
};
struct edge *edge_of(struct edges *all, const char *unique, const char *node); /* made if absent */
/* Forgets the edges of a volume to nodes for which keep() is false. */
void edges_keep(struct edges *all, const char *unique, bool (*keep)(const char *node, void *arg), void *arg);
void edges_release(struct edges *all);

#endif
