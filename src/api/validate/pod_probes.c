/* pod_probes.c - probes and life-cycle hooks: one handler, sensible times.
 *
 * THREADS: pure functions. Source: pkg/apis/core/validation (validateProbe, validateHandler). */
#include "api/validate/pod_int.h"

typedef void handler_rules(struct field_errors *errs, const struct vpath *p, const json_t *handler, int64_t grace);

static void exec_handler(struct field_errors *errs, const struct vpath *p, const json_t *handler, int64_t grace)
{
    (void)grace;
    if (json_array_size(vget(handler, "command")) == 0)
        v_required(errs, FIELD(p, "command"), NULL);
}

static void http_handler(struct field_errors *errs, const struct vpath *p, const json_t *handler, int64_t grace)
{
    static const char *const schemes[] = {"HTTP", "HTTPS", NULL};
    size_t i;
    json_t *header;
    (void)grace;
    v_required_str(errs, p, handler, "path");
    v_port_or_name(errs, FIELD(p, "port"), vget(handler, "port"));
    if (!one_of(vstr(handler, "scheme"), schemes))
        v_unsupported(errs, FIELD(p, "scheme"), vstr(handler, "scheme"), schemes);
    json_array_foreach(vget(handler, "httpHeaders"), i, header)
        v_name(errs, FIELD(p, "httpHeaders"), vstr(header, "name"), rule_header_name);
}

static void port_handler(struct field_errors *errs, const struct vpath *p, const json_t *handler, int64_t grace)
{
    (void)grace;
    v_port_or_name(errs, FIELD(p, "port"), vget(handler, "port"));
}

static void sleep_handler(struct field_errors *errs, const struct vpath *p, const json_t *handler, int64_t grace)
{
    int64_t seconds = vint(handler, "seconds");
    if (seconds > 0 && seconds <= grace)
        return;
    _auto_free_ char *detail = xasprintf("must be greater than 0 and less than terminationGracePeriodSeconds (%lld). "
                                         "Enable AllowPodLifecycleSleepActionZeroValue feature gate for zero sleep.",
                                         (long long)grace);
    v_invalid_int(errs, p, seconds, detail);
}

static const struct {
    const char *name;
    handler_rules *rules;
} handlers[] = {
    {"exec", exec_handler}, {"httpGet", http_handler}, {"tcpSocket", port_handler},
    {"grpc", port_handler}, {"sleep", sleep_handler},
};

static void handler_check(struct field_errors *errs, const struct vpath *p, const json_t *holder, int64_t grace)
{
    bool found = false;
    for (size_t i = 0; i < ARRAY_LEN(handlers); i++) {
        const json_t *handler = vget(holder, handlers[i].name);
        if (handler == NULL)
            continue;
        if (found)
            v_forbidden(errs, FIELD(p, handlers[i].name), "may not specify more than 1 handler type");
        else
            handlers[i].rules(errs, FIELD(p, handlers[i].name), handler, grace);
        found = true;
    }
    if (!found)
        v_required(errs, p, "must specify a handler type");
}

static void probe_check(struct field_errors *errs, const struct vpath *p, const json_t *probe, int64_t grace)
{
    static const char *const counts[] = {"initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold",
                                         "failureThreshold"};
    handler_check(errs, p, probe, grace);
    for (size_t i = 0; i < ARRAY_LEN(counts); i++)
        v_nonnegative_field(errs, p, probe, counts[i]);
    if (vhas(probe, "terminationGracePeriodSeconds") && vint(probe, "terminationGracePeriodSeconds") <= 0)
        v_invalid_int(errs, FIELD(p, "terminationGracePeriodSeconds"), vint(probe, "terminationGracePeriodSeconds"),
                      "must be greater than 0");
}

/* Liveness and startup succeed once; readiness does not kill. */
void v_probes(struct field_errors *errs, const struct vpath *p, const json_t *container, int64_t grace)
{
    static const char *const names[] = {"livenessProbe", "readinessProbe", "startupProbe"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const json_t *probe = vget(container, names[i]);
        const struct vpath *at = FIELD(p, names[i]);
        bool readiness = strcmp(names[i], "readinessProbe") == 0;
        if (probe == NULL)
            continue;
        probe_check(errs, at, probe, grace);
        if (!readiness && vint(probe, "successThreshold") != 1)
            v_invalid_int(errs, FIELD(at, "successThreshold"), vint(probe, "successThreshold"), "must be 1");
        if (readiness && vhas(probe, "terminationGracePeriodSeconds"))
            v_invalid_int(errs, FIELD(at, "terminationGracePeriodSeconds"),
                          vint(probe, "terminationGracePeriodSeconds"), "must not be set for readinessProbes");
    }
}

void v_lifecycle(struct field_errors *errs, const struct vpath *p, const json_t *lifecycle, int64_t grace)
{
    static const char *const hooks[] = {"postStart", "preStop"};
    for (size_t i = 0; i < ARRAY_LEN(hooks); i++) {
        if (vhas(lifecycle, hooks[i]))
            handler_check(errs, FIELD(p, hooks[i]), vget(lifecycle, hooks[i]), grace);
    }
}
