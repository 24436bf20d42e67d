/* why_claim.c - see why_claim.h. That a driver refused only it knows, and it told so in an event; how far growing has
 * come stands in the claim's status.
 *
 * How to add advice for what a driver may say: a row in `advice`. THREADS: any. */
#include "app/why_claim.h"

#include "api/quantity.h"
#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "control/objects.h"
#include "csi/driver.h"
#include "volume/volume.h"

#include <string.h>

#define MODE_CHANGE "snapshot.storage.kubernetes.io/allow-volume-mode-change"

static void propose(json_t *explanation, const char *text, const char *command)
{
    json_t *changes = json_object_get(explanation, "changes");
    json_array_append_new(changes, json_pack("{s:s, s:s}", "text", text, "command", command));
}

static void say(json_t *explanation, const char *actor, const char *because, const char *waits_for)
{
    jset_str(explanation, "actor", actor);
    jset_str(explanation, "because", because);
    jset_str(explanation, "waitsFor", waits_for);
}

/* The message of the newest event of that reason; NULL if there is none, or if one of `since` is newer. */
static const char *told(const json_t *events, const char *reason, const char *since)
{
    for (size_t i = json_array_size(events); i-- > 0;) {
        const json_t *event = json_array_get(events, i);
        if (str_eq(jstr(event, "reason"), reason))
            return jstr_or(event, "message", "");
        if (str_eq(jstr(event, "reason"), since))
            return NULL;
    }
    return NULL;
}

/* -- a driver that refuses -- */

static const struct {
    const char *part; /* of the driver's words */
    const char *actor;
    const char *text; /* %s: what the driver says after `part`, up to the next blank */
} advice[] = {
    {"clone operations", "user",
     "This driver copies no volumes: make the claim anew without its source, and copy the files with a pod that mounts "
     "both."},
    {"snapshot restore", "user", "This driver has no snapshots: make the claim anew without its source."},
    {"is created by driver", "user",
     "Only the driver that took the snapshot can restore it: make the claim anew with one of its classes."},
    {"is not provisioned by", "user",
     "Only the driver that made the source can copy it: make the claim anew with one of its classes."},
    {"is less than the size ", "user", "Make the claim anew with at least the size of its source, %s bytes."},
    {"but source is ", "user", "Make the claim anew with at least the size of its source, %s bytes."},
    {"DataSource Type", "user",
     "Let the source that the claim names be there, and ready, or make the claim anew without it."},
    {"too large", "user", "Make the claim anew with a size that this type of disk can have."},
    {"exceeds maximum allowed ", "user", "Make the claim anew with %s bytes at most."},
    {"olume iops of", "admin", "Make the class anew with iops that this type of disk can have."},
    {"hroughput", "admin", "Make the class anew with a throughput that this type of disk can have."},
    {"minimum is ", "user", "Make the claim anew with %s or more."},
    {"ops to volume size ratio", "admin",
     "Make the class anew with less iops, or the claim with a larger size: a disk has so many a GiB."},
    {"requires the parameter Iops", "admin", "Make the class anew with the parameter iops or iopsPerGB."},
    {"Block Express is only", "admin", "Make the class anew with type io2, or without blockExpress."},
    {"no node was specified", "admin",
     "Make the class anew with volumeBindingMode: WaitForFirstConsumer, so that there is a node to make it on."},
    {"is not a recognised volume type", "user", "Let the annotation say hostPath or local."},
    {"invalid AWS VolumeType", "admin", "Make the class anew with a type that there is."},
    {"selector is not supported", "user",
     "Make the claim anew without a selector: it is for volumes that are there already."},
    {"Selector is not supported", "user",
     "Make the claim anew without a selector: it is for volumes that are there already."},
    {"arameter", "admin", "Put right the parameters of the class: delete it and make it anew, they cannot be changed."},
    {"apabilit", "user",
     "Make the claim anew with accessModes ReadWriteOnce and volumeMode Filesystem, which every driver has, or with a "
     "class whose driver has what is asked for."},
    {"not supported", "user", "Ask for what this driver can do, or use a class of another one."},
    {"is disabled", "admin", ""}, /* that no driver runs is told already */
    {"", "user", "Put right what the driver names: make the claim anew, or its class."},
};

/* The text with what stands after `part` in its hole. Returns new. */
static char *filled_in(const char *text, const char *after)
{
    const char *hole = strstr(text, "%s");
    if (!hole)
        return xstrdup(text);
    return xasprintf("%.*s%.*s%s", (int)(hole - text), text, (int)strcspn(after, " ,;."), after, hole + 2);
}

/* A snapshot of files for a device, or the other way round: its content may be marked as fit for that. */
static bool advise_mode_change(json_t *explanation, const char *cause)
{
    static const char head[] = "is not present on snapshotcontent ";
    const char *content = strstr(cause, head);
    if (!content)
        return false;
    _auto_free_ char *command =
        xasprintf("kubectl annotate volumesnapshotcontent %s " MODE_CHANGE "=true", content + strlen(head));
    jset_str(explanation, "actor", "admin");
    propose(explanation,
            "Allow what the snapshot holds to be taken in another volumeMode, if its user can make sense of it.",
            command);
    return true;
}

