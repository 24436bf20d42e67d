/* ebs_int.h - private to the EBS driver: what its files share. */
#ifndef STOWAGE_CSI_EBS_INT_H
#define STOWAGE_CSI_EBS_INT_H

#include "csi/cloud.h"
#include "csi/driver_int.h"

#define GIB          (INT64_C(1) << 30)
#define EBS_ZONE_KEY "topology.ebs.csi.aws.com/zone"

/* -- ebs_create.c: CreateVolume -- */
int ebs_create(const struct csi_driver *d, struct machine *m, const struct csi_create *req, struct csi_volume *out,
               struct err *e);
/* "key=value" of tagSpecification_1, … into tags. */
void ebs_tags_of(const json_t *parameters, json_t *tags);
bool ebs_is_tag_key(const char *key);
/* A whole number, or InvalidArgument "Could not parse invalid <key>: …". *out stays if the parameter is absent. */
int ebs_number(const json_t *parameters, const char *key, int64_t *out, struct err *e);

/* -- ebs_format.c: class parameters for mkfs -- */
bool ebs_is_format_key(const char *key);
int ebs_format_check(const struct csi_create *req, struct err *e);
void ebs_format_attributes(const json_t *parameters, json_t *csi); /* into csi.volumeAttributes */
/* What mkfs is told beside the usual; *out: the caller frees. */
int ebs_format_words(const json_t *pv, const char *fstype, char **out, struct err *e);

/* -- ebs.c -- */
/* Parameters of a VolumeAttributesClass; what they do not name stays as it is in *out. */
int ebs_mutable(const json_t *parameters, struct cloud_change *out, struct err *e);
/* Rewords what EC2 said: "rpc error: code = Internal desc = <what>: operation error EC2: <action>, …". Returns -1. */
int ebs_ec2_error(struct err *e, const char *action, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#endif
