/* debug.c - kubectl debug: a container put beside those of a running pod, a copy of a pod with something changed,
 * or a pod on a node with its filesystem at /host. Source: kubectl cmd/debug. */
#include "kubectl/verbs/debug_profile.h"
#include "kubectl/set/image_name.h"
#include "kubectl/session.h"
#include "kubectl/verbs/verbs_int.h"

#include "api/decode.h"
#include "api/patch.h"
#include "base/go_errno.h"
#include "base/json.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

static const struct kubectl_flag flags[] = {
    {"arguments-only", 0, FLAG_BOOL, NULL, "Words after -- are arguments, not the command", NULL},
    {"attach", 0, FLAG_BOOL, NULL, "Wait until it runs and attach to it; the default with -i", NULL},
    {"container", 'c', FLAG_TEXT, NULL, "The debugging container's name", NULL},
    {"copy-to", 0, FLAG_TEXT, NULL, "Make a copy of the pod with this name", NULL},
    {"custom", 0, FLAG_TEXT, NULL, "A file with a part of a container's spec, laid over the profile's", NULL},
    {"env", 0, FLAG_LIST, NULL, "Environment variables: NAME=value, with commas", NULL},
    {"filename", 'f', FLAG_LIST, NULL, "The file with the object to debug", NULL},
    {"image", 0, FLAG_TEXT, NULL, "The debugging container's image", NULL},
    {"image-pull-policy", 0, FLAG_TEXT, NULL, "Always, IfNotPresent or Never; else the server chooses", NULL},
    {"keep-annotations", 0, FLAG_BOOL, NULL, "The copy has the annotations, too", NULL},
    {"keep-init-containers", 0, FLAG_BOOL, "true", "The copy has the init containers, too", NULL},
    {"keep-labels", 0, FLAG_BOOL, NULL, "The copy has the labels, too", NULL},
    {"keep-liveness", 0, FLAG_BOOL, NULL, "The copy has the liveness probes, too", NULL},
    {"keep-readiness", 0, FLAG_BOOL, NULL, "The copy has the readiness probes, too", NULL},
    {"keep-startup", 0, FLAG_BOOL, NULL, "The copy has the startup probes, too", NULL},
    {"profile", 0, FLAG_TEXT, "legacy", "legacy, general, baseline, netadmin, restricted or sysadmin", NULL},
    {"quiet", 'q', FLAG_BOOL, NULL, "No hints", NULL},
    {"replace", 0, FLAG_BOOL, NULL, "Delete the pod that was copied", NULL},
    {"same-node", 0, FLAG_BOOL, NULL, "The copy goes to the same node", NULL},
    {"set-image", 0, FLAG_LIST, NULL, "Images of the copy: container=image, with commas; *: of all", NULL},
    {"share-processes", 0, FLAG_BOOL, "true", "Containers of the copy see each other's processes", NULL},
    {"stdin", 'i', FLAG_BOOL, NULL, "The container has a stdin", NULL},
    {"target", 0, FLAG_TEXT, NULL, "See the processes of this container", NULL},
    {"tty", 't', FLAG_BOOL, NULL, "The container has a terminal", NULL},
    {NULL},
};

/* ---- the container ---- */

/* Five characters as names that are generated have. */
static void random_suffix(char out[6])
{
    static const char letters[] = "bcdfghjklmnpqrstvwxz2456789";
    unsigned char raw[5] = {0};
    if (getrandom(raw, sizeof raw, 0) < 0)
        memset(raw, 0, sizeof raw);
    for (size_t i = 0; i < sizeof raw; i++)
        out[i] = letters[raw[i] % (sizeof letters - 1)];
    out[5] = '\0';
}

static char *container_name(struct call *c, const json_t *pod)
{
    char suffix[6];
    if (*call_text(c, "container"))
        return xstrdup(call_text(c, "container"));
    random_suffix(suffix);
    char *name = xasprintf("debugger-%s", suffix);
    while (pod_container(pod, name, NULL)) {
        random_suffix(suffix);
        free(name);
        name = xasprintf("debugger-%s", suffix);
    }
    if (!call_bool(c, "quiet"))
        fprintf(c->k->out, "Defaulting debug container name to %s.\n", name);
    return name;
}

