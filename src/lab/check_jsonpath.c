/* check_jsonpath.c - what a kubectl JSONPath gives of an object. */
#include "lab/check_int.h"

#include "api/jsonpath.h"
#include "base/json.h"
#include "base/mem.h"

int check_jsonpath(struct lab_env *env, const json_t *what, struct check_result *out, struct err *e)
{
    _auto_json_ json_t *object = NULL;
    _auto_buf_ struct buf text = BUF_INIT;
    const char *of = jstr(what, "of"), *path = jstr(what, "path");
    buf_addf(&out->expected, "%s %s: ", of, path);
    if (env_get(env, of, jstr(what, "namespace"), &object, e) < 0) {
        bool ignored;
        if (e->code != ERR_NOT_FOUND)
            return -1;
        buf_addf(&out->observed, "%s", e->msg);
        err_clear(e);
        return match_text(what, "", &ignored, &out->expected, e);
    }
    if (jsonpath_print(path, object, true, &text, e) < 0) {
        e->code = ERR_USAGE;
        return err_wrap(e, "%s", path);
    }
    if (match_text(what, buf_str(&text), &out->passed, &out->expected, e) < 0)
        return -1;
    show_text(&out->observed, text.len ? buf_str(&text) : "(nothing)");
    return 0;
}
