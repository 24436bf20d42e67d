/* binder_int.h - private to binder: the loops, and what they share. */
#ifndef STOWAGE_BINDER_BINDER_INT_H
#define STOWAGE_BINDER_BINDER_INT_H

#include "binder/binder.h"
#include "control/objects.h"
#include "csi/driver.h"
#include "volume/index.h"
#include "volume/volume.h"

#define WHO "kube-controller-manager"

extern const struct loop_def pv_binder_loop, pvc_protection_loop, pv_protection_loop, provisioner_loop,
    driver_install_loop, attach_detach_loop, attacher_loop, expand_loop, resizer_loop, ephemeral_loop, snapshot_loop,
    snapshot_content_loop, modifier_loop, room_loop;

/* -- keys: volumes have namespace "", claims have their own -- */
struct sobj *read_pv(struct loop *l, const char *name); /* new reference or NULL */
struct sobj *read_claim(struct loop *l, const char *ns, const char *name);
struct sobj *read_class(struct loop *l, const char *name);
/* The claim a volume's claimRef means, if it is that very claim (uid). New reference or NULL. */
struct sobj *read_claim_of(struct loop *l, const json_t *pv);
/* The volume a claim names. New reference or NULL. */
struct sobj *read_pv_of(struct loop *l, const json_t *claim);
/* Enqueues the claims a pod uses, or the volumes bound to them. */
void enqueue_claims_of_pod(struct loop *l, const json_t *pod);
void enqueue_volumes_of_pod(struct loop *l, const json_t *pod);

/* -- writes; NOT_FOUND counts as done -- */
int modify(struct loop *l, const char *who, const struct resource *res, const json_t *obj, const char *sub,
           edit_fn edit, void *arg, struct err *e);
/* As reg_modify_all(). */
int modify_all(struct loop *l, const char *who, struct reg_edit *edits, size_t n);
int remove_object(struct loop *l, const char *who, const struct resource *res, const json_t *obj, struct err *e);
/* An edit_fn: arg is the finalizer's name. */
int edit_finalizer_add(json_t *obj, void *arg, struct err *e);
int edit_finalizer_remove(json_t *obj, void *arg, struct err *e);

/* -- things said or begun once: a set of hashes with a bound -- */
struct seen {
    uint64_t *slots; /* owned */
    size_t len, cap;
};
/* True the first time this text is given. */
bool seen_first(struct seen *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
bool seen_has(const struct seen *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void seen_forget(struct seen *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void seen_release(struct seen *s);

/* -- jobs in flight, by key: one at a time, with back-off after failures -- */
struct flight {
    char *key; /* owned */
    bool running;
    unsigned failures;
    int64_t not_before_ms; /* mono; a failed job is not tried again earlier, whatever wakes its key */
};
struct flights {
    struct flight *items; /* owned */
    size_t len, cap;
};
/* False if a job for the key runs already, or failed and has not waited long enough. */
bool flight_begin(struct loop *l, struct flights *f, const char *key);
/* Ends it; returns how long to wait before the next try (ms): 0 after success, else min doubled up to max. */
int64_t flight_end(struct loop *l, struct flights *f, const char *key, bool ok, int64_t min_ms, int64_t max_ms);
/* A job that failed need not wait any longer. */
void flight_forgive(struct flights *f, const char *key);
void flights_release(struct flights *f);
/* start and stop of a loop whose whole state are its jobs. */
void flights_stop(struct loop *l);

/* -- pv_bind.c: the four writes of a binding, and phases -- */
struct pair {
    json_t *pv, *claim;
};
int bind_volume(struct loop *l, const json_t *pv, const json_t *claim, struct err *e);
/* The same for many, which share transactions. -1: some failed, with one's error. Any thread. */
int bind_volumes(struct loop *l, const struct pair *pairs, size_t n, struct err *e);
/* Volumes that are nobody's are said to be so, in this order. */
int make_available(struct loop *l, json_t *const pvs[], size_t n, struct err *e);
/* The first two of them: the volume's side. */
int promise_volume(struct loop *l, const json_t *pv, const json_t *claim, struct err *e);
/* Clears the claimRef (or only its uid, if the user wrote it) and makes the volume Available. */
int unbind_volume(struct loop *l, const json_t *pv, struct err *e);
/* Sets phase and message, and gives the event if the phase changed and `reason` is not NULL. */
int put_pv_phase(struct loop *l, const json_t *pv, enum pv_phase phase, const char *message, const char *reason,
                 struct err *e);
/* pv: whose modes and capacity the status shows; NULL: none. */
int put_claim_status(struct loop *l, const json_t *claim, enum claim_phase phase, const json_t *pv, struct err *e);

/* -- pv_group.c: what was decided for several claims and volumes, to be written together -- */
#define GROUP_MAX 64
struct group {
    struct pair pairs[GROUP_MAX]; /* references */
    size_t pair_count;
    json_t *free[GROUP_MAX]; /* references: volumes to be made Available */
    size_t free_count;
    int64_t alone_until_ms; /* mono: a write failed, so each is made on its own for a while */
};

/* -- pv_controller.c: what the pv-binder keeps sorted; its loop_state() -- */
struct binding {
    struct pv_index *volumes;
    struct claim_index *waiting;
    struct flights recycling; /* recycler pods, by volume */
    struct group group;
};
/* Binds the two: now, or with the next group_write(). Until then the volume is free to nobody. */
int group_bind(struct loop *l, const json_t *pv, const json_t *claim, struct err *e);
/* Writes what is to be written, if anything: false if there was nothing. What is read afterwards may be decided upon.
 */
bool group_write(struct loop *l);
/* The volume becomes Available: now, or with the next group_write(). */
int group_free(struct loop *l, const json_t *pv, struct err *e);
/* Of what is to be written only the volumes that become free: now a claim may choose. */
void group_write_free(struct loop *l);
bool group_has_volume(const struct group *g, const char *name);
bool group_has_claim(const struct group *g, const char *ns, const char *name);
/* Reads a volume again into the index: after a write of our own, whose event is still on its way. */
void binding_refresh(struct loop *l, const char *pv_name);

/* -- pv_claim.c, pv_volume.c, pv_reclaim.c -- */
int sync_claim(struct loop *l, const json_t *claim, struct err *e);
int sync_volume(struct loop *l, const json_t *pv, struct err *e);
int reclaim_volume(struct loop *l, const json_t *pv, struct err *e);

/* -- csi_pv.c -- */
/* Parameters of a class that are for the sidecars and not for the driver. */
#define CSI_PARAMETERS "csi.storage.k8s.io/"
/* The first parameter so named that no sidecar knows, or NULL. */
const char *csi_unknown_parameter(const json_t *sc);
/* The PersistentVolume object of what a driver made. Returns new. */
json_t *pv_build(struct loop *l, const json_t *claim, const json_t *sc, const struct csi_provisioner *p,
                 struct csi_volume *made);
/* "external-attacher/ebs-csi-aws-com" */
void attacher_finalizer(const char *driver, char *out, size_t size);
/* Must volumes of this driver be attached before use? */
bool driver_attaches(struct loop *l, const char *driver);

#endif
