/* cloud_kit.h - a cloud with two instances on the fake machine, for the tests of csi and of what stands on it. */
#ifndef STOWAGE_TESTS_UNIT_CSI_CLOUD_KIT_H
#define STOWAGE_TESTS_UNIT_CSI_CLOUD_KIT_H

#include "csi/cloud.h"

#include <stdio.h>

static inline void kit_instance(struct cloud *c, const char *node, const char *zone)
{
    struct cloud_instance i = {.type = "t3.medium", .attach_limit = 26};
    cloud_instance_id(node, i.id);
    snprintf(i.node, sizeof i.node, "%s", node);
    snprintf(i.zone, sizeof i.zone, "%s", zone);
    cloud_instance_add(c, &i);
}

/* Nodes n1 and n2 in the zones given. dir NULL: nothing is kept. */
static inline struct cloud *kit_cloud(struct machine *m, const struct clock *clock, const char *dir, const char *zone1,
                                      const char *zone2)
{
    struct err e = ERR_INIT;
    struct cloud *c = NULL;
    const struct cloud_conf conf = {.machine = m, .dir = dir, .clock = clock, .region = "us-east-1"};
    if (cloud_open(&conf, &c, &e) < 0)
        return NULL;
    kit_instance(c, "n1", zone1);
    kit_instance(c, "n2", zone2);
    return c;
}

#endif
