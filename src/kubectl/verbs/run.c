/* run.c - kubectl run: a pod of one container, and, if that is wished, a service before it and a terminal in it.
 *
 * DESIGN: attached, it waits until the pod is ready (or over: then its log is printed), attaches, and, where the pod is
 * not started again, waits for its end, whose exit code is the command's. --rm deletes on every way out. Source:
 * kubectl cmd/run, generate/versioned. */
#include "kubectl/set/image_name.h"
#include "kubectl/klog.h"
#include "kubectl/create/made.h"
#include "kubectl/session.h"
#include "kubectl/verbs/verbs_int.h"

#include "base/json.h"
#include "base/str.h"

#include <ctype.h>
#include <string.h>

static const struct kubectl_flag flags[] = {
    {"annotations", 0, FLAG_ARRAY, NULL, "Annotations of the pod: key=value", NULL},
    {"attach", 0, FLAG_BOOL, NULL, "Wait until it runs and attach to it; the default with -i", NULL},
    {"cascade", 0, FLAG_TEXT, "background", "How --rm deletes what the pod owns", "background"},
    {"command", 0, FLAG_BOOL, NULL, "Words after -- are the command, not its arguments", NULL},
    FLAGS_DRY_RUN,
    {"env", 0, FLAG_ARRAY, NULL, "Environment variables: NAME=value", NULL},
    {"expose", 0, FLAG_BOOL, NULL, "Make a service for it; needs --port", NULL},
    FLAGS_MANAGER("kubectl-run"),
    {"force", 0, FLAG_BOOL, NULL, "--rm deletes at once", NULL},
    {"grace-period", 0, FLAG_INT, "-1", "Seconds that --rm gives it to end", NULL},
    {"image", 0, FLAG_TEXT, NULL, "The image", NULL},
    {"image-pull-policy", 0, FLAG_TEXT, NULL, "Always, IfNotPresent or Never; else the server chooses", NULL},
    {"labels", 'l', FLAG_TEXT, NULL, "Labels of the pod: key=value, with commas", NULL},
    {"leave-stdin-open", 0, FLAG_BOOL, NULL, "Stdin stays open after the first who attached has gone", NULL},
    FLAGS_OUTPUT,
    FLAGS_OVERRIDES,
    FLAG_POD_TIMEOUT("1m0s"),
    {"port", 0, FLAG_TEXT, NULL, "The port that the container listens on", NULL},
    {"privileged", 0, FLAG_BOOL, NULL, "Run the container privileged", NULL},
    {"quiet", 'q', FLAG_BOOL, NULL, "No hints", NULL},
    {"restart", 0, FLAG_TEXT, "Always", "Always, OnFailure or Never", NULL},
    {"rm", 0, FLAG_BOOL, NULL, "Delete the pod when it has ended; only where attached", NULL},
    {"save-config", 0, FLAG_BOOL, NULL, "Keep the configuration in an annotation, for a later apply", NULL},
    {"stdin", 'i', FLAG_BOOL, NULL, "The container has a stdin", NULL},
    {"tty", 't', FLAG_BOOL, NULL, "The container has a terminal", NULL},
    {NULL},
};

/* ---- the pod ---- */

static bool env_name_valid(const char *name, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (!isalnum((unsigned char)name[i]) && !strchr("-._", name[i]))
            return false;
    return len > 0 && !isdigit((unsigned char)name[0]) && !(len <= 2 && strspn(name, ".") == len) &&
           !(len > 1 && name[0] == '.' && name[1] == '.');
}

static int add_env(struct call *c, json_t *container, struct err *e)
{
    const struct strlist *given = call_list(c, "env");
    for (size_t i = 0; i < given->len; i++) {
        const char *text = given->items[i], *equals = strchr(text, '=');
        if (!equals || !env_name_valid(text, (size_t)(equals - text)))
            return err_set(e, ERR_INVALID, "invalid env: %s", text);
        json_array_append_new(jmake_arr(container, "env"),
                              json_pack("{s:s%, s:s}", "name", text, (size_t)(equals - text), "value", equals + 1));
        if (!equals[1])
            json_object_del(json_array_get(json_object_get(container, "env"), i), "value");
    }
    return 0;
}

