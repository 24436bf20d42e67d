/* read.c - plain questions about one claim, one volume, one class.
 *
 * DESIGN: every reader accepts half-filled objects (a user may have written them) and answers with the value Kubernetes
 * would default to. No function here keeps or changes what it is given. THREADS: pure. */
#include "volume/volume.h"

#include "api/quantity.h"
#include "api/selector.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdio.h>

int64_t claim_request(const json_t *claim)
{
    return quantity_bytes(jmap(claim, "spec.resources.requests", "storage"), 0);
}

int64_t pv_capacity(const json_t *pv)
{
    return quantity_bytes(jmap(pv, "spec.capacity", "storage"), 0);
}

static const char *class_of(const json_t *obj)
{
    const char *legacy = jmap(obj, "metadata.annotations", ANN_BETA_CLASS);
    return legacy ? legacy : jstr_or(obj, "spec.storageClassName", "");
}

const char *claim_class(const json_t *claim)
{
    return class_of(claim);
}

bool claim_has_class(const json_t *claim)
{
    return jmap(claim, "metadata.annotations", ANN_BETA_CLASS) || jstr(claim, "spec.storageClassName");
}

const char *pv_class(const json_t *pv)
{
    return class_of(pv);
}

const char *claim_mode(const json_t *claim)
{
    return jstr_or(claim, "spec.volumeMode", "Filesystem");
}

const char *pv_mode(const json_t *pv)
{
    return jstr_or(pv, "spec.volumeMode", "Filesystem");
}

bool obj_deleting(const json_t *obj)
{
    return jstr(obj, "metadata.deletionTimestamp") != NULL;
}

bool access_modes_fit(const json_t *claim, const json_t *pv)
{
    size_t i;
    json_t *mode;
    json_array_foreach(jat(claim, "spec.accessModes"), i, mode)
    {
        if (!jarr_has(pv, "spec.accessModes", json_string_value(mode)))
            return false;
    }
    return true;
}

bool pv_is_for_claim(const json_t *pv, const json_t *claim)
{
    const json_t *ref = jat(pv, "spec.claimRef");
    if (!ref || !str_eq(jstr(ref, "name"), jstr(claim, "metadata.name")) ||
        !str_eq(jstr(ref, "namespace"), jstr(claim, "metadata.namespace")))
        return false;
    const char *uid = jstr(ref, "uid");
    return str_empty(uid) || str_eq(uid, jstr(claim, "metadata.uid"));
}

bool pv_owned_by_claim(const json_t *pv, const json_t *claim)
{
    return pv_is_for_claim(pv, claim) && !str_empty(jstr(pv, "spec.claimRef.uid"));
}

bool claim_fully_bound(const json_t *claim)
{
    return !str_empty(jstr(claim, "spec.volumeName")) && jmap(claim, "metadata.annotations", ANN_BIND_COMPLETED);
}

bool pv_node_fits(const json_t *pv, const json_t *node)
{
    const json_t *required = jat(pv, "spec.nodeAffinity.required");
    return !required || node_selector_match(required, node);
}

static void add_requirement(struct buf *out, const json_t *req)
{
    size_t i;
    const json_t *value;
    const char *op = jstr_or(req, "operator", "");
    buf_addf(out, "%s %s", jstr_or(req, "key", ""),
             str_eq(op, "In") ? "in" : (str_eq(op, "NotIn") ? "not in" : (str_eq(op, "Exists") ? "exists" : op)));
    json_array_foreach(jat(req, "values"), i, value)
    {
        buf_addf(out, "%s%s", i ? "," : " (", json_string_value(value) ? json_string_value(value) : "");
    }
    buf_adds(out, json_array_size(jat(req, "values")) ? ")" : "");
}

void pv_affinity_text(const json_t *pv, char *out, size_t size)
{
    static const char *const lists[] = {"matchExpressions", "matchFields"};
    _auto_buf_ struct buf text = BUF_INIT;
    size_t t, i;
    const json_t *term, *req;
    json_array_foreach(jat(pv, "spec.nodeAffinity.required.nodeSelectorTerms"), t, term)
    {
        bool first = true;
        buf_adds(&text, t ? " or " : "");
        for (size_t k = 0; k < ARRAY_LEN(lists); k++) {
            json_array_foreach(jat(term, lists[k]), i, req)
            {
                buf_adds(&text, first ? "" : " and ");
                first = false;
                add_requirement(&text, req);
            }
        }
    }
    snprintf(out, size, "%s", text.len ? buf_str(&text) : "every node");
}

bool pv_multi_attach(const json_t *pv)
{
    return jarr_has(pv, "spec.accessModes", "ReadWriteMany") || jarr_has(pv, "spec.accessModes", "ReadOnlyMany");
}
