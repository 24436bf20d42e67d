/* volumes_int.h - the volumes of a pod: plan, mount, refresh, unmount. */
#ifndef STOWAGE_KUBELETSIM_VOLUMES_INT_H
#define STOWAGE_KUBELETSIM_VOLUMES_INT_H

#include "csi/driver.h"
#include "kubeletsim/pod_int.h"

#include <fcntl.h>
#include <sys/stat.h>

struct volume_run;
struct volume_plugin {
    const char *key; /* member of the pod's volume, or of a PV's spec */
    const char *dir; /* "kubernetes.io~configmap" */
    bool projected;  /* rewritten when what it shows changes */
    bool read_only;  /* always, in the container */
    int (*mount)(struct pod_run *p, struct volume_run *v, struct err *e);   /* on a worker; may be called again */
    int (*unmount)(struct pod_run *p, struct volume_run *v, struct err *e); /* on a worker; may be NULL */
};
struct volume_run {
    char *name;      /* owned: of the pod's volume */
    char *spec_name; /* owned: PV name for claims, else name */
    const struct volume_plugin *plugin;
    json_t *source;                  /* owned: the member named plugin->key (of the volume, or of the PV spec) */
    json_t *pv;                      /* owned, or NULL */
    const struct csi_driver *driver; /* for csi */
    char device[64];                 /* "/dev/xvdba" from the attachment, or "" */
    char path[PATH_LEN];             /* node path that is bound into containers */
    bool block, read_only;
    bool touched; /* mounting was tried: there may be something to undo; from here on the plan stays */
    bool mounted, staged;
    bool told;             /* as a device */
    char *unique;          /* owned: "kubernetes.io/csi/DRIVER^HANDLE" of attachables, or NULL */
    char *failure;         /* owned: why the last try failed, or NULL */
    const char *failed_at; /* static: the step it failed at if before the pod's own part, else NULL */
    /* growing, see volume_grow.c */
    int64_t grow_to;       /* bytes: under way; 0 = not */
    int64_t grow_refused;  /* bytes: not while it is mounted */
    int64_t grow_retry_ms; /* back-off */
    int64_t grow_at;       /* mono ms: earliest next try */
};

/* -- volumes.c -- */
int volumes_plan(struct pod_run *p,
                 struct err *e); /* loop thread; 0 ready, 1 something is awaited, -1 with the cause */
void volumes_mount(struct job *j);
void volumes_refresh(struct job *j);
int volumes_unmount(struct pod_run *p, struct err *e); /* worker */
void volumes_release(struct pod_run *p);
void volumes_tell_failures(struct pod_run *p); /* events */
void volumes_tell_mapped(struct pod_run *p);
const struct volume_run *volume_by_name(const struct pod_run *p, const char *name);

/* -- volume_grow.c -- */
/* Does a mounted filesystem lag behind its volume? Then run volumes_grow() on a worker, volumes_grown() after it. */
bool volumes_grow_due(struct pod_run *p);
void volumes_grow(struct job *j);
void volumes_grown(struct pod_run *p, struct job *j);

/* -- volume_plugins.c -- */
/* Picks the plugin for a source found in `spec` (a pod's volume or a PV's spec) and takes a copy of the source. */
int volume_pick(struct volume_run *v, const json_t *spec, struct err *e);
int64_t fs_group_of(const struct pod_run *p); /* -1: none */
int apply_fs_group(struct pod_run *p, struct volume_run *v, struct err *e);
int unmount_path(struct pod_run *p, struct volume_run *v, struct err *e);
int write_projected(struct pod_run *p, struct volume_run *v, struct err *e);

/* -- volume_foreign.c: what this node has no helper for -- */
int nfs_mount(struct pod_run *p, struct volume_run *v, struct err *e);
int iscsi_mount(struct pod_run *p, struct volume_run *v, struct err *e);
int fc_mount(struct pod_run *p, struct volume_run *v, struct err *e);
int git_mount(struct pod_run *p, struct volume_run *v, struct err *e);
/* -- volume_inline.c: csi volumes of a pod -- */
int inline_csi_mount(struct pod_run *p, struct volume_run *v, struct err *e);
int inline_csi_unmount(struct pod_run *p, struct volume_run *v, struct err *e);

/* -- volume_pv.c -- */
/* Follow a claim, or a cloud's disk that the pod names itself: 0, 1 (attachment awaited) or -1 with the cause. Loop
 * thread. */
int claim_plan(struct pod_run *p, const char *claim, bool ephemeral, struct volume_run *v, struct err *e);
int inline_disk_plan(struct pod_run *p, const json_t *volume, struct volume_run *v, struct err *e);
int csi_mount(struct pod_run *p, struct volume_run *v, struct err *e);
int csi_unmount(struct pod_run *p, struct volume_run *v, struct err *e);
/* What the first user of a volume on a node does before all, and the last one after all; others only count. first:
 * failed_at says what failed. */
typedef int volume_step(struct pod_run *p, struct volume_run *v, struct err *e);
int volume_stage(struct pod_run *p, struct volume_run *v, volume_step *first, struct err *e);
int volume_unstage(struct pod_run *p, struct volume_run *v, volume_step *last, struct err *e);
unsigned volume_users(struct pod_run *p, const struct volume_run *v); /* on the node, with this one */
/* Binds the path on the node to where the pod's containers look; once. */
int bind_once(struct pod_run *p, const struct volume_run *v, const char *source, struct err *e);

/* -- volume_local.c -- */
int local_mount(struct pod_run *p, struct volume_run *v, struct err *e);
int local_unmount(struct pod_run *p, struct volume_run *v, struct err *e);
/* The node took all mounts with it: nobody counts as a user there any more. */
void volumes_lost(struct pod_run *p);

/* -- projection.c -- */
struct files {
    struct file_spec *items;
    size_t len, cap;
};
void files_release(struct files *f);
int project_volume(struct pod_run *p, const char *key, const json_t *source, struct files *out, struct err *e);
/* Seconds after which the tokens of a volume are to be renewed, or 0. */
int64_t project_renewal(const char *key, const json_t *source);

#endif