static json_t *words_after_dash(const struct call *c)
{
    json_t *words = json_array();
    for (size_t i = c->dash < 0 ? c->words.len : (size_t)c->dash; i < c->words.len; i++)
        json_array_append_new(words, json_string(c->words.items[i]));
    return words;
}

/* What the flags say of it. */
static int fill_container(struct call *c, json_t *container, struct err *e)
{
    const struct strlist *env = call_list(c, "env");
    _auto_json_ json_t *words = words_after_dash(c), *list = json_array();
    for (size_t i = 0; i < env->len; i++) {
        const char *equals = strchr(env->items[i], '=');
        if (!equals)
            return err_set(e, ERR_INVALID,
                           "invalid argument \"%s\" for \"--env\" flag: %s must be formatted as key=value",
                           env->items[i], env->items[i]);
        json_array_append_new(list, json_pack("{s:s%, s:s}", "name", env->items[i], (size_t)(equals - env->items[i]),
                                              "value", equals + 1));
    }
    if (json_array_size(list))
        json_object_set(container, "env", list);
    if (json_array_size(words) && call_bool(c, "arguments-only"))
        json_object_set(container, "args", words);
    else if (json_array_size(words)) {
        json_object_set(container, "command", words);
        json_object_del(container, "args");
    }
    if (*call_text(c, "image"))
        jset_str(container, "image", call_text(c, "image"));
    if (*call_text(c, "image-pull-policy"))
        jset_str(container, "imagePullPolicy", call_text(c, "image-pull-policy"));
    json_object_del(container, "stdin");
    json_object_del(container, "tty");
    if (call_bool(c, "stdin"))
        jset_bool(container, "stdin", true);
    if (call_bool(c, "tty"))
        jset_bool(container, "tty", true);
    return 0;
}

static json_t *new_container(const char *name)
{
    return json_pack("{s:s, s:{}, s:s}", "name", name, "resources", "terminationMessagePolicy", "File");
}

/* --custom: laid over the container in its place. */
static int customise(struct call *c, json_t *container, struct err *e)
{
    const char *path = call_text(c, "custom");
    _auto_buf_ struct buf text = BUF_INIT;
    _auto_json_ json_t *custom = NULL, *out = NULL;
    char why[GO_ERRNO_LEN];
    ssize_t n = 0;
    if (!*path)
        return 0;
    _auto_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    while (fd >= 0 && (n = read(fd, buf_reserve(&text, 4096), 4096)) > 0)
        text.len += (size_t)n;
    if (fd < 0 || n < 0)
        return err_set(e, ERR_INVALID, "must pass a container spec json file for custom profile: open %s: %s", path,
                       go_errno_text(errno, why));
    text.data[text.len] = '\0';
    if (yaml_parse(buf_str(&text), text.len, &custom, NULL, e) < 0 || !json_is_object(custom))
        return err_set(e, ERR_INVALID, "%s does not contain a valid container spec", path);
    static const char *const fixed[] = {"name", "command", "image", "lifecycle", "volumeDevices"};
    for (size_t i = 0; i < ARRAY_LEN(fixed); i++)
        if (json_object_get(custom, fixed[i]))
            return err_set(e, ERR_INVALID,
                           "name, command, image, lifecycle and volume devices are not modifiable via custom profile");
    schema_init();
    if (patch_strategic(schema_type("core.v1.Container"), container, custom, &out, e) < 0)
        return -1;
    json_object_clear(container);
    json_object_update(container, out);
    return 0;
}

/* ---- the three ways; *out_pod and *out_name: what to attach to ---- */

static int beside(struct call *c, const json_t *pod, json_t **out_pod, char **out_name, struct err *e)
{
    _auto_buf_ struct buf path = BUF_INIT;
    _auto_json_ json_t *copy = json_deep_copy(pod);
    _auto_free_ char *name = container_name(c, pod);
    json_t *container = new_container(name);
    json_array_append_new(jmake_arr(copy, "spec.ephemeralContainers"), container);
    if (fill_container(c, container, e) < 0)
        return -1;
    if (*call_text(c, "target"))
        jset_str(container, "targetContainerName", call_text(c, "target"));
    debug_profile_apply(c, call_text(c, "profile"), DEBUG_EPHEMERAL, copy, container);
    if (customise(c, container, e) < 0)
        return -1;
    _auto_json_ json_t *patch = json_pack("{s:{s:[O]}}", "spec", "ephemeralContainers", container);
    pod_path(jstr_or(pod, "metadata.namespace", ""), jstr_or(pod, "metadata.name", ""), "ephemeralcontainers", &path);
    if (call_json(c, "PATCH", buf_str(&path), patch, "application/strategic-merge-patch+json", out_pod, e) < 0)
        return -1;
    *out_name = TAKE(name);
    return 0;
}

