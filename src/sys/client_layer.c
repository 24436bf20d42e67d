/* client_layer.c - image layers as requests to the helper; its side is in layer_jobs.c. THREADS: safe from any. */
#include "sys/client_int.h"
#include "sys/layer.h"

#include <string.h>

int client_layer_unpack(struct machine *m, const struct layer_spec *spec, struct layer_result *out, struct err *e)
{
    _auto_call_ struct call c = CALL_INIT;
    size_t len = 0;
    wire_str(&c.body, spec->blob);
    wire_str(&c.body, spec->dir);
    wire_strv(&c.body, spec->lowers);
    wire_i64(&c.body, spec->max_bytes);
    if (call_do(m, "", OP_LAYER_UNPACK, &c, e) < 0)
        return -1;
    const void *result = wire_get_blob(&c.in, &len);
    if (len != sizeof *out)
        return err_set(e, ERR_INTERNAL, "malformed reply");
    memcpy(out, result, sizeof *out);
    return 0;
}

int client_layer_remove(struct machine *m, const char *dir, struct err *e)
{
    _auto_call_ struct call c = CALL_INIT;
    wire_str(&c.body, dir);
    return call_do(m, "", OP_LAYER_REMOVE, &c, e);
}
