/* class.c - storage classes: which is the default, when it binds, where it may provision. THREADS: pure. */
#include "volume/volume.h"

#include "base/json.h"
#include "base/str.h"

#include <string.h>

bool class_is_default(const json_t *sc)
{
    return str_eq(jmap(sc, "metadata.annotations", ANN_DEFAULT_CLASS), "true") ||
           str_eq(jmap(sc, "metadata.annotations", ANN_BETA_DEFAULT_CLASS), "true");
}

/* Does `a` come before `b`: newer first (RFC 3339 in UTC sorts as text), then by name. */
static bool preferred(const json_t *a, const json_t *b)
{
    int order = strcmp(jstr_or(a, "metadata.creationTimestamp", ""), jstr_or(b, "metadata.creationTimestamp", ""));
    return order ? order > 0 : strcmp(jstr_or(a, "metadata.name", ""), jstr_or(b, "metadata.name", "")) < 0;
}

const json_t *class_pick_default(const json_t *const *classes, size_t count)
{
    const json_t *best = NULL;
    for (size_t i = 0; i < count; i++)
        if (class_is_default(classes[i]) && (!best || preferred(classes[i], best)))
            best = classes[i];
    return best;
}

bool class_waits(const json_t *sc)
{
    return str_eq(jstr(sc, "volumeBindingMode"), "WaitForFirstConsumer");
}

static bool term_allows(const json_t *term, const json_t *node)
{
    size_t i;
    json_t *req;
    json_array_foreach(jat(term, "matchLabelExpressions"), i, req)
    {
        const char *value = jmap(node, "metadata.labels", jstr_or(req, "key", ""));
        if (!value || !jarr_has(req, "values", value))
            return false;
    }
    return true;
}

bool class_allows_node(const json_t *sc, const json_t *node)
{
    const json_t *terms = jat(sc, "allowedTopologies");
    if (!json_array_size(terms))
        return true;
    size_t i;
    json_t *term;
    json_array_foreach(terms, i, term)
    {
        if (term_allows(term, node))
            return true;
    }
    return false;
}