static int create_pod(struct call *c, const char *ns, const json_t *pod, json_t **out, struct err *e)
{
    _auto_buf_ struct buf path = BUF_INIT;
    pod_path(ns, NULL, NULL, &path);
    return call_json(c, "POST", buf_str(&path), pod, NULL, out, e);
}

static void set_images(struct call *c, json_t *pod)
{
    const struct strlist *wished = call_list(c, "set-image");
    size_t i;
    json_t *container;
    json_array_foreach(jat(pod, "spec.containers"), i, container) for (int exact = 0; exact < 2;
                                                                       exact++) for (size_t w = 0; w < wished->len; w++)
    {
        const char *equals = strchr(wished->items[w], '=');
        _auto_free_ char *name = xstrndup(wished->items[w], equals ? (size_t)(equals - wished->items[w]) : 0);
        if (equals && str_eq(name, exact ? jstr(container, "name") : "*"))
            jset_str(container, "image", equals + 1);
    }
}

static json_t *copy_of(struct call *c, const json_t *pod)
{
    json_t *copy = json_pack("{s:s, s:s, s:{s:s, s:s}}", "apiVersion", "v1", "kind", "Pod", "metadata", "name",
                             call_text(c, "copy-to"), "namespace", jstr_or(pod, "metadata.namespace", ""));
    static const char *const kept[] = {"metadata.labels", "metadata.annotations", "spec"};
    for (size_t i = 0; i < ARRAY_LEN(kept); i++)
        if (jat(pod, kept[i]))
            jset(copy, kept[i], json_deep_copy(jat(pod, kept[i])));
    jdel(copy, "spec.ephemeralContainers");
    if (call_given(c, "share-processes"))
        jset_bool(copy, "spec.shareProcessNamespace", call_bool(c, "share-processes"));
    if (!call_bool(c, "same-node"))
        jdel(copy, "spec.nodeName");
    set_images(c, copy);
    return copy;
}

/* The container of the copy that is changed, or a new one; NULL without `e`: only images are other ones. */
static json_t *container_of_copy(struct call *c, json_t *copy, struct err *e)
{
    const char *wished = call_text(c, "container");
    json_t *container = (json_t *)(uintptr_t)pod_container(copy, wished, NULL);
    if (container)
        return container;
    if (!*call_text(c, "image")) {
        if (!call_list(c, "set-image")->len)
            err_set(e, ERR_INVALID, "you must specify image when creating new container");
        return NULL;
    }
    _auto_free_ char *name = container_name(c, copy);
    container = new_container(name);
    json_array_append_new(jmake_arr(copy, "spec.containers"), container);
    return container;
}

static int by_copy(struct call *c, const json_t *pod, json_t **out_pod, char **out_name, struct err *e)
{
    _auto_json_ json_t *copy = copy_of(c, pod);
    _auto_buf_ struct buf path = BUF_INIT;
    const char *ns = jstr_or(pod, "metadata.namespace", "");
    json_t *container = container_of_copy(c, copy, e);
    if (!container && e->code != ERR_OK)
        return -1;
    if (container) {
        if (fill_container(c, container, e) < 0)
            return -1;
        debug_profile_apply(c, call_text(c, "profile"), DEBUG_COPY, copy, container);
        if (customise(c, container, e) < 0)
            return -1;
        *out_name = xstrdup(jstr_or(container, "name", ""));
    }
    if (create_pod(c, ns, copy, out_pod, e) < 0)
        return -1;
    if (!call_bool(c, "replace"))
        return 0;
    _auto_json_ json_t *options =
        json_pack("{s:s, s:s, s:i}", "kind", "DeleteOptions", "apiVersion", "v1", "gracePeriodSeconds", 0);
    pod_path(ns, jstr_or(pod, "metadata.name", ""), NULL, &path);
    return call_json(c, "DELETE", buf_str(&path), options, NULL, NULL, e);
}

