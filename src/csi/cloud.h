/* cloud.h - the cloud below the cluster: an inventory of disks, snapshots and instances that exist before and after any
 * Kubernetes object. Who makes a disk by hand (`stowage disk`, later the EC2 API and the console) and who makes it for
 * a claim (the CSI drivers) stand on this one core, so each sees what the others made.
 *
 * Rules, bounds, error codes and texts are EC2's; other providers are rows beside it (cloud_provider.c): their disk
 * types, id form and error texts. An error is `struct err` whose message is "<Code>: <text>", as SDKs print it:
 * cloud_error() takes it apart.
 *
 * Durable: one small JSON file a disk or snapshot below <dir>, replaced atomically before an operation is acknowledged.
 * After a kill at any instant cloud_open() finishes or undoes what was under way: no disk file without its record, no
 * record without its bytes. THREADS: everything is safe from any thread; operations on one disk wait for each other,
 * those on different disks do not. All block: call them on workers.
 *
 * How to add a provider: an enum value, its rows in cloud_provider.c. How to add a field of a disk: the struct here and
 * its row in the tables of cloud_json.c; it is then stored and shown everywhere. */
#ifndef STOWAGE_CSI_CLOUD_H
#define STOWAGE_CSI_CLOUD_H

#include "base/clock.h"
#include "base/err.h"
#include "sys/machine.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cloud;

/* CLOUD_FILE: file systems that any number of nodes in any zone mount (EFS, FSx, NFS, Portworx); they are never
 * attached here: who mounts one plugs it in, see share.c. */
enum cloud_provider_id { CLOUD_EC2, CLOUD_GCE, CLOUD_AZURE, CLOUD_FILE, CLOUD_PROVIDERS };
enum cloud_state { CLOUD_CREATING, CLOUD_AVAILABLE, CLOUD_IN_USE, CLOUD_DELETING, CLOUD_ERROR };
enum cloud_attach_state { CLOUD_ATTACHING, CLOUD_ATTACHED, CLOUD_DETACHING };
enum cloud_snapshot_state { CLOUD_PENDING, CLOUD_COMPLETED };

#define CLOUD_INSTANCE_TYPE "t3.medium" /* of every node */
#define CLOUD_ID_LEN        128         /* "vol-0…"; the disk's name at other providers */
#define CLOUD_ATTACH_MAX    16          /* instances of a multi-attach disk */
#define CLOUD_MODIFY_MAX    4           /* modifications in 24 hours */

struct cloud_attachment {
    char instance[24]; /* "i-0…" */
    char node[64];     /* the instance's node */
    char device[64];   /* "/dev/xvdba" */
    char time[TIME_TEXT_LEN];
    enum cloud_attach_state state;
    bool read_only;
};
struct cloud_modification { /* of the last modify; `start` is "" if there never was one */
    char start[TIME_TEXT_LEN], end[TIME_TEXT_LEN];
    char type_before[24], type_after[24];
    int64_t gib_before, gib_after, iops_before, iops_after, throughput_before, throughput_after;
};
struct cloud_disk {
    enum cloud_provider_id provider;
    enum cloud_state state;
    char id[CLOUD_ID_LEN], zone[64], type[24];
    char snapshot[32]; /* made from, or "" */
    char kms_key[160];
    char created[TIME_TEXT_LEN];
    char token[72];                /* idempotency: the creator's name for it, or "" */
    int64_t gib, iops, throughput; /* iops, throughput: 0 where the type has none */
    bool encrypted, multi_attach;
    json_t *tags; /* owned: {"Name": "x"}; never NULL */
    struct cloud_attachment attachments[CLOUD_ATTACH_MAX];
    size_t attachment_count;
    struct cloud_modification modification;
    char modified[CLOUD_MODIFY_MAX][TIME_TEXT_LEN]; /* when, newest first */
};
struct cloud_snapshot {
    enum cloud_snapshot_state state;
    char id[32], volume[CLOUD_ID_LEN], description[256];
    char started[TIME_TEXT_LEN];
    char token[72];
    int64_t gib;
    int64_t progress; /* percent */
    bool encrypted;
    json_t *tags; /* owned; never NULL */
};
struct cloud_instance {
    char id[24], node[64], type[24], zone[64], ip[40];
    int attach_limit; /* disks beside its root */
};
#define _auto_disk_     __attribute__((cleanup(cloud_disk_release)))
#define _auto_snapshot_ __attribute__((cleanup(cloud_snapshot_release)))
void cloud_disk_release(struct cloud_disk *d); /* zeroed is fine */
void cloud_snapshot_release(struct cloud_snapshot *s);

/* -- life -- */
struct cloud_conf {
    struct machine *machine; /* borrows */
    const char *dir;         /* "<data>/cloud", made; NULL: nothing is kept (tests) */
    const struct clock *clock;
    const char *region; /* "us-east-1": its zones are a to f */
};
/* Reads the records and repairs what was under way. machine->cloud is the new cloud until cloud_close(). */
int cloud_open(const struct cloud_conf *conf, struct cloud **out, struct err *e);
void cloud_close(struct cloud *c); /* NULL is fine */
/* The cloud of a machine; NULL with `e` set if it has none. Borrowed. */
struct cloud *cloud_of(struct machine *m, struct err *e);
/* Nodes run (again): plugs in what is attached to them by record. Attachments to nodes that are no more are dropped.
 * -1: some are not plugged in, with why for the last. */
int cloud_resume(struct cloud *c, struct err *e);

