/* attach_subject.c - what can be attached: volumes, and cloud disks that a pod names itself.
 *
 * DESIGN: an in-tree source is seen through its CSI translation, so all that follows knows drivers and handles only. A
 * disk in a pod becomes a VolumeAttachment with the translated spec inside. Source: csi-translation-lib aws_ebs.go,
 * pkg/volume/csi/csi_attacher.go. THREADS: pure. */
#include "binder/attach_int.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdio.h>
#include <string.h>

#define EBS "ebs.csi.aws.com"

void subject_release(struct subject *s)
{
    json_decref(s->source);
    *s = (struct subject){0};
}

static void name_unique(struct subject *s)
{
    snprintf(s->unique, sizeof s->unique, "kubernetes.io/csi/%s^%s", s->driver, s->handle);
}

bool subject_of_pv(const json_t *pv, struct subject *out)
{
    char buf[VOLUME_HANDLE_LEN];
    const char *driver = pv_driver(pv), *handle = pv_handle(pv, buf);
    if (str_empty(driver) || str_empty(handle))
        return false;
    snprintf(out->name, sizeof out->name, "%s", obj_name(pv));
    snprintf(out->driver, sizeof out->driver, "%s", driver);
    snprintf(out->handle, sizeof out->handle, "%s", handle);
    name_unique(out);
    out->shareable = pv_multi_attach(pv) || !json_array_size(jat(pv, "spec.accessModes"));
    out->source = json_pack("{s:s}", "persistentVolumeName", out->name);
    return true;
}

/* "vol-0…", "aws://us-east-1a/vol-0…" */
static const char *bare_id(const char *id)
{
    const char *slash = strrchr(id, '/');
    return slash ? slash + 1 : id;
}

bool subject_of_pod_volume(const json_t *volume, struct subject *out)
{
    const json_t *ebs = json_object_get(volume, "awsElasticBlockStore");
    const char *id = jstr(ebs, "volumeID");
    if (str_empty(id))
        return false;
    snprintf(out->handle, sizeof out->handle, "%s", bare_id(id));
    snprintf(out->driver, sizeof out->driver, EBS);
    snprintf(out->name, sizeof out->name, EBS "-%s", out->handle);
    name_unique(out);
    json_t *csi = json_pack("{s:s, s:s}", "driver", EBS, "volumeHandle", out->handle);
    if (jbool(ebs, "readOnly", false))
        jset_bool(csi, "readOnly", true);
    if (!str_empty(jstr(ebs, "fsType")))
        jset_str(csi, "fsType", jstr(ebs, "fsType"));
    json_object_set_new(csi, "volumeAttributes",
                        json_pack("{s:o}", "partition", json_sprintf("%lld", (long long)jint(ebs, "partition", 0))));
    out->source = json_pack("{s:{s:o, s:[s], s:s}}", "inlineVolumeSpec", "csi", csi, "accessModes", "ReadWriteOnce",
                            "volumeMode", "Filesystem");
    return true;
}

void each_inline_subject(const json_t *pod, void (*fn)(const struct subject *s, void *arg), void *arg)
{
    size_t i;
    const json_t *volume;
    json_array_foreach(jat(pod, "spec.volumes"), i, volume)
    {
        struct subject s = {0};
        if (subject_of_pod_volume(volume, &s))
            fn(&s, arg);
        subject_release(&s);
    }
}

bool pod_uses_subject(const json_t *pod, const struct subject *s)
{
    size_t i;
    const json_t *volume;
    if (!str_eq(s->driver, EBS))
        return false;
    json_array_foreach(jat(pod, "spec.volumes"), i, volume)
    {
        const char *id = jstr(volume, "awsElasticBlockStore.volumeID");
        if (id && str_eq(bare_id(id), s->handle))
            return true;
    }
    return false;
}

bool attachment_is_of(const json_t *attachment, const struct subject *s)
{
    char name[ATTACHMENT_NAME_LEN];
    if (!str_eq(jstr(attachment, "spec.attacher"), s->driver))
        return false;
    attachment_name(s->handle, s->driver, jstr_or(attachment, "spec.nodeName", ""), name);
    return str_eq(obj_name(attachment), name);
}
