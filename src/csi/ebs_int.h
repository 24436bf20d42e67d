/* ebs_int.h - private to the EBS driver: what its two files share. */
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

/* -- ebs.c -- */
/* Rewords what EC2 said: "rpc error: code = Internal desc = <what>: operation error EC2: <action>, …". Returns -1. */
int ebs_ec2_error(struct err *e, const char *action, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#endif