static int on_node(struct call *c, const json_t *node, json_t **out_pod, char **out_name, struct err *e)
{
    char suffix[6];
    const char *name = jstr_or(node, "metadata.name", ""), *ns = call_namespace(c);
    const char *container_is = *call_text(c, "container") ? call_text(c, "container") : "debugger";
    if (!ns)
        return err_set(e, ERR_OK, "%s", "");
    random_suffix(suffix);
    _auto_free_ char *pod_name = xasprintf("node-debugger-%s-%s", name, suffix);
    if (!call_bool(c, "quiet"))
        fprintf(c->k->out, "Creating debugging pod %s with container %s on node %s.\n", pod_name, container_is, name);
    json_t *container = new_container(container_is);
    _auto_json_ json_t *pod =
        json_pack("{s:s, s:s, s:{s:s}, s:{s:[o], s:s, s:s, s:[{s:s}]}}", "apiVersion", "v1", "kind", "Pod", "metadata",
                  "name", pod_name, "spec", "containers", container, "nodeName", name, "restartPolicy", "Never",
                  "tolerations", "operator", "Exists");
    if (fill_container(c, container, e) < 0)
        return -1;
    debug_profile_apply(c, call_text(c, "profile"), DEBUG_NODE, pod, container);
    if (customise(c, container, e) < 0 || create_pod(c, ns, pod, out_pod, e) < 0)
        return -1;
    *out_name = xstrdup(container_is);
    return 0;
}

/* ---- attaching ---- */

struct awaited {
    struct call *c;
    const char *container;
};

static const json_t *state_of(const json_t *pod, const char *container)
{
    static const char *const groups[] = {"status.initContainerStatuses", "status.containerStatuses",
                                         "status.ephemeralContainerStatuses"};
    size_t i;
    const json_t *status;
    for (size_t g = 0; g < ARRAY_LEN(groups); g++)
        json_array_foreach(jat(pod, groups[g]), i,
                           status) if (str_eq(jstr(status, "name"), container)) return json_object_get(status, "state");
    return NULL;
}

static int started(void *arg, const json_t *pod, struct err *e)
{
    struct awaited *a = arg;
    const json_t *state = state_of(pod, a->container);
    const char *message = jstr_or(state, "waiting.message", "");
    (void)e;
    if (json_object_get(state, "running") || json_object_get(state, "terminated"))
        return 1;
    if (*message && !call_bool(a->c, "quiet"))
        fprintf(a->c->k->err, "Warning: container %s: %s\n", a->container, message);
    return 0;
}

static int attach(struct call *c, const json_t *made, const char *container, struct err *e)
{
    struct awaited a = {.c = c, .container = container};
    _auto_json_ json_t *pod = NULL;
    const struct attachment how = {.container = container,
                                   .command = "kubectl attach",
                                   .in = call_bool(c, "stdin"),
                                   .tty = call_bool(c, "tty"),
                                   .quiet = call_bool(c, "quiet")};
    fflush(c->k->out);
    if (pod_await(c, jstr_or(made, "metadata.namespace", ""), jstr_or(made, "metadata.name", ""), 0, started, &a, &pod,
                  e) < 0)
        return -1;
    if (json_object_get(state_of(pod, container), "terminated"))
        return pod_log(c, pod, container, how.quiet, e);
    return pod_attach_or_log(c, pod, &how, e);
}

/* ---- the verb ---- */

static int debug(struct call *c, const json_t *object, struct err *e)
{
    const char *kind = jstr_or(object, "kind", ""), *version = jstr_or(object, "apiVersion", "");
    const bool stay = call_given(c, "attach") ? call_bool(c, "attach") : call_bool(c, "stdin");
    _auto_json_ json_t *pod = NULL;
    _auto_free_ char *container = NULL;
    int rc;
    if (str_eq(kind, "Node"))
        rc = on_node(c, object, &pod, &container, e);
    else if (str_eq(kind, "Pod"))
        rc =
            *call_text(c, "copy-to") ? by_copy(c, object, &pod, &container, e) : beside(c, object, &pod, &container, e);
    else
        rc = err_set(e, ERR_INVALID, "\"%s, Kind=%s\" not supported by debug", version, kind);
    return rc == 0 && stay && container ? attach(c, pod, container, e) : rc;
}