static int add_annotations(struct call *c, json_t *pod, struct err *e)
{
    const struct strlist *given = call_list(c, "annotations");
    _auto_buf_ struct buf bad = BUF_INIT;
    for (size_t i = 0; i < given->len; i++) {
        const char *text = given->items[i], *equals = strchr(text, '=');
        _auto_free_ char *key = xstrndup(text, equals ? (size_t)(equals - text) : 0);
        if (*key)
            jset_map(pod, "metadata.annotations", key, equals + 1);
        else
            buf_addf(&bad, "%s%s", bad.len ? ", " : "", text);
    }
    return bad.len ? err_set(e, ERR_INVALID, "invalid annotations format: %s", buf_str(&bad)) : 0;
}

static void add_words(struct call *c, json_t *container)
{
    json_t *words = json_array();
    for (size_t i = 1; i < c->words.len; i++)
        json_array_append_new(words, json_string(c->words.items[i]));
    if (json_array_size(words))
        json_object_set(container, call_bool(c, "command") ? "command" : "args", words);
    json_decref(words);
}

static void add_switches(struct call *c, json_t *container)
{
    if (call_bool(c, "stdin"))
        jset_bool(container, "stdin", true);
    if (call_bool(c, "stdin") && !call_bool(c, "leave-stdin-open"))
        jset_bool(container, "stdinOnce", true);
    if (call_bool(c, "tty"))
        jset_bool(container, "tty", true);
    if (call_bool(c, "privileged"))
        jset_bool(container, "securityContext.privileged", true);
    if (*call_text(c, "image-pull-policy"))
        jset_str(container, "imagePullPolicy", call_text(c, "image-pull-policy"));
}

static const char *restart_policy(struct call *c)
{
    const char *given = call_text(c, "restart");
    return *given ? given : call_bool(c, "stdin") ? "OnFailure" : "Always";
}

static json_t *make_pod(struct call *c, struct err *e)
{
    const char *name = c->words.items[0], *labels = call_text(c, "labels"), *port = call_text(c, "port");
    json_t *container = json_pack("{s:s, s:s, s:{}}", "name", name, "image", call_text(c, "image"), "resources");
    json_t *spec = json_pack("{s:[o], s:s, s:s}", "containers", container, "restartPolicy", restart_policy(c),
                             "dnsPolicy", "ClusterFirst");
    _auto_json_ json_t *pod = made_object("Pod", name, NULL, spec, json_object());
    int64_t number;
    json_t *named = *labels ? made_labels(labels, e) : json_pack("{s:s}", "run", name);
    if (!named)
        return NULL;
    jset(pod, "metadata.labels", named);
    add_words(c, container);
    add_switches(c, container);
    if (add_env(c, container, e) < 0 || add_annotations(c, pod, e) < 0 || (*port && made_number(port, &number, e) < 0))
        return NULL;
    if (*port)
        json_object_set_new(container, "ports", json_pack("[{s:I}]", "containerPort", (json_int_t)number));
    return TAKE(pod);
}

static json_t *make_service(struct call *c, struct err *e)
{
    const char *name = c->words.items[0], *labels = call_text(c, "labels");
    int64_t port;
    if (made_number(call_text(c, "port"), &port, e) < 0)
        return NULL;
    json_t *selector = *labels ? made_labels(labels, e) : json_pack("{s:s}", "run", name);
    json_t *spec = json_pack("{s:[{s:s, s:I, s:I}], s:o}", "ports", "protocol", "TCP", "port", (json_int_t)port,
                             "targetPort", (json_int_t)port, "selector", selector);
    return made_object("Service", name, *labels ? made_labels(labels, e) : NULL, spec,
                       json_pack("{s:{}}", "loadBalancer"));
}

/* ---- attached ---- */

enum outcome { PENDING, READY, OVER };

static int ready_or_over(void *arg, const json_t *pod, struct err *e)
{
    enum outcome *out = arg;
    const char *phase = jstr_or(pod, "status.phase", "");
    size_t i;
    const json_t *condition;
    (void)e;
    if (str_eq(phase, "Failed") || str_eq(phase, "Succeeded"))
        *out = OVER;
    if (str_eq(phase, "Running"))
        json_array_foreach(jat(pod, "status.conditions"), i,
                           condition) if (str_eq(jstr(condition, "type"), "Ready") &&
                                          str_eq(jstr(condition, "status"), "True")) *out = READY;
    return *out != PENDING;
}

