/* quota.c - ResourceQuota, the last of the plug-ins: what is about to be committed must fit. See registry/quota.c. */
#include "registry/admission_int.h"
#include "registry/quota_int.h"

#include <string.h>

int admit_quota(struct op *op, struct admit *a)
{
    if (!op->res->namespaced || !op->res->bucket || strcmp(op->res->bucket, "events") == 0)
        return 0;
    bool grows = op->res == RES.persistentvolumeclaims || op->res == RES.services;
    if (a->verb == ADMIT_UPDATE && !grows)
        return 0;
    return quota_charge(op, a->obj, a->old);
}
