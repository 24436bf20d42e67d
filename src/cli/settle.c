/* settle.c - see settle.h. */
#include "cli/settle.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/local.h"
#include "sys/crowd.h"

#define OBJECTS_MS 1500
#define RUNNING_MS 5000
#define MOVING_MS  35000 /* more than a pod's grace, and than its second restart waits */

static bool all_ready(const json_t *pod)
{
    size_t i;
    const json_t *status;
    json_array_foreach(jat(pod, "status.containerStatuses"), i, status)
    {
        if (!jbool(status, "ready", false))
            return false;
    }
    return json_array_size(jat(pod, "status.containerStatuses")) > 0;
}

static bool on_its_way(const json_t *pod)
{
    const char *phase = jstr_or(pod, "status.phase", "");
    if (jstr(pod, "metadata.deletionTimestamp"))
        return true;
    if (str_eq(phase, "Succeeded") || str_eq(phase, "Failed"))
        return false;
    if (str_eq(phase, "Pending"))
        return jstr(pod, "spec.nodeName") != NULL;
    return !all_ready(pod) || !str_eq(jstr(pod, "spec.restartPolicy"), "Always");
}

static bool pods_move(struct lab_env *env)
{
    struct err e = ERR_INIT;
    _auto_json_ json_t *list = NULL;
    size_t i;
    const json_t *pod;
    if (client_json(env->client, "GET", "/api/v1/pods", NULL, NULL, &list, &e) < 0)
        return true;
    json_array_foreach(json_object_get(list, "items"), i, pod)
    {
        if (on_its_way(pod))
            return true;
    }
    return false;
}

static bool settled(void *arg, bool running)
{
    struct settle *s = arg;
    struct err e = ERR_INIT;
    _auto_json_ json_t *request = json_pack("{s:s}", "op", "quiet"), *answer = NULL;
    const int64_t now = clock_mono_ms(clock_real());
    const bool known = local_call(s->env->host->data, request, &answer, NULL, &e) == 0;
    const int64_t revision = jint(answer, "revision", -1), objects = jint(answer, "objects", -1);
    const bool same = known && revision == s->revision && objects == s->objects;
    if (!known && e.code == ERR_UNAVAILABLE)
        return true; /* it is no more */
    s->rested_ms = same ? s->rested_ms + crowd_share(now - s->asked_ms) : 0;
    s->asked_ms = now;
    s->revision = revision;
    s->objects = objects;
    if (!same || !jbool(answer, "quiet", false) || s->rested_ms < (running ? RUNNING_MS : OBJECTS_MS))
        return false;
    return s->rested_ms >= MOVING_MS || !pods_move(s->env);
}

void settle_watch(struct settle *s, struct lab_env *env)
{
    *s = (struct settle){.env = env, .revision = -1, .asked_ms = clock_mono_ms(clock_real())};
    env->settled = settled;
    env->settled_arg = s;
}