/* arg: bool, does a failure count? */
static int over(void *arg, const json_t *pod, struct err *e)
{
    const char *phase = jstr_or(pod, "status.phase", "");
    (void)e;
    return str_eq(phase, "Succeeded") || (*(bool *)arg && str_eq(phase, "Failed"));
}

static int attach(struct call *c, const json_t *made, int64_t patience, struct err *e)
{
    const char *ns = jstr_or(made, "metadata.namespace", ""), *name = jstr_or(made, "metadata.name", "");
    const struct attachment a = {.command = "kubectl attach",
                                 .in = call_bool(c, "stdin"),
                                 .tty = call_bool(c, "tty"),
                                 .quiet = call_bool(c, "quiet")};
    enum outcome outcome = PENDING;
    _auto_json_ json_t *pod = NULL;
    if (pod_await(c, ns, name, patience, ready_or_over, &outcome, &pod, e) < 0)
        return -1;
    return outcome == OVER ? pod_log(c, pod, NULL, a.quiet, e) : pod_attach_or_log(c, pod, &a, e);
}

/* The exit code of the pod's one container is the command's. */
static int end_of(struct call *c, const json_t *made, int64_t patience, struct err *e)
{
    const char *ns = jstr_or(made, "metadata.namespace", ""), *name = jstr_or(made, "metadata.name", "");
    bool failure_counts = str_eq(restart_policy(c), "Never");
    _auto_json_ json_t *pod = NULL;
    if (pod_await(c, ns, name, patience, over, &failure_counts, &pod, e) < 0)
        return -1;
    if (!str_eq(jstr(pod, "status.phase"), "Failed"))
        return 0;
    const json_t *ended = jat(json_array_get(jat(pod, "status.containerStatuses"), 0), "state.terminated");
    const int code = (int)jint(ended, "exitCode", 0);
    if (code == 0)
        return err_set(e, ERR_INTERNAL, "pod %s/%s failed with unknown exit code", ns, name);
    fprintf(c->k->err, "pod %s/%s terminated (%s)\n", ns, name, jstr_or(ended, "reason", ""));
    const char *message = jstr_or(ended, "message", "");
    if (*message)
        fprintf(c->k->err, "%s%s", message, str_ends(message, "\n") ? "" : "\n");
    c->code = code;
    return 0;
}

static void delete_again(struct call *c, const char *plural, const json_t *made)
{
    _auto_buf_ struct buf path = BUF_INIT;
    struct err e = ERR_INIT;
    json_t *refusal = TAKE(c->failure);
    const char *name = jstr_or(made, "metadata.name", "");
    const int64_t grace = call_bool(c, "force") ? 0 : call_int(c, "grace-period");
    _auto_json_ json_t *options =
        json_pack("{s:s, s:s, s:s}", "kind", "DeleteOptions", "apiVersion", "v1", "propagationPolicy", "Background");
    if (grace >= 0)
        jset_int(options, "gracePeriodSeconds", grace);
    buf_addf(&path, "/api/v1/namespaces/%s/%s/%s", jstr_or(made, "metadata.namespace", ""), plural, name);
    const int rc = call_json(c, "DELETE", buf_str(&path), options, NULL, NULL, &e);
    if (rc == 0 && !call_bool(c, "quiet"))
        fprintf(c->k->out, "%s \"%s\" deleted\n", str_eq(plural, "pods") ? "pod" : "service", name);
    json_decref(c->failure);
    c->failure = refusal;
}

static int stay(struct call *c, const json_t *pod, const json_t *service, struct err *e)
{
    const int64_t patience = call_duration(c, "pod-running-timeout");
    int rc = attach(c, pod, patience, e);
    if (rc == 0 && c->code == 0 && !call_bool(c, "leave-stdin-open") && !str_eq(restart_policy(c), "Always"))
        rc = end_of(c, pod, patience, e);
    if (call_bool(c, "rm")) {
        delete_again(c, "pods", pod);
        if (service)
            delete_again(c, "services", service);
    }
    return rc;
}

