/* start_int.h - one container's start, shared by the files that each fill a part of it. */
#ifndef STOWAGE_KUBELETSIM_START_INT_H
#define STOWAGE_KUBELETSIM_START_INT_H

#include "kubeletsim/pod_int.h"

#include "base/buf.h"

#define CONTAINER_MOUNTS_MAX 256
#define GROUPS_MAX           64

struct start {
    struct job *job;
    struct pod_run *p;
    const struct container_run *c;
    const json_t *spec;
    struct image *image;
    struct env env;
    struct strlist argv, texts; /* texts: what out and mounts[] borrow */
    struct mount_spec mounts[CONTAINER_MOUNTS_MAX];
    uint32_t groups[GROUPS_MAX];
    struct buf filter; /* of system calls */
    struct container_spec out;
};

/* Each: 0, or -1 with the message in `e` and the waiting reason in job->reason. */
int start_image(struct start *s, struct err *e);    /* pull.c: image */
int start_identity(struct start *s, struct err *e); /* identity.c: user, groups, capabilities, limits */
int start_mounts(struct start *s, struct err *e);   /* mounts.c */

const char *start_keep(struct start *s, char *take); /* borrowed until the start is over */
int start_refuse(struct start *s, const char *reason);

#endif