static bool policy_known(const char *policy)
{
    return !*policy || str_eq(policy, "Always") || str_eq(policy, "IfNotPresent") || str_eq(policy, "Never");
}

/* What --copy-to needs, or what needs it. NULL: nothing is wrong. */
static const char *copy_fits(struct call *c, bool words)
{
    const bool image = *call_text(c, "image"), images = call_list(c, "set-image")->len;
    if (*call_text(c, "copy-to"))
        return !image && !images && !words ? "you must specify --image, --set-image or command arguments."
               : words && !*call_text(c, "container") && !image
                   ? "you must specify an existing container or a new image when specifying args."
                   : NULL;
    return call_bool(c, "replace")     ? "--replace may only be used with --copy-to."
           : call_bool(c, "same-node") ? "--same-node may only be used with --copy-to."
           : images                    ? "--set-image may only be used with --copy-to."
           : !image                    ? "you must specify --image when not using --copy-to."
                                       : NULL;
}

/* False: told. */
static bool valid(struct call *c, size_t targets)
{
    const char *image = call_text(c, "image"), *target = call_text(c, "target"),
               *policy = call_text(c, "image-pull-policy");
    const char *why = copy_fits(c, targets < c->words.len);
    const struct strlist *images = call_list(c, "set-image");
    if (!debug_profile_known(call_text(c, "profile")))
        return call_fail(c, "unknown profile: %s", call_text(c, "profile")), false;
    if (call_given(c, "attach") && call_bool(c, "attach") && !*image && !*call_text(c, "container"))
        why = "you must specify --container or create a new container using --image in order to attach.";
    if (why)
        return call_fail(c, "%s", why), false;
    if (*image && !image_name_valid(image))
        return call_fail(c, "invalid image name \"%s\": invalid reference format", image), false;
    if (targets == 0 && !call_list(c, "filename")->len)
        return call_fail(c, "NAME or filename is required for debug"), false;
    if (!policy_known(policy))
        return call_fail(c, "invalid image pull policy: %s", policy), false;
    for (size_t i = 0; i < images->len; i++) {
        const char *equals = strchr(images->items[i], '=');
        if (equals && !image_name_valid(equals + 1))
            return call_fail(c, "invalid image name \"%s\" for container \"%.*s\": invalid reference format",
                             equals + 1, (int)(equals - images->items[i]), images->items[i]),
                   false;
    }
    if (*target && *call_text(c, "copy-to"))
        return call_fail(c, "--target is incompatible with --copy-to. Use --share-processes instead."), false;
    if (*target && !call_bool(c, "quiet"))
        fprintf(c->k->out,
                "Targeting container \"%s\". If you don't see processes from this container it may be because the "
                "container runtime doesn't support this feature.\n",
                target);
    if (call_bool(c, "tty") && !call_bool(c, "stdin"))
        return call_fail(c, "-i/--stdin is required for containers with -t/--tty=true"), false;
    return true;
}

static int run(struct call *c)
{
    const size_t targets = c->dash < 0 ? c->words.len : (size_t)c->dash;
    if (!valid(c, targets))
        return c->code;
    if (str_eq(call_text(c, "profile"), "legacy"))
        fputs("--profile=legacy is deprecated and will be removed in the future. It is recommended to explicitly "
              "specify a "
              "profile, for example \"--profile=general\".\n",
              c->k->err);
    for (size_t i = 0; i < targets || (i == 0 && targets == 0); i++) {
        struct err e = ERR_INIT;
        _auto_json_ json_t *object = NULL;
        if (pods_target(c, "pods", i < targets ? c->words.items[i] : NULL, &object, &e) < 0 || debug(c, object, &e) < 0)
            return call_error(c, &e);
    }
    return c->code;
}

const struct kubectl_verb kubectl_debug = {
    .name = "debug",
    .summary = "Create debugging sessions for troubleshooting workloads and nodes",
    .usage = "(POD | TYPE[[.VERSION].GROUP]/NAME) [ -- COMMAND [args...] ]",
    .flags = flags,
    .takes = TAKES_PODS,
    .run = run,
};