/* ---- the verb ---- */

static bool attached(const struct call *c)
{
    return call_given(c, "attach") ? call_bool(c, "attach") : call_bool(c, "stdin");
}

static bool one_of(const char *word, const char *const *list)
{
    for (; *list; list++)
        if (str_eq(*list, word))
            return true;
    return false;
}

/* False: told. */
static bool valid(struct call *c, enum dry_run dry)
{
    static const char *const policies[] = {"Always", "OnFailure", "Never", "", NULL};
    static const char *const pulls[] = {"Always", "IfNotPresent", "Never", "", NULL};
    const char *image = call_text(c, "image");
    int64_t patience;
    if (c->words.len == 0 || c->dash == 0)
        call_usage(c, "NAME is required for run");
    else if (pods_timeout(c, &patience) < 0)
        return false;
    else if (!*image)
        call_fail(c, "--image is required");
    else if (!image_name_valid(image))
        call_fail(c, "Invalid image name \"%s\": invalid reference format", image);
    else if (call_bool(c, "tty") && !call_bool(c, "stdin"))
        call_usage(c, "-i/--stdin is required for containers with -t/--tty=true");
    else if (call_bool(c, "expose") && !*call_text(c, "port"))
        call_usage(c, "--port must be set when exposing a service");
    else if (!one_of(call_text(c, "restart"), policies))
        call_usage(c, "invalid restart policy: %s", call_text(c, "restart"));
    else if (!attached(c) && call_bool(c, "rm"))
        call_usage(c, "--rm should only be used for attached containers");
    else if (attached(c) && dry != DRY_NONE)
        call_usage(c, "--dry-run=[server|client] can't be used with attached containers options (--attach, --stdin, or "
                      "--tty)");
    else if (!one_of(call_text(c, "image-pull-policy"), pulls))
        call_usage(c, "invalid image pull policy: %s", call_text(c, "image-pull-policy"));
    else
        return true;
    return false;
}

static int show(struct call *c, struct printer *p, const char *plural, const json_t *object, enum dry_run dry,
                struct err *e)
{
    _auto_free_ char *done = xasprintf("created%s", dry_run_note(dry));
    const struct kind *kind = call_kind(c, plural);
    return kind ? printer_object(c, p, kind, object, done, e) : err_set(e, ERR_OK, "%s", "");
}

static int make(struct call *c, struct printer *p, enum dry_run dry, struct err *e)
{
    _auto_json_ json_t *pod = make_pod(c, e), *service = NULL;
    if (!pod || made_override(c, &pod, e) < 0 || made_create(c, "pods", dry, &pod, e) < 0)
        return -1;
    if (call_bool(c, "expose")) {
        service = make_service(c, e);
        if (!service || made_create(c, "services", dry, &service, e) < 0)
            call_error(c, e);
        else if (show(c, p, "services", service, dry, e) < 0)
            return -1;
        else if (p->form == PRINT_YAML)
            fputs("---\n", c->k->out);
        err_clear(e);
    }
    if (attached(c))
        return stay(c, pod, service, e);
    return show(c, p, "pods", pod, dry, e);
}

static int run(struct call *c)
{
    struct err e = ERR_INIT;
    _auto_printer_ struct printer p = {0};
    enum dry_run dry;
    if (!call_given(c, "image")) {
        klog_error(c->k->err, "run.go:72", "command failed", "required flag(s) \"image\" not set");
        return 1;
    }
    if (call_dry_run(c, &dry) < 0 || printer_init(c, &p, false) < 0 || !valid(c, dry))
        return c->code ? c->code : 1;
    if (make(c, &p, dry, &e) < 0)
        call_error(c, &e);
    else
        printer_end(c, &p);
    return c->code;
}

const struct kubectl_verb kubectl_run = {
    .name = "run",
    .summary = "Run a particular image on the cluster",
    .usage = "NAME --image=image [--env=\"key=value\"] [--port=port] [--dry-run=server|client] "
             "[--overrides=inline-json] [--command] -- [COMMAND] [args...]",
    .flags = flags,
    .takes = TAKES_NAME,
    .run = run,
};