static void advise(json_t *explanation, const char *cause)
{
    size_t row = 0;
    if (advise_mode_change(explanation, cause))
        return;
    while (!strstr(cause, advice[row].part))
        row++;
    _auto_free_ char *text = filled_in(advice[row].text, strstr(cause, advice[row].part) + strlen(advice[row].part));
    jset_str(explanation, "actor", advice[row].actor);
    if (*text)
        propose(explanation, text, "");
}

static void explain_refusal(json_t *explanation, const json_t *claim, const json_t *events)
{
    _auto_free_ char *head =
        xasprintf("failed to provision volume with StorageClass \"%s\": ", jstr_or(claim, "spec.storageClassName", ""));
    const char *cause = told(events, "ProvisioningFailed", "ProvisioningSucceeded");
    if (!cause && jat(claim, "spec.dataSourceRef") && told(events, "Provisioning", NULL) &&
        strstr(told(events, "Provisioning", NULL), "external populator")) {
        _auto_free_ char *because = xasprintf("It is to be filled from a %s, which no driver makes volumes of.",
                                              jstr_or(claim, "spec.dataSourceRef.kind", ""));
        say(explanation, "admin", because, "a volume populator for that kind");
        propose(explanation, "Install a populator for that kind, or make the claim anew without dataSourceRef.", "");
        return;
    }
    if (!cause)
        return;
    cause += str_starts(cause, head) ? strlen(head) : 0;
    _auto_free_ char *because = xasprintf("No volume fits it, and the provisioner makes none: %s", cause);
    jset_str(explanation, "verdict", "provisioning-failed");
    say(explanation, "user", because, "the cause to go; then the provisioner's next try");
    advise(explanation, cause);
}

/* -- a volume that is to grow -- */

static bool waits_for_node(const json_t *claim)
{
    return condition_true(claim, "FileSystemResizePending");
}

/* Where the machine grows no filesystem that is mounted. */
static bool waits_for_remount(const char *failure)
{
    return failure && strstr(failure, "it grows when it is mounted again");
}

static void explain_failed_growth(json_t *explanation, const json_t *claim, const char *has, struct buf *because,
                                  const char *failed)
{
    buf_addf(because, ", which failed: %s", failed);
    if (waits_for_remount(failed)) {
        say(explanation, "user", buf_str(because), "the pods that use it to end; then the resizer's next try");
        propose(explanation, "Delete the pods that use it, so that it is mounted anew.", "");
        return;
    }
    _auto_free_ char *command =
        xasprintf("kubectl patch pvc -n %s %s -p '{\"spec\":{\"resources\":{\"requests\":{\"storage\":\"%lldGi\"}}}}'",
                  obj_ns(claim), obj_name(claim), (long long)(quantity_bytes(has, 0) >> 30) + 1);
    _auto_free_ char *text = xasprintf("Ask for a size that can be had; it must be more than %s.", has);
    say(explanation, "user", buf_str(because), "a size that can be had; then the resizer's next try");
    propose(explanation, text, command);
}

static void explain_growth(json_t *explanation, const json_t *claim, const json_t *pv, const json_t *events)
{
    const char *wanted = jmap(claim, "spec.resources.requests", "storage");
    const char *has = jmap(claim, "status.capacity", "storage");
    const char *failed = told(events, "VolumeResizeFailed", NULL), *driver = pv ? pv_driver(pv) : NULL;
    const struct csi_driver *resizer = driver ? csi_driver_by_name(driver) : NULL;
    if (!wanted || !has || quantity_bytes(wanted, 0) <= quantity_bytes(has, 0))
        return;
    _auto_buf_ struct buf because = BUF_INIT;
    buf_addf(&because, "%s It has %s and is to grow to %s", jstr_or(explanation, "because", ""), has, wanted);
    if (waits_for_node(claim)) {
        buf_adds(&because, ": its disk has grown, the filesystem has not yet.");
        say(explanation, "kubelet", buf_str(&because),
            "the kubelet, which grows the filesystem while a pod uses it, or when the next one starts");
    } else if (!resizer || !resizer->expand) {
        buf_adds(&because, ", but nobody makes a volume of its kind larger. That does no harm, and cannot be undone.");
        say(explanation, "user", buf_str(&because), "nobody: it stays as it is");
        propose(explanation,
                "If it must be larger: make another claim, and copy the files with a pod that mounts both.", "");
    } else if (failed) {
        explain_failed_growth(explanation, claim, has, &because, failed);
    } else {
        buf_adds(&because, ".");
        say(explanation, "provisioner", buf_str(&because), "the resizer of its driver");
    }
}

void why_claim(json_t *explanation, const json_t *claim, const json_t *pv, const json_t *events)
{
    const char *verdict = jstr_or(explanation, "verdict", "");
    if (str_eq(verdict, "waits-for-provisioner"))
        explain_refusal(explanation, claim, events);
    else if (str_eq(verdict, "bound"))
        explain_growth(explanation, claim, pv, events);
}
