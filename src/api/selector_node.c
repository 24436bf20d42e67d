/* selector_node.c - node selectors: of pods' node affinity and of volumes' nodeAffinity.
 *
 * A selector is a list of terms, any of which may match; a term needs all its expressions (over labels) and all its
 * fields (only metadata.name is one). A term with neither matches nothing, and so does one that is malformed:
 * validation has refused such objects before, a volume of an older version must not open every node. THREADS: pure
 * functions. */
#include "api/selector.h"

#include "api/selector_int.h"
#include "base/json.h"

static bool field_matches(const json_t *field, const json_t *node)
{
    const json_t *values = json_object_get(field, "values");
    const char *name = jstr(node, "metadata.name"), *op = jstr(field, "operator");
    if (name == NULL || !str_eq(jstr(field, "key"), "metadata.name") || json_array_size(values) != 1)
        return false;
    bool same = str_eq(json_string_value(json_array_get(values, 0)), name);
    return str_eq(op, "In") ? same : str_eq(op, "NotIn") && !same;
}

static bool expression_matches(const json_t *expression, const json_t *labels)
{
    struct requirement r;
    if (requirement_from_json(expression, &r) < 0)
        return false;
    bool matches = requirement_match(&r, labels);
    requirement_release(&r);
    return matches;
}

static bool term_matches(const json_t *term, const json_t *node)
{
    const json_t *expressions = json_object_get(term, "matchExpressions"),
                 *fields = json_object_get(term, "matchFields");
    const json_t *labels = jat(node, "metadata.labels");
    if (json_array_size(expressions) == 0 && json_array_size(fields) == 0)
        return false;
    for (size_t i = 0; i < json_array_size(expressions); i++)
        if (!expression_matches(json_array_get(expressions, i), labels))
            return false;
    for (size_t i = 0; i < json_array_size(fields); i++)
        if (!field_matches(json_array_get(fields, i), node))
            return false;
    return true;
}

bool node_selector_match(const json_t *node_selector, const json_t *node)
{
    if (node_selector == NULL || json_is_null(node_selector))
        return true;
    const json_t *terms = json_object_get(node_selector, "nodeSelectorTerms");
    for (size_t i = 0; i < json_array_size(terms); i++)
        if (term_matches(json_array_get(terms, i), node))
            return true;
    return false;
}