/* -- instances and zones -- */
void cloud_instance_id(const char *node, char out[24]); /* the same for the same name */
void cloud_instance_add(struct cloud *c, const struct cloud_instance *i);
int cloud_instance_find(struct cloud *c, const char *id_or_node, struct cloud_instance *out, struct err *e);
size_t cloud_instances(struct cloud *c, struct cloud_instance **out); /* *out: the caller frees */
const char *cloud_region(const struct cloud *c);
bool cloud_zone_known(const struct cloud *c, const char *zone);

/* -- disks; out may be NULL, else the caller releases it -- */
struct cloud_create {
    enum cloud_provider_id provider;
    const char *id;    /* NULL: made up (from the token, if there is one) */
    const char *token; /* NULL: none; the same token with the same wishes gives the same disk */
    const char *zone;
    const char *type;         /* NULL: the provider's default */
    const char *snapshot;     /* NULL: blank */
    const char *kms_key;      /* NULL: none */
    const char *source_disk;  /* NULL; a clone (no EC2 call: what drivers that can clone use) */
    int64_t gib;              /* 0: the snapshot's */
    int64_t iops, throughput; /* 0: the type's default */
    bool encrypted, multi_attach;
    bool ext4;          /* a blank disk shall hold a fresh ext4 already, if it can be had at once */
    const json_t *tags; /* NULL: none */
};
int cloud_disk_create(struct cloud *c, const struct cloud_create *req, struct cloud_disk *out, struct err *e);
int cloud_disk_get(struct cloud *c, const char *id, struct cloud_disk *out, struct err *e);
/* All, or those for which keep() is true, oldest first. Returns how many; *out: cloud_disks_free(). */
size_t cloud_disks(struct cloud *c, bool (*keep)(const struct cloud_disk *d, void *arg), void *arg,
                   struct cloud_disk **out);
void cloud_disks_free(struct cloud_disk *list, size_t n);
int cloud_disk_delete(struct cloud *c, const char *id, struct err *e);
/* As AttachVolume; device NULL or "": the first free one of the instance (/dev/xvdaa, …). */
int cloud_disk_attach(struct cloud *c, const char *id, const char *instance, const char *device, bool read_only,
                      struct cloud_attachment *out, struct err *e);
/* As DetachVolume; instance and device may be NULL. BUSY while something there has it mounted, unless `force`: then the
 * instance is taken to be dead. */
int cloud_disk_detach(struct cloud *c, const char *id, const char *instance, const char *device, bool force,
                      struct err *e);
struct cloud_change {
    int64_t gib, iops, throughput; /* 0: stays */
    const char *type;              /* NULL: stays */
};
int cloud_disk_modify(struct cloud *c, const char *id, const struct cloud_change *change, struct cloud_disk *out,
                      struct err *e);
/* A disk file that has no record yet (made by an earlier version, or told by hand) gets one. */
int cloud_disk_adopt(struct cloud *c, const char *id, const char *zone, struct err *e);
/* value NULL: takes the tag away. `id`: of a disk or a snapshot. */
int cloud_tag(struct cloud *c, const char *id, const char *key, const char *value, struct err *e);
/* The machine's name of the disk (machine_ops.disk_*). */
void cloud_disk_backing(const struct cloud_disk *d, char out[CLOUD_ID_LEN + 16]);

/* -- snapshots -- */
int cloud_snapshot_create(struct cloud *c, const char *volume, const char *token, const char *description,
                          const json_t *tags, struct cloud_snapshot *out, struct err *e);
int cloud_snapshot_get(struct cloud *c, const char *id, struct cloud_snapshot *out, struct err *e);
size_t cloud_snapshots(struct cloud *c, struct cloud_snapshot **out);
void cloud_snapshots_free(struct cloud_snapshot *list, size_t n);
int cloud_snapshot_delete(struct cloud *c, const char *id, struct err *e);

/* -- all of it at one moment, for checkpoints -- */
/* Waits until no operation is under way and lets none begin before the thaw, by the same thread. Reading goes on. */
void cloud_freeze(struct cloud *c);
void cloud_thaw(struct cloud *c);
/* The inventory as its records: {"disks": […], "snapshots": […]}. Returns new. */
json_t *cloud_records(struct cloud *c);
/* What a disk's record calls its bytes (machine_ops.disk_*); false: it is no record. */
bool cloud_record_backing(const json_t *record, char out[CLOUD_ID_LEN + 16]);
/* Makes inventory and files those of such records. The machine is the caller's: no disk may be attached there, and each
 * must have the bytes that its record means; cloud_resume() attaches. Frozen. */
int cloud_replace(struct cloud *c, const json_t *records, struct err *e);
/* The files only, of a cloud that is not open: a replacement that was begun is brought to its end. */
int cloud_replace_files(const char *dir, const json_t *records, struct err *e);

/* -- how it is shown: the members `aws ec2 describe-volumes` prints, and nothing private. Return new. -- */
json_t *cloud_disk_json(const struct cloud_disk *d);
json_t *cloud_modification_json(const struct cloud_disk *d); /* of the last one; describe-volumes-modifications */
json_t *cloud_snapshot_json(const struct cloud_snapshot *s);
const char *cloud_state_name(enum cloud_state s);
const char *cloud_attach_state_name(enum cloud_attach_state s);

/* Takes "<Code>: <text>" apart; code is "InternalError" if the error did not come from the cloud's rules. Returns the
 * text, borrowed from `e`. */
const char *cloud_error(const struct err *e, char code[64]);

#endif
