/* event.c - events, in their old form (v1) and the new one (events.k8s.io).
 *
 * DESIGN: the old form was never checked strictly, its metadata included; the new one is, when it is created through
 * its own group. The object is the stored one in both cases only if the caller decoded it so: the two groups name the
 * object they are about differently. THREADS: pure functions. Source: pkg/apis/core/validation/events.go. */
#include "api/validate/kinds_int.h"

enum { TEXT_MAX = 128, NOTE_MAX = 1024 };

static bool is_new_form(const struct change *c)
{
    return strcmp(c->res->group, "events.k8s.io") == 0;
}

/* An event stands in the namespace of its object; those of cluster objects in "default". */
static void namespace_check(const struct change *c, const char *member)
{
    const char *own = jstr_or(c->obj, "metadata.namespace", ""), *object = vstr(vget(c->obj, member), "namespace");
    bool fits = object[0] != '\0' ? strcmp(own, object) == 0 : own[0] == '\0' || strcmp(own, "default") == 0;
    if (!fits)
        v_invalid(c->errs, FIELD(FIELD(NULL, "involvedObject"), "namespace"), object, "does not match event.namespace");
}

static void text_check(const struct change *c, const char *member)
{
    const char *text = vstr(c->obj, member);
    if (text[0] == '\0')
        v_required(c->errs, FIELD(NULL, member), NULL);
    if (strlen(text) > TEXT_MAX)
        v_invalid(c->errs, FIELD(NULL, member), "", "can have at most 128 characters");
}

/* What an event with an eventTime must have besides. */
static void timed_check(const struct change *c)
{
    const char *controller = is_new_form(c) ? "reportingController" : "reportingComponent";
    const char *note = is_new_form(c) ? "note" : "message";
    if (vstr(c->obj, controller)[0] == '\0')
        v_required(c->errs, FIELD(NULL, "reportingController"), NULL);
    v_name(c->errs, FIELD(NULL, "reportingController"), vstr(c->obj, controller), rule_qualified);
    text_check(c, "reportingInstance");
    text_check(c, "action");
    text_check(c, "reason");
    if (strlen(vstr(c->obj, note)) > NOTE_MAX)
        v_invalid(c->errs, FIELD(NULL, note), "", "can have at most 1024 characters");
}

static void common_check(const struct change *c)
{
    namespace_check(c, is_new_form(c) ? "regarding" : "involvedObject");
    if (vhas(c->obj, "eventTime"))
        timed_check(c);
}

static void new_form_check(const struct change *c)
{
    static const struct {
        const char *sent, *told_as;
    } deprecated[] = {{"deprecatedFirstTimestamp", "firstTimestamp"},
                      {"deprecatedLastTimestamp", "lastTimestamp"},
                      {"deprecatedCount", "count"}};
    const char *type = vstr(c->obj, "type");
    if (!vhas(c->obj, "eventTime"))
        v_required(c->errs, FIELD(NULL, "eventTime"), NULL);
    if (strcmp(type, "Normal") != 0 && strcmp(type, "Warning") != 0) {
        _auto_free_ char *detail = xasprintf("has invalid value: %s", type);
        v_invalid(c->errs, FIELD(NULL, "type"), "", detail);
    }
    for (size_t i = 0; i < ARRAY_LEN(deprecated); i++) {
        const json_t *v = vget(c->obj, deprecated[i].sent);
        if (v != NULL && !(json_is_integer(v) && json_integer_value(v) == 0))
            v_invalid(c->errs, FIELD(NULL, deprecated[i].told_as), "", "needs to be unset");
    }
}

void event_create(const struct change *c)
{
    common_check(c);
    if (!is_new_form(c))
        return;
    change_meta_create(c);
    new_form_check(c);
}

void event_update(const struct change *c)
{
    common_check(c);
    if (is_new_form(c))
        change_meta_update(c);
}
