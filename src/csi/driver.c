/* driver.c - what the drivers share: results, node affinity, class parameters. THREADS: pure. */
#include "csi/driver_int.h"

#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"

#include <strings.h>

void csi_volume_release(struct csi_volume *v)
{
    json_decref(v->source);
    json_decref(v->node_affinity);
    json_decref(v->labels);
    json_decref(v->annotations);
    *v = (struct csi_volume){0};
}

json_t *csi_affinity(const char *key, const char *value)
{
    return json_pack("{s:{s:[{s:[{s:s, s:s, s:[s]}]}]}}", "required", "nodeSelectorTerms", "matchExpressions", "key",
                     key, "operator", "In", "values", value);
}

const char *csi_parameter(const json_t *parameters, const char *key)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)parameters, name, value)
    {
        if (strcasecmp(name, key) == 0)
            return json_string_value(value);
    }
    return NULL;
}

char *csi_mount_options(const json_t *pv)
{
    struct buf text = BUF_INIT;
    size_t i;
    json_t *option;
    json_array_foreach(jat(pv, "spec.mountOptions"), i, option)
    {
        if (i)
            buf_addc(&text, ',');
        buf_adds(&text, json_string_value(option));
    }
    return buf_steal(&text, NULL);
}
