/* pull.c - a container's image: the pull policies, their events, and how a pull fails.
 *
 * THREADS: workers. Source: pkg/kubelet/images/image_manager.go EnsureImageExists. */
#include "kubeletsim/start_int.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

static void tell(struct start *s, enum event_type type, const char *reason, const char *text)
{
    kubelet_event(s->p->k, s->p, s->c->name, type, reason, "%s", text);
}

/* `reason` is told twice: what happened, and that it is an error. */
static int refuse(struct start *s, const char *reason, const char *event, const char *text)
{
    tell(s, EVENT_WARNING, event, text);
    kubelet_event(s->p->k, s->p, s->c->name, EVENT_WARNING, "Failed", "Error: %s", reason);
    return start_refuse(s, reason);
}

/* "345ms", "1.234s", as Go prints a duration that was cut to milliseconds. */
static void duration_text(int64_t ms, char out[32])
{
    if (ms < 1000)
        snprintf(out, 32, "%dms", (int)ms);
    else
        snprintf(out, 32, "%d.%03ds", (int)(ms / 1000), (int)(ms % 1000));
    if (ms < 1000)
        return;
    size_t n = strlen(out) - 1; /* no zeros before the unit */
    while (out[n - 1] == '0')
        n--;
    n -= out[n - 1] == '.';
    out[n] = 's';
    out[n + 1] = '\0';
}

static void tell_pulled(struct start *s, const char *ref, int64_t ms)
{
    char took[32];
    duration_text(ms > 0 ? ms : 1, took);
    _auto_free_ char *text =
        xasprintf("Successfully pulled image \"%s\" in %s (%s including waiting). Image size: %lld bytes.", ref, took,
                  took, (long long)s->image->size);
    tell(s, EVENT_NORMAL, "Pulled", text);
}

static int pull(struct start *s, const char *ref, bool quietly, struct err *e)
{
    const struct clock *clock = s->p->k->conf.clock;
    int64_t began = clock_mono_ms(clock);
    if (!quietly)
        kubelet_event(s->p->k, s->p, s->c->name, EVENT_NORMAL, "Pulling", "Pulling image \"%s\"", ref);
    if (images_resolve(s->p->k->conf.images, ref, &s->image, e) < 0) {
        _auto_free_ char *text = xasprintf("Failed to pull image \"%s\": %s", ref, e->msg);
        s->job->pull = true;
        return refuse(s, "ErrImagePull", "Failed", text);
    }
    if (!quietly)
        tell_pulled(s, ref, clock_mono_ms(clock) - began);
    if (s->image->stub)
        kubelet_event(
            s->p->k, s->p, s->c->name, EVENT_WARNING, "UnknownImage",
            "Nobody knows the image \"%s\" here: a stub with a shell runs in its place. Bring the real one with "
            "\"stowage image import ARCHIVE\"",
            ref);
    return 0;
}

/* "SIGQUIT", "QUIT", "3"; 0 for none. */
static int signal_number(const char *text)
{
    uint64_t number;
    if (str_to_u64(text, &number))
        return number < NSIG ? (int)number : 0;
    for (int sig = 1; sig < NSIG; sig++) {
        const char *name = sigabbrev_np(sig);
        if (name && str_eq(name, text + (str_starts(text, "SIG") ? 3 : 0)))
            return sig;
    }
    return 0;
}

int start_image(struct start *s, struct err *e)
{
    const char *ref = jstr_or(s->spec, "image", ""), *policy = jstr_or(s->spec, "imagePullPolicy", "IfNotPresent");
    _auto_free_ char *canonical = NULL;
    if (image_normalize(ref, &canonical, e) < 0) {
        err_wrap(e, "Failed to apply default image tag \"%s\"", ref);
        return refuse(s, "InvalidImageName", "InspectFailed", e->msg);
    }
    bool present = images_present(s->p->k->conf.images, ref);
    if (!present && str_eq(policy, "Never")) {
        err_set(e, ERR_NOT_FOUND, "Container image \"%s\" is not present with pull policy of Never", ref);
        return refuse(s, "ErrImageNeverPull", "ErrImageNeverPull", e->msg);
    }
    bool quietly = present && !str_eq(policy, "Always");
    if (pull(s, ref, quietly, e) < 0)
        return -1;
    if (quietly)
        kubelet_event(s->p->k, s->p, s->c->name, EVENT_NORMAL, "Pulled",
                      "Container image \"%s\" already present on machine", ref);
    s->job->stop_signal = signal_number(s->image->stop_signal);
    s->job->image = xstrdup(s->image->canonical);
    s->job->image_id = xstrdup(s->image->image_id);
    return 0;
}
