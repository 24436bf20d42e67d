/* tolerations.c - DefaultTolerationSeconds: a pod stays five minutes on a node that stops answering, unless it says
 * otherwise. */
#include "registry/admission_int.h"

#include "base/str.h"

#define DEFAULT_SECONDS 300

static bool tolerates(const json_t *tolerations, const char *key)
{
    size_t i;
    json_t *t;
    json_array_foreach((json_t *)tolerations, i, t)
    {
        const char *k = jstr_or(t, "key", ""), *effect = jstr_or(t, "effect", "");
        if ((!*k || str_eq(k, key)) && (!*effect || str_eq(effect, "NoExecute")))
            return true;
    }
    return false;
}

int admit_tolerations(struct op *op, struct admit *a)
{
    (void)op;
    static const char *const keys[] = {"node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"};
    if (!json_is_object(json_object_get(a->obj, "spec")))
        return 0;
    bool missing[ARRAY_LEN(keys)];
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        missing[i] = !tolerates(jat(a->obj, "spec.tolerations"), keys[i]);
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        if (!missing[i])
            continue;
        json_array_append_new(jmake_arr(a->obj, "spec.tolerations"),
                              json_pack("{ssssss si}", "key", keys[i], "operator", "Exists", "effect", "NoExecute",
                                        "tolerationSeconds", DEFAULT_SECONDS));
    }
    return 0;
}
