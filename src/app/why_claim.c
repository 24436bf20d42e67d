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
#include "volume/volume.h"

#include <string.h>

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
    const char *text;
} advice[] = {
    {"is not provisioned by", "Only the driver that made the source can copy it: make the claim anew with one of its "
                              "classes."},
    {"is less than the size", "Make the claim anew with at least the size of its source."},
    {"must be greater than or equal to", "Make the claim anew with at least the size of its source."},
    {"DataSource Type", "Let the source that the claim names be there, and ready, or make the claim anew without it."},
    {"is too small", "Make the claim anew with the size that this type of disk needs at least."},
    {"too large", "Make the claim anew with a size that this type of disk can have."},
    {"parameter", "Put right the parameters of the class: delete it and make it anew, they cannot be changed."},
    {"selector is not supported", "Make the claim anew without a selector: it is for volumes that are there already."},
    {"not supported", "Ask for what this driver can do, or use a class of another one."},
};

static void advise(json_t *explanation, const char *cause)
{
    for (size_t i = 0; i < ARRAY_LEN(advice); i++)
        if (strstr(cause, advice[i].part)) {
            propose(explanation, advice[i].text, "");
            return;
        }
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

static void explain_growth(json_t *explanation, const json_t *claim, const json_t *events)
{
    const char *wanted = jmap(claim, "spec.resources.requests", "storage");
    const char *has = jmap(claim, "status.capacity", "storage");
    const char *failed = told(events, "VolumeResizeFailed", NULL);
    if (!wanted || !has || quantity_bytes(wanted, 0) <= quantity_bytes(has, 0))
        return;
    _auto_buf_ struct buf because = BUF_INIT;
    buf_addf(&because, "%s It has %s and is to grow to %s", jstr_or(explanation, "because", ""), has, wanted);
    if (waits_for_node(claim)) {
        buf_adds(&because, ": its disk has grown, the filesystem has not yet.");
        say(explanation, "kubelet", buf_str(&because),
            "the kubelet, which grows the filesystem while a pod uses it, or when the next one starts");
    } else if (failed) {
        const int64_t gib = (quantity_bytes(has, 0) >> 30) + 1;
        _auto_free_ char *back = xasprintf(
            "kubectl patch pvc -n %s %s -p '{\"spec\":{\"resources\":{\"requests\":{\"storage\":\"%lldGi\"}}}}'",
            obj_ns(claim), obj_name(claim), (long long)gib);
        _auto_free_ char *text = xasprintf("Ask for a size that can be had; it must be more than %s.", has);
        buf_addf(&because, ", which failed: %s", failed);
        say(explanation, "user", buf_str(&because), "a size that can be had; then the resizer's next try");
        propose(explanation, text, back);
    } else {
        buf_adds(&because, ".");
        say(explanation, "provisioner", buf_str(&because), "the resizer of its driver");
    }
}

void why_claim(json_t *explanation, const json_t *claim, const json_t *events)
{
    const char *verdict = jstr_or(explanation, "verdict", "");
    if (str_eq(verdict, "waits-for-provisioner"))
        explain_refusal(explanation, claim, events);
    else if (str_eq(verdict, "bound"))
        explain_growth(explanation, claim, events);
}
